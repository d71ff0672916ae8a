//! What the server asks of whoever knows the caller and the engine.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tonic::{Code, Status};

use crate::statement::Statement;

/// One caller, and SQL with its rights. Made for each call, after it was decided that the caller may
/// make it; only [`Host::sign_in`] is asked for nobody in particular.
pub trait Host: Send + Sync + 'static {
    /// What tells the caller from others: a statement is cancelled by its own caller only.
    fn caller(&self) -> String;

    /// A token for a name and a password, to be shown as `Bearer` from then on.
    fn sign_in(&self, user: String, password: String) -> BoxFuture<'_, Result<String, Failure>>;

    /// Plans a statement without running it.
    fn describe(&self, statement: Statement) -> BoxFuture<'_, Result<Description, Failure>>;

    /// Runs a statement. Dropping the rows ends it.
    fn run(&self, statement: Statement) -> BoxFuture<'_, Result<Rows, Failure>>;

    /// The tables, in any order.
    fn tables(&self) -> BoxFuture<'_, Result<Vec<Table>, Failure>>;

    /// Waits until the caller's rights or the server end, and says which.
    fn ended(&self) -> BoxFuture<'static, Failure>;
}

/// What a statement will give and take.
#[derive(Debug, Clone)]
pub struct Description {
    /// The columns of its rows.
    pub columns: SchemaRef,
    /// Its parameters in the order of their numbers.
    pub parameters: SchemaRef,
}

/// The rows of a statement.
pub struct Rows {
    /// Their columns: the same as in the [`Description`] of the same statement.
    pub columns: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, Failure>>,
}

/// A table that statements may name.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its catalog.
    pub catalog: String,
    /// Its schema in the catalog.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: SchemaRef,
    /// The columns by which a row is told from others, in order; none where that is not told.
    pub key: Vec<String>,
}

/// Why a call has no answer. The text is for whoever made the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub code: Code,
    /// What happened and what to do.
    pub text: String,
}

impl Failure {
    /// A failure.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code, failure.text)
    }
}
