//! How long an organisation's samples are kept.

use serde::{Deserialize, Serialize};
use weir_model::{Retention, TenantId};
use weir_store::{Collection, History, Store, StoreError, Versioned};

/// An organisation's rules of how long samples are kept, and how many of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRetention {
    /// The rules; without any, everything is kept.
    pub rules: Retention,
}

/// Rules by what they are of, in the organisation's tenant.
pub struct Retentions;

impl Collection for Retentions {
    const NAME: &'static str = "retention";
    type Record = SampleRetention;
    const HISTORY: History = History::All;
}

impl Retentions {
    /// The key of the rules for all samples of the organisation, the only ones there are.
    pub const SAMPLES: &'static str = "samples";

    /// The rules of an organisation; none where it never had any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn of(
        store: &Store,
        tenant: TenantId,
    ) -> Result<Option<Versioned<SampleRetention>>, StoreError> {
        store.get::<Self>(tenant, Self::SAMPLES)
    }
}
