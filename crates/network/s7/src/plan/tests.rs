use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { gap_bytes: 4, bytes_max: 100 };

fn slots(addresses: &[&str]) -> Vec<Slot> {
    let interval = Duration::from_secs(1);
    let slot = |(point, text): (usize, &&str)| {
        let address = PointAddress::of_text(text).unwrap();
        Slot { point, address, interval }
    };
    addresses.iter().enumerate().map(slot).collect()
}

fn shape(blocks: &[Block]) -> Vec<(Area, u16, u32, u16, usize)> {
    blocks.iter().map(|b| (b.area, b.db, b.start, b.count, b.slots.len())).collect()
}

#[test]
fn neighbours_share_an_item() {
    let points =
        ["DB1,REAL10", "DB1.DBX3.1", "DB1,INT8", "DB1.DBX3.2", "DB2.DBW4", "MW4", "T3", "T4", "T9"];
    let found = blocks(slots(&points), LIMITS);
    let expected = [
        (Area::Db, 1, 3, 11, 4),
        (Area::Db, 2, 4, 2, 1),
        (Area::Merker, 0, 4, 2, 1),
        (Area::Timer, 0, 3, 2, 2),
        (Area::Timer, 0, 9, 1, 1),
    ];
    assert_eq!(shape(&found), expected);
    assert_eq!(found[0].place(), "DB1 byte 3 to 13");
    assert_eq!(found[0].offset(&found[0].slots[3]), 7);
    assert_eq!(found[3].offset(&found[3].slots[1]), 2);
    assert_eq!(found[4].place(), "timer 9");
}

#[test]
fn limits_and_long_points() {
    let found = blocks(slots(&["DB1,STRING0.200", "DB1,REAL202", "DB1,REAL300"]), LIMITS);
    assert_eq!(
        shape(&found),
        [(Area::Db, 1, 0, 202, 1), (Area::Db, 1, 202, 4, 1), (Area::Db, 1, 300, 4, 1)]
    );
    let items = found[0].items(100);
    let pieces: Vec<_> = items.iter().map(|i| (i.start, i.count)).collect();
    assert_eq!(pieces, [(0, 100), (100, 100), (200, 2)]);
    assert_eq!(found[1].items(100).len(), 1);
}

#[test]
fn splits_until_one_place_is_left() {
    let whole = &blocks(slots(&["MW0", "MW2", "MW2:INT", "MW4"]), LIMITS)[0];
    let [left, right] = whole.split().unwrap();
    let halves = shape(&[left.clone(), right.clone()]);
    assert_eq!(halves, [(Area::Merker, 0, 0, 4, 3), (Area::Merker, 0, 4, 2, 1)]);
    assert_eq!(right.split(), None);
    let [_, both] = left.split().unwrap();
    assert_eq!((both.slots.len(), both.split()), (2, None));
    assert_eq!(Block::probe(Duration::from_secs(1)).split(), None);
}

proptest! {
    #[test]
    fn every_point_is_read_whole_and_once(
        starts in proptest::collection::vec((0..2000_u32, 0..5_usize, 1..3_u16), 1..200),
        gap_bytes in 0..50_u16,
    ) {
        let types = ["byte", "int", "real", "lreal", "dtl"];
        let texts: Vec<_> =
            starts.iter().map(|(s, t, db)| format!("DB{db},{}{s}", types[*t])).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let limits = Limits { gap_bytes, bytes_max: 100 };
        let mut queue = blocks(slots(&texts), limits);
        let mut seen = vec![0; texts.len()];
        for block in &queue {
            prop_assert!(block.bytes() <= 100);
            for slot in &block.slots {
                seen[slot.point] += 1;
                prop_assert!(block.offset(slot) + usize::from(slot.address.bytes()) <= block.bytes());
            }
        }
        prop_assert!(seen.iter().all(|n| *n == 1));
        let mut leaves = 0;
        while let Some(block) = queue.pop() {
            match block.split() {
                Some(halves) => queue.extend(halves),
                None => leaves += block.slots.len(),
            }
        }
        prop_assert_eq!(leaves, texts.len());
    }
}
