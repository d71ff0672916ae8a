use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::proto::{DataSetValue, Row};

#[test]
fn negative_numbers_come_in_either_width() {
    assert_eq!(decode(&MetricValue::Int(0xFF), T::Int8), Ok(Value::I64(-1)));
    assert_eq!(decode(&MetricValue::Int(0xFFFF_FFFE), T::Int16), Ok(Value::I64(-2)));
    assert_eq!(decode(&MetricValue::Int(0xFFFF_FFFE), T::UInt32), Ok(Value::U64(0xFFFF_FFFE)));
    assert_eq!(decode(&MetricValue::Long(0xFFFF_FFFE), T::UInt32), Ok(Value::U64(0xFFFF_FFFE)));
    assert_eq!(decode(&MetricValue::Long(u64::MAX), T::Int64), Ok(Value::I64(-1)));
    assert_eq!(decode(&MetricValue::Long(u64::MAX), T::UInt64), Ok(Value::U64(u64::MAX)));
    assert!(decode(&MetricValue::String("x".to_owned()), T::Int8).is_err());
    assert!(decode(&MetricValue::Int(1), T::Template).is_err());
}

#[test]
fn negative_numbers_are_written_as_the_edge_node_does() {
    for (value, narrow) in [(0xFF, Some(true)), (0xFFFF_FFFF, Some(false)), (0x7F, None)] {
        assert_eq!(is_narrow(&MetricValue::Int(value), T::Int8), narrow);
    }
    assert_eq!(is_narrow(&MetricValue::Int(0xFF), T::Int16), None);
    assert_eq!(is_narrow(&MetricValue::Int(u32::MAX), T::Int32), None);
    assert_eq!(encode(&Value::I64(-2), T::Int16, true), Ok(MetricValue::Int(0xFFFE)));
    assert_eq!(encode(&Value::I64(-2), T::Int32, true), Ok(MetricValue::Int(0xFFFF_FFFE)));
}

#[test]
fn lists_are_unpacked() {
    // The examples of the specification, 6.4.17.
    let list =
        |bytes: &[u8], t| decode(&MetricValue::Bytes(bytes.to_vec()), t).map(|v| v.to_json());
    assert_eq!(list(&[0xEF, 0x7B], T::Int8Array), Ok(json!([-17, 123])));
    assert_eq!(list(&[0xC7, 0xD0, 0x3D, 0x77], T::Int16Array), Ok(json!([-12_089, 30_525])));
    assert_eq!(list(&[0x17, 0xFA], T::UInt8Array), Ok(json!([23, 250])));
    let bits = [0x0C, 0, 0, 0, 0x34, 0xD0];
    let expected =
        json!([false, false, true, true, false, true, false, false, true, true, false, true]);
    assert_eq!(list(&bits, T::BooleanArray), Ok(expected));
    assert_eq!(list(b"ABC\0hello\0", T::StringArray), Ok(json!(["ABC", "hello"])));
    assert_eq!(list(b"", T::StringArray), Ok(json!([])));
    assert!(list(b"ABC", T::StringArray).is_err());
    assert!(list(&[1, 2, 3], T::Int16Array).is_err());
    assert!(list(&[0xFF, 0xFF, 0xFF, 0xFF, 1], T::BooleanArray).is_err());
}

#[test]
fn tables_become_columns() {
    let row = |n: u32, text: &str| Row {
        elements: vec![
            DataSetValue { value: Some(Cell::Int(n)) },
            DataSetValue { value: Some(Cell::String(text.to_owned())) },
        ],
    };
    let table = DataSet {
        num_of_columns: Some(2),
        columns: vec!["n".to_owned(), "名".to_owned()],
        types: vec![1, 12],
        rows: vec![row(0xFF, "a"), row(2, "b")],
    };
    let read: Vec<_> =
        columns(&table).into_iter().map(|(n, v)| (n, v.unwrap().to_json())).collect();
    assert_eq!(read, [("n".to_owned(), json!([-1, 2])), ("名".to_owned(), json!(["a", "b"]))]);
    let ragged = DataSet { rows: vec![Row { elements: Vec::new() }], ..table };
    assert!(columns(&ragged).iter().all(|(_, value)| value.is_err()));
}

#[test]
fn what_does_not_fit_is_not_written() {
    assert!(encode(&Value::I64(128), T::Int8, false).is_err());
    assert_eq!(encode(&Value::I64(-1), T::Int8, false), Ok(MetricValue::Int(u32::MAX)));
    assert!(encode(&Value::F64(1.5), T::UInt16, false).is_err());
    assert!(encode(&Value::F64(1e300), T::Float, false).is_err());
    assert!(encode(&Value::Text("x".into()), T::Double, false).is_err());
    assert!(encode(&Value::F64(1.0), T::Template, false).is_err());
    assert_eq!(encode(&Value::U64(u64::MAX), T::UInt64, false), Ok(MetricValue::Long(u64::MAX)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), word in any::<u64>()) {
        for (_, data_type) in TYPES {
            let _ = decode(&MetricValue::Bytes(bytes.clone()), data_type);
            let _ = decode(&MetricValue::Long(word), data_type);
            let _ = decode(&MetricValue::Int(word as u32), data_type);
        }
    }

    #[test]
    fn written_numbers_come_back(number in any::<i64>()) {
        for data_type in [T::Int8, T::Int16, T::Int32, T::Int64, T::UInt8, T::UInt32, T::UInt64, T::DateTime] {
            if let Ok(encoded) = encode(&Value::I64(number), data_type, false) {
                let back = decode(&encoded, data_type).unwrap();
                prop_assert_eq!(back.to_json(), Value::I64(number).to_json());
            }
        }
    }
}
