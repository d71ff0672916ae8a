//! What a table needs besides commits: checkpoints, a short log, and no files that nobody reads.

use futures::{StreamExt, TryStreamExt};
use object_store::Error as StoreError;

use super::Table;
use crate::LakeError;

impl Table {
    /// Writes a checkpoint when it is time to, and removes what the log no longer needs. The table is
    /// whole without.
    pub(super) async fn upkeep(&mut self) {
        let Some(version) = self.snapshot.version else { return };
        let next = self.snapshot.checkpoint.map_or(0, |at| at + self.options.checkpoint_commits);
        if version < next.max(self.options.checkpoint_commits) {
            return;
        }
        let before = self.retained_from();
        match self.log.checkpoint(&self.snapshot, before).await {
            Ok(()) => self.snapshot.checkpoint = Some(version),
            Err(error) => {
                tracing::warn!(%error, "no checkpoint of the lake's log; it is tried at the next commit");
                return;
            }
        }
        if let Err(error) = self.log.clean(before).await {
            tracing::warn!(%error, "old entries of the lake's log stay until the next checkpoint");
        }
    }

    /// Deletes files of this node's naming that no version of the table has, from the time on that
    /// old versions are kept for; gives how many.
    ///
    /// # Errors
    /// [`LakeError`]; some may be deleted by then.
    pub async fn vacuum(&mut self) -> Result<usize, LakeError> {
        self.update().await?;
        let before = self.retained_from();
        let root = self.place.root.clone();
        let listing = || LakeError::store("list the lake");
        let mut objects = self.place.store.list(Some(&root));
        let mut unneeded = Vec::new();
        while let Some(object) = objects.try_next().await.map_err(listing())? {
            let Some(path) = object.location.prefix_match(&root) else { continue };
            let path = path.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            if !is_ours(&path) || self.snapshot.files.contains_key(&path) {
                continue;
            }
            let since = match self.snapshot.gone.get(&path) {
                Some(remove) => remove.deletion_timestamp.unwrap_or(i64::MAX),
                None => object.last_modified.timestamp_millis(),
            };
            if since < before {
                unneeded.push(Ok(object.location));
            }
        }
        let count = unneeded.len();
        let mut deleted = self.place.store.delete_stream(futures::stream::iter(unneeded).boxed());
        while let Some(deletion) = deleted.next().await {
            match deletion {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => {
                    return Err(LakeError::store("delete a file that is replaced")(error));
                }
            }
        }
        self.snapshot.gone.retain(|_, remove| remove.deletion_timestamp >= Some(before));
        Ok(count)
    }
}

/// Whether a file is of this crate's naming: others may lie beside.
fn is_ours(path: &str) -> bool {
    let mut parts = path.split('/');
    let mut next = |prefix: &str| parts.next().is_some_and(|part| part.starts_with(prefix));
    next("tenant=")
        && next("month=")
        && next("block-")
        && path.ends_with(".parquet")
        && parts.next().is_none()
}
