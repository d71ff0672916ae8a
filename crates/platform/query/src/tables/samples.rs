//! The tables `samples` and `last_values`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::page;
use super::predicate::{self, Names, Predicate};
use super::scan::SamplesScan;
use super::unreadable;
use crate::source::Source;

/// Which samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// The newest of each tag.
    Newest,
}

impl Which {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::All => "samples",
            Self::Newest => "last_values",
        }
    }
}

/// Samples of a source. A statement reads those of the tags and times that it asks for.
pub(super) struct SamplesTable {
    which: Which,
    source: Arc<dyn Source>,
}

impl SamplesTable {
    pub(super) fn new(which: Which, source: Arc<dyn Source>) -> Self {
        Self { which, source }
    }
}

impl std::fmt::Debug for SamplesTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.which.name())
    }
}

const NAMES: Names = Names { id: "tag", time: true, samples: true };

fn asks(filter: &Expr) -> Option<Predicate> {
    Predicate::of(filter, NAMES)
}

#[async_trait]
impl TableProvider for SamplesTable {
    fn schema(&self) -> SchemaRef {
        page::schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let asked = predicate::asked(filters, asks);
        let tags = self.source.numbers(asked.ids.as_ref()).map_err(unreadable)?;
        let scan = SamplesScan::new(self.which, Arc::clone(&self.source), tags, asked)?;
        let scan = scan.of_columns(projection)?.with_limit(limit);
        Ok(Arc::new(scan))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(predicate::taken_over(filters, asks))
    }
}
