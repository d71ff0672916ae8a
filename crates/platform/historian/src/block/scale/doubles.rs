//! The scale of doubles.

use super::{Scale, double, steps};

/// Marks a double that no integer stands for. No integer that does comes near it.
const NONE: i64 = i64::MIN;

/// Powers of ten that a double holds exactly and that decimals are looked for with.
const TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Decimals that a value sent as a single is looked for with: more than it has.
const SINGLE_DECIMALS_MAX: usize = 7;

/// Doubles looked at to choose how a run is written.
const SAMPLES_MAX: usize = 32;

/// How often a run is tried with more decimals, when a value turns out to have them.
const RETRIES_MAX: usize = 4;

/// Of so many doubles, one at most may be kept as it is.
const EXCEPTIONS_PER: usize = 8;

/// Significant bits of steps beyond which decimals are compared with the other ways.
const DECIMAL_BITS_FINE: u32 = 22;

/// Bits a step may have before doubles are better kept as they are.
const BITS_MAX: u32 = 54;

/// Adding it and taking it away rounds a double below 2^51 to an integer, ties to even, and its
/// sum's low bits are that integer: one addition instead of a call.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Finds how doubles are written as integers: `integers` becomes their steps. Gives the scale and
/// whether there are exceptions; those have `false` in `exact`. Without a scale, the doubles are
/// kept as they are.
pub(crate) fn scale_doubles(
    values: &[f64],
    integers: &mut Vec<i64>,
    exact: &mut Vec<bool>,
) -> (Option<Scale>, bool) {
    exact.clear();
    let samples = sample(values);
    let chosen = decimal_exponent(&samples, false)
        .and_then(|exponent| decimals(values, exponent, false, integers));
    // Mostly decimals, and few of them: what else there could be need not be tried.
    let form = match chosen {
        Some(form) if form.bits <= DECIMAL_BITS_FINE => Some(form),
        chosen => smallest(values, &samples, chosen, integers),
    };
    let Some(form) = form else { return (None, true) };
    if form.exceptions > 0 {
        exact.extend(integers.iter().map(|n| *n != NONE));
    }
    let (origin, grain) = steps(integers, Some(NONE));
    let scale = Scale { origin, grain, divisor: form.divisor, single: form.single };
    (Some(scale), form.exceptions > 0)
}

/// One way of writing a run.
#[derive(Debug, Clone, Copy)]
struct Form {
    divisor: f64,
    single: bool,
    exceptions: usize,
    /// Bits of a step, with those that exceptions cost.
    bits: u32,
}

/// Tries all ways and leaves the integers of the smallest.
fn smallest(
    values: &[f64],
    samples: &[f64],
    decimal: Option<Form>,
    integers: &mut Vec<i64>,
) -> Option<Form> {
    let mut best = decimal.map(|form| (form, integers.clone()));
    let mut try_form = |form: Option<Form>, integers: &mut Vec<i64>| {
        if let Some(form) = form
            && best.as_ref().is_none_or(|(best, _)| form.bits < best.bits)
        {
            best = Some((form, std::mem::take(integers)));
        }
    };
    if samples.iter().all(|x| f64::from(*x as f32).to_bits() == x.to_bits()) {
        let form = decimal_exponent(samples, true)
            .and_then(|exponent| decimals(values, exponent, true, integers));
        try_form(form, integers);
    }
    try_form(binary(values, integers), integers);
    let (form, chosen) = best.filter(|(form, _)| form.bits <= BITS_MAX)?;
    *integers = chosen;
    Some(form)
}

fn sample(values: &[f64]) -> Vec<f64> {
    let step = values.len().div_ceil(SAMPLES_MAX).max(1);
    values.iter().copied().filter(|x| x.is_finite()).step_by(step).collect()
}

/// The integer of a double with so many decimals, [`NONE`] where it does not give the double back.
fn integer(x: f64, power: f64, single: bool) -> i64 {
    let rounded = x * power + ROUND;
    let whole = rounded - ROUND;
    let quotient = whole / power;
    let back = if single { f64::from(quotient as f32) } else { quotient };
    let exact = back.to_bits() == x.to_bits() && (x * power).abs() < (1u64 << 51) as f64;
    let integer = (rounded.to_bits() as i64).wrapping_sub(ROUND.to_bits() as i64);
    if exact { integer } else { NONE }
}

