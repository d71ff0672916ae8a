//! What devices say, as people are shown it: on one line, without what turns the direction of writing, and not
//! without end. Addresses and values themselves are left as they are; only what is read by people is.

use std::borrow::Cow;

use weir_model::Value;

use crate::{BrowseItem, BrowsePage, Discovered};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 256;

/// Longest description, reason or cause, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 2000;

/// Longest value within a sentence, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// What is shown of a thing whose name has nothing that can be shown.
const NAMELESS: &str = "(no name)";

/// A text of at most so many characters, with blanks for what is none of a line.
pub(crate) fn line(text: Cow<'_, str>, chars_max: usize) -> String {
    let end = text.char_indices().nth(chars_max).map(|(end, _)| end);
    if end.is_none() && !text.contains(is_unfit) {
        return text.into_owned();
    }
    let mut line = text.get(..end.unwrap_or(text.len())).unwrap_or_default().replace(is_unfit, " ");
    if end.is_some() {
        line.push('…');
    }
    line
}

/// Control characters, ends of lines, and what turns the direction of writing (Unicode Standard Annex 9, 2).
fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn name(text: String) -> String {
    let name = line(text.into(), NAME_CHARS_MAX);
    match name.trim() {
        "" => NAMELESS.to_owned(),
        trimmed if trimmed.len() == name.len() => name,
        trimmed => trimmed.to_owned(),
    }
}

/// What a device offers.
pub(crate) fn page(page: BrowsePage) -> BrowsePage {
    let item = |item: BrowseItem| BrowseItem {
        name: name(item.name),
        description: line(item.description.into(), TEXT_CHARS_MAX),
        unit: item.unit.map(|unit| line(unit.into(), NAME_CHARS_MAX)),
        value: item.value.filter(|value| !is_long(value)),
        ..item
    };
    BrowsePage { items: page.items.into_iter().map(item).collect(), next: page.next }
}

/// What was found at an address.
pub(crate) fn found(found: Vec<Discovered>) -> Vec<Discovered> {
    let one = |one: Discovered| Discovered {
        name: name(one.name),
        detail: line(one.detail.into(), TEXT_CHARS_MAX),
        ..one
    };
    found.into_iter().map(one).collect()
}

/// A value within a sentence.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Array(items) if is_long(value) => format!("of {} elements", items.len()),
        Value::Text(text) => {
            let start = text.char_indices().nth(VALUE_CHARS_MAX).map_or(text.len(), |(end, _)| end);
            format!("{:?}", text.get(..start).unwrap_or_default())
        }
        _ => value.to_json().to_string(),
    }
}

/// Whether a value is more than a cell of a table shows.
fn is_long(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.len() > TEXT_CHARS_MAX,
        Value::Array(items) => items.len() > VALUE_CHARS_MAX || items.iter().any(is_long),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_devices_say_fits_a_line() {
        let fit = |text: &str| line(text.into(), 10);
        assert_eq!(fit("液位 🛢️"), "液位 🛢️");
        assert_eq!(fit("a\r\nb\u{7}\u{202e}c"), "a  b  c");
        assert_eq!(fit(&"液".repeat(65_536)), format!("{}…", "液".repeat(10)));
        assert_eq!(name("\u{0}\u{202e}".to_owned()), NAMELESS);
        assert_eq!(name(" Speed\n".to_owned()), "Speed");
        assert_eq!(name("x".repeat(65_536)).chars().count(), NAME_CHARS_MAX + 1);
    }

    #[test]
    fn a_page_keeps_addresses_and_drops_values_without_end() {
        let address = serde_json::json!({"node": "s=\u{7}"});
        let item = |value| BrowseItem {
            at: "\u{7}".to_owned(),
            name: "\u{7}bell".to_owned(),
            address: Some(address.clone()),
            value: Some(value),
            ..BrowseItem::default()
        };
        let long = Value::text(&"x".repeat(65_000)).unwrap();
        let shown = page(BrowsePage { items: vec![item(Value::F64(1.5)), item(long)], next: None });
        assert_eq!((shown.items[0].name.as_str(), shown.items[0].at.as_str()), ("bell", "\u{7}"));
        assert_eq!(shown.items[0].address.as_ref(), Some(&address));
        assert_eq!(shown.items[0].value, Some(Value::F64(1.5)));
        assert_eq!(shown.items[1].value, None);
    }

    #[test]
    fn a_value_in_a_sentence_is_short() {
        assert_eq!(value(&Value::I64(-7)), "-7");
        assert_eq!(value(&Value::text("fast\n").unwrap()), "\"fast\\n\"");
        assert!(value(&Value::text(&"泵".repeat(9000)).unwrap()).len() < 300);
    }
}
