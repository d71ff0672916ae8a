use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use weir_model::{Batch, Severity};

use super::*;
use crate::tests::{SECOND, START, TENANT, at as time, batch, open};

const LINE: Interpolation = Interpolation::Linear;
const STEP: Interpolation = Interpolation::Step;

fn signal(interpolation: Interpolation, age_max: Option<u64>) -> Signal {
    Signal { tag: TagId(1), interpolation, age_max, convert: None }
}

fn row(time: i64, value: Option<f64>, quality: Quality) -> Row {
    let value = value.map(Value::F64);
    Row { time, position: 1, tag: 1, quality: quality.code(), value }
}

/// What the table in `track.rs` says, looked for in all samples at once.
fn expected(rows: &BTreeMap<i64, Row>, signal: &Signal, time: i64) -> Cell {
    let counts = |row: &Row| {
        let number = row.value.as_ref().and_then(Value::as_f64);
        let usable = signal.interpolation == STEP || number.is_some_and(f64::is_finite);
        row.value.is_some() && !row.is_bad() && usable
    };
    let near = |row: &&Row| signal.age_max.is_none_or(|max| row.time.abs_diff(time) <= max);
    let before = rows.range(..=time).map(|(_, row)| row).rfind(|row| counts(row)).filter(near);
    let ahead = rows.range(time + 1..).map(|(_, row)| row).find(|row| counts(row)).filter(near);
    let Some(before) = before else { return (None, Quality::NO_DATA) };
    if before.time == time {
        return (before.value.clone(), Quality::from_code(before.quality));
    }
    let spoiled = |to: i64| rows.range(before.time + 1..to).any(|(_, row)| !counts(row));
    let good = |row: &Row| Quality::from_code(row.quality).severity() == Severity::Good;
    let number = |row: &Row| row.value.as_ref().unwrap().as_f64().unwrap();
    let (value, is_good) = match (signal.interpolation, ahead) {
        (STEP, _) => (before.value.clone().unwrap(), good(before) && !spoiled(time + 1)),
        (LINE, None) => (before.value.clone().unwrap(), false),
        (LINE, Some(ahead)) => {
            let share = (time - before.time) as f64 / (ahead.time - before.time) as f64;
            let (a, b) = (number(before), number(ahead));
            let on_line = (a + (b - a) * share).clamp(a.min(b), a.max(b));
            (Value::F64(on_line), good(before) && good(ahead) && !spoiled(ahead.time))
        }
    };
    let quality = if is_good { Quality::INTERPOLATED } else { Quality::INTERPOLATED_SUB_NORMAL };
    (Some(value), quality)
}

fn samples() -> impl Strategy<Value = BTreeMap<i64, Row>> {
    let quality = prop_oneof![
        6 => Just(Quality::GOOD), 1 => Just(Quality::UNCERTAIN), 2 => Just(Quality::BAD)
    ];
    let value = prop_oneof![
        8 => (-50i32..50).prop_map(|n| Some(f64::from(n))),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
    ];
    btree_map(0i64..60, (value, quality), 0..20).prop_map(|samples| {
        samples
            .into_iter()
            .map(|(time, (value, quality))| (time, row(time, value, quality)))
            .collect()
    })
}

