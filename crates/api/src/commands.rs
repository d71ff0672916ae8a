//! Commands to devices: what was asked of which tag, and what the device then held.
//!
//! A command is written down before it goes to the device and again with its outcome, so that the
//! audit, which follows the change feed, tells of it even if the power fails in between.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{Identifier, Timestamp};
use weir_store::{Collection, History};

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
    pub(crate) fn key(time: Timestamp, request: weir_model::RequestId) -> String {
        format!("{:020}-{request}", time.nanos())
    }
}
