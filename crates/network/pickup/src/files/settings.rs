//! Settings of a folder of CSV files.

use std::path::PathBuf;
use std::time::Duration;

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16LE};
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::moment::{Moments, moments};
use crate::table::{COLUMN_EXPECTED, Column};

/// Longest path of a folder.
const PATH_BYTES_MAX: usize = 1024;

/// Longest pattern of file names.
const PATTERN_BYTES_MAX: usize = 128;

/// Most lines before the header.
const SKIP_LINES_MAX: u64 = 100;

/// Settings of a folder of CSV files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    /// Which names, with `*` for any characters and `?` for one.
    pub(crate) pattern: String,
    pub(crate) mode: Mode,
    pub(crate) after: After,
    pub(crate) encoding: &'static Encoding,
    pub(crate) separator: u8,
    pub(crate) header: bool,
    /// Lines before the header, or before the first row.
    pub(crate) skip_lines: u64,
    pub(crate) decimal_comma: bool,
    /// Where the times are; the time of the file's last change without one.
    pub(crate) time_column: Option<Column>,
    pub(crate) moments: Moments,
    pub(crate) poll: Duration,
    pub(crate) stable: Duration,
}

/// How files come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// Written once and then left alone.
    #[default]
    Whole,
    /// Appended to, line by line.
    Follow,
}

/// What becomes of a file that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    Move(PathBuf),
    Delete,
}

const MODES: &[(&str, Mode)] = &[("whole", Mode::Whole), ("follow", Mode::Follow)];
const AFTERS: &[(&str, &str)] = &[("keep", "keep"), ("move", "move"), ("delete", "delete")];
const SEPARATORS: &[(&str, u8)] =
    &[("comma", b','), ("semicolon", b';'), ("tab", b'\t'), ("bar", b'|')];

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    ///
    /// # Errors
    /// Each wrong field.
    pub(crate) fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let folder = fields.text("folder", PATH_BYTES_MAX);
        let folder = fields.require("folder", folder).unwrap_or_default();
        let pattern = fields.text("pattern", PATTERN_BYTES_MAX).unwrap_or("*.csv");
        if pattern.contains(['/', '\\']) {
            fields.wrong("pattern", "the pattern of a name without a folder is expected");
        }
        let mode = fields.choice("mode", MODES).unwrap_or_default();
        let after = fields.choice("after", AFTERS).unwrap_or("keep");
        let done = fields.text("done_folder", PATH_BYTES_MAX);
        let after = match (after, done) {
            ("delete", _) => After::Delete,
            ("move", Some(done)) => After::Move(PathBuf::from(done)),
            ("move", None) => {
                fields.wrong("done_folder", "the folder that files are moved to is expected");
                After::Keep
            }
            _ => After::Keep,
        };
        if mode == Mode::Follow && after != After::Keep {
            fields
                .wrong("after", "files that are followed are kept: what is appended would be lost");
        }
        let encodings: &[(&str, &'static Encoding)] =
            &[("utf-8", UTF_8), ("gbk", GB18030), ("utf-16", UTF_16LE)];
        let encoding = fields.choice("encoding", encodings).unwrap_or(UTF_8);
        let separator = fields.choice("separator", SEPARATORS).unwrap_or(b',');
        let header = fields.truth("header").unwrap_or(true);
        let skip_lines = fields.number("skip_lines", 0..=SKIP_LINES_MAX).unwrap_or(0);
        let decimals: &[(&str, bool)] = &[("point", false), ("comma", true)];
        let decimal_comma = fields.choice("decimal", decimals).unwrap_or(false);
        if decimal_comma && separator == b',' {
            fields.wrong("decimal", "a decimal comma needs another separator than the comma");
        }
        let time_column = time_column(&mut fields, header);
        if time_column.is_none() && mode == Mode::Follow {
            fields.wrong("time_column", "files that are followed need a column of times");
        }
        let moments = moments(&mut fields);
        let poll = fields.number("poll_s", 1..=86_400).unwrap_or(5);
        let stable = fields.number("stable_s", 0..=86_400).unwrap_or(5);
        let pattern = pattern.to_owned();
        fields.finish();
        let settings = Self {
            folder: PathBuf::from(folder),
            pattern,
            mode,
            after,
            encoding,
            separator,
            header,
            skip_lines,
            decimal_comma,
            time_column,
            moments,
            poll: Duration::from_secs(poll),
            stable: Duration::from_secs(stable),
        };
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

fn time_column(fields: &mut Fields<'_>, header: bool) -> Option<Column> {
    let json = fields.get("time_column")?;
    let column = Column::parse(json);
    match &column {
        None => fields.wrong("time_column", COLUMN_EXPECTED),
        Some(column) if !header && column.find(None).is_none() => {
            fields
                .wrong("time_column", "without a header row columns have numbers, counted from 1");
        }
        Some(_) => {}
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_defaults() {
        let settings = Settings::parse(&json!({"folder": "/data/in"})).unwrap();
        assert_eq!((settings.pattern.as_str(), settings.mode), ("*.csv", Mode::Whole));
        assert_eq!(
            (settings.header, settings.separator, settings.after),
            (true, b',', After::Keep)
        );
        assert_eq!(settings.time_column, None);
        let settings = Settings::parse(&json!({
            "folder": "/data/in", "mode": "whole", "after": "move", "done_folder": "/data/done",
            "encoding": "gbk", "separator": "semicolon", "decimal": "comma", "header": false,
            "time_column": 1, "time_format": "%d.%m.%Y %H:%M:%S", "time_zone": "Asia/Shanghai",
        }));
        let settings = settings.unwrap();
        assert_eq!(settings.after, After::Move("/data/done".into()));
        assert_eq!(settings.encoding, GB18030);
    }

    #[test]
    fn names_each_wrong_field() {
        let wrong = json!({
            "pattern": "a/b", "mode": "tail", "after": "move", "encoding": "latin1", "separator": ",",
            "decimal": "comma", "time_column": 0, "time_format": "DD.MM", "time_zone": "CST",
            "poll_s": 0, "stable_s": -1, "x": 1,
        });
        let fields: Vec<_> =
            Settings::parse(&wrong).unwrap_err().into_iter().map(|e| e.field).collect();
        let expected = [
            "folder",
            "pattern",
            "mode",
            "done_folder",
            "encoding",
            "separator",
            "decimal",
            "time_column",
            "time_format",
            "time_zone",
            "poll_s",
            "stable_s",
            "x",
        ];
        assert_eq!(fields, expected.map(|f| format!("/settings/{f}")));
        let follow = json!({"folder": "/a", "mode": "follow", "after": "delete"});
        let errors = Settings::parse(&follow).unwrap_err();
        let fields: Vec<_> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["/settings/after", "/settings/time_column"]);
        let nameless = json!({"folder": "/a", "header": false, "time_column": "time"});
        assert_eq!(Settings::parse(&nameless).unwrap_err()[0].field, "/settings/time_column");
    }
}