fn way() -> impl Strategy<Value = Signal> {
    let interpolation = prop_oneof![Just(LINE), Just(STEP)];
    (interpolation, proptest::option::of(0u64..40)).prop_map(|(way, age_max)| signal(way, age_max))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// A track that is followed in any pieces gives what the table says.
    #[test]
    fn any_pieces_give_what_the_table_says(
        rows in samples(),
        times in btree_set(0i64..70, 1..20),
        cuts in vec(1usize..6, 1..20),
        signal in way(),
    ) {
        let times: Vec<i64> = times.into_iter().collect();
        let mut track = Track::default();
        let before = rows.range(..times[0]).rev().find_map(|(_, row)| Anchor::of(row, &signal));
        track.begin(before, times[0]);
        let (mut found, mut rest, mut cuts) = (vec![], &times[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let cut = cuts.next().unwrap_or(1).min(rest.len());
            let (piece, after) = rest.split_at(cut);
            rest = after;
            let (from, to) = (track.read_to(), behind(&signal, piece[cut - 1]));
            let mut source = rows.range(from..to.max(from)).map(|(_, row)| row.clone());
            let give = |cell, _: Option<&Anchor>| {
                found.push(cell);
                Ok(())
            };
            track.follow(&signal, piece, || Ok(source.next()), give).unwrap();
        }
        for (time, found) in times.iter().zip(&found) {
            prop_assert_eq!(found, &expected(&rows, &signal, *time), "at {}", time);
        }
    }
}

fn three_tags() -> impl Strategy<Value = [BTreeMap<i64, Row>; 3]> {
    proptest::array::uniform3(samples())
}

async fn store(rows: &[BTreeMap<i64, Row>; 3], historian: &Historian, flush_after: usize) {
    for (tag, rows) in rows.iter().enumerate() {
        let samples = rows.values().map(|row| {
            let time = Timestamp::from_nanos(START + row.time * SECOND);
            let quality = Quality::from_code(row.quality);
            (TagId(tag as u32), Sample { time, value: row.value.clone(), quality })
        });
        let samples: Vec<_> = samples.collect();
        if !samples.is_empty() {
            historian.append(batch(samples)).await.unwrap();
        }
        if tag == flush_after {
            historian.flush().await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Frames and values at times, read from files and memory, say the same as the table.
    #[test]
    fn frames_say_at_each_row_what_at_says(
        rows in three_tags(),
        ways in proptest::array::uniform3(way()),
        (from, length, step) in (0i64..60, 1i64..60, 1i64..9),
        flush_after in 0usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let historian = open(dir.path());
            store(&rows, &historian, flush_after).await;
            let signals: Vec<Signal> = ways.iter().enumerate().map(|(tag, way)| {
                let age_max = way.age_max.map(|max| max * SECOND as u64);
                Signal { tag: TagId(tag as u32), age_max, ..way.clone() }
            }).collect();
            let (first, end) = (time(from * SECOND), time((from + length) * SECOND));
            let mut frames = historian.frames(TENANT, signals.clone(), (first, end), step * SECOND);
            let frame = frames.next().await.unwrap().unwrap();
            assert_eq!(frames.next().await.unwrap(), None);
            let seconds: Vec<i64> = (from..from + length).step_by(step as usize).collect();
            let times: Vec<_> = seconds.iter().map(|second| time(second * SECOND)).collect();
            assert_eq!(frame.times, times);
            for (tag, signal) in signals.iter().enumerate() {
                let at = historian.at(TENANT, signal.clone(), times.clone()).await.unwrap();
                for (row, second) in seconds.iter().enumerate() {
                    let want = expected(&rows[tag], &ways[tag], *second);
                    assert_eq!(frame.columns[tag][row], want, "tag {tag} at {second}");
                    assert_eq!((at[row].value.clone(), at[row].quality), want);
                }
            }
            historian.close().await.unwrap();
        });
    }
}

#[tokio::test]
async fn frames_come_in_pieces_that_fit_together() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let samples = (0..5000).map(|n| (TagId(1), crate::tests::number(n * 40 * SECOND, n as f64)));
    historian.append(batch(samples.collect())).await.unwrap();
    historian.flush().await.unwrap();
    let signals = vec![signal(LINE, None), signal(STEP, None)];
    let span = (time(0), time(5000 * 40 * SECOND));
    let mut frames = historian.frames(TENANT, signals, span, SECOND);
    let (mut rows, mut pieces) = (0i64, 0);
    while let Some(frame) = frames.next().await.unwrap() {
        pieces += 1;
        assert!(frame.times.len() * 2 <= CHUNK_CELLS);
        for (row, at) in frame.times.iter().enumerate() {
            assert_eq!(*at, time(rows * SECOND));
            let line = (rows as f64 / 40.0).min(4999.0);
            let Some(Value::F64(found)) = frame.columns[0][row].0 else { panic!("no value") };
            assert!((found - line).abs() < 1e-9, "{found} {line}");
            assert_eq!(frame.columns[1][row].0, Some(Value::F64((rows / 40) as f64)));
            rows += 1;
        }
    }
    assert_eq!((rows, pieces), (5000 * 40, 4));
}

#[tokio::test]
async fn what_values_are_turned_into_is_what_the_line_goes_through() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let samples = vec![
        (TagId(1), crate::tests::number(0, 1.0)),
        (TagId(1), crate::tests::number(10 * SECOND, 300.0)),
    ];
    historian.append(Batch { ..batch(samples) }).await.unwrap();
    // As if the first had been measured in hundreds.
    let convert: Convert = Arc::new(|at, value| {
        let factor = if at < time(5 * SECOND) { 100.0 } else { 1.0 };
        value.as_f64().map(|x| Value::F64(x * factor))
    });
    let signal = Signal { convert: Some(convert), ..signal(LINE, None) };
    let times = vec![time(0), time(5 * SECOND), time(10 * SECOND)];
    let found = historian.at(TENANT, signal.clone(), times).await.unwrap();
    let values: Vec<_> = found.into_iter().map(|sample| sample.value).collect();
    assert_eq!(values, [100.0, 200.0, 300.0].map(|x| Some(Value::F64(x))));
    let many = vec![time(0); AT_TIMES_MAX + 1];
    let refused = historian.at(TENANT, signal, many).await.unwrap_err();
    assert!(matches!(refused, HistorianError::LimitTooLarge { .. }), "{refused}");
}

#[test]
fn a_line_never_leaves_the_doubles() {
    let (low, high) = (row(0, Some(-1.7e308), Quality::GOOD), row(4, Some(1.7e308), Quality::GOOD));
    let rows = BTreeMap::from([(0, low), (4, high)]);
    let mut track = Track::default();
    track.begin(None, 0);
    let mut source = rows.values().cloned();
    let mut found = vec![];
    let give = |cell: Cell, _: Option<&Anchor>| {
        found.push(cell.0.unwrap().as_f64().unwrap());
        Ok(())
    };
    track.follow(&signal(LINE, None), &[0, 1, 2, 3, 4], || Ok(source.next()), give).unwrap();
    assert!(found.is_sorted() && found.iter().all(|x| x.is_finite()), "{found:?}");
    assert_eq!(found[2], 0.0);
}
