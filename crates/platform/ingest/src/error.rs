//! Why bytes are not samples.

/// Most faults that one answer lists: enough to see the pattern.
pub const FAULTS_MAX: usize = 20;

/// What is wrong with one line or one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: the number of the line or of the series in the request, from 1.
    pub place: usize,
    /// Of what kind.
    pub kind: FaultKind,
    /// What, for people.
    pub detail: String,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It cannot be read.
    Syntax,
    /// Its tag is not there, or its sender may not know of it.
    UnknownTag,
    /// A value or a time does not fit.
    Value,
}

/// Why a request has no samples: all of it or nothing is read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// Some of it is wrong; the first [`FAULTS_MAX`] of it, at least one.
    #[error("parts of the request cannot be read")]
    Faults(Vec<Fault>),
    /// It has more samples than one request may.
    #[error("a request has at most {} samples", crate::SAMPLES_MAX)]
    TooMany,
    /// It is no message at all.
    #[error("the message is not readable: {0}")]
    Message(&'static str),
    /// It wants more tags made than one request may.
    #[error("a request makes at most {} tags", crate::CREATED_MAX)]
    TooManyTags,
    /// Finding its series takes more work than one request may ask for: long ones with many fields
    /// each, none of them known.
    #[error("the series of the request are too long for their number")]
    TooLong,
    /// Whoever gives memory gave none.
    #[error("there is no room")]
    Room(E),
}