fn exponent(x: f64, single: bool) -> Option<usize> {
    let tried = if single { &TEN[..=SINGLE_DECIMALS_MAX] } else { &TEN[..] };
    tried.iter().position(|power| integer(x, *power, single) != NONE)
}

/// Decimals that nearly all samples are written with.
fn decimal_exponent(samples: &[f64], single: bool) -> Option<usize> {
    let found: Vec<usize> = samples.iter().filter_map(|x| exponent(*x, single)).collect();
    let enough = (samples.len() - found.len()) * EXCEPTIONS_PER <= samples.len();
    found.into_iter().max().filter(|_| enough)
}

/// Writes doubles with so many decimals, or with more where one of them has more.
fn decimals(
    values: &[f64],
    mut decimals: usize,
    single: bool,
    integers: &mut Vec<i64>,
) -> Option<Form> {
    let mut exceptions = 0;
    for _ in 0..=RETRIES_MAX {
        let power = TEN[decimals];
        integers.clear();
        integers.extend(values.iter().map(|x| integer(*x, power, single)));
        let missed = integers.iter().zip(values).filter(|(n, _)| **n == NONE);
        exceptions = missed.clone().count();
        let more = missed.filter(|(_, x)| x.is_finite());
        let more = more.take(SAMPLES_MAX).filter_map(|(_, x)| exponent(*x, single)).max();
        match more {
            Some(more) if more > decimals => decimals = more,
            _ => break,
        }
    }
    form(TEN[decimals], single, exceptions, integers)
}

/// Writes doubles as integers over a power of two: sums of powers of two that lie within 62 bits.
fn binary(values: &[f64], integers: &mut Vec<i64>) -> Option<Form> {
    let finite = values.iter().filter(|x| x.is_finite() && **x != 0.0);
    let largest = finite.clone().map(|x| top_bit(*x)).max()?;
    let lowest = finite.map(|x| low_bit(*x)).min()?;
    // Lower bits than these are those of exceptions.
    let power = (-lowest).min(61 - largest).clamp(-1000, 1000);
    let divisor = 2f64.powi(power);
    integers.clear();
    let mut exceptions = 0;
    integers.extend(values.iter().map(|x| {
        let whole = x * divisor;
        let integer = if whole.abs() < (1u64 << 62) as f64 { whole as i64 } else { NONE };
        if integer != NONE && double(integer, divisor, false).to_bits() == x.to_bits() {
            return integer;
        }
        exceptions += 1;
        NONE
    }));
    form(divisor, false, exceptions, integers)
}

/// The exponent of a double's highest bit.
fn top_bit(x: f64) -> i32 {
    let exponent = (x.to_bits() >> 52 & 0x7FF) as i32;
    exponent.max(1) - 1023
}

/// The exponent of a double's lowest bit.
fn low_bit(x: f64) -> i32 {
    let mantissa = x.to_bits() & ((1 << 52) - 1) | (1 << 52);
    top_bit(x) - 52 + mantissa.trailing_zeros() as i32
}

/// What a way costs; none where too many doubles do not come back.
fn form(divisor: f64, single: bool, exceptions: usize, integers: &[i64]) -> Option<Form> {
    if exceptions * EXCEPTIONS_PER > integers.len() {
        return None;
    }
    let counted = || integers.iter().filter(|n| **n != NONE);
    let (min, max) = (counted().min()?, counted().max()?);
    let distance = max.checked_sub(*min)? as u64;
    let grain = match distance {
        0 => 1,
        _ => super::grain(counted().take(SAMPLES_MAX * 4), *min) as u64,
    };
    let bits = 64 - (distance / grain).leading_zeros();
    let bits = bits + (exceptions * 64 / integers.len()) as u32;
    Some(Form { divisor, single, exceptions, bits })
}
