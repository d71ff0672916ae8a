//! Taking in documents as text: what an export wrote, or lines written by hand.
//!
//! Lines of one record that stand together are its life, oldest first; the last is what it shall
//! be. Versions that are higher than any it has had here are made with their own version and time.
//! Older ones cannot be put before what is there and are passed over, but if the last one is not
//! what the record is now, it becomes a new version at the time of the import. So a repeated
//! import changes nothing, and an import after changes undoes them.
//!
//! Every line may leave out `version` and `time`: it then is a new version at the time of the
//! import. A text with a first line must have its last line, so that one that was cut short is
//! noticed.

use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;
use weir_model::{Author, TenantId, Timestamp};

use crate::commit::{
    Body, COMMIT_BYTES_MAX, COMMIT_OPERATIONS_MAX, Commit, Expect, Operation, Restored,
};
use crate::decide::State;
use crate::environment::FORMAT;
use crate::error::{CommitError, StoreError};
use crate::store::Store;

/// Longest line of an import: the largest record, with room for what JSON escapes.
pub const IMPORT_LINE_BYTES_MAX: usize = 8 << 20;

/// A commit of an import is sent once it has so many operations or bytes, at the end of a record.
const CHUNK_OPERATIONS: usize = 1000;
const CHUNK_BYTES: usize = 1 << 20;

/// The highest version of a line: far more than any record will have, and so far below the end of
/// the numbers that the record can always be changed again. JSON readers keep it exactly.
const VERSION_MAX: u64 = 1 << 53;

/// How often a commit of an import is tried again while others fill the queue.
const BUSY_TRIES_MAX: usize = 1000;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// Lines that tell a version of a record.
    pub lines: u64,
    /// Versions that were made.
    pub written: u64,
    /// Lines that told nothing new.
    pub unchanged: u64,
    /// Commits they were made by.
    pub commits: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    tenant: TenantId,
    collection: String,
    key: String,
    version: Option<u64>,
    time: Option<Timestamp>,
    record: Option<Value>,
    #[serde(default)]
    deleted: bool,
}

pub(crate) async fn import(
    store: &Store,
    author: Author,
    time: Timestamp,
    text: &mut (dyn BufRead + Send),
) -> Result<ImportReport, StoreError> {
    let mut import = Import::new(store, author, time);
    let (mut number, mut buffer) = (0, Vec::new());
    let mut framing = Framing::default();
    while read_line(text, &mut buffer, number + 1)? {
        number += 1;
        import.line = number;
        let line = buffer.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let value: Value =
            serde_json::from_slice(line).map_err(|error| import.refuse(error.to_string()))?;
        if framing.takes(&value, import.report.lines).map_err(|error| error.at(number))? {
            continue;
        }
        let line: Line =
            serde_json::from_value(value).map_err(|error| import.refuse(error.to_string()))?;
        import.take(line).await?;
    }
    import.settle()?;
    import.send().await?;
    framing.check_end().map_err(|error| error.at(number + 1))?;
    Ok(import.report)
}

/// Reads one line; false at the end.
fn read_line(
    text: &mut (dyn BufRead + Send),
    buffer: &mut Vec<u8>,
    number: usize,
) -> Result<bool, StoreError> {
    buffer.clear();
    let mut limited = std::io::Read::take(&mut *text, IMPORT_LINE_BYTES_MAX as u64 + 1);
    let read = limited.read_until(b'\n', buffer);
    read.map_err(StoreError::io("read the import from", "its input"))?;
    if buffer.len() > IMPORT_LINE_BYTES_MAX {
        let reason = format!("longer than {IMPORT_LINE_BYTES_MAX} bytes");
        return Err(StoreError::Import { line: number, reason });
    }
    Ok(!buffer.is_empty())
}

/// The first and the last line of an export.
#[derive(Default)]
struct Framing {
    begun: bool,
    ended: bool,
}

enum FramingError {
    Newer(u32),
    Other(String),
}

impl FramingError {
    fn at(self, line: usize) -> StoreError {
        match self {
            Self::Newer(found) => StoreError::NewerFormat { found, known: FORMAT },
            Self::Other(reason) => StoreError::Import { line, reason },
        }
    }
}

