//! Merging: of each left row, which right row is the nearest, in one pass over both.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use datafusion::arrow::compute::interleave;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::PhysicalExpr;
use futures::{Stream, StreamExt, stream};

use super::Match;

/// Right batches that are held for left rows that are not given out yet.
const HELD_MAX: usize = 16;

/// One of the two inputs.
pub(super) struct Side {
    rows: SendableRecordBatchStream,
    on: Vec<Arc<dyn PhysicalExpr>>,
    at: Arc<dyn PhysicalExpr>,
    keys: RowConverter,
    times: RowConverter,
}

/// A batch with what it is compared by, as bytes that compare like it.
struct Sorted {
    batch: RecordBatch,
    keys: Rows,
    times: Rows,
    /// Whether nothing that is compared is null.
    there: Vec<bool>,
    /// Whether a row of it is joined with a left row that is not given out yet.
    is_used: bool,
}

impl Side {
    pub(super) fn new(
        rows: SendableRecordBatchStream,
        on: Vec<Arc<dyn PhysicalExpr>>,
        at: Arc<dyn PhysicalExpr>,
    ) -> Result<Self> {
        let schema = rows.schema();
        let field = |expr: &Arc<dyn PhysicalExpr>| Ok(SortField::new(expr.data_type(&schema)?));
        let mut fields = on.iter().map(field).collect::<Result<Vec<_>>>()?;
        if fields.is_empty() {
            // Without an equality all rows have the same key.
            fields.push(SortField::new(datafusion::arrow::datatypes::DataType::Boolean));
        }
        let keys = RowConverter::new(fields)?;
        let times = RowConverter::new(vec![field(&at)?])?;
        Ok(Self { rows, on, at, keys, times })
    }

    /// The next batch that has rows.
    async fn next(&mut self) -> Result<Option<Sorted>> {
        while let Some(batch) = self.rows.next().await {
            let batch = batch?;
            let rows = batch.num_rows();
            if rows == 0 {
                continue;
            }
            let value = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(&batch)?.into_array(rows);
            let mut on = self.on.iter().map(value).collect::<Result<Vec<ArrayRef>>>()?;
            let at = value(&self.at)?;
            if on.is_empty() {
                on.push(Arc::new(BooleanArray::from(vec![true; rows])));
            }
            let there =
                (0..rows).map(|row| on.iter().chain([&at]).all(|array| array.is_valid(row)));
            let there = there.collect();
            let (keys, times) =
                (self.keys.convert_columns(&on)?, self.times.convert_columns(&[at])?);
            return Ok(Some(Sorted { batch, keys, times, there, is_used: false }));
        }
        Ok(None)
    }
}

/// The join on its way.
struct Joining {
    left: Side,
    right: Side,
    how: Match,
    schema: SchemaRef,
    memory: MemoryReservation,
    /// The left batch, and which of its rows is next.
    current: Option<(Sorted, usize)>,
    /// Right batches from the first on that a row is or may be joined with; none in the place of those
    /// between that no row is. The last is being read.
    held: VecDeque<Option<Sorted>>,
    /// The row of the last of them that is next.
    next: usize,
    is_read: bool,
    /// The last right row that was passed over, as batch and row.
    passed: Option<(usize, usize)>,
}

/// Left rows, each with the nearest right row or nulls.
pub(super) fn join(
    left: Side,
    right: Side,
    how: Match,
    schema: SchemaRef,
    memory: MemoryReservation,
) -> impl Stream<Item = Result<RecordBatch>> {
    let joining = Joining {
        left,
        right,
        how,
        schema,
        memory,
        current: None,
        held: VecDeque::new(),
        next: 0,
        is_read: false,
        passed: None,
    };
    stream::try_unfold(joining, |mut joining| async move {
        let batch = joining.batch().await?;
        Ok(batch.map(|batch| (batch, joining)))
    })
}

