//! What is written down: one entry a change, refusal, sign-in or note.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{Author, TenantId, Timestamp};

/// Longest entry in bytes of JSON. A commit of ten thousand records takes some 1.5 MB; twice that
/// and room for its detail still reads into memory without harm.
pub const ENTRY_BYTES_MAX: usize = 4 << 20;

/// One leaf of the log. Its stored bytes are its JSON, and its leaf hash is taken over exactly
/// those bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened.
    pub time: Timestamp,
    /// Who, for which tenant, why, within which request.
    #[serde(flatten)]
    pub author: Author,
    /// The address it came from, where it came over a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<IpAddr>,
    /// What happened.
    pub event: Event,
    /// More about it, such as the value before and after a write to a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A commit of the store.
    Change {
        /// Its position in the store's change feed. Positions are recorded once and in order.
        position: u64,
        /// The records it changed.
        changes: Vec<Change>,
    },
    /// Something was asked for and not permitted.
    Refusal {
        /// The action asked for, as `weir-access` writes it, such as `tag:write`.
        action: String,
        /// Why not, as a stable code such as `forbidden`.
        reason: String,
        /// The HTTP status of the answer, or what corresponds to it.
        status: u16,
    },
    /// Somebody signed in, or tried to.
    SignIn {
        /// The name that was given.
        user: String,
        /// Whether it was let in.
        ok: bool,
        /// Why not, as a stable code such as `wrong`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Refusals that were alike and too many to be copied.
    Flood {
        /// The action they asked for.
        action: String,
        /// The reason they were refused for.
        reason: String,
        /// How many there were, without those that were copied.
        count: u64,
        /// When the first of them came.
        first: Timestamp,
        /// When the last of them came.
        last: Timestamp,
    },
    /// Something that is no commit and should be known: a write to a device, a start, a stop.
    Note {
        /// What it was, for people.
        text: String,
    },
}

/// One record that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Whose record.
    pub tenant: TenantId,
    /// The collection it is in.
    pub collection: String,
    /// Its key.
    pub key: String,
    /// The version that the commit gave it.
    pub version: u64,
    /// What was done to it.
    pub op: Operation,
}

/// What a commit does to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It was created or replaced.
    Put,
    /// It was deleted.
    Delete,
}

impl Entry {
    /// An entry without remote address and detail.
    pub fn new(time: Timestamp, author: Author, event: Event) -> Self {
        Self { time, author, remote: None, event, detail: None }
    }

    /// Adds the address it came from.
    #[must_use]
    pub fn from_remote(mut self, remote: Option<IpAddr>) -> Self {
        self.remote = remote;
        self
    }

    /// Adds detail.
    #[must_use]
    pub fn with_detail(mut self, detail: Json) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The one tenant that this entry is about; none when it changed records of several.
    pub(crate) fn sole_tenant(&self) -> Option<TenantId> {
        let own = self.author.tenant;
        match &self.event {
            Event::Change { changes, .. } if changes.iter().any(|c| c.tenant != own) => None,
            _ => Some(own),
        }
    }

    /// The feed position that this entry records.
    pub(crate) fn position(&self) -> Option<u64> {
        match self.event {
            Event::Change { position, .. } => Some(position),
            _ => None,
        }
    }

    /// What a tenant may see of this entry: all of its own; of others' only that, and by whom, its
    /// own records were changed; nothing else.
    pub(crate) fn seen_by(mut self, tenant: TenantId) -> Option<Self> {
        let own = self.author.tenant == tenant;
        if let Event::Change { changes, .. } = &mut self.event {
            let all = changes.len();
            changes.retain(|change| change.tenant == tenant);
            if !own && changes.is_empty() {
                return None;
            }
            if changes.len() < all {
                self.detail = None;
            }
        } else if !own {
            return None;
        }
        if !own {
            self.remote = None;
            self.detail = None;
        }
        Some(self)
    }
}

impl Event {
    /// The event's kind, as filters and lists name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Change { .. } => "change",
            Self::Refusal { .. } => "refusal",
            Self::SignIn { .. } => "sign_in",
            Self::Flood { .. } => "flood",
            Self::Note { .. } => "note",
        }
    }
}

#[cfg(test)]
mod tests;
