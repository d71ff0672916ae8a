//! Pages of the samples wanted, from blocks and memory.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use weir_model::{SamplePage, SamplesWanted, Severities, TagId, TenantId};

use super::memory::MemoryPages;
use super::rest::Rest;
use super::source::{Deletions, Source};
use crate::HistorianError;
use crate::block::Block;
use crate::block::pages::{Asked, Decoded, Sought, Summing, areas_with};
use crate::block::piece::Piece;
use crate::block::read::OpenBlocks;
use crate::block::sums::Filter;
use crate::deletion::Deletion;
use crate::scan::View;
use crate::shared::Shared;

/// Rows of a page, about: it may have twice as many.
const PAGE_ROWS: usize = 8192;

/// Pieces that are read for one page, where few rows pass: what one look at the caller is behind.
const PIECES_MAX: usize = 16;

/// Blocks that one reading holds open, about a megabyte each. Beyond it, the one whose rows come last
/// is closed and opened again.
const OPEN_MAX: usize = 24;

/// Blocks that a block may meet, where pages are passed over: of each it is looked up where it has
/// the numbers that are looked for.
const OTHERS_MAX: usize = 16;

/// A reading on its way.
pub(crate) struct Merging {
    view: View,
    tenant: TenantId,
    wanted: SamplesWanted,
    /// The tags not begun, in parts that are ascending.
    parts: VecDeque<Arc<[TagId]>>,
    part: Option<Part>,
    /// What was read and is of the next page: rows and sums are not in one.
    held: SamplePage,
}

/// The sources of some tags, which are ascending.
struct Part {
    sources: Vec<Source>,
    deletions: Deletions,
}

impl Merging {
    /// A reading of what is stored at this moment.
    pub(super) fn new(shared: &Shared, tenant: TenantId, wanted: SamplesWanted) -> Self {
        Self::over(shared.view(), tenant, wanted)
    }

    /// A reading of what was stored at a moment.
    pub(crate) fn over(view: View, tenant: TenantId, wanted: SamplesWanted) -> Self {
        let parts = match wanted.tags.is_sorted_by(|a, b| a < b) {
            true => VecDeque::from([Arc::clone(&wanted.tags)]),
            false => wanted.tags.chunk_by(|a, b| a < b).map(Arc::from).collect(),
        };
        Self { view, tenant, wanted, parts, part: None, held: SamplePage::default() }
    }

    /// Whether there are no more rows.
    pub(crate) fn is_done(&self) -> bool {
        self.parts.is_empty() && self.part.is_none() && self.held.is_empty()
    }

    /// The next rows; it may be that none of those that were read pass.
    pub(crate) fn next(&mut self, shared: &Shared) -> Result<SamplePage, HistorianError> {
        let mut page = std::mem::take(&mut self.held);
        for _ in 0..PIECES_MAX {
            let part = match &mut self.part {
                Some(part) => part,
                None => {
                    let Some(tags) = self.parts.pop_front() else { break };
                    let part = self.open(&shared.blocks, tags)?;
                    self.part.insert(part)
                }
            };
            let mut more = SamplePage::default();
            let is_last = !part.merge(&shared.blocks, &mut more)?;
            let SamplesWanted { numbers, severities, columns, .. } = self.wanted;
            if let Some(passed) = more.passed(numbers, severities) {
                more.retain(&passed);
            }
            more.restrict(columns);
            if is_last {
                self.part = None;
            }
            let is_other = more.sums.is_empty() != page.sums.is_empty();
            if is_other && !more.is_empty() && !page.is_empty() {
                self.held = more;
                break;
            }
            page.sums.append(&mut more.sums);
            let rows = more.rows();
            Rest::new(Piece { page: more, ..Piece::default() }).take(rows, &mut page);
            if page.rows().max(page.sums.len()) >= PAGE_ROWS {
                break;
            }
        }
        Ok(page)
    }

