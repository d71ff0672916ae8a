use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::array(items.into_iter().collect()).unwrap()
}

fn there_and_back(value: &Value) -> usize {
    let mut bytes = vec![];
    encode(value, &mut bytes);
    assert!(decode(&bytes).as_ref() == Some(value), "{} bytes", bytes.len());
    let mut quick = vec![];
    encode_quickly(value, &mut quick);
    assert!(decode(&quick).as_ref() == Some(value), "{} bytes", quick.len());
    bytes.len()
}

#[test]
fn numbers_of_one_kind_are_small() {
    let count = 1000;
    let numbers = 0..count as i64;
    let volts = |n: i64| Value::F64((n * 7919 % 65_536 - 32_768) as f64 / 32_768.0);
    let header = 33;
    assert!(there_and_back(&array(numbers.clone().map(volts))) <= 3 * count + header);
    let decimals = |n: i64| Value::F64((n * 7919 % 10_000) as f64 / 1000.0);
    assert!(there_and_back(&array(numbers.clone().map(decimals))) <= 3 * count + header);
    let counts = |n: i64| (n * 7919 % 30_000 - 15_000) as f64;
    let sensitive = |n: i64| Value::F64(counts(n) * 0.001_226_7);
    assert!(there_and_back(&array(numbers.clone().map(sensitive))) <= 3 * count + header);
    let single = |n: i64| Value::F64(f64::from(counts(n) as f32 * 0.001_226_7f32));
    assert!(there_and_back(&array(numbers.clone().map(single))) <= 3 * count + header);
    let singles = |n: i64| Value::F64(f64::from((n as f32).sin() * 1e-3));
    assert!(there_and_back(&array(numbers.clone().map(singles))) <= 5 * count + header);
    let doubles = |n: i64| Value::F64((n as f64).sin());
    assert!(there_and_back(&array(numbers.clone().map(doubles))) <= 8 * count + header);
    let whole_as_integers = |n: i64| match n % 1000 {
        0 => Value::I64(n / 1000),
        _ => Value::F64(n as f64 / 1000.0),
    };
    assert!(
        there_and_back(&array(numbers.clone().map(whole_as_integers))) <= 3 * count + header + 125
    );
    let ramp = |n: i64| Value::I64(1_000_000 + n * 3);
    assert!(there_and_back(&array(numbers.clone().map(ramp))) <= count + header);
    assert!(there_and_back(&array(numbers.clone().map(|_| Value::F64(0.1)))) <= header + count);
    assert!(there_and_back(&array(numbers.map(|n| Value::Bool(n % 3 == 0)))) <= header + count);
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<f32>().prop_map(f64::from),
        (any::<i32>(), 0..6i32).prop_map(|(n, decimals)| f64::from(n) / 10f64.powi(decimals)),
        Just(-0.0),
    ]
}

/// A converter's counts times its sensitivity.
fn counted() -> impl Strategy<Value = Vec<Value>> {
    let counts = vec(-40_000i32..40_000, 16..200);
    (counts, 1e-9..1e3f64, any::<bool>()).prop_map(|(counts, grain, single)| {
        let one = |count: &i32| match single {
            true => f64::from(*count as f32 * grain as f32),
            false => f64::from(*count) * grain,
        };
        counts.iter().map(|count| Value::F64(one(count))).collect()
    })
}

fn any_item() -> impl Strategy<Value = Value> {
    prop_oneof![
        any_double().prop_map(Value::F64),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Enumeration),
        "[a-z]{0,5}".prop_map(|text| Value::text(&text).unwrap()),
    ]
}

fn any_items() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        vec(any_item(), 0..40),
        vec(any_double().prop_map(Value::F64), 0..80),
        vec((-100i64..100).prop_map(|n| Value::F64(n as f64 / 8.0)), 0..80),
        vec(any::<i64>().prop_map(Value::I64), 0..40),
        counted(),
        vec(
            prop_oneof![any_double().prop_map(Value::F64), (-99i64..99).prop_map(Value::I64)],
            0..80
        ),
        vec((-9i64..9).prop_map(Value::I64), 0..40),
        vec(any::<u64>().prop_map(Value::U64), 0..40),
        vec(any::<bool>().prop_map(Value::Bool), 0..40),
    ]
}

proptest! {
    #[test]
    fn any_array_comes_back_bit_by_bit(items in any_items()) {
        there_and_back(&array(items));
    }

    #[test]
    fn any_bytes_are_an_array_or_none(bytes in vec(any::<u8>(), 0..200), kind in prop_oneof![0u8..9, Just(MIXED)], form in 0u8..5) {
        let _ = decode(&bytes);
        let count = [bytes.len() as u8 / 8, 0, 0, 0];
        let _ = decode(&[&[PACKED, kind][..], &count, &[form], &bytes].concat());
    }
}
