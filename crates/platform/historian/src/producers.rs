//! Which of its newest sequences every producer has stored, so that a batch sent again is stored
//! once, and one that was overtaken by a later one is stored as well.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{Producer, TenantId};

use crate::{PRODUCERS_PER_TENANT_MAX, SEQUENCE_WINDOW};

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
    /// The newest position of its batches.
    pub(crate) position: u64,
    /// Which sequences are stored: bit `i` tells of `sequence - i`.
    pub(crate) window: u128,
}

/// What a sequence is to its producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not stored yet.
    New,
    /// Stored.
    Repeated,
    /// So far below the highest that nobody knows.
    TooOld,
}

impl Stored {
    /// What is known after a producer's first batch.
    pub(crate) fn first(sequence: u64, position: u64) -> Self {
        Self { sequence, position, window: 1 }
    }

    /// Whether a sequence is stored.
    pub(crate) fn judge(&self, sequence: u64) -> Verdict {
        match self.sequence.checked_sub(sequence) {
            None => Verdict::New,
            Some(behind) if behind >= SEQUENCE_WINDOW => Verdict::TooOld,
            Some(behind) if self.window >> behind & 1 == 1 => Verdict::Repeated,
            Some(_) => Verdict::New,
        }
    }

    /// Notes a stored batch. Noting it again changes nothing, so the log can be replayed over it.
    pub(crate) fn note(&mut self, sequence: u64, position: u64) {
        if let Some(ahead) = sequence.checked_sub(self.sequence) {
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            self.window = self.window.checked_shl(shift).unwrap_or(0) | 1;
            self.sequence = sequence;
        } else if self.sequence - sequence < SEQUENCE_WINDOW {
            self.window |= 1 << (self.sequence - sequence);
        }
        self.position = self.position.max(position);
    }
}

impl Producers {
    /// What a producer stored last.
    pub(crate) fn get(&self, tenant: TenantId, name: &str) -> Option<Stored> {
        self.tenants.get(&tenant)?.get(name).copied()
    }

    /// Notes a stored batch.
    pub(crate) fn insert(&mut self, tenant: TenantId, producer: &Producer, position: u64) {
        let producers = self.tenants.entry(tenant).or_default();
        if let Some(stored) = producers.get_mut(producer.name()) {
            stored.note(producer.sequence, position);
            return;
        }
        self.put(tenant, producer.name(), Stored::first(producer.sequence, position));
    }

    /// Puts what is known of a producer in place of what was.
    pub(crate) fn put(&mut self, tenant: TenantId, name: &str, stored: Stored) {
        let producers = self.tenants.entry(tenant).or_default();
        if !producers.contains_key(name) && producers.len() >= PRODUCERS_PER_TENANT_MAX {
            forget_silent(producers);
        }
        producers.insert(name.into(), stored);
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
