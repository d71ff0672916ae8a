use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn scaled(values: &[f64]) -> (Option<Scale>, Vec<i64>) {
    let (mut integers, mut exact) = (Vec::new(), Vec::new());
    let (scale, _) = scale_doubles(values, &mut integers, &mut exact);
    (scale, integers)
}

fn check(values: &[f64], expected: Scale) {
    let (scale, steps) = scaled(values);
    assert_eq!(scale, Some(expected));
    let back =
        steps.iter().map(|k| double(expected.integer(*k), expected.divisor, expected.single));
    assert!(back.zip(values).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn decimals_have_powers_of_ten() {
    let scale = |origin, grain, divisor| Scale { origin, grain, divisor, single: false };
    check(&[21.5, 21.3, 22.0], scale(213, 1, 10.0));
    check(&[7.0; 9], scale(7, 1, 1.0));
    check(&[0.1 + 0.2], scale(0, 1, 1.0).with_binary());
    let quarters: Vec<f64> = (0..100).map(|n| f64::from(n) * 0.25 - 3.0).collect();
    check(&quarters, scale(-300, 25, 100.0));
    let counts: Vec<f64> = (0..4096).map(|n| f64::from(n) * 100.0 / 4096.0).collect();
    check(&counts, scale(0, 244_140_625, 1e10));
}

impl Scale {
    /// That of 0.1 + 0.2 alone: the double's own bits.
    fn with_binary(self) -> Self {
        let origin = ((0.1f64 + 0.2) * 2f64.powi(52)) as i64;
        Self { origin, divisor: 2f64.powi(52), ..self }
    }
}

#[test]
fn singles_are_decimals_of_their_own() {
    let values: Vec<f64> = (0..50).map(|n| f64::from((n * 7 % 90) as f32 / 10.0)).collect();
    let (scale, _) = scaled(&values);
    assert_eq!(scale, Some(Scale { origin: 0, grain: 1, divisor: 10.0, single: true }));
}

#[test]
fn a_few_that_are_no_decimals_are_left_out() {
    let mut values: Vec<f64> = (0..100).map(|n| f64::from(n % 13) / 100.0).collect();
    (values[40], values[41], values[99]) = (f64::NAN, -0.0, f64::INFINITY);
    let (mut integers, mut exact) = (Vec::new(), Vec::new());
    let (scale, exceptions) = scale_doubles(&values, &mut integers, &mut exact);
    assert!(exceptions && scale.is_some_and(|scale| scale.divisor == 100.0));
    let left: Vec<usize> = (0..100).filter(|index| !exact[*index]).collect();
    assert_eq!(left, [40, 41, 99]);
}

#[test]
fn integers_go_in_steps_from_the_least() {
    let mut integers: Vec<i64> = (0..40).map(|n| 1_000_000 - n * 48).collect();
    assert_eq!(steps(&mut integers, None), (1_000_000 - 39 * 48, 48));
    assert_eq!(integers[..2], [39, 38]);
    let mut ends = [i64::MIN, 0, i64::MAX];
    assert_eq!(steps(&mut ends, None), (0, 1));
    assert_eq!(ends, [i64::MIN, 0, i64::MAX]);
    assert_eq!(steps(&mut [], None), (0, 1));
}

proptest! {
    #[test]
    fn any_integers_come_back(
        start: i64, grain in 1i64..5000, places in vec(0i64..1_000_000, 1..90),
    ) {
        let all: Vec<i64> = places.iter().map(|n| start.saturating_add(n * grain)).collect();
        let mut found = all.clone();
        let (origin, grain) = steps(&mut found, None);
        for (k, n) in found.iter().zip(&all) {
            let product = k.checked_mul(grain).unwrap();
            prop_assert_eq!(origin.checked_add(product).unwrap(), *n);
        }
    }
}
