//! Verification from the files alone: it trusts nothing but the public key.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use serde::Serialize;

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, SignedCheckpoint};
use crate::entry::Entry;
use crate::error::AuditError;
use crate::hash::{Hash, leaf_hash};
use crate::key::PublicKey;
use crate::recover::{Last, torn_or_damaged};
use crate::segment::{self, SEGMENT_LEAVES, Scan, Scanned};
use crate::tile::{TILE_WIDTH, TileId, Tiles};
use crate::tree::Edge;

/// Most checkpoints that are compared: one an hour for a century.
const CHECKPOINTS_MAX: usize = 1 << 20;

/// The first place where a log is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// The index of the first leaf concerned.
    pub leaf: u64,
    /// What is wrong there, for people.
    pub reason: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from leaf {} on: {}", self.leaf, self.reason)
    }
}

/// What is known from elsewhere, and is therefore out of reach of whoever changed the disk.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The public key, when it is not to be taken from the log's own folder.
    pub public_key: Option<PublicKey>,
    /// Checkpoints that were kept elsewhere, as [`SignedCheckpoint::as_str`] gives them.
    pub checkpoints: Vec<String>,
}

/// An intact log.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The number of entries.
    pub entries: u64,
    /// The root over them.
    pub root: Hash,
    /// The number of checkpoints whose signature and root were found right.
    pub checkpoints: u64,
    /// The latest of them.
    pub latest: Checkpoint,
    /// The highest position of the store's change feed that is recorded.
    pub feed_position: u64,
    /// Bytes at the end that are part of an entry that is being written, or that was when the
    /// program ended; they were never acknowledged.
    pub unfinished_bytes: u64,
    /// The key the checkpoints are signed with.
    pub public_key: String,
}

/// Recomputes a log from its entries and compares it with everything that was ever said of it.
pub(crate) fn verify(dir: &Path, options: &VerifyOptions) -> Result<Report, AuditError> {
    let key = options.public_key.clone().map_or_else(|| PublicKey::read(dir), Ok)?;
    // The checkpoints are read before the entries: a running server adds to both, entries first.
    let mut expected = read_checkpoints(dir, &key)?;
    for text in &options.checkpoints {
        let signed = SignedCheckpoint::parse(text, &key);
        let signed = signed.map_err(|r| forged(dir, "a checkpoint kept elsewhere", 0, r))?;
        expected.push(signed.checkpoint().clone());
    }
    expected.sort_by_key(|checkpoint| checkpoint.size);
    let Some(latest) = expected.last().cloned() else {
        return Err(AuditError::diverged(dir, 0, "there is no checkpoint"));
    };
    let mut walk = Walk {
        dir,
        tiles: Tiles::new(dir),
        edge: Edge::default(),
        sealed: false,
        expected: &expected,
        verified: 0,
    };
    walk.check_root()?;
    let mut last = Last { group: 0, position: 0 };
    let mut unfinished_bytes = 0;
    let segments = segment::count(dir)?;
    for number in 0..segments {
        let first = number * SEGMENT_LEAVES;
        let mut scan = Scan::open(dir, first)?;
        if walk.edge.size() != first || scan.start.position != last.position {
            let reason = "the entries up to the next segment are not all there";
            return Err(AuditError::diverged(dir, walk.edge.size(), reason));
        }
        last.group = first;
        walk.sealed = number + 1 < segments;
        loop {
            match scan.next()? {
                Scanned::End => break,
                Scanned::Frame { header, .. } => {
                    walk.check_header(&header, scan.entry(), last.position)?;
                    last.accept(dir, &header, walk.edge.size())?;
                    walk.push(leaf_hash(scan.entry()))?;
                }
                Scanned::Damaged { offset } => {
                    let leaf = walk.edge.size();
                    if walk.sealed || leaf < latest.size {
                        let reason = "the entry's bytes are damaged";
                        return Err(AuditError::diverged(dir, leaf, reason));
                    }
                    unfinished_bytes = torn_or_damaged(dir, first, offset, scan.length(), leaf)?;
                    break;
                }
            }
        }
    }
    walk.check_partial_tile()?;
    walk.finish(&latest)?;
    Ok(Report {
        entries: walk.edge.size(),
        root: walk.edge.root(),
        checkpoints: expected.len() as u64,
        latest,
        feed_position: last.position,
        unfinished_bytes,
        public_key: key.to_string(),
    })
}

/// The recomputed log, as far as it has come.
struct Walk<'a> {
    dir: &'a Path,
    tiles: Tiles,
    edge: Edge,
    /// Whether the segment it is in is full, and its tiles are therefore all there.
    sealed: bool,
    /// What is still to be compared is `expected[verified..]`.
    expected: &'a [Checkpoint],
    verified: usize,
}

