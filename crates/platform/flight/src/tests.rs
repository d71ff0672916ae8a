//! The server before a host that knows a few statements, spoken to by arrow-flight's own client and by
//! strangers.

mod calls;
mod strangers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::watch;
use tonic::Code;
use weir_model::SqlParameter;

use crate::{Description, Failure, Host, Rows, Statement, Table};

/// Rows of one batch of the long answers.
const ROWS: usize = 1000;

/// A host that knows:
///
/// - `count N`: N batches of numbers;
/// - `echo`: its parameters as texts;
/// - `endless`: batches without end;
/// - `stuck`: nothing, for ever;
/// - `break`: one batch and a failure;
///
/// and nothing else.
#[derive(Clone)]
struct Stub {
    caller: &'static str,
    /// Statements that run.
    open: Arc<AtomicUsize>,
    revoked: watch::Sender<bool>,
}

impl Stub {
    fn new(caller: &'static str) -> Self {
        Self { caller, open: Arc::default(), revoked: watch::Sender::new(false) }
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn known(&self, statement: &Statement) -> Result<SchemaRef, Failure> {
        let (word, _) = statement.sql.split_once(' ').unwrap_or((&statement.sql, ""));
        match word {
            "count" | "endless" | "stuck" | "break" => Ok(numbers(0).schema()),
            "echo" => Ok(Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]))),
            _ => Err(Failure::new(Code::InvalidArgument, format!("what is {word}?"))),
        }
    }
}

/// Counts a statement for as long as it runs.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn enter(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn numbers(from: usize) -> RecordBatch {
    let numbers = Int64Array::from_iter_values((from..from + ROWS).map(|n| n as i64));
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers)]).unwrap()
}

impl Host for Stub {
    fn caller(&self) -> String {
        self.caller.to_owned()
    }

    fn sign_in(&self, user: String, password: String) -> BoxFuture<'_, Result<String, Failure>> {
        let fits = user == "li" && password == "a:secret 密";
        let failure = Failure::new(Code::Unauthenticated, "wrong");
        async move { if fits { Ok("token-of-li".to_owned()) } else { Err(failure) } }.boxed()
    }

    fn describe(&self, statement: Statement) -> BoxFuture<'_, Result<Description, Failure>> {
        let described = self.known(&statement).map(|columns| {
            let parameter = Field::new("$1", DataType::Utf8, true);
            Description { columns, parameters: Arc::new(Schema::new(vec![parameter])) }
        });
        async move { described }.boxed()
    }

    fn run(&self, statement: Statement) -> BoxFuture<'_, Result<Rows, Failure>> {
        let open = Open::enter(&self.open);
        async move {
            let columns = self.known(&statement)?;
            let count = statement.sql.split_once(' ').and_then(|(_, n)| n.parse().ok());
            let batches = match &*statement.sql {
                "echo" => {
                    let texts = statement.parameters.iter().map(|parameter| match parameter {
                        SqlParameter::Null => None,
                        other => Some(format!("{other:?}")),
                    });
                    let texts = Arc::new(texts.collect::<StringArray>());
                    let batch = RecordBatch::try_new(Arc::clone(&columns), vec![texts]).unwrap();
                    stream::iter([Ok(batch)]).boxed()
                }
                "stuck" => return std::future::pending().await,
                "break" => {
                    let failure = Failure::new(Code::ResourceExhausted, "too many rows");
                    stream::iter([Ok(numbers(0)), Err(failure)]).boxed()
                }
                _ => {
                    let count = count.unwrap_or(usize::MAX);
                    let batches = stream::iter(0..count);
                    batches.map(|batch| Ok(numbers(batch.wrapping_mul(ROWS)))).boxed()
                }
            };
            let batches = batches.inspect(move |_| _ = &open).boxed();
            Ok(Rows { columns, batches })
        }
        .boxed()
    }

    fn tables(&self) -> BoxFuture<'_, Result<Vec<Table>, Failure>> {
        let table = |name: &str, key: &[&str]| Table {
            catalog: "weir".to_owned(),
            schema: "public".to_owned(),
            name: name.to_owned(),
            columns: Arc::new(Schema::new(vec![Field::new("tag", DataType::Utf8, false)])),
            key: key.iter().map(|column| (*column).to_owned()).collect(),
        };
        let tables = vec![table("tags", &["id"]), table("samples", &["tag", "time"])];
        async move { Ok(tables) }.boxed()
    }

    fn ended(&self) -> BoxFuture<'static, Failure> {
        let mut revoked = self.revoked.subscribe();
        async move {
            let _ = revoked.wait_for(|revoked| *revoked).await;
            Failure::new(Code::Unauthenticated, "your rights have changed")
        }
        .boxed()
    }
}
