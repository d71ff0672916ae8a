//! Pages of the log, newest first.

use std::path::Path;

use serde::Serialize;
use weir_model::{Identifier, TenantId, Timestamp};

use crate::entry::Entry;
use crate::error::AuditError;
use crate::frame::Header;
use crate::hash::{Hash, leaf_hash};
use crate::segment::{BLOCK_LEAVES, SEGMENT_LEAVES, Scan, Scanned, read_offsets};

/// Most entries of one page.
pub const PAGE_ITEMS_MAX: usize = 500;

/// Most leaves that one call looks at; a search that finds nothing in them goes on with the
/// cursor.
pub const PAGE_SCAN_MAX: u64 = 8192;

/// Most bytes of entries in one page, except for a single entry that is longer.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// Most bytes of entries that one call reads.
const SCAN_BYTES_MAX: usize = 32 << 20;

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    tenant: Option<TenantId>,
    text: Option<String>,
    principal: Option<Identifier>,
    kind: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Filter {
    /// What one tenant may see: its own entries, and that its records were changed by others.
    pub fn of(tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..Self::default() }
    }

    /// The entries of all tenants. Only for those who may administer the node.
    pub fn of_all_tenants() -> Self {
        Self::default()
    }

    /// Only entries in whose JSON this text occurs; ASCII case does not matter.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = (!text.is_empty()).then(|| text.to_ascii_lowercase());
        self
    }

    /// Only entries by this principal.
    #[must_use]
    pub fn with_principal(mut self, principal: Identifier) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Only entries of this kind, as [`crate::Event::kind`] names it.
    #[must_use]
    pub fn with_kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Only entries from a time on up to, without, another.
    #[must_use]
    pub fn between(mut self, from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        self.from = from;
        self.to = to;
        self
    }

    /// What is left to see of an entry, when it fits.
    fn apply(&self, entry: Entry) -> Option<Entry> {
        let seen = match self.tenant {
            Some(tenant) => entry.seen_by(tenant)?,
            None => entry,
        };
        let fits = self.principal.as_ref().is_none_or(|p| *p == seen.author.principal)
            && self.kind.as_ref().is_none_or(|kind| kind == seen.event.kind())
            && self.from.is_none_or(|from| seen.time >= from)
            && self.to.is_none_or(|to| seen.time < to);
        // The search is over what may be seen, or else it would tell what may not.
        let found = |text: &String| {
            let json = serde_json::to_string(&seen).unwrap_or_default();
            json.to_ascii_lowercase().contains(text)
        };
        (fits && self.text.as_ref().is_none_or(found)).then_some(seen)
    }
}

/// Entries, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The entries that fit.
    pub items: Vec<Item>,
    /// What to give as `before` for the next page; none at the beginning of the log. A page can be
    /// short or empty and yet have a next one, when the search stopped at its bound.
    pub next: Option<u64>,
}

/// One entry of a page.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// The leaf's index.
    pub index: u64,
    /// The leaf's hash, over the entry's stored bytes.
    pub leaf_hash: Hash,
    /// The entry, as far as the one who asked may see it.
    pub entry: Entry,
}

/// What a page is read from: the state of the log when it was asked for.
pub(crate) struct Source<'a> {
    pub(crate) dir: &'a Path,
    /// Leaves that are durable.
    pub(crate) size: u64,
    /// The offsets of the blocks of the last segment.
    pub(crate) offsets: &'a [u64],
}

impl Source<'_> {
    /// The newest entries below `before` that fit.
    pub(crate) fn page(
        &self,
        before: Option<u64>,
        limit: usize,
        filter: &Filter,
    ) -> Result<Page, AuditError> {
        let limit = limit.clamp(1, PAGE_ITEMS_MAX);
        let mut upper = before.unwrap_or(self.size).min(self.size);
        let lowest = upper.saturating_sub(PAGE_SCAN_MAX);
        let (mut items, mut items_bytes, mut read_bytes) = (Vec::new(), 0, 0);
        while upper > lowest {
            let block = (upper - 1) / BLOCK_LEAVES * BLOCK_LEAVES;
            let mut scan = self.open_block(block)?;
            for (offset, header) in self.headers(&mut scan, block, upper, filter)?.iter().rev() {
                let length = header.length as usize;
                let full = items.len() == limit
                    || (!items.is_empty() && items_bytes + length > PAGE_BYTES_MAX)
                    || (read_bytes > 0 && read_bytes + length > SCAN_BYTES_MAX);
                if full {
                    return Ok(Page { items, next: Some(header.index + 1) });
                }
                scan.seek(*offset)?;
                let Scanned::Frame { .. } = scan.next()? else {
                    return Err(self.damaged(header.index));
                };
                read_bytes += length;
                let bytes = scan.entry();
                let entry = serde_json::from_slice(bytes);
                let entry = entry.map_err(|_| self.damaged(header.index))?;
                if let Some(entry) = filter.apply(entry) {
                    items_bytes += length;
                    let leaf_hash = leaf_hash(bytes);
                    items.push(Item { index: header.index, leaf_hash, entry });
                }
            }
            upper = block;
        }
        Ok(Page { items, next: (upper > 0).then_some(upper) })
    }

    /// The headers of a block below `upper` that may fit, oldest first.
    fn headers(
        &self,
        scan: &mut Scan,
        block: u64,
        upper: u64,
        filter: &Filter,
    ) -> Result<Vec<(u64, Header)>, AuditError> {
        let mut headers = Vec::new();
        for index in block..upper.min(block + BLOCK_LEAVES) {
            let header = scan.next_header()?.filter(|(_, header)| header.index == index);
            let (offset, header) = header.ok_or_else(|| self.damaged(index))?;
            let of_others = header.tenant.is_some() && header.tenant != filter.tenant;
            if filter.tenant.is_none() || !of_others {
                headers.push((offset, header));
            }
        }
        Ok(headers)
    }

    fn open_block(&self, block: u64) -> Result<Scan, AuditError> {
        let first = block / SEGMENT_LEAVES * SEGMENT_LEAVES;
        let number = ((block - first) / BLOCK_LEAVES) as usize;
        let is_last = self.size - first <= SEGMENT_LEAVES && !self.offsets.is_empty();
        let offset = if is_last {
            self.offsets.get(number).copied()
        } else {
            read_offsets(self.dir, first)?.get(number).copied()
        };
        let mut scan = Scan::open(self.dir, first)?;
        scan.seek(offset.ok_or_else(|| self.damaged(block))?)?;
        Ok(scan)
    }

    fn damaged(&self, leaf: u64) -> AuditError {
        AuditError::diverged(self.dir, leaf, "the entry's bytes are damaged")
    }
}
