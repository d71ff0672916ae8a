//! Any sequence of appends, deletions, flushes, merges and openings reads like a map in memory.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{
    NumberRange, Quality, Sample, SampleColumns, SamplesWanted, Severities, Severity, TagId,
    Timestamp, Value,
};

use super::*;
use crate::bulk::tests::bulk_rows;
use crate::{AppendError, SEQUENCE_WINDOW};

#[derive(Debug, Clone)]
enum Step {
    Append {
        samples: Vec<(u8, i64, u8)>,
        backfill: bool,
        producer: Option<(u8, u64)>,
    },
    Delete {
        tag: u8,
        from: i64,
        length: i64,
    },
    Flush,
    /// So many hours go by, and what is due is merged.
    Pass {
        hours: i64,
    },
    Compact,
    Drop,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    // Few times, so that many meet; days of two months; nanoseconds.
    let time = prop_oneof![4 => 0..40i64, 2 => Just(DAY), 2 => Just(DAY + 7), 1 => -3..3i64, 1 => Just(40 * DAY)];
    let deletion = (0..3u8, time.clone(), prop_oneof![0..20i64, Just(DAY)]);
    let samples = vec((0..3u8, time, 0..12u8), 0..12);
    // Around each other, and around the end of the window.
    let sequence = prop_oneof![4 => 0..6u64, 2 => 125..135u64, 1 => 250..262u64];
    let producer = proptest::option::of((0..2u8, sequence));
    prop_oneof![
        8 => (samples, any::<bool>(), producer)
            .prop_map(|(samples, backfill, producer)| Step::Append { samples, backfill, producer }),
        2 => deletion.prop_map(|(tag, from, length)| Step::Delete { tag, from, length }),
        2 => Just(Step::Flush),
        2 => prop_oneof![0..30i64, 0..2000i64].prop_map(|hours| Step::Pass { hours }),
        1 => Just(Step::Compact),
        1 => Just(Step::Drop),
        1 => Just(Step::Close),
    ]
}

fn sample(time: i64, kind: u8, serial: u64) -> Sample {
    let value = match kind {
        0 => None,
        1 => Some(Value::text(&serial.to_string()).unwrap()),
        2 => Some(Value::array(vec![Value::U64(serial); 3]).unwrap()),
        3 => Some(Value::I64(-(serial as i64))),
        4 => Some(Value::U64(serial)),
        5 => Some(Value::Bool(serial.is_multiple_of(2))),
        6 => Some(Value::Enumeration(serial as i64)),
        _ => Some(Value::F64(serial as f64)),
    };
    let quality = if kind.is_multiple_of(3) { Quality::BAD } else { Quality::GOOD };
    Sample { time: at(time), value, quality }
}

#[derive(Default)]
struct Model {
    tags: BTreeMap<u32, BTreeMap<i64, Sample>>,
    producers: BTreeMap<u8, BTreeSet<u64>>,
    serial: u64,
}

async fn check(historian: &Historian, model: &Model) {
    for tag in 0..3 {
        let empty = BTreeMap::new();
        let expected = model.tags.get(&tag).unwrap_or(&empty);
        let samples: Vec<Sample> = expected.values().cloned().collect();
        assert_eq!(all(historian, tag).await, samples);
        assert_eq!(historian.last(TENANT, TagId(tag)).as_ref(), samples.last());
        let before = |before| historian.latest_before(TENANT, TagId(tag), at(before));
        for time in [7, DAY + 7, i64::MAX - START] {
            let latest = expected.range(..START + time).next_back().map(|(_, sample)| sample);
            assert_eq!(before(time).await.unwrap().as_ref(), latest);
        }
        let (from, to) = (at(5), at(DAY));
        let part: Vec<Sample> = expected
            .range(from.nanos()..to.nanos())
            .map(|(_, sample)| sample.clone())
            .take(10)
            .collect();
        assert_eq!(historian.range(TENANT, TagId(tag), from, to, 10).await.unwrap(), part);
        let points = historian
            .downsample(TENANT, TagId(tag), Timestamp::MIN, Timestamp::MAX, 10)
            .await
            .unwrap();
        assert!(points.len() <= 10);
        assert_eq!(points.first(), samples.first());
        assert_eq!(points.last(), samples.last());
    }
}