    /// The sources of some tags.
    fn open(&self, open: &OpenBlocks, tags: Arc<[TagId]>) -> Result<Part, HistorianError> {
        let (from, to) = (self.wanted.from.nanos(), self.wanted.to.nanos());
        let mut deletions = Deletions::default();
        if from >= to {
            return Ok(Part { sources: Vec::new(), deletions });
        }
        for one in self.view.deletions.iter() {
            let is_wanted = tags.binary_search(&TagId(one.tag)).is_ok();
            if is_wanted && one.meets((self.tenant, TagId(one.tag)), from, to) {
                deletions.entry(one.tag).or_default().push(*one);
            }
        }
        let blocks = self.view.version.blocks().filter(|block| {
            let entry = block.entry();
            let first = tags.partition_point(|tag| tag.0 < entry.tag_min);
            entry.tenant == self.tenant
                && entry.time_max >= from
                && entry.time_min < to
                && tags.get(first).is_some_and(|tag| tag.0 <= entry.tag_max)
        });
        let blocks: Vec<&Arc<Block>> = blocks.collect();
        let memory = self.memory();
        // What decides between rows of a tag, and orders them, is read where they may be of several
        // sources.
        let mut spans: Vec<(u32, u32)> =
            blocks.iter().map(|block| (block.entry().tag_min, block.entry().tag_max)).collect();
        spans.sort_unstable();
        let apart = memory.is_empty() && spans.windows(2).all(|pair| pair[0].1 < pair[1].0);
        let keyed = !apart || !deletions.is_empty();
        let memory_times: Arc<[(i64, i64)]> = memory.iter().map(|(_, _, span)| *span).collect();
        let mut deleted: Vec<Deletion> = deletions.values().flatten().copied().collect();
        deleted.sort_unstable_by_key(|one| one.tag);
        let deleted: Arc<[Deletion]> = deleted.into();
        let asked = |from_time: i64, to_time: i64, alone: bool, sought: Option<Sought>| {
            let all_times = from <= from_time && to_time < to;
            let SamplesWanted { numbers, severities, columns, .. } = self.wanted;
            let columns = Decoded {
                times: columns.times || keyed || !all_times,
                numbers: columns.numbers || numbers.is_some(),
                qualities: columns.qualities || severities != Severities::ALL,
                texts: columns.texts,
                positions: keyed && (!alone || !deletions.is_empty()),
            };
            let (tags, first) = (Arc::clone(&tags), (0, i64::MIN));
            Asked { tags, first, from, to, numbers: sought, columns, sums: None }
        };
        let mut sources = Vec::with_capacity(blocks.len() + memory.len());
        for (place, block) in blocks.iter().enumerate() {
            let entry = block.entry();
            let of_time = (entry.time_min, entry.time_max);
            let meets = |span: (i64, i64)| span.0 <= of_time.1 && of_time.0 <= span.1;
            let others = blocks.iter().enumerate().filter(|(other, block)| {
                let one = block.entry();
                *other != place
                    && one.first_key() <= entry.last_key()
                    && entry.first_key() <= one.last_key()
                    && meets((one.time_min, one.time_max))
            });
            let others: Vec<&Arc<Block>> = others.map(|(_, other)| *other).collect();
            let alone = others.is_empty() && !memory.iter().any(|(_, _, span)| meets(*span));
            // What is in memory is newer than any block: it replaces rows, and none of it is passed
            // over.
            let few = others.len() <= OTHERS_MAX;
            let sums = match self.wanted.sums.filter(|_| few) {
                Some(sums) => {
                    let SamplesWanted { numbers, severities, .. } = self.wanted;
                    let others = others.iter().map(|other| areas_with(open, other, None));
                    Some(Summing {
                        filter: Filter { numbers, severities, sums },
                        others: others.collect::<Result<_, _>>()?,
                        memory: Arc::clone(&memory_times),
                        deletions: Arc::clone(&deleted),
                    })
                }
                None => None,
            };
            let sought = match self.wanted.numbers.filter(|_| few) {
                Some(range) => {
                    let others = others.iter().map(|other| areas_with(open, other, Some(range)));
                    Some(Sought { range, others: others.collect::<Result<_, _>>()? })
                }
                None => None,
            };
            let asked = Asked { sums, ..asked(of_time.0, of_time.1, alone, sought) };
            sources.push(Source::block(block, asked));
        }
        for (table, position, _) in memory {
            let asked = asked(i64::MIN, i64::MAX, false, None);
            sources.push(Source::memory(MemoryPages::new(table, position, self.tenant, asked)));
        }
        Ok(Part { sources, deletions })
    }
}

