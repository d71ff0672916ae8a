//! What can go wrong before a schedule stands.

/// A problem that cannot be read or cannot be solved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is longer than [`crate::TEXT_BYTES_MAX`].
    #[error("the text has {0} bytes, more than are read")]
    TooLong(usize),
    /// A standard text format is broken at this line, counted from one.
    #[error("line {line}: {what}")]
    Text {
        /// The line, counted from one.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// JSON that does not give a problem or a schedule; `path` is the field.
    #[error("{path}: {what}")]
    Json {
        /// The field, as in `jobs[3].operations[0].alternatives`.
        path: String,
        /// What is wrong there.
        what: String,
    },
    /// The problem contradicts itself.
    #[error("{0}")]
    Invalid(String),
    /// No schedule exists, for the reason given.
    #[error("no schedule exists: {0}")]
    Infeasible(String),
}