impl Walk<'_> {
    fn push(&mut self, leaf: Hash) -> Result<(), AuditError> {
        let mut full = Vec::new();
        self.edge.push(leaf, |tile, hashes| full.push((tile, hashes.to_vec())));
        for (tile, hashes) in full {
            let found = self.tiles.read(tile)?.unwrap_or_default();
            self.compare(tile, &hashes, &found)?;
            if self.sealed && found.len() < hashes.len() {
                return Err(self.tiles.missing(tile));
            }
        }
        self.check_root()
    }

    /// Compares the roots of all checkpoints of the size that is reached.
    fn check_root(&mut self) -> Result<(), AuditError> {
        while let Some(next) = self.expected.get(self.verified)
            && next.size == self.edge.size()
        {
            if next.root != self.edge.root() {
                // The tile may tell the leaf more closely than the checkpoint can.
                self.check_partial_tile()?;
                let before = self.verified.checked_sub(1).map_or(0, |i| self.expected[i].size);
                let size = next.size;
                let reason = format!(
                    "one of the entries {before} to {size} is not what the checkpoint of size {size} was signed over"
                );
                return Err(AuditError::diverged(self.dir, before, reason));
            }
            self.verified += 1;
        }
        Ok(())
    }

    fn check_partial_tile(&self) -> Result<(), AuditError> {
        let tile = TileId { level: 0, index: self.edge.size() / TILE_WIDTH };
        let found = self.tiles.read(tile)?.unwrap_or_default();
        self.compare(tile, self.edge.tile(0), &found)
    }

    /// Compares as many hashes as both have; a running server may have written more.
    fn compare(&self, tile: TileId, hashes: &[Hash], found: &[Hash]) -> Result<(), AuditError> {
        let Some(at) = hashes.iter().zip(found).position(|(a, b)| a != b) else { return Ok(()) };
        let leaf = tile.first_leaf() + ((at as u64) << (8 * u32::from(tile.level)));
        let reason = "the entry is not the one whose hash was kept";
        Err(AuditError::diverged(self.dir, leaf, reason))
    }

    /// What the frame says of its entry, which page and recovery go by, must be what it is.
    fn check_header(
        &self,
        header: &crate::frame::Header,
        bytes: &[u8],
        before: u64,
    ) -> Result<(), AuditError> {
        let leaf = self.edge.size();
        let diverged = |reason| Err(AuditError::diverged(self.dir, leaf, reason));
        let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else {
            return diverged("the bytes are intact but no entry");
        };
        let fits = entry.sole_tenant() == header.tenant
            && entry.position().unwrap_or(before) == header.position;
        if fits { Ok(()) } else { diverged("the frame says something else than its entry") }
    }

    fn finish(&self, latest: &Checkpoint) -> Result<(), AuditError> {
        if self.verified == self.expected.len() {
            return Ok(());
        }
        let size = self.edge.size();
        let reason = format!(
            "the log ends after {size} entries, and a checkpoint was signed over {}",
            latest.size
        );
        Err(AuditError::diverged(self.dir, size, reason))
    }
}

/// Every checkpoint in the log's folder, its signature checked: the kept ones, then the latest.
pub(crate) fn read_checkpoints(dir: &Path, key: &PublicKey) -> Result<Vec<Checkpoint>, AuditError> {
    let mut found = Vec::new();
    let kept = dir.join("checkpoints");
    match File::open(&kept) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(AuditError::io("read", &kept)(error)),
        Ok(file) => {
            let mut file = BufReader::new(file);
            while let Some(text) = next_note(&mut file).map_err(AuditError::io("read", &kept))? {
                let before = found.last().map_or(0, |c: &Checkpoint| c.size);
                let signed = SignedCheckpoint::parse(&text, key);
                let signed = signed.map_err(|r| forged(dir, "a kept checkpoint", before, r))?;
                found.push(signed.checkpoint().clone());
                if found.len() > CHECKPOINTS_MAX {
                    return Err(AuditError::diverged(dir, before, "too many checkpoints are kept"));
                }
            }
        }
    }
    found.push(read_latest(dir, key)?.checkpoint().clone());
    Ok(found)
}

/// The latest checkpoint. There is one from the log's first start on.
pub(crate) fn read_latest(dir: &Path, key: &PublicKey) -> Result<SignedCheckpoint, AuditError> {
    let path = dir.join("checkpoint");
    let mut text = String::new();
    let limit = CHECKPOINT_BYTES_MAX as u64 + 1;
    let read = File::open(&path).and_then(|file| file.take(limit).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(AuditError::diverged(dir, 0, "the latest checkpoint is missing"))
        }
        Err(error) => Err(AuditError::io("read", &path)(error)),
        Ok(_) => SignedCheckpoint::parse(&text, key)
            .map_err(|reason| forged(dir, "the latest checkpoint", 0, reason)),
    }
}

fn forged(dir: &Path, which: &str, leaf: u64, reason: &str) -> AuditError {
    AuditError::diverged(dir, leaf, format!("{which} is not genuine: {reason}"))
}

/// The next of the kept checkpoints: lines, an empty line, signatures, an empty line. One whose
/// last line is missing was being written and does not count.
fn next_note(file: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let (mut bytes, mut empty_lines) = (Vec::new(), 0);
    // What is not UTF-8 will not be genuine; at the end it is a letter that was being written.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    loop {
        let before = bytes.len();
        let room = (CHECKPOINT_BYTES_MAX + 1).saturating_sub(before) as u64;
        if file.take(room).read_until(b'\n', &mut bytes)? == 0 {
            // Too long a note is handed over as it is, and will not be genuine.
            return Ok((room == 0).then(|| text(&bytes)));
        }
        if bytes[before..] == *b"\n" {
            empty_lines += 1;
            if empty_lines == 2 {
                bytes.pop();
                return Ok(Some(text(&bytes)));
            }
        }
    }
}

/// Cuts what an interrupted write left behind the last of the kept checkpoints, which were read and
/// found genuine: the next one, written behind it, could not be told from it.
pub(crate) fn cut_torn_checkpoint(dir: &Path) -> Result<(), AuditError> {
    let path = dir.join("checkpoints");
    let cut = || {
        let file = match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let mut notes = BufReader::new(&file);
        let mut whole_bytes = 0;
        while let Some(text) = next_note(&mut notes)? {
            whole_bytes += text.len() as u64 + 1;
        }
        if whole_bytes < file.metadata()?.len() {
            tracing::warn!(file = %path.display(), "cut a torn checkpoint");
            file.set_len(whole_bytes)?;
            file.sync_all()?;
        }
        Ok(())
    };
    cut().map_err(AuditError::io("cut the torn end of", &path))
}
