//! The threads that statements run on, and the bounds they run within.

mod rows;

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::answer::{Answer, Format, Writer};
use crate::error::QueryError;
use crate::source::Source;
use crate::{session, statement};
pub use rows::{Description, Rows, TableColumns};

/// Stack of a thread that runs statements, in bytes. A long sum is a deep tree, which is taken down
/// node by node; the longest statement fits.
const STACK_BYTES: usize = 32 << 20;

/// Threads that read files for statements.
const BLOCKING_THREADS_MAX: usize = 4;

/// How much longer than its bound a statement may take to notice that its time is over.
const GRACE: Duration = Duration::from_secs(2);

/// Bounds of statements; each has a default that suits one node on two cores.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest that a statement may take, waiting for its turn included.
    pub time: Duration,
    /// Memory of one statement in bytes: what it sorts, groups, joins and keeps for windows.
    pub memory_bytes_max: usize,
    /// Statements that run at one time; others wait.
    pub at_once: usize,
    /// Rows of one answer.
    pub rows_max: usize,
    /// Bytes of one answer, which is written as a whole before it is sent, so that a statement that
    /// fails half-way is answered with a problem and not with half of its rows.
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            memory_bytes_max: 256 << 20,
            at_once: 2,
            rows_max: 1_000_000,
            answer_bytes_max: 64 << 20,
        }
    }
}

/// Runs statements.
pub struct Engine {
    limits: Limits,
    turns: Arc<Semaphore>,
    /// As many statements are planned alone as run: planning reads nothing, and does not wait for them.
    plans: Arc<Semaphore>,
    /// There until the engine is dropped.
    runtime: Option<Runtime>,
}

impl Engine {
    /// Starts its threads: one for each statement that may run at one time.
    ///
    /// # Errors
    /// Where the operating system gives no threads.
    pub fn new(limits: Limits) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.at_once.max(1))
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("weir-query")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()?;
        let turns = Arc::new(Semaphore::new(limits.at_once.max(1)));
        let plans = Arc::new(Semaphore::new(limits.at_once.max(1)));
        Ok(Self { limits, turns, plans, runtime: Some(runtime) })
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Runs a statement over a source and writes its rows. Dropping the future ends the statement and
    /// what it reads.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn run(
        &self,
        sql: String,
        format: Format,
        source: Arc<dyn Source>,
    ) -> Result<Answer, QueryError> {
        let end = Instant::now() + self.limits.time;
        let late = QueryError::Time { seconds: self.limits.time.as_secs() };
        let turn = tokio::time::timeout_at(end, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(QueryError::Busy(self.limits.at_once)) };
        let limits = self.limits.clone();
        let Some(runtime) = &self.runtime else { return Err(late) };
        let work = async move {
            let answer = tokio::time::timeout_at(end, answer(&sql, format, source, &limits, turn));
            let seconds = limits.time.as_secs();
            answer.await.unwrap_or(Err(QueryError::Time { seconds }))
        };
        let mut running = Running(runtime.spawn(work));
        // Whoever computes without a pause does not see the clock; the caller does.
        match tokio::time::timeout_at(end + GRACE, &mut running.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(QueryError::Failed(error.to_string())),
            Err(_) => Err(late),
        }
    }
}

/// A statement that is ended when nobody waits for it any more.
struct Running(JoinHandle<Result<Answer, QueryError>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime must not wait for its threads where others wait for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One statement from its text to its answer. The turn is given back when all of it is done.
async fn answer(
    sql: &str,
    format: Format,
    source: Arc<dyn Source>,
    limits: &Limits,
    _turn: OwnedSemaphorePermit,
) -> Result<Answer, QueryError> {
    let memory = limits.memory_bytes_max;
    let failed = |error| QueryError::of(error, memory);
    let statement = statement::parse(sql)?;
    let session = session::open(source, memory, RuntimeEnvBuilder::new()).map_err(failed)?;
    let state = session.state();
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    statement::check(&plan)?;
    let plan: Arc<dyn ExecutionPlan> = state.create_physical_plan(&plan).await.map_err(failed)?;
    let mut writer = Writer::new(format, &plan.schema(), limits).map_err(failed)?;
    let mut batches = execute_stream(plan, session.task_ctx()).map_err(failed)?;
    while let Some(batch) = batches.next().await {
        writer.write(&batch.map_err(failed)?)?;
    }
    writer.finish()
}
