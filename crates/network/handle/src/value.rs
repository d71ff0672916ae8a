use std::fmt;

use crate::wire::{Element, List, Reader, put_blob, put_i32};
use crate::{Error, name};

/// Most values in one answer, as clients of the reference software have it.
pub const VALUES_MAX: usize = 2048;

/// `index:handle`: a value of another handle.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference<'a> {
    /// The handle.
    pub handle: &'a [u8],
    /// The index; 0 stands for all.
    pub index: i32,
}

impl<'a> Reference<'a> {
    /// A reference.
    #[must_use]
    pub const fn new(handle: &'a [u8], index: i32) -> Self {
        Self { handle, index }
    }

    /// Reads `index:handle`; a text without an index means all of them.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let parted =
            text.split_once(':').and_then(|(index, handle)| Some((index.parse().ok()?, handle)));
        match parted {
            Some((index, handle)) => Self::new(handle.as_bytes(), index),
            None => Self::new(text.as_bytes(), 0),
        }
    }

    /// Whether this names what `other` names: the same handle but for case, and the same index or
    /// any if this index is 0.
    #[must_use]
    pub fn admits(&self, other: &Reference<'_>) -> bool {
        (self.index == 0 || self.index == other.index) && name::same(self.handle, other.handle)
    }
}

impl fmt::Debug for Reference<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.index, self.handle.escape_ascii())
    }
}

impl<'a> Element<'a> for Reference<'a> {
    const BYTES_MIN: usize = 8;
    const NAME: &'static str = "a list of references";

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(Self { handle: reader.blob("a reference")?, index: reader.i32("a reference")? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_blob(out, self.handle);
        put_i32(out, self.index);
    }
}

/// Who may do what with a value (RFC 3651, 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permissions(pub u8);

impl Permissions {
    /// Administrators may read it.
    pub const ADMIN_READ: Self = Self(0x08);
    /// Administrators may change it.
    pub const ADMIN_WRITE: Self = Self(0x04);
    /// All may read it.
    pub const PUBLIC_READ: Self = Self(0x02);
    /// All may change it.
    pub const PUBLIC_WRITE: Self = Self(0x01);
    /// What values have if nothing is said: all but public write.
    pub const USUAL: Self = Self(0x0e);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04b}", self.0 & 0x0f)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// How long a value may be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// Seconds from when it was received.
    Relative(i32),
    /// Until this second since 1970.
    Absolute(i32),
    /// A kind that the protocol does not name, and its number.
    Other(u8, i32),
}

impl Ttl {
    /// What values have if nothing is said: a day.
    pub const USUAL: Self = Self::Relative(86_400);

    pub(crate) const fn from_parts(kind: u8, number: i32) -> Self {
        match kind {
            0 => Self::Relative(number),
            1 => Self::Absolute(number),
            kind => Self::Other(kind, number),
        }
    }

    pub(crate) const fn parts(self) -> (u8, i32) {
        match self {
            Self::Relative(seconds) => (0, seconds),
            Self::Absolute(second) => (1, second),
            Self::Other(kind, number) => (kind, number),
        }
    }

    /// Seconds for which a value that is received at `now` (seconds since 1970) may be kept.
    #[must_use]
    pub fn seconds_at(self, now: i64) -> u32 {
        let seconds = match self {
            Self::Absolute(until) => i64::from(until) - now,
            Self::Relative(seconds) | Self::Other(_, seconds) => i64::from(seconds),
        };
        u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
    }
}

/// A value of a handle (RFC 3651, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// Unique in its handle; from 1.
    pub index: i32,
    /// When it was last changed, in seconds since 1970.
    pub timestamp: i32,
    /// How long it may be cached.
    pub ttl: Ttl,
    /// Who may do what.
    pub permissions: Permissions,
    /// The type's name.
    pub kind: &'a [u8],
    /// The data; what it means is the type's affair.
    pub data: &'a [u8],
    /// Values of other handles that go with it.
    pub references: List<'a, Reference<'a>>,
}

impl<'a> Value<'a> {
    /// A value with the usual permissions and time to live, and no references.
    #[must_use]
    pub const fn new(index: i32, kind: &'a [u8], data: &'a [u8], timestamp: i32) -> Self {
        Self {
            index,
            timestamp,
            ttl: Ttl::USUAL,
            permissions: Permissions::USUAL,
            kind,
            data,
            references: List::empty(),
        }
    }

    /// Whether its type is `kind`, but for the case of ASCII letters.
    #[must_use]
    pub fn is(&self, kind: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Reads a value that stands alone, as it is stored.
    ///
    /// # Errors
    /// [`Error::Short`], [`Error::Count`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::read(&mut Reader::new(bytes))
    }
}

/// Bytes before a value's type: index, timestamp, kind and number of the time to live, permissions.
const FIXED: usize = 14;
/// Where a value's timestamp stands.
const TIMESTAMP_AT: usize = 4;

impl<'a> Element<'a> for Value<'a> {
    const BYTES_MIN: usize = FIXED + 12;
    const NAME: &'static str = "a list of values";

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let mut fixed = Reader::new(reader.take(FIXED, "a value")?);
        let index = fixed.i32("a value")?;
        let timestamp = fixed.i32("a value")?;
        let ttl = Ttl::from_parts(fixed.u8("a value")?, fixed.i32("a value")?);
        let permissions = Permissions(fixed.u8("a value")?);
        let kind = reader.blob("a value's type")?;
        let data = reader.blob("a value's data")?;
        let references = reader.list()?;
        Ok(Self { index, timestamp, ttl, permissions, kind, data, references })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_i32(out, self.index);
        put_i32(out, self.timestamp);
        let (kind, number) = self.ttl.parts();
        out.push(kind);
        put_i32(out, number);
        out.push(self.permissions.0);
        put_blob(out, self.kind);
        put_blob(out, self.data);
        self.references.write(out);
    }
}

/// Puts another timestamp into one encoded value: a server writes its own clock into what it
/// stores. Bytes that are too short for a value stay as they are.
pub fn set_timestamp(value: &mut [u8], timestamp: i32) {
    if let Some(place) = value.get_mut(TIMESTAMP_AT..TIMESTAMP_AT + 4) {
        place.copy_from_slice(&timestamp.to_be_bytes());
    }
}
