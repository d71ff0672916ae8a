use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::RetentionRule;

use super::*;
use crate::block::BlockEntry;
use crate::disk::{Disk, LocalDisk};

const HOUR: i64 = 3_600_000_000_000;

/// 2026-11-23, in days since the epoch, and the first of its month.
const DAY: i32 = 20_780;
const FIRST: i32 = DAY - 22;

/// A block of a day with tags from one to another.
fn block(id: u64, rows: u64, span: Span, tags: (u32, u32)) -> Arc<Block> {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let entry = BlockEntry {
        id,
        rows,
        day: span.first(),
        days: span.days(),
        tag_min: tags.0,
        tag_max: tags.1,
        first_time: Some(span.start().nanos()),
        last_time: Some(span.end().nanos() - 1),
        time_min: span.start().nanos(),
        time_max: span.end().nanos() - 1,
        written: span.end().nanos(),
        ..BlockEntry::new(id, TenantId(1), span)
    };
    Block::new(Path::new("nowhere"), &disk, entry)
}

fn small_blocks(rows: &[u64]) -> Vec<Arc<Block>> {
    let blocks = rows.iter().zip(0..);
    blocks.map(|(rows, id)| block(id, *rows, Span::day(DAY), (0, 9))).collect()
}

fn chosen(rows: &[u64]) -> Option<Vec<u64>> {
    let choice = choose(&small_blocks(rows), 8, 1000)?;
    Some(choice.iter().map(|block| block.entry().rows).collect())
}

fn ids(job: &Job) -> Vec<u64> {
    let mut ids: Vec<u64> = job.inputs.iter().map(|block| block.entry().id).collect();
    ids.sort_unstable();
    ids
}

