//! The rules that a linkset in JSON must keep, written down from RFC 9264 (section 4.2) and from the
//! linkset schema of GS1 (`gs1-linkset-schema.json`), apart from the code that writes linksets.

use serde_json::Value;

/// Fails the test where a rule is broken.
pub(super) fn check(document: &Value) {
    let members: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(members, ["linkset"]);
    for context in document["linkset"].as_array().unwrap() {
        let context = context.as_object().unwrap();
        assert!(address(context["anchor"].as_str().unwrap()));
        assert!(context["itemDescription"].is_string());
        for (relation, targets) in context {
            if relation == "anchor" || relation == "itemDescription" {
                continue;
            }
            let registered = relation.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let rest =
                relation.strip_prefix("https://").or_else(|| relation.strip_prefix("http://"));
            let term = rest.is_some_and(|rest| rest.bytes().all(schema_byte));
            assert!(registered || term, "{relation}");
            let targets = targets.as_array().unwrap();
            assert!(!targets.is_empty());
            targets.iter().for_each(target);
        }
    }
}

fn target(target: &Value) {
    for (name, value) in target.as_object().unwrap() {
        match name.as_str() {
            "href" => assert!(address(value.as_str().unwrap()), "{value}"),
            "title" => assert!(!value.as_str().unwrap().is_empty()),
            "type" => assert!(value.as_str().unwrap().split_once('/').is_some()),
            "hreflang" => value.as_array().unwrap().iter().for_each(language),
            // An extension: RFC 9264, section 4.2.4.3, wants an array of strings.
            "context" => assert!(value.as_array().unwrap().iter().all(Value::is_string)),
            other => panic!("{other} is no target attribute"),
        }
    }
    assert!(target["href"].is_string() && target["title"].is_string());
}

fn language(tag: &Value) {
    let word =
        |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let parts: Vec<&str> = tag.as_str().unwrap().split('-').collect();
    assert!(parts.len() <= 2 && parts.iter().all(|part| word(part)), "{tag}");
}

fn address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.and_then(|rest| rest.bytes().next()).is_some_and(schema_byte)
}

/// `[a-zA-z0-9./]` of the schema: its range `A-z` takes six characters more.
fn schema_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'z' | b'A'..=b'z' | b'.' | b'/')
}
