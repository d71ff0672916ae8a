//! What the routes need of an engine for SQL, and what it reads from. The program links one, or none: this
//! crate knows no engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use weir_model::{
    AssetRow, RollupRow, RollupsWanted, SampleColumns, SamplePage, SamplesWanted, TagId, TagRow,
    Timestamp,
};

use crate::{FlightAnswer, FlightCall, FlightVisitor};

/// Runs SQL that reads.
pub trait QueryEngine: Send + Sync {
    /// Runs one statement over what a caller may see, within the engine's own bounds on time, memory and
    /// rows. Dropping the future ends the statement.
    fn run(
        &self,
        sql: String,
        format: QueryFormat,
        source: Arc<dyn QuerySource>,
    ) -> BoxFuture<'_, Result<Bytes, QueryError>>;

    /// Answers a call of Arrow Flight SQL that the door has let in. Dropping the answer's body ends what
    /// runs for it.
    fn flight(&self, call: FlightCall, visitor: FlightVisitor) -> BoxFuture<'_, FlightAnswer>;
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFormat {
    /// `{"columns":[{"name","type"}],"rows":[[…]]}`
    Json,
    /// A header line and a line for each row.
    Csv,
    /// A stream of the Arrow IPC format.
    Arrow,
}

/// Why a statement has no answer. The texts are for whoever wrote it.
#[derive(Debug)]
pub enum QueryError {
    /// It is not SQL, not one that reads, names what is not there, or cannot be computed.
    Statement(String),
    /// It needs more than one statement may: rows, bytes, memory, or parts of its own.
    Limit(String),
    /// It took longer than one statement may.
    Time(String),
    /// As many statements run as may.
    Busy(String),
    /// The source or the engine failed. The source's own error comes back as it was given.
    Failed(QuerySourceError),
}

/// Why a source could not be read.
pub type QuerySourceError = Box<dyn std::error::Error + Send + Sync>;

/// Samples in pages of some thousands: those columns that were asked for.
pub type SamplePages = BoxStream<'static, Result<SamplePage, QuerySourceError>>;

/// Rollups in pages of some thousands.
pub type RollupPages = BoxStream<'static, Result<Vec<RollupRow>, QuerySourceError>>;

/// What one caller may see: filtered by tenant and grade before any SQL asks. Which things are wanted is
/// said by identifier, as it is written; all where nothing is said. It may read from disk, and is
/// therefore not asked on the runtime of the requests.
pub trait QuerySource: Send + Sync {
    /// Numbers and identifiers of tags.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn numbers(
        &self,
        wanted: Option<&BTreeSet<String>>,
    ) -> Result<Vec<(TagId, String)>, QuerySourceError>;

    /// Tags.
    ///
    /// # Errors
    /// Where they cannot be read, or the caller may not read them.
    fn tags(&self, wanted: Option<&BTreeSet<String>>) -> Result<Vec<TagRow>, QuerySourceError>;

    /// Assets.
    ///
    /// # Errors
    /// As [`QuerySource::tags`].
    fn assets(&self) -> Result<Vec<AssetRow>, QuerySourceError>;

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
    ) -> Result<SamplePage, QuerySourceError>;

    /// The samples that are wanted, and no others: tag by tag in the order asked for, and of each by
    /// time. Dropping it ends the reading.
    fn samples(&self, wanted: SamplesWanted) -> SamplePages;

    /// The rollups that are wanted and have a sample: tag by tag in the order asked for, and of each by
    /// time. Dropping it ends the reading.
    fn rollups(&self, wanted: RollupsWanted) -> RollupPages;
}
