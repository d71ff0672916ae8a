//! A table as it was sent: lines of cells under heads, put together by device.

use std::collections::HashMap;

use csv::StringRecord;
use serde_json::{Map, Value as JsonValue};
use weir_model::ProblemCode;

use super::{Cell, Column, DEVICE, OF_DEVICE, OF_POINT, unquoted};
use crate::failure::Failure;

/// Most lines of one table: a large plant's. With it, one import stays within what is stored at once.
pub(super) const LINES_MAX: usize = 50_000;

/// The column whose blanks at both ends mean something.
const FREE_TEXT: &str = "description";

/// A table.
pub(super) struct Table {
    /// The place of each column that there is.
    heads: HashMap<&'static str, usize>,
    lines: Vec<Line>,
}

/// One line, with its number in the file.
pub(super) struct Line {
    pub(super) number: u64,
    cells: StringRecord,
}

/// What is wrong with a cell: its column, or a place in its JSON, and why.
pub(super) type CellFault = (String, String);

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// What is no CSV, has unknown columns, or too many lines.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let wrong = |error: csv::Error| {
            Failure::new(ProblemCode::InvalidRequest, format!("The table cannot be read: {error}."))
        };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(bytes);
        let heads = heads(reader.headers().map_err(wrong)?)?;
        let mut lines = Vec::new();
        for record in reader.into_records() {
            let cells = record.map_err(wrong)?;
            if lines.len() >= LINES_MAX {
                let detail = format!("A table has at most {LINES_MAX} lines; import it in parts.");
                return Err(Failure::new(ProblemCode::TooLarge, detail));
            }
            lines.push(Line { number: cells.position().map_or(0, csv::Position::line), cells });
        }
        Ok(Self { heads, lines })
    }

    /// A cell; none where there is no such column.
    pub(super) fn cell<'t>(&self, line: &'t Line, column: &str) -> Option<&'t str> {
        let text = line.cells.get(*self.heads.get(column)?).unwrap_or_default();
        Some(if column == FREE_TEXT { text } else { text.trim() })
    }

    /// The text of a cell; empty where there is no such column.
    pub(super) fn text<'t>(&self, line: &'t Line, column: &str) -> &'t str {
        self.cell(line, column).map_or("", unquoted)
    }

    /// The lines of each device, in the order of their first ones. Devices without an identifier are told apart by name.
    pub(super) fn groups(&self) -> Vec<Vec<&Line>> {
        let mut groups: Vec<Vec<&Line>> = Vec::new();
        let mut places = HashMap::new();
        for line in &self.lines {
            let id = self.text(line, DEVICE);
            let key = match id.is_empty() {
                true => (true, self.text(line, "device_name").to_owned()),
                false => (false, id.to_ascii_lowercase()),
            };
            let place = *places.entry(key).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(line),
                None => groups.push(vec![line]),
            }
        }
        groups
    }

    /// Puts the cells of some columns into an object; columns that are not there change nothing, empty cells take away.
    pub(super) fn fill(
        &self,
        line: &Line,
        columns: &[Column],
        object: &mut Map<String, JsonValue>,
    ) -> Result<(), CellFault> {
        for (column, member, kind) in columns {
            let Some(text) = self.cell(line, column) else { continue };
            if text.is_empty() {
                object.remove(*member);
                continue;
            }
            let value = match kind {
                Cell::Text => JsonValue::from(unquoted(text)),
                Cell::Json => serde_json::from_str(text).map_err(|error| {
                    ((*column).to_owned(), format!("JSON is expected here: {error}"))
                })?,
            };
            object.insert((*member).to_owned(), value);
        }
        Ok(())
    }

    /// Which cells of the device say something else in a further line than in its first.
    pub(super) fn contradictions(&self, first: &Line, line: &Line) -> Vec<CellFault> {
        let differs =
            |column: &str, kind: Cell| match (self.cell(first, column), self.cell(line, column)) {
                (Some(one), Some(other)) if !other.is_empty() && one != other => {
                    kind == Cell::Text || json(one) != json(other)
                }
                _ => false,
            };
        let wrong = OF_DEVICE.iter().filter(|(column, _, kind)| differs(column, *kind));
        wrong
            .map(|(column, ..)| {
                let detail = format!(
                    "it differs from line {}, where the device begins; write the same, or leave it empty",
                    first.number
                );
                ((*column).to_owned(), detail)
            })
            .collect()
    }
}

fn json(text: &str) -> Option<JsonValue> {
    serde_json::from_str(text).ok()
}

/// The columns of a head line.
fn heads(record: &StringRecord) -> Result<HashMap<&'static str, usize>, Failure> {
    let known = || {
        let columns = OF_DEVICE.iter().chain(&OF_POINT).map(|(column, ..)| *column);
        std::iter::once(DEVICE).chain(columns)
    };
    let refuse =
        |detail: String| Err(Failure::field(ProblemCode::InvalidValue, "/lines/1", detail));
    let mut heads = HashMap::new();
    for (place, head) in record.iter().enumerate() {
        let Some(column) = known().find(|column| *column == head) else {
            let columns: Vec<_> = known().collect();
            return refuse(format!(
                "there is no column {head:?}; known are {}",
                columns.join(", ")
            ));
        };
        if heads.insert(column, place).is_some() {
            return refuse(format!("the column {head:?} is there twice"));
        }
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_device_come_together_wherever_they_stand() {
        let table = Table::read(b"\xef\xbb\xbf device ,name\n88/a,x\n,y\n 88/A , z\n,w\n").unwrap();
        let groups = table.groups();
        let numbers: Vec<Vec<u64>> =
            groups.iter().map(|group| group.iter().map(|line| line.number).collect()).collect();
        assert_eq!(numbers, [vec![2, 4], vec![3, 5]]);
        assert_eq!(table.text(groups[0][1], "name"), "z");
        assert_eq!(table.cell(groups[0][1], "unit"), None);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for wrong in
            [&b"colour\nred\n"[..], b"name,name\nx,y\n", b"name,unit\nx\n", b"name\n\xff\n"]
        {
            assert!(Table::read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        let long = format!("name\n{}", "x\n".repeat(LINES_MAX + 1));
        assert!(Table::read(long.as_bytes()).is_err());
        assert!(Table::read(&long.as_bytes()[..long.len() - 2]).is_ok());
    }

    #[test]
    fn a_further_line_does_not_contradict_the_first() {
        let text = "device,device_name,settings,name\na/b,N,\"{\"\"a\"\":1}\",x\na/b,,\"{ \"\"a\"\": 1 }\",y\na/b,M,{},z\n";
        let table = Table::read(text.as_bytes()).unwrap();
        let groups = table.groups();
        assert_eq!(table.contradictions(groups[0][0], groups[0][1]), []);
        let columns: Vec<_> = table.contradictions(groups[0][0], groups[0][2]);
        let columns: Vec<_> = columns.into_iter().map(|(column, _)| column).collect();
        assert_eq!(columns, ["device_name", "settings"]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_table_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let with_head = [b"device,name,settings\n", &bytes[..]].concat();
            for bytes in [&bytes, &with_head] {
                if let Ok(table) = Table::read(bytes) {
                    let lines: usize = table.groups().iter().map(Vec::len).sum();
                    proptest::prop_assert_eq!(lines, table.lines.len());
                }
            }
        }
    }
}
