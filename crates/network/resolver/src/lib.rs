//! Identifiers and what they resolve to, first version: the registry of one node.
//!
//! Everything that an organisation names gets an identifier under the organisation's prefix and a
//! record, both in the commit that creates the thing ([`Minter`]). A rename changes the record and
//! keeps the identifier; deletion withdraws the record and keeps its history. [`resolve`] reads a
//! record.
//!
//! What it is not: it decides nobody's permission, knows no document but its own, and speaks no
//! network protocol.
//!
//! ```
//! use weir_resolver::slug;
//!
//! assert_eq!(slug("Reactor pressure (kPa)").as_deref(), Some("reactor-pressure-kpa"));
//! assert_eq!(slug("反应器压力"), None); // named by its kind and a number instead: tag-17
//! ```

mod error;
mod mint;
mod record;
mod slug;

pub use error::ResolverError;
pub use mint::{Minter, rename, withdraw};
pub use record::{Entry, Identifiers, Kind, ReadBy, Record, TTL_SECONDS};
pub use slug::{SUFFIX_BYTES_MAX, slug};

use weir_model::{Identifier, TenantId};
use weir_store::{Schema, Snapshot, StoreError, Versioned};

/// Adds this crate's collection.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<Identifiers>()
}

/// The record of an identifier within a tenant; none if it was never given or is withdrawn.
///
/// # Errors
/// [`StoreError`].
pub fn resolve(
    snap: &Snapshot<'_>,
    tenant: TenantId,
    id: &Identifier,
) -> Result<Option<Versioned<Record>>, StoreError> {
    let found = snap.get::<Identifiers>(tenant, &id.folded())?;
    Ok(found.filter(|found| !found.record.withdrawn))
}
