//! A folder that is looked at: which file is read next, and how far it was read.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{Quality, Value};

use super::chunk::{self, Bad, Chunk, Place};
use super::folder::{self, Found};
use super::settings::{After, Mode};
use super::{Plan, off_thread};
use crate::memory::Memory;
use crate::settlement::Underway;

/// Readings that could not be stored are read again after this.
const RETRY: Duration = Duration::from_secs(1);

/// How far a file was read is written down this often, and whenever one was read to its end.
const SAVE: Duration = Duration::from_millis(500);

/// Files at whose end the newest values are looked for by a test.
const TAILS_MAX: usize = 3;

/// What the file of a device keeps. A version that is not known is as good as none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    version: u32,
    folder: String,
    files: BTreeMap<String, Entry>,
}

const VERSION: u32 = 1;

/// How far one file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    size: u64,
    modified: i64,
    is_done: bool,
    place: Place,
}

pub(crate) struct FilesSession {
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
    plan: Arc<Plan>,
    memory: Memory,
    progress: Progress,
    is_unsaved: bool,
    saved: Instant,
    /// Since when files have been as they are.
    seen: HashMap<String, (Found, Instant)>,
    queue: VecDeque<String>,
    /// The file that is being read.
    current: Option<String>,
    parts: VecDeque<(Vec<Reading>, bool)>,
    underway: Underway,
    /// Where the file is read on once what is underway is stored, and whether that is its end.
    reached: Option<(Entry, bool)>,
    next_scan: Instant,
    retry: Option<Instant>,
    bad_rows: u64,
    last_bad: Option<String>,
    /// Points that had a value, or whose lack was told.
    is_told: Vec<bool>,
}

