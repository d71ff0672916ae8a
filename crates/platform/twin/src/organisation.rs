//! Organisations: the tenants of a node.

use serde::{Deserialize, Serialize};
use weir_model::{FieldError, Grade, Identifier, Prefix, TenantId};
use weir_store::{Collection, History, Store, StoreError};

use crate::rules::{Faults, Names, check_name, check_names};

/// The prefix under which the audit names parts of Weir itself. No organisation may have it, or its
/// users could be taken for them.
pub const RESERVED_PREFIX: &str = "weir";

/// One organisation: a tenant with a prefix of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its identifier, `prefix/organisation`.
    pub id: Identifier,
    /// The number of its tenant, never reused.
    pub tenant: TenantId,
    /// The prefix that its identifiers stand under.
    pub prefix: Prefix,
    /// Its name.
    pub name: String,
    /// Its name in other languages.
    #[serde(default)]
    pub names: Names,
    /// The grade of what carries none of its own; without it that is core.
    #[serde(default)]
    pub grade: Option<Grade>,
}

/// Organisations by prefix, in [`TenantId::NODE`].
pub struct Organisations;

impl Collection for Organisations {
    const NAME: &'static str = "organisations";
    type Record = Organisation;
    const HISTORY: History = History::All;
}

impl Organisations {
    /// The tenant of the organisation that has a prefix, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tenant_of(store: &Store, prefix: &Prefix) -> Result<Option<TenantId>, StoreError> {
        let found = store.get::<Self>(TenantId::NODE, prefix.as_str())?;
        Ok(found.map(|found| found.record.tenant))
    }
}

impl Organisation {
    pub(crate) fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut faults = Faults::default();
        faults.check("/name", check_name(&self.name));
        faults.check("/names", check_names(&self.names));
        if self.prefix.as_str() == RESERVED_PREFIX {
            faults.add("/prefix", "this prefix is Weir's own");
        }
        if !self.prefix.owns(&self.id) {
            faults.add("/id", "the identifier stands under the organisation's own prefix");
        }
        faults.into_result()
    }
}
