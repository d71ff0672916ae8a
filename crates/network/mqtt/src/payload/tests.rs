use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_nanos(1_790_000_000_000_000_000);

fn address(json: Json) -> PointAddress {
    PointAddress::parse(&json, "", &mut Vec::new()).unwrap()
}

fn decode(json: Json, payload: &str, data_type: DataType) -> Result<Option<Decoded>, PayloadError> {
    Payload::new(payload.as_bytes(), NOW).decode(&address(json), data_type)
}

fn value(json: Json, payload: &str, data_type: DataType) -> Value {
    decode(json, payload, data_type).unwrap().unwrap().value
}

#[test]
fn values_of_json_stay_what_they_are() {
    let at = |path| json!({"topic": "t", "path": path});
    let message = r#"{"a":{"b":[1,2.5,-3]},"s":"21.5","on":true,"big":18446744073709551615,"温":"OFF","x/y":7}"#;
    assert_eq!(value(at("/a/b/0"), message, DataType::F64), Value::I64(1));
    assert_eq!(value(at("/a/b/1"), message, DataType::F64), Value::F64(2.5));
    assert_eq!(value(at("/s"), message, DataType::F64), Value::F64(21.5));
    assert_eq!(value(at("/s"), message, DataType::Text), Value::Text("21.5".into()));
    assert_eq!(value(at("/on"), message, DataType::Bool), Value::Bool(true));
    assert_eq!(value(at("/温"), message, DataType::Bool), Value::Bool(false));
    assert_eq!(value(at("/big"), message, DataType::U64), Value::U64(u64::MAX));
    assert_eq!(value(at("/x~1y"), message, DataType::I64), Value::I64(7));
    assert_eq!(value(at("/a/b"), message, DataType::Array).to_json(), json!([1, 2.5, -3]));
    assert_eq!(value(at("/a"), message, DataType::Text), Value::Text(r#"{"b":[1,2.5,-3]}"#.into()));
    assert_eq!(value(json!({"topic": "t", "path": "$"}), "4", DataType::I64), Value::I64(4));
}

#[test]
fn what_does_not_fit_is_named_with_what_came() {
    let at = |path| json!({"topic": "t", "path": path});
    let cause = |json, payload, data_type| decode(json, payload, data_type).unwrap_err();
    let missing = cause(at("/b"), r#"{"a":1}"#, DataType::F64);
    assert_eq!(missing.quality, Quality::ADDRESS_UNKNOWN);
    assert!(missing.cause.contains("/b") && missing.cause.contains(r#"{"a":1}"#), "{missing:?}");
    assert!(cause(at("/a"), r#"{"a":"warm"}"#, DataType::F64).cause.contains("warm"));
    assert!(cause(at("/a"), "\u{1}not json", DataType::F64).cause.contains("\\u{1}not json"));
    assert_eq!(cause(at("/a"), r#"{"a":null}"#, DataType::F64).quality, Quality::BAD);
    assert!(
        cause(json!({"topic": "t", "format": "text"}), "abc", DataType::I64).cause.contains("abc")
    );
    assert!(cause(json!({"topic": "t"}), "", DataType::I64).cause.contains("nothing"));
    let long = "x".repeat(100_000);
    assert!(cause(json!({"topic": "t"}), &long, DataType::I64).cause.len() < 300);
    let deep = "[".repeat(100_000);
    assert!(decode(json!({"topic": "t"}), &deep, DataType::Array).is_err());
    let partial = json!({"topic": "t", "path": "/b", "partial": true});
    assert_eq!(decode(partial, r#"{"a":1}"#, DataType::F64), Ok(None));
}

#[test]
fn times_come_from_the_message() {
    let at = |format: &str, ts: &str| {
        let json = json!({"topic": "t", "path": "/v", "time": "/ts", "time_format": format});
        decode(json, &format!(r#"{{"v":1,"ts":{ts}}}"#), DataType::F64).map(|d| d.unwrap().time)
    };
    let expected = Timestamp::from_nanos(1_700_000_000_123_000_000);
    assert_eq!(at("ms", "1700000000123"), Ok(expected));
    assert_eq!(at("s", "1700000000.123"), Ok(expected));
    assert_eq!(at("us", "1700000000123000"), Ok(expected));
    assert_eq!(at("ns", "\"1700000000123000000\""), Ok(expected));
    assert_eq!(at("rfc3339", "\"2023-11-14T22:13:20.123Z\""), Ok(expected));
    assert_eq!(at("ms", "null"), Ok(NOW));
    assert!(at("ms", "\"soon\"").is_err());
    assert!(at("rfc3339", "1700000000").is_err());
    assert!(at("s", "1e300").is_err());
    // An hour ahead: the clock there is wrong.
    assert_eq!(at("ms", "1790003600000"), Ok(NOW));
}

#[test]
fn qualities_come_from_the_message() {
    let at = |codes: &str, q: &str| {
        let json = json!({"topic": "t", "path": "/v", "quality": "/q", "quality_codes": codes});
        decode(json, &format!(r#"{{"v":1,"q":{q}}}"#), DataType::F64).map(|d| d.unwrap().quality)
    };
    assert_eq!(at("opcua", "\"Good\""), Ok(Quality::GOOD));
    assert_eq!(at("opcua", "2150891520"), Ok(Quality::from_code(2_150_891_520)));
    assert_eq!(at("opcua", "false"), Ok(Quality::BAD));
    assert_eq!(at("opcda", "192"), Ok(Quality::GOOD));
    assert_eq!(at("opcda", "64"), Ok(Quality::UNCERTAIN));
    assert_eq!(at("opcda", "0"), Ok(Quality::BAD));
    assert!(at("opcua", "[]").is_err());
}

#[test]
fn raw_values_stand_at_an_offset() {
    let at = |raw_type: &str, order: &str, offset: u8| json!({"topic": "t", "format": "raw", "type": raw_type, "byte_order": order, "offset": offset});
    let bytes = [0xFF, 0xFE, 0x41, 0xC8, 0x00, 0x00];
    let value = |json| {
        Payload::new(&bytes, NOW).decode(&address(json), DataType::F64).map(|d| d.unwrap().value)
    };
    assert_eq!(value(at("i16", "big", 0)), Ok(Value::I64(-2)));
    assert_eq!(value(at("u16", "little", 0)), Ok(Value::U64(0xFEFF)));
    assert_eq!(value(at("f32", "big", 2)), Ok(Value::F64(25.0)));
    assert_eq!(value(at("i8", "big", 0)), Ok(Value::I64(-1)));
    assert!(value(at("f64", "big", 0)).is_err());
}

#[test]
fn writes_are_rendered() {
    let v = Value::F64(2.5);
    assert_eq!(
        render(r#"{"v":{value},"t":{time_ms},"x":{}}"#, &v, NOW),
        r#"{"v":2.5,"t":1790000000000,"x":{}}"#
    );
    let text = Value::Text("开 \"x\"".into());
    assert_eq!(render("{text}|{value}|{", &text, NOW), "开 \"x\"|\"开 \\\"x\\\"\"|{");
    let nested = address(json!({"topic": "t", "path": "/a/b~1c"}));
    assert_eq!(encode(&nested, None, &v, NOW), Ok(Bytes::from(r#"{"a":{"b/c":2.5}}"#)));
    let raw = address(json!({"topic": "t", "format": "raw", "type": "i16"}));
    assert_eq!(encode(&raw, None, &Value::I64(-2), NOW), Ok(Bytes::from_static(&[0xFF, 0xFE])));
    assert!(encode(&raw, None, &Value::I64(40_000), NOW).is_err());
    let big = Value::U64(u64::MAX);
    assert_eq!(render("{value}", &big, NOW), u64::MAX.to_string());
}

fn raw_type() -> impl Strategy<Value = (&'static str, &'static str)> {
    let names = ["bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"];
    (prop::sample::select(names.to_vec()), prop::sample::select(vec!["big", "little"]))
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), format in 0..3, (raw_type, order) in raw_type(), offset in 0..20) {
        let json = match format {
            0 => json!({"topic": "t", "path": "/a", "time": "/a", "quality": "/a"}),
            1 => json!({"topic": "t", "format": "text"}),
            _ => json!({"topic": "t", "format": "raw", "type": raw_type, "byte_order": order, "offset": offset}),
        };
        for data_type in [DataType::F64, DataType::Bool, DataType::Text, DataType::Array, DataType::U64] {
            let _ = Payload::new(&bytes, NOW).decode(&address(json.clone()), data_type);
        }
        let _ = excerpt(&bytes);
    }

    #[test]
    fn no_json_panics(json in "[\\[\\]{}\":,0-9a-e.+\\-]{0,60}", ts in any::<f64>()) {
        let at = json!({"topic": "t", "path": "$", "time": "$", "time_format": "s", "quality": "$"});
        let _ = decode(at.clone(), &json, DataType::F64);
        let _ = decode(at, &ts.to_string(), DataType::F64);
    }

    #[test]
    fn raw_values_come_back((raw_type, order) in raw_type(), bits in any::<u64>()) {
        let json = json!({"topic": "t", "format": "raw", "type": raw_type, "byte_order": order});
        let address = address(json);
        let bytes = bits.to_le_bytes();
        let decoded = Payload::new(&bytes, NOW).decode(&address, DataType::F64).unwrap().unwrap().value;
        if decoded.as_f64().is_some_and(f64::is_nan) {
            return Ok(());
        }
        let encoded = encode(&address, None, &decoded, NOW).unwrap();
        let again = Payload::new(&encoded, NOW).decode(&address, DataType::F64).unwrap().unwrap().value;
        prop_assert_eq!(again, decoded);
    }

    #[test]
    fn any_template_is_rendered(template in ".{0,60}", text in ".{0,20}") {
        let rendered = render(&template, &Value::Text(text.as_str().into()), NOW);
        if !template.contains('{') {
            prop_assert_eq!(rendered, template);
        }
    }
}
