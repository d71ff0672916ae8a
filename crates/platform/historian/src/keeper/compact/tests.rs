use weir_model::TenantId;

use super::*;
use crate::disk::{Disk, LocalDisk};

fn blocks(rows: &[u64]) -> Vec<Arc<Block>> {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let entry = |(id, rows): (usize, &u64)| BlockEntry {
        id: id as u64,
        tenant: TenantId(1),
        day: 0,
        rows: *rows,
        bytes: 0,
        tail_offset: 0,
        tail_crc32c: 0,
        tag_min: 0,
        tag_max: 0,
        time_min: 0,
        time_max: 0,
        position_max: 0,
        erased_to: 0,
    };
    let dir = std::path::Path::new("nowhere");
    rows.iter().enumerate().map(|block| Block::new(dir, &disk, entry(block))).collect()
}

fn chosen(rows: &[u64]) -> Option<Vec<u64>> {
    let choice = choose(&blocks(rows), 8, 1000)?;
    Some(choice.iter().map(|block| block.entry().rows).collect())
}

#[test]
fn few_blocks_are_left_alone() {
    assert_eq!(chosen(&[]), None);
    assert_eq!(chosen(&[1; 8]), None);
    assert_eq!(chosen(&[1000; 50]), None, "large ones are not merged");
}

#[test]
fn small_blocks_are_merged_before_large_ones() {
    assert_eq!(chosen(&[1; 9]).unwrap().len(), 9);
    let mixed = [900, 1, 1, 1, 1, 1, 1, 1, 1];
    assert_eq!(chosen(&mixed), Some(vec![1; 8]));
    let growing = [1, 10, 100, 200, 300, 400, 500, 600, 700];
    assert_eq!(chosen(&growing), Some(vec![1, 10, 100, 200, 300, 400]));
    assert_eq!(chosen(&[1; 99]).unwrap().len(), MERGED_MAX);
}

#[test]
fn a_damaged_block_is_not_merged() {
    let blocks = blocks(&[1; 10]);
    blocks[3].mark_damaged();
    let choice = choose(&blocks, 8, 1000).unwrap();
    assert!(choice.iter().all(|block| block.entry().id != 3));
}
