//! What anyone is told of a handle, for those that ask otherwise than by a message of the protocol.

use weir_handle::{Access, List, Reader, Selection};
use weir_store::{Snapshot, StoreError};

use crate::record::Stored;
use crate::registry::{NoPlace, stored};
use crate::{Registry, Values};

/// What anyone is told of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// There is a record.
    Record {
        /// Its identifier, in the case it was given in.
        id: String,
        /// The values that all may read, in the order in which they are stored; none if all of
        /// them are private.
        values: Values,
    },
    /// There was one, and it was withdrawn.
    Withdrawn {
        /// The identifier that it had.
        id: String,
    },
    /// There is none, or none that anyone is told of.
    Unknown,
    /// Nobody here answers for its prefix.
    NotHomed,
}

impl Registry {
    /// What anyone is told of a handle: values with public read, as the flag PUBL has it in the
    /// protocol. Records that are not published are as if they were not there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tell(&self, snap: &Snapshot<'_>, handle: &str) -> Result<Told, StoreError> {
        let place = match self.place(handle.as_bytes()) {
            Ok(place) => place,
            Err(NoPlace::NoName) => return Ok(Told::Unknown),
            Err(NoPlace::NotHomed | NoPlace::Suspended) => return Ok(Told::NotHomed),
        };
        let bytes = stored(snap, &place)?;
        let found = bytes.as_deref().and_then(|bytes| Stored::read(bytes).ok());
        let Some(found) = found.filter(|found| found.published) else { return Ok(Told::Unknown) };
        let id = found.id.to_owned();
        if found.withdrawn {
            return Ok(Told::Withdrawn { id });
        }
        let all =
            Selection { indexes: List::empty(), types: List::empty(), access: Access::PublicOnly };
        let mut public = Vec::new();
        all.write(&found.values, &mut public);
        let values = Reader::new(&public).list().map(|list| Values::of_list(&list));
        Ok(Told::Record { id, values: values.unwrap_or_default() })
    }
}
