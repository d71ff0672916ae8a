//! The query, wrapped so that it is read in order from a cursor on, and its rows as texts.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, Statement};

use super::settings::Settings;
use crate::moment::Format as TimeFormat;
use crate::table::PointAddress;

/// Longest cell in characters: one more than a text value has bytes, so that what is too long is seen.
const CELL_CHARS_MAX: usize = weir_model::TEXT_BYTES_MAX + 1;

/// The name by which a cursor is known in the wrapped query.
const CURSOR: &str = "weir cursor";

/// A text that the server reads as whatever type it needs.
#[derive(Debug)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// What a query gives, as the server tells before it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) names: Vec<String>,
    pub(crate) types: Vec<Type>,
    /// Whether the query itself compares with the cursor.
    has_parameter: bool,
}

impl Shape {
    /// # Errors
    /// What is wrong with the query, for people.
    pub(crate) fn new(statement: &Statement) -> Result<Self, String> {
        if statement.params().len() > 1 {
            return Err(
                "the query has more than one parameter; only the cursor is given, as $1".into()
            );
        }
        let columns = statement.columns();
        Ok(Self {
            names: columns.iter().map(|column| column.name().to_owned()).collect(),
            types: columns.iter().map(|column| column.type_().clone()).collect(),
            has_parameter: !statement.params().is_empty(),
        })
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|found| found == name)
    }
}

/// The query that tells the shape.
pub(crate) fn described(settings: &Settings) -> String {
    // The line break keeps a comment at the query's end from hiding what follows.
    format!("SELECT * FROM (\n{}\n) AS q", settings.query)
}

/// Which columns are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Their places in the shape; cells of rows are looked up by place.
    asked: Vec<usize>,
    /// For each place in the shape, the place among those asked for.
    at: Vec<Option<usize>>,
    pub(crate) time: Option<usize>,
}

impl Columns {
    /// # Errors
    /// Which column is missing or cannot be used, for people.
    pub(crate) fn new(
        settings: &Settings,
        addresses: &[PointAddress],
        shape: &Shape,
    ) -> Result<Self, String> {
        let has = || format!("the query gives {}", shape.names.join(", "));
        if shape.place(&settings.cursor_column).is_none() {
            return Err(format!("the query gives no column {}; {}", settings.cursor_column, has()));
        }
        let mut columns = Self { asked: Vec::new(), at: vec![None; shape.names.len()], time: None };
        if let Some(column) = &settings.time_column {
            let at = column.find(Some(&shape.names)).filter(|at| *at < shape.names.len());
            let at =
                at.ok_or_else(|| format!("the query gives no {}; {}", column.shown(), has()))?;
            let is_number = shape.types.get(at).is_some_and(is_number);
            if is_number && settings.moments.format == TimeFormat::Iso {
                return Err(format!(
                    "the {} is a number; set the format of times to epoch_s or epoch_ms",
                    column.shown()
                ));
            }
            columns.ask(at);
            columns.time = Some(at);
        }
        for address in addresses {
            let all = address.conditions.iter().map(|(column, _)| column);
            for column in all.chain(std::iter::once(&address.column)) {
                if let Some(at) = column.find(Some(&shape.names)) {
                    columns.ask(at);
                }
            }
        }
        Ok(columns)
    }

    fn ask(&mut self, at: usize) {
        if let Some(asked) = self.at.get_mut(at)
            && asked.is_none()
        {
            *asked = Some(self.asked.len());
            self.asked.push(at);
        }
    }

    /// The query for a page from the cursor on or, newest first, for what there is.
    pub(crate) fn page(
        &self,
        settings: &Settings,
        shape: &Shape,
        limit: usize,
        newest: bool,
    ) -> String {
        let cursor = quoted(&settings.cursor_column);
        let mut asked: Vec<String> = self
            .asked
            .iter()
            .filter_map(|at| shape.names.get(*at))
            .map(|name| format!("left(q.{}::text, {CELL_CHARS_MAX})", quoted(name)))
            .collect();
        asked.push(format!("q.{cursor}::text AS {}", quoted(CURSOR)));
        let filter = if shape.has_parameter {
            format!("q.{cursor} IS NOT NULL")
        } else {
            format!("q.{cursor} > $1")
        };
        let order = if newest { "DESC" } else { "ASC" };
        format!(
            "SELECT {} FROM (\n{}\n) AS q WHERE {filter} ORDER BY q.{cursor} {order} LIMIT {limit}",
            asked.join(", "),
            settings.query,
        )
    }

    /// A cell of a row, by its place in the shape; none for NULL.
    pub(crate) fn cell<'a>(&self, row: &'a Row, at: usize) -> Option<&'a str> {
        let at = self.at.get(at).copied().flatten()?;
        row.try_get(at).ok()?
    }

    /// The cursor of a row.
    pub(crate) fn cursor<'a>(&self, row: &'a Row) -> Option<&'a str> {
        row.try_get(self.asked.len()).ok()?
    }
}

fn is_number(kind: &Type) -> bool {
    let numbers = [Type::INT2, Type::INT4, Type::INT8, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC];
    numbers.contains(kind)
}

/// A name as PostgreSQL quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How many rows of a page are taken, of which the last `more` says whether it was cut: rows that share
/// the cursor with the first one left out are left out too, or they would be lost behind it. None where
/// all share it.
pub(crate) fn complete(cursors: &[&str], is_cut: bool) -> Option<usize> {
    let Some(last) = cursors.last().filter(|_| is_cut) else { return Some(cursors.len()) };
    let count = cursors.iter().take_while(|cursor| cursor != &last).count();
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_share_a_cursor_stay_together() {
        assert_eq!(complete(&["1", "2", "3"], false), Some(3));
        assert_eq!(complete(&["1", "2", "3"], true), Some(2));
        assert_eq!(complete(&["1", "2", "2", "2"], true), Some(1));
        assert_eq!(complete(&["2", "2"], true), None);
        assert_eq!(complete(&[], true), Some(0));
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("a\"; DROP TABLE m; --"), "\"a\"\"; DROP TABLE m; --\"");
    }
}
