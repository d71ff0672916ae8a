//! Seeded histories on a disk that ends, fills up and fails, beside a ledger that stands outside.
//!
//! After every start: each acknowledged sample is there, nothing that was not sent is there, and of
//! a batch that was refused or never answered there is all or nothing. Damaged files are found, and
//! never answered.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use weir_model::{Quality, Sample, TagId, Timestamp, Value};

use super::deeds::{Content, Deed, TAGS, TENANTS, read};
use super::dice::Dice;
use super::flipped::Flipped;
use super::power::{Fault, PowerDisk};
use super::*;
use crate::{HistorianError, Seen};

/// Seeds of a usual test run.
const SEEDS: u64 = 150;

/// Seeds of `cargo xtask soak crash` unless it is told otherwise.
const SEEDS_SOAK: u64 = 10_000;

/// How many seeds the soak runs.
const SEEDS_VARIABLE: &str = "WEIR_SOAK_SEEDS";

/// The only seed to run.
const SEED_VARIABLE: &str = "WEIR_CRASH_SEED";

/// Batches that may be sent again, of each producer.
const SENT_MAX: usize = 12;

/// What the history may be is told apart from so many others at most.
const POSSIBLE_MAX: usize = 48;

/// How a run of the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    Drop,
    Kill,
    PowerCut,
}

