//! What is open in somebody's name ends when they are no longer what they were.

use tokio_util::sync::{CancellationToken, DropGuard};
use weir_access::{Access, Caller};

/// Does `ended` when the caller is no longer what it was ([`Access::revoked`]), unless the guard is
/// dropped before.
pub(crate) fn watch(
    access: &Access,
    caller: &Caller,
    ended: impl Future<Output = ()> + Send + 'static,
) -> DropGuard {
    let gone = CancellationToken::new();
    let guard = gone.clone().drop_guard();
    let revoked = access.revoked(caller);
    tokio::spawn(async move {
        tokio::select! {
            () = revoked => ended.await,
            () = gone.cancelled() => {}
        }
    });
    guard
}
