//! Tables in Markdown, and numbers as they stand in their cells.

use serde_json::Value as Json;

use crate::bench::plot::short;

/// A table.
pub(super) struct Table {
    columns: usize,
    text: String,
}

impl Table {
    /// Numbers are at the right, the first column at the left.
    pub(super) fn new(heads: &[&str]) -> Self {
        let rules: Vec<&str> =
            heads.iter().enumerate().map(|(n, _)| if n == 0 { "---" } else { "---:" }).collect();
        let mut table = Self { columns: heads.len(), text: String::new() };
        table.row(heads.iter().map(|head| (*head).to_owned()).collect());
        table.row(rules.iter().map(|rule| (*rule).to_owned()).collect());
        table
    }

    /// Adds a row; cells that are not there are empty.
    pub(super) fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.columns, String::new());
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

/// A number in three digits; a dash where there is none.
pub(super) fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), short)
}

/// The same of JSON.
pub(super) fn cell(value: &Json) -> String {
    number(value.as_f64())
}

/// Milliseconds.
pub(super) fn ms(value: &Json) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), |ms| short(ms) + " ms")
}
