//! Rows as they come, for who reads columns: planned and described first, then batch by batch.

use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use weir_model::SqlParameter;

use super::{Engine, GRACE, Limits};
use crate::error::QueryError;
use crate::functions::text_bytes;
use crate::parameters;
use crate::source::Source;
use crate::{session, statement, tables};

/// Batches that are computed before the first of them is read: an answer of some hundred thousand rows gives
/// its turn back before anybody has read it.
const AHEAD_MAX: usize = 16;

/// Bytes of texts in one batch that is given: a batch that shares its texts among rows may write out to
/// much more than it holds, and is given in pieces.
const PIECE_BYTES_MAX: usize = 4 << 20;

/// What a statement will give and take.
#[derive(Debug, Clone)]
pub struct Description {
    /// The columns of its rows.
    pub columns: SchemaRef,
    /// Its parameters in the order of their numbers; texts where nothing says what they are.
    pub parameters: SchemaRef,
}

/// The rows of a statement, read while it runs. Dropping them ends it.
pub struct Rows {
    /// Their columns. Each may be null, and texts are of the plain kind.
    pub columns: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
}

/// A table that statements may name.
#[derive(Debug, Clone)]
pub struct TableColumns {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: SchemaRef,
    /// The columns by which a row is told from others; none where that is not known.
    pub key: &'static [&'static str],
}

impl Engine {
    /// Plans a statement and reads nothing. What its parameters are need not be known.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn describe(
        &self,
        sql: String,
        parameters: Vec<SqlParameter>,
        source: Arc<dyn Source>,
    ) -> Result<Description, QueryError> {
        let (end, turn) = self.turn(&self.plans).await?;
        let memory = self.limits.memory_bytes_max;
        let work = async move {
            let _turn = turn;
            let session = open(source, memory)?;
            let plan = plan(&session, &sql, parameters, memory).await?;
            let failed = |error| QueryError::of(error, memory);
            let columns = columns(&session.state().optimize(&plan).map_err(failed)?);
            Ok(Description { columns, parameters: parameters::fields(&plan)? })
        };
        self.spawned(end, work).await
    }

    /// Runs a statement. The answer is there when it is planned; whoever reads the rows has as long as
    /// the statement has, and does not have to hold them all: there is no bound on their bytes.
    ///
    /// # Errors
    /// [`QueryError`]; what happens later comes as the last of the rows.
    pub async fn open(
        &self,
        sql: String,
        parameters: Vec<SqlParameter>,
        source: Arc<dyn Source>,
    ) -> Result<Rows, QueryError> {
        let (end, turn) = self.turn(&self.turns).await?;
        let limits = self.limits.clone();
        let seconds = limits.time.as_secs();
        let late = move || QueryError::Time { seconds };
        let Some(runtime) = &self.runtime else { return Err(late()) };
        let (tell, planned) = oneshot::channel();
        let (give, mut taken) = mpsc::channel(AHEAD_MAX);
        let last = give.clone();
        let work = async move {
            let rows = give_rows(sql, parameters, source, &limits, tell, give, turn);
            let ended = tokio::time::timeout_at(end, rows).await;
            if let Err(error) = ended.unwrap_or_else(|_| Err(late())) {
                // Whoever does not read it has gone.
                let _ = last.send(Err(error)).await;
            }
        };
        let running = Ended(runtime.spawn(work));
        // Whoever computes without a pause does not see the clock; the caller does.
        let columns = match tokio::time::timeout_at(end + GRACE, planned).await {
            Err(_) => return Err(late()),
            Ok(Ok(columns)) => columns,
            // It failed before it was planned, and says why.
            Ok(Err(_)) => match tokio::time::timeout_at(end + GRACE, taken.recv()).await {
                Ok(Some(Err(error))) => return Err(error),
                _ => return Err(QueryError::Failed("it ended without an answer".to_owned())),
            },
        };
        let reading = Some((taken, running, end + GRACE));
        let batches = stream::unfold(reading, move |reading| async move {
            let (mut taken, running, end) = reading?;
            match tokio::time::timeout_at(end, taken.recv()).await {
                Ok(Some(Ok(batch))) => Some((Ok(batch), Some((taken, running, end)))),
                Ok(Some(Err(error))) => Some((Err(error), None)),
                Ok(None) => None,
                Err(_) => Some((Err(late()), None)),
            }
        });
        Ok(Rows { columns, batches: batches.boxed() })
    }

    /// The tables, by name.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn tables(&self, source: Arc<dyn Source>) -> Result<Vec<TableColumns>, QueryError> {
        let session = open(source, self.limits.memory_bytes_max)?;
        let state = session.state();
        let catalogs = state.catalog_list();
        let catalog = catalogs.catalog(session::CATALOG);
        let Some(schema) = catalog.and_then(|catalog| catalog.schema(session::SCHEMA)) else {
            return Ok(Vec::new());
        };
        let mut names = schema.table_names();
        names.sort_unstable();
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let table = schema.table(&name).await.map_err(|error| QueryError::of(error, 0))?;
            let Some(table) = table else { continue };
            let columns = given(&table.schema(), false);
            found.push(TableColumns { columns, key: tables::key(&name), name });
        }
        Ok(found)
    }

    /// Waits for a turn.
    async fn turn(
        &self,
        turns: &Arc<Semaphore>,
    ) -> Result<(Instant, OwnedSemaphorePermit), QueryError> {
        let end = Instant::now() + self.limits.time;
        let turn = tokio::time::timeout_at(end, Arc::clone(turns).acquire_owned()).await;
        match turn {
            Ok(Ok(turn)) => Ok((end, turn)),
            _ => Err(QueryError::Busy(self.limits.at_once)),
        }
    }

    /// Works on the engine's own threads, until somebody's time is over.
    async fn spawned<T: Send + 'static>(
        &self,
        end: Instant,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let late = QueryError::Time { seconds: self.limits.time.as_secs() };
        let Some(runtime) = &self.runtime else { return Err(late) };
        let mut running = Ended(runtime.spawn(work));
        match tokio::time::timeout_at(end + GRACE, &mut running.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(QueryError::Failed(error.to_string())),
            Err(_) => Err(late),
        }
    }
}

