//! What SQL reads from: rows and samples that the caller may see.

use std::collections::BTreeSet;

use futures::stream::BoxStream;
use weir_model::{
    AssetRow, RollupRow, RollupsWanted, SampleColumns, SamplePage, SamplesWanted, TagId, TagRow,
    Timestamp,
};

/// Which things are wanted, by identifier as it is written; all of them where there is no list.
pub type Wanted<'a> = Option<&'a BTreeSet<String>>;

/// Why a source could not be read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Samples in pages of some thousands: those columns that were asked for.
pub type Pages = BoxStream<'static, Result<SamplePage, SourceError>>;

/// Rollups in pages of some thousands.
pub type RollupPages = BoxStream<'static, Result<Vec<RollupRow>, SourceError>>;

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

    /// The newest samples of tags, each given at most once, that have one with `from <= time < to`: in the
    /// order of the tags given.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn last(
        &self,
        tags: &[TagId],
        span: (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, SourceError>;

    /// The samples that are wanted, and no others: tag by tag in the order asked for, and of each tag
    /// by time. Dropping it ends the reading.
    fn samples(&self, wanted: SamplesWanted) -> Pages;

    /// The rollups that are wanted and have a sample: tag by tag in the order asked for, and of each tag
    /// by time. Dropping it ends the reading.
    fn rollups(&self, wanted: RollupsWanted) -> RollupPages;
}
