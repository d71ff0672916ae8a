//! Why a statement has no answer.

use datafusion::error::DataFusionError;

use crate::source::SourceError;

/// Why a statement has no answer. `Display` is for whoever wrote the statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// It is not SQL, names what is not there, or cannot be computed.
    #[error("{0}")]
    Statement(String),
    /// It would change something, or reach beyond the tables.
    #[error("only SELECT, EXPLAIN, DESCRIBE and SHOW TABLES can be run here, not {0}")]
    NotReading(String),
    /// It uses a function that is not there.
    #[error("there is no function {0} here")]
    Function(String),
    /// The text is longer than a statement may be.
    #[error("a statement has at most {bytes_max} bytes")]
    TooLong {
        /// The bound.
        bytes_max: usize,
    },
    /// It joins more tables, or is made of more parts, than a statement may.
    #[error("the statement has more than {max} {what}; ask in several statements")]
    TooComplex {
        /// What there are too many of.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// The answer has more rows than one answer may.
    #[error("the answer has more than {max} rows; add LIMIT, a narrower time or an aggregate")]
    Rows {
        /// The bound.
        max: usize,
    },
    /// The answer takes more bytes than one answer may.
    #[error("the answer takes more than {} MiB; ask for fewer rows or columns", max >> 20)]
    Bytes {
        /// The bound.
        max: usize,
    },
    /// It needs more memory than one statement may.
    #[error(
        "the statement needs more than {} MiB of memory; ask for a narrower time, fewer tags or \
         fewer groups",
        max >> 20
    )]
    Memory {
        /// The bound.
        max: usize,
    },
    /// It took longer than one statement may.
    #[error("the statement took longer than {seconds} s; ask for a narrower time or fewer tags")]
    Time {
        /// The bound.
        seconds: u64,
    },
    /// As many statements run as may, and none ended in time.
    #[error("{0} statements run already, the most; try again in a moment")]
    Busy(usize),
    /// What it reads from could not be read.
    #[error("what the statement reads could not be read")]
    Source(#[source] SourceError),
    /// A mistake of ours or of the engine's.
    #[error("the statement failed: {0}")]
    Failed(String),
}

/// Why a table could not be read, on its way through DataFusion.
#[derive(Debug, thiserror::Error)]
#[error("a table could not be read")]
pub(crate) struct Unreadable(#[source] pub(crate) SourceError);

/// The longest message of the engine that is passed on, in bytes.
const MESSAGE_BYTES_MAX: usize = 1000;

impl QueryError {
    /// What an error of DataFusion means to whoever wrote the statement.
    pub(crate) fn of(error: DataFusionError, memory_bytes_max: usize) -> Self {
        if let DataFusionError::ResourcesExhausted(_) = error.find_root() {
            return Self::Memory { max: memory_bytes_max };
        }
        match error {
            DataFusionError::External(source) => match source.downcast::<Unreadable>() {
                Ok(unreadable) => Self::Source(unreadable.0),
                Err(source) => match source.downcast::<Self>() {
                    Ok(own) => *own,
                    Err(other) => Self::Failed(bounded(&other.to_string())),
                },
            },
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::of(*inner, memory_bytes_max)
            }
            DataFusionError::Shared(inner) => match inner.find_root() {
                DataFusionError::External(source) if source.is::<Unreadable>() => {
                    Self::Source(inner.to_string().into())
                }
                DataFusionError::External(source) => match source.downcast_ref() {
                    Some(Self::TooComplex { what, max }) => Self::TooComplex { what, max: *max },
                    _ => Self::Statement(message(&inner)),
                },
                _ => Self::Statement(message(&inner)),
            },
            // The engine's word for whatever it did not foresee, such as a pattern that is too large.
            DataFusionError::Internal(text) => {
                tracing::warn!(error = %text, "the engine for SQL did not foresee a statement");
                Self::Statement(bounded(text.lines().next().unwrap_or_default()))
            }
            DataFusionError::ExecutionJoin(error) => Self::Failed(error.to_string()),
            other => Self::Statement(message(&other)),
        }
    }
}

/// The engine's message without its words about itself.
fn message(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let starts = [
        "Error during planning: ",
        "SQL error: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "Invalid or Unsupported Configuration: ",
    ];
    let plain = starts.iter().find_map(|start| text.strip_prefix(start)).unwrap_or(&text);
    bounded(plain.split("\n\nbacktrace").next().unwrap_or(plain))
}

fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(text.len().min(MESSAGE_BYTES_MAX))].to_owned()
}