/// A table, the position that its rows have, and from when to when they are.
type InMemory<'a> = (&'a Arc<std::sync::RwLock<crate::memory::Table>>, u64, (i64, i64));

impl Merging {
    /// The tables that have rows.
    fn memory(&self) -> Vec<InMemory<'_>> {
        let (from, to) = (self.wanted.from.nanos(), self.wanted.to.nanos());
        let with_rows = self.view.tables().filter_map(|(table, position)| {
            let times = table.read().unwrap_or_else(PoisonError::into_inner).times(self.tenant);
            let span = times.filter(|(first, last)| *first < to && *last >= from)?;
            Some((table, position, span))
        });
        with_rows.collect()
    }
}

impl Part {
    /// Moves rows into a page, until it is full; gives whether there are more.
    fn merge(
        &mut self,
        blocks: &OpenBlocks,
        page: &mut SamplePage,
    ) -> Result<bool, HistorianError> {
        let mut rows = 0;
        while rows + page.sums.len() < PAGE_ROWS {
            let Some((place, (key, is_there))) = self.first() else { return Ok(false) };
            if !is_there {
                self.sources[place].fill(blocks, &self.deletions)?;
                self.close_last(place);
                continue;
            }
            let has_sums = self.sources[place].has_sums();
            if !page.is_empty() && has_sums == page.sums.is_empty() {
                return Ok(true);
            }
            let others = self.sources.iter().enumerate().filter(|(other, _)| *other != place);
            let bound = others.filter_map(|(_, other)| other.front()).map(|(key, _)| key).min();
            if has_sums {
                self.sources[place].take_sums(bound, &mut page.sums);
                continue;
            }
            let taken = match bound {
                None => self.sources[place].rest().len(),
                Some(bound) if bound == key => {
                    self.take_newest(key, page);
                    rows += 1;
                    continue;
                }
                Some(bound) => self.sources[place].rest().before(bound),
            };
            // The first row is before the bound, so that there is no end without progress.
            let taken = taken.max(1);
            self.sources[place].rest().take(taken, page);
            rows += taken;
        }
        Ok(true)
    }

    /// The source that goes on first: of several, one whose row is not there.
    fn first(&self) -> Option<(usize, super::source::Front)> {
        let fronts = self.sources.iter().enumerate();
        fronts
            .filter_map(|(place, source)| Some((place, source.front()?)))
            .min_by_key(|(_, front)| *front)
    }

    /// Takes the row of a key: of several sources, that of the highest position.
    fn take_newest(&mut self, key: (u32, i64), page: &mut SamplePage) {
        let at = |source: &Source| source.front() == Some((key, true));
        let same = self.sources.iter().enumerate().filter(|(_, source)| at(source));
        let newest = same.max_by_key(|(_, source)| source.position());
        let newest = newest.map(|(place, _)| place);
        for (place, source) in self.sources.iter_mut().enumerate() {
            if Some(place) == newest {
                source.rest().take(1, page);
            } else if at(source) {
                source.rest().skip();
            }
        }
    }

    /// Closes the block whose rows come last, where too many are open.
    fn close_last(&mut self, opened: usize) {
        let open = self.sources.iter().filter(|source| source.is_open()).count();
        if open <= OPEN_MAX {
            return;
        }
        let others = self
            .sources
            .iter_mut()
            .enumerate()
            .filter(|(place, source)| *place != opened && source.is_open());
        if let Some((_, last)) = others.max_by_key(|(_, source)| source.front()) {
            last.close();
        }
    }
}
