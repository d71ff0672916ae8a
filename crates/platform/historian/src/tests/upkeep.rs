//! Days and months are merged, and what is old is thinned and removed, as time goes by.

use std::io;
use std::path::Path;
use std::sync::Arc;

use weir_model::{Keep, Retention, RetentionRule, TagId, TenantId};

use super::*;
use crate::disk::{Disk, DiskFile, LocalDisk};
use crate::span::Span;

const HOUR: i64 = 3600 * SECOND;

/// A disk that loses what a power cut would, so that a year takes seconds.
struct FastDisk;

struct FastFile(Box<dyn DiskFile>);

impl Disk for FastDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FastFile(LocalDisk.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FastFile(LocalDisk.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for FastFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fast(dir: &Path, clock: &TestClock) -> Historian {
    let options = Options { clock: clock.clock(), ..options() };
    Historian::open_on(Arc::new(FastDisk), dir, options).unwrap()
}

fn spans(historian: &Historian) -> Vec<Span> {
    historian.shared().view().version.all_spans().map(|(_, (span, _))| span).collect()
}

/// Samples of some tags, one every so often, from an hour on.
fn hours(tags: u32, from: i64, count: i64, every: i64) -> Batch {
    let times = (from * HOUR..(from + count) * HOUR).step_by(every as usize);
    let samples = (0..tags).flat_map(|tag| {
        times.clone().map(move |time| (TagId(tag), number(time, (time / SECOND % 1000) as f64)))
    });
    batch(samples.collect())
}

#[tokio::test]
async fn a_year_of_flushes_leaves_few_files() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let historian = fast(dir.path(), &clock);
    let (mut most, mut samples) = (0, 0);
    for hour in (0..400 * 24).step_by(3) {
        let batch = hours(3, hour, 3, HOUR / 2);
        samples += batch.samples.len();
        historian.append(batch).await.unwrap();
        if hour % 100 == 0 && hour > 0 {
            // Late by two months at times, and of one tag.
            let late = number((hour - hour * 37 % 1400) * HOUR + 1, 5.0);
            historian.append(super::batch(vec![(TagId(1), late)])).await.unwrap();
            samples += 1;
        }
        clock.pass(3 * HOUR);
        historian.flush().await.unwrap();
        historian.tend(false).await.unwrap();
        most = most.max(historian.stats().blocks);
    }
    // Months, days of the newest one or two, small ones of today.
    assert!(most <= 13 + 31 + 3 + 8 + 8, "{most}");
    assert_eq!(files(dir.path(), ".parquet").len(), historian.stats().blocks);
    clock.pass(40 * DAY);
    historian.tend(false).await.unwrap();
    assert!(historian.stats().blocks <= 15, "{:?}", spans(&historian));
    let mut found = 0;
    for tag in 0..3 {
        found += all(&historian, tag).await.len();
    }
    assert_eq!(found, samples);
    let folders = std::fs::read_dir(dir.path().join("blocks/tenant=1")).unwrap().count();
    assert!(folders <= 15, "{folders}");
}

#[tokio::test]
async fn a_tag_of_a_day_and_of_a_month_is_in_one_file() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let options = Options { clock: clock.clock(), block_rows_max: 5000, ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    for part in 0..12 {
        // 48 hours of 8 tags from 08:00 on: parts of three days, of one of them 2304 rows a tag.
        historian.append(hours(8, part * 4, 4, HOUR / 96)).await.unwrap();
        historian.flush().await.unwrap();
    }
    let of_tag = |tag: u32| {
        let version = historian.shared().view().version;
        let found: Vec<_> = version
            .blocks()
            .filter(|block| block.overlaps(tag, i64::MIN, i64::MAX))
            .map(|block| (block.entry().span().days(), block.entry().rows))
            .collect();
        found
    };
    clock.pass(4 * DAY);
    historian.tend(false).await.unwrap();
    assert!(spans(&historian).iter().all(|span| span.is_day()));
    assert!((0..8).all(|tag| of_tag(tag).len() == 3), "{:?}", of_tag(0));
    clock.pass(20 * DAY);
    historian.tend(false).await.unwrap();
    assert_eq!(spans(&historian), [Span::day(at(0).day()).month()]);
    // A block ends with the tag with which it has 5000 rows.
    assert!((0..8).all(|tag| of_tag(tag) == [(30, 2 * 4608)]), "{:?}", of_tag(0));
    let before = files(dir.path(), ".parquet");
    historian.compact().await.unwrap();
    assert_eq!(files(dir.path(), ".parquet"), before, "there is nothing left to merge");
    let (expected, found) = (hours(1, 0, 48, HOUR / 96), all(&historian, 7).await);
    let expected: Vec<_> = expected.samples.iter().map(|(_, sample)| sample).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn one_tag_that_is_too_much_for_a_block_has_several() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { block_rows_max: 1000, ..options() };
    let historian = Historian::open(dir.path(), options).unwrap();
    for part in 0..4 {
        historian.append(hours(2, part, 1, SECOND)).await.unwrap();
        historian.flush().await.unwrap();
    }
    historian.compact().await.unwrap();
    let version = historian.shared().view().version;
    let mut keys: Vec<_> = version
        .blocks()
        .map(|block| (block.entry().first_key(), block.entry().last_key()))
        .collect();
    keys.sort_unstable();
    assert!(keys.len() > 10 && keys.windows(2).all(|pair| pair[0].1 < pair[1].0), "{keys:?}");
    assert_eq!(all(&historian, 1).await.len(), 4 * 3600);
    let part = historian.range(TENANT, TagId(1), at(5000 * SECOND), at(5010 * SECOND), 99).await;
    assert_eq!(part.unwrap().len(), 10);
    assert_eq!(
        historian.latest_before(TENANT, TagId(0), at(9 * SECOND)).await.unwrap(),
        Some(number(8 * SECOND, 8.0))
    );
}

fn rules(rules: &[(u32, Keep)]) -> Retention {
    let rule =
        |(after_days, keep): &(u32, Keep)| RetentionRule { after_days: *after_days, keep: *keep };
    Retention::new(rules.iter().map(rule).collect()).unwrap()
}

#[tokio::test]
async fn what_is_old_is_thinned_once_and_then_removed() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let historian = fast(dir.path(), &clock);
    historian.set_retention(TENANT, rules(&[(2, Keep::Hour), (400, Keep::Nothing)]));
    // Of another tenant, everything stays.
    historian.append(Batch { tenant: TenantId(2), ..hours(1, 0, 4, SECOND) }).await.unwrap();
    historian.append(hours(2, 0, 16, SECOND)).await.unwrap();
    historian.flush().await.unwrap();
    pass(&historian, &clock, 2).await;
    assert_eq!(all(&historian, 1).await.len(), 16 * 3600, "the newest is not old enough");
    let points = |historian: Historian| async move {
        historian.downsample(TENANT, TagId(1), at(0), at(16 * HOUR), 16 * 5).await.unwrap()
    };
    let before = points(historian.clone()).await;
    pass(&historian, &clock, 1).await;
    let thinned = all(&historian, 1).await;
    assert!((16 * 2..=16 * 5).contains(&thinned.len()), "{}", thinned.len());
    let values = |samples: &[Sample]| {
        let numbers = samples.iter().filter_map(|s| s.value.as_ref()?.as_f64());
        numbers.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)))
    };
    assert_eq!(values(&thinned), values(&before));
    assert_eq!(thinned.first(), before.first());
    assert_eq!(thinned.last(), before.last());
    let written = files(dir.path(), ".parquet");
    historian.tend(false).await.unwrap();
    assert_eq!(files(dir.path(), ".parquet"), written, "once");
    // Late samples are thinned together with what is there.
    historian.append(hours(1, 3, 1, SECOND / 2)).await.unwrap();
    historian.flush().await.unwrap();
    pass(&historian, &clock, 60).await;
    assert!(all(&historian, 0).await.len() <= 16 * 5);
    let of_other = historian.range(TenantId(2), TagId(0), at(0), at(DAY), 99_999).await.unwrap();
    assert_eq!(of_other.len(), 4 * 3600);
    pass(&historian, &clock, 400).await;
    assert!(all(&historian, 0).await.is_empty() && all(&historian, 1).await.is_empty());
    assert_eq!(historian.last(TENANT, TagId(1)).as_ref(), thinned.last(), "the last value stays");
    let others = historian.shared().view().version;
    assert!(others.blocks().all(|block| block.entry().tenant != TENANT));
    historian.set_retention(TENANT, Retention::default());
    historian.append(hours(1, 0, 1, SECOND)).await.unwrap();
    historian.compact().await.unwrap();
    assert_eq!(all(&historian, 0).await.len(), 3600);
}