/// A task that is ended when nobody waits for it any more.
struct Ended<T>(JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn open(source: Arc<dyn Source>, memory: usize) -> Result<SessionContext, QueryError> {
    let session = session::open(source, memory, RuntimeEnvBuilder::new());
    session.map_err(|error| QueryError::of(error, memory))
}

/// A statement's plan, with its parameters put in where there are any.
async fn plan(
    session: &SessionContext,
    sql: &str,
    parameters: Vec<SqlParameter>,
    memory: usize,
) -> Result<LogicalPlan, QueryError> {
    let failed = |error| QueryError::of(error, memory);
    let sql = parameters::numbered(sql)?;
    let statement = statement::parse(&sql)?;
    let plan = session.state().statement_to_plan(statement).await.map_err(failed)?;
    let plan = parameters::put_in(plan, parameters)?;
    statement::check(&plan)?;
    Ok(plan)
}

async fn give_rows(
    sql: String,
    parameters: Vec<SqlParameter>,
    source: Arc<dyn Source>,
    limits: &Limits,
    tell: oneshot::Sender<SchemaRef>,
    give: mpsc::Sender<Result<RecordBatch, QueryError>>,
    _turn: OwnedSemaphorePermit,
) -> Result<(), QueryError> {
    let memory = limits.memory_bytes_max;
    let failed = |error| QueryError::of(error, memory);
    let session = open(source, memory)?;
    let plan = plan(&session, &sql, parameters, memory).await?;
    parameters::all_put_in(&plan)?;
    let state = session.state();
    let plan = state.optimize(&plan).map_err(failed)?;
    let columns = columns(&plan);
    let plan = state.query_planner().create_physical_plan(&plan, &state).await.map_err(failed)?;
    let mut batches = execute_stream(plan, session.task_ctx()).map_err(failed)?;
    // Nobody who has gone is told anything.
    let _ = tell.send(Arc::clone(&columns));
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        rows += batch.num_rows();
        if rows > limits.rows_max {
            return Err(QueryError::Rows { max: limits.rows_max });
        }
        let mut pieces = vec![batch];
        while let Some(piece) = pieces.pop() {
            if let Some(halves) = halves(&piece) {
                pieces.extend(halves);
                continue;
            }
            let piece = as_given(&piece, &columns).map_err(unwritten)?;
            if give.send(Ok(piece)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A batch in two, the later half first, if its texts take more than one may.
fn halves(batch: &RecordBatch) -> Option<[RecordBatch; 2]> {
    let rows = batch.num_rows();
    let texts: usize = batch.columns().iter().map(text_bytes).sum();
    (rows > 1 && texts > PIECE_BYTES_MAX).then(|| {
        let middle = rows / 2;
        [batch.slice(middle, rows - middle), batch.slice(0, middle)]
    })
}

fn unwritten(error: ArrowError) -> QueryError {
    QueryError::Statement(error.to_string())
}

/// The columns of a plan's rows, as they are given.
fn columns(plan: &LogicalPlan) -> SchemaRef {
    given(plan.schema().as_arrow(), true)
}

/// Columns with the types that all readers of Arrow know. What a plan says of nulls changes while it is
/// made better, and readers want the same columns at each step: those of statements may all be null.
fn given(schema: &Schema, nullable: bool) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let kind = plain(field.data_type());
        Field::new(field.name(), kind, nullable || field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain(value),
        DataType::List(item) => {
            let item = item.as_ref().clone();
            let kind = plain(item.data_type());
            DataType::List(Arc::new(item.with_data_type(kind)))
        }
        other => other.clone(),
    }
}

fn as_given(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let cells = batch.columns().iter().zip(columns.fields());
    let cells = cells.map(|(cells, field)| cast(cells, field.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(columns.clone(), cells.collect::<Result<_, _>>()?, &options)
}
