//! What can be asked of the keeper: merging files now, and how much is kept.

use tokio::sync::oneshot;
use weir_model::{Retention, TenantId};

use crate::keeper::Request;
use crate::{Historian, HistorianError};

impl Historian {
    /// Writes everything stored so far to files and merges those that can be merged, whether their
    /// days and months are over or not. Nothing needs this: it makes files fewer and smaller sooner.
    /// It may take long; samples are stored and read meanwhile.
    ///
    /// # Errors
    /// [`HistorianError::Flush`]; [`HistorianError::Io`] where files cannot be written;
    /// [`HistorianError::NoRoom`] where some of it waits for space, and is done once there is some;
    /// [`HistorianError::Closed`]. Damaged files are left as they are, and are no error here.
    pub async fn compact(&self) -> Result<(), HistorianError> {
        self.flush().await?;
        self.tend(true).await
    }

    /// Sets how much of a tenant's samples is kept, from now on and until the historian is closed.
    /// A file is thinned or removed once its newest sample is old enough: one of a day at most a day
    /// after its oldest sample was, one of a month at most a month, and one that others overlap
    /// together with those. Time passes for this by the clock, at most a day beyond the newest file
    /// of any tenant: where nothing more is stored, nothing grows old. Last values stay, and samples
    /// in memory and log.
    pub fn set_retention(&self, tenant: TenantId, retention: Retention) {
        self.shared().set_retention(tenant, retention);
    }

    /// How much of a tenant's samples is kept.
    pub fn retention(&self, tenant: TenantId) -> Retention {
        self.shared().retention().get(&tenant).cloned().unwrap_or_default()
    }

    /// Has the keeper do what is due, or all that can be done.
    pub(crate) async fn tend(&self, all: bool) -> Result<(), HistorianError> {
        let (done, tended) = oneshot::channel();
        self.shared().keeper.ask(Request { all, done })?;
        tended.await.unwrap_or(Err(HistorianError::Closed))
    }
}
