//! Identifiers and what they resolve to: the registry of one node, and its authoritative service.
//!
//! Everything that an organisation names gets an identifier under the organisation's prefix and a
//! record, both in the commit that creates the thing ([`Minter`]). A rename changes the record and
//! keeps the identifier; deletion withdraws the record and keeps its history. [`resolve`] reads a
//! record. What stands for itself is put by [`Registry::put`], or over the Handle protocol.
//!
//! An [`Authority`] answers messages of that protocol from the records, of which it tells those
//! that are published; a [`Bound`] server brings them over UDP and TCP.
//!
//! What it is not: it decides nobody's permission but by what records say (HS_ADMIN), and knows no
//! document but its own.
//!
//! ```
//! use weir_resolver::slug;
//!
//! assert_eq!(slug("Reactor pressure (kPa)").as_deref(), Some("reactor-pressure-kpa"));
//! assert_eq!(slug("反应器压力"), None); // named by its kind and a number instead: tag-17
//! ```

mod authority;
mod error;
mod limit;
mod mint;
mod prefix;
mod read;
mod record;
mod registry;
mod secret;
mod serve;
mod server;
mod slug;

pub use authority::{Authority, Identity, Now, Origin, Read};
pub use error::ResolverError;
pub use mint::{Minter, rename, withdraw};
pub use prefix::{HomedPrefix, Prefixes};
pub use read::Told;
pub use record::{
    Data, Entry, Identifiers, Kind, Life, Record, TTL_SECONDS, VALUES_BYTES_MAX, Values,
};
pub use registry::Registry;
pub use secret::{SecretKeys, Secrets};
pub use serve::{Bound, ServeOptions, Serving};
pub use server::{Reached, ServerKey, ServerKeys};
pub use slug::{SUFFIX_BYTES_MAX, slug};

use weir_model::{Identifier, TenantId};
use weir_store::{Schema, Snapshot, StoreError, Versioned};

/// Adds this crate's collections.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<Identifiers>().with::<Prefixes>().with::<Secrets>().with::<ServerKeys>()
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