impl Framing {
    /// Whether the line is one of the two.
    fn takes(&mut self, value: &Value, lines: u64) -> Result<bool, FramingError> {
        if self.ended {
            return Err(FramingError::Other("something follows the last line".into()));
        }
        if value.get("weir").is_some() {
            let format = value.get("format").and_then(Value::as_u64).unwrap_or(u64::MAX);
            if format > u64::from(FORMAT) {
                return Err(FramingError::Newer(u32::try_from(format).unwrap_or(u32::MAX)));
            }
            self.begun = true;
            return Ok(true);
        }
        if value.get("end").is_some() {
            let told = value.get("lines").and_then(Value::as_u64);
            if told != Some(lines) {
                return Err(FramingError::Other(format!(
                    "{lines} lines stand before the last one, which tells another number"
                )));
            }
            self.ended = true;
            return Ok(true);
        }
        Ok(false)
    }

    fn check_end(&self) -> Result<(), FramingError> {
        match self.begun && !self.ended {
            true => {
                Err(FramingError::Other("the text is cut short: its last line is missing".into()))
            }
            false => Ok(()),
        }
    }
}

/// The record whose lines are at hand.
struct Subject {
    tenant: TenantId,
    collection: String,
    key: String,
    /// The highest version it has had, what was taken in so far included.
    last: u64,
    /// What it is, in JSON.
    now: Option<Value>,
    /// The last line, which waits to be known as the last or not.
    pending: Line,
    pending_line: usize,
}

struct Import<'s> {
    store: &'s Store,
    author: Author,
    time: Timestamp,
    subject: Option<Subject>,
    operations: Vec<Operation>,
    bytes: usize,
    line: usize,
    report: ImportReport,
}

impl<'s> Import<'s> {
    fn new(store: &'s Store, author: Author, time: Timestamp) -> Self {
        let report = ImportReport::default();
        Self {
            store,
            author,
            time,
            subject: None,
            operations: Vec::new(),
            bytes: 0,
            line: 0,
            report,
        }
    }

    async fn take(&mut self, line: Line) -> Result<(), StoreError> {
        self.report.lines += 1;
        self.check(&line)?;
        let same = |subject: &Subject| {
            subject.tenant == line.tenant
                && subject.collection == line.collection
                && subject.key == line.key
        };
        if self.subject.as_ref().is_some_and(same) {
            // The line that waited is not the last one of its record.
            if let Some(mut subject) = self.subject.take() {
                let earlier = std::mem::replace(&mut subject.pending, line);
                let at = std::mem::replace(&mut subject.pending_line, self.line);
                self.add(&mut subject, earlier, at, false)?;
                self.subject = Some(subject);
            }
            let full = self.operations.len() >= COMMIT_OPERATIONS_MAX / 2
                || self.bytes >= COMMIT_BYTES_MAX / 2;
            return if full { self.send().await } else { Ok(()) };
        }
        self.settle()?;
        if self.operations.len() >= CHUNK_OPERATIONS || self.bytes >= CHUNK_BYTES {
            self.send().await?;
        }
        self.subject = Some(self.begin(line)?);
        Ok(())
    }

    fn check(&self, line: &Line) -> Result<(), StoreError> {
        let own = self.author.tenant;
        if own != TenantId::NODE && own != line.tenant {
            return Err(
                self.refuse(format!("tenant {} may not import for tenant {}", own, line.tenant))
            );
        }
        let entry =
            self.store.core().named(&line.collection).map_err(|e| self.refuse(e.to_string()))?;
        if entry.shape.secret {
            return Err(self.refuse(format!("{} is secret and is not imported", line.collection)));
        }
        if line.version.is_some_and(|version| version > VERSION_MAX) {
            return Err(self.refuse(format!("a version is at most {VERSION_MAX}")));
        }
        if line.record.is_some() == line.deleted {
            return Err(self.refuse("a line has either a record or \"deleted\":true".into()));
        }
        Ok(())
    }

