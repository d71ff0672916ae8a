//! The step of a plan that reads samples.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, new_null_array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column as ColumnExpr, col};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    ReplaceChildrenOptions, SortOrderPushdownResult,
};
use futures::{StreamExt, TryStreamExt, stream};
use weir_model::{NumberRange, SampleColumns, SamplesWanted, Severities, TagId, Timestamp};

use super::latest;
use super::page::{self, Column, Pager};
use super::predicate::Predicate;
use super::samples::Which;
use super::unreadable;
use crate::source::{Pages, Source};

/// Samples that the planner expects of each tag, where it has to choose which of two tables to keep in
/// memory: more than any list of tags or assets has rows.
const ROWS_EXPECTED: usize = 1_000_000;

/// Tags that are read in the order of their identifiers in any case. The samples of more are read in
/// the order that they lie in files, unless the statement asks for the other.
const SORTED_TAGS_MAX: usize = 64;

/// Reads samples: tag by tag, and of each tag by time.
#[derive(Clone)]
pub(super) struct SamplesScan {
    which: Which,
    source: Arc<dyn Source>,
    /// In the order that they are read.
    tags: Arc<[(TagId, String)]>,
    from: i64,
    to: i64,
    numbers: Option<NumberRange>,
    severities: Severities,
    columns: Vec<Column>,
    /// Most rows that are wanted.
    fetch: Option<usize>,
    /// Conditions on the column `tag` that are known only once other tables were read: what a join
    /// with `tags` lets through.
    filters: Vec<Arc<dyn PhysicalExpr>>,
    /// Whether the tags are in the order of their identifiers.
    is_sorted: bool,
    properties: Arc<PlanProperties>,
}

impl SamplesScan {
    /// All columns of the samples that a predicate lets through.
    pub(super) fn new(
        which: Which,
        source: Arc<dyn Source>,
        mut tags: Vec<(TagId, String)>,
        asked: Predicate,
    ) -> Result<Self> {
        tags.sort_by(|a, b| a.1.cmp(&b.1));
        let is_sorted = tags.len() <= SORTED_TAGS_MAX || tags.is_sorted_by_key(|(tag, _)| *tag);
        if !is_sorted {
            tags.sort_by_key(|(tag, _)| *tag);
        }
        let properties = properties(page::schema(), tags.len(), is_sorted)?;
        Ok(Self {
            which,
            source,
            tags: tags.into(),
            from: asked.from,
            to: asked.to,
            numbers: asked.numbers,
            severities: asked.severities,
            columns: Column::ALL.to_vec(),
            fetch: None,
            filters: Vec::new(),
            is_sorted,
            properties,
        })
    }

    /// The same of some columns.
    pub(super) fn of_columns(self, projection: Option<&Vec<usize>>) -> Result<Self> {
        let Some(places) = projection else { return Ok(self) };
        let columns = places.iter().filter_map(|place| Column::ALL.get(*place)).copied();
        let schema = Arc::new(page::schema().project(places)?);
        let properties = properties(schema, self.tags.len(), self.is_sorted)?;
        Ok(Self { columns: columns.collect(), properties, ..self })
    }

    /// The same with a bound on its rows.
    pub(super) fn with_limit(self, fetch: Option<usize>) -> Self {
        Self { fetch, ..self }
    }

    /// Reads what is wanted.
    pub(super) fn pages(&self, wanted: SamplesWanted) -> Pages {
        match self.which {
            Which::All => self.source.samples(wanted),
            Which::Newest => latest::pages(Arc::clone(&self.source), wanted),
        }
    }

    /// The same in the order of identifiers.
    fn sorted(&self) -> Result<Self> {
        let mut tags = self.tags.to_vec();
        tags.sort_by(|a, b| a.1.cmp(&b.1));
        let properties = properties(self.schema(), tags.len(), true)?;
        Ok(Self { tags: tags.into(), is_sorted: true, properties, ..self.clone() })
    }

    /// What is to be read of some of its tags; nothing where nothing is.
    pub(super) fn asked(
        &self,
        tags: Arc<[TagId]>,
        columns: SampleColumns,
    ) -> Option<SamplesWanted> {
        let (from, to) = (Timestamp::from_nanos(self.from), Timestamp::from_nanos(self.to));
        let nothing = tags.is_empty()
            || from >= to
            || self.fetch == Some(0)
            || self.severities == Severities::NONE;
        let Self { numbers, severities, .. } = *self;
        let wanted = SamplesWanted { tags, from, to, numbers, severities, columns, sums: None };
        (!nothing).then_some(wanted)
    }

    /// The tags with their identifiers, in the order that they are read.
    pub(super) fn tags(&self) -> &Arc<[(TagId, String)]> {
        &self.tags
    }

    /// The columns that it gives.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether it is known before it runs which rows it reads.
    pub(super) fn is_settled(&self) -> bool {
        self.filters.is_empty() && self.fetch.is_none()
    }

    /// The tags whose samples are read, once the conditions on them are known.
    fn wanted(&self) -> Result<Arc<[TagId]>> {
        let all = || self.tags.iter().map(|(tag, _)| *tag);
        if self.filters.is_empty() || self.tags.is_empty() {
            return Ok(all().collect());
        }
        let ids: StringViewArray = self.tags.iter().map(|(_, id)| Some(id.as_str())).collect();
        let ids: ArrayRef = Arc::new(ids);
        let schema = page::schema().project(&self.places())?;
        let columns =
            self.columns.iter().zip(schema.fields()).map(|(column, field)| match column {
                Column::Tag => Arc::clone(&ids),
                _ => new_null_array(field.data_type(), ids.len()),
            });
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = datafusion::arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
        let rows = RecordBatch::try_new(Arc::new(schema), columns.collect())?;
        let mut keep = vec![true; ids.len()];
        for filter in &self.filters {
            let passed = filter.evaluate(&rows)?.into_array(ids.len())?;
            let Some(passed) = passed.as_boolean_opt() else { continue };
            for (row, keep) in keep.iter_mut().enumerate() {
                *keep &= passed.is_valid(row) && passed.value(row);
            }
        }
        Ok(all().zip(keep).filter(|(_, keep)| *keep).map(|(tag, _)| tag).collect())
    }

