use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{Timestamp, Value};

use super::*;

fn sample(time: i64, value: u64) -> Sample {
    Sample::good(Timestamp::from_nanos(time), Value::U64(value))
}

proptest! {
    #[test]
    fn a_table_reads_like_a_map(
        times in vec(0..60i64, 0..120),
        from in -5..65i64,
        to in -5..65i64,
        limit in 0..50usize,
        sealed in any::<bool>(),
    ) {
        let (mut table, mut map) = (Table::default(), BTreeMap::new());
        for (index, time) in times.into_iter().enumerate() {
            let position = index as u64 + 1;
            table.insert(TenantId(1), position, &[(TagId(1), sample(time, position))]);
            map.insert(time, position);
        }
        if sealed {
            table.seal();
        }
        let mut rows = Vec::new();
        table.read((TenantId(1), TagId(1)), (from, to), limit, &mut rows);
        let found: Vec<_> = rows.iter().map(|row| (row.time, row.position)).collect();
        let span = from..to.max(from);
        let expected: Vec<_> = map.range(span).map(|(t, p)| (*t, *p)).take(limit).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(table.bytes(), if map.is_empty() { 0 } else { TAG_BYTES + map.len() * ROW_BYTES });
    }
}

#[test]
fn bytes_follow_texts_that_are_replaced() {
    let mut table = Table::default();
    let long = Sample { value: Some(Value::text(&"x".repeat(1000)).unwrap()), ..sample(1, 0) };
    table.insert(TenantId(1), 1, &[(TagId(1), long)]);
    let with_text = table.bytes();
    table.insert(TenantId(1), 2, &[(TagId(1), sample(1, 0))]);
    assert_eq!(table.bytes(), with_text - 1000);
}

#[test]
fn runs_are_sorted_by_tenant_day_and_tag() {
    const DAY: i64 = 86_400_000_000_000;
    let mut table = Table::default();
    for (position, (tenant, tag, time)) in
        [(2, 1, 5), (1, 9, 5), (1, 3, DAY), (1, 3, 4), (1, 3, -1), (1, 3, 2)]
            .into_iter()
            .enumerate()
    {
        table.insert(TenantId(tenant), position as u64, &[(TagId(tag), sample(time, 0))]);
    }
    table.seal();
    let runs: Vec<_> =
        table.runs().iter().map(|run| (run.tenant.0, run.day, run.tag.0, run.rows.len())).collect();
    assert_eq!(runs, [(1, -1, 3, 1), (1, 0, 3, 2), (1, 0, 9, 1), (1, 1, 3, 1), (2, 0, 1, 1)]);
}
