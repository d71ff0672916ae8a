//! Where samples go.

use async_trait::async_trait;
use weir_model::{Batch, TagId, TenantId, Timestamp};

/// Takes batches of samples, in the node the historian.
///
/// A batch carries producer and sequence. The sink must store a batch once, however often it is
/// delivered, and must treat a sequence that is not above the producer's highest stored one as a
/// repetition: success, nothing stored.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Stores the batch durably, or refuses it whole.
    async fn deliver(&self, batch: Batch) -> Result<(), Refused>;

    /// The time of the newest sample of some tags of a tenant; none where it has none, or does not know.
    fn newest(&self, tenant: TenantId, tags: &[TagId]) -> Option<Timestamp> {
        let _ = (tenant, tags);
        None
    }
}

/// Why a sink did not take a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Overloaded, disk full, stopping: the same batch may be taken later. It is spooled.
    #[error("{0}")]
    Later(String),
    /// The batch itself is at fault (a time in the future, say) and will never be taken. It is
    /// dropped, counted and told.
    #[error("{0}")]
    Never(String),
}
