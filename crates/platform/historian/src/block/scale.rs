//! Numbers as small integers: a value is `(o + k * g) / p`, where only `k` differs from row to row.
//!
//! What a sensor sends has few decimals, what a counter counts goes in steps: both are integers of
//! some grain. Doubles are recovered by one division of two doubles, which IEEE 754 rounds
//! correctly: `p` is a power of ten (decimals) or of two (any double is an integer over one).
//! Every value is checked bit for bit when it is written; one that does not come back is kept as
//! it is.

mod doubles;

pub(crate) use doubles::scale_doubles;

/// Numbers below which a grain is not looked for: it would cost more than it saves.
const GRAIN_ROWS_MIN: usize = 32;

/// `o`, `g` and `p` of a run of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// `o`: what is added.
    pub(crate) origin: i64,
    /// `g`: what a step is worth.
    pub(crate) grain: i64,
    /// `p`: what the integer is divided by.
    pub(crate) divisor: f64,
    /// Whether the quotient is then rounded to a single, as values are that a device sends in four
    /// bytes.
    pub(crate) single: bool,
}

impl Scale {
    /// Integers as they are.
    pub(crate) const ONE: Self = Self { origin: 0, grain: 1, divisor: 1.0, single: false };

    /// The integer of a step.
    #[inline]
    pub(crate) fn integer(&self, step: i64) -> i64 {
        self.origin.wrapping_add(step.wrapping_mul(self.grain))
    }
}

/// A double from the integer that it was written as.
#[inline]
pub(crate) fn double(integer: i64, divisor: f64, single: bool) -> f64 {
    let quotient = integer as f64 / divisor;
    if single { f64::from(quotient as f32) } else { quotient }
}

/// Finds origin and grain of integers and turns these into steps. `skip` marks those that count for
/// nothing and get the step before them.
///
/// No integer leaves 64 bits on the way back: steps are not negative, and `k * g` is at most the
/// distance of two of them.
pub(crate) fn steps(integers: &mut [i64], skip: Option<i64>) -> (i64, i64) {
    let counted = |n: &&i64| Some(**n) != skip;
    let bounds = integers.iter().filter(counted).fold(None, |bounds, n| match bounds {
        None => Some((*n, *n)),
        Some((min, max)) => Some((min.min(*n), max.max(*n))),
    });
    let Some((min, max)) = bounds else {
        integers.fill(0);
        return (0, 1);
    };
    // Integers so far apart that their distance is none are steps themselves.
    let (origin, distance) = match max.checked_sub(min) {
        Some(distance) => (min, distance),
        None => (0, 0),
    };
    let grain = match distance {
        0 => 1,
        _ if integers.len() < GRAIN_ROWS_MIN => 1,
        _ => grain(integers.iter().filter(counted), origin),
    };
    let (inverse, shift) = exact_divisor(grain);
    let mut last = 0;
    for n in integers.iter_mut() {
        if Some(*n) != skip {
            last = (n.wrapping_sub(origin) >> shift).wrapping_mul(inverse);
        }
        *n = last;
    }
    (origin, grain)
}

/// The greatest common divisor of distances to the origin, at least 1.
fn grain<'a>(integers: impl Iterator<Item = &'a i64>, origin: i64) -> i64 {
    let mut grain = 0;
    for n in integers {
        grain = gcd(grain, n.wrapping_sub(origin));
        if grain == 1 {
            break;
        }
    }
    grain.max(1)
}

/// Euclid's algorithm, which ends at once where `a` divides `b`.
fn gcd(mut a: i64, mut b: i64) -> i64 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

/// What to shift by and then multiply with to divide multiples of a number by it, modulo 2^64: the
/// inverse of its odd part, by Newton's iteration, each step of which doubles the right bits.
fn exact_divisor(divisor: i64) -> (i64, u32) {
    let shift = divisor.trailing_zeros();
    let odd = divisor >> shift;
    let mut inverse = odd;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2i64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    (inverse, shift)
}

#[cfg(test)]
mod tests;
