use serde_json::json;

use super::*;

fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
    let mut errors = Vec::new();
    PointAddress::parse(&json, "/points/0/address", &mut Patterns::new(), &mut errors).ok_or_else(
        || errors.into_iter().map(|e| e.field.replace("/points/0/address", "")).collect(),
    )
}

#[test]
fn reads_every_format() {
    let format = |json| parse(json).map(|a| a.format);
    assert_eq!(format(json!({})), Ok(Format::Text));
    let separator = ",".to_owned();
    let third = Format::Field { number: 3, separator };
    assert_eq!(format(json!({"format": "fields", "field": 3})), Ok(third.clone()));
    assert_eq!(format(json!({"format": "fields", "field": "3"})), Ok(third));
    let named = json!({"format": "fields", "field": "kg", "separator": "\\t"});
    let expected = Format::NamedField { name: "kg".to_owned(), separator: "\t".to_owned() };
    assert_eq!(format(named), Ok(expected));
    let path = |path: &str| Format::Json { path: path.to_owned() };
    assert_eq!(format(json!({"format": "json", "path": "/a/0"})), Ok(path("/a/0")));
    assert_eq!(format(json!({"format": "json"})), Ok(path("")));
    let command = Format::Command { template: "BEEP {}".to_owned() };
    assert_eq!(format(json!({"format": "command", "command": "BEEP {}"})), Ok(command));
    let source = parse(json!({"source": "::ffff:10.0.0.7"})).unwrap().source;
    assert_eq!(source, Some("10.0.0.7".parse().unwrap()));
    assert!(parse(json!({"prefix": " ", "pattern": "^(\\d+)kg$"})).is_ok());
}

#[test]
fn names_what_is_wrong() {
    let wrong = |json: Json, fields: &[&str]| {
        assert_eq!(
            parse(json.clone()).err(),
            Some(fields.iter().map(|f| (*f).to_owned()).collect()),
            "{json}"
        );
    };
    wrong(json!({"format": "xml"}), &["/format"]);
    wrong(json!({"format": "fields"}), &["/field"]);
    wrong(json!({"format": "fields", "field": 0}), &["/field"]);
    wrong(json!({"format": "fields", "field": {}}), &["/field"]);
    wrong(json!({"format": "fields", "field": 1, "separator": "\\q"}), &["/separator"]);
    wrong(json!({"format": "fields", "field": 1, "separator": ""}), &["/separator"]);
    wrong(json!({"format": "json", "path": "a"}), &["/path"]);
    wrong(json!({"format": "json", "path": 1}), &["/path"]);
    wrong(json!({"path": "/a"}), &["/path"]);
    wrong(json!({"field": 1}), &["/field"]);
    wrong(json!({"pattern": "("}), &["/pattern"]);
    wrong(json!({"pattern": "((a{1,300}){1,300}){1,300}"}), &["/pattern"]);
    wrong(json!({"pattern": "x".repeat(513)}), &["/pattern"]);
    wrong(json!({"source": "scanner-1"}), &["/source"]);
    wrong(json!({"format": "command", "prefix": "x"}), &["/prefix"]);
    wrong(json!({"formats": "text"}), &["/formats"]);
    wrong(json!("text"), &[""]);
}

#[test]
fn equal_patterns_share_their_memory() {
    let mut patterns = Patterns::new();
    let mut errors = Vec::new();
    for _ in 0..100 {
        PointAddress::parse(&json!({"pattern": "^A"}), "", &mut patterns, &mut errors).unwrap();
    }
    assert_eq!(patterns.len(), 1);
}
