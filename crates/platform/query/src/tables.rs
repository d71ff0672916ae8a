//! The tables: `samples`, `last_values`, `rollup_1m`, `rollup_1h`, `rollup_1d`, `tags` and `assets`.

mod documents;
mod latest;
mod page;
mod predicate;
mod rollups;
mod samples;
mod scan;
mod series;

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use weir_model::RollupStep;

use crate::error::Unreadable;
use crate::source::{Source, SourceError};
pub(crate) use series::FoldSeries;

/// Adds the tables of a source to a session.
pub(crate) fn register(session: &SessionContext, source: &Arc<dyn Source>) -> Result<()> {
    for which in [samples::Which::All, samples::Which::Newest] {
        let table = samples::SamplesTable::new(which, Arc::clone(source));
        session.register_table(which.name(), Arc::new(table))?;
    }
    for step in RollupStep::ALL {
        let table = rollups::RollupTable::new(step, Arc::clone(source));
        session.register_table(rollups::name(step), Arc::new(table))?;
    }
    for kind in [documents::Kind::Tags, documents::Kind::Assets] {
        let table = documents::DocumentTable::new(kind, Arc::clone(source));
        session.register_table(kind.name(), Arc::new(table))?;
    }
    Ok(())
}

/// The columns by which a row of a table is told from others; none where that is not known.
pub(crate) fn key(table: &str) -> &'static [&'static str] {
    match table {
        "samples" | "rollup_1m" | "rollup_1h" | "rollup_1d" => &["tag", "time"],
        "last_values" => &["tag"],
        "tags" | "assets" => &["id"],
        _ => &[],
    }
}

fn unreadable(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(Unreadable(error)))
}
