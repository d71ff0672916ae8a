//! The manifest: which blocks are live and up to which position of the log they cover.
//!
//! Format 3: one line `weir-historian-manifest 3 crc32c=xxxxxxxx`, then JSON, whose bytes the
//! checksum is of. It is replaced atomically; a file it does not name is no part of the history.
//! Format 2 had blocks of one day only, each in a folder of its day; format 1 had no deletions
//! either.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::TenantId;

use crate::HistorianError;
use crate::block::{Block, BlockEntry};
use crate::deletion::Deletion;
use crate::disk::{self, Disk};
use crate::span::{SPAN_DAYS_MAX, Span};

const NAME: &str = "manifest";
const TITLE: &str = "weir-historian-manifest";

/// The format this version writes.
const FORMAT: u32 = 3;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Every position up to this one is in the blocks.
    pub(crate) covered: u64,
    /// Samples stored up to that position.
    pub(crate) samples: u64,
    /// The number of the next block; never reused.
    pub(crate) next_block: u64,
    /// The checkpoint that belongs to `covered`; none before the first flush.
    pub(crate) checkpoint: Option<CheckpointEntry>,
    /// The live blocks.
    pub(crate) blocks: Vec<BlockEntry>,
    /// Deletions up to `covered` whose rows may be in the blocks.
    #[serde(default)]
    pub(crate) deletions: Vec<Deletion>,
    /// Of blocks that are being merged, by number: the key before which all of their rows are in other
    /// live blocks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) superseded: Superseded,
}

/// The tag and time before which the rows of a block are in others, by number of the block.
pub(crate) type Superseded = BTreeMap<u64, (u32, i64)>;

/// A checkpoint file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointEntry {
    /// Its name in the historian's folder.
    pub(crate) file: String,
    /// CRC32C of its bytes, so that one of another moment is not taken for it.
    pub(crate) crc32c: u32,
}

impl Manifest {
    /// Reads the manifest of a folder; none where there is none.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], [`HistorianError::Format`], [`HistorianError::Io`].
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, HistorianError> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HistorianError::io("read", &path)(error)),
        };
        let damage =
            |offset: usize, reason: &str| HistorianError::corrupt(&path, offset as u64, reason);
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| damage(0, "it has no first line"))?;
        let line = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
        let fields = line.split_once(" crc32c=").and_then(|(title, crc)| {
            let format = title.strip_prefix(TITLE)?.strip_prefix(' ')?.parse::<u32>().ok()?;
            Some((format, u32::from_str_radix(crc, 16).ok()?))
        });
        let (found, crc) = fields.ok_or_else(|| damage(0, "its first line is unreadable"))?;
        if !(1..=FORMAT).contains(&found) {
            return Err(HistorianError::Format { file: path, found, supported: FORMAT });
        }
        let body = &bytes[end + 1..];
        // The digits have one spelling only, so that no bit of them is free.
        if crc32c::crc32c(body) != crc || !line.ends_with(&format!("={crc:08x}")) {
            return Err(damage(end + 1, "its checksum does not match"));
        }
        serde_json::from_slice(body)
            .map(Some)
            .map_err(|error| damage(end + 1, &format!("it is unreadable: {error}")))
    }

    /// Replaces the manifest of a folder, durably.
    pub(crate) fn save(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let body = serde_json::to_vec(self)?;
        let mut bytes =
            format!("{TITLE} {FORMAT} crc32c={:08x}\n", crc32c::crc32c(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        disk::replace(disk, &dir.join(NAME), &bytes)
    }
}

/// The blocks that a read sees: those of one manifest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Version {
    superseded: Superseded,
    spans: BTreeMap<(TenantId, Span), Vec<Arc<Block>>>,
}

/// Blocks of one span of days; they may overlap each other in tags and times.
pub(crate) type Group<'a> = (Span, &'a [Arc<Block>]);

impl Version {
    /// The blocks given.
    pub(crate) fn new(blocks: impl IntoIterator<Item = Arc<Block>>) -> Self {
        Self::default().edit(&[], blocks)
    }

    /// This version where so much of blocks is in others.
    pub(crate) fn with_superseded(self, superseded: &Superseded) -> Self {
        Self { superseded: superseded.clone(), ..self }
    }

    /// This version without some blocks and with others.
    pub(crate) fn edit(
        &self,
        remove: &[Arc<Block>],
        add: impl IntoIterator<Item = Arc<Block>>,
    ) -> Self {
        let mut spans = self.spans.clone();
        for block in remove {
            let key = (block.entry().tenant, block.entry().span());
            if let Some(blocks) = spans.get_mut(&key) {
                blocks.retain(|other| other.entry().id != block.entry().id);
            }
        }
        for block in add {
            spans.entry((block.entry().tenant, block.entry().span())).or_default().push(block);
        }
        spans.retain(|_, blocks| !blocks.is_empty());
        Self { spans, superseded: self.superseded.clone() }
    }

    /// The blocks of a tenant from one day to another, both included, by the span that they are of,
    /// in order of its first day. A month and days within it may both be there; no block has a
    /// sample before the start of its span. Takes time for what is found and at most a month more.
    pub(crate) fn spans(
        &self,
        tenant: TenantId,
        first: i32,
        last: i32,
    ) -> impl Iterator<Item = Group<'_>> {
        // The longest span that has the first day begins so much earlier.
        let from = Span::day(first.saturating_sub(i32::from(SPAN_DAYS_MAX) - 1));
        let range = (tenant, from)..=(tenant, Span::new(last, SPAN_DAYS_MAX));
        let found = (first <= last).then(|| self.spans.range(range)).into_iter().flatten();
        let found = found.filter(move |((_, span), _)| span.last() >= first);
        found.map(|((_, span), blocks)| (*span, blocks.as_slice()))
    }

    /// Every span of every tenant that has blocks, tenant by tenant, in order of its first day.
    pub(crate) fn all_spans(&self) -> impl Iterator<Item = (TenantId, Group<'_>)> {
        self.spans.iter().map(|((tenant, span), blocks)| (*tenant, (*span, blocks.as_slice())))
    }

    /// Which rows of blocks that are being merged are in others already.
    pub(crate) fn superseded(&self) -> &Superseded {
        &self.superseded
    }

    /// Every block.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.spans.values().flatten()
    }
}

/// Where the manifest of a folder is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

#[cfg(test)]
mod tests;
