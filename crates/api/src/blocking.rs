//! Work that would hold up other requests, on a thread that nobody waits for.

use crate::failure::Failure;

/// Does what takes a while, or waits for the disk. `attempt` is what the log says could not be done
/// where the work panics.
///
/// # Errors
/// A failure of ours where it does.
pub(crate) async fn blocking<T: Send + 'static>(
    attempt: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::internal(attempt, &error))
}
