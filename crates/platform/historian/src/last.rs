//! The newest value of every tag.

mod page;

use weir_model::{Kind, Quality, Sample, Samples, TagId, TenantId, Timestamp, Value};

use crate::block::array;
use crate::deletion::Deletion;
use crate::row::{Row, TagMap};

/// Tags of a page. Numbers are given one after the other, so that neighbours are mostly written and
/// read together; a tenant whose tags lie scattered wastes at most the rest of a page for each.
const PAGE_TAGS: u32 = 16;

/// Newest by time; of two samples of one time, the one stored later. A late sample, backfill or
/// not, therefore never replaces a newer one.
#[derive(Debug, Default)]
pub(crate) struct LastValues {
    /// Pages by tenant and number of the page.
    pages: TagMap<Box<Page>>,
    len: usize,
}

/// The newest values of neighbouring tags.
#[derive(Debug, Default)]
struct Page {
    slots: [Option<Slot>; PAGE_TAGS as usize],
    /// Texts and arrays, by slot.
    apart: Option<Box<[Option<Apart>; PAGE_TAGS as usize]>>,
}

/// A value that is kept apart. Arrays are packed: the newest waveform of a thousand vibration sensors
/// takes 0.5 GB so, or half of that where it is of singles, and 1.5 GB as values.
#[derive(Debug, Clone)]
pub(crate) enum Apart {
    /// As it is.
    Whole(Value),
    /// As [`array::encode_quickly`] writes it.
    Packed(Box<[u8]>),
}

impl Apart {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(_) => {
                let mut bytes = Vec::new();
                array::encode_quickly(value, &mut bytes);
                Self::Packed(bytes.into())
            }
            value => Self::Whole(value.clone()),
        }
    }

    fn value(&self) -> Option<Value> {
        match self {
            Self::Whole(value) => Some(value.clone()),
            Self::Packed(bytes) => array::decode(bytes),
        }
    }
}

/// A newest sample as it is kept.
pub(crate) struct LastRow<'a> {
    /// Its tag.
    pub(crate) tag: u32,
    /// Its time in nanoseconds.
    pub(crate) time: i64,
    /// Its position.
    pub(crate) position: u64,
    /// Its quality's code.
    pub(crate) quality: u32,
    /// Its number, switch or state.
    pub(crate) number: Option<Value>,
    /// Its text or array.
    pub(crate) apart: Option<&'a Apart>,
}

impl LastRow<'_> {
    fn sample(self) -> Sample {
        let value = self.number.or_else(|| self.apart.and_then(Apart::value));
        let (time, quality) = (Timestamp::from_nanos(self.time), Quality::from_code(self.quality));
        Sample { time, value, quality }
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    time: Timestamp,
    position: u64,
    word: u64,
    quality: Quality,
    kind: Kind,
}

impl Page {
    /// Whether a sample of this time and position replaces what a slot has.
    fn is_newer(&self, index: usize, time: Timestamp, position: u64) -> bool {
        self.slots[index].is_none_or(|slot| (time, position) >= (slot.time, slot.position))
    }

    /// Fills a slot; gives whether it was empty.
    fn put(&mut self, index: usize, slot: Slot, value: Option<&Value>) -> bool {
        let old = self.slots[index].replace(slot);
        if value.is_some() || old.is_some_and(|old| old.kind.is_apart()) {
            self.apart.get_or_insert_default()[index] = value.map(Apart::of);
        }
        old.is_none()
    }

    fn row(&self, index: usize, tag: u32) -> Option<LastRow<'_>> {
        let Slot { time, position, word, quality, kind } = self.slots[index]?;
        let apart = self.apart.as_ref().and_then(|apart| apart[index].as_ref());
        let (time, quality, number) = (time.nanos(), quality.code(), kind.value(word));
        Some(LastRow { tag, time, position, quality, number, apart })
    }
}

