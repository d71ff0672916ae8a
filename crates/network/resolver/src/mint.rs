//! Giving identifiers, renaming and withdrawing their records.

use std::collections::HashSet;

use weir_model::{Identifier, Prefix, TenantId};
use weir_store::{Commit, Expect, Snapshot};

use crate::{
    HomedPrefix, Identifiers, Kind, Prefixes, Record, ResolverError, SUFFIX_BYTES_MAX, slug,
};

/// Most numbers tried behind one name before the count of all records is used instead.
const NAME_PROBES_MAX: u64 = 16;

/// Most numbers tried from the count of all records on: only identifiers that callers chose
/// themselves can be in the way there.
const COUNT_PROBES_MAX: u64 = 1000;

/// Gives identifiers within one commit.
pub struct Minter<'s> {
    snap: &'s Snapshot<'s>,
    tenant: TenantId,
    prefix: Prefix,
    /// Keys that this commit has given already.
    given: HashSet<String>,
    /// The number of records that the tenant has.
    count: u64,
}

impl<'s> Minter<'s> {
    /// Starts to give identifiers under a tenant's prefix.
    ///
    /// # Errors
    /// [`ResolverError::Store`].
    pub fn new(
        snap: &'s Snapshot<'s>,
        tenant: TenantId,
        prefix: Prefix,
    ) -> Result<Self, ResolverError> {
        let count = snap.count::<Identifiers>(tenant)?;
        Ok(Self { snap, tenant, prefix, given: HashSet::new(), count })
    }

    /// Gives the identifier that was asked for, else one made from the name, else one of kind and
    /// number; its record is part of the commit.
    ///
    /// # Errors
    /// [`ResolverError`].
    pub fn mint(
        &mut self,
        commit: &mut Commit,
        kind: Kind,
        asked: Option<&Identifier>,
        name: &str,
    ) -> Result<Identifier, ResolverError> {
        let (id, expect) = match asked {
            Some(id) => self.asked(kind, id)?,
            None => (self.made(kind, name)?, Expect::Absent),
        };
        if kind == Kind::Organisation {
            self.home(commit, &id)?;
        }
        let key = id.folded();
        let record = Record::new(id.clone(), kind, name, commit.time());
        commit.put_in::<Identifiers>(self.tenant, &key, &record, expect);
        self.given.insert(key);
        Ok(id)
    }

    /// Homes the prefix of an organisation, with the organisation.
    fn home(&self, commit: &mut Commit, id: &Identifier) -> Result<(), ResolverError> {
        let key = self.prefix.as_str();
        if self.snap.get::<Prefixes>(TenantId::NODE, key)?.is_some() {
            return Err(ResolverError::Taken(id.clone()));
        }
        let homed = HomedPrefix::new(self.prefix.clone(), self.tenant);
        commit.put_in::<Prefixes>(TenantId::NODE, key, &homed, Expect::Absent);
        Ok(())
    }

    /// An identifier that the caller chose: free, or withdrawn from a thing of the same kind.
    fn asked(&self, kind: Kind, id: &Identifier) -> Result<(Identifier, Expect), ResolverError> {
        if !self.prefix.owns(id) {
            let prefix = self.prefix.clone();
            return Err(ResolverError::ForeignPrefix { id: id.clone(), prefix });
        }
        if id.suffix().len() > SUFFIX_BYTES_MAX {
            return Err(ResolverError::SuffixTooLong { max: SUFFIX_BYTES_MAX });
        }
        let key = id.folded();
        if self.given.contains(&key) {
            return Err(ResolverError::Taken(id.clone()));
        }
        // The prefix is written as the organisation writes it, the suffix as the caller does.
        let id = self.prefix.child(id.suffix())?;
        match self.snap.get::<Identifiers>(self.tenant, &key)? {
            None => Ok((id, Expect::Absent)),
            Some(found) if found.record.withdrawn && found.record.kind == kind => {
                Ok((id, Expect::Version(found.version)))
            }
            Some(_) => Err(ResolverError::Taken(id)),
        }
    }

    fn made(&mut self, kind: Kind, name: &str) -> Result<Identifier, ResolverError> {
        let stem = match slug(name) {
            Some(stem) => {
                for number in 1..=NAME_PROBES_MAX {
                    let suffix =
                        if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
                    if let Some(id) = self.free(&suffix)? {
                        return Ok(id);
                    }
                }
                stem
            }
            None => kind.as_str().to_owned(),
        };
        for _ in 0..COUNT_PROBES_MAX {
            self.count += 1;
            if let Some(id) = self.free(&format!("{stem}-{}", self.count))? {
                return Ok(id);
            }
        }
        Err(ResolverError::NoneFree(format!("{}/{stem}", self.prefix)))
    }

    fn free(&self, suffix: &str) -> Result<Option<Identifier>, ResolverError> {
        let id = self.prefix.child(suffix)?;
        let key = id.folded();
        let taken =
            self.given.contains(&key) || self.snap.get::<Identifiers>(self.tenant, &key)?.is_some();
        Ok((!taken).then_some(id))
    }
}

/// Gives a record the new name of its thing. A thing without a record (one that is older than the
/// registry) stays without.
///
/// # Errors
/// [`ResolverError::Store`].
pub fn rename(
    snap: &Snapshot<'_>,
    commit: &mut Commit,
    tenant: TenantId,
    id: &Identifier,
    name: &str,
) -> Result<(), ResolverError> {
    let now = commit.time();
    change(snap, commit, tenant, id, |record| record.set_name(name, now))
}

/// Withdraws the record of a thing that is deleted.
///
/// # Errors
/// [`ResolverError::Store`].
pub fn withdraw(
    snap: &Snapshot<'_>,
    commit: &mut Commit,
    tenant: TenantId,
    id: &Identifier,
) -> Result<(), ResolverError> {
    change(snap, commit, tenant, id, |record| record.withdrawn = true)
}

fn change(
    snap: &Snapshot<'_>,
    commit: &mut Commit,
    tenant: TenantId,
    id: &Identifier,
    change: impl FnOnce(&mut Record),
) -> Result<(), ResolverError> {
    let key = id.folded();
    if let Some(found) = snap.get::<Identifiers>(tenant, &key)? {
        let mut record = found.record.clone();
        change(&mut record);
        if record != found.record {
            let expect = Expect::Version(found.version);
            commit.put_in::<Identifiers>(tenant, &key, &record, expect);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
