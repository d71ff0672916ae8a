use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
    let mut errors = Vec::new();
    PointAddress::parse(&json, "/points/0/address", &mut errors)
        .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
}

#[test]
fn fills_in_what_is_usual() {
    let address = parse(json!({"topic": "温度/1"})).unwrap();
    assert_eq!((address.format, address.write), (Format::Json(String::new()), None));
    let address = parse(json!({"topic": "t", "path": "$"})).unwrap();
    assert_eq!(address.format, Format::Json(String::new()));
    let address = parse(
        json!({"topic": "t", "format": "raw", "type": "i16", "byte_order": "little", "offset": 3}),
    );
    let format = Format::Raw { raw_type: RawType::Signed(2), little: true, offset: 3 };
    assert_eq!(address.unwrap().format, format);
    let address =
        parse(json!({"topic": "t", "time": "/ts", "time_format": "ms", "quality": "/q"})).unwrap();
    assert_eq!(address.time, Some(("/ts".to_owned(), TimeFormat::Since1970(1_000_000))));
    let address =
        parse(json!({"topic": "t", "write_topic": "t/set", "write_template": "{\"v\":{value}}"}));
    assert_eq!(address.unwrap().write.unwrap().topic, "t/set");
}

#[test]
fn names_what_is_wrong() {
    let cases = [
        (json!({}), "/topic"),
        (json!({"topic": "a/+"}), "/topic"),
        (json!({"topic": "a\u{0}"}), "/topic"),
        (json!({"topic": "a\u{1b}"}), "/topic"),
        (json!({"topic": "x".repeat(65_536)}), "/topic"),
        (json!({"topic": 1}), "/topic"),
        (json!({"topic": "t", "path": "a.b"}), "/path"),
        (json!({"topic": "t", "path": "/a~2"}), "/path"),
        (json!({"topic": "t", "format": "text", "path": "/a"}), "/path"),
        (json!({"topic": "t", "format": "xml"}), "/format"),
        (json!({"topic": "t", "type": "u8"}), "/type"),
        (json!({"topic": "t", "format": "raw", "type": "u24"}), "/type"),
        (json!({"topic": "t", "format": "raw", "time": "/t"}), "/time"),
        (json!({"topic": "t", "time": "/t", "time_format": "min"}), "/time_format"),
        (json!({"topic": "t", "write_template": "{value}"}), "/write_template"),
        (json!({"topic": "t", "write_topic": "w", "write_template": "on"}), "/write_template"),
        (json!({"topic": "t", "write_topic": "#"}), "/write_topic"),
        (json!({"topic": "t", "format": "raw", "offset": 1, "write_topic": "w"}), "/write_topic"),
        (json!({"topic": "t", "qos": 1}), "/qos"),
        (json!("t"), ""),
    ];
    for (json, field) in cases {
        let errors = parse(json.clone()).unwrap_err();
        assert!(errors.contains(&format!("/points/0/address{field}")), "{json:.60}: {errors:?}");
    }
    let whole = parse(json!({"topic": "x".repeat(65_535), "path": "/a~1b/温度"}));
    assert!(whole.is_ok());
}

proptest! {
    #[test]
    fn any_texts_are_judged(topic in ".{0,40}", path in ".{0,40}", template in ".{0,40}") {
        let _ = parse(json!({"topic": topic, "path": path, "time": path, "write_topic": topic, "write_template": template}));
    }
}
