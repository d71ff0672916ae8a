//! The table `samples`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::page;
use super::predicate::Predicate;
use super::scan::SamplesScan;
use super::unreadable;
use crate::source::Source;

/// All samples of a source. A statement reads those of the tags and times that it asks for.
pub(super) struct SamplesTable {
    source: Arc<dyn Source>,
}

impl SamplesTable {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self { source }
    }
}

impl std::fmt::Debug for SamplesTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("samples")
    }
}

fn asks(filter: &Expr) -> Option<Predicate> {
    Predicate::of(filter, "tag", Some("time"))
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
        let asked = filters.iter().filter_map(asks).fold(Predicate::ALL, Predicate::and);
        let mut tags = self.source.numbers(asked.ids.as_ref()).map_err(unreadable)?;
        tags.sort_by(|a, b| a.1.cmp(&b.1));
        let scan = SamplesScan::new(Arc::clone(&self.source), tags, asked, projection, limit)?;
        Ok(Arc::new(scan))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let how = |filter: &&Expr| match asks(filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(how).collect())
    }
}
