use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    #[serde(default)]
    points: Vec<Point>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Point {
    x: u8,
}

fn pointer(text: &str) -> (u16, String) {
    let failure = parse::<Thing>(text.as_bytes()).unwrap_err();
    let field = failure.problem.errors.first().map(|error| error.field.clone());
    assert!(!failure.problem.detail.contains('`'), "{}", failure.problem.detail);
    (failure.problem.status, field.unwrap_or_default())
}

#[test]
fn errors_point_at_the_field() {
    let cases = [
        (r#"{"name":1}"#, (422, "/name")),
        (r#"{}"#, (422, "/name")),
        (r#"{"name":"a","points":[{"x":1},{"x":300}]}"#, (422, "/points/1/x")),
        (r#"{"name":"a","points":[{"y":1}]}"#, (422, "/points/0/y")),
        (r#"{"name":"a","colour":1}"#, (422, "/colour")),
        (r#"{"name":"a","a/b~c":1}"#, (422, "/a~1b~0c")),
        (r#"{"name":"a""#, (400, "")),
        (r#"{"name":"a"} x"#, (400, "")),
        ("", (400, "")),
    ];
    for (text, (status, field)) in cases {
        assert_eq!(pointer(text), (status, field.to_owned()), "{text}");
    }
}

#[test]
fn deep_json_is_refused() {
    let text = "[".repeat(100_000);
    assert_eq!(parse::<Json>(text.as_bytes()).unwrap_err().problem.status, 400);
}

#[test]
fn patches_change_clear_and_keep() {
    let now = Thing { name: "a".into(), points: vec![Point { x: 1 }], note: Some("n".into()) };
    let patched = Patch(json!({"name": "b", "note": null})).apply(&now).unwrap();
    assert_eq!(patched, Thing { name: "b".into(), points: vec![Point { x: 1 }], note: None });
    let wrong = Patch(json!({"name": null})).apply(&now).unwrap_err();
    assert_eq!(wrong.problem.errors[0].field, "/name");
}

/// The examples of RFC 7396, appendix A.
#[test]
fn merging_follows_the_standard() {
    let cases = [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
        (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
    ];
    for (mut target, patch, want) in cases {
        merge(&mut target, patch);
        assert_eq!(target, want);
    }
}
