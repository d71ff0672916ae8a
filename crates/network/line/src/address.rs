//! Addresses of points: which lines a point takes, and what of them.

use std::collections::HashMap;
use std::net::IpAddr;

use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::settings::{raw_text, unescape};

/// Longest regular expression as a text.
pub const PATTERN_BYTES_MAX: usize = 512;

/// Most memory of one compiled regular expression, and of what it remembers while it searches. What classes of
/// Unicode need fits; a repetition of a repetition does not.
const PATTERN_COMPILED_BYTES_MAX: usize = 256 * 1024;
const PATTERN_CACHE_BYTES_MAX: usize = 256 * 1024;

/// Longest prefix, name of a field, JSON pointer and command.
const TEXT_BYTES_MAX: usize = 256;

/// Most fields of a line.
const FIELDS_MAX: u64 = 1000;

/// Where a command has its value.
const PLACEHOLDER: &str = "{}";

/// Compiled regular expressions by their text, so that points that share one share its memory.
pub(crate) type Patterns = HashMap<String, Regex>;

/// Which lines a point takes, and what of them.
#[derive(Debug, Clone)]
pub struct PointAddress {
    /// What of a line is the value.
    pub format: Format,
    /// Lines begin with this; it is no part of the value.
    pub prefix: Option<String>,
    /// What stands behind the prefix is of this form. In a text, its first group is the value.
    pub pattern: Option<Regex>,
    /// Only lines that come from this address.
    pub source: Option<IpAddr>,
}

/// What of a line is the value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The line, or what its pattern picks.
    Text,
    /// What a JSON pointer (RFC 6901) names in a line that is JSON.
    Json {
        /// The pointer; empty for the whole.
        path: String,
    },
    /// The n-th of the fields between separators, from 1.
    Field {
        /// Which one.
        number: usize,
        /// What stands between fields.
        separator: String,
    },
    /// The value of a field that is written as `name=value` or `name:value`.
    NamedField {
        /// Its name.
        name: String,
        /// What stands between fields.
        separator: String,
    },
    /// A line that is sent when the point is written.
    Command {
        /// The line, in which `{}` stands for the value.
        template: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Text,
    Json,
    Fields,
    Command,
}

const NAMES: &[(&str, Name)] = &[
    ("text", Name::Text),
    ("json", Name::Json),
    ("fields", Name::Fields),
    ("command", Name::Command),
];

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong, which is added
    /// to the errors.
    pub(crate) fn parse(
        json: &Json,
        pointer: &str,
        patterns: &mut Patterns,
        errors: &mut Vec<FieldError>,
    ) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let name = fields.choice("format", NAMES).unwrap_or(Name::Text);
        let prefix = raw_text(&mut fields, "prefix", TEXT_BYTES_MAX).map(str::to_owned);
        let pattern = pattern(&mut fields, patterns);
        let source = source(&mut fields);
        let format = format(&mut fields, name);
        let filters = [
            ("prefix", prefix.is_some()),
            ("pattern", pattern.is_some()),
            ("source", source.is_some()),
        ];
        for (field, _) in filters.into_iter().filter(|(_, is_given)| *is_given) {
            if name == Name::Command {
                fields.wrong(field, "a command is sent, it takes no lines");
            }
        }
        fields.finish();
        let address = Self { format: format?, prefix, pattern, source };
        (errors.len() == before).then_some(address)
    }

    /// Whether it is sent rather than received.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.format, Format::Command { .. })
    }
}

fn format(fields: &mut Fields<'_>, name: Name) -> Option<Format> {
    let path = fields.get("path").map(Json::as_str);
    let separator = raw_text(fields, "separator", TEXT_BYTES_MAX);
    let field = fields.get("field");
    let command = raw_text(fields, "command", TEXT_BYTES_MAX);
    let given = [
        ("path", path.is_some(), Name::Json),
        ("separator", separator.is_some(), Name::Fields),
        ("field", field.is_some(), Name::Fields),
        ("command", command.is_some(), Name::Command),
    ];
    for (field, is_given, of) in given {
        if is_given && of != name {
            fields.wrong(field, "this matters only in another format");
        }
    }
    match name {
        Name::Text => Some(Format::Text),
        Name::Json => {
            let path = path.unwrap_or(Some(""));
            let fits = |path: &&str| {
                path.len() <= TEXT_BYTES_MAX && (path.is_empty() || path.starts_with('/'))
            };
            let path = path.filter(fits);
            if path.is_none() {
                fields.wrong("path", "a JSON pointer is expected, such as /tag/id or /0");
            }
            Some(Format::Json { path: path?.to_owned() })
        }
        Name::Fields => {
            let separator = separator.unwrap_or(",");
            let unescaped = match separator.contains('\\') {
                true => unescape(separator).and_then(|bytes| String::from_utf8(bytes).ok()),
                false => Some(separator.to_owned()),
            };
            if unescaped.as_ref().is_none_or(String::is_empty) {
                fields.wrong(
                    "separator",
                    "a text is expected, in which \\t is a tab and \\x1d a control character",
                );
            }
            one_field(fields, field, unescaped?)
        }
        Name::Command => {
            Some(Format::Command { template: command.unwrap_or(PLACEHOLDER).to_owned() })
        }
    }
}

/// A number from 1, or a name.
fn one_field(fields: &mut Fields<'_>, field: Option<&Json>, separator: String) -> Option<Format> {
    let field = fields.require("field", field)?;
    let number = field.as_u64().or_else(|| field.as_str()?.parse().ok());
    match (number, field.as_str()) {
        (Some(number), _) if (1..=FIELDS_MAX).contains(&number) => {
            Some(Format::Field { number: number as usize, separator })
        }
        (None, Some(name)) if (1..=TEXT_BYTES_MAX).contains(&name.trim().len()) => {
            Some(Format::NamedField { name: name.trim().to_owned(), separator })
        }
        _ => {
            let detail =
                format!("a number from 1 to {FIELDS_MAX}, or the name in name=value, is expected");
            fields.wrong("field", detail);
            None
        }
    }
}

fn pattern(fields: &mut Fields<'_>, patterns: &mut Patterns) -> Option<Regex> {
    let text = raw_text(fields, "pattern", PATTERN_BYTES_MAX)?;
    if let Some(known) = patterns.get(text) {
        return Some(known.clone());
    }
    let built = RegexBuilder::new(text)
        .size_limit(PATTERN_COMPILED_BYTES_MAX)
        .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
        .build();
    match built {
        Ok(pattern) => {
            patterns.insert(text.to_owned(), pattern.clone());
            Some(pattern)
        }
        Err(regex::Error::CompiledTooBig(_)) => {
            fields.wrong(
                "pattern",
                "this regular expression needs too much memory; repeat less in it",
            );
            None
        }
        Err(error) => {
            fields.wrong("pattern", format!("this is not a regular expression: {error}"));
            None
        }
    }
}

fn source(fields: &mut Fields<'_>) -> Option<IpAddr> {
    let text = fields.text("source", TEXT_BYTES_MAX)?;
    let found = text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if found.is_none() {
        fields.wrong("source", "the IPv4 or IPv6 address of the device that sends it is expected");
    }
    Some(found?.to_canonical())
}

/// A command with its value.
pub(crate) fn command_text(template: &str, value: &str) -> String {
    template.replace(PLACEHOLDER, value)
}

#[cfg(test)]
mod tests;
