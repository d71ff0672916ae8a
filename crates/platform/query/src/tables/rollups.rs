//! The tables `rollup_1m`, `rollup_1h` and `rollup_1d`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampNanosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};
use weir_model::{RollupNumbers, RollupRow, RollupStep, RollupsWanted, TagId, Timestamp, push_run};

use super::page::{Ids, time_type};
use super::predicate::{self, Names, Predicate};
use super::unreadable;
use crate::source::Source;

const NAMES: Names = Names { id: "tag", samples: false, time: true };

fn asks(filter: &Expr) -> Option<Predicate> {
    Predicate::of(filter, NAMES)
}

/// A column's name, and what it has of a row.
type Of<T> = (&'static str, fn(&RollupRow) -> Option<T>);

/// Columns besides the tag and the time.
const COUNTS: [Of<u64>; 3] = [
    ("samples", |row| Some(row.samples)),
    ("count", |row| Some(row.count)),
    ("numbers", |row| Some(row.numbers.map_or(0, |numbers| numbers.count))),
];

const NUMBERS: [Of<f64>; 10] = [
    ("min", |row| row.numbers.map(|numbers| numbers.min)),
    ("max", |row| row.numbers.map(|numbers| numbers.max)),
    ("sum", |row| row.numbers.map(|numbers| numbers.sum)),
    ("avg", |row| row.numbers.map(average)),
    ("first", |row| row.numbers.map(|numbers| numbers.first)),
    ("last", |row| row.numbers.map(|numbers| numbers.last)),
    ("time_avg", |row| row.time_average),
    ("good_seconds", |row| Some(seconds(row.good_ns))),
    ("uncertain_seconds", |row| Some(seconds(row.uncertain_ns))),
    ("bad_seconds", |row| Some(seconds(row.bad_ns))),
];

fn average(numbers: RollupNumbers) -> f64 {
    numbers.sum / numbers.count as f64
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// The name of the table of a step.
pub(super) const fn name(step: RollupStep) -> &'static str {
    match step {
        RollupStep::Minute => "rollup_1m",
        RollupStep::Hour => "rollup_1h",
        RollupStep::Day => "rollup_1d",
    }
}

fn schema() -> SchemaRef {
    let mut fields =
        vec![Field::new("tag", DataType::Utf8View, false), Field::new("time", time_type(), false)];
    fields.extend(COUNTS.iter().map(|(name, _)| Field::new(*name, DataType::Int64, false)));
    fields.extend(NUMBERS.iter().map(|(name, _)| Field::new(*name, DataType::Float64, true)));
    Arc::new(Schema::new(fields))
}

/// Rollups of one step.
pub(super) struct RollupTable {
    step: RollupStep,
    source: Arc<dyn Source>,
    schema: SchemaRef,
}

impl RollupTable {
    pub(super) fn new(step: RollupStep, source: Arc<dyn Source>) -> Self {
        Self { step, source, schema: schema() }
    }
}

impl std::fmt::Debug for RollupTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(name(self.step))
    }
}

#[async_trait]
impl TableProvider for RollupTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
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
        let mut tags = self.source.numbers(asked.ids.as_ref()).map_err(unreadable)?;
        tags.sort_by(|a, b| a.1.cmp(&b.1));
        let wanted = RollupsWanted {
            tags: tags.iter().map(|(tag, _)| *tag).collect(),
            from: Timestamp::from_nanos(asked.from),
            to: Timestamp::from_nanos(asked.to),
            step: self.step,
        };
        let rows = Rows {
            source: Arc::clone(&self.source),
            schema: Arc::clone(&self.schema),
            wanted,
            ids: Arc::new(Ids::new(&tags)),
        };
        // Orders of columns that are given.
        let given = match projection {
            Some(places) => Arc::new(self.schema.project(places)?),
            None => Arc::clone(&self.schema),
        };
        let by = |name: &str| col(name, &given).ok().map(PhysicalSortExpr::new_default);
        let order = by("tag")
            .and_then(|tag| LexOrdering::new([Some(tag), by("time")].into_iter().flatten()));
        let scan = StreamingTableExec::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(rows)],
            projection,
            order,
            false,
            limit,
        )?;
        Ok(Arc::new(scan))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(predicate::taken_over(filters, asks))
    }
}

/// The rows of one statement.
struct Rows {
    source: Arc<dyn Source>,
    schema: SchemaRef,
    wanted: RollupsWanted,
    ids: Arc<Ids>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: tags={}", name(self.wanted.step), self.wanted.tags.len())
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let RollupsWanted { tags, from, to, .. } = &self.wanted;
        let pages = match tags.is_empty() || from >= to {
            true => stream::empty().boxed(),
            false => self.source.rollups(self.wanted.clone()),
        };
        let (schema, ids) = (Arc::clone(&self.schema), Arc::clone(&self.ids));
        let batches = pages.map_err(unreadable).map(move |rows| batch(&schema, &ids, &rows?));
        let schema = Arc::clone(&self.schema);
        make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

fn batch(schema: &SchemaRef, ids: &Ids, rows: &[RollupRow]) -> Result<RecordBatch> {
    let mut tags: Vec<(TagId, u32)> = Vec::new();
    rows.iter().for_each(|row| push_run(&mut tags, row.tag, 1));
    let times = rows.iter().map(|row| row.time.nanos());
    let times = TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC");
    let mut columns: Vec<ArrayRef> = vec![ids.of(&tags)?, Arc::new(times)];
    for (_, of) in COUNTS {
        let counts = rows.iter().map(|row| of(row).and_then(|count| i64::try_from(count).ok()));
        columns.push(Arc::new(counts.collect::<Int64Array>()));
    }
    for (_, of) in NUMBERS {
        columns.push(Arc::new(rows.iter().map(of).collect::<Float64Array>()));
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
