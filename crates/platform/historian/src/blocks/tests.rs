use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use weir_model::TagId;

use super::*;
use crate::disk::DiskFile;
use crate::tests::{SECOND, TENANT, all, at, batch, number, open, options};

/// What a sequence of writes is made of.
#[derive(Debug, Clone)]
enum Step {
    /// Samples of a tag: the first second, how many, every how many seconds, and their value.
    Write {
        tag: u32,
        from: i64,
        count: i64,
        every: i64,
        value: f64,
    },
    /// A deletion of a tag's seconds.
    Delete {
        tag: u32,
        from: i64,
        to: i64,
    },
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let tag = || 0..4_u32;
    prop_oneof![
        5 => (tag(), 0..400_i64, 1..40_i64, 1..4_i64, 0..100_u8).prop_map(
            |(tag, from, count, every, value)| {
                Step::Write { tag, from, count, every, value: f64::from(value) }
            }
        ),
        1 => (tag(), 0..400_i64, 1..50_i64)
            .prop_map(|(tag, from, count)| Step::Delete { tag, from, to: from + count }),
        3 => Just(Step::Flush),
    ]
}

async fn run(historian: &Historian, steps: &[Step]) {
    for step in steps {
        match *step {
            Step::Write { tag, from, count, every, value } => {
                let times = (0..count).map(|index| (from + index * every) * SECOND);
                let samples = times.map(|time| (TagId(tag), number(time, value)));
                historian.append(batch(samples.collect())).await.unwrap();
            }
            Step::Delete { tag, from, to } => {
                let (from, to) = (at(from * SECOND), at(to * SECOND));
                historian.delete(TENANT, TagId(tag), (from, to), at(0)).await.unwrap();
            }
            Step::Flush => historian.flush().await.unwrap(),
        }
    }
    historian.flush().await.unwrap();
}

/// Every row of files, read as Parquet by their bytes; a key that comes twice fails.
fn rows(months: Vec<ExactMonth>, scratch: &Path) -> BTreeMap<Key, f64> {
    let mut rows = BTreeMap::new();
    for month in months {
        for block in month.blocks.unwrap() {
            let Some(file) = block.open(scratch).unwrap() else { continue };
            let mut bytes = Vec::new();
            while (bytes.len() as u64) < file.bytes() {
                bytes.extend_from_slice(&file.read(bytes.len() as u64, 1000).unwrap());
            }
            // As the history reads it, from a file that was copied.
            let copy = scratch.join("copy.parquet");
            std::fs::write(&copy, &bytes).unwrap();
            let mut cursor = BlockCursor::new(&OpenBlocks::default(), &file.block, None).unwrap();
            assert_eq!(std::fs::read(file.block.path()).unwrap(), bytes);
            let mut count = 0;
            let mut found = std::collections::VecDeque::new();
            loop {
                cursor.read(&mut found).unwrap();
                if found.is_empty() {
                    break;
                }
                for row in found.drain(..) {
                    count += 1;
                    let value = row.value.as_ref().and_then(weir_model::Value::as_f64).unwrap();
                    assert_eq!(
                        rows.insert(row.key(), value),
                        None,
                        "{:?} is there twice",
                        row.key()
                    );
                }
            }
            assert_eq!(count, file.rows());
        }
    }
    rows
}

async fn answers(historian: &Historian) -> BTreeMap<Key, f64> {
    let mut rows = BTreeMap::new();
    for tag in 0..4 {
        for sample in all(historian, tag).await {
            let value = sample.value.and_then(|value| value.as_f64()).unwrap();
            rows.insert((tag, sample.time.nanos()), value);
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever overlaps, whatever was replaced or deleted: the files together are the history.
    #[test]
    fn exact_blocks_have_each_sample_once(
        steps in proptest::collection::vec(step(), 1..24),
        only in proptest::collection::btree_set(0..6_u32, 0..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = crate::Options { day_blocks_max: 1000, ..options() };
            let historian = Historian::open(&dir.path().join("historian"), options).unwrap();
            let mut overlaps = Overlaps::default();
            let scratch = dir.path().join("scratch");
            std::fs::create_dir_all(&scratch).unwrap();
            for part in steps.chunks(8) {
                run(&historian, part).await;
                let months = overlaps.exact(&historian.blocks(), |_| Some(WantedTags::All));
                assert_eq!(rows(months, &scratch), answers(&historian).await);
                // Of some tags only: what the files have is the history of these.
                let wanted = WantedTags::Only(only.iter().copied().collect());
                let months = overlaps.exact(&historian.blocks(), |_| Some(wanted.clone()));
                let mut of_these = answers(&historian).await;
                of_these.retain(|(tag, _), _| only.contains(tag));
                assert_eq!(rows(months, &scratch), of_these);
            }
            // A folder that is closed has the same.
            let answers = answers(&historian).await;
            historian.close().await.unwrap();
            let found = blocks(&dir.path().join("historian")).unwrap();
            assert_eq!(rows(Overlaps::default().exact(&found, |_| Some(WantedTags::All)), &scratch), answers);
            assert_eq!(crate::tests::files(&scratch, ".parquet").len(), usize::from(!answers.is_empty()));
        });
    }
}

#[tokio::test]
async fn a_name_says_what_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let write = |tag, from| Step::Write { tag, from, count: 30, every: 1, value: from as f64 };
    run(&historian, &[write(1, 0)]).await;
    let names = |months: Vec<ExactMonth>| -> Vec<String> {
        let blocks = months.into_iter().flat_map(|month| month.blocks.unwrap());
        blocks.map(|block| block.name()).collect()
    };
    let mut overlaps = Overlaps::default();
    let first = names(overlaps.exact(&historian.blocks(), |_| Some(WantedTags::All)));
    assert_eq!(first.len(), 1);
    // Other tags and other times: the file stays as it is.
    run(&historian, &[write(2, 0), Step::Flush, write(1, 30)]).await;
    let second = names(overlaps.exact(&historian.blocks(), |_| Some(WantedTags::All)));
    assert_eq!((second.len(), second.contains(&first[0])), (3, true));
    // A sample of it is replaced: another name, and the others keep theirs.
    run(&historian, &[write(1, 29)]).await;
    let third = names(overlaps.exact(&historian.blocks(), |_| Some(WantedTags::All)));
    let kept = third.iter().filter(|name| second.contains(name)).count();
    assert_eq!((third.len(), kept, third.contains(&first[0])), (4, 1, false));
    assert_eq!(
        names(
            overlaps
                .exact(&historian.blocks(), |tenant| (tenant.0 == 2).then_some(WantedTags::All))
        )
        .len(),
        0
    );
    assert_eq!(
        names(Overlaps::default().exact(&historian.blocks(), |_| Some(WantedTags::All))),
        third
    );
}

