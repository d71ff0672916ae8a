//! Creating and changing organisations.

use weir_model::{Identifier, TenantId};
use weir_store::Expect;

use super::{Draft, expect_version, required};
use crate::{Counter, Counters, Organisation, Organisations, TwinError};

impl Draft<'_> {
    /// The next number of a tenant. It is given for good once the commit is accepted.
    ///
    /// # Errors
    /// [`TwinError::NumbersUsedUp`], [`TwinError::Store`].
    pub fn next_tenant(&mut self) -> Result<TenantId, TwinError> {
        let counter = self.snap.get::<Counters>(TenantId::NODE, Counters::TENANT)?;
        let next = counter.as_ref().map_or(1, |c| c.record.next);
        let after = next.checked_add(1).ok_or(TwinError::NumbersUsedUp("tenant"))?;
        let expect = expect_version(counter.map(|c| c.version));
        let counter = Counter { next: after };
        self.commit.put_in::<Counters>(TenantId::NODE, Counters::TENANT, &counter, expect);
        Ok(TenantId(next))
    }

    /// Adds an organisation, whose prefix must be new to this node.
    ///
    /// # Errors
    /// [`TwinError::Invalid`], [`TwinError::Store`]. A prefix that is taken is a conflict of the commit.
    pub fn create_organisation(&mut self, organisation: &Organisation) -> Result<(), TwinError> {
        organisation.check().map_err(TwinError::Invalid)?;
        let key = organisation.prefix.as_str();
        self.commit.put_in::<Organisations>(TenantId::NODE, key, organisation, Expect::Absent);
        Ok(())
    }

    /// Changes an organisation's name, translations or grade.
    ///
    /// # Errors
    /// [`TwinError`].
    pub fn update_organisation(
        &mut self,
        organisation: &Organisation,
        expected: Option<u64>,
    ) -> Result<(), TwinError> {
        let key = organisation.prefix.as_str();
        let found = self.snap.get::<Organisations>(TenantId::NODE, key)?;
        let found = required(&organisation.id, found, expected)?;
        keeps(&organisation.id, &found.record.id)?;
        if organisation.tenant != found.record.tenant {
            return Err(TwinError::field("/tenant", "an organisation keeps its tenant"));
        }
        organisation.check().map_err(TwinError::Invalid)?;
        let expect = Expect::Version(found.version);
        self.commit.put_in::<Organisations>(TenantId::NODE, key, organisation, expect);
        Ok(())
    }
}

/// A record keeps its identifier in every change, in the very case it was created with.
pub(super) fn keeps(new: &Identifier, old: &Identifier) -> Result<(), TwinError> {
    if new.as_str() == old.as_str() {
        return Ok(());
    }
    Err(TwinError::field("/id", "an identifier is never changed"))
}
