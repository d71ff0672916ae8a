use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{Sample, Timestamp, Value};

use super::*;

const DAY: i64 = 86_400_000_000_000;

fn sample(time: i64, value: u64) -> Sample {
    Sample::good(Timestamp::from_nanos(time), Value::U64(value))
}

fn one(tag: u32, sample: Sample) -> Samples {
    Samples::from_iter([(TagId(tag), sample)])
}

/// The value of a row, which tells which of all it is.
fn number(row: &Row) -> u64 {
    match &row.value {
        Some(Value::U64(x)) => *x,
        Some(Value::Text(text)) => text.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// All rows of a span, page by page.
fn read(table: &Table, tag: u32, (mut from, to): (i64, i64), page: usize) -> Vec<(i64, u64)> {
    let mut all = Vec::new();
    loop {
        let mut rows = Vec::new();
        table.read((TenantId(1), TagId(tag)), (from, to), page, 7, &mut rows);
        assert!(rows.len() <= page && rows.iter().all(|row| (row.tag, row.position) == (tag, 7)));
        let Some(last) = rows.last() else { return all };
        from = last.time + 1;
        all.extend(rows.iter().map(|row| (row.time, number(row))));
    }
}

/// All rows of a sealed table, as they go to blocks.
fn merged(table: &Table) -> Vec<(u32, i32, u32, i64, u64)> {
    let mut all = Vec::new();
    for (tenant, rows) in table.tenants() {
        for day in rows.days() {
            let taken: Result<(), ()> = rows.each_tag(day, |TagRows { samples, places }| {
                assert!(!places.is_empty());
                for place in places {
                    let row = Row::of(samples, place, 0);
                    all.push((tenant.0, day, row.tag, row.time, number(&row)));
                }
                Ok(())
            });
            taken.unwrap();
        }
    }
    all
}

proptest! {
    #[test]
    fn a_table_reads_like_a_map(
        stored in vec((1..3u32, 0..40u32, -2..2i64, 0..30i64, any::<bool>(), 0..20u8), 0..400),
        tag in 0..40u32,
        from in -3 * DAY..3 * DAY,
        length in 0..2 * DAY,
        page in 1..50usize,
    ) {
        let (mut table, mut map) = (Table::default(), BTreeMap::new());
        for (index, (tenant, tag, day, time, text, sorted)) in stored.into_iter().enumerate() {
            let (time, index) = (day * DAY + time, index as u64);
            let mut sample = sample(time, index);
            if text {
                sample.value = Some(Value::text(&index.to_string()).unwrap());
            }
            table.insert(TenantId(tenant), &one(tag, sample));
            map.insert((tenant, time.div_euclid(DAY) as i32, tag, time), index);
            if sorted == 0 {
                table.seal();
            }
        }
        for span in [(from, from + length), (-1, 9), (DAY - 1, DAY + 30)] {
            let of_tag = |(key, _): &(&(u32, i32, u32, i64), &u64)| {
                (key.0, key.2) == (1, tag) && (span.0..span.1).contains(&key.3)
            };
            let expected: Vec<_> = map.iter().filter(of_tag).map(|(k, v)| (k.3, *v)).collect();
            prop_assert_eq!(read(&table, tag, span, page), expected);
        }
        table.seal();
        let expected: Vec<_> = map.iter().map(|(k, v)| (k.0, k.1, k.2, k.3, *v)).collect();
        prop_assert_eq!(merged(&table), expected);
    }
}

#[test]
fn a_long_tail_is_sorted_by_counting_and_keeps_what_came_last() {
    // More tags than one pass tells apart, stored moment by moment with some late and repeated.
    let mut table = Table::default();
    let mut map = BTreeMap::new();
    let mut number = 0;
    for moment in 0..30i64 {
        let tags = (0..4000u32).map(|tag| tag.wrapping_mul(2_654_435_761) % 5_000_000);
        let samples: Samples = tags
            .map(|tag| {
                number += 1;
                let time = if number % 97 == 0 { moment / 2 } else { moment };
                map.insert((1, 0, tag, time), number);
                (TagId(tag), sample(time, number))
            })
            .collect();
        table.insert(TenantId(1), &samples);
    }
    table.seal();
    let expected: Vec<_> = map.iter().map(|(k, v)| (k.0, k.1, k.2, k.3, *v)).collect();
    assert!(merged(&table) == expected);
}

#[test]
fn bytes_are_those_that_were_inserted() {
    let mut table = Table::default();
    let long = Sample { value: Some(Value::text(&"x".repeat(1000)).unwrap()), ..sample(1, 0) };
    table.insert(TenantId(1), &one(1, long));
    assert!((1000..1400).contains(&table.bytes()), "{}", table.bytes());
}
