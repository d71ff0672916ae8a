use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::WordOrder;

fn settings(gap: u16, registers_max: u16) -> Settings {
    let json = json!({"host": "h", "gap_registers": gap, "registers_max": registers_max});
    Settings::parse(&json).unwrap()
}

fn slot(point: usize, table: Table, address: u16, raw_type: RawType) -> Slot {
    let word_order = WordOrder::Abcd;
    let address = PointAddress { unit: 1, table, address, raw_type, bit: None, word_order };
    Slot { point, address, interval: Duration::from_secs(1) }
}

fn ranges(blocks: &[Block]) -> Vec<(u16, u16)> {
    blocks.iter().map(|b| (b.start, b.count)).collect()
}

#[test]
fn gaps_and_limits_decide_what_shares_a_request() {
    let holding = |(i, address)| slot(i, Table::Holding, address, RawType::U16);
    let slots = |addresses: &[u16]| addresses.iter().copied().enumerate().map(holding).collect();
    let s = settings(8, 125);
    assert_eq!(ranges(&blocks(slots(&[0, 1, 9, 18, 28]), &s)), [(0, 19), (28, 1)]);
    assert_eq!(ranges(&blocks(slots(&[5, 5, 5]), &s)), [(5, 1)]);
    let all: Vec<u16> = (0..300).collect();
    assert_eq!(ranges(&blocks(slots(&all), &s)), [(0, 125), (125, 125), (250, 50)]);
    assert_eq!(blocks(slots(&all), &settings(0, 10)).len(), 30);
    assert_eq!(ranges(&blocks(slots(&[0, 2]), &settings(0, 125))), [(0, 1), (2, 1)]);
    // A value is never cut in two: 125 registers end within the 32nd of four.
    let wide = (0..40).map(|i| slot(i, Table::Input, i as u16 * 4, RawType::F64)).collect();
    assert_eq!(ranges(&blocks(wide, &s)), [(0, 124), (124, 36)]);
    let bits = (0..5000).map(|i| slot(i, Table::Coil, i as u16, RawType::Bool)).collect();
    assert_eq!(ranges(&blocks(bits, &s)), [(0, 2000), (2000, 2000), (4000, 1000)]);
    let last = vec![slot(0, Table::Holding, 65535, RawType::U16)];
    assert_eq!(ranges(&blocks(last, &s)), [(65535, 1)]);
}

#[test]
fn units_tables_and_intervals_never_share_one() {
    let base = slot(0, Table::Holding, 0, RawType::U16);
    let mut other_unit = slot(1, Table::Holding, 1, RawType::U16);
    other_unit.address.unit = 2;
    let other_table = slot(2, Table::Input, 1, RawType::U16);
    let mut slower = slot(3, Table::Holding, 1, RawType::U16);
    slower.interval = Duration::from_secs(5);
    let planned = blocks(vec![base, other_unit, other_table, slower], &settings(8, 125));
    assert_eq!(planned.len(), 4);
}

proptest! {
    #[test]
    fn every_point_is_read_whole_within_the_limits(
        points in prop::collection::vec((0_u16..1000, 0_usize..3, any::<bool>()), 1..200),
        gap in 0_u16..50,
        registers_max in 4_u16..=125,
    ) {
        let types = [RawType::U16, RawType::F32, RawType::F64];
        let slots: Vec<Slot> = points
            .iter()
            .enumerate()
            .map(|(i, (address, which, bits))| match bits {
                true => slot(i, Table::Coil, *address, RawType::Bool),
                false => slot(i, Table::Holding, *address, types[*which]),
            })
            .collect();
        let mut queue = blocks(slots.clone(), &settings(gap, registers_max));
        let mut leaves = 0;
        let mut seen = vec![false; slots.len()];
        // Split to the end, as a device without any of these addresses would have it.
        while let Some(block) = queue.pop() {
            let max = if block.table.is_bits() { BITS_PER_REQUEST_MAX } else { registers_max };
            prop_assert!(block.count >= 1 && block.count <= max);
            for slot in &block.slots {
                prop_assert!(slot.address.address >= block.start);
                prop_assert!(slot.address.end() <= block.end());
                prop_assert!(block.offset(slot) < usize::from(block.count));
            }
            match block.split() {
                Some(halves) => {
                    let count: usize = halves.iter().map(|h| h.slots.len()).sum();
                    prop_assert_eq!(count, block.slots.len());
                    prop_assert!(halves.iter().all(|h| !h.slots.is_empty()));
                    queue.extend(halves);
                }
                None => {
                    leaves += 1;
                    for slot in &block.slots {
                        prop_assert_eq!(slot.address.end(), block.end());
                        prop_assert!(!std::mem::replace(&mut seen[slot.point], true));
                    }
                }
            }
        }
        prop_assert!(seen.iter().all(|s| *s));
        prop_assert!(leaves <= slots.len());
    }
}