    /// Looks at what is stored under the key of a line.
    fn begin(&self, line: Line) -> Result<Subject, StoreError> {
        self.store.read(|snapshot| {
            let entry = snapshot.core().named(&line.collection)?;
            let drawer = snapshot.open(entry, line.tenant);
            let last = State::current(snapshot, line.tenant, &line.collection, &line.key)?.last;
            let now = match drawer.current(&line.key)? {
                Some(frame) => {
                    let view = (entry.shape.to_json)(&drawer.body(&line.key, &frame)?);
                    Some(view.map_err(StoreError::decode(entry.shape.name, &line.key))?)
                }
                None => None,
            };
            let (collection, key) = (line.collection.clone(), line.key.clone());
            let pending_line = self.line;
            Ok(Subject {
                tenant: line.tenant,
                collection,
                key,
                last,
                now,
                pending: line,
                pending_line,
            })
        })
    }

    /// Takes the line that waits as the last one of its record.
    fn settle(&mut self) -> Result<(), StoreError> {
        let Some(mut subject) = self.subject.take() else { return Ok(()) };
        let nothing = Line {
            tenant: subject.tenant,
            collection: String::new(),
            key: String::new(),
            version: None,
            time: None,
            record: None,
            deleted: true,
        };
        let line = std::mem::replace(&mut subject.pending, nothing);
        let at = subject.pending_line;
        self.add(&mut subject, line, at, true)
    }

    /// Adds what a line tells, unless it tells nothing new.
    fn add(
        &mut self,
        subject: &mut Subject,
        line: Line,
        at: usize,
        is_last: bool,
    ) -> Result<(), StoreError> {
        let refuse = |reason: String| StoreError::Import { line: at, reason };
        let shape = &self.store.core().named(&subject.collection)?.shape;
        let is_new = line.version.is_some_and(|version| version > subject.last);
        let is_old = line.version.is_some() && !is_new;
        let body = match line.record {
            Some(value) => Some((shape.from_json)(value).map_err(|e| refuse(e.to_string()))?),
            None => None,
        };
        // Both sides go through the record, so that what its type fills in or leaves out counts
        // as the same.
        let view = body.as_ref().map(|body| (shape.to_json)(&body.bytes)).transpose();
        let view = view.map_err(|error| refuse(error.to_string()))?;
        let says_nothing = match view == subject.now {
            true => view.is_none() || !is_new,
            false => is_old && !is_last,
        };
        if says_nothing {
            self.report.unchanged += 1;
            return Ok(());
        }
        let restored = match (line.version.filter(|_| is_new), line.time) {
            (Some(version), time) => Restored { version, time: time.unwrap_or(self.time) },
            (None, _) => Restored { version: subject.last + 1, time: self.time },
        };
        subject.last = restored.version.max(subject.last + 1);
        subject.now = view;
        self.bytes += subject.key.len() + body.as_ref().map_or(0, Body::size);
        self.report.written += 1;
        self.operations.push(Operation {
            tenant: subject.tenant,
            collection: shape.name,
            key: subject.key.clone(),
            expect: Expect::Any,
            body,
            restored: Some(restored),
        });
        Ok(())
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        if self.operations.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::new(self.author.clone(), self.time);
        commit.operations = std::mem::take(&mut self.operations);
        self.bytes = 0;
        commit.check().map_err(|error| self.failed(error))?;
        for _ in 0..BUSY_TRIES_MAX {
            // Made before the attempt, so that room that is made right after it is not missed.
            let room = self.store.core().room.notified();
            match self.store.commit_or_return(commit).await {
                Ok(_) => {
                    self.report.commits += 1;
                    return Ok(());
                }
                Err((CommitError::Busy, Some(back))) => {
                    commit = *back;
                    room.await;
                }
                Err((error, _)) => return Err(self.failed(error)),
            }
        }
        Err(self.failed(CommitError::Busy))
    }

    fn failed(&self, error: CommitError) -> StoreError {
        match error {
            CommitError::Store(error) => error,
            CommitError::DiskFull => StoreError::DiskFull,
            other => self.refuse(format!("what stands up to here was refused: {other}")),
        }
    }

    fn refuse(&self, reason: String) -> StoreError {
        StoreError::Import { line: self.line, reason }
    }
}

#[cfg(test)]
mod tests;
