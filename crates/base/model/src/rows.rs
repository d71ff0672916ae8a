//! Tags and assets as rows: what SQL sees of documents, whoever keeps them.

use crate::{DataType, Grade};

/// A tag as a row.
#[derive(Debug, Clone, PartialEq)]
pub struct TagRow {
    /// The identifier.
    pub id: String,
    /// The name.
    pub name: String,
    /// What it measures, for people.
    pub description: String,
    /// The unit as a UCUM code or as the plant's own text in curly brackets.
    pub unit: Option<String>,
    /// What its values are.
    pub data_type: DataType,
    /// The identifier of the asset it tells about.
    pub asset: Option<String>,
    /// The identifier of the device it is read from.
    pub device: Option<String>,
    /// The protocol it is read over; `http` where samples are sent.
    pub protocol: String,
    /// The grade that holds for it.
    pub grade: Grade,
}

/// An asset as a row.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetRow {
    /// The identifier.
    pub id: String,
    /// The name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Its level in the hierarchy of ISA-95.
    pub level: String,
    /// The identifier of what it is part of.
    pub parent: Option<String>,
    /// The grade that holds for it.
    pub grade: Grade,
}
