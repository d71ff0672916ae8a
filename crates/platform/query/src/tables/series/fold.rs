//! From pages of samples to a row for each group.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampNanosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{HashMap, Result};
use weir_model::{Buckets, SamplePage, TagId, push_run};

use super::super::page::{Ids, severity_names};
use super::Output;
use super::group::{Group, Needs};

/// Groups of one batch.
const GROUPS_MAX: usize = 8192;

/// What a group is of: of what is no key, always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    tag: TagId,
    /// When the stretch of time begins.
    bucket: i64,
    severity: u8,
}

/// Folds samples into groups.
pub(super) struct Folding {
    outputs: Arc<[Output]>,
    needs: Needs,
    buckets: Option<Buckets>,
    by_quality: bool,
    has_tag: bool,
    ids: Arc<Ids>,
    schema: SchemaRef,
    groups: Groups,
}

enum Groups {
    /// One tag after the other.
    InOrder {
        /// Those that may go on: of one tag and stretch of time.
        open: Vec<(Key, Group)>,
        /// Those that do not.
        done: Vec<(Key, Group)>,
    },
    Any(HashMap<Key, Group>),
}

impl Groups {
    fn at(&mut self, key: Key) -> &mut Group {
        match self {
            Self::InOrder { open, done } => {
                if open.first().is_some_and(|(of, _)| (of.tag, of.bucket) != (key.tag, key.bucket))
                {
                    done.append(open);
                }
                let known = open.iter().position(|(of, _)| *of == key);
                let place = known.unwrap_or(open.len());
                if known.is_none() {
                    open.push((key, Group::default()));
                }
                &mut open[place].1
            }
            Self::Any(groups) => groups.entry(key).or_default(),
        }
    }
}

impl Folding {
    /// No groups yet. With `is_by_tag` they come one after the other.
    pub(super) fn new(
        outputs: Arc<[Output]>,
        buckets: Option<Buckets>,
        is_by_tag: bool,
        ids: Arc<Ids>,
        schema: SchemaRef,
    ) -> Self {
        let needs = Needs::of(&outputs);
        let by_quality = outputs.contains(&Output::Quality);
        let has_tag = is_by_tag || outputs.contains(&Output::Tag);
        let groups = match is_by_tag {
            true => Groups::InOrder { open: Vec::new(), done: Vec::new() },
            false => Groups::Any(HashMap::new()),
        };
        Self { outputs, needs, buckets, by_quality, has_tag, ids, schema, groups }
    }

    /// Takes a page, whose samples come behind those before it.
    pub(super) fn add(&mut self, page: &SamplePage) {
        for sum in &page.sums {
            let bucket = self.buckets.map_or(0, |buckets| start(buckets, sum.from));
            let key = self.key(sum.tag, bucket);
            if !self.by_quality {
                self.groups.at(key).add_sum(sum);
                continue;
            }
            for (severity, rows) in (0..).zip(sum.severities).filter(|(_, rows)| *rows > 0) {
                self.groups.at(Key { severity, ..key }).rows += i64::from(rows);
            }
        }
        let mut from = 0;
        let mut qualities = page.qualities.iter().map(|(quality, rows)| (*quality, *rows as usize));
        let (mut severity, mut same) = (0, 0);
        for (tag, rows) in &page.tags {
            let end = from + *rows as usize;
            while from < end {
                let (bucket, mut stop) = match self.buckets {
                    None => (0, end),
                    Some(buckets) => stretch(buckets, &page.times, from..end),
                };
                if self.by_quality {
                    while same == 0
                        && let Some((quality, rows)) = qualities.next()
                    {
                        (severity, same) = (quality.severity() as u8, rows);
                    }
                    stop = stop.min(from + same.max(1));
                    same = same.saturating_sub(stop - from);
                }
                let key = Key { severity, ..self.key(*tag, bucket) };
                self.groups.at(key).add(self.needs, page, from..stop);
                from = stop;
            }
        }
    }

    fn key(&self, tag: TagId, bucket: i64) -> Key {
        Key { tag: if self.has_tag { tag } else { TagId(0) }, bucket, severity: 0 }
    }

