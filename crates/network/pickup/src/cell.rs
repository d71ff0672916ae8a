//! What stands in a cell, as a raw value.

use weir_model::{DataType, Value};

/// Longest text of a cell that is shown to people in an error.
const SHOWN_CHARS_MAX: usize = 40;

/// The value of a cell for a tag of some type; none for an empty cell.
///
/// # Errors
/// Why it is none of that type, for people.
pub(crate) fn value(
    text: &str,
    to: DataType,
    decimal_comma: bool,
) -> Result<Option<Value>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let found = match to {
        DataType::Text => return Value::text(text).map(Some).map_err(|e| e.to_string()),
        DataType::Array => Value::from_text(text, to).ok(),
        DataType::Bool => truth(text).map(Value::Bool),
        DataType::F64 => number(text, decimal_comma).map(Value::F64),
        // What is whole stays whole; the supervisor rounds the rest.
        _ => {
            Value::from_text(text, to).ok().or_else(|| number(text, decimal_comma).map(Value::F64))
        }
    };
    found.map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        format!("\"{shown}\" is not of type {to}")
    })
}

fn number(text: &str, decimal_comma: bool) -> Option<f64> {
    if !decimal_comma {
        return text.parse().ok().filter(|x: &f64| x.is_finite());
    }
    // A point could only part thousands here, and then the writer must be asked.
    if text.contains('.') {
        return None;
    }
    text.replacen(',', ".", 1).parse().ok().filter(|x: &f64| x.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "on" | "yes" | "y" | "是" | "开" => Some(true),
        "false" | "f" | "0" | "off" | "no" | "n" | "否" | "关" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_and_what_is_wrong() {
        let is = |text: &str, to, comma| value(text, to, comma);
        assert_eq!(is(" 12.5 ", DataType::F64, false), Ok(Some(Value::F64(12.5))));
        assert_eq!(is("-12,5e1", DataType::F64, true), Ok(Some(Value::F64(-125.0))));
        assert_eq!(is("7", DataType::I64, false), Ok(Some(Value::I64(7))));
        assert_eq!(is("7.0", DataType::U64, false), Ok(Some(Value::F64(7.0))));
        assert_eq!(is("18446744073709551615", DataType::U64, true), Ok(Some(Value::U64(u64::MAX))));
        assert_eq!(is("ON", DataType::Bool, false), Ok(Some(Value::Bool(true))));
        assert_eq!(is("关", DataType::Bool, false), Ok(Some(Value::Bool(false))));
        assert_eq!(is("换刀", DataType::Text, false), Ok(Value::text("换刀").ok()));
        assert_eq!(is("  ", DataType::F64, false), Ok(None));
        for (text, to, comma) in [
            ("1.234,5", DataType::F64, true),
            ("1,5", DataType::F64, false),
            ("1,2,3", DataType::F64, true),
            ("NaN", DataType::F64, false),
            ("abc", DataType::I64, false),
            ("2", DataType::Bool, false),
        ] {
            assert!(is(text, to, comma).is_err(), "{text}");
        }
    }
}
