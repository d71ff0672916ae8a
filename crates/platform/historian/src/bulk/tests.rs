mod sums;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{
    NumberRange, Quality, SampleColumns, SamplesWanted, Severities, Severity, TagId, Timestamp,
    Value,
};

use crate::tests::{DAY, TENANT, at, batch, options};
use crate::{Historian, HistorianError, Options};

use super::*;

pub(crate) type BulkRow = (TagId, i64, Quality, Option<f64>, Option<String>);

const ALL: SampleColumns =
    SampleColumns { times: true, numbers: true, qualities: true, texts: true };

fn wanted(tags: impl IntoIterator<Item = u32>) -> SamplesWanted {
    SamplesWanted {
        tags: tags.into_iter().map(TagId).collect(),
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        numbers: None,
        severities: Severities::ALL,
        columns: ALL,
        sums: None,
    }
}

/// The rows of a reading of all columns.
pub(crate) async fn bulk_rows(
    historian: &Historian,
    wanted: SamplesWanted,
) -> Result<Vec<BulkRow>, HistorianError> {
    let mut reading = historian.bulk(TENANT, wanted);
    let mut rows = Vec::new();
    while let Some(page) = reading.next().await? {
        assert!(!page.is_empty());
        rows.extend(rows_of(&page));
    }
    Ok(rows)
}

/// The rows of a page of all columns.
fn rows_of(page: &SamplePage) -> Vec<BulkRow> {
    fn each<T: Copy>(runs: &[(T, u32)]) -> Vec<T> {
        assert!(runs.iter().all(|(_, rows)| *rows > 0));
        runs.iter().flat_map(|(one, rows)| std::iter::repeat_n(*one, *rows as usize)).collect()
    }
    let (tags, qualities) = (each(&page.tags), each(&page.qualities));
    let rows = page.rows();
    assert_eq!((tags.len(), qualities.len(), page.times.len()), (rows, rows, rows));
    assert_eq!(page.numbers.len(), rows);
    let mut texts: Vec<Option<String>> = vec![None; rows];
    page.texts.iter().for_each(|(row, text)| texts[row] = Some(text.to_owned()));
    let rows = (0..rows).map(|row| {
        let there = page.present.get(row).is_none_or(|there| *there);
        let number = there.then(|| page.numbers[row]);
        (tags[row], page.times[row], qualities[row], number, texts[row].take())
    });
    rows.collect()
}

/// Samples of every kind, a value to tell each.
fn sample(serial: i64, time: i64) -> Sample {
    let value = match serial % 9 {
        0 => None,
        1 => Some(Value::F64(serial as f64 / 10.0)),
        2 => Some(Value::F64(f64::from(serial as f32 / 7.0))),
        3 => Some(Value::F64((serial as f64).sqrt())),
        4 => Some(Value::I64(-serial)),
        5 => Some(Value::U64(u64::MAX - serial as u64)),
        6 => Some(Value::Bool(serial % 2 == 0)),
        7 => Some(Value::text(&format!("text {serial}")).unwrap()),
        _ => Some(Value::Enumeration(serial)),
    };
    let quality = if serial % 5 == 0 { Quality::BAD } else { Quality::GOOD };
    Sample { time: at(time), value, quality }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Tags of other lengths, in blocks of one day and memory, some of it overwritten.
    #[test]
    fn a_reading_is_what_ranges_are(
        tags in vec((0..400u32, 1..3000i64), 1..12),
        late in vec((0..12usize, 0..3000i64), 0..300),
        from in 0..3000i64,
        length in 1..3000i64,
        least in -500.0..500f64,
        good in any::<bool>(),
        columns in any::<[bool; 4]>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let checked = runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let historian = Historian::open(dir.path(), options()).unwrap();
            let mut serial = 0;
            let mut samples = Vec::new();
            for (tag, count) in &tags {
                for time in 0..*count {
                    serial += 1;
                    samples.push((TagId(*tag), sample(serial, time * 1_000_000)));
                }
            }
            historian.append(batch(samples)).await.unwrap();
            historian.flush().await.unwrap();
            for (part, some) in late.chunks(100).enumerate() {
                let some = some.iter().map(|(tag, time)| {
                    serial += 1;
                    (TagId(tags[tag % tags.len()].0), sample(serial, time * 1_000_000))
                });
                historian.append(batch(some.collect())).await.unwrap();
                if part % 2 == 0 {
                    historian.flush().await.unwrap();
                }
            }
            let mut numbers: Vec<u32> = tags.iter().map(|(tag, _)| *tag).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let severities = if good { Severities::NONE.with(Severity::Good) } else { Severities::ALL };
            let asked = SamplesWanted {
                from: at(from * 1_000_000),
                to: at((from + length) * 1_000_000),
                numbers: (least > 0.0).then(|| NumberRange::from(least)),
                severities,
                ..wanted(numbers.clone())
            };
            let mut expected = Vec::new();
            for tag in asked.tags.iter() {
                let samples = historian.range(TENANT, *tag, asked.from, asked.to, 10_000).await.unwrap();
                expected.extend(samples.into_iter().filter_map(|sample| {
                    let number = sample.value.as_ref().and_then(Value::as_f64);
                    let text = sample.value.as_ref().and_then(Value::as_text).map(String::from);
                    let passes = severities.contains(sample.quality.severity())
                        && asked.numbers.is_none_or(|range| number.is_some_and(|x| range.contains(x)));
                    passes.then_some((*tag, sample.time.nanos(), sample.quality, number, text))
                }));
            }
            let found = bulk_rows(&historian, asked.clone()).await.unwrap();
            // With fewer columns it is the same in those that are left.
            let [times, numbers, qualities, texts] = columns;
            let columns = SampleColumns { times, numbers, qualities, texts };
            let mut whole = historian.bulk(TENANT, asked.clone());
            let mut part = historian.bulk(TENANT, SamplesWanted { columns, ..asked });
            let mut same = true;
            while let Some(mut page) = whole.next().await.unwrap() {
                page.restrict(columns);
                same &= part.next().await.unwrap().as_ref() == Some(&page);
            }
            same &= part.next().await.unwrap().is_none();
            (found == expected, same)
        });
        prop_assert_eq!(checked, (true, true));
    }
}

