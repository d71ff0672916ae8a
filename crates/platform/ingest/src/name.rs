//! What a series is called: its name as a tag.

use std::borrow::Cow;
use std::fmt::Write;

use ring::digest::{SHA256, digest};

/// Longest name of a tag in UTF-8 bytes, as the twin allows it.
pub const NAME_BYTES_MAX: usize = 256;

/// Longest description of a tag in UTF-8 bytes that is made here.
const DESCRIPTION_BYTES_MAX: usize = 4096;

/// Hexadecimal digits of the SHA-256 of a name that is too long: 128 bits.
const DIGEST_DIGITS: usize = 32;

/// The field that adds nothing to a name.
const VALUE: &str = "value";

/// A series as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series<'t> {
    /// What is measured: the measurement of line protocol, the metric of Prometheus.
    pub measurement: Cow<'t, str>,
    /// The field; `value` for Prometheus.
    pub field: Cow<'t, str>,
    /// What tells it from others: the tag set of line protocol, the labels of Prometheus.
    pub labels: Vec<(Cow<'t, str>, Cow<'t, str>)>,
    /// Whether a tag without the labels may be meant. Line protocol's senders add labels of their own
    /// (Telegraf the name of its machine), Prometheus' labels are the name.
    pub labels_optional: bool,
}

impl Series<'_> {
    /// The name without the labels: the measurement, and the field unless it is `value`.
    pub fn base(&self) -> String {
        match self.field.as_ref() {
            VALUE => self.measurement.to_string(),
            field => format!("{}.{field}", self.measurement),
        }
    }

    /// Whether its field says nothing more than the measurement.
    pub fn is_value(&self) -> bool {
        self.field == VALUE
    }

    /// The whole name: [`Series::base`] and, where there are any, the labels by key as Prometheus writes
    /// them, `cpu.usage_idle{cpu="cpu0",host="press 4"}`. Two series have one name only if base and labels
    /// are the same. A name of more than [`NAME_BYTES_MAX`] bytes is cut, and ends with the beginning
    /// of the SHA-256 of the whole.
    pub fn name(&self) -> String {
        let text = self.text();
        if text.len() <= NAME_BYTES_MAX {
            return text;
        }
        let end = text.floor_char_boundary(NAME_BYTES_MAX - DIGEST_DIGITS - 1);
        let mut name = format!("{}~", text[..end].trim_end());
        for byte in &digest(&SHA256, text.as_bytes()).as_ref()[..DIGEST_DIGITS / 2] {
            // Writing into a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// The whole name where [`Series::name`] had to cut it, as far as a description goes.
    pub fn description(&self) -> String {
        let mut text = self.text();
        if text.len() <= NAME_BYTES_MAX {
            return String::new();
        }
        text.truncate(text.floor_char_boundary(DESCRIPTION_BYTES_MAX));
        text
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.labels.is_empty() {
            escape(&self.base(), "\"\\", &mut text);
            return text;
        }
        // The first bracket that is not escaped is where the labels begin.
        escape(&self.base(), "\"\\{", &mut text);
        let mut labels: Vec<_> = self.labels.iter().collect();
        labels.sort();
        for (at, (key, value)) in labels.into_iter().enumerate() {
            text.push(if at == 0 { '{' } else { ',' });
            escape(key, "\"\\", &mut text);
            text.push_str("=\"");
            escape(value, "\"\\", &mut text);
            text.push('"');
        }
        text.push('}');
        text
    }
}

/// Appends a text with a backslash before what is special, and without what a name may not have.
fn escape(text: &str, special: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            c if special.contains(c) => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
