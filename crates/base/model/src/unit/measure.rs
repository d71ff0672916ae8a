//! How much a UCUM code is, in base units.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::fmt;

use super::atoms::{Atom, Is};
use super::ratio::Ratio;
use super::ucum::{self, Part};

/// Highest power of a unit that is computed with: beyond what any quantity has.
const EXPONENT_MAX: i32 = 24;

/// A number: exact as far as 128 bits hold it, and as a double; times a power of π.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Magnitude {
    exact: Option<Ratio>,
    near: f64,
    pi: i32,
}

impl Magnitude {
    const ONE: Self = Self { exact: Some(Ratio::ONE), near: 1.0, pi: 0 };

    fn parse(decimal: &str) -> Option<Self> {
        Some(Self { exact: Ratio::parse(decimal), near: decimal.parse().ok()?, pi: 0 })
    }

    fn times(self, other: Self) -> Self {
        let exact = self.exact.zip(other.exact).and_then(|(a, b)| a.times(b));
        Self { exact, near: self.near * other.near, pi: self.pi.saturating_add(other.pi) }
    }

    pub(super) fn power(self, exponent: i32) -> Self {
        let exact = self.exact.and_then(|exact| exact.power(exponent));
        let pi = self.pi.saturating_mul(exponent);
        Self { exact, near: self.near.powi(exponent), pi }
    }

    pub(super) fn over(self, other: Self) -> Self {
        self.times(other.power(-1))
    }

    fn minus(self, other: Self) -> Self {
        let alike = self.pi == other.pi;
        let exact = self.exact.zip(other.exact).filter(|_| alike).and_then(|(a, b)| a.minus(b));
        match alike {
            true => Self { exact, near: self.near - other.near, pi: self.pi },
            false => Self { exact, near: self.as_f64() - other.as_f64(), pi: 0 },
        }
    }

    /// Numerator and denominator.
    pub(super) fn parts(self) -> (f64, f64) {
        match self.exact {
            Some(exact) if self.pi == 0 => exact.parts(),
            _ => (self.as_f64(), 1.0),
        }
    }

    /// The nearest double, or one close to it.
    pub(super) fn as_f64(self) -> f64 {
        self.exact.map_or(self.near, Ratio::as_f64) * PI.powi(self.pi)
    }
}

/// What a unit measures: base units and their powers, none of which is 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Dimension(BTreeMap<&'static str, i32>);

impl Dimension {
    fn add(&mut self, other: &Self, exponent: i32) {
        for (base, power) in &other.0 {
            let sum = self.0.entry(base).or_default();
            *sum = sum.saturating_add(power.saturating_mul(exponent));
        }
        self.0.retain(|_, power| *power != 0);
    }
}

/// As a UCUM code, with the name of the quantity where it has one: `pressure (g.m-1.s-2)`.
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |(base, power): (&&str, &i32)| match power {
            1 => (*base).to_owned(),
            power => format!("{base}{power}"),
        };
        let code = self.0.iter().map(one).collect::<Vec<_>>().join(".");
        match QUANTITIES.iter().find(|(known, _)| *known == code) {
            Some((_, name)) if code.is_empty() => f.write_str(name),
            Some((_, name)) => write!(f, "{name} ({code})"),
            None => write!(f, "a quantity of {code}"),
        }
    }
}

/// Names of quantities (ISO 80000), by what [`Dimension`] writes.
#[rustfmt::skip]
const QUANTITIES: &[(&str, &str)] = &[
    ("", "a number without a dimension"), ("m", "length"), ("m2", "area"), ("m3", "volume"), ("g", "mass"),
    ("s", "time"), ("K", "temperature"), ("rad", "angle"), ("rad.s-1", "angular velocity"), ("s-1", "frequency"),
    ("m.s-1", "velocity"), ("m.s-2", "acceleration"), ("g.m.s-2", "force"), ("g.m-1.s-2", "pressure"),
    ("g.m2.s-2", "energy or torque"), ("g.m2.s-3", "power"), ("m3.s-1", "volume flow"), ("g.s-1", "mass flow"),
    ("g.m-3", "density"), ("g.m-1.s-1", "viscosity"), ("m2.s-1", "kinematic viscosity"), ("C", "charge"),
    ("C.s-1", "current"), ("C-1.g.m2.s-2", "voltage"), ("C-2.g.m2.s-1", "resistance"),
    ("C2.g-1.m-2.s", "conductance"), ("C2.g-1.m-3.s", "conductivity"), ("mol", "amount of substance"),
    ("m-3.mol", "concentration"), ("mol.s-1", "molar flow"), ("bit", "information"), ("bit.s-1", "data rate"),
    ("g.s-3", "heat flux"), ("m2.s-2", "energy by mass"), ("cd", "luminous intensity"),
];

