//! What SQL reads from: rows and samples that the caller may see.

use std::collections::BTreeSet;

use futures::stream::BoxStream;
use weir_model::{AssetRow, Samples, TagId, TagRow, Timestamp};

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
