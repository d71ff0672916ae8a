//! Aggregates of each tag, computed where its samples come from: a tag's samples stand together and in
//! order of time, so that there is nothing to look up for a row, and no row is made of them.
//!
//! The general way would give the same; what is not recognised here goes that way.

mod fold;
mod recognise;

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::{
    RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter,
};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, stream};
use weir_model::{SampleColumns, TagId};

use super::page::Ids;
use super::scan::SamplesScan;
use super::unreadable;
use fold::Folding;
pub(crate) use recognise::FoldSeries;

/// Parts of the tags that are read at one time: as many as a small machine has cores.
const PARTS: usize = 2;

/// Tags from which on they are read in parts.
const PARTED_TAGS_MIN: usize = 8;

/// Batches of a part that wait for those before it.
const BATCHES_AHEAD_MAX: usize = 4;

/// What is given for each group, by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// The identifier of the tag.
    Tag,
    /// The start of the stretch of time.
    Bucket,
    /// How many rows.
    Rows,
    /// How many rows have a value.
    Count,
    Sum,
    Average,
    /// Least and greatest in the total order of doubles.
    Least,
    Greatest,
    /// That of the earliest and of the latest row, if it has one.
    First,
    Last,
}

/// Stretches of time of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Buckets {
    width: i64,
    origin: i64,
}

/// Reads samples and gives a row for each tag, or for each tag and stretch of time.
pub(super) struct SeriesAggregate {
    scan: SamplesScan,
    outputs: Arc<[Output]>,
    buckets: Option<Buckets>,
    /// Those of the step that it stands for.
    properties: Arc<PlanProperties>,
}

impl SeriesAggregate {
    fn columns(&self) -> SampleColumns {
        let numbers = self
            .outputs
            .iter()
            .any(|output| !matches!(output, Output::Tag | Output::Bucket | Output::Rows));
        SampleColumns { times: self.buckets.is_some(), numbers, ..SampleColumns::default() }
    }
}

impl fmt::Debug for SeriesAggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for SeriesAggregate {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesAggregate: {:?} of ", self.outputs)?;
        self.scan.fmt_as(kind, f)
    }
}

impl ExecutionPlan for SeriesAggregate {
    fn name(&self) -> &str {
        "SeriesAggregate"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let ids = Arc::new(Ids::new(self.scan.tags()));
        let tags: Vec<TagId> = self.scan.tags().iter().map(|(tag, _)| *tag).collect();
        let parts = if tags.len() < PARTED_TAGS_MIN { 1 } else { PARTS };
        let mut streams = Vec::with_capacity(parts);
        for tags in tags.chunks(tags.len().div_ceil(parts).max(1)) {
            let Some(wanted) = self.scan.asked(tags.into(), self.columns()) else { continue };
            let mut builder =
                RecordBatchReceiverStreamBuilder::new(Arc::clone(&schema), BATCHES_AHEAD_MAX);
            let (give, scan) = (builder.tx(), self.scan.clone());
            let (outputs, ids) = (Arc::clone(&self.outputs), Arc::clone(&ids));
            let mut folding = Folding::new(outputs, self.buckets, ids, Arc::clone(&schema));
            builder.spawn(async move {
                let mut pages = scan.pages(wanted);
                while let Some(page) = pages.next().await {
                    folding.add(&page.map_err(unreadable)?);
                    if let Some(batch) = folding.full()?
                        && give.send(Ok(batch)).await.is_err()
                    {
                        // Nobody reads any more.
                        return Ok(());
                    }
                }
                let _ = give.send(folding.finish()).await;
                Ok(())
            });
            streams.push(builder.build());
        }
        let rows = stream::iter(streams).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
