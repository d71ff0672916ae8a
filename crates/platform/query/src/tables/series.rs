//! Aggregates of samples, computed where these come from: a tag's samples stand together and in order of
//! time, so that there is nothing to look up for a row, and no row is made of them. Mostly there are not even
//! samples to read: a source may give sums of many in their place.
//!
//! The general way would give the same; what is not recognised here goes that way.

mod fold;
mod group;
mod recognise;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::{
    RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter,
};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, stream};
use weir_model::{Buckets, SampleColumns, SamplesWanted, SumsWanted, TagId};

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
    /// The severity of the quality.
    Quality,
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
    /// The times of these.
    Earliest,
    Latest,
    /// How far values are from their mean.
    Spread(Spread),
}

/// A measure of how far values are from their mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spread {
    /// Whether the values are all that there are, and not a sample of them.
    is_of_all: bool,
    /// Whether its root is taken.
    is_root: bool,
}

impl Output {
    /// Whether it tells groups apart.
    fn is_key(self) -> bool {
        matches!(self, Self::Tag | Self::Bucket | Self::Quality)
    }

    fn is_of_numbers(self) -> bool {
        !self.is_key() && !matches!(self, Self::Rows | Self::Earliest | Self::Latest)
    }

    fn is_of_ends(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Earliest | Self::Latest)
    }
}

/// Reads samples and gives a row for each group.
pub(super) struct SeriesAggregate {
    scan: SamplesScan,
    outputs: Arc<[Output]>,
    buckets: Option<Buckets>,
    /// Whether groups are of one tag each and come one after the other.
    is_by_tag: bool,
    /// Those of the step that it stands for.
    properties: Arc<PlanProperties>,
}

impl SeriesAggregate {
    fn has(&self, is: impl Fn(Output) -> bool) -> bool {
        self.outputs.iter().any(|output| is(*output))
    }

    fn columns(&self) -> SampleColumns {
        SampleColumns {
            times: self.buckets.is_some() || self.has(Output::is_of_ends),
            numbers: self.has(Output::is_of_numbers),
            qualities: self.outputs.contains(&Output::Quality),
            texts: false,
        }
    }

    /// The sums that do in the place of samples. Of a severity they only tell how many there are.
    fn sums(&self) -> Option<SumsWanted> {
        let severities = self.outputs.contains(&Output::Quality);
        let counts_do = self.outputs.iter().all(|one| one.is_key() || *one == Output::Rows);
        (counts_do || !severities).then(|| SumsWanted {
            buckets: self.buckets,
            ends: self.has(Output::is_of_ends),
            severities,
        })
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let ids = Arc::new(Ids::new(self.scan.tags()));
        let new_folding = || {
            let (outputs, ids) = (Arc::clone(&self.outputs), Arc::clone(&ids));
            Folding::new(outputs, self.buckets, self.is_by_tag, ids, Arc::clone(&schema))
        };
        let tags: Vec<TagId> = self.scan.tags().iter().map(|(tag, _)| *tag).collect();
        let parts = if tags.len() < PARTED_TAGS_MIN { 1 } else { PARTS };
        let parts = tags.chunks(tags.len().div_ceil(parts).max(1));
        let wanted: Vec<SamplesWanted> = parts
            .filter_map(|tags| self.scan.asked(tags.into(), self.columns()))
            .map(|wanted| SamplesWanted { sums: self.sums(), ..wanted })
            .collect();
        if wanted.is_empty() {
            let batches = stream::iter(new_folding().finish()?.into_iter().map(Ok));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)));
        }
        // Groups of several tags are put together by the part that is done last.
        let others = Arc::new(Mutex::new((wanted.len(), new_folding())));
        let mut streams = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let mut builder =
                RecordBatchReceiverStreamBuilder::new(Arc::clone(&schema), BATCHES_AHEAD_MAX);
            let (give, scan, is_by_tag) = (builder.tx(), self.scan.clone(), self.is_by_tag);
            let (mut folding, others) = (new_folding(), Arc::clone(&others));
            let memory = MemoryConsumer::new("SeriesAggregate").register(context.memory_pool());
            builder.spawn(async move {
                let mut pages = scan.pages(wanted);
                while let Some(page) = pages.next().await {
                    folding.add(&page.map_err(unreadable)?);
                    memory.try_resize(folding.bytes())?;
                    if let Some(batch) = folding.full()?
                        && give.send(Ok(batch)).await.is_err()
                    {
                        // Nobody reads any more.
                        return Ok(());
                    }
                }
                if !is_by_tag {
                    let mut others = others.lock().unwrap_or_else(PoisonError::into_inner);
                    others.0 -= 1;
                    folding.join(&mut others.1);
                    if others.0 > 0 {
                        std::mem::swap(&mut others.1, &mut folding);
                        return Ok(());
                    }
                }
                for batch in folding.finish()? {
                    if give.send(Ok(batch)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            streams.push(builder.build());
        }
        let rows = stream::iter(streams).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
