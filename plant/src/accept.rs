//! Takes connections of a port within its bounds.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connections::{Connections, Place};

/// Pause after a failed accept, which is a lack of file descriptors and would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves each connection in a task of its own until `stop` is cancelled or its place is taken.
pub(crate) async fn accept<S, F>(listener: TcpListener, stop: CancellationToken, serve: S)
where
    S: Fn(TcpStream, Arc<Place>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let connections = Connections::new(stop.clone());
    let tasks = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => match connections.enter(Instant::now()) {
                Some(place) => {
                    let place = Arc::new(place);
                    let serving = serve(stream, Arc::clone(&place));
                    tasks.spawn(async move {
                        place.close.run_until_cancelled(serving).await;
                    });
                }
                None => tracing::debug!(%peer, "the plant's port is full"),
            },
            Err(error) => {
                tracing::warn!(%error, "the plant cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}
