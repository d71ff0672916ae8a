//! Whether a commit is accepted: one pure function of a state and a commit.
//!
//! It reads no clock, draws nothing at random and writes nothing. Alone, the writer calls it
//! before it applies a commit; over a shared log every node calls it at the commit's position, and
//! because nothing else goes into the decision, every node accepts and rejects alike.

use std::collections::HashMap;

use weir_model::TenantId;

use crate::commit::{Commit, Expect, Operation};

/// What a decision needs to know of the records as they are.
pub trait State {
    /// Why it could not be read.
    type Error;

    /// The versions of one record.
    ///
    /// # Errors
    /// Where the state cannot be read; the commit is then neither accepted nor rejected.
    fn current(
        &self,
        tenant: TenantId,
        collection: &str,
        key: &str,
    ) -> Result<Current, Self::Error>;

    /// The key of the record that has a value of a unique index.
    ///
    /// # Errors
    /// As above.
    fn holder(
        &self,
        tenant: TenantId,
        collection: &str,
        index: &str,
        value: &str,
    ) -> Result<Option<String>, Self::Error>;
}

/// The versions of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Current {
    /// The version it is in; none where it does not exist (any more).
    pub live: Option<u64>,
    /// The highest version that this key may ever have had. A record that is deleted and made
    /// again goes on counting, so that a version once seen never means something else.
    pub last: u64,
}

/// An accepted commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The versions that its operations make, in their order. Deleting what does not exist makes
    /// none; the highest one of that key stands in its place.
    pub versions: Vec<u64>,
}

/// A rejected commit, or a state that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<E> {
    /// An operation expects another version than the record has.
    Conflict {
        /// The place of the operation in the commit.
        operation: usize,
        /// The version the record has.
        current: Option<u64>,
    },
    /// A value of a unique index belongs to another record.
    Duplicate {
        /// The place of the operation in the commit.
        operation: usize,
        /// The index.
        index: &'static str,
        /// The value.
        value: String,
        /// The key of the record that has it.
        holder: String,
    },
    /// The state could not be read.
    State(E),
}

/// A record within the commit: tenant, collection, key.
type Name<'c> = (TenantId, &'static str, &'c str);

/// Decides whether a commit is accepted.
///
/// Operations are judged in their order, each on what the ones before it leave. Unique values are
/// judged on what the whole commit leaves, so that two records may swap theirs in one commit.
///
/// # Errors
/// [`Refusal`], for the first operation in order that gives a reason.
pub fn decide<S: State>(state: &S, commit: &Commit) -> Result<Decision, Refusal<S::Error>> {
    let mut touched: HashMap<Name<'_>, (Current, usize)> = HashMap::new();
    let mut versions = Vec::with_capacity(commit.operations.len());
    for (number, operation) in commit.operations.iter().enumerate() {
        let name = name(operation);
        let current = match touched.get(&name) {
            Some((current, _)) => *current,
            None => state
                .current(operation.tenant, operation.collection, &operation.key)
                .map_err(Refusal::State)?,
        };
        if !meets(operation.expect, current) {
            return Err(Refusal::Conflict { operation: number, current: current.live });
        }
        let next = after(operation, current);
        versions.push(next.last);
        touched.insert(name, (next, number));
    }
    check_unique(state, commit, &touched)?;
    Ok(Decision { versions })
}

fn name(operation: &Operation) -> Name<'_> {
    (operation.tenant, operation.collection, &operation.key)
}

fn meets(expect: Expect, current: Current) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => current.live.is_none(),
        Expect::Version(version) => current.live == Some(version),
    }
}

fn after(operation: &Operation, current: Current) -> Current {
    if operation.body.is_none() && current.live.is_none() {
        return current;
    }
    let version = match operation.restored {
        Some(restored) => restored.version.max(current.last + 1),
        None => current.last + 1,
    };
    Current { live: operation.body.is_some().then_some(version), last: version }
}

/// Checks the unique values that the last operation on each record claims.
fn check_unique<S: State>(
    state: &S,
    commit: &Commit,
    touched: &HashMap<Name<'_>, (Current, usize)>,
) -> Result<(), Refusal<S::Error>> {
    let mut claims: HashMap<(TenantId, &str, &str, &str), &str> = HashMap::new();
    for (number, operation) in commit.operations.iter().enumerate() {
        let is_last = touched.get(&name(operation)).is_some_and(|(_, last)| *last == number);
        let Some(body) = operation.body.as_ref().filter(|_| is_last) else { continue };
        for indexed in body.indexed.iter().filter(|indexed| indexed.unique) {
            let claim =
                (operation.tenant, operation.collection, indexed.name, indexed.value.as_str());
            let duplicate = |holder: &str| Refusal::Duplicate {
                operation: number,
                index: indexed.name,
                value: indexed.value.clone(),
                holder: holder.to_owned(),
            };
            if let Some(holder) = claims.insert(claim, &operation.key) {
                return Err(duplicate(holder));
            }
            let holder = state
                .holder(operation.tenant, operation.collection, indexed.name, &indexed.value)
                .map_err(Refusal::State)?;
            // A record that the commit itself touches gives up what it held; what it claims
            // instead is among the claims.
            let stays = |holder: &String| {
                !touched.contains_key(&(operation.tenant, operation.collection, holder.as_str()))
            };
            if let Some(holder) = holder.filter(stays) {
                return Err(duplicate(&holder));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