struct Run {
    dice: Dice,
    dir: TempDir,
    disk: PowerDisk,
    options: Options,
    historian: Option<Historian>,
    /// What reads answer.
    live: Content,
    /// What may be there after a cut: what is acknowledged, and after refusals that with some of what
    /// was refused.
    possible: Vec<Content>,
    sent: [VecDeque<Batch>; 3],
    sequence: u64,
    serial: u64,
    cuts: u64,
    /// Nothing happens to the disk any more.
    calm: bool,
    /// What was done, for whoever looks into a failure.
    steps: Vec<String>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let disk = PowerDisk::over(dir.path(), dice.next());
        let options = Options {
            memory_bytes_max: [700, 4 << 10, 1 << 20][dice.below(3)],
            segment_bytes: [200, 4 << 10, 1 << 20][dice.below(3)],
            log_bytes_max: [2 << 10, 1 << 20][dice.below(2)],
            day_blocks_max: 1 + dice.below(4),
            block_rows_max: [4, 16 << 20][dice.below(2)],
            group_batches_max: 1 + dice.below(4),
            ..options()
        };
        Self {
            dice,
            dir,
            disk,
            options,
            historian: None,
            live: Content::new(),
            possible: vec![Content::new()],
            sent: Default::default(),
            sequence: 0,
            serial: 0,
            cuts: 0,
            calm: false,
            steps: Vec::new(),
        }
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("historian")
    }

    fn historian(&self) -> &Historian {
        self.historian.as_ref().unwrap()
    }

    fn note(&mut self, step: String) {
        self.steps.extend(self.disk.trace());
        self.steps.push(step);
    }

    async fn go(&mut self) {
        self.start().await;
        for _ in 0..20 + self.dice.below(30) {
            self.step().await;
            if self.disk.is_over() {
                let end = if self.dice.once_in(3) { End::Kill } else { End::PowerCut };
                self.restart(end).await;
            }
        }
        self.calm = true;
        self.disk.plan(None);
        if self.disk.is_over() {
            self.restart(End::PowerCut).await;
        }
        // An attempt that is under way may fail still.
        let mut flushed = self.historian().flush().await;
        for _ in 0..9 {
            if flushed.is_err() {
                flushed = self.historian().flush().await;
            }
        }
        flushed.unwrap();
        self.compare().await;
        self.historian().close().await.unwrap();
        assert_eq!(files(self.dir.path(), ".wal"), Vec::<PathBuf>::new());
        self.restart(End::Drop).await;
    }

    async fn step(&mut self) {
        match self.dice.below(44) {
            0..16 => {
                let deed = Deed::Batch(self.batch());
                self.act(vec![deed]).await;
            }
            16..20 => {
                let deeds = (0..2 + self.dice.below(3) as u32).map(|tag| {
                    let batch = self.batch();
                    let samples = batch.samples.iter().map(|(_, sample)| (TagId(tag), sample));
                    let samples = samples.collect();
                    Deed::Batch(Batch { samples, ..batch })
                });
                let deeds = deeds.collect();
                self.act(deeds).await;
            }
            20..23 => self.send_again().await,
            23..26 => {
                let tenant = TENANTS[self.dice.below(2)];
                let tag = self.dice.below(TAGS as usize) as u32;
                let from = self.time();
                let to = from + [1, 10, 2 * DAY][self.dice.below(3)];
                self.act(vec![Deed::Deletion { tenant, tag, from, to }]).await;
            }
            26..30 => {
                let flushed = self.historian().flush().await;
                self.note(format!("flush {flushed:?}"));
            }
            30 => self.restart(End::Close).await,
            31 => self.restart(End::Drop).await,
            32 => {
                let end = [End::Kill, End::PowerCut][self.dice.below(2)];
                self.restart(end).await;
            }
            33..36 => self.plan_end(),
            36..38 => {
                let from = self.disk.calls() + 1 + self.dice.below(8) as u64;
                let to = from + 1 + self.dice.below(12) as u64;
                let full = self.dice.once_in(2);
                let fault = if full { Fault::Full { from, to } } else { Fault::Fails { from, to } };
                self.note(format!("{fault:?}"));
                self.disk.plan(Some(fault));
            }
            38 => self.flip().await,
            39 => {
                let full = self.dice.once_in(2);
                self.note(format!("the disk tells that it is full: {full}"));
                self.disk.tell_full(full);
            }
            40..42 => {
                let compacted = self.historian().compact().await;
                self.note(format!("compact {compacted:?}"));
            }
            _ => self.compare().await,
        }
    }

    fn plan_end(&mut self) {
        let fault = Fault::End { at: self.disk.calls() + 1 + self.dice.below(40) as u64 };
        self.note(format!("{fault:?}"));
        self.disk.plan(Some(fault));
    }

    fn time(&mut self) -> i64 {
        let day = [0, 0, 0, 0, -DAY, DAY, 40 * DAY][self.dice.below(7)];
        START + day + [SECOND, 1][self.dice.below(2)] * self.dice.below(30) as i64
    }

    fn batch(&mut self) -> Batch {
        let count = match self.dice.below(12) {
            0 => 0,
            1 => 300,
            _ => 1 + self.dice.below(12),
        };
        let samples = (0..count).map(|_| {
            self.serial += 1;
            let serial = self.serial;
            let value = match self.dice.below(10) {
                0 => None,
                1 => Some(Value::text(&serial.to_string()).unwrap()),
                2 => Some(Value::array(vec![Value::U64(serial); 3]).unwrap()),
                3 => Some(Value::I64(-(serial as i64))),
                _ => Some(Value::F64(serial as f64 / 8.0)),
            };
            let quality = if value.is_none() { Quality::BAD } else { Quality::GOOD };
            let time = Timestamp::from_nanos(self.time());
            (TagId(self.dice.below(TAGS as usize) as u32), Sample { time, value, quality })
        });
        let samples = samples.collect::<Vec<_>>().into();
        let tenant = TENANTS[self.dice.below(2)];
        let mut batch = Batch { tenant, backfill: self.dice.once_in(4), samples, ..batch(vec![]) };
        if self.dice.once_in(2) {
            self.sequence += 1 + self.dice.below(3) as u64;
            let name = self.dice.below(3).to_string();
            batch.producer = Some(Producer::new(&name, self.sequence).unwrap());
        }
        batch
    }

    /// Does things at the same time, which are of different tags.
    async fn act(&mut self, deeds: Vec<Deed>) {
        let attempts = deeds.iter().map(|deed| {
            let (deed, historian) = (deed.clone(), self.historian().clone());
            tokio::spawn(async move { deed.attempt(&historian).await })
        });
        let attempts: Vec<_> = attempts.collect();
        let mut refused = Vec::new();
        let mut stored = 0;
        let mut told = Vec::new();
        for (attempt, deed) in attempts.into_iter().zip(deeds) {
            match attempt.await.unwrap() {
                Ok(appended) => {
                    assert!(!appended.duplicate, "{deed:?}");
                    told.push(format!("{deed} at {}", appended.position));
                    deed.apply(&mut self.live);
                    stored += 1;
                    self.remember(deed);
                }
                Err(error) => {
                    told.push(format!("{deed}: {error}"));
                    refused.push(deed);
                }
            }
        }
        self.note(told.join("; "));
        if stored > 0 {
            self.possible = vec![self.live.clone()];
        }
        for some in 1..1usize << refused.len() {
            let mut content = self.live.clone();
            for (place, deed) in refused.iter().enumerate() {
                if some >> place & 1 == 1 {
                    content = deed.with(&content);
                }
            }
            self.possible.push(content);
        }
        if self.possible.len() > POSSIBLE_MAX {
            // The trouble ends, and the next thing that is stored settles the rest.
            self.disk.plan(None);
            let _ = self.historian().flush().await;
        }
    }

    fn remember(&mut self, deed: Deed) {
        if let Deed::Batch(batch) = deed
            && let Some(producer) = &batch.producer
        {
            let sent = &mut self.sent[producer.name().parse::<usize>().unwrap()];
            sent.push_back(batch);
            if sent.len() > SENT_MAX {
                sent.pop_front();
            }
        }
    }

    async fn send_again(&mut self) {
        let which = self.dice.below(3);
        if self.sent[which].is_empty() {
            return;
        }
        let place = self.dice.below(self.sent[which].len());
        let batch = self.sent[which][place].clone();
        let again = self.historian().append(batch.clone()).await;
        self.note(format!("again {}: {again:?}", Deed::Batch(batch)));
        if let Ok(appended) = again {
            assert!(appended.duplicate, "it had been stored");
            self.possible = vec![self.live.clone()];
        }
    }

    async fn compare(&self) {
        let found = read(self.historian()).await.unwrap();
        assert_eq!(found, self.live, "what is read is not what was stored");
    }

    async fn restart(&mut self, end: End) {
        self.note(format!("{end:?}"));
        match end {
            End::Close => {
                // What cannot be written to blocks stays in the log.
                let _ = self.historian().close().await;
            }
            End::Drop => {}
            End::Kill | End::PowerCut => self.disk.end(),
        }
        self.historian = None;
        match end {
            End::PowerCut => {
                self.cuts += 1;
                let dir = tempfile::tempdir().unwrap();
                self.disk.leave(dir.path());
                self.disk = PowerDisk::over(dir.path(), self.dice.next());
                self.dir = dir;
            }
            End::Kill => self.disk.revive(),
            End::Close | End::Drop => {}
        }
        if self.dice.once_in(4) {
            self.flip_at_rest().await;
        }
        // It may end while it starts, too.
        if !self.calm && self.dice.once_in(4) {
            self.plan_end();
        }
        Box::pin(self.start()).await;
    }

    async fn start(&mut self) {
        self.check();
        let opened = self.open();
        let historian = match opened {
            Ok(historian) => historian,
            Err(error) => {
                self.note(format!("start: {error}"));
                // Only for want of a disk.
                assert!(matches!(error, HistorianError::Io { .. }), "{error}");
                let over = self.disk.is_over();
                self.disk.plan(None);
                if over {
                    let end = [End::Kill, End::PowerCut][self.dice.below(2)];
                    return Box::pin(self.restart(end)).await;
                }
                self.open().unwrap()
            }
        };
        self.live = read(&historian).await.unwrap();
        self.historian = Some(historian);
        if !self.possible.contains(&self.live) {
            let expected = &self.possible[0];
            panic!(
                "found {:#?}\ninstead of {expected:#?} or {} more",
                self.live,
                self.possible.len() - 1
            );
        }
    }

    /// What a cut leaves is no damage.
    fn check(&self) {
        let mut faults = Vec::new();
        let checked = crate::check(&self.home(), &mut |seen| {
            if let Seen::Fault(fault) = seen {
                faults.push(fault);
            }
            ControlFlow::Continue(())
        });
        match checked {
            Ok(checked) => assert_eq!(checked.faults, 0, "{faults:#?}"),
            Err(HistorianError::Io { .. }) => assert!(!self.home().exists()),
            Err(error) => panic!("{error}"),
        }
    }

    fn open(&self) -> Result<Historian, HistorianError> {
        Historian::open_on(Arc::new(self.disk.clone()), &self.home(), self.options.clone())
    }

    /// Flips a bit of a block that is open.
    async fn flip(&mut self) {
        // Those of `tmp` are being written.
        let blocks = files(&self.home().join("blocks"), ".parquet");
        if blocks.is_empty() {
            return;
        }
        let block = blocks[self.dice.below(blocks.len())].clone();
        let Some(flipped) = Flipped::bit_of(&block, &mut self.dice) else { return };
        self.note(format!("flip {block:?} {} {}", flipped.offset, flipped.bit));
        self.historian().forget_open_blocks();
        for ((tenant, tag), samples) in &self.live {
            let (from, to) = (Timestamp::MIN, Timestamp::MAX);
            let found = self.historian().range(*tenant, TagId(*tag), from, to, 1_000_000).await;
            match found {
                Ok(found) => assert!(found.iter().eq(samples.values()), "damage was answered"),
                Err(HistorianError::Corrupt { file, .. }) => assert_eq!(file, block),
                Err(error) => panic!("{error}"),
            }
        }
        drop(flipped);
        self.historian().forget_open_blocks();
    }

    /// Flips a bit of any file while nobody has it open, except of the last segment, in whose last
    /// group damage looks like what a crash left.
    async fn flip_at_rest(&mut self) {
        let mut candidates = files(&self.home(), "");
        let last = files(&self.home(), ".wal").pop();
        candidates.retain(|path| Some(path) != last.as_ref() && !path.ends_with("lock"));
        if candidates.is_empty() {
            return;
        }
        let file = candidates[self.dice.below(candidates.len())].clone();
        let Some(flipped) = Flipped::bit_of(&file, &mut self.dice) else { return };
        self.note(format!("flip {file:?} {} {}", flipped.offset, flipped.bit));
        let found = match self.open() {
            Ok(historian) => read(&historian).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => assert!(self.possible.contains(&found), "damage was answered"),
            Err(
                HistorianError::Corrupt { file: named, .. }
                | HistorianError::Format { file: named, .. },
            ) => assert_eq!(named, file),
            Err(HistorianError::Io { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs a seed; gives how often the power was cut.
fn run(seed: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut run = Run::new(seed);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(run.go());
    }));
    if let Err(cause) = done {
        run.note("failed".to_owned());
        eprintln!("{}", run.steps.join("\n"));
        eprintln!("seed {seed} fails; {SEED_VARIABLE}={seed} runs it alone");
        std::panic::resume_unwind(cause);
    }
    run.cuts
}

#[test]
fn histories_survive_power_cuts_full_disks_and_flipped_bits() {
    if let Some(seed) = std::env::var(SEED_VARIABLE).ok().and_then(|text| text.parse().ok()) {
        // Threads of the historian take turns as they like: once more may be otherwise.
        (0..20).for_each(|_| {
            run(seed);
        });
        return;
    }
    let cuts: u64 = (0..SEEDS).map(run).sum();
    assert!(cuts > SEEDS / 2, "{cuts}");
}

#[test]
#[ignore = "long: cargo xtask soak crash"]
fn soak() {
    let seeds = std::env::var(SEEDS_VARIABLE).ok().and_then(|text| text.parse().ok());
    let seeds = seeds.unwrap_or(SEEDS_SOAK);
    let (next, cuts) = (AtomicU64::new(SEEDS), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS + seeds {
                        return;
                    }
                    cuts.fetch_add(run(seed), Ordering::Relaxed);
                    if seed % 500 == 0 {
                        println!("seed {seed}: {} power cuts so far", cuts.load(Ordering::Relaxed));
                    }
                }
            });
        }
    });
    println!("{seeds} seeds, {} power cuts: nothing was lost", cuts.load(Ordering::Relaxed));
}