#[tokio::test]
async fn more_blocks_than_may_be_open_are_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let historian =
        Historian::open(dir.path(), Options { day_blocks_max: 100, ..options() }).unwrap();
    for part in 0..60i64 {
        // Every block has all tags; the times of two meet.
        let samples = (0..5u32).flat_map(|tag| {
            (0..50).map(move |i| (TagId(tag), sample(part * 1000 + i, part * 40 + i)))
        });
        historian.append(batch(samples.collect())).await.unwrap();
        historian.flush().await.unwrap();
    }
    let rows = bulk_rows(&historian, wanted(0..5)).await.unwrap();
    let keys: Vec<_> = rows.iter().map(|row| (row.0, row.1)).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(rows.len(), 5 * (59 * 40 + 50));
    // Of two of one time, that of the later block.
    let newest = rows.iter().find(|row| row.0 == TagId(3) && row.1 == at(45).nanos()).unwrap();
    assert_eq!(newest.3, sample(1005, 45).value.and_then(|value| value.as_f64()));
}

#[tokio::test]
async fn blocks_of_other_tags_are_read_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let historian =
        Historian::open(dir.path(), Options { day_blocks_max: 100, ..options() }).unwrap();
    // Blocks in another order than their tags.
    for tag in [30u32, 10, 40, 20] {
        let samples = (0..20_000i64).map(|i| (TagId(tag), sample(i + i64::from(tag), i * 1000)));
        historian.append(batch(samples.collect())).await.unwrap();
        historian.flush().await.unwrap();
    }
    let whole = bulk_rows(&historian, wanted([10, 20, 30, 40])).await.unwrap();
    assert!(whole.windows(2).all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1)));
    let columns = SampleColumns { numbers: true, ..SampleColumns::default() };
    let mut reading = historian.bulk(TENANT, SamplesWanted { columns, ..wanted([10, 20, 30, 40]) });
    let mut rows = Vec::new();
    while let Some(page) = reading.next().await.unwrap() {
        assert!(page.times.is_empty() && page.qualities.is_empty());
        let tags =
            page.tags.iter().flat_map(|(tag, count)| std::iter::repeat_n(*tag, *count as usize));
        rows.extend(tags.zip(page.numbers.iter().enumerate()).map(|(tag, (row, number))| {
            (tag, page.present.get(row).is_none_or(|there| *there).then_some(*number))
        }));
    }
    let expected: Vec<_> = whole.iter().map(|row| (row.0, row.3)).collect();
    assert!(rows == expected);
}