/// A unit in base units: `x` of it are `x * scale + zero`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measure {
    pub(super) scale: Magnitude,
    pub(super) zero: Option<Magnitude>,
    pub(super) dimension: Dimension,
    /// What stands in curly brackets, in order.
    pub(super) notes: Vec<String>,
}

impl Measure {
    /// Of a code; none for what is no code or beyond what is computed with.
    pub(super) fn of(code: &str) -> Option<Self> {
        let mut measure = Self {
            scale: Magnitude::ONE,
            zero: None,
            dimension: Dimension::default(),
            notes: vec![],
        };
        let (mut parts, mut sound, mut single) = (0, true, None);
        let read = ucum::read(code, &mut |part| match part {
            Part::Note(note) => measure.notes.push(note.to_owned()),
            other => {
                parts += 1;
                single = Some(other);
                sound &= measure.add(other).is_some();
            }
        });
        if let (1, Some(Part::Unit { atom, exponent: 1, .. })) = (parts, single) {
            measure.zero = zero(atom);
        }
        measure.notes.sort();
        let numbers = [Some(measure.scale), measure.zero];
        let finite = numbers.into_iter().flatten().all(|number| number.as_f64().is_finite());
        let positive = measure.scale.as_f64() > 0.0;
        (read && sound && finite && positive).then_some(measure)
    }

    fn add(&mut self, part: Part<'_>) -> Option<()> {
        let (scale, dimension, exponent) = match part {
            Part::Note(_) => return Some(()),
            Part::Factor { digits, divides } => {
                let factor = Magnitude::parse(digits)?;
                (factor, Dimension::default(), if divides { -1 } else { 1 })
            }
            Part::Unit { prefix, atom, exponent } => {
                let prefix = prefix.map_or(Some(Magnitude::ONE), Magnitude::parse)?;
                let (scale, dimension) = unit(atom)?;
                (prefix.times(scale), dimension, exponent)
            }
        };
        if exponent.saturating_abs() > EXPONENT_MAX {
            return None;
        }
        self.scale = self.scale.times(scale.power(exponent));
        self.dimension.add(&dimension, exponent);
        Some(())
    }

    /// What `x` of this is in another: `x * factor + offset`.
    pub(super) fn to(&self, other: &Self) -> (Magnitude, Option<Magnitude>) {
        let factor = self.scale.over(other.scale);
        let none = Magnitude { exact: Some(Ratio::ZERO), near: 0.0, pi: 0 };
        let offset = match (self.zero, other.zero) {
            (None, None) => None,
            (from, to) => Some(from.unwrap_or(none).minus(to.unwrap_or(none)).over(other.scale)),
        };
        (factor, offset)
    }
}

/// One of a unit, in base units.
fn unit(atom: &Atom) -> Option<(Magnitude, Dimension)> {
    match atom.is {
        Is::Base => Some((Magnitude::ONE, Dimension(BTreeMap::from([(atom.code, 1)])))),
        Is::Pi => Some((Magnitude { pi: 1, ..Magnitude::ONE }, Dimension::default())),
        Is::Times(factor, term) | Is::Degrees(factor, term, _) => {
            // A unit is defined by others, never by itself: this ends.
            let Measure { scale, dimension, .. } = Measure::of(term)?;
            Some((Magnitude::parse(factor)?.times(scale), dimension))
        }
    }
}

/// Where a unit counts from, in base units.
fn zero(atom: &Atom) -> Option<Magnitude> {
    match atom.is {
        Is::Degrees(_, _, zero) => Some(Magnitude::parse(zero)?.times(unit(atom)?.0)),
        _ => None,
    }
}
