//! Messages that write a value.

use serde_json::{Value as Json, json};
use weir_model::{Timestamp, Value};

/// The value as JSON that other programs read: whole numbers are numbers whatever their size.
fn json_of(value: &Value) -> Json {
    match value {
        Value::I64(n) | Value::Enumeration(n) => json!(n),
        Value::U64(n) => json!(n),
        Value::Array(items) => items.iter().map(json_of).collect(),
        other => other.to_json(),
    }
}

/// The value as text, without quotes.
pub(super) fn plain(value: &Value) -> String {
    match json_of(value) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// The template with what stands in it for the value: `{value}` in JSON, `{text}` without quotes, `{time}` as
/// RFC 3339, `{time_ms}` as a number. All other braces are left alone.
pub(crate) fn render(template: &str, value: &Value, now: Timestamp) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let names: [(&str, &dyn Fn() -> String); 4] = [
            ("{value}", &|| json_of(value).to_string()),
            ("{text}", &|| plain(value)),
            ("{time}", &|| now.to_string()),
            ("{time_ms}", &|| (now.nanos() / 1_000_000).to_string()),
        ];
        let found = names.iter().find_map(|(name, text)| Some((from.strip_prefix(name)?, text())));
        match found {
            Some((behind, text)) => {
                out.push_str(&text);
                rest = behind;
            }
            None => {
                out.push('{');
                rest = from.strip_prefix('{').unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// The value in objects so that it stands at a JSON pointer. A list cannot be made of one element, so numbers
/// become names.
pub(super) fn nested(path: &str, value: &Value) -> Json {
    let names: Vec<_> = path.split('/').skip(1).collect();
    names.iter().rev().fold(json_of(value), |inner, name| {
        let name = name.replace("~1", "/").replace("~0", "~");
        json!({ name: inner })
    })
}