#[tokio::test]
async fn pages_without_a_number_that_is_wanted_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let historian = Historian::open(dir.path(), options()).unwrap();
    let samples = (0..4u32).flat_map(|tag| {
        (0..30_000i64).map(move |i| {
            let value = f64::from(tag) * 1000.0 + (i % 100) as f64 / 10.0;
            (TagId(tag), Sample::good(at(i * 1_000_000), Value::F64(value)))
        })
    });
    historian.append(batch(samples.collect())).await.unwrap();
    historian.flush().await.unwrap();
    let view = historian.shared().view();
    let block = view.version.blocks().next().unwrap();
    let asked = |numbers: Option<NumberRange>| crate::block::pages::Asked {
        tags: (0..4).map(TagId).collect(),
        first: (0, i64::MIN),
        from: i64::MIN,
        to: i64::MAX,
        numbers: numbers.map(|range| crate::block::pages::Sought { range, others: Arc::new([]) }),
        columns: crate::block::pages::Decoded {
            times: false,
            numbers: true,
            qualities: false,
            texts: false,
            positions: false,
        },
        sums: None,
    };
    let rows = |numbers| {
        let blocks = &historian.shared().blocks;
        let mut pages =
            crate::block::pages::BlockPages::new(blocks, block, asked(numbers)).unwrap();
        let mut rows = 0;
        while let Some(piece) = pages.next().unwrap() {
            rows += piece.page.rows();
        }
        rows
    };
    assert_eq!(rows(None), 120_000);
    assert_eq!(rows(Some(NumberRange::above(3000.0))), 30_000);
    assert_eq!(rows(Some(NumberRange::above(1e9))), 0);
    let asked = SamplesWanted { numbers: Some(NumberRange::above(3009.8)), ..wanted(0..4) };
    assert_eq!(bulk_rows(&historian, asked).await.unwrap().len(), 300);
}

#[tokio::test]
async fn a_reader_that_waits_holds_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let historian = Historian::open(dir.path(), Options { reads_max: 1, ..options() }).unwrap();
    let samples = (0..60_000i64).map(|i| (TagId(1), sample(i, i)));
    historian.append(batch(samples.collect())).await.unwrap();
    historian.flush().await.unwrap();
    let mut slow: Vec<Bulk> = (0..3).map(|_| historian.bulk(TENANT, wanted([1]))).collect();
    for reading in &mut slow {
        assert!(reading.next().await.unwrap().is_some());
    }
    // All of them are on their way, and others read.
    assert_eq!(historian.range(TENANT, TagId(1), at(0), at(10), 10).await.unwrap().len(), 10);
    drop(slow);
    assert_eq!(bulk_rows(&historian, wanted([1])).await.unwrap().len(), 60_000);
}

#[tokio::test]
async fn a_damaged_block_is_an_error_and_ends_the_reading() {
    let dir = tempfile::tempdir().unwrap();
    let historian = Historian::open(dir.path(), options()).unwrap();
    historian.append(batch((0..5000).map(|i| (TagId(1), sample(i, i))).collect())).await.unwrap();
    historian.flush().await.unwrap();
    let path = historian.shared().view().version.blocks().next().unwrap().path().to_owned();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut reading = historian.bulk(TENANT, wanted([1]));
    assert!(matches!(reading.next().await, Err(HistorianError::Corrupt { .. })));
    assert!(reading.next().await.unwrap().is_none());
}

#[tokio::test]
async fn last_values_come_in_the_order_of_the_tags() {
    let dir = tempfile::tempdir().unwrap();
    let historian = Historian::open(dir.path(), options()).unwrap();
    historian
        .append(batch((0..10).map(|i| (TagId(i as u32), sample(i + 1, DAY))).collect()))
        .await
        .unwrap();
    let tags = [TagId(7), TagId(99), TagId(2)];
    let found = historian.last_of(TENANT, &tags);
    assert_eq!(found, [(TagId(7), sample(8, DAY)), (TagId(2), sample(3, DAY))]);
    let page = historian.last_page(TENANT, &tags, (Timestamp::MIN, Timestamp::MAX), ALL);
    assert_eq!(page.tags, [(TagId(7), 1), (TagId(2), 1)]);
    let time = |serial| sample(serial, DAY).time.nanos();
    assert_eq!(page.times, [time(8), time(3)]);
}
