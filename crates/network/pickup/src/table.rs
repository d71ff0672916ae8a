//! Addresses of points in tables, and which rows are for which points.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use weir_connect::Fields;
use weir_connect::form::field;
use weir_model::FieldError;

/// Longest name of a column, and longest value that a row is chosen by.
const NAME_BYTES_MAX: usize = 256;

/// Most conditions of one point.
const CONDITIONS_MAX: usize = 8;

/// Most columns of a table.
pub(crate) const COLUMNS_MAX: usize = 4096;

/// Stands between the values of a key; no cell has it.
const PART: char = '\u{1f}';

/// A column, by name or by place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    Name(String),
    /// Counted from 1.
    Place(usize),
}

/// Where a point's values are: in a column, in all rows or in those with some values in other columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PointAddress {
    pub(crate) column: Column,
    pub(crate) conditions: Vec<(Column, String)>,
}

impl Column {
    /// Reads a setting or a part of an address: a name, or a place counted from 1.
    pub(crate) fn parse(json: &Json) -> Option<Self> {
        match json {
            Json::String(name) => {
                let name = name.trim();
                (1..=NAME_BYTES_MAX).contains(&name.len()).then(|| Self::Name(name.to_owned()))
            }
            Json::Number(place) => {
                let place = usize::try_from(place.as_u64()?).ok()?;
                (1..=COLUMNS_MAX).contains(&place).then_some(Self::Place(place))
            }
            _ => None,
        }
    }

    /// Where the column stands, counted from 0. Without a header a name of digits is a place.
    pub(crate) fn find(&self, header: Option<&[String]>) -> Option<usize> {
        match (self, header) {
            (Self::Place(place), _) => place.checked_sub(1),
            (Self::Name(name), Some(header)) => header.iter().position(|found| found == name),
            (Self::Name(name), None) => name.parse::<usize>().ok()?.checked_sub(1),
        }
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("column {name}"),
            Self::Place(place) => format!("column number {place}"),
        }
    }
}

/// What is expected of a column, for people.
pub(crate) const COLUMN_EXPECTED: &str =
    "the name of a column or its number, counted from 1, is expected";

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong,
    /// which is added to the errors.
    pub(crate) fn parse(json: &Json, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let column = fields.get("column");
        let column = fields.require("column", column).and_then(|json| {
            let column = Column::parse(json);
            if column.is_none() {
                fields.wrong("column", COLUMN_EXPECTED);
            }
            column
        });
        let mut conditions = Vec::new();
        if let Some(json) = fields.get("where") {
            match read_conditions(json) {
                Ok(found) => conditions = found,
                Err(detail) => fields.wrong("where", detail),
            }
        }
        fields.finish();
        let column = column?;
        (errors.len() == before).then_some(Self { column, conditions })
    }
}

fn read_conditions(json: &Json) -> Result<Vec<(Column, String)>, String> {
    let shape =
        "columns and the values that they must have are expected, such as {\"sensor\": \"T1\"}";
    let object = json.as_object().ok_or(shape)?;
    if object.len() > CONDITIONS_MAX {
        return Err(format!("at most {CONDITIONS_MAX} conditions are expected"));
    }
    let mut conditions = Vec::new();
    for (name, value) in object {
        let column = Column::parse(&Json::from(name.as_str())).ok_or(COLUMN_EXPECTED)?;
        let value = match value {
            Json::String(text) if text.len() <= NAME_BYTES_MAX => text.trim().to_owned(),
            Json::Number(number) => number.to_string(),
            Json::Bool(truth) => truth.to_string(),
            _ => return Err(shape.to_owned()),
        };
        conditions.push((column, value));
    }
    Ok(conditions)
}

/// What a form for an address is made of.
pub(crate) fn describe() -> Json {
    json!({
        "type": "object",
        "required": ["column"],
        "additionalProperties": false,
        "x-order": ["column", "where"],
        "properties": {
            "column": field(
                json!({"type": ["string", "integer"], "minimum": 1, "maxLength": NAME_BYTES_MAX}),
                ["Column", "列"],
                ["Its name, or its number counted from 1", "列名，或从 1 开始的列号"],
            ),
            "where": field(
                json!({
                    "type": ["object", "null"],
                    "maxProperties": CONDITIONS_MAX,
                    "additionalProperties": {"type": ["string", "number", "boolean"]},
                }),
                ["Only rows with", "行筛选"],
                [
                    "Values of other columns, for tables with a row for each measurement: {\"sensor\": \"T1\"}",
                    "一行一测点的长表按其他列的值筛选：{\"sensor\": \"T1\"}",
                ],
            ),
        },
    })
}

/// Which cells of a row are for which points, for a table whose columns are known.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    groups: Vec<Group>,
    /// Points whose columns the table lacks, with the first that is missing.
    pub(crate) missing: Vec<(usize, Column)>,
}

/// Points that look at the same columns to choose their rows.
#[derive(Debug)]
struct Group {
    keys: Vec<usize>,
    /// Points and their columns by the values of the keys.
    points: HashMap<String, Vec<(usize, usize)>>,
}