#[tokio::test]
async fn a_tag_that_is_not_wanted_changes_the_names_of_its_blocks_alone() {
    let dir = tempfile::tempdir().unwrap();
    let historian = open(dir.path());
    let write = |tag, from| Step::Write { tag, from, count: 30, every: 1, value: from as f64 };
    run(&historian, &[write(1, 0), write(3, 0), Step::Flush, write(1, 30)]).await;
    let names = |wanted: Option<WantedTags>| -> Vec<String> {
        let months = Overlaps::default().exact(&historian.blocks(), |_| wanted.clone());
        let blocks = months.into_iter().flat_map(|month| month.blocks.unwrap());
        blocks.map(|block| block.name()).collect()
    };
    let only = |tags: &[u32]| Some(WantedTags::Only(tags.into()));
    let all = names(Some(WantedTags::All));
    // Numbers between that the block has not are not asked for.
    assert_eq!((names(only(&[1, 3])), names(only(&[0, 1, 2, 3, 4]))), (all.clone(), all.clone()));
    let without = names(only(&[1]));
    let kept = without.iter().filter(|name| all.contains(name)).count();
    assert_eq!((without.len(), kept), (2, 1));
    assert_eq!(names(None), Vec::<String>::new());
    let scratch = dir.path().join("scratch");
    let months = Overlaps::default().exact(&historian.blocks(), |_| only(&[]));
    std::fs::create_dir_all(&scratch).unwrap();
    assert_eq!(rows(months, &scratch), BTreeMap::new());
}

/// A disk on which so many blocks more can be begun.
struct FewBlocks(AtomicU64);

impl Disk for FewBlocks {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let is_block = path.extension().is_some_and(|extension| extension == "parquet");
        let left = self.0.load(Ordering::SeqCst);
        if is_block && left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.store(left - u64::from(is_block), Ordering::SeqCst);
        LocalDisk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.open(path)
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

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }
}

#[tokio::test]
async fn what_a_half_done_merge_has_written_is_not_compared_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let (home, scratch) = (dir.path().join("historian"), dir.path().join("scratch"));
    std::fs::create_dir_all(&scratch).unwrap();
    let options = crate::Options { block_rows_max: 50, ..options() };
    // Two flushes, and the first block of the merge.
    let disk = Arc::new(FewBlocks(AtomicU64::new(3)));
    let historian = Historian::open_on(disk, &home, options.clone()).unwrap();
    let write = |tag, from| Step::Write { tag, from, count: 60, every: 1, value: from as f64 };
    let later = [write(0, 30), write(1, 30), write(3, 70), Step::Flush];
    run(&historian, &[write(0, 0), Step::Flush]).await;
    run(&historian, &[write(1, 0), write(2, 0), write(3, 0), later[0].clone()]).await;
    assert!(historian.compact().await.is_err());
    let expected = answers(&historian).await;
    let half = |found: &Blocks| {
        assert_eq!(found.superseded.len(), 1);
        let months = Overlaps::default().exact(found, |_| Some(WantedTags::All));
        for block in months.iter().flat_map(|month| month.blocks.as_ref().unwrap()) {
            assert!(block.replaced.is_empty(), "{:?}", block.replaced);
        }
        assert_eq!(rows(months, &scratch), expected);
    };
    half(&historian.blocks());
    historian.close().await.unwrap();
    half(&blocks(&home).unwrap());
    // What comes meanwhile replaces rows of either.
    let historian = Historian::open(&home, options).unwrap();
    run(&historian, &later).await;
    let expected = answers(&historian).await;
    let exact = |historian: &Historian| {
        Overlaps::default().exact(&historian.blocks(), |_| Some(WantedTags::All))
    };
    assert_eq!(rows(exact(&historian), &scratch), expected);
    historian.compact().await.unwrap();
    assert!(historian.blocks().superseded.is_empty());
    assert_eq!(rows(exact(&historian), &scratch), expected);
    assert_eq!(answers(&historian).await, expected);
}