    /// Bytes of the groups.
    pub(super) fn bytes(&self) -> usize {
        let groups = match &self.groups {
            Groups::InOrder { done, .. } => done.capacity(),
            Groups::Any(groups) => groups.capacity(),
        };
        groups * size_of::<(Key, Group)>()
    }

    /// Takes all groups of another into its own, which are not in order.
    pub(super) fn join(&mut self, other: &mut Self) {
        if let Groups::Any(groups) = &mut other.groups {
            groups.drain().for_each(|(key, group)| self.groups.at(key).join(&group));
        }
    }

    /// The groups that are done, where they are enough for a batch.
    pub(super) fn full(&mut self) -> Result<Option<RecordBatch>> {
        match &mut self.groups {
            Groups::InOrder { done, .. } if done.len() >= GROUPS_MAX => {
                let done = std::mem::take(done);
                self.batch(&done).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The groups that are left.
    pub(super) fn finish(self) -> Result<Vec<RecordBatch>> {
        let none = Groups::Any(HashMap::new());
        let mut this = self;
        let mut groups: Vec<(Key, Group)> = match std::mem::replace(&mut this.groups, none) {
            Groups::InOrder { open, mut done } => {
                done.extend(open);
                done
            }
            Groups::Any(groups) => groups.into_iter().collect(),
        };
        let has_keys = this.outputs.iter().any(|output| output.is_key());
        if groups.is_empty() && !has_keys {
            // Of no samples at all there is a row as well.
            groups.push((this.key(TagId(0), 0), Group::default()));
        }
        groups.chunks(GROUPS_MAX).map(|groups| this.batch(groups)).collect()
    }

    fn batch(&self, groups: &[(Key, Group)]) -> Result<RecordBatch> {
        let columns = self.outputs.iter().zip(self.schema.fields()).map(|(output, field)| {
            let column = self.column(*output, groups)?;
            Ok(cast(&column, field.data_type())?)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }

    fn column(&self, output: Output, groups: &[(Key, Group)]) -> Result<ArrayRef> {
        let each = || groups.iter().map(|(_, group)| group);
        let doubles = |of: fn(&Group) -> Option<f64>| -> ArrayRef {
            Arc::new(each().map(of).collect::<Float64Array>())
        };
        let counts = |of: fn(&Group) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(each().map(of)))
        };
        let times = |of: fn(&(Key, Group)) -> Option<i64>| -> ArrayRef {
            let times = groups.iter().map(of).collect::<TimestampNanosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        };
        Ok(match output {
            Output::Tag => {
                let mut runs = Vec::new();
                groups.iter().for_each(|(key, _)| push_run(&mut runs, key.tag, 1));
                self.ids.of(&runs)?
            }
            Output::Bucket => times(|(key, _)| Some(key.bucket)),
            Output::Quality => {
                severity_names(groups.iter().map(|(key, _)| (key.severity.into(), 1)))?
            }
            Output::Rows => counts(|group| group.rows),
            Output::Count => counts(|group| group.count),
            Output::Sum => doubles(|group| (group.count > 0).then_some(group.sum)),
            Output::Average => {
                doubles(|group| (group.count > 0).then(|| group.sum / group.count as f64))
            }
            Output::Least => doubles(|group| Some(group.range.ends()?.0)),
            Output::Greatest => doubles(|group| Some(group.range.ends()?.1)),
            Output::First => doubles(|group| group.first),
            Output::Last => doubles(|group| group.last),
            Output::Earliest => times(|(_, group)| Some(group.times?.0)),
            Output::Latest => times(|(_, group)| Some(group.times?.1)),
            Output::Spread(spread) => {
                Arc::new(each().map(|group| group.spread(spread)).collect::<Float64Array>())
            }
        })
    }
}

/// The start of a stretch of time. One that begins before the range of times is told by its earliest.
fn start(buckets: Buckets, time: i64) -> i64 {
    i64::try_from(buckets.around(time).0).unwrap_or(i64::MIN)
}

/// The start of the stretch that the first of some times is in, and up to which of them they are.
fn stretch(buckets: Buckets, times: &[i64], rows: Range<usize>) -> (i64, usize) {
    let (start, end) = buckets.around(times[rows.start]);
    let stop = rows.start + times[rows].partition_point(|time| i128::from(*time) < end);
    (i64::try_from(start).unwrap_or(i64::MIN), stop)
}