impl FilesSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        plan: Plan,
        memory: Memory,
    ) -> Result<Self, DriverError> {
        let folder = plan.settings.folder.display().to_string();
        let plan = Arc::new(plan);
        let (looking, kept) = (Arc::clone(&plan), memory.clone());
        let label = spec.label();
        let progress = off_thread(&label, &folder, move || {
            folder::scan(&looking)?;
            kept.load::<Progress>().map_err(|error| {
                let cause = format!(
                    "could not read how far it came from {}: {error}",
                    kept.path().display()
                );
                (ErrorKind::Unreachable, cause)
            })
        });
        let progress = progress.await?.filter(|p| p.version == VERSION && p.folder == folder);
        let fresh = Progress { version: VERSION, folder, files: BTreeMap::new() };
        let now = Instant::now();
        Ok(Self {
            is_told: vec![false; spec.points.len()],
            spec,
            clock: circumstances.clock,
            plan,
            memory,
            progress: progress.unwrap_or(fresh),
            is_unsaved: false,
            saved: now,
            seen: HashMap::new(),
            queue: VecDeque::new(),
            current: None,
            parts: VecDeque::new(),
            underway: Underway::default(),
            reached: None,
            next_scan: now,
            retry: None,
            bad_rows: 0,
            last_bad: None,
        })
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Plan) -> Result<T, (ErrorKind, String)> + Send + 'static,
    ) -> Result<T, DriverError> {
        let plan = Arc::clone(&self.plan);
        off_thread(&self.spec.label(), &self.progress.folder, move || work(&plan)).await
    }

    /// Looks at the folder, and queues what is to be read.
    async fn scan(&mut self) -> Result<(), DriverError> {
        let now = Instant::now();
        // Looks stay on the grid of the first one.
        let (late, poll) = (now.saturating_duration_since(self.next_scan), self.plan.settings.poll);
        let skipped = u32::try_from(late.as_nanos() / poll.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.next_scan += poll.saturating_mul(skipped.saturating_add(1));
        let files = self.off_thread(folder::scan).await?;
        let names: std::collections::HashSet<&str> =
            files.iter().map(|f| f.name.as_str()).collect();
        let before = self.progress.files.len();
        self.progress.files.retain(|name, _| names.contains(name.as_str()));
        self.is_unsaved |= before != self.progress.files.len();
        self.seen.retain(|name, _| names.contains(name.as_str()));
        for found in files {
            if self.is_ready(&found, now) {
                self.queue.push_back(found.name);
            }
        }
        Ok(())
    }

    /// Whether a file has something to read that will not change any more.
    fn is_ready(&mut self, found: &Found, now: Instant) -> bool {
        let entry = self.progress.files.get(&found.name);
        let is_as_read =
            |entry: &Entry| (entry.size, entry.modified) == (found.size, found.modified);
        match self.plan.settings.mode {
            Mode::Follow => entry.is_none_or(|entry| entry.place.offset != found.size),
            Mode::Whole => {
                if entry.is_some_and(|entry| entry.is_done && is_as_read(entry)) {
                    return false;
                }
                if entry.is_some_and(|entry| !is_as_read(entry)) {
                    // It was changed since, so nothing is known of it.
                    self.progress.files.remove(&found.name);
                }
                let (seen, since) =
                    self.seen.entry(found.name.clone()).or_insert_with(|| (found.clone(), now));
                if seen != found {
                    (*seen, *since) = (found.clone(), now);
                }
                now.duration_since(*since) >= self.plan.settings.stable
            }
        }
    }

    /// Reads a piece of the current file.
    async fn read_chunk(&mut self, name: String) -> Result<(), DriverError> {
        let place = self.progress.files.get(&name).map(|e| e.place.clone()).unwrap_or_default();
        let now = self.clock.now();
        let read = name.clone();
        let chunk = self.off_thread(move |plan| Ok(chunk::read(plan, &read, &place, now))).await?;
        let chunk: Chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                // It is tried again when the folder is looked at next.
                self.tell_bad(Bad {
                    count: 1,
                    told: vec![format!("{name}: could not read it: {error}")],
                });
                self.current = None;
                return Ok(());
            }
        };
        if chunk.is_anew {
            tracing::info!(
                device = self.spec.label(),
                file = name,
                "a file is another one now; it is read anew"
            );
        }
        self.tell_bad(chunk.bad);
        let mut live = chunk.live;
        for reading in chunk.late.iter().chain(&live) {
            if let Some(told) = self.is_told.get_mut(reading.point) {
                *told = true;
            }
        }
        for (point, column) in chunk.missing {
            if let Some(told) = self.is_told.get_mut(point).filter(|told| !**told) {
                *told = true;
                let cause = format!("{name} has no {}", column.shown());
                live.push(Reading::fault(point, now, Quality::CONFIGURATION_ERROR, cause));
            }
        }
        let entry = Entry {
            size: chunk.found.size,
            modified: chunk.found.modified,
            is_done: chunk.is_end,
            place: chunk.next,
        };
        self.reached = Some((entry, chunk.is_end));
        let parts = [(chunk.late, true), (live, false)];
        self.parts.extend(parts.into_iter().filter(|(readings, _)| !readings.is_empty()));
        self.current = Some(name);
        if self.parts.is_empty() { self.move_on().await } else { Ok(()) }
    }

    fn tell_bad(&mut self, bad: Bad) {
        self.bad_rows = self.bad_rows.saturating_add(bad.count);
        let Some(first) = bad.told.into_iter().next() else { return };
        let (device, count) = (self.spec.label(), bad.count);
        tracing::warn!(device, count, first, "rows could not be read");
        self.last_bad = Some(first);
    }

    /// What was underway is stored: the file is read on from behind it.
    async fn move_on(&mut self) -> Result<(), DriverError> {
        let (Some(name), Some((entry, is_end))) = (self.current.clone(), self.reached.take())
        else {
            return Ok(());
        };
        let read = Found { name: name.clone(), size: entry.size, modified: entry.modified };
        self.progress.files.insert(name.clone(), entry);
        self.is_unsaved = true;
        if is_end {
            self.current = None;
            self.save().await;
            self.put_away(read).await;
        } else if self.saved.elapsed() >= SAVE {
            self.save().await;
        }
        Ok(())
    }

    /// Moves or deletes a file that was read to its end, where the settings say so.
    async fn put_away(&mut self, read: Found) {
        if self.plan.settings.after == After::Keep {
            return;
        }
        let name = read.name.clone();
        let done = self.off_thread(move |plan| match &plan.settings.after {
            After::Keep => Ok(true),
            After::Move(to) => folder::move_away(plan, &read, to),
            After::Delete => folder::delete(plan, &read),
        });
        match done.await {
            Ok(true) => {
                self.progress.files.remove(&name);
                self.is_unsaved = true;
            }
            // It was changed meanwhile, and is read again.
            Ok(false) => {}
            Err(error) => {
                let told = vec![format!("{name}: {}", error.cause)];
                self.tell_bad(Bad { count: 0, told });
            }
        }
    }

    /// Writes down how far it came. Where that fails, rows are read again after a restart, which stores
    /// nothing twice; so it is no reason to stop.
    async fn save(&mut self) {
        let (memory, progress) = (self.memory.clone(), self.progress.clone());
        let saved = self.off_thread(move |_| {
            memory.store(&progress).map_err(|error| {
                let cause = format!(
                    "could not write down how far it came in {}: {error}",
                    memory.path().display()
                );
                (ErrorKind::Rejected, cause)
            })
        });
        match saved.await {
            Ok(()) => self.is_unsaved = false,
            Err(error) => self.tell_bad(Bad { count: 0, told: vec![error.cause] }),
        }
        self.saved = Instant::now();
    }

    /// Hands over what waits, with a receipt to give back when it is on disk.
    fn hand_over(&mut self, requests: u32) -> Collected {
        let Some((readings, backfill)) = self.parts.pop_front() else {
            return Collected { requests, ..Collected::default() };
        };
        Collected {
            readings,
            requests,
            backfill,
            more: !self.parts.is_empty(),
            receipt: Some(self.underway.add()),
            ..Collected::default()
        }
    }
}

