//! The three tables: `samples`, `tags` and `assets`.

mod documents;
mod page;
mod predicate;
mod samples;
mod scan;

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::SessionContext;

use crate::error::Unreadable;
use crate::source::{Source, SourceError};

/// Adds the tables of a source to a session.
pub(crate) fn register(session: &SessionContext, source: &Arc<dyn Source>) -> Result<()> {
    session.register_table("samples", Arc::new(samples::SamplesTable::new(Arc::clone(source))))?;
    for kind in [documents::Kind::Tags, documents::Kind::Assets] {
        let table = documents::DocumentTable::new(kind, Arc::clone(source));
        session.register_table(kind.name(), Arc::new(table))?;
    }
    Ok(())
}

fn unreadable(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(Unreadable(error)))
}