/// Everything in columns, read as the map would be.
async fn check_bulk(historian: &Historian, model: &Model) {
    let columns = SampleColumns { times: true, numbers: true, qualities: true, texts: true };
    let all = SamplesWanted {
        tags: [0, 1, 2].map(TagId).into(),
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        numbers: None,
        severities: Severities::ALL,
        columns,
        sums: None,
    };
    let part = SamplesWanted {
        tags: [2, 0].map(TagId).into(),
        from: at(3),
        to: at(DAY + 3),
        numbers: Some(NumberRange::above(2.0)),
        severities: Severities::NONE.with(Severity::Good),
        ..all.clone()
    };
    let empty = BTreeMap::new();
    for wanted in [all, part] {
        let mut expected = Vec::new();
        for tag in wanted.tags.iter() {
            let samples = model.tags.get(&tag.0).unwrap_or(&empty);
            let samples = samples.range(wanted.from.nanos()..wanted.to.nanos());
            expected.extend(samples.filter_map(|(time, sample)| {
                let number = sample.value.as_ref().and_then(Value::as_f64);
                let passes = wanted.severities.contains(sample.quality.severity())
                    && wanted.numbers.is_none_or(|range| number.is_some_and(|x| range.contains(x)));
                let text = sample.value.as_ref().and_then(Value::as_text).map(String::from);
                passes.then_some((*tag, *time, sample.quality, number, text))
            }));
        }
        assert_eq!(bulk_rows(historian, wanted).await.unwrap(), expected);
    }
}

async fn run(steps: Vec<Step>, block_rows_max: u64) {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let options = Options {
        day_blocks_max: 1,
        block_rows_max,
        segment_bytes: 256,
        clock: clock.clock(),
        ..options()
    };
    let open = || Historian::open(dir.path(), options.clone()).unwrap();
    let (mut historian, mut model) = (open(), Model::default());
    for step in steps {
        match step {
            Step::Append { samples, backfill, producer } => {
                let samples: Vec<_> = samples
                    .into_iter()
                    .map(|(tag, time, kind)| {
                        model.serial += 1;
                        (TagId(tag.into()), sample(time, kind, model.serial))
                    })
                    .collect();
                let mut batch = Batch { backfill, ..batch(samples.clone()) };
                let mut repeated = false;
                if let Some((name, sequence)) = producer {
                    batch.producer = Some(Producer::new(&name.to_string(), sequence).unwrap());
                    let stored = model.producers.entry(name).or_default();
                    if stored.last().is_some_and(|highest| *highest >= sequence + SEQUENCE_WINDOW) {
                        let highest = stored.last().copied().unwrap();
                        let producer = name.to_string();
                        let refused = historian.append(batch).await.unwrap_err();
                        let expected = AppendError::SequenceTooOld { producer, sequence, highest };
                        assert_eq!(refused, expected);
                        continue;
                    }
                    repeated = !stored.insert(sequence);
                }
                let appended = historian.append(batch).await.unwrap();
                assert_eq!(appended.duplicate, repeated);
                for (tag, sample) in samples.into_iter().filter(|_| !repeated) {
                    model.tags.entry(tag.0).or_default().insert(sample.time.nanos(), sample);
                }
            }
            Step::Delete { tag, from, length } => {
                let (tag, span) = (u32::from(tag), (at(from), at(from + length)));
                historian.delete(TENANT, TagId(tag), span, at(0)).await.unwrap();
                let kept = |time: &i64| !(span.0.nanos()..span.1.nanos()).contains(time);
                model.tags.entry(tag).or_default().retain(|time, _| kept(time));
            }
            Step::Flush => historian.flush().await.unwrap(),
            Step::Pass { hours } => {
                clock.pass(hours * 3600 * SECOND);
                historian.tend(false).await.unwrap();
            }
            Step::Compact => historian.compact().await.unwrap(),
            Step::Drop => {
                drop(historian);
                historian = open();
            }
            Step::Close => {
                historian.close().await.unwrap();
                drop(historian);
                historian = open();
            }
        }
        check(&historian, &model).await;
        check_bulk(&historian, &model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_reads_like_a_map(steps in vec(step(), 1..24), rows in 1..40u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(steps, rows));
    }
}
