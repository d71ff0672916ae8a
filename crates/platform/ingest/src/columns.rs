//! Columns being filled.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value as Json;
use weir_model::{DataType, Kind, Quality, Samples, TagId, Timestamp, Value};

use crate::error::{FAULTS_MAX, Fault, FaultKind, ReadError};
use crate::series::{CREATED_MAX, Missing, NewTag, TagFacts};

/// Most samples of one request. The historian's own bound on a batch's bytes comes first for all
/// but the smallest samples; this one bounds memory before it is asked.
pub const SAMPLES_MAX: usize = 1_000_000;

/// Bytes of one sample in the columns.
const SAMPLE_BYTES: usize = 25;

/// Samples that there is room for at once, so that columns grow seldom.
const ROOM_SAMPLES: usize = 4096;

/// What was read.
#[derive(Debug, PartialEq)]
pub enum Read {
    /// All samples, in the order they were sent.
    Samples(Samples),
    /// Tags that must be made before it can be read: none of it is wrong otherwise, as far as is known.
    /// The samples are as they will be, but for those of new tags, whose number is
    /// [`TagId`] 0: what is wrong with times and sizes shows before a tag is made.
    New(Vec<NewTag>, Samples),
}

/// A value as it was written.
#[derive(Debug, PartialEq)]
pub(crate) enum Written<'t> {
    Float(f64),
    Signed(i64),
    Unsigned(u64),
    Bool(bool),
    Text(Cow<'t, str>),
}

impl Written<'_> {
    /// The type of a tag that is made for it.
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Float(_) => DataType::F64,
            Self::Signed(_) => DataType::I64,
            Self::Unsigned(_) => DataType::U64,
            Self::Bool(_) => DataType::Bool,
            Self::Text(_) => DataType::Text,
        }
    }

    /// As a value of another type than its own, where it is one.
    fn value(&self, data_type: DataType) -> Result<Value, String> {
        let json = match self {
            Self::Float(x) => Json::from(*x),
            Self::Signed(x) => Json::from(*x),
            Self::Unsigned(x) => Json::from(*x),
            Self::Bool(x) => Json::from(*x),
            Self::Text(text) => {
                return Value::from_text(text, data_type).map_err(|error| error.to_string());
            }
        };
        Value::from_json(&json, data_type).map_err(|error| error.to_string())
    }
}

/// The columns, and what was found wrong.
#[derive(Default)]
pub(crate) struct Columns {
    tags: Vec<TagId>,
    times: Vec<Timestamp>,
    qualities: Vec<Quality>,
    kinds: Vec<Kind>,
    words: Vec<u64>,
    apart: Vec<Value>,
    faults: Vec<Fault>,
    new: BTreeSet<NewTag>,
}

impl Columns {
    /// Whether there is no use in reading on.
    pub(crate) fn is_over(&self) -> bool {
        self.faults.len() >= FAULTS_MAX
            || self.tags.len() > SAMPLES_MAX
            || self.new.len() > CREATED_MAX
    }

    /// Bytes that the samples take, with room for some more.
    pub(crate) fn bytes(&self) -> usize {
        self.tags.capacity() * SAMPLE_BYTES + self.apart.capacity() * size_of::<Value>()
    }

    /// Makes room for more, at the least for those of one turn.
    pub(crate) fn reserve(&mut self) {
        if self.tags.capacity() - self.tags.len() < ROOM_SAMPLES {
            let more = self.tags.len().max(ROOM_SAMPLES);
            self.tags.reserve(more);
            self.times.reserve(more);
            self.qualities.reserve(more);
            self.kinds.reserve(more);
            self.words.reserve(more);
        }
    }

    /// Adds tag and value of a sample; its time and quality come by [`Columns::end`].
    #[inline]
    pub(crate) fn push(&mut self, facts: TagFacts, value: Written<'_>) -> Result<(), String> {
        let (kind, word) = match (&value, facts.data_type) {
            (Written::Float(x), DataType::F64) => (Kind::F64, x.to_bits()),
            (Written::Signed(x), DataType::I64) => (Kind::I64, x.cast_unsigned()),
            (Written::Unsigned(x), DataType::U64) => (Kind::U64, *x),
            (Written::Bool(x), DataType::Bool) => (Kind::Bool, u64::from(*x)),
            (value, data_type) => {
                let value = value.value(data_type)?;
                let (kind, word) = value.word();
                if kind.is_apart() {
                    self.apart.push(value);
                    (kind, self.apart.len() as u64 - 1)
                } else {
                    (kind, word)
                }
            }
        };
        self.tags.push(facts.tag);
        self.kinds.push(kind);
        self.words.push(word);
        Ok(())
    }

    /// Adds a sample without a value.
    pub(crate) fn push_none(&mut self, facts: TagFacts) {
        self.tags.push(facts.tag);
        self.kinds.push(Kind::None);
        self.words.push(0);
    }

    /// Gives time and quality to the samples that have none yet.
    #[inline]
    pub(crate) fn end(&mut self, time: Timestamp, quality: Quality) {
        if self.tags.len() == self.times.len() + 1 {
            self.times.push(time);
            self.qualities.push(quality);
        } else {
            self.times.resize(self.tags.len(), time);
            self.qualities.resize(self.tags.len(), quality);
        }
    }

    /// Takes back the samples that have no time.
    pub(crate) fn cut(&mut self) {
        let length = self.times.len();
        let gone = self.kinds.get(length..).unwrap_or_default();
        let apart = gone.iter().filter(|kind| kind.is_apart()).count();
        self.apart.truncate(self.apart.len() - apart);
        self.tags.truncate(length);
        self.kinds.truncate(length);
        self.words.truncate(length);
    }

    /// Notes what is wrong at a place.
    pub(crate) fn fault(&mut self, place: usize, kind: FaultKind, detail: impl Into<String>) {
        self.faults.push(Fault { place, kind, detail: detail.into() });
    }

    /// Notes that a tag is missing; gives what stands for one that is to be made.
    pub(crate) fn missing(
        &mut self,
        place: usize,
        missing: Missing<'_>,
        data_type: DataType,
    ) -> Option<TagFacts> {
        match missing {
            Missing::Refused(detail) => {
                self.fault(place, FaultKind::UnknownTag, detail);
                None
            }
            Missing::New(series) => {
                let (name, description) = (series.name(), series.description());
                self.new.insert(NewTag { name, description, data_type });
                Some(TagFacts { tag: TagId(0), data_type })
            }
        }
    }

    /// What was read.
    pub(crate) fn finish<E>(self) -> Result<Read, ReadError<E>> {
        if self.tags.len() > SAMPLES_MAX {
            return Err(ReadError::TooMany);
        }
        if !self.faults.is_empty() {
            return Err(ReadError::Faults(self.faults));
        }
        if self.new.len() > CREATED_MAX {
            return Err(ReadError::TooManyTags);
        }
        let Self { tags, times, qualities, kinds, words, apart, new, .. } = self;
        let samples = Samples::from_columns(tags, times, qualities, kinds, words, apart)
            .map_err(|_| ReadError::Message("its samples do not fit together"))?;
        Ok(match new.is_empty() {
            true => Read::Samples(samples),
            false => Read::New(unlike(new), samples),
        })
    }
}

/// One of each name: of two types the one that holds both, which the order of types puts first.
fn unlike(new: BTreeSet<NewTag>) -> Vec<NewTag> {
    let mut new: Vec<NewTag> = new.into_iter().collect();
    new.dedup_by(|later, kept| later.name == kept.name);
    new
}
