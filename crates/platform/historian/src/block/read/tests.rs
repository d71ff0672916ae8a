use tempfile::TempDir;
use weir_model::{TenantId, Timestamp, Value};

use super::*;
use crate::block::write::BlockWriter;
use crate::disk::{Disk, LocalDisk};
use crate::span::Span;

const TAGS: u32 = 60;
const ROWS_PER_TAG: i64 = 5000;

fn time(index: i64) -> i64 {
    Timestamp::start_of_day(20_000).nanos() + index * 1_000_000_007
}

fn row(tag: u32, index: i64) -> Row {
    let value = Some(Value::F64(index as f64 / 8.0));
    Row { time: time(index), position: index as u64, tag, quality: 0, value }
}

fn block() -> (TempDir, Arc<Block>) {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let mut writer =
        BlockWriter::create(&disk, dir.path(), 3, TenantId(1), Span::day(20_000)).unwrap();
    for tag in 0..TAGS {
        (0..ROWS_PER_TAG).for_each(|index| writer.push(&row(tag, index)).unwrap());
    }
    let entry = writer.finish(dir.path()).unwrap();
    assert_eq!(entry.rows, 300_000);
    assert_eq!((entry.tag_min, entry.tag_max, entry.position_max), (0, TAGS - 1, 4999));
    let block = Block::new(dir.path(), &disk, entry);
    assert!(block.path().ends_with("blocks/tenant=1/month=2024-10/block-000000000003.parquet"));
    (dir, block)
}

fn read(block: &Arc<Block>, wanted: Option<Wanted>) -> Vec<Row> {
    let blocks = OpenBlocks::default();
    let mut cursor = BlockCursor::new(&blocks, block, wanted).unwrap();
    let (mut rows, mut all) = (VecDeque::new(), Vec::new());
    loop {
        cursor.read(&mut rows).unwrap();
        if rows.is_empty() {
            return all;
        }
        all.extend(rows.drain(..));
    }
}

#[test]
fn rows_come_back_in_order() {
    let (_dir, block) = block();
    let rows = read(&block, None);
    assert_eq!(rows.len(), 300_000);
    assert!(rows.is_sorted_by_key(Row::key));
    assert_eq!(rows[12_345], row(2, 2345));
}

#[test]
fn spans_are_read_exactly() {
    let (_dir, block) = block();
    let spans = [(0, 5000), (0, 0), (7, 8), (100, 4000), (4999, 5000), (5000, 6000)];
    for tag in [0, 1, 17, 31, 59, 60] {
        for (from, to) in spans {
            let wanted = Wanted { tag, from: time(from), to: time(to) };
            let end = if tag < TAGS { to.min(ROWS_PER_TAG) } else { from };
            let expected: Vec<Row> = (from..end).map(|index| row(tag, index)).collect();
            assert_eq!(read(&block, Some(wanted)), expected, "tag {tag}, {from} to {to}");
        }
    }
}

#[test]
fn pages_of_other_tags_and_times_are_not_selected() {
    let (_dir, block) = block();
    let open = OpenBlocks::default().open(&block).unwrap();
    let groups = 0..open.metadata.metadata().num_row_groups();
    let selected = |wanted| -> usize {
        let rows = groups.clone().filter_map(|group| open.select(group, wanted));
        rows.map(|rows| rows.row_count()).sum()
    };
    let hour = Wanted { tag: 31, from: time(0), to: time(3600) };
    assert!(selected(hour) <= 5000, "{}", selected(hour));
    assert_eq!(selected(Wanted { tag: 99, ..hour }), 0);
    assert_eq!(selected(Wanted { from: time(9000), to: time(9001), ..hour }), 0);
}
