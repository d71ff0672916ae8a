//! Commands to devices: what was asked of which tag, and what the device then held.
//!
//! A command is written down before it goes to the device and again with its outcome, so that the
//! audit, which follows the change feed, tells of it even if the power fails in between.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{Author, Identifier, TagId, Timestamp, Value};
use weir_store::{Collection, Commit, CommitError, Expect, History, Store};

use crate::{DriverError, Supervisor, WriteReport};

/// One command to a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The tag that was to be written.
    pub tag: Identifier,
    /// Its device.
    pub device: Identifier,
    /// When it was asked for.
    pub time: Timestamp,
    /// The value that was asked for.
    pub requested: Json,
    /// What became of it; none while it is on its way, and for ever if the node stopped then.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// When it was known.
    pub time: Timestamp,
    /// The value before, where the device let it be read.
    #[serde(default)]
    pub before: Option<Json>,
    /// The value read back.
    #[serde(default)]
    pub after: Option<Json>,
    /// Whether the device holds what was written.
    pub verified: bool,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
}

/// Commands by time and request.
pub struct Commands;

impl Collection for Commands {
    const NAME: &'static str = "commands";
    type Record = Command;
    const HISTORY: History = History::None;
}

impl Commands {
    /// The key of a command: in the order of time, and one for each request.
    fn key(time: Timestamp, request: weir_model::RequestId) -> String {
        format!("{:020}-{request}", time.nanos())
    }
}

/// A value for a tag's device, and who asks for it. Whether they may was decided before.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who, in which request; the cause is set here.
    pub author: Author,
    /// When it was asked for.
    pub time: Timestamp,
    /// The device.
    pub device: Identifier,
    /// The tag.
    pub tag: Identifier,
    /// The tag's number.
    pub number: TagId,
    /// The engineering value.
    pub value: Value,
    /// Whether a person has confirmed it.
    pub confirmed: bool,
}

/// Why an order was not carried out, or not written down.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It could not be written down, and the device was not asked.
    #[error("write down a command to a device")]
    Record(#[source] CommitError),
    /// The device was asked, and what became of it could not be written down; it stands in the log.
    #[error("write down what became of a command to a device")]
    Unrecorded {
        /// Why not.
        source: CommitError,
        /// What became of it.
        outcome: Box<Result<WriteReport, DriverError>>,
    },
    /// What the device or its limits say.
    #[error(transparent)]
    Device(#[from] DriverError),
    /// The task that carried it out failed; whether it was carried out is not known.
    #[error("carry out a command to a device")]
    Interrupted,
}

impl Supervisor {
    /// Writes a value to a tag's device, as [`Supervisor::write`] does, and writes that down: before
    /// it is done, and again with what came of it. What has begun goes on to its end even if the
    /// caller stops waiting. `now` tells the time.
    ///
    /// # Errors
    /// [`OrderError`].
    pub async fn carry_out(
        &self,
        store: &Store,
        order: Order,
        now: impl Fn() -> Timestamp + Send + 'static,
    ) -> Result<WriteReport, OrderError> {
        let Order { author, time, device, tag, number, value, confirmed } = order;
        let requested = value.to_json();
        let mut command = Command { tag, device, time, requested, outcome: None };
        // Written down before it is done, and not done if it cannot be written down.
        let recorded = record(store, &author, "device.write.request", time, &command).await;
        recorded.map_err(OrderError::Record)?;
        let (supervisor, store) = (self.clone(), store.clone());
        let task = tokio::spawn(async move {
            let write =
                supervisor.write(author.tenant, &command.device, number, value, confirmed).await;
            command.outcome = Some(match &write {
                Ok(report) => Outcome {
                    time: report.time,
                    before: report.before.as_ref().map(Value::to_json),
                    after: report.after.as_ref().map(Value::to_json),
                    verified: report.verified,
                    error: None,
                },
                Err(error) => Outcome {
                    time: now(),
                    before: None,
                    after: None,
                    verified: false,
                    error: Some(error.to_string()),
                },
            });
            match record(&store, &author, "device.write", time, &command).await {
                Ok(()) => Ok(write?),
                Err(source) => {
                    tracing::error!(%source, ?command, "what became of a command is not written down");
                    Err(OrderError::Unrecorded { source, outcome: Box::new(write) })
                }
            }
        });
        task.await.map_err(|_| OrderError::Interrupted)?
    }
}

async fn record(
    store: &Store,
    author: &Author,
    cause: &str,
    time: Timestamp,
    command: &Command,
) -> Result<(), CommitError> {
    let author = Author { cause: cause.to_owned(), ..author.clone() };
    let key = Commands::key(command.time, author.request);
    let mut commit = Commit::new(author, time);
    commit.put::<Commands>(key, command, Expect::Any);
    store.commit(commit).await.map(drop)
}

#[cfg(test)]
mod tests;
