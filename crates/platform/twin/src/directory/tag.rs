//! One tag in memory, and the orders that tags stand in.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use weir_model::{DataType, Grade, Identifier, Interpolation, TagId};

use crate::Tag;

/// What the directory keeps of a tag.
#[derive(Debug, Clone, PartialEq)]
pub struct TagEntry {
    /// Its identifier.
    pub id: Identifier,
    /// Its number in the historian.
    pub tag: TagId,
    /// Its name.
    pub name: Box<str>,
    /// What its values are.
    pub data_type: DataType,
    /// What its value is between two samples.
    pub interpolation: Interpolation,
    /// Its own grade.
    pub grade: Option<Grade>,
    /// The folded identifier of its asset.
    pub asset: Option<String>,
    /// The folded identifier of its device.
    pub device: Option<String>,
    /// The protocol of its device.
    pub protocol: Option<Arc<str>>,
    /// The folded identifier, where that is not how it is written.
    folded: Option<Box<str>>,
    /// What else it is found by, in lower case and a line each: translations, the description, and
    /// identifier and name where they have more letters than ASCII.
    more: Option<Box<str>>,
}

impl TagEntry {
    pub(super) fn of(tag: &Tag) -> Self {
        let (id, folded) = (tag.id.as_str(), tag.id.folded());
        let beyond_ascii = [id, &tag.name].into_iter().filter(|text| !text.is_ascii());
        let words = tag.names.values().map(String::as_str).chain([tag.description.as_str()]);
        let mut more = String::new();
        for text in beyond_ascii.chain(words).filter(|text| !text.is_empty()) {
            more.push_str(&text.to_lowercase());
            more.push('\n');
        }
        Self {
            id: tag.id.clone(),
            tag: tag.tag,
            name: tag.name.as_str().into(),
            data_type: tag.data_type,
            interpolation: tag.interpolation.unwrap_or(tag.data_type.interpolation()),
            grade: tag.grade,
            asset: tag.asset.as_ref().map(Identifier::folded),
            device: tag.source.as_ref().map(|source| source.device.folded()),
            protocol: tag.source.as_ref().map(|source| source.protocol.as_str().into()),
            folded: (folded != id).then(|| folded.into_boxed_str()),
            more: (!more.is_empty()).then(|| more.into_boxed_str()),
        }
    }

    /// Its identifier as [`Identifier::folded`] gives it.
    pub fn key(&self) -> &str {
        self.folded.as_deref().unwrap_or_else(|| self.id.as_str())
    }

    /// Whether identifier, name, a translation or the description contains each of the words,
    /// given in lower case.
    pub fn matches(&self, words: &str) -> bool {
        words.split_whitespace().all(|word| {
            contains(self.key(), word)
                || contains(&self.name, word)
                || self.more.as_ref().is_some_and(|more| more.contains(word))
        })
    }
}

/// Whether a text with its ASCII letters in lower case contains a word. A text with other letters is not
/// asked for here alone.
fn contains(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    text.windows(word.len().max(1)).any(|part| part.eq_ignore_ascii_case(word))
}

/// A tag among those in the order of their folded identifiers.
#[derive(Debug)]
pub(super) struct ByKey(pub(super) Arc<TagEntry>);

impl Borrow<str> for ByKey {
    fn borrow(&self) -> &str {
        self.0.key()
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key().cmp(other.0.key())
    }
}

/// A tag among those that are found by their number.
#[derive(Debug)]
pub(super) struct ByNumber(pub(super) Arc<TagEntry>);

impl Borrow<TagId> for ByNumber {
    fn borrow(&self) -> &TagId {
        &self.0.tag
    }
}

impl Hash for ByNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.tag.hash(state);
    }
}

impl PartialEq for ByNumber {
    fn eq(&self, other: &Self) -> bool {
        self.0.tag == other.0.tag
    }
}

impl Eq for ByNumber {}

/// A tag among those in the order of their names, and of one name by folded identifier.
#[derive(Debug)]
pub(super) struct ByName(pub(super) Arc<TagEntry>);

/// A place in that order, of a tag or of none.
pub(super) trait Named {
    /// The name, and the folded identifier.
    fn place(&self) -> (&str, &str);
}

impl Named for ByName {
    fn place(&self) -> (&str, &str) {
        (&self.0.name, self.0.key())
    }
}

impl Named for (&str, &str) {
    fn place(&self) -> (&str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Named + 'a> for ByName {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for dyn Named + '_ {}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// What follows of an order.
macro_rules! ordered {
    ($($of:ty),*) => {$(
        impl PartialOrd for $of {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $of {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $of {}
    )*};
}

ordered!(ByKey, ByName);
