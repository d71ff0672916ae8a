//! Looking up host names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::lookup_host;
use tokio::sync::Semaphore;

/// Host names looked up at the same time. The system's resolver blocks a thread for seconds where a
/// name server is silent, and those threads are shared with the spool's file I/O.
const LOOKUPS_MAX: usize = 8;

/// The right to look up a host name, shared by all connections of a driver.
#[derive(Debug, Clone)]
pub(crate) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

impl Lookups {
    /// The addresses of a host. A lookup that nobody waits for any more keeps its right until the
    /// system's resolver returns, so that there are never more of them.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let Ok(right) = Arc::clone(&self.0).acquire_owned().await else {
            return Err(io::Error::other("the driver has stopped"));
        };
        let host = host.to_owned();
        let lookup = tokio::spawn(async move {
            let found = lookup_host((host, port)).await.map(Iterator::collect);
            drop(right);
            found
        });
        lookup.await.map_err(io::Error::other)?
    }
}