/// Lets days pass, after which something of another tenant comes, so that the clock is believed.
async fn pass(historian: &Historian, clock: &TestClock, days: i64) {
    clock.pass(days * DAY);
    let sample = vec![(TagId(9), number(0, days as f64))];
    historian.append(Batch { tenant: TenantId(3), ..batch(sample) }).await.unwrap();
    historian.flush().await.unwrap();
    historian.tend(false).await.unwrap();
}

#[tokio::test]
async fn what_was_corrected_stays_so_when_it_is_thinned() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let historian = fast(dir.path(), &clock);
    historian.set_retention(TENANT, rules(&[(30, Keep::Hour)]));
    historian.append(hours(1, 0, 15, 60 * SECOND)).await.unwrap();
    historian.append(hours(1, 30, 1, 60 * SECOND)).await.unwrap();
    let wrong = (TagId(0), number(17 * 60 * SECOND, 1e6));
    historian.append(batch(vec![wrong])).await.unwrap();
    historian.flush().await.unwrap();
    pass(&historian, &clock, 12).await;
    let of_tenant = || {
        let version = historian.shared().view().version;
        let blocks = version.blocks().filter(|block| block.entry().tenant == TENANT);
        blocks.map(|block| (block.entry().days, block.entry().keep)).collect::<Vec<_>>()
    };
    assert_eq!(of_tenant(), [(30, Keep::All)]);
    pass(&historian, &clock, 40).await;
    assert_eq!(of_tenant(), [(30, Keep::Hour)]);
    let has_wrong = |samples: Vec<Sample>| samples.contains(&number(17 * 60 * SECOND, 1e6));
    assert!(has_wrong(all(&historian, 0).await), "an extreme stays");
    let mut right = hours(1, 0, 1, 60 * SECOND).samples.iter().collect::<Vec<_>>();
    right.retain(|(_, sample)| sample.time != at(17 * 60 * SECOND));
    right.push((TagId(0), number(17 * 60 * SECOND, 20.0)));
    historian.append(batch(right)).await.unwrap();
    historian.flush().await.unwrap();
    historian.tend(false).await.unwrap();
    assert!(!has_wrong(all(&historian, 0).await), "at once");
    pass(&historian, &clock, 3).await;
    assert!(!has_wrong(all(&historian, 0).await), "thinned again");
    assert_eq!(of_tenant(), [(30, Keep::Hour)]);
    assert!(all(&historian, 0).await.len() <= 16 * 5);
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_makes_nothing_old() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
    let historian = fast(dir.path(), &clock);
    historian.set_retention(TENANT, rules(&[(30, Keep::Nothing)]));
    historian.append(hours(1, 0, 1, SECOND)).await.unwrap();
    historian.flush().await.unwrap();
    clock.pass(4000 * DAY);
    historian.tend(false).await.unwrap();
    assert_eq!(all(&historian, 0).await.len(), 3600);
    pass(&historian, &clock, 0).await;
    assert!(all(&historian, 0).await.is_empty());
}
