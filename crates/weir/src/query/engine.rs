//! `weir_query` as the engine of a node: the node knows no engine, and the engine no node.

use std::sync::Arc;
use std::time::Duration;

use super::flight::Guest;
use anyhow::Context;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use weir_model::{
    AssetRow, RollupsWanted, SampleColumns, SamplePage, SamplesWanted, TagId, TagRow, Timestamp,
};
use weir_node::config::Config;
use weir_node::query::{
    FlightAnswer, FlightBody, FlightCall, FlightVisitor, QueryEngine, QueryError, QueryFormat,
    QuerySource,
};
use weir_query::{Engine, Format, Limits, Pages, RollupPages, Source, SourceError, Wanted};

/// The engine of a node with these settings.
pub(crate) fn engine(config: &Config) -> anyhow::Result<Option<Arc<dyn QueryEngine>>> {
    let limits = Limits {
        time: Duration::from_secs(config.query.time_s.into()),
        memory_bytes_max: (config.query.memory_mib as usize) << 20,
        at_once: config.query.at_once,
        rows_max: config.query.rows_max,
        ..Limits::default()
    };
    let engine = Engine::new(limits).context("could not start the threads for SQL")?;
    Ok(Some(Arc::new(Sql { engine: Arc::new(engine), flight: weir_flight::Server::new() })))
}

struct Sql {
    engine: Arc<Engine>,
    flight: weir_flight::Server,
}

impl QueryEngine for Sql {
    fn run(
        &self,
        sql: String,
        format: QueryFormat,
        source: Arc<dyn QuerySource>,
    ) -> BoxFuture<'_, Result<Bytes, QueryError>> {
        let format = match format {
            QueryFormat::Json => Format::Json,
            QueryFormat::Csv => Format::Csv,
            QueryFormat::Arrow => Format::Arrow,
        };
        let answer = self.engine.run(sql, format, Arc::new(Seen(source)));
        async move { answer.await.map(|answer| answer.bytes).map_err(told) }.boxed()
    }

    fn flight(&self, call: FlightCall, visitor: FlightVisitor) -> BoxFuture<'_, FlightAnswer> {
        let guest = Arc::new(Guest { engine: Arc::clone(&self.engine), visitor });
        async move { self.flight.answer(call, guest).await.map(FlightBody::new) }.boxed()
    }
}

pub(super) fn told(error: weir_query::QueryError) -> QueryError {
    use weir_query::QueryError as E;
    let text = error.to_string();
    match error {
        E::Statement(_) | E::NotReading(_) | E::Function(_) => QueryError::Statement(text),
        E::TooLong { .. }
        | E::TooComplex { .. }
        | E::Rows { .. }
        | E::Bytes { .. }
        | E::Memory { .. } => QueryError::Limit(text),
        E::Time { .. } => QueryError::Time(text),
        E::Busy(_) => QueryError::Busy(text),
        E::Source(source) => QueryError::Failed(source),
        other => QueryError::Failed(other.into()),
    }
}

/// What a caller may see, as the engine reads it.
pub(super) struct Seen(pub(super) Arc<dyn QuerySource>);

impl Source for Seen {
    fn numbers(&self, wanted: Wanted<'_>) -> Result<Vec<(TagId, String)>, SourceError> {
        self.0.numbers(wanted)
    }

    fn tags(&self, wanted: Wanted<'_>) -> Result<Vec<TagRow>, SourceError> {
        self.0.tags(wanted)
    }

    fn assets(&self) -> Result<Vec<AssetRow>, SourceError> {
        self.0.assets()
    }

    fn last(
        &self,
        tags: &[TagId],
        span: (Timestamp, Timestamp),
        columns: SampleColumns,
    ) -> Result<SamplePage, SourceError> {
        self.0.last(tags, span, columns)
    }

    fn samples(&self, wanted: SamplesWanted) -> Pages {
        self.0.samples(wanted)
    }

    fn rollups(&self, wanted: RollupsWanted) -> RollupPages {
        self.0.rollups(wanted)
    }
}
