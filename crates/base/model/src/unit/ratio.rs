//! Exact fractions, as far as 128 bits hold them.

use std::cmp::Ordering;

/// A fraction in lowest terms, the denominator positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    num: i128,
    den: i128,
}

impl Ratio {
    pub(super) const ZERO: Self = Self { num: 0, den: 1 };
    pub(super) const ONE: Self = Self { num: 1, den: 1 };

    /// The fraction of two numbers; none over zero.
    pub(super) fn new(num: i128, den: i128) -> Option<Self> {
        let common = gcd(num.unsigned_abs(), den.unsigned_abs());
        let common = i128::try_from(common).ok().filter(|_| den != 0)?;
        let (num, den) = (num / common, den / common);
        match den.cmp(&0) {
            Ordering::Less => Some(Self { num: num.checked_neg()?, den: den.checked_neg()? }),
            _ => Some(Self { num, den }),
        }
    }

    /// A decimal such as `6.62607015e-34`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let exponent = exponent - i32::try_from(fraction.len()).ok()?;
        Self::new(digits, 1)?.times(Self::new(10, 1)?.power(exponent)?)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        // Across, so that what cancels does not overflow.
        let (left, right) = (Self::new(self.num, other.den)?, Self::new(other.num, self.den)?);
        let num = left.num.checked_mul(right.num)?;
        Some(Self { num, den: left.den.checked_mul(right.den)? })
    }

    /// One over it; none for zero.
    pub(super) fn inverse(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }

    pub(super) fn power(self, exponent: i32) -> Option<Self> {
        let base = if exponent < 0 { self.inverse()? } else { self };
        let exponent = exponent.unsigned_abs();
        let num = base.num.checked_pow(exponent)?;
        Some(Self { num, den: base.den.checked_pow(exponent)? })
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        let (a, b) = (self.num.checked_mul(other.den)?, other.num.checked_mul(self.den)?);
        Self::new(a.checked_sub(b)?, self.den.checked_mul(other.den)?)
    }

    /// Numerator and denominator, each rounded to a double.
    pub(super) fn parts(self) -> (f64, f64) {
        (self.num as f64, self.den as f64)
    }

    /// The nearest double, or its neighbour.
    pub(super) fn as_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_fractions_in_lowest_terms() {
        let ratio = |num, den| Ratio::new(num, den).unwrap();
        assert_eq!(Ratio::parse("254e-2"), Some(ratio(127, 50)));
        assert_eq!(Ratio::parse("0.45359237"), Some(ratio(45_359_237, 100_000_000)));
        assert_eq!(Ratio::parse("1e24").unwrap().as_f64(), 1e24);
        assert_eq!(Ratio::parse("1.5.2"), None);
        assert_eq!(Ratio::parse("1e99"), None);
        assert_eq!(ratio(4, -6), ratio(-2, 3));
        assert_eq!(Ratio::new(1, 0), None);
        assert_eq!(ratio(2, 3).power(-2), Some(ratio(9, 4)));
        assert_eq!(ratio(1, 2).minus(ratio(1, 3)), Some(ratio(1, 6)));
        assert_eq!(ratio(10, 1).power(38).and_then(|r| r.times(ratio(10, 1))), None);
    }
}
