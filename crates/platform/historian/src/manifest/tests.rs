use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::disk::LocalDisk;

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Manifest::load(dir.path()).unwrap(), None);
    let mut manifest = Manifest { covered: 7, samples: u64::MAX, ..Manifest::default() };
    manifest.checkpoint = Some(CheckpointEntry { file: "checkpoint-1".into(), crc32c: 5 });
    manifest.blocks.push(BlockEntry::new(1, TenantId(1), Span::day(20_780).month()));
    manifest.save(&LocalDisk, dir.path()).unwrap();
    assert_eq!(Manifest::load(dir.path()).unwrap(), Some(manifest));
    assert!(!dir.path().join("manifest.tmp").exists());
}

#[test]
fn a_block_of_format_2_is_of_a_day_in_its_folder() {
    let text = r#"{"id":7,"tenant":3,"day":20780,"rows":1,"bytes":2,"tail_offset":1,"tail_crc32c":9,
        "tag_min":4,"tag_max":5,"time_min":-1,"time_max":1,"position_max":6}"#;
    let entry: BlockEntry = serde_json::from_str(text).unwrap();
    assert_eq!(entry.span(), Span::day(20_780));
    assert_eq!((entry.first_key(), entry.last_key()), ((4, i64::MIN), (5, i64::MAX)));
    let path = |entry: &BlockEntry| crate::block::path(Path::new(""), entry);
    let expected = "blocks/tenant=3/day=2026-11-23/block-000000000007.parquet";
    assert_eq!(path(&entry), Path::new(expected));
    let expected = "blocks/tenant=3/month=2026-11/block-000000000007.parquet";
    for days in [1, 30] {
        assert_eq!(path(&BlockEntry { days, ..entry.clone() }), Path::new(expected));
    }
}

proptest! {
    #[test]
    fn what_has_a_day_is_found(
        spans in vec((0..3u32, 20_700..20_900i32, any::<bool>()), 0..40),
        (first, days) in (20_650..20_950i32, -2..70i32),
    ) {
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
        let blocks: Vec<_> = spans.into_iter().zip(0..).map(|((tenant, day, is_month), id)| {
            let span = if is_month { Span::day(day).month() } else { Span::day(day) };
            Block::new(Path::new(""), &disk, BlockEntry::new(id, TenantId(tenant), span))
        }).collect();
        let (gone, stay) = blocks.split_at(blocks.len() / 3);
        let version = Version::new(blocks.iter().cloned()).edit(gone, []);
        let last = first + days;
        for tenant in (0..3).map(TenantId) {
            let groups: Vec<Group<'_>> = version.spans(tenant, first, last).collect();
            prop_assert!(groups.is_sorted_by(|(a, _), (b, _)| a.first() <= b.first() && a != b));
            prop_assert!(groups.iter().all(|(_, blocks)| !blocks.is_empty()));
            let ids = |blocks: Vec<&Arc<Block>>| {
                let mut ids: Vec<u64> = blocks.into_iter().map(|b| b.entry().id).collect();
                ids.sort_unstable();
                ids
            };
            let found = ids(groups.iter().flat_map(|(_, blocks)| *blocks).collect());
            let wanted = |block: &&Arc<Block>| {
                let (entry, span) = (block.entry(), block.entry().span());
                entry.tenant == tenant && first <= last && span.first() <= last && span.last() >= first
            };
            prop_assert_eq!(found, ids(stay.iter().filter(wanted).collect()));
        }
        prop_assert_eq!(version.blocks().count(), stay.len());
    }
}
