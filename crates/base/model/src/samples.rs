//! Samples in columns: what a batch carries and the log, memory and blocks hold.

use std::fmt;
use std::ops::Range;

use crate::{Quality, Sample, TagId, Timestamp, Value};

/// What a value is, one byte a sample: 0 for no value, else the first byte of [`Value::encode`].
/// Stored, so a number's meaning never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// There is no value.
    None = 0,
    /// [`Value::F64`].
    F64 = 1,
    /// [`Value::I64`].
    I64 = 2,
    /// [`Value::U64`].
    U64 = 3,
    /// [`Value::Bool`].
    Bool = 4,
    /// [`Value::Text`].
    Text = 5,
    /// [`Value::Enumeration`].
    Enumeration = 6,
    /// [`Value::Array`].
    Array = 7,
}

impl Kind {
    /// The kind of a byte; none for a byte that stands for no kind.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::None,
            1 => Self::F64,
            2 => Self::I64,
            3 => Self::U64,
            4 => Self::Bool,
            5 => Self::Text,
            6 => Self::Enumeration,
            7 => Self::Array,
            _ => return None,
        })
    }

    /// Whether values of this kind are kept apart, and only their place is a word.
    pub const fn is_apart(self) -> bool {
        matches!(self, Self::Text | Self::Array)
    }

    /// The value of a word; none for no value, and for values that are kept apart.
    pub fn value(self, word: u64) -> Option<Value> {
        Some(match self {
            Self::F64 => Value::F64(f64::from_bits(word)),
            Self::I64 => Value::I64(word.cast_signed()),
            Self::U64 => Value::U64(word),
            Self::Bool => Value::Bool(word != 0),
            Self::Enumeration => Value::Enumeration(word.cast_signed()),
            Self::None | Self::Text | Self::Array => return None,
        })
    }
}

/// Samples of any tags, in the order they were pushed: five columns of one length. A value is a
/// word: the bits of a double, an integer, 0 or 1, or for a text or an array its place among those
/// that are kept apart. So samples of numbers take 25 bytes each and no allocation of their own.
#[derive(Clone, Default, PartialEq)]
pub struct Samples {
    tags: Vec<TagId>,
    times: Vec<Timestamp>,
    qualities: Vec<Quality>,
    kinds: Vec<Kind>,
    words: Vec<u64>,
    /// Texts and arrays in the order of their samples.
    apart: Vec<Value>,
}

/// Words that no samples have: a place beyond the values kept apart, or not in their order, columns
/// of unequal length, a truth value that is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the columns are not samples")]
pub struct SamplesError;

