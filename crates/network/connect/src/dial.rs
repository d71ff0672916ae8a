//! Reaching a host by TCP: its addresses, and the first of them that lets us connect.
//!
//! Happy Eyeballs (RFC 8305) in its simple form: addresses take turns by family, the next attempt begins when
//! one has failed or when none has succeeded for a moment, the first connection wins and ends the others. A
//! silent address (IPv6 into a black hole) so never hides the one behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use crate::ErrorKind;

/// Most addresses of one host that are tried: four of each family.
pub const ADDRESSES_MAX: usize = 8;

/// How long the attempts so far are left alone before the next one begins (RFC 8305, section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// It is shorter where the time-out has no room for all addresses, but never shorter than this (RFC 8305,
/// section 5).
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);

/// Host names looked up at the same time. The system's resolver blocks a thread for seconds where a
/// name server is silent, and those threads are shared with the spool's file I/O.
const LOOKUPS_MAX: usize = 8;

/// The right to look up a host name, shared by all connections of a driver.
#[derive(Debug, Clone)]
pub struct Lookups(Arc<Semaphore>);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name service does not know the host, or failed.
    #[error(
        "the host name is not known ({0}); check its spelling and the name server, or use the host's address"
    )]
    Unknown(io::Error),
    /// The name service did not answer in time.
    #[error("the name server does not answer; check it, or use the host's address")]
    Unresolved,
    /// The host name has no address.
    #[error("the host name has no address")]
    NoAddress,
    /// No address let us connect; this one says most of why.
    #[error("cannot connect to {address}: {error}")]
    Refused {
        /// Which one.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// No address answered in time.
    #[error("not connected in time")]
    Silent,
}

impl DialError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unresolved | Self::Silent => ErrorKind::Timeout,
            Self::Unknown(_) | Self::NoAddress | Self::Refused { .. } => ErrorKind::Unreachable,
        }
    }

    /// Whether the host is there, and nothing listens at the port.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// What happened and what to do. What a refused connection may come from, only the driver knows.
    pub fn told(&self, time: Duration, refused: &str) -> (ErrorKind, String) {
        let ms = time.as_millis();
        let cause = match self {
            _ if self.is_refusal() => refused.to_owned(),
            Self::Refused { error, .. } => match error.kind() {
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    format!("no way to the host ({error}); check the address and the network")
                }
                _ => format!("cannot connect: {error}"),
            },
            Self::Silent => format!(
                "not connected within {ms} ms; check host, port and the way there (routing, firewall)"
            ),
            Self::Unresolved => format!("not connected within {ms} ms: {self}"),
            Self::Unknown(_) | Self::NoAddress => format!("cannot connect: {self}"),
        };
        (self.kind(), cause)
    }
}

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

impl Lookups {
    /// The addresses of a host, in the order of the system's resolver (RFC 6724). A lookup that nobody waits
    /// for any more keeps its right until the resolver returns, so that there are never more of them.
    ///
    /// # Errors
    /// [`DialError::Unknown`], [`DialError::NoAddress`]; [`DialError::Unresolved`] after the time.
    pub async fn addresses(
        &self,
        host: &str,
        port: u16,
        time: Duration,
    ) -> Result<Vec<SocketAddr>, DialError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = timeout(time, self.look_up(host.to_owned(), port)).await;
        let found = found.map_err(|_| DialError::Unresolved)?.map_err(DialError::Unknown)?;
        if found.is_empty() { Err(DialError::NoAddress) } else { Ok(found) }
    }

    async fn look_up(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let Ok(right) = Arc::clone(&self.0).acquire_owned().await else {
            return Err(io::Error::other("the driver has stopped"));
        };
        let lookup = tokio::spawn(async move {
            let found = lookup_host((host, port)).await.map(Iterator::collect);
            drop(right);
            found
        });
        lookup.await.map_err(io::Error::other)?
    }

    /// Connects to a host: the first of its addresses that answers. The connection sends small packets at once.
    ///
    /// # Errors
    /// [`DialError`], within the time.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        time: Duration,
    ) -> Result<TcpStream, DialError> {
        let deadline = Instant::now() + time;
        let addresses = self.addresses(host, port, time).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        let (address, stream) = first(&addresses, left, TcpStream::connect).await?;
        // A request is one small packet; waiting for more would only delay it.
        stream.set_nodelay(true).map_err(|error| DialError::Refused { address, error })?;
        Ok(stream)
    }
}

/// Connects to the first of some addresses that answers, of the first [`ADDRESSES_MAX`] that take turns by
/// family. Attempts that did not win are dropped.
///
/// # Errors
/// [`DialError`], within the time: where all failed, or somebody refused, a refusal.
pub async fn first<T, F>(
    addresses: &[SocketAddr],
    time: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<(SocketAddr, T), DialError>
where
    F: Future<Output = io::Result<T>>,
{
    let deadline = Instant::now() + time;
    let order = taking_turns(addresses);
    let delay = delay(time, order.len());
    let mut failure = None;
    let racing = race(order, delay, connect, &mut failure);
    match timeout_at(deadline, racing).await {
        Ok(Some(won)) => Ok(won),
        Ok(None) => Err(failure.unwrap_or(DialError::NoAddress)),
        // That a network is not there says nothing of an address in another one that is silent.
        Err(_) => Err(failure.filter(DialError::is_refusal).unwrap_or(DialError::Silent)),
    }
}

async fn race<T, F>(
    order: Vec<SocketAddr>,
    delay: Duration,
    connect: impl Fn(SocketAddr) -> F,
    failure: &mut Option<DialError>,
) -> Option<(SocketAddr, T)>
where
    F: Future<Output = io::Result<T>>,
{
    let attempt = |address: SocketAddr| {
        let connecting = connect(address);
        async move { (address, connecting.await) }
    };
    let mut waiting = order.into_iter();
    let mut attempts = FuturesUnordered::new();
    loop {
        let ended = match waiting.next() {
            Some(address) => {
                attempts.push(attempt(address));
                timeout(delay, attempts.next()).await
            }
            None => Ok(attempts.next().await),
        };
        match ended {
            Ok(Some((address, Ok(stream)))) => return Some((address, stream)),
            Ok(Some((address, Err(error)))) => {
                let error = DialError::Refused { address, error };
                let says_more =
                    error.is_refusal() && !failure.as_ref().is_some_and(DialError::is_refusal);
                if failure.is_none() || says_more {
                    *failure = Some(error);
                }
            }
            Ok(None) => return None,
            Err(_) => {}
        }
    }
}

/// Addresses of one family after those of the other, in turns, beginning with the resolver's first choice.
fn taking_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_preferred = |address: &SocketAddr| {
        addresses.first().is_some_and(|first| first.is_ipv6() == address.is_ipv6())
    };
    let (preferred, others): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| is_preferred(address));
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let count = addresses.len().min(ADDRESSES_MAX);
    let mut order = Vec::with_capacity(count + 1);
    while order.len() < count {
        order.extend(preferred.next().into_iter().chain(others.next()));
    }
    order.truncate(count);
    order
}

/// So short that every address gets its turn within the time.
fn delay(time: Duration, count: usize) -> Duration {
    let parts = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    (time / parts).clamp(ATTEMPT_DELAY_MIN, ATTEMPT_DELAY)
}

#[cfg(test)]
mod tests;
