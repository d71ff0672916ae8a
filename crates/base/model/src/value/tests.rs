use proptest::prelude::*;
use serde_json::json;

use super::*;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<bool>().prop_map(Value::Bool),
        "\\PC{0,20}".prop_map(|s| Value::Text(s.into())),
        any::<i64>().prop_map(Value::Enumeration),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        scalar(),
        prop::collection::vec(scalar(), 0..20).prop_map(|v| v.into_iter().collect())
    ]
}

proptest! {
    #[test]
    fn bytes_give_the_value_back(value in value()) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let mut rest = bytes.as_slice();
        prop_assert_eq!(Value::decode(&mut rest), Ok(value));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut rest = bytes.as_slice();
        let _ = Value::decode(&mut rest);
    }

    #[test]
    fn json_gives_scalars_back(value in scalar()) {
        // JSON has one NaN; every other double is exact.
        let nan = matches!(value, Value::F64(x) if x.is_nan());
        prop_assume!(!nan);
        prop_assert_eq!(Value::from_json(&value.to_json(), value.data_type()), Ok(value));
    }
}

#[test]
fn large_integers_travel_as_strings() {
    assert_eq!(Value::I64(9_007_199_254_740_993).to_json(), json!("9007199254740993"));
    assert_eq!(Value::U64(u64::MAX).to_json(), json!("18446744073709551615"));
    assert_eq!(
        Value::from_json(&json!("-9223372036854775808"), DataType::I64),
        Ok(Value::I64(i64::MIN))
    );
    assert_eq!(Value::from_json(&json!(5.0), DataType::I64), Ok(Value::I64(5)));
    assert!(Value::from_json(&json!(5.5), DataType::I64).is_err());
    assert!(Value::from_json(&json!(-1), DataType::U64).is_err());
    assert!(Value::from_json(&json!("abc"), DataType::F64).is_err());
}

#[test]
fn a_lying_length_allocates_nothing() {
    let mut bytes = [7u8, 0xff, 0xff, 0, 0, 1].as_slice();
    assert_eq!(Value::decode(&mut bytes), Err(ValueDecodeError));
}