#[async_trait]
impl Session for FilesSession {
    fn peer(&self) -> String {
        let place = format!("{}, {}", self.progress.folder, self.plan.settings.pattern);
        match (&self.last_bad, self.bad_rows) {
            (None, _) => place,
            (Some(last), 0) => format!("{place}; {last}"),
            (Some(last), bad) => format!("{place}; {bad} bad rows, the last: {last}"),
        }
    }

    async fn due(&mut self) {
        if !self.parts.is_empty() {
            return;
        }
        if !self.underway.is_empty() {
            return self.underway.wait().await;
        }
        if let Some(at) = self.retry {
            return sleep_until(at).await;
        }
        if self.current.is_none() && self.queue.is_empty() {
            sleep_until(self.next_scan).await;
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        if !self.parts.is_empty() {
            return Ok(self.hand_over(0));
        }
        if !self.underway.is_empty() {
            match self.underway.finish() {
                None => return Ok(Collected::default()),
                Some(true) => self.move_on().await?,
                Some(false) => {
                    self.reached = None;
                    self.retry = Some(Instant::now() + RETRY);
                    return Ok(Collected::default());
                }
            }
        }
        if self.retry.is_some_and(|at| Instant::now() < at) {
            return Ok(Collected::default());
        }
        self.retry = None;
        let next = self.current.clone().or_else(|| self.queue.pop_front());
        match next {
            Some(name) => self.read_chunk(name).await?,
            None if Instant::now() >= self.next_scan => {
                self.scan().await?;
                if self.is_unsaved {
                    self.save().await;
                }
            }
            None => return Ok(Collected::default()),
        }
        Ok(self.hand_over(1))
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let now = self.clock.now();
        let last = self.off_thread(move |plan| newest(plan, now)).await?;
        let reading = |point: &usize| {
            last.get(point).cloned().unwrap_or_else(|| {
                let cause = "no row with a value of it was found in the newest files".to_owned();
                Reading::fault(*point, now, Quality::WAITING, cause)
            })
        };
        Ok(points.iter().map(reading).collect())
    }

    async fn write(&mut self, _: usize, _: &Value) -> Result<RawWrite, DriverError> {
        let (device, folder) = (self.spec.label(), self.progress.folder.clone());
        Err(DriverError::new(ErrorKind::Unsupported, device, folder, "files are only read"))
    }
}

/// The newest reading of each point, at the ends of the newest files.
fn newest(
    plan: &Plan,
    now: weir_model::Timestamp,
) -> Result<HashMap<usize, Reading>, (ErrorKind, String)> {
    let mut last: HashMap<usize, Reading> = HashMap::new();
    for found in folder::scan(plan)?.into_iter().rev().take(TAILS_MAX) {
        // What cannot be opened now may be of a writer at work.
        let Ok((chunk, _)) = chunk::tail(plan, &found.name, now) else { continue };
        let mut here: HashMap<usize, Reading> = HashMap::new();
        for reading in chunk.late.into_iter().chain(chunk.live) {
            here.insert(reading.point, reading);
        }
        for (point, column) in chunk.missing {
            let cause = format!("{} has no {}", found.name, column.shown());
            let quality = Quality::CONFIGURATION_ERROR;
            here.entry(point).or_insert_with(|| Reading::fault(point, now, quality, cause));
        }
        for (point, reading) in here {
            last.entry(point).or_insert(reading);
        }
    }
    Ok(last)
}
