//! Multiples of a number that has few digits in no base: what a converter counted, times its
//! sensitivity.
//!
//! The grain is guessed as the greatest common divisor of the smallest magnitudes, which rounding changed
//! least, and then narrowed by every value: each leaves an interval of grains that give it back. What is
//! found is checked bit for bit.

/// Magnitudes of which the grain is guessed.
const SMALLEST: usize = 64;

/// Of a number's rounding, what a remainder may be and still count as none.
const ROUNDINGS: f64 = 64.0;

/// Bits that a multiple may have: more than any converter has.
const BITS_MAX: u32 = 32;

/// A grain, whether multiples of it are rounded to singles, and the multiples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    pub(super) grain: f64,
    pub(super) single: bool,
    pub(super) multiples: Vec<i64>,
}

/// A multiple as a double.
pub(super) fn multiple(integer: i64, grain: f64, single: bool) -> f64 {
    let product = integer as f64 * grain;
    if single { f64::from(product as f32) } else { product }
}

/// Doubles as multiples, where they are.
pub(super) fn find(doubles: &[f64]) -> Option<Grid> {
    let single = doubles.iter().all(|x| f64::from(*x as f32).to_bits() == x.to_bits());
    let mut sizes: Vec<f64> = doubles.iter().map(|x| x.abs()).collect();
    if !sizes.iter().all(|size| size.is_finite()) {
        return None;
    }
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    let rounding = ROUNDINGS * if single { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let smallest = sizes.iter().copied().filter(|size| *size > 0.0).take(SMALLEST);
    let mut grain = smallest.reduce(|grain, size| divisor(size, grain, size * rounding))?;
    let (mut low, mut high) = (0.0f64, f64::INFINITY);
    for size in sizes.into_iter().filter(|size| *size > 0.0) {
        let count = (size / grain).round();
        if count < 1.0 || count >= (1u64 << (BITS_MAX - 1)) as f64 {
            return None;
        }
        let (below, above) = between(size, single);
        (low, high) = (low.max(below / count), high.min(above / count));
        if low > high * (1.0 + 4.0 * f64::EPSILON) {
            return None;
        }
        grain = size / count;
    }
    let middle = low + (high - low) / 2.0;
    let near = [middle, low, high, grain, middle.next_down(), middle.next_up()];
    near.into_iter().find_map(|grain| {
        let one = |x: &f64| {
            let count = (x / grain).round() as i64;
            (multiple(count, grain, single).to_bits() == x.to_bits()).then_some(count)
        };
        let multiples = doubles.iter().map(one).collect::<Option<_>>()?;
        Some(Grid { grain, single, multiples })
    })
}

/// The greatest common divisor of two numbers, where remainders up to a bound are none.
fn divisor(mut a: f64, mut b: f64, none: f64) -> f64 {
    while b > none {
        (a, b) = (b, (a - b * (a / b).round()).abs());
    }
    a
}

/// The ends of what is rounded to a number.
fn between(size: f64, single: bool) -> (f64, f64) {
    match single {
        true => {
            let near = size as f32;
            let half = |other: f32| (f64::from(near) + f64::from(other)) / 2.0;
            (half(near.next_down()), half(near.next_up()))
        }
        false => (size.next_down(), size.next_up()),
    }
}
