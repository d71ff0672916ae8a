//! Records: what an identifier resolves to (RFC 3651, section 3).

mod json;
mod layout;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use weir_handle::{List, Permissions, Ttl, Value};
use weir_model::{Identifier, Timestamp};
use weir_store::{BoxError, Collection, History};

use crate::ResolverError;

pub use json::{Data, Entry, Life};
pub(crate) use layout::Stored;

/// How long another node may keep an answer, in seconds: a day, as the Handle System's default.
pub const TTL_SECONDS: u32 = 86_400;

/// Most bytes of the values of one record: an answer with all of them still fits a message of the
/// protocol, 262,144 bytes, with its handle and its signature.
pub const VALUES_BYTES_MAX: usize = 240 * 1024;

/// What kind of thing an identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// An organisation.
    Organisation,
    /// An asset.
    Asset,
    /// A device.
    Device,
    /// A tag.
    Tag,
    /// A person or a program.
    User,
    /// Whatever its values say: a product, a document, a prefix; nothing that this node keeps
    /// otherwise.
    Handle,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Organisation, Self::Asset, Self::Device, Self::Tag, Self::User, Self::Handle];

    /// The kind's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Asset => "asset",
            Self::Device => "device",
            Self::Tag => "tag",
            Self::User => "user",
            Self::Handle => "handle",
        }
    }
}

/// The values of a record, in the form in which the protocol sends them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Values {
    count: u32,
    bytes: Vec<u8>,
}

impl Values {
    /// The values, one after another.
    pub fn of(values: &[Value<'_>]) -> Self {
        let mut bytes = Vec::new();
        let count = List::build(values, &mut bytes).len() as u32;
        Self { count, bytes }
    }

    /// The values of a message.
    pub fn of_list(list: &List<'_, Value<'_>>) -> Self {
        Self { count: list.len() as u32, bytes: list.wire().to_vec() }
    }

    /// The values where they lie.
    pub fn list(&self) -> List<'_, Value<'_>> {
        // The bytes were written by the codec; a failure here cannot be.
        List::from_wire(self.count, &self.bytes).unwrap_or(List::empty())
    }

    /// Their number.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a record can have these values.
    ///
    /// # Errors
    /// [`ResolverError::Values`], in words.
    pub fn check(&self) -> Result<(), ResolverError> {
        let wrong = |words: String| Err(ResolverError::Values(words));
        if self.len() > weir_handle::VALUES_MAX {
            return wrong(format!("a record has at most {} values", weir_handle::VALUES_MAX));
        }
        if self.bytes() > VALUES_BYTES_MAX {
            return wrong(format!("the values of a record have at most {VALUES_BYTES_MAX} bytes"));
        }
        let mut indexes: Vec<i32> = self.list().iter().map(|value| value.index).collect();
        if indexes.iter().any(|index| *index < 1) {
            return wrong("indexes of values begin at 1".to_owned());
        }
        indexes.sort_unstable();
        match indexes.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => wrong(format!("two values have the index {}", pair[0])),
            None => Ok(()),
        }
    }

    /// Bytes in the protocol's form.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.list().fmt(f)
    }
}

/// What an identifier resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The identifier.
    pub id: Identifier,
    /// What it names.
    pub kind: Kind,
    /// The thing's name; empty where it has none but its identifier.
    pub name: String,
    /// The values.
    pub values: Values,
    /// Whether it is answered beyond this node's users at all. The permissions of each value then
    /// say who may read it.
    pub published: bool,
    /// Whether the thing is gone. The record stays, so that the identifier is never given to
    /// something of another kind and its history can be read.
    pub withdrawn: bool,
}

impl Record {
    /// The record of a thing that was just named. It is not published.
    pub fn new(id: Identifier, kind: Kind, name: &str, now: Timestamp) -> Self {
        let now = seconds(now);
        let private = Permissions(Permissions::ADMIN_READ.0 | Permissions::ADMIN_WRITE.0);
        let values = Values::of(&[
            Value::new(1, b"KIND", kind.as_str().as_bytes(), now),
            Value { permissions: private, ..Value::new(2, Self::NAME, name.as_bytes(), now) },
        ]);
        Self { id, kind, name: name.to_owned(), values, published: false, withdrawn: false }
    }

    /// The record of an identifier that stands for itself.
    pub fn handle(id: Identifier, values: Values) -> Self {
        let name = String::new();
        Self { id, kind: Kind::Handle, name, values, published: true, withdrawn: false }
    }

    const NAME: &'static [u8] = b"NAME";

    pub(crate) fn set_name(&mut self, name: &str, now: Timestamp) {
        name.clone_into(&mut self.name);
        let renamed = |value: Value<'_>| match value.kind == Self::NAME {
            true => Owned::of(&Value { data: name.as_bytes(), timestamp: seconds(now), ..value }),
            false => Owned::of(&value),
        };
        let values: Vec<Owned> = self.values.list().iter().map(renamed).collect();
        self.values = values.iter().collect();
    }
}

/// One value by itself, in the protocol's form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Owned(Vec<u8>);

impl Owned {
    pub(crate) fn of(value: &Value<'_>) -> Self {
        let mut bytes = Vec::new();
        List::build(&[*value], &mut bytes);
        Self(bytes)
    }
}

impl<'v> FromIterator<&'v Owned> for Values {
    fn from_iter<I: IntoIterator<Item = &'v Owned>>(values: I) -> Self {
        values.into_iter().fold(Self::default(), |mut all, value| {
            all.count += 1;
            all.bytes.extend_from_slice(&value.0);
            all
        })
    }
}

/// Seconds since 1970 as the protocol has them; what does not fit is its end.
pub(crate) fn seconds(time: Timestamp) -> i32 {
    let seconds = time.nanos().div_euclid(1_000_000_000);
    i32::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { i32::MAX })
}

/// Records by folded identifier.
pub struct Identifiers;

impl Collection for Identifiers {
    const NAME: &'static str = "identifiers";
    type Record = Record;
    const HISTORY: History = History::All;

    fn encode(record: &Record) -> Result<Vec<u8>, BoxError> {
        Ok(Stored::of(record).write())
    }

    fn decode(bytes: &[u8]) -> Result<Record, BoxError> {
        match bytes.first() {
            Some(b'{') => json::first(bytes),
            _ => Stored::read(bytes)?.record(),
        }
    }
}

/// A time to live in seconds from when the value is received.
pub(crate) fn ttl(seconds: u32) -> Ttl {
    Ttl::Relative(i32::try_from(seconds).unwrap_or(i32::MAX))
}
