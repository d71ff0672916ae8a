//! How results are printed: tables for people, JSON for programs.

use std::io::Write;

use serde_json::Value as Json;

/// Prints a line to standard output.
pub(crate) fn line(text: &impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Prints JSON for people and programs alike.
pub(crate) fn json(value: &Json) -> anyhow::Result<()> {
    line(&format!("{value:#}"))
}

/// Prints items as a JSON array or as a table of the named fields.
pub(crate) fn table(items: &[Json], as_json: bool, columns: &[(&str, &str)]) -> anyhow::Result<()> {
    if as_json {
        return json(&Json::Array(items.to_vec()));
    }
    let heads = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let mut rows: Vec<Vec<String>> = vec![heads];
    rows.extend(items.iter().map(|item| columns.iter().map(|(_, at)| cell(item, at)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0))
        .collect();
    for row in rows {
        let mut text = String::new();
        for (cell, wide) in row.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', wide - width(cell) + 2));
        }
        line(&text.trim_end())?;
    }
    Ok(())
}

/// The field at a JSON pointer as text.
pub(crate) fn cell(item: &Json, pointer: &str) -> String {
    match item.pointer(pointer) {
        None | Some(Json::Null) => "-".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => {
            let texts =
                items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}

/// Columns that a text takes in a terminal: East Asian characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if ('\u{1100}'..='\u{ffdc}').contains(&c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_characters_take_two_columns() {
        assert_eq!(width("反应器 T"), 8);
        assert_eq!(width("m³/h"), 4);
    }
}
