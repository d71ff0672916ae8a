//! From pages of samples to a row for each group.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampNanosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use weir_model::{SamplePage, TagId, push_run};

use super::super::page::Ids;
use super::{Buckets, Output};

/// Groups of one batch.
const GROUPS_MAX: usize = 8192;

/// Sums that are computed beside each other, so that none waits for the one before it.
const LANES: usize = 8;

/// What is known of a group's samples.
#[derive(Debug, Clone, Copy, Default)]
struct Fold {
    rows: i64,
    count: i64,
    sum: f64,
    least: Option<f64>,
    greatest: Option<f64>,
    first: Option<f64>,
    last: Option<f64>,
}

/// Which of it is wanted.
#[derive(Debug, Clone, Copy)]
struct Needs {
    numbers: bool,
    sum: bool,
    least: bool,
    greatest: bool,
}

/// Folds the samples of one tag after the other.
pub(super) struct Folding {
    outputs: Arc<[Output]>,
    needs: Needs,
    buckets: Option<Buckets>,
    ids: Arc<Ids>,
    schema: SchemaRef,
    /// The group that may go on.
    open: Option<(TagId, i64, Fold)>,
    /// Those that do not.
    done: Vec<(TagId, i64, Fold)>,
}

impl Folding {
    pub(super) fn new(
        outputs: Arc<[Output]>,
        buckets: Option<Buckets>,
        ids: Arc<Ids>,
        schema: SchemaRef,
    ) -> Self {
        let has = |wanted: &[Output]| outputs.iter().any(|output| wanted.contains(output));
        let needs = Needs {
            numbers: !outputs
                .iter()
                .all(|o| matches!(o, Output::Tag | Output::Bucket | Output::Rows)),
            sum: has(&[Output::Sum, Output::Average]),
            least: has(&[Output::Least]),
            greatest: has(&[Output::Greatest]),
        };
        Self { outputs, needs, buckets, ids, schema, open: None, done: Vec::new() }
    }

    /// Takes a page, whose samples come behind those before it.
    pub(super) fn add(&mut self, page: &SamplePage) {
        let mut from = 0;
        for (tag, rows) in &page.tags {
            let end = from + *rows as usize;
            while from < end {
                let (bucket, stop) = match self.buckets {
                    None => (0, end),
                    Some(buckets) => buckets.stretch(&page.times, from..end),
                };
                self.add_stretch((*tag, bucket), page, from..stop);
                from = stop;
            }
        }
    }

    fn add_stretch(&mut self, (tag, bucket): (TagId, i64), page: &SamplePage, rows: Range<usize>) {
        let same = |open: &&mut (TagId, i64, Fold)| (open.0, open.1) == (tag, bucket);
        if self.open.as_mut().filter(same).is_none() {
            self.done.extend(self.open.replace((tag, bucket, Fold::default())));
        }
        if let Some((_, _, fold)) = &mut self.open {
            fold.add(self.needs, page, rows);
        }
    }

    /// The groups that are done, where they are enough for a batch.
    pub(super) fn full(&mut self) -> Result<Option<RecordBatch>> {
        if self.done.len() < GROUPS_MAX {
            return Ok(None);
        }
        self.batch().map(Some)
    }

    /// The groups that are left.
    pub(super) fn finish(mut self) -> Result<RecordBatch> {
        self.done.extend(self.open.take());
        self.batch()
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let groups = std::mem::take(&mut self.done);
        let columns = self.outputs.iter().zip(self.schema.fields()).map(|(output, field)| {
            let column = self.column(*output, &groups)?;
            Ok(cast(&column, field.data_type())?)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn column(&self, output: Output, groups: &[(TagId, i64, Fold)]) -> Result<ArrayRef> {
        let doubles = |of: fn(&Fold) -> Option<f64>| -> ArrayRef {
            Arc::new(groups.iter().map(|(_, _, fold)| of(fold)).collect::<Float64Array>())
        };
        let counts = |of: fn(&Fold) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(groups.iter().map(|(_, _, fold)| of(fold))))
        };
        Ok(match output {
            Output::Tag => {
                let mut runs = Vec::new();
                groups.iter().for_each(|(tag, ..)| push_run(&mut runs, *tag, 1));
                self.ids.of(&runs)?
            }
            Output::Bucket => {
                let starts = groups.iter().map(|(_, bucket, _)| *bucket);
                Arc::new(TimestampNanosecondArray::from_iter_values(starts).with_timezone("UTC"))
            }
            Output::Rows => counts(|fold| fold.rows),
            Output::Count => counts(|fold| fold.count),
            Output::Sum => doubles(|fold| (fold.count > 0).then_some(fold.sum)),
            Output::Average => {
                doubles(|fold| (fold.count > 0).then(|| fold.sum / fold.count as f64))
            }
            Output::Least => doubles(|fold| fold.least),
            Output::Greatest => doubles(|fold| fold.greatest),
            Output::First => doubles(|fold| fold.first),
            Output::Last => doubles(|fold| fold.last),
        })
    }
}

impl Buckets {
    /// The start of the stretch that the first of some times is in, and up to which of them they are.
    fn stretch(self, times: &[i64], rows: Range<usize>) -> (i64, usize) {
        let time = i128::from(times[rows.start]);
        let (width, origin) = (i128::from(self.width), i128::from(self.origin));
        let start = origin + (time - origin).div_euclid(width) * width;
        let is_within = |time: &i64| i128::from(*time) < start + width;
        let stop = rows.start + times[rows].partition_point(is_within);
        // A stretch that begins before the range of times is told by its earliest time.
        (i64::try_from(start).unwrap_or(i64::MIN), stop)
    }
}

impl Fold {
    fn add(&mut self, needs: Needs, page: &SamplePage, rows: Range<usize>) {
        let is_first = self.rows == 0;
        self.rows += rows.len() as i64;
        if !needs.numbers || rows.is_empty() {
            return;
        }
        let number = |row: usize| {
            let there = page.present.get(row).is_none_or(|there| *there);
            there.then(|| page.numbers[row])
        };
        if is_first {
            self.first = number(rows.start);
        }
        self.last = number(rows.end - 1);
        match page.present.get(rows.clone()) {
            None => self.add_numbers(needs, &page.numbers[rows]),
            Some(present) => {
                let mut from = rows.start;
                for run in present.chunk_by(|a, b| a == b) {
                    let end = from + run.len();
                    if run[0] {
                        self.add_numbers(needs, &page.numbers[from..end]);
                    }
                    from = end;
                }
            }
        }
    }

    fn add_numbers(&mut self, needs: Needs, numbers: &[f64]) {
        self.count += numbers.len() as i64;
        if needs.sum {
            self.sum += sum(numbers);
        }
        if needs.least {
            let least = |a: f64, b: f64| if b.total_cmp(&a).is_lt() { b } else { a };
            self.least = self.least.into_iter().chain(numbers.iter().copied()).reduce(least);
        }
        if needs.greatest {
            let greatest = |a: f64, b: f64| if b.total_cmp(&a).is_gt() { b } else { a };
            self.greatest =
                self.greatest.into_iter().chain(numbers.iter().copied()).reduce(greatest);
        }
    }
}

fn sum(numbers: &[f64]) -> f64 {
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x);
    }
    sums.iter().chain(rest).sum()
}
