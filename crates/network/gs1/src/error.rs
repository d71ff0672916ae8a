use thiserror::Error;

use crate::value::Fault;

/// What is wrong with a text that should be an element string, a Digital Link URI, a link or a QR code.
///
/// Every message is for the person who printed, scanned or registered the text: it names the place and
/// what would be right there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// Longer than [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX).
    #[error("the text has {bytes} bytes, more than the {max} that are read")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// Bytes that are read.
        max: usize,
    },
    /// More elements than [`ELEMENTS_MAX`](crate::ELEMENTS_MAX).
    #[error("there are more than {0} application identifiers")]
    TooManyElements(usize),
    /// There is nothing in it.
    #[error("there is no application identifier in it")]
    Empty,
    /// Digits that are no application identifier of the table.
    #[error("there is no application identifier ({0})")]
    UnknownAi(String),
    /// A value that does not fit its application identifier.
    #[error("the value “{value}” of ({ai}) {title} {fault}")]
    Value {
        /// Digits of the application identifier.
        ai: &'static str,
        /// Its data title.
        title: &'static str,
        /// The value, shortened when it is long.
        value: String,
        /// What is wrong.
        fault: Fault,
    },
    /// The same application identifier twice.
    #[error("({0}) stands twice")]
    Twice(&'static str),
    /// Two application identifiers that exclude each other.
    #[error("({ai}) cannot stand together with ({other})")]
    Excluded {
        /// The one whose rule it is.
        ai: &'static str,
        /// The one that it excludes.
        other: &'static str,
    },
    /// An application identifier without the ones that it belongs to.
    #[error("({ai}) {title} says something about another identifier that is missing: {needs}")]
    Alone {
        /// The one that stands alone.
        ai: &'static str,
        /// Its data title.
        title: &'static str,
        /// What one of must stand beside it, as a sentence part.
        needs: String,
    },
    /// A key that a digital signature goes with, without its serial component.
    #[error("({ai}) {title} needs its serial component beside the digital signature of (8030)")]
    Unsigned {
        /// The key.
        ai: &'static str,
        /// Its data title.
        title: &'static str,
    },
    /// Brackets that do not enclose an application identifier.
    #[error("at character {at}, two to four digits in round brackets are expected, such as (01)")]
    Brackets {
        /// Position in the text, from 1.
        at: usize,
    },
    /// An element of predefined length that ends too early.
    #[error("({ai}) has {length} characters, and only {left} are left")]
    CutOff {
        /// Digits of the application identifier.
        ai: &'static str,
        /// Its predefined length.
        length: usize,
        /// What was left of the text.
        left: usize,
    },
    /// Not an absolute HTTP or HTTPS URI.
    #[error("a Digital Link URI begins with https:// or http:// and a host name")]
    NotHttp,
    /// A character that cannot stand in a URI.
    #[error("the character “{0}” cannot stand in a URI and must be percent-encoded")]
    UriCharacter(char),
    /// A percent sign without two hexadecimal digits, or bytes that are no text.
    #[error("“{0}” is not well percent-encoded")]
    PercentEncoding(String),
    /// No primary key in the path.
    #[error("the path has no pair /key/value whose key is a GS1 primary key such as /01/")]
    NoKey,
    /// A primary key without a value, or something left over after the last pair.
    #[error(
        "after /{key}/ the path must go on in pairs of identifier and value; “{left}” is left over"
    )]
    Pairs {
        /// The primary key.
        key: &'static str,
        /// The segment without a partner.
        left: String,
    },
    /// An empty value in the path or the query.
    #[error("the value of ({0}) is empty")]
    EmptyValue(&'static str),
    /// Something in the path that is no qualifier of the key.
    #[error("({qualifier}) does not qualify ({key}); the path after it takes {allowed}")]
    Qualifier {
        /// The primary key.
        key: &'static str,
        /// What stands in the path.
        qualifier: String,
        /// What may stand there, as a sentence part.
        allowed: String,
    },
    /// Qualifiers in another order than the standard's, or of two alternatives.
    #[error("the qualifiers of ({key}) stand in the order {found}; allowed is {allowed}")]
    QualifierOrder {
        /// The primary key.
        key: &'static str,
        /// What was found.
        found: String,
        /// The sequences that the standard knows, as a sentence part.
        allowed: String,
    },
    /// A qualifier of the key that stands in the query.
    #[error("({0}) qualifies the key and belongs into the path, not into the query")]
    BelongsInPath(&'static str),
    /// An application identifier that no Digital Link carries as attribute.
    #[error("({0}) cannot be a data attribute of a Digital Link URI")]
    NotAnAttribute(&'static str),
    /// A host name or path before the key that cannot be one.
    #[error("“{0}” cannot be the stem of a Digital Link URI: it must be http(s)://host[/path]")]
    Stem(String),
    /// A link that cannot be registered.
    #[error("a link's {field} “{value}” {reason}")]
    Link {
        /// Which part of the link.
        field: &'static str,
        /// What it was.
        value: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// What should become a QR code is too long, or a size is out of bounds.
    #[error("no QR code can be drawn: {0}")]
    Qr(String),
}

/// The first [`SHOWN_CHARS_MAX`] characters of what somebody sent, for a message.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Enough to recognise what one sent, and not a way to fill a log.
const SHOWN_CHARS_MAX: usize = 60;