impl LastValues {
    /// Takes the samples of a batch.
    pub(crate) fn insert(&mut self, tenant: TenantId, position: u64, samples: &Samples) {
        let (tags, times) = (samples.tags(), samples.times());
        let (qualities, kinds, words) = (samples.qualities(), samples.kinds(), samples.words());
        let mut place = 0;
        while let Some(first) = tags.get(place) {
            let number = first.0 / PAGE_TAGS;
            let page = self.pages.entry((tenant, TagId(number))).or_default();
            // Neighbours come one after the other: their page is looked for once.
            while let Some(tag) = tags.get(place).filter(|tag| tag.0 / PAGE_TAGS == number) {
                let index = (tag.0 % PAGE_TAGS) as usize;
                if page.is_newer(index, times[place], position) {
                    let (kind, word) = (kinds[place], words[place]);
                    let slot = Slot {
                        time: times[place],
                        position,
                        word,
                        quality: qualities[place],
                        kind,
                    };
                    let value = kind.is_apart().then(|| &samples.apart()[word as usize]);
                    self.len += usize::from(page.put(index, slot, value));
                }
                place += 1;
            }
        }
    }

    /// Takes a deletion: where it is of a tag's newest sample, `latest` is the newest now.
    pub(crate) fn delete(&mut self, deletion: &Deletion, latest: Option<&Sample>) {
        let (number, index) = (deletion.tag / PAGE_TAGS, (deletion.tag % PAGE_TAGS) as usize);
        let Some(page) = self.pages.get_mut(&(deletion.tenant, TagId(number))) else { return };
        let hidden = |slot: &Slot| deletion.hides(slot.time.nanos(), slot.position);
        if page.slots[index].as_ref().is_some_and(hidden) {
            page.slots[index] = None;
            page.apart.iter_mut().for_each(|apart| apart[index] = None);
            self.len -= 1;
            if let Some(latest) = latest {
                let samples = Samples::from_iter([(TagId(deletion.tag), latest.clone())]);
                self.insert(deletion.tenant, deletion.position, &samples);
            }
        }
    }

    /// Takes one row; one that is there already changes nothing.
    pub(crate) fn insert_row(&mut self, tenant: TenantId, row: Row) {
        let (tag, position) = (TagId(row.tag), row.position);
        self.insert(tenant, position, &Samples::from_iter([(tag, Sample::from(row))]));
    }

    /// Gives the newest samples of tags that have any, in the order of the tags. The page of neighbours
    /// is looked for once.
    pub(crate) fn each(
        &self,
        tenant: TenantId,
        tags: &[TagId],
        mut take: impl FnMut(TagId, Sample),
    ) {
        for tags in tags.chunk_by(|a, b| a.0 / PAGE_TAGS == b.0 / PAGE_TAGS) {
            let Some(page) = self.pages.get(&(tenant, TagId(tags[0].0 / PAGE_TAGS))) else {
                continue;
            };
            for tag in tags {
                if let Some(row) = page.row((tag.0 % PAGE_TAGS) as usize, tag.0) {
                    take(*tag, row.sample());
                }
            }
        }
    }

    /// The newest sample of a tag.
    pub(crate) fn get(&self, tenant: TenantId, tag: TagId) -> Option<Sample> {
        let page = self.pages.get(&(tenant, TagId(tag.0 / PAGE_TAGS)))?;
        page.row((tag.0 % PAGE_TAGS) as usize, tag.0).map(LastRow::sample)
    }

    /// The time of the newest sample of a tag.
    pub(crate) fn time(&self, tenant: TenantId, tag: TagId) -> Option<Timestamp> {
        let page = self.pages.get(&(tenant, TagId(tag.0 / PAGE_TAGS)))?;
        page.slots[(tag.0 % PAGE_TAGS) as usize].map(|slot| slot.time)
    }

    /// How many tags have one.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TenantId, LastRow<'_>)> {
        self.pages.iter().flat_map(|((tenant, number), page)| {
            (0..PAGE_TAGS).filter_map(move |index| {
                let row = page.row(index as usize, number.0 * PAGE_TAGS + index)?;
                Some((*tenant, row))
            })
        })
    }
}
