//! Who changed something, for whom and why.

use serde::{Deserialize, Serialize};

use crate::{Identifier, RequestId, TenantId};

/// Longest cause in UTF-8 bytes: it is repeated in every feed entry and audit leaf.
pub const CAUSE_BYTES_MAX: usize = 256;

/// Who did it, in which tenant, why, and within which request. Carried by every commit, every
/// audit leaf and every log line of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The tenant whose records are meant.
    pub tenant: TenantId,
    /// The person, program or part of Weir that acts.
    pub principal: Identifier,
    /// What was done, as a stable dotted verb such as `tag.create` or `device.write`.
    pub cause: String,
    /// The request it happened in.
    pub request: RequestId,
}
