use serde_json::json;

use super::*;

fn scalar(value: Value, id: VariantScalarTypeId) -> Result<Variant, String> {
    to_variant(&value, Kind::Scalar(id), &Namespaces::default())
}

#[test]
fn writes_the_nodes_own_type_or_says_why_not() {
    use VariantScalarTypeId as Id;
    assert_eq!(scalar(Value::F64(2.6), Id::Int16), Ok(Variant::Int16(3)));
    assert_eq!(scalar(Value::U64(255), Id::Byte), Ok(Variant::Byte(255)));
    assert!(scalar(Value::U64(256), Id::Byte).unwrap_err().contains("does not fit"));
    assert!(scalar(Value::I64(-1), Id::UInt64).is_err());
    assert_eq!(scalar(Value::U64(u64::MAX), Id::UInt64), Ok(Variant::UInt64(u64::MAX)));
    assert_eq!(scalar(Value::I64(1), Id::Boolean), Ok(Variant::Boolean(true)));
    assert!(scalar(Value::I64(2), Id::Boolean).is_err());
    assert!(scalar(Value::F64(1e300), Id::Float).unwrap_err().contains("Float"));
    assert!(scalar(Value::F64(f64::NAN), Id::Int64).is_err());
    assert_eq!(
        scalar(Value::text("AP8=").unwrap(), Id::ByteString),
        Ok(ByteString::from(vec![0, 255]).into())
    );
    assert!(scalar(Value::text("*").unwrap(), Id::ByteString).is_err());
    assert_eq!(
        scalar(Value::text("3:x").unwrap(), Id::QualifiedName),
        Ok(QualifiedName::new(3, "x").into())
    );
    assert!(scalar(Value::text("x").unwrap(), Id::Int32).is_err());
    assert!(to_variant(&Value::I64(1), Kind::Structure, &Namespaces::default()).is_err());
    let any = to_variant(&Value::I64(1), Kind::Any, &Namespaces::default());
    assert_eq!(any, Ok(Variant::Int64(1)));
    let states = to_variant(&Value::Enumeration(4), Kind::Enumeration, &Namespaces::default());
    assert_eq!(states, Ok(Variant::Int32(4)));
}

#[test]
fn times_go_both_ways() {
    let text = "2026-11-26T08:00:00.1234567Z";
    let written = scalar(Value::text(text).unwrap(), VariantScalarTypeId::DateTime).unwrap();
    assert_eq!(crate::value::to_json(&written, None, 0), json!(text));
    let _ = (date_time(Timestamp::MIN), date_time(Timestamp::MAX));
}

#[test]
fn arguments_come_from_json() {
    let convert = |json: Json, id| json_to_variant(&json, Kind::Scalar(id), &Namespaces::default());
    assert_eq!(convert(json!(5), VariantScalarTypeId::Double), Ok(Variant::Double(5.0)));
    assert_eq!(
        convert(json!("9223372036854775807"), VariantScalarTypeId::Int64),
        Ok(Variant::Int64(i64::MAX))
    );
    assert!(convert(json!("x"), VariantScalarTypeId::Int64).is_err());
    let Ok(Variant::Array(array)) = convert(json!([1, 2]), VariantScalarTypeId::UInt16) else {
        panic!("an array")
    };
    assert_eq!(array.values, [Variant::UInt16(1), Variant::UInt16(2)]);
    let any = json_to_variant(&json!(2.5), Kind::Any, &Namespaces::default());
    assert_eq!(any, Ok(Variant::Double(2.5)));
}