    fn places(&self) -> Vec<usize> {
        self.columns.iter().map(|column| *column as usize).collect()
    }

    fn is_about_tags(&self, filter: &Arc<dyn PhysicalExpr>) -> bool {
        let columns = collect_columns(filter);
        let is_tag = |column: &ColumnExpr| self.columns.get(column.index()) == Some(&Column::Tag);
        !columns.is_empty() && columns.iter().all(is_tag)
    }
}

/// What is known of its rows.
fn properties(schema: SchemaRef, tags: usize, is_sorted: bool) -> Result<Arc<PlanProperties>> {
    let orders = match is_sorted {
        true => ordered(schema, tags)?,
        false => EquivalenceProperties::new(schema),
    };
    Ok(Arc::new(PlanProperties::new(
        orders,
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    )))
}

/// The orders that the rows of so many tags have, where they are read by identifier.
fn ordered(schema: SchemaRef, tags: usize) -> Result<EquivalenceProperties> {
    let by = |name: &str| col(name, &schema).ok().map(PhysicalSortExpr::new_default);
    let mut orders: Vec<Vec<PhysicalSortExpr>> = Vec::new();
    if let Some(tag) = by("tag") {
        orders.push([Some(tag), by("time")].into_iter().flatten().collect());
    }
    if let Some(time) = by("time").filter(|_| tags <= 1) {
        orders.push(vec![time]);
    }
    Ok(EquivalenceProperties::new_with_orderings(Arc::clone(&schema), orders))
}

impl fmt::Debug for SamplesScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for SamplesScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.which == Which::All { "Samples" } else { "LastValues" };
        write!(f, "{what}: tags={}", self.tags.len())?;
        if self.from > i64::MIN {
            write!(f, ", from={}", Timestamp::from_nanos(self.from))?;
        }
        if self.to < i64::MAX {
            write!(f, ", to={}", Timestamp::from_nanos(self.to))?;
        }
        if let Some(fetch) = self.fetch {
            write!(f, ", fetch={fetch}")?;
        }
        if self.numbers.is_some() {
            f.write_str(", numbers in a range")?;
        }
        if self.severities != Severities::ALL {
            f.write_str(", qualities")?;
        }
        if !self.filters.is_empty() {
            f.write_str(", tags of a join")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for SamplesScan {
    fn name(&self) -> &str {
        "Samples"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in &self.filters {
            if visit(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
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

    fn execute(
        &self,
        _partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let scan = self.clone();
        let schema = self.schema();
        let pager = Pager::new(self.columns.clone(), Arc::clone(&schema), &self.tags);
        // The tags are chosen when the first rows are asked for: a join has read its other side by then.
        let opened = stream::once(async move {
            let tags = scan.wanted()?;
            let pages = match scan.asked(tags, page::asked(&scan.columns)) {
                Some(wanted) => scan.pages(wanted),
                None => stream::empty().boxed(),
            };
            Ok::<_, DataFusionError>(pages.map_err(unreadable))
        });
        let batches = opened.try_flatten().map(move |page| pager.batches(page?));
        let batches = batches.map_ok(|batches| stream::iter(batches.into_iter().map(Ok)));
        let batches = batches.try_flatten();
        let mut wanted = self.fetch.unwrap_or(usize::MAX);
        let first = batches.scan((), move |(), batch: Result<RecordBatch>| {
            let batch = match batch {
                _ if wanted == 0 => return std::future::ready(None),
                Ok(batch) if batch.num_rows() > wanted => Ok(batch.slice(0, wanted)),
                other => other,
            };
            wanted -= batch.as_ref().map_or(0, RecordBatch::num_rows);
            std::future::ready(Some(batch))
        });
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, first))))
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &datafusion::physical_plan::statistics::StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let of_tag = if self.which == Which::All { ROWS_EXPECTED } else { 1 };
        let expected = self.tags.len().saturating_mul(of_tag);
        let rows = self.fetch.map_or(expected, |fetch| fetch.min(expected));
        let mut statistics = Statistics::new_unknown(&self.schema());
        statistics.num_rows = Precision::Inexact(rows);
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(32));
        Ok(Arc::new(statistics))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(Self { fetch, ..self.clone() }))
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let sorted = self.sorted()?;
        let fits = sorted.properties.equivalence_properties().ordering_satisfy(order.to_vec())?;
        Ok(match fits {
            true => SortOrderPushdownResult::Exact { inner: Arc::new(sorted) },
            false => SortOrderPushdownResult::Unsupported,
        })
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let asked = result.parent_filters.into_iter().map(|parent| parent.filter);
        let (mut scan, mut answers) = (self.clone(), Vec::new());
        for filter in asked {
            // Whoever asked checks each row again: a condition here only leaves tags out.
            answers.push(PushedDown::No);
            if self.is_about_tags(&filter) {
                scan.filters.push(filter);
            }
        }
        let kept = FilterPushdownPropagation::with_parent_pushdown_result(answers);
        if scan.filters.len() == self.filters.len() {
            return Ok(kept);
        }
        Ok(kept.with_updated_node(Arc::new(scan)))
    }
}
