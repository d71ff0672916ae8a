//! From devices to the historian.

use async_trait::async_trait;
use weir_connect::{Refused, Sink};
use weir_historian::{AppendError, Historian};
use weir_model::{Batch, TagId, TenantId, Timestamp};

/// Gives the batches of devices to the historian.
pub(crate) struct ToHistorian(pub(crate) Historian);

#[async_trait]
impl Sink for ToHistorian {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        match self.0.append(batch).await {
            Ok(_) => Ok(()),
            // A device's sequences always rise and are delivered in order: an old one was stored.
            Err(AppendError::SequenceTooOld { .. }) => Ok(()),
            Err(
                error @ (AppendError::TimeInFuture { .. }
                | AppendError::TooLarge { .. }
                | AppendError::TooManyDays { .. }),
            ) => Err(Refused::Never(error.to_string())),
            Err(error) => Err(Refused::Later(error.to_string())),
        }
    }

    fn newest(&self, tenant: TenantId, tags: &[TagId]) -> Option<Timestamp> {
        tags.iter().filter_map(|tag| self.0.last(tenant, *tag)).map(|sample| sample.time).max()
    }
}
