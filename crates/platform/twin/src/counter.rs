//! Counters whose numbers are never given twice.

use serde::{Deserialize, Serialize};
use weir_store::{Collection, History};

/// A counter: the numbers below `next` are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// The next number.
    pub next: u32,
}

/// Counters by name: `tag` and `tenant` of the node, `shape` of each tenant.
pub struct Counters;

impl Counters {
    /// The counter of tag numbers, in the node's own tenant: one number means one tag on the whole
    /// node, so that no mistake elsewhere can show one tenant's samples to another.
    pub(crate) const TAG: &'static str = "tag";
    /// The counter of tenants, in the node's own tenant.
    pub(crate) const TENANT: &'static str = "tenant";
    /// How often the tenant's asset tree, or what hangs on it, changed its shape.
    pub(crate) const SHAPE: &'static str = "shape";
}

impl Collection for Counters {
    const NAME: &'static str = "counters";
    type Record = Counter;
    const HISTORY: History = History::None;
}
