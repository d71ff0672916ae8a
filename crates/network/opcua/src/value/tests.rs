use opcua::types::{
    Array, BinaryDecodable, ByteString, ContextOwned, DecodingOptions, Guid, LocalizedText,
    NamespaceMap, NodeId, QualifiedName, UAString, VariantScalarTypeId,
};
use proptest::prelude::*;

use super::*;

const PLAIN: Want<'static> =
    Want { data_type: DataType::F64, is_enumeration: false, index: None, field: &[] };
const TEXT: Want<'static> = Want { data_type: DataType::Text, ..PLAIN };

fn value(variant: impl Into<Variant>, want: Want<'_>) -> Value {
    to_value(&variant.into(), want, None).unwrap()
}

fn cause(variant: impl Into<Variant>, want: Want<'_>) -> String {
    to_value(&variant.into(), want, None).unwrap_err().cause
}

fn array(values: Vec<i32>) -> Variant {
    let values: Vec<Variant> = values.into_iter().map(Variant::Int32).collect();
    Variant::Array(Box::new(Array::new(VariantScalarTypeId::Int32, values).unwrap()))
}

#[test]
fn every_scalar_type_keeps_what_it_is() {
    assert_eq!(value(true, PLAIN), Value::Bool(true));
    assert_eq!(value(-128_i8, PLAIN), Value::I64(-128));
    assert_eq!(value(255_u8, PLAIN), Value::U64(255));
    assert_eq!(value(i16::MIN, PLAIN), Value::I64(-32768));
    assert_eq!(value(u16::MAX, PLAIN), Value::U64(65535));
    assert_eq!(value(i32::MIN, PLAIN), Value::I64(-2147483648));
    assert_eq!(value(u32::MAX, PLAIN), Value::U64(4294967295));
    assert_eq!(value(i64::MIN, PLAIN), Value::I64(i64::MIN));
    assert_eq!(value(u64::MAX, PLAIN), Value::U64(u64::MAX));
    assert_eq!(value(1.5_f32, PLAIN), Value::F64(1.5));
    assert_eq!(value(f64::NAN, PLAIN), Value::F64(f64::NAN));
    assert_eq!(value("温度\u{1}\u{1F600}", TEXT), Value::text("温度\u{1}\u{1F600}").unwrap());
    assert_eq!(value(UAString::null(), TEXT), Value::text("").unwrap());
    assert_eq!(value(ByteString::from(vec![0, 255]), TEXT), Value::text("AP8=").unwrap());
    assert_eq!(value(LocalizedText::new("de", "Kühler"), TEXT), Value::text("Kühler").unwrap());
    assert_eq!(value(QualifiedName::new(2, "x"), TEXT), Value::text("2:x").unwrap());
    assert_eq!(value(NodeId::new(2, "x"), TEXT), Value::text("ns=2;s=x").unwrap());
    assert_eq!(value(StatusCode::BadTimeout, PLAIN), Value::U64(0x800A_0000));
    let Value::Text(told) = value(StatusCode::BadTimeout, TEXT) else { panic!("a text") };
    assert!(told.starts_with("BadTimeout"));
    let guid: Guid = "09087e75-8e5e-499b-954f-f2a9603db28a".parse().unwrap();
    assert_eq!(value(guid, TEXT), Value::text("09087e75-8e5e-499b-954f-f2a9603db28a").unwrap());
    let states = Want { is_enumeration: true, ..PLAIN };
    assert_eq!(value(3_i32, states), Value::Enumeration(3));
    assert_eq!(value(3_u32, states), Value::Enumeration(3));
}

#[test]
fn times_are_texts_or_nanoseconds() {
    let time = DateTime::from(116_444_736_000_000_000 + 17_000_000_001);
    assert_eq!(value(time, TEXT), Value::text("1970-01-01T00:28:20.0000001Z").unwrap());
    assert_eq!(value(time, PLAIN), Value::I64(1_700_000_000_100));
    assert!(cause(DateTime::endtimes(), PLAIN).contains("1677"));
    assert!(matches!(value(DateTime::endtimes(), TEXT), Value::Text(_)));
}

#[test]
fn arrays_elements_and_limits() {
    let numbers = Value::array(vec![Value::I64(1), Value::I64(2)]).unwrap();
    let as_array = Want { data_type: DataType::Array, ..PLAIN };
    assert_eq!(value(array(vec![1, 2]), as_array), numbers);
    assert_eq!(value(array(vec![1, 2]), TEXT), Value::text("[1,2]").unwrap());
    let (third, middle) = (Index::parse("2").unwrap(), Index::parse("1:2").unwrap());
    let element = Want { index: Some(&third), ..PLAIN };
    assert_eq!(value(array(vec![7]), element), Value::I64(7));
    assert_eq!(
        value(array(vec![7, 8, 9]), element),
        Value::I64(9),
        "a server that ignores the index"
    );
    assert!(cause(array(vec![]), element).contains("no such element"));
    assert!(cause(array(vec![7, 8]), element).contains("no such element"));
    let range = Want { index: Some(&middle), ..as_array };
    let expected = Value::array(vec![Value::I64(2), Value::I64(3)]).unwrap();
    assert_eq!(value(array(vec![1, 2, 3, 4]), range), expected);
    assert_eq!(value(array(vec![2, 3]), range), expected);
    assert!(cause(array(vec![0; ARRAY_LENGTH_MAX + 1]), as_array).contains("index range"));
    assert!(cause("x".repeat(TEXT_BYTES_MAX + 1), TEXT).contains("65537 bytes"));
    assert_eq!(to_value(&Variant::Empty, PLAIN, None).unwrap_err().quality, Quality::WAITING);
    let fields = ["a".to_owned()];
    let of_field = Want { field: &fields, ..PLAIN };
    assert!(cause(5_i32, of_field).contains("no structure"));
    let index = ["1".to_owned()];
    assert_eq!(value(array(vec![5, 6]), Want { field: &index, ..PLAIN }), Value::I64(6));
}

proptest! {
    #[test]
    fn any_bytes_that_decode_become_a_value_or_a_cause(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let context = ContextOwned::new_default(NamespaceMap::new(), DecodingOptions::default());
        if let Ok(variant) = Variant::decode(&mut std::io::Cursor::new(bytes), &context.context()) {
            let index = Index::parse("1,0").unwrap();
            for want in [PLAIN, TEXT, Want { index: Some(&index), is_enumeration: true, ..PLAIN }] {
                let _ = to_value(&variant, want, None);
            }
            let fields = ["a".to_owned(), "0".to_owned()];
            let _ = to_value(&variant, Want { field: &fields, ..PLAIN }, None);
        }
    }
}
