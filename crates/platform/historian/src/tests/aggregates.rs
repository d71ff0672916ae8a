//! Aggregates are those of the samples that a read gives, however these were stored.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{Quality, Sample, TagId, Value};

use super::*;
use crate::{Aggregate, AggregateQuery, HistorianError, Numbers, RollupLevel, Weighted};

const HOUR: i64 = 3600 * SECOND;

#[derive(Debug, Clone)]
enum Step {
    /// Samples of a tag in a rhythm, all of one kind.
    Append {
        tag: u8,
        start: i64,
        gap: i64,
        count: u16,
        kind: u8,
    },
    Delete {
        tag: u8,
        from: i64,
        length: i64,
    },
    Flush,
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let start = prop_oneof![
        3 => (0..40i64).prop_map(|n| n * 300 * SECOND),
        2 => (0..600i64).prop_map(|n| n * 10 * SECOND + 17),
        1 => (-3..40i64).prop_map(|n| n * HOUR),
    ];
    let gap = prop_oneof![Just(SECOND / 10), Just(SECOND), Just(9 * SECOND), Just(400 * SECOND)];
    let length = prop_oneof![Just(SECOND), Just(100 * SECOND), Just(HOUR), Just(DAY)];
    let append = (0..3u8, start.clone(), gap, 1..700u16, 0..12u8);
    prop_oneof![
        8 => append.prop_map(|(tag, start, gap, count, kind)| {
            Step::Append { tag, start, gap, count, kind }
        }),
        1 => (0..3u8, start, length).prop_map(|(tag, from, length)| Step::Delete { tag, from, length }),
        4 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn query() -> impl Strategy<Value = AggregateQuery> {
    let time = prop_oneof![
        (-2..30i64).prop_map(|n| n * HOUR),
        (-2..3i64).prop_map(|n| n * DAY - 8 * HOUR),
        (0..3000i64).prop_map(|n| n * 7 * SECOND + 3),
    ];
    let width = prop_oneof![
        3 => Just(0), 3 => Just(HOUR), 1 => Just(DAY), 1 => Just(90 * 60 * SECOND), 2 => Just(60 * SECOND), 1 => Just(7 * SECOND)
    ];
    let offset = prop_oneof![2 => Just(0), 1 => Just(8 * HOUR), 1 => Just(-7 * SECOND)];
    (time.clone(), time, width, offset, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(from, to, width, offset_ns, weighted, with_empty, is_over)| {
            // At most some thousand buckets.
            let (from, mut to) = (from.min(to), from.max(to));
            if width > 0 {
                to = to.min(from + 3000 * width);
            }
            AggregateQuery {
                from: at(from),
                to: at(to),
                width_ns: width as u64,
                offset_ns,
                until: at(if is_over { 100 * DAY } else { 2 * HOUR }),
                weighted,
                with_empty,
            }
        },
    )
}

fn sample(time: i64, kind: u8, serial: u64) -> Sample {
    let bad = serial.is_multiple_of(11) && kind.is_multiple_of(2);
    let quality = match serial % 7 {
        _ if bad => Quality::TIMEOUT,
        3 if kind == 4 => Quality::LAST_USABLE,
        _ => Quality::GOOD,
    };
    let value = match kind {
        _ if bad && serial.is_multiple_of(2) => None,
        0 => Some(Value::text(&serial.to_string()).unwrap()),
        1 => Some(Value::Bool(serial.is_multiple_of(3))),
        2 => Some(Value::I64(serial as i64 % 100 - 50)),
        3 if serial.is_multiple_of(13) => Some(Value::F64(f64::NAN)),
        // Numbers and others among each other.
        5 if serial.is_multiple_of(5) => Some(Value::text("x").unwrap()),
        6 => Some(Value::F64((serial as f64 * 0.37).sin())),
        _ => Some(Value::F64((serial % 1000) as f64 / 10.0)),
    };
    Sample { time: at(time), value, quality }
}

type Model = BTreeMap<u32, BTreeMap<i64, Sample>>;

/// What a sample says: whether it is bad, whether it is uncertain, and its number.
fn said(sample: &Sample) -> (bool, bool, Option<f64>) {
    let number = sample.value.as_ref().and_then(Value::as_f64);
    let bad = sample.quality.is_bad()
        || sample.value.is_none()
        || number.is_some_and(|number| !number.is_finite());
    (bad, sample.quality.severity() == weir_model::Severity::Uncertain, number.filter(|_| !bad))
}

/// The aggregates of a tag, sample by sample, and the magnitude of the sums' terms.
fn expected(
    model: &BTreeMap<i64, Sample>,
    tag: u32,
    query: &AggregateQuery,
) -> Vec<(Aggregate, f64, f64)> {
    let (from, to) = (query.from.nanos(), query.to.nanos());
    let mut rows = Vec::new();
    let mut start = from;
    while start < to {
        let end = match query.width_ns as i64 {
            0 => to,
            width => {
                let bucket = (start + query.offset_ns).div_euclid(width) + 1;
                to.min(bucket * width - query.offset_ns)
            }
        };
        rows.push(bucket(model, tag, query, (start, end)));
        start = end;
    }
    rows.retain(|(row, ..)| query.with_empty || row.samples > 0);
    rows
}

fn bucket(
    model: &BTreeMap<i64, Sample>,
    tag: u32,
    query: &AggregateQuery,
    (start, end): (i64, i64),
) -> (Aggregate, f64, f64) {
    let inside: Vec<&Sample> = model.range(start..end).map(|(_, sample)| sample).collect();
    let usable = inside.iter().filter(|sample| !said(sample).0).count();
    let numbers: Vec<(Timestamp, f64)> =
        inside.iter().filter_map(|sample| Some((sample.time, said(sample).2?))).collect();
    let values = || numbers.iter().map(|(_, value)| *value);
    let before = model.range(..start).next_back().map(|(_, sample)| sample);
    let until = end.min(query.until.nanos()).max(start);
    let until = inside.last().map_or(until, |last| until.max(last.time.nanos()));
    let mut points: Vec<(i64, Option<&Sample>)> = vec![(start, before)];
    points.extend(inside.iter().map(|sample| (sample.time.nanos(), Some(*sample))));
    let ends = points.iter().skip(1).map(|(time, _)| *time).chain([until]).collect::<Vec<_>>();
    let (mut good, mut uncertain, mut known) = (0, 0, 0);
    let (mut area, mut area_magnitude) = (0.0, 0.0);
    for ((time, sample), end) in points.iter().zip(ends) {
        let Some((false, is_uncertain, number)) = sample.map(said) else { continue };
        let held = (end - time) as u64;
        if is_uncertain {
            uncertain += held
        } else {
            good += held
        }
        if let Some(number) = number {
            known += held;
            area += number * held as f64;
            area_magnitude += number.abs() * held as f64;
        }
    }
    let weighted = Weighted {
        mean: (known > 0).then_some(area / known as f64),
        total: (known > 0).then_some(area / 1e9),
        good_ns: good,
        uncertain_ns: uncertain,
        bad_ns: (until - start) as u64 - good - uncertain,
    };
    let row = Aggregate {
        tag: TagId(tag),
        start: Timestamp::from_nanos(start),
        samples: inside.len() as u64,
        count: usable as u64,
        numbers: numbers.first().map(|first| Numbers {
            count: numbers.len() as u64,
            sum: values().sum(),
            min: values().fold(f64::INFINITY, f64::min),
            max: values().fold(f64::NEG_INFINITY, f64::max),
            first: *first,
            last: *numbers.last().unwrap(),
        }),
        first_quality: inside.first().map(|sample| sample.quality),
        last_quality: inside.last().map(|sample| sample.quality),
        weighted: query.weighted.then_some(weighted),
    };
    (row, values().map(f64::abs).sum(), area_magnitude)
}

/// Compares sums within their rounding and all else exactly.
fn assert_same(found: Aggregate, (expected, sum, area): (Aggregate, f64, f64)) {
    let mut found = found;
    let near = |a: f64, b: f64, magnitude: f64| (a - b).abs() <= magnitude * 1e-12;
    if let (Some(numbers), Some(right)) = (&mut found.numbers, &expected.numbers) {
        assert!(near(numbers.sum, right.sum, sum), "{numbers:?} {right:?}");
        numbers.sum = right.sum;
    }
    if let (Some(weighted), Some(right)) = (&mut found.weighted, &expected.weighted) {
        let known = (right.good_ns + right.uncertain_ns) as f64;
        if let (Some(mean), Some(right)) = (&mut weighted.mean, right.mean) {
            // Of a part of the usable time only, where not all was numbers.
            assert!(near(*mean, right, area / known.min(1e9)), "{mean} {right}");
            *mean = right;
        }
        if let (Some(total), Some(right)) = (&mut weighted.total, right.total) {
            assert!(near(*total, right, area / 1e9), "{total} {right}");
            *total = right;
        }
    }
    assert_eq!(found, expected);
}

async fn check(historian: &Historian, model: &Model, query: AggregateQuery) {
    let tags: Vec<TagId> = [2, 0, 1, 9].map(TagId).to_vec();
    let found = historian.aggregate(TENANT, tags.clone(), query).await.unwrap();
    let empty = BTreeMap::new();
    let of = |tag: &TagId| expected(model.get(&tag.0).unwrap_or(&empty), tag.0, &query);
    let expected: Vec<_> = tags.iter().flat_map(of).collect();
    assert_eq!(found.len(), expected.len(), "{query:?}");
    found.into_iter().zip(expected).for_each(|(found, expected)| assert_same(found, expected));
}

async fn run(steps: Vec<(Step, AggregateQuery)>) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { day_blocks_max: 1, ..options() };
    let open = || Historian::open(dir.path(), options.clone()).unwrap();
    let (mut historian, mut model, mut serial) = (open(), Model::new(), 0);
    for (step, query) in steps {
        match step {
            Step::Append { tag, start, gap, count, kind } => {
                let samples: Vec<_> = (0..i64::from(count))
                    .map(|n| {
                        serial += 1;
                        (TagId(tag.into()), sample(start + n * gap, kind, serial))
                    })
                    .collect();
                historian.append(batch(samples.clone())).await.unwrap();
                for (tag, sample) in samples {
                    model.entry(tag.0).or_default().insert(sample.time.nanos(), sample);
                }
            }
            Step::Delete { tag, from, length } => {
                let (tag, span) = (u32::from(tag), (at(from), at(from + length)));
                historian.delete(TENANT, TagId(tag), span, at(0)).await.unwrap();
                let kept = |time: &i64| !(span.0.nanos()..span.1.nanos()).contains(time);
                model.entry(tag).or_default().retain(|time, _| kept(time));
            }
            Step::Flush => historian.flush().await.unwrap(),
            Step::Compact => historian.compact().await.unwrap(),
            Step::Reopen => {
                drop(historian);
                historian = open();
            }
        }
        check(&historian, &model, query).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_is_summed_up_like_its_samples(steps in vec((step(), query()), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(steps));
    }
}

fn hours(from: i64, to: i64) -> AggregateQuery {
    AggregateQuery {
        from: at(from),
        to: at(to),
        width_ns: HOUR as u64,
        offset_ns: 0,
        until: at(1000 * DAY),
        weighted: true,
        with_empty: false,
    }
}

/// A historian with a block of two tags of five hours, one sample a second.
async fn with_a_block(dir: &Path) -> (Historian, Model) {
    let historian = open(dir);
    let mut model = Model::new();
    for tag in 0..2 {
        let samples: Vec<_> =
            (0..18_000).map(|n| (TagId(tag), sample(n * SECOND, 4, n as u64))).collect();
        historian.append(batch(samples.clone())).await.unwrap();
        let samples = samples.into_iter().map(|(_, sample)| (sample.time.nanos(), sample));
        model.insert(tag, samples.collect());
    }
    historian.flush().await.unwrap();
    (historian, model)
}

/// A block whose rollups of hours are longer than what one checksum is of, and what four of its
/// tags have.
async fn with_many_rollups(dir: &Path) -> Model {
    let historian = open(dir);
    let (mut model, mut noise) = (Model::new(), 1u64);
    for tag in 0..450u32 {
        // Numbers that do not become shorter.
        let samples = (0..600).map(|n| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            number(n * 12 * SECOND, (noise >> 11) as f64 / 1e15)
        });
        let samples: Vec<_> = samples.collect();
        let of_tag = samples.iter().map(|sample| (TagId(tag), sample.clone()));
        historian.append(batch(of_tag.collect())).await.unwrap();
        if [0, 1, 2, 9].contains(&tag) {
            let samples = samples.into_iter().map(|sample| (sample.time.nanos(), sample));
            model.insert(tag, samples.collect());
        }
    }
    historian.close().await.unwrap();
    model
}

#[tokio::test]
async fn damaged_rollups_are_made_anew_of_samples() {
    let dir = tempfile::tempdir().unwrap();
    let model = with_many_rollups(dir.path()).await;
    let block = only_file(dir.path(), ".parquet");
    let bytes = std::fs::read(&block).unwrap();
    // Where the directory says that the groups are.
    let key = bytes.windows(12).position(|window| window == b"weir.rollups").unwrap();
    let text = String::from_utf8_lossy(&bytes[key..]);
    let numbers = |name: &str| {
        let name = format!("\"{name}\":");
        let numbers = text.split(&name).skip(1);
        let numbers = numbers.map(|rest| rest.split([',', '}']).next().unwrap().parse().unwrap());
        numbers.collect::<Vec<usize>>()
    };
    let (offsets, lengths) = (numbers("offset"), numbers("bytes"));
    assert_eq!(offsets.len(), 2, "hours and days");
    assert!(lengths[0] > 33_000, "{lengths:?}");
    let query = hours(0, 2 * HOUR);
    for (offset, length) in offsets.into_iter().zip(lengths) {
        let mut damaged = bytes.clone();
        damaged[offset + length - 1] ^= 0x10;
        std::fs::write(&block, damaged).unwrap();
        let historian = open(dir.path());
        for _ in 0..2 {
            check(&historian, &model, query).await;
            check(&historian, &model, AggregateQuery { width_ns: 0, ..hours(-8 * HOUR, DAY) })
                .await;
        }
        assert_eq!(historian.stats().damaged_blocks, 0);
        drop(historian);
        // Pages that lie with rollups in one stretch of 32 KiB are as damaged as these.
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0x10;
        std::fs::write(&block, damaged).unwrap();
        let historian = open(dir.path());
        let found = historian.aggregate(TENANT, vec![TagId(0)], query).await;
        let is_named =
            |error| matches!(error, HistorianError::Corrupt { file, .. } if file == block);
        assert!(found.map_or_else(is_named, |rows| rows.len() == 2));
    }
}

#[tokio::test]
async fn days_of_a_place_are_those_of_its_clock() {
    let dir = tempfile::tempdir().unwrap();
    let (historian, model) = with_a_block(dir.path()).await;
    let shanghai = AggregateQuery {
        width_ns: DAY as u64,
        offset_ns: 8 * HOUR,
        with_empty: true,
        ..hours(-DAY, 2 * DAY)
    };
    check(&historian, &model, shanghai).await;
    let rows = historian.aggregate(TENANT, vec![TagId(0)], shanghai).await.unwrap();
    let starts: Vec<String> = rows.iter().map(|row| row.start.to_string()).collect();
    // The first one is cut.
    let expected = [
        "2026-11-22T08:00:00Z",
        "2026-11-22T16:00:00Z",
        "2026-11-23T16:00:00Z",
        "2026-11-24T16:00:00Z",
    ];
    assert_eq!(starts, expected);
}

#[tokio::test]
async fn rollups_are_those_that_have_samples() {
    let dir = tempfile::tempdir().unwrap();
    let (historian, _) = with_a_block(dir.path()).await;
    let late = vec![(TagId(1), number(9 * HOUR + 5, 2.5))];
    historian.append(batch(late)).await.unwrap();
    let rollups = async |level, tags: &[u32]| {
        let tags = tags.iter().map(|tag| TagId(*tag)).collect();
        let all = (Timestamp::MIN, Timestamp::MAX);
        let rows = historian.rollups(TENANT, level, tags, all, at(10 * HOUR)).await.unwrap();
        rows.iter().map(|row| (row.tag.0, row.samples)).collect::<Vec<_>>()
    };
    assert_eq!(rollups(RollupLevel::Day, &[0, 1, 2]).await, [(0, 18_000), (1, 18_001)]);
    let hours = rollups(RollupLevel::Hour, &[1]).await;
    assert_eq!(hours, [[(1, 3600); 5].as_slice(), &[(1, 1)]].concat());
    assert_eq!(rollups(RollupLevel::Minute, &[0]).await, [(0, 60); 300]);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let query = AggregateQuery { width_ns: 1, with_empty: true, ..hours(0, SECOND) };
    let error = historian.aggregate(TENANT, vec![TagId(0)], query).await.unwrap_err();
    assert!(matches!(error, HistorianError::TooManyBuckets { buckets: 1_000_000_000, .. }));
    let all = AggregateQuery { from: Timestamp::MIN, to: Timestamp::MAX, width_ns: 0, ..query };
    let rows = historian.aggregate(TENANT, vec![TagId(0)], all).await.unwrap();
    assert_eq!((rows.len(), rows[0].samples), (1, 0));
    let none = AggregateQuery { to: query.from, ..query };
    assert!(historian.aggregate(TENANT, vec![TagId(0)], none).await.unwrap().is_empty());
}
