//! A commit being drafted: every change of organisations, assets and tags, with its rules.

mod asset;
mod organisation;
mod tag;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use weir_model::{Identifier, TenantId};
use weir_store::{Commit, Expect, Snapshot, Versioned};

use crate::{Asset, Counter, Counters, TwinError};

/// Changes that are made together. Rules are checked against a snapshot and against what the draft
/// itself has added; the versions that the draft relied on are expected by its commit, so that two drafts
/// that would break a rule together cannot both be accepted.
///
/// ```no_run
/// # use weir_model::{Author, Level, Timestamp};
/// # use weir_store::{Commit, Snapshot};
/// # use weir_twin::{Asset, Draft, TwinError};
/// fn plan(snap: &Snapshot<'_>, author: Author, asset: Asset) -> Result<Commit, TwinError> {
///     let mut draft = Draft::new(snap, Commit::new(author, Timestamp::from_nanos(0)));
///     draft.create_asset(&asset)?;
///     draft.finish()
/// }
/// ```
pub struct Draft<'s> {
    snap: &'s Snapshot<'s>,
    tenant: TenantId,
    commit: Commit,
    /// Assets that this draft creates or changes, by key.
    assets: BTreeMap<String, Asset>,
    /// Whether the tree, or what hangs on it, changes its shape.
    shaped: bool,
    /// Tag numbers given, from the counter's version on.
    tags: Option<Reserved>,
}

struct Reserved {
    version: Option<u64>,
    next: u32,
}

impl<'s> Draft<'s> {
    /// Starts a draft of changes in the tenant of the commit's author.
    pub fn new(snap: &'s Snapshot<'s>, commit: Commit) -> Self {
        let tenant = commit.author().tenant;
        Self { snap, tenant, commit, assets: BTreeMap::new(), shaped: false, tags: None }
    }

    /// The commit, for what other rooms change together with the twin.
    pub fn commit_mut(&mut self) -> &mut Commit {
        &mut self.commit
    }

    /// The snapshot that the rules are checked against.
    pub fn snapshot(&self) -> &'s Snapshot<'s> {
        self.snap
    }

    /// The commit, complete with counters.
    ///
    /// # Errors
    /// [`TwinError::Store`].
    pub fn finish(mut self) -> Result<Commit, TwinError> {
        if self.shaped {
            let shape = self.snap.get::<Counters>(self.tenant, Counters::SHAPE)?;
            let next = shape.as_ref().map_or(0, |c| c.record.next).wrapping_add(1);
            let expect = expect_version(shape.map(|c| c.version));
            self.commit.put::<Counters>(Counters::SHAPE, &Counter { next }, expect);
        }
        if let Some(Reserved { version, next }) = self.tags {
            let expect = expect_version(version);
            let counter = Counter { next };
            self.commit.put_in::<Counters>(TenantId::NODE, Counters::TAG, &counter, expect);
        }
        Ok(self.commit)
    }
}

/// What a put of a record expects that was seen at a version, or not at all.
fn expect_version(version: Option<u64>) -> Expect {
    version.map_or(Expect::Absent, Expect::Version)
}

/// The record that a change is about, at the version the caller named.
fn required<R>(
    id: &Identifier,
    found: Option<Versioned<R>>,
    expected: Option<u64>,
) -> Result<Versioned<R>, TwinError> {
    let found = found.ok_or_else(|| TwinError::NotFound(id.clone()))?;
    match expected {
        Some(expected) if expected != found.version => {
            Err(TwinError::Version { id: id.clone(), expected, current: found.version })
        }
        _ => Ok(found),
    }
}