/// What is merged so many hours after the end of a span.
fn settled(blocks: &[Arc<Block>], span: Span, hours: i64) -> Option<(Span, Vec<u64>)> {
    let options = Options { block_rows_max: 10_000_000, ..Options::default() };
    let now = span.end().saturating_add(hours * HOUR);
    let (retention, all) = (&Rules::new(), false);
    let held = &Held::default();
    let plan = Plan { now, aged: now, held, options: &options, retention, all };
    let job = plan.settled(&Version::new(blocks.iter().cloned()))?;
    Some((job.span, ids(&job)))
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
    let blocks = small_blocks(&[1; 10]);
    blocks[3].mark_damaged();
    let options = Options { block_rows_max: 1000, ..Options::default() };
    let (retention, now, held) = (&Rules::new(), Timestamp::MIN, &Held::default());
    let plan = Plan { now, aged: now, held, options: &options, retention, all: false };
    let small = plan.small(&Version::new(blocks.iter().cloned()), None).unwrap();
    assert_eq!(ids(&small), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    let (_, inputs) = settled(&blocks, Span::day(DAY), 5).unwrap();
    assert_eq!(inputs, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_day_is_merged_once_it_is_over_and_quiet() {
    let day = Span::day(DAY);
    let blocks = small_blocks(&[3, 2, 1]);
    assert_eq!(settled(&blocks, day, -1), None, "it is not over");
    assert_eq!(settled(&blocks, day, 1), None, "it is not quiet");
    assert_eq!(settled(&blocks, day, 2), Some((day, vec![0, 1, 2])));
    let late = BlockEntry { written: day.end().nanos() + HOUR, ..blocks[0].entry().clone() };
    let late = Block::new(Path::new("nowhere"), &(Arc::new(LocalDisk) as Arc<dyn Disk>), late);
    let blocks = [late, Arc::clone(&blocks[1])];
    assert_eq!(settled(&blocks, day, 2), None, "one has just come");
    assert_eq!(settled(&blocks, day, 3), Some((day, vec![0, 1])));
}

#[test]
fn blocks_that_share_no_keys_are_merged_only_while_they_are_small() {
    let day = Span::day(DAY);
    let disjoint = |rows: u64| [0, 1, 2].map(|at| block(at, rows, day, (at as u32, at as u32)));
    assert_eq!(settled(&disjoint(12_000_000), day, 9), None);
    assert_eq!(settled(&disjoint(4_000_000), day, 9), Some((day, vec![0, 1])));
}

#[test]
fn a_month_is_merged_once_it_is_over_and_quiet() {
    let month = Span::day(DAY).month();
    let days = [0, 1, 29].map(|day| block(day, 100, Span::day(FIRST + day as i32), (0, 9)));
    assert_eq!(settled(&days, month, 47), None);
    assert_eq!(settled(&days, month, 48), Some((month, vec![0, 1, 29])));
    let only = [block(1, 100, month, (0, 9))];
    assert_eq!(settled(&only, month, 9999), None);
    let many: Vec<_> = (0..60).map(|id| block(id, 100, Span::day(FIRST + 3), (0, 9))).collect();
    let (span, inputs) = settled(&many, month, 1).unwrap();
    assert_eq!((span, inputs.len()), (month, 29), "too many, whether it is quiet or not");
}

#[test]
fn what_is_late_is_merged_when_it_is_worth_it() {
    let month = Span::day(DAY).month();
    let of_month = |rows| [block(0, rows, month, (0, 4)), block(1, rows, month, (5, 9))];
    let late = |id, rows| block(id, rows, Span::day(FIRST + 3), (0, 9));
    let blocks = |rows, more: &[Arc<Block>]| [&of_month(rows)[..], more].concat();
    let few = blocks(9_000_000, &[late(7, 10)]);
    assert_eq!(settled(&few, month, 999), None, "18 million rows are not rewritten for ten");
    let few = blocks(400_000, &[late(7, 10)]);
    assert_eq!(settled(&few, month, 999), Some((month, vec![0, 1, 7])), "little is rewritten");
    let many = blocks(9_000_000, &[late(7, 1_000_000)]);
    assert_eq!(settled(&many, month, 999), Some((month, vec![0, 1, 7])));
    let twice = blocks(9_000_000, &[late(7, 10), late(8, 10)]);
    assert_eq!(settled(&twice, month, 999), Some((month, vec![7, 8])), "with each other");
    let one_tag = block(7, 400_000, Span::day(FIRST + 3), (6, 6));
    let found = settled(&blocks(9_000_000, &[one_tag]), month, 999);
    assert_eq!(found, Some((month, vec![1, 7])), "the file of its tag");
}

#[test]
fn what_is_not_kept_is_found() {
    let rule = |after_days, keep| RetentionRule { after_days, keep };
    let rules = vec![rule(10, Keep::Minute), rule(20, Keep::Nothing)];
    let retention = Rules::from([(TenantId(1), Retention::new(rules).unwrap())]);
    let (options, held, all) = (&Options::default(), &Held::default(), false);
    let day = |id, day| block(id, 100, Span::day(day), (0, 9));
    let version = Version::new([day(1, DAY), day(2, DAY), day(3, DAY + 9)]);
    let plan = |days: i64| {
        let now = Span::day(DAY).end().saturating_add(days * 24 * HOUR);
        Plan { now, aged: now, held, options, retention: &retention, all }
    };
    assert!(plan(9).thinned(&version).is_none());
    let job = plan(10).thinned(&version).unwrap();
    assert_eq!((ids(&job), job.keep, job.span), (vec![1, 2], Keep::Minute, Span::day(DAY)));
    assert!(plan(19).expired(&version).is_empty());
    assert_eq!(plan(20).expired(&version).len(), 2);
    assert_eq!(plan(29).expired(&version).len(), 3);
    let none = Rules::new();
    assert!(Plan { retention: &none, ..plan(99) }.expired(&version).is_empty());
}

/// A block with something of its entry changed.
fn changed(block: &Arc<Block>, change: impl FnOnce(&mut BlockEntry)) -> Arc<Block> {
    let mut entry = block.entry().clone();
    change(&mut entry);
    Block::new(Path::new("nowhere"), &(Arc::new(LocalDisk) as Arc<dyn Disk>), entry)
}

/// Asks something of a plan with a minute kept after 10 days and nothing after 20.
fn retained<T>(now: Timestamp, ask: impl FnOnce(&Plan<'_>) -> T) -> T {
    let rule = |after_days, keep| RetentionRule { after_days, keep };
    let rules = vec![rule(10, Keep::Minute), rule(20, Keep::Nothing)];
    let retention = Rules::from([(TenantId(1), Retention::new(rules).unwrap())]);
    let (options, held) = (&Options::default(), &Held::default());
    ask(&Plan { now, aged: now, held, options, retention: &retention, all: false })
}

#[test]
fn blocks_that_overlap_are_thinned_together_and_removed_together() {
    let month = Span::day(DAY).month();
    let whole = changed(&block(1, 40_000_000, month, (0, 9)), |entry| entry.keep = Keep::Minute);
    let late = |id| block(id, 10, Span::day(FIRST + 3), (3, 4));
    let days = |days: i64| month.end().saturating_add(days * 24 * HOUR);
    let thinned = |now, blocks: &[Arc<Block>]| {
        let job = retained(now, |plan| plan.thinned(&Version::new(blocks.iter().cloned())))?;
        Some((ids(&job), job.keep, job.span))
    };
    let expired = |now, blocks: &[Arc<Block>]| {
        retained(now, |plan| plan.expired(&Version::new(blocks.iter().cloned()))).len()
    };
    let both = [Arc::clone(&whole), late(2)];
    assert_eq!(thinned(days(9), &both), None, "the newest is not old enough");
    let found = Some((vec![1, 2], Keep::Minute, month));
    assert_eq!(thinned(days(10), &both), found, "whether it is worth it or not");
    assert_eq!(thinned(days(10), &[Arc::clone(&whole)]), None);
    let new = changed(&late(2), |entry| entry.written = days(9).nanos());
    assert_eq!(thinned(days(10), &[Arc::clone(&whole), Arc::clone(&new)]), None, "it is not quiet");
    assert_eq!(thinned(days(11), &[Arc::clone(&whole), new]), found);
    let mut many = vec![Arc::clone(&whole)];
    many.extend((2..=40).map(late));
    let (inputs, keep, _) = thinned(days(10), &many).unwrap();
    assert_eq!((inputs.len(), keep), (9, Keep::All), "merged first");
    assert!(!inputs.contains(&1));
    assert_eq!((expired(days(19), &both), expired(days(20), &both)), (0, 2));
    assert_eq!(expired(days(19), &[late(2)]), 1);
    both[1].mark_damaged();
    assert_eq!(thinned(days(10), &both), None, "what is damaged may have replaced something");
}

#[test]
fn what_is_merged_for_another_reason_is_not_thinned() {
    let day = Span::day(DAY);
    let version = Version::new(small_blocks(&[1; 20]));
    retained(day.end().saturating_add(15 * 24 * HOUR), |plan| {
        assert_eq!(plan.settled(&version).unwrap().keep, Keep::All);
        assert_eq!(plan.small(&version, None).unwrap().keep, Keep::All);
        assert_eq!(plan.thinned(&version).unwrap().keep, Keep::Minute);
    });
}

#[test]
fn blocks_of_a_day_that_are_not_of_one_age_are_thinned_and_removed_alone() {
    let day = Span::day(DAY);
    let noon = day.start().nanos() + 12 * HOUR;
    let morning = changed(&block(1, 10, day, (0, 9)), |entry| entry.time_max = noon - 1);
    let evening = changed(&block(2, 10, day, (0, 9)), |entry| entry.time_min = noon);
    let version = Version::new([morning, Arc::clone(&evening)]);
    retained(Timestamp::from_nanos(noon + 20 * 24 * HOUR), |plan| {
        let job = plan.thinned(&version).unwrap();
        assert_eq!((ids(&job), job.keep), (vec![2], Keep::Minute));
        let expired = plan.expired(&version);
        assert_eq!(expired.iter().map(|block| block.entry().id).collect::<Vec<_>>(), [1]);
        let thinned = changed(&evening, |entry| entry.keep = Keep::Minute);
        let version = version.edit(&[evening], [thinned]);
        assert!(plan.thinned(&version).is_none(), "nothing is left to do for the other one");
    });
}

proptest! {
    /// However blocks lie, merging ends, within its bounds, and leaves none that overlap.
    #[test]
    fn merging_ends_with_blocks_that_share_no_keys(
        blocks in vec((0..90u64, 0..3i32, 0..40u32, 0..40u32), 1..120),
    ) {
        let options = Options { block_rows_max: 100, ..Options::default() };
        let (retention, now) = (&Rules::new(), Timestamp::MIN);
        let held = &Held::default();
        let plan = Plan { now, aged: now, held, options: &options, retention, all: true };
        let mut blocks: Vec<_> = blocks.into_iter().zip(0..).map(|((rows, day, a, b), id)| {
            block(id, rows + 1, Span::day(FIRST + day), (a.min(b), a.max(b)))
        }).collect();
        let rows_before = rows(&blocks);
        for round in 0.. {
            prop_assert!(round < 500);
            let Some(job) = plan.settled(&Version::new(blocks.iter().cloned())) else { break };
            let of_job = ids(&job);
            prop_assert!(of_job.len() > 1);
            prop_assert!(runs(&job.inputs).len() <= MERGED_MAX);
            let tags = job.inputs.iter().map(|b| (b.entry().tag_min, b.entry().tag_max));
            let tags = tags.fold((u32::MAX, 0), |(low, high), (a, b)| (low.min(a), high.max(b)));
            // As if all were of one tag each: one block.
            blocks.retain(|block| !of_job.contains(&block.entry().id));
            blocks.push(block(1000 + round, rows(&job.inputs), job.span, tags));
        }
        prop_assert_eq!(rows(&blocks), rows_before);
        prop_assert!(parts(blocks.clone()).iter().all(|part| runs(part).len() == 1));
        let mut inputs = blocks;
        inputs.extend(small_blocks(&[1; 5]));
        let runs = runs(&inputs);
        prop_assert_eq!(runs.iter().map(Vec::len).sum::<usize>(), inputs.len());
        let rises = |run: &Vec<Arc<Block>>| {
            run.windows(2).all(|pair| pair[0].entry().last_key() < pair[1].entry().first_key())
        };
        prop_assert!(runs.iter().all(rises));
    }
}
