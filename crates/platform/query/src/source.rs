//! What SQL reads from: rows and samples that the caller may see.

use std::collections::BTreeSet;

use futures::stream::BoxStream;
use weir_model::{DataType, Grade, Samples, TagId, Timestamp};

/// Which things are wanted, by identifier as it is written; all of them where there is no list.
pub type Wanted<'a> = Option<&'a BTreeSet<String>>;

/// Why a source could not be read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Samples in pages, each of at most a few thousand.
pub type Pages = BoxStream<'static, Result<Samples, SourceError>>;

/// What one caller may see. It is asked on the engine's own threads and may read from disk.
pub trait Source: Send + Sync + 'static {
    /// Numbers and identifiers of tags, in any order.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn numbers(&self, wanted: Wanted<'_>) -> Result<Vec<(TagId, String)>, SourceError>;

    /// Tags, in any order.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn tags(&self, wanted: Wanted<'_>) -> Result<Vec<TagRow>, SourceError>;

    /// Assets, in any order.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn assets(&self) -> Result<Vec<AssetRow>, SourceError>;

    /// The samples of tags from a time on, up to and without another: tag by tag as given, and of each
    /// tag by time. Dropping it ends the reading.
    fn samples(&self, tags: Vec<TagId>, from: Timestamp, to: Timestamp) -> Pages;
}

/// A row of the table `tags`.
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
    /// The protocol it is read over.
    pub protocol: String,
    /// The grade that holds for it.
    pub grade: Grade,
}

/// A row of the table `assets`.
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