impl Matcher {
    pub(crate) fn new(addresses: &[PointAddress], header: Option<&[String]>) -> Self {
        let mut matcher = Self::default();
        let mut by_keys: HashMap<Vec<usize>, usize> = HashMap::new();
        // A header is looked up once, not once for each of thousands of points.
        let places: Option<HashMap<&str, usize>> = header
            .map(|names| names.iter().enumerate().rev().map(|(at, n)| (n.as_str(), at)).collect());
        let find = |column: &Column| match (column, &places) {
            (Column::Name(name), Some(places)) => places.get(name.as_str()).copied(),
            _ => column.find(header),
        };
        for (point, address) in addresses.iter().enumerate() {
            let columns = address.conditions.iter().map(|(column, _)| column);
            let all = std::iter::once(&address.column).chain(columns);
            if let Some(missing) = all.into_iter().find(|column| find(column).is_none()) {
                matcher.missing.push((point, missing.clone()));
                continue;
            }
            let mut conditions: Vec<(usize, &str)> = address
                .conditions
                .iter()
                .filter_map(|(column, value)| Some((find(column)?, value.as_str())))
                .collect();
            conditions.sort_unstable();
            let keys: Vec<usize> = conditions.iter().map(|(at, _)| *at).collect();
            let mut key = String::new();
            conditions.iter().for_each(|(_, value)| push_part(&mut key, value));
            let group = *by_keys.entry(keys.clone()).or_insert_with(|| {
                matcher.groups.push(Group { keys, points: HashMap::new() });
                matcher.groups.len() - 1
            });
            if let (Some(group), Some(at)) = (matcher.groups.get_mut(group), find(&address.column))
            {
                group.points.entry(key).or_default().push((point, at));
            }
        }
        matcher
    }

    /// Calls for each point that a row is for, with the place of its cell.
    pub(crate) fn each<'a>(
        &self,
        cell: impl Fn(usize) -> Option<&'a str>,
        mut found: impl FnMut(usize, usize),
    ) {
        let mut key = String::new();
        'groups: for group in &self.groups {
            key.clear();
            for at in &group.keys {
                let Some(value) = cell(*at) else { continue 'groups };
                push_part(&mut key, value.trim());
            }
            for (point, at) in group.points.get(&key).into_iter().flatten() {
                found(*point, *at);
            }
        }
    }

    /// How many readings one row makes, at the most and about.
    pub(crate) fn points_per_row(&self) -> usize {
        let per_row = |group: &Group| group.points.values().map(Vec::len).max().unwrap_or(0);
        self.groups.iter().map(per_row).sum()
    }
}

fn push_part(key: &mut String, value: &str) {
    key.push_str(value);
    key.push(PART);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
        let mut errors = Vec::new();
        PointAddress::parse(&json, "/points/0/address", &mut errors)
            .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
    }

    #[test]
    fn reads_addresses_and_names_what_is_wrong() {
        let address =
            parse(json!({"column": "value", "where": {"sensor": "T1", "line": 2}})).unwrap();
        assert_eq!(address.column, Column::Name("value".into()));
        assert_eq!(address.conditions.len(), 2);
        assert_eq!(parse(json!({"column": 3})).unwrap().column, Column::Place(3));
        let wrong = |json, field: &str| {
            assert_eq!(parse(json), Err(vec![format!("/points/0/address{field}")]));
        };
        wrong(json!({}), "/column");
        wrong(json!({"column": 0}), "/column");
        wrong(json!({"column": ""}), "/column");
        wrong(json!({"column": "x", "where": "sensor = 1"}), "/where");
        wrong(json!({"column": "x", "where": {"a": []}}), "/where");
        wrong(json!({"column": "x", "columns": 1}), "/columns");
    }

    #[test]
    fn finds_the_points_of_each_row() {
        let header: Vec<String> = ["time", "sensor", "value", "state"].map(str::to_owned).into();
        let addresses: Vec<_> = [
            json!({"column": "value", "where": {"sensor": "T1"}}),
            json!({"column": "value", "where": {"sensor": "T2"}}),
            json!({"column": 4, "where": {"sensor": "T2"}}),
            json!({"column": "state"}),
            json!({"column": "pressure"}),
            json!({"column": "value", "where": {"line": "1"}}),
        ]
        .into_iter()
        .map(|json| parse(json).unwrap())
        .collect();
        let matcher = Matcher::new(&addresses, Some(&header));
        let missing: Vec<_> = matcher.missing.iter().map(|(point, _)| *point).collect();
        assert_eq!(missing, [4, 5]);
        assert_eq!(matcher.points_per_row(), 3);
        let hits = |row: &[&'static str]| {
            let mut hits = Vec::new();
            matcher.each(|at| row.get(at).copied(), |point, at| hits.push((point, at)));
            hits.sort_unstable();
            hits
        };
        assert_eq!(hits(&["t", " T1", "5", "on"]), [(0, 2), (3, 3)]);
        assert_eq!(hits(&["t", "T2", "5", "on"]), [(1, 2), (2, 3), (3, 3)]);
        assert_eq!(hits(&["t"]), [(3, 3)], "a short row has no such cell, which its reader sees");
        let columns = [Column::Name("2".into()), Column::Name("x".into()), Column::Place(2)];
        assert_eq!(columns.map(|c| c.find(None)), [Some(1), None, Some(1)]);
    }
}
