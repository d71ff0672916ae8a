//! Identifiers: `prefix "/" suffix` by the rules of the Handle System (RFC 3651, section 2).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest identifier in UTF-8 bytes. RFC 3651 sets no limit; this one keeps every key, URL and
/// log line bounded, and is twice the longest handle that the field's registries accept.
pub const IDENTIFIER_BYTES_MAX: usize = 1024;

/// Longest prefix in UTF-8 bytes.
pub const PREFIX_BYTES_MAX: usize = 255;

/// Why a text is not an identifier or not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// There is no `/` between prefix and suffix.
    #[error("an identifier is written prefix/suffix, and there is no \"/\" in it")]
    NoSlash,
    /// The prefix is empty or one of its dot-separated segments is.
    #[error("the prefix has an empty segment")]
    EmptySegment,
    /// Nothing stands behind the slash.
    #[error("the suffix is empty")]
    EmptySuffix,
    /// A prefix holds a slash (it would start the suffix).
    #[error("a prefix holds no \"/\"")]
    SlashInPrefix,
    /// A control character, which RFC 3651 does not count among the printable ones.
    #[error("the character U+{0:04X} is not printable")]
    Unprintable(u32),
    /// Longer than [`IDENTIFIER_BYTES_MAX`] or [`PREFIX_BYTES_MAX`].
    #[error("longer than {max} bytes")]
    TooLong {
        /// The limit that was passed.
        max: usize,
    },
}

/// The name of anything that Weir knows: organisation, person, machine, tag, product.
///
/// Comparison, hashing and order ignore ASCII case, as RFC 3651 asks; display keeps the case that
/// the identifier was created with. Cloning is cheap.
#[derive(Clone)]
pub struct Identifier {
    text: Arc<str>,
    slash: u16,
}

impl Identifier {
    /// Parses `prefix/suffix`.
    ///
    /// # Errors
    /// See [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        if text.len() > IDENTIFIER_BYTES_MAX {
            return Err(IdentifierError::TooLong { max: IDENTIFIER_BYTES_MAX });
        }
        let slash = text.find('/').ok_or(IdentifierError::NoSlash)?;
        check_prefix(&text[..slash])?;
        check_suffix(&text[slash + 1..])?;
        Ok(Self { text: text.into(), slash: slash as u16 })
    }

    /// The part before the first slash.
    pub fn prefix(&self) -> &str {
        &self.text[..usize::from(self.slash)]
    }

    /// The part behind the first slash; it may hold further slashes.
    pub fn suffix(&self) -> &str {
        &self.text[usize::from(self.slash) + 1..]
    }

    /// The whole, in the case it was created with.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole with ASCII letters in lower case: equal for identifiers that compare equal, and
    /// therefore what a key is made of.
    pub fn folded(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

fn check_prefix(prefix: &str) -> Result<(), IdentifierError> {
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(IdentifierError::TooLong { max: PREFIX_BYTES_MAX });
    }
    if prefix.split('.').any(str::is_empty) {
        return Err(IdentifierError::EmptySegment);
    }
    check_printable(prefix)
}

fn check_suffix(suffix: &str) -> Result<(), IdentifierError> {
    if suffix.is_empty() {
        return Err(IdentifierError::EmptySuffix);
    }
    check_printable(suffix)
}

fn check_printable(text: &str) -> Result<(), IdentifierError> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(IdentifierError::Unprintable(u32::from(c))),
        None => Ok(()),
    }
}

/// An organisation's prefix: dot-separated, non-empty segments, such as `88.100.7`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Parses a prefix. It is kept in ASCII lower case, since prefixes compare that way.
    ///
    /// # Errors
    /// See [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        if text.contains('/') {
            return Err(IdentifierError::SlashInPrefix);
        }
        check_prefix(text)?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier `self/suffix`.
    ///
    /// # Errors
    /// As [`Identifier::parse`].
    pub fn child(&self, suffix: &str) -> Result<Identifier, IdentifierError> {
        Identifier::parse(&format!("{}/{suffix}", self.0))
    }

    /// Whether the identifier stands under this prefix.
    pub fn owns(&self, identifier: &Identifier) -> bool {
        identifier.prefix().eq_ignore_ascii_case(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", self.0)
    }
}

impl TryFrom<String> for Prefix {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl FromStr for Prefix {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0.as_ref().to_owned()
    }
}

impl PartialEq for Identifier {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for Identifier {}

impl Hash for Identifier {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.text.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl Ord for Identifier {
    fn cmp(&self, other: &Self) -> Ordering {
        let fold = |b: u8| b.to_ascii_lowercase();
        self.text.bytes().map(fold).cmp(other.text.bytes().map(fold))
    }
}

impl PartialOrd for Identifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.text)
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
