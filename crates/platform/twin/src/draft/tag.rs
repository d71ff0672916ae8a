//! Creating, changing and deleting tags.

use weir_model::{Identifier, TagId, TenantId};
use weir_store::Expect;

use super::organisation::keeps;
use super::{Draft, Reserved, required};
use crate::{Counters, Tag, Tags, TwinError};

impl Draft<'_> {
    /// The next number of a tag. It is given for good once the commit is accepted.
    ///
    /// # Errors
    /// [`TwinError::NumbersUsedUp`], [`TwinError::Store`].
    pub fn next_tag(&mut self) -> Result<TagId, TwinError> {
        let mut reserved = match self.tags.take() {
            Some(reserved) => reserved,
            None => {
                let counter = self.snap.get::<Counters>(TenantId::NODE, Counters::TAG)?;
                let version = counter.as_ref().map(|c| c.version);
                Reserved { version, next: counter.map_or(1, |c| c.record.next) }
            }
        };
        let given = reserved.next;
        reserved.next = given.checked_add(1).ok_or(TwinError::NumbersUsedUp("tag"))?;
        self.tags = Some(reserved);
        Ok(TagId(given))
    }

    /// Adds a tag, whose number came from [`Draft::next_tag`].
    ///
    /// # Errors
    /// [`TwinError::Invalid`] for a field or an unknown asset.
    pub fn create_tag(&mut self, tag: &Tag) -> Result<(), TwinError> {
        tag.check().map_err(TwinError::Invalid)?;
        self.check_asset(tag.asset.as_ref())?;
        self.commit.put::<Tags>(&tag.id.folded(), tag, Expect::Absent);
        self.shaped |= tag.asset.is_some();
        Ok(())
    }

    /// Changes a tag. Its identifier, its number and its data type stay.
    ///
    /// # Errors
    /// [`TwinError`].
    pub fn update_tag(&mut self, tag: &Tag, expected: Option<u64>) -> Result<(), TwinError> {
        let key = tag.id.folded();
        let found = required(&tag.id, self.snap.get::<Tags>(self.tenant, &key)?, expected)?;
        keeps(&tag.id, &found.record.id)?;
        if tag.tag != found.record.tag {
            return Err(TwinError::field("/tag", "a tag keeps its number"));
        }
        if tag.data_type != found.record.data_type {
            let detail = "a tag keeps its data type; make a new tag for values of another";
            return Err(TwinError::field("/data_type", detail));
        }
        tag.check().map_err(TwinError::Invalid)?;
        if tag.asset != found.record.asset {
            self.check_asset(tag.asset.as_ref())?;
            self.shaped = true;
        }
        self.commit.put::<Tags>(&key, tag, Expect::Version(found.version));
        Ok(())
    }

    /// Deletes a tag. Its samples stay where they are, under a number that is never given again.
    ///
    /// # Errors
    /// [`TwinError::NotFound`], [`TwinError::Version`], [`TwinError::Store`].
    pub fn delete_tag(&mut self, id: &Identifier, expected: Option<u64>) -> Result<Tag, TwinError> {
        let key = id.folded();
        let found = required(id, self.snap.get::<Tags>(self.tenant, &key)?, expected)?;
        self.commit.delete::<Tags>(&key, Expect::Version(found.version));
        Ok(found.record)
    }

    /// That an asset named by a document exists; the draft's commit then fails if it is deleted in
    /// the meantime.
    ///
    /// # Errors
    /// [`TwinError::Invalid`] at `/asset`.
    pub fn check_asset(&mut self, asset: Option<&Identifier>) -> Result<(), TwinError> {
        let Some(id) = asset else { return Ok(()) };
        if self.asset(&id.folded())?.is_none() {
            return Err(TwinError::field("/asset", format!("there is no asset {id}")));
        }
        self.shaped = true;
        Ok(())
    }
}