impl Joining {
    /// The next left rows with their right rows.
    async fn batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.current.is_none() {
            let Some(rows) = self.left.next().await? else { return Ok(None) };
            self.current = Some((rows, 0));
        }
        let Some((rows, from)) = self.current.take() else { return Ok(None) };
        let total = rows.batch.num_rows();
        let (mut places, mut row) = (Vec::with_capacity(total - from), from);
        while row < total {
            let place = if rows.there[row] { self.nearest(&rows, row).await? } else { None };
            if let Some(right) = place.and_then(|(batch, _)| self.held[batch].as_mut()) {
                right.is_used = true;
            }
            places.push(place);
            row += 1;
            if self.held.iter().flatten().count() > HELD_MAX {
                break;
            }
        }
        let joined = self.joined(&rows.batch.slice(from, row - from), &places)?;
        if row < total {
            self.current = Some((rows, row));
        }
        self.let_go();
        Ok(Some(joined))
    }

    /// Passes over the right rows that come before a left row, and gives the nearest.
    async fn nearest(&mut self, rows: &Sorted, row: usize) -> Result<Option<(usize, usize)>> {
        let (key, time) = (rows.keys.row(row), rows.times.row(row));
        loop {
            let last = self.held.len().wrapping_sub(1);
            let Some(right) = self.reading() else {
                if self.is_read {
                    break;
                }
                match self.right.next().await? {
                    Some(batch) => self.hold(batch)?,
                    None => self.is_read = true,
                }
                continue;
            };
            let order = right.keys.row(self.next).cmp(&key);
            let at = right.times.row(self.next).cmp(&time);
            let is_before = match (order, self.how) {
                _ if !right.there[self.next] => true,
                (Ordering::Less, _) => true,
                (Ordering::Greater, _) => false,
                (Ordering::Equal, Match::UpTo | Match::After) => at != Ordering::Greater,
                (Ordering::Equal, Match::Before | Match::From) => at == Ordering::Less,
            };
            if !is_before {
                break;
            }
            if right.there[self.next] && self.how.looks_back() {
                self.passed = Some((last, self.next));
            }
            self.next += 1;
        }
        let found = match self.how.looks_back() {
            true => self.passed,
            false => {
                let last = self.held.len().wrapping_sub(1);
                self.reading().map(|_| (last, self.next))
            }
        };
        let is_of_key = |(batch, row): &(usize, usize)| {
            self.held[*batch].as_ref().is_some_and(|right| right.keys.row(*row) == key)
        };
        Ok(found.filter(is_of_key))
    }

    /// The right batch whose rows are next, while it has any.
    fn reading(&self) -> Option<&Sorted> {
        self.held.back()?.as_ref().filter(|right| self.next < right.there.len())
    }

    /// Takes one more right batch, and lets go of those that no row is joined with.
    fn hold(&mut self, batch: Sorted) -> Result<()> {
        let passed = self.passed.map(|(batch, _)| batch);
        for (place, held) in self.held.iter_mut().enumerate() {
            if Some(place) != passed && held.as_ref().is_some_and(|right| !right.is_used) {
                *held = None;
            }
        }
        self.held.push_back(Some(batch));
        self.next = 0;
        let bytes = |held: &Sorted| {
            held.batch.get_array_memory_size() + held.keys.size() + held.times.size()
        };
        self.memory.try_resize(self.held.iter().flatten().map(bytes).sum())
    }

    /// Left rows beside the right rows at these places.
    fn joined(&self, left: &RecordBatch, places: &[Option<(usize, usize)>]) -> Result<RecordBatch> {
        let width = left.num_columns();
        let mut columns = left.columns().to_vec();
        for (place, field) in self.schema.fields().iter().enumerate().skip(width) {
            let nothing = new_null_array(field.data_type(), 1);
            let mut arrays: Vec<&dyn Array> = vec![&nothing];
            arrays.extend(self.held.iter().map(|right| match right {
                Some(right) => &**right.batch.column(place - width),
                None => &*nothing,
            }));
            let at: Vec<(usize, usize)> =
                places.iter().map(|place| place.map_or((0, 0), |(b, row)| (b + 1, row))).collect();
            columns.push(interleave(&arrays, &at)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(left.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// Lets go of right batches that no further row is joined with.
    fn let_go(&mut self) {
        let first = self.passed.map_or(usize::MAX, |(batch, _)| batch);
        let needed = first.min(self.held.len().saturating_sub(1));
        self.held.drain(..needed);
        self.held.iter_mut().flatten().for_each(|right| right.is_used = false);
        self.passed = self.passed.and_then(|(batch, row)| Some((batch.checked_sub(needed)?, row)));
    }
}
