use serde_json::json;

use super::*;

fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
    let mut errors = Vec::new();
    PointAddress::parse(&json, "/points/0/address", &mut errors)
        .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
}

#[test]
fn objects_and_texts_say_the_same() {
    for (object, text) in [
        (json!({"area": "db", "db": 1, "byte": 10, "bit": 3}), "DB1.DBX10.3"),
        (json!({"area": "db", "db": 1, "byte": 10, "type": "real"}), "DB1.DBD10:REAL"),
        (json!({"area": "merker", "byte": 65535}), "MB65535"),
        (
            json!({"area": "db", "db": 9, "byte": 0, "type": "string", "length": 20}),
            "DB9,STRING0.20",
        ),
        (json!({"area": "timer", "number": 5}), "T5"),
        (json!({"area": "counter", "number": 5, "type": "word"}), "C5:WORD"),
    ] {
        assert_eq!(parse(object.clone()), parse(json!({"address": text})), "{object}");
        assert!(parse(object).is_ok(), "{text}");
    }
    let beside = parse(json!({"address": "DB1.DBD10", "type": "real"}));
    assert_eq!(beside, parse(json!({"address": "DB1,REAL10"})));
    let beside = parse(json!({"address": "DB1.DBB10", "type": "string", "length": 7}));
    assert_eq!(beside, parse(json!({"address": "DB1,STRING10.7"})));
}

#[test]
fn names_what_is_wrong() {
    let wrong = |json: Json, fields: &[&str]| {
        let fields: Vec<_> = fields.iter().map(|f| format!("/points/0/address{f}")).collect();
        assert_eq!(parse(json.clone()), Err(fields), "{json}");
    };
    wrong(json!({}), &["/area"]);
    wrong(json!({"area": "db", "byte": 1}), &["/db"]);
    wrong(json!({"area": "db", "db": 1}), &["/byte"]);
    wrong(json!({"area": "merker", "db": 1, "byte": 1}), &["/db"]);
    wrong(json!({"area": "timer", "byte": 1}), &["/number", "/byte"]);
    wrong(json!({"area": "merker", "byte": 1, "number": 1}), &["/number"]);
    wrong(json!({"area": "merker", "byte": 1, "type": "bool"}), &["/bit"]);
    wrong(json!({"area": "merker", "byte": 1, "type": "int", "bit": 1}), &["/bit"]);
    wrong(json!({"area": "merker", "byte": 65533, "type": "real"}), &["/byte"]);
    wrong(json!({"area": "merker", "byte": 1, "type": "real", "length": 2}), &["/length"]);
    wrong(json!({"area": "merker", "byte": 1, "type": "string", "length": 255}), &["/length"]);
    wrong(json!({"area": "merker", "byte": 1, "type": "string", "length": 0}), &["/length"]);
    wrong(json!({"area": "timer", "number": 1, "type": "real"}), &["/type"]);
    wrong(json!({"area": "merker", "byte": 1, "bits": 1}), &["/bits"]);
    wrong(json!({"address": "M10.3", "byte": 1}), &["/byte"]);
    wrong(json!({"address": "M10"}), &["/address"]);
    wrong(json!({"address": 5}), &["/address"]);
    wrong(json!("M10.3"), &[""]);
}
