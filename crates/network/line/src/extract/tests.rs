use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::address::Patterns;

fn address(json: Json) -> PointAddress {
    let mut errors = Vec::new();
    PointAddress::parse(&json, "", &mut Patterns::new(), &mut errors)
        .unwrap_or_else(|| panic!("{errors:?}"))
}

const SCANNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[track_caller]
fn check(json: Json, data_type: DataType, text: &str, expected: Option<Json>) {
    let found = extract(&Line::new(text, SCANNER), &address(json.clone()), data_type);
    let found = found.map(|value| value.unwrap_or_else(|e| panic!("{json}: {e}")).to_json());
    assert_eq!(found, expected, "{json} of {text:?}");
}

#[test]
fn texts() {
    let text = DataType::Text;
    check(json!({}), text, "]C101\u{1d}A ", Some(json!("]C101\u{1d}A ")));
    check(json!({"prefix": "ID:"}), text, "ID:温度 7", Some(json!("温度 7")));
    check(json!({"prefix": "ID:"}), text, "XX:7", None);
    check(json!({"pattern": "^(\\d{4})-"}), text, "1234-56", Some(json!("1234")));
    check(json!({"pattern": "[A-Z]+"}), text, "12ABC34", Some(json!("ABC")));
    check(json!({"pattern": "^x"}), text, "12ABC34", None);
    check(
        json!({"prefix": "W", "pattern": "([-+.0-9]+) *kg"}),
        DataType::F64,
        "W +0012.50 kg",
        Some(json!(12.5)),
    );
    check(json!({"source": "127.0.0.1"}), text, "a", Some(json!("a")));
    check(json!({"source": "10.0.0.1"}), text, "a", None);
    check(json!({"format": "command"}), text, "a", None);
}

#[test]
fn fields_and_json() {
    let third = json!({"format": "fields", "field": 3, "separator": ";"});
    check(third.clone(), DataType::I64, "a;b; 007 ;d", Some(json!(7)));
    check(third, DataType::I64, "a;b", None);
    let named = |name: &str| json!({"format": "fields", "field": name, "separator": ";"});
    check(named("kg"), DataType::F64, "id=7; kg = 12.5", Some(json!(12.5)));
    check(named("kg"), DataType::F64, "kgs=7;KG=1", None);
    check(named("ok"), DataType::Bool, "id:7;ok:ON", Some(json!(true)));
    let at = |path: &str| json!({"format": "json", "path": path});
    let line = r#"{"tag": {"id": "E200", "n": 18446744073709551615, "x": 1e3}, "ok": false, "list": [1, "2"]}"#;
    check(at("/tag/id"), DataType::Text, line, Some(json!("E200")));
    check(at("/tag/n"), DataType::U64, line, Some(json!("18446744073709551615")));
    check(at("/tag/x"), DataType::F64, line, Some(json!(1000.0)));
    check(at("/ok"), DataType::Bool, line, Some(json!(false)));
    check(at("/list/1"), DataType::I64, line, Some(json!(2)));
    check(at("/list"), DataType::Text, line, Some(json!("[1,\"2\"]")));
    check(at("/none"), DataType::Text, line, None);
    check(at("/tag/id"), DataType::Text, "not JSON", None);
    check(
        json!({"format": "json", "path": "/a", "prefix": "D:"}),
        DataType::I64,
        "D:{\"a\": 1}",
        Some(json!(1)),
    );
}

#[test]
fn what_is_no_value_says_so() {
    let told = |json: Json, data_type, text: &str| {
        extract(&Line::new(text, SCANNER), &address(json), data_type).unwrap().unwrap_err()
    };
    assert_eq!(told(json!({}), DataType::I64, "AB\u{1}C"), "\"AB\u{FFFD}C\" is not of type i64");
    for text in ["nan", "inf", "-inf", "1,5", "0x10", "", "1e999", "infinity"] {
        assert!(told(json!({}), DataType::F64, text).ends_with("is not of type f64"), "{text}");
    }
    assert!(told(json!({}), DataType::Bool, "maybe").contains("type bool"));
    assert!(told(json!({"format": "json"}), DataType::I64, "[1]").contains("type i64"));
    assert!(told(json!({}), DataType::I64, &"x".repeat(100)).contains('…'));
    let long = "x".repeat(weir_model::TEXT_BYTES_MAX + 1);
    assert!(told(json!({}), DataType::Text, &long).contains("at most 65536 bytes"));
}

proptest! {
    #[test]
    fn no_line_panics(text in ".{0,80}", json in "[\\[{\"a:0-9,}\\]]{0,40}", number in 1..5_usize) {
        for address in [
            address(json!({"prefix": "a", "pattern": "(a+)|b"})),
            address(json!({"format": "fields", "field": number})),
            address(json!({"format": "fields", "field": "a", "separator": ":"})),
            address(json!({"format": "json", "path": "/a/0"})),
        ] {
            for data_type in [DataType::Text, DataType::F64, DataType::I64, DataType::Bool, DataType::Enumeration] {
                for text in [&text, &json] {
                    if let Some(Ok(Value::F64(x))) = extract(&Line::new(text, SCANNER), &address, data_type) {
                        prop_assert!(x.is_finite());
                    }
                }
            }
        }
    }

    /// Deep nesting ends as an error, not as the end of the stack.
    #[test]
    fn deep_json_is_refused(depth in 200..20_000_usize) {
        let text = "[".repeat(depth);
        let found = extract(&Line::new(&text, SCANNER), &address(json!({"format": "json"})), DataType::Text);
        prop_assert!(found.is_none());
    }
}