impl Samples {
    /// No samples, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            tags: Vec::with_capacity(capacity),
            times: Vec::with_capacity(capacity),
            qualities: Vec::with_capacity(capacity),
            kinds: Vec::with_capacity(capacity),
            words: Vec::with_capacity(capacity),
            apart: Vec::new(),
        }
    }

    /// Samples of columns that were made elsewhere.
    ///
    /// # Errors
    /// [`SamplesError`].
    pub fn from_columns(
        tags: Vec<TagId>,
        times: Vec<Timestamp>,
        qualities: Vec<Quality>,
        kinds: Vec<Kind>,
        words: Vec<u64>,
        apart: Vec<Value>,
    ) -> Result<Self, SamplesError> {
        let lengths = [times.len(), qualities.len(), kinds.len(), words.len()];
        if lengths.iter().any(|length| *length != tags.len()) {
            return Err(SamplesError);
        }
        let mut place = 0;
        for (kind, word) in kinds.iter().zip(&words) {
            let fits = match kind {
                Kind::Bool => *word <= 1,
                Kind::None => *word == 0,
                Kind::Text | Kind::Array => {
                    let value = apart.get(place).filter(|_| *word == place as u64);
                    place += 1;
                    value.is_some_and(|value| value.word().0 == *kind)
                }
                _ => true,
            };
            if !fits {
                return Err(SamplesError);
            }
        }
        if place != apart.len() {
            return Err(SamplesError);
        }
        Ok(Self { tags, times, qualities, kinds, words, apart })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Adds a sample.
    pub fn push(&mut self, tag: TagId, sample: Sample) {
        self.tags.push(tag);
        self.times.push(sample.time);
        self.qualities.push(sample.quality);
        let (kind, mut word) = sample.value.as_ref().map_or((Kind::None, 0), Value::word);
        if let Some(value) = sample.value.filter(|_| kind.is_apart()) {
            word = self.apart.len() as u64;
            self.apart.push(value);
        }
        self.kinds.push(kind);
        self.words.push(word);
    }

    /// Adds the samples of others behind these.
    pub fn append(&mut self, others: &Self) {
        self.append_range(others, 0..others.len());
    }

    /// Adds those samples of others that lie in a range of places.
    ///
    /// # Panics
    /// For a range beyond the last, as slicing does.
    pub fn append_range(&mut self, others: &Self, places: Range<usize>) {
        self.tags.extend_from_slice(&others.tags[places.clone()]);
        self.times.extend_from_slice(&others.times[places.clone()]);
        self.qualities.extend_from_slice(&others.qualities[places.clone()]);
        self.kinds.extend_from_slice(&others.kinds[places.clone()]);
        let from = self.words.len();
        self.words.extend_from_slice(&others.words[places]);
        self.take_apart(others, from);
    }

    /// Copies the texts and arrays that words from a place on mean among those of others.
    fn take_apart(&mut self, others: &Self, from: usize) {
        if others.apart.is_empty() {
            return;
        }
        for (kind, word) in self.kinds[from..].iter().zip(&mut self.words[from..]) {
            if kind.is_apart() {
                let value = others.apart[*word as usize].clone();
                *word = self.apart.len() as u64;
                self.apart.push(value);
            }
        }
    }

    /// The samples at these places, in this order.
    ///
    /// # Panics
    /// For a place beyond the last, as indexing does.
    pub fn pick(&self, places: &[u32]) -> Self {
        fn of<T: Copy>(column: &[T], places: &[u32]) -> Vec<T> {
            places.iter().map(|place| column[*place as usize]).collect()
        }
        let mut picked = Self {
            tags: of(&self.tags, places),
            times: of(&self.times, places),
            qualities: of(&self.qualities, places),
            kinds: of(&self.kinds, places),
            words: of(&self.words, places),
            apart: Vec::new(),
        };
        picked.take_apart(self, 0);
        picked
    }

    /// Forgets all samples and keeps their room.
    pub fn clear(&mut self) {
        self.tags.clear();
        self.times.clear();
        self.qualities.clear();
        self.kinds.clear();
        self.words.clear();
        self.apart.clear();
    }

    /// Whose each is.
    pub fn tags(&self) -> &[TagId] {
        &self.tags
    }

    /// When each was observed.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// How far each can be trusted.
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// What each value is.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Each value's word.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Texts and arrays, in the order of their samples.
    pub fn apart(&self) -> &[Value] {
        &self.apart
    }

    /// The value of one.
    ///
    /// # Panics
    /// For a place beyond the last, as indexing does.
    pub fn value(&self, place: usize) -> Option<Value> {
        let (kind, word) = (self.kinds[place], self.words[place]);
        if kind.is_apart() { Some(self.apart[word as usize].clone()) } else { kind.value(word) }
    }

    /// One of them.
    ///
    /// # Panics
    /// For a place beyond the last, as indexing does.
    pub fn sample(&self, place: usize) -> Sample {
        let (time, quality) = (self.times[place], self.qualities[place]);
        Sample { time, value: self.value(place), quality }
    }

    /// All of them with their tags, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (TagId, Sample)> + ExactSizeIterator {
        (0..self.len()).map(|place| (self.tags[place], self.sample(place)))
    }

    /// Bytes that they take in memory, texts and arrays included.
    pub fn bytes(&self) -> usize {
        const ROW: usize = size_of::<TagId>()
            + size_of::<Timestamp>()
            + size_of::<Quality>()
            + size_of::<Kind>()
            + size_of::<u64>();
        let apart: usize =
            self.apart.iter().map(|value| size_of_val(value) + value.heap_bytes()).sum();
        size_of::<Self>() + self.len() * ROW + apart
    }
}

impl Value {
    /// What it is, and its word; that of a text or an array is its place among others, which is not
    /// known here: 0.
    pub fn word(&self) -> (Kind, u64) {
        match self {
            Self::F64(x) => (Kind::F64, x.to_bits()),
            Self::I64(x) => (Kind::I64, x.cast_unsigned()),
            Self::U64(x) => (Kind::U64, *x),
            Self::Bool(x) => (Kind::Bool, u64::from(*x)),
            Self::Enumeration(x) => (Kind::Enumeration, x.cast_unsigned()),
            Self::Text(_) => (Kind::Text, 0),
            Self::Array(_) => (Kind::Array, 0),
        }
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Extend<(TagId, Sample)> for Samples {
    fn extend<I: IntoIterator<Item = (TagId, Sample)>>(&mut self, samples: I) {
        samples.into_iter().for_each(|(tag, sample)| self.push(tag, sample));
    }
}

impl FromIterator<(TagId, Sample)> for Samples {
    fn from_iter<I: IntoIterator<Item = (TagId, Sample)>>(samples: I) -> Self {
        let samples = samples.into_iter();
        let mut columns = Self::with_capacity(samples.size_hint().0);
        columns.extend(samples);
        columns
    }
}

impl From<Vec<(TagId, Sample)>> for Samples {
    fn from(samples: Vec<(TagId, Sample)>) -> Self {
        samples.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
