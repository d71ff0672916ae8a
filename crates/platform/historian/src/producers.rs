//! The highest stored sequence of every producer, so that a batch sent again is stored once.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{Producer, TenantId};

use crate::PRODUCERS_PER_TENANT_MAX;

/// Producers by tenant, so that those of one tenant cannot make another's forgotten.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    tenants: HashMap<TenantId, HashMap<Arc<str>, Stored>>,
}

/// What a producer stored last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The highest sequence.
    pub(crate) sequence: u64,
    /// The position of that batch.
    pub(crate) position: u64,
}

impl Producers {
    /// What a producer stored last.
    pub(crate) fn get(&self, tenant: TenantId, name: &str) -> Option<Stored> {
        self.tenants.get(&tenant)?.get(name).copied()
    }

    /// Notes a stored batch; an older one than is known changes nothing.
    pub(crate) fn insert(&mut self, tenant: TenantId, producer: &Producer, position: u64) {
        let producers = self.tenants.entry(tenant).or_default();
        if let Some(stored) = producers.get_mut(producer.name()) {
            if producer.sequence >= stored.sequence {
                *stored = Stored { sequence: producer.sequence, position };
            }
            return;
        }
        if producers.len() >= PRODUCERS_PER_TENANT_MAX {
            forget_silent(producers);
        }
        let stored = Stored { sequence: producer.sequence, position };
        producers.insert(producer.name().into(), stored);
    }

    /// How many are known.
    pub(crate) fn len(&self) -> usize {
        self.tenants.values().map(HashMap::len).sum()
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TenantId, &str, Stored)> {
        self.tenants.iter().flat_map(|(tenant, producers)| {
            producers.iter().map(|(name, stored)| (*tenant, name.as_ref(), *stored))
        })
    }
}

/// Forgets the sixteenth part that has stored nothing for longest: not one by one, so that finding
/// them costs little for each.
fn forget_silent(producers: &mut HashMap<Arc<str>, Stored>) {
    let mut positions: Vec<u64> = producers.values().map(|stored| stored.position).collect();
    let (_, bound, _) = positions.select_nth_unstable(PRODUCERS_PER_TENANT_MAX / 16);
    let bound = *bound;
    producers.retain(|_, stored| stored.position >= bound);
}

#[cfg(test)]
mod tests;
