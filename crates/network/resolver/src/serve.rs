//! The authority on the network: UDP by threads of its own, TCP on the runtime.

mod guests;
mod outgoing;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_model::Timestamp;

use crate::limit::Limiter;
use crate::{Authority, Now, ResolverError};

/// Where a server of identifiers listens, and what it bears.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Addresses for UDP and TCP: one for IPv4 and one for IPv6, or either.
    pub addresses: Vec<SocketAddr>,
    /// Threads for UDP on each address.
    pub udp_threads: usize,
    /// Whether records may be changed over UDP; the reference server leaves that to TCP.
    pub udp_admin: bool,
    /// Most TCP connections at the same time; one client may have a quarter of them.
    pub connections_max: usize,
    /// Most bytes a second that go to one network over UDP, whoever asks for them: what a sender
    /// of false addresses can have sent to somebody else. This machine's own has no limit.
    pub udp_bytes_per_s: u32,
    /// How long a TCP connection may be silent.
    pub idle: Duration,
    /// How long a message may take to arrive over TCP once it has begun, and an answer to be
    /// taken.
    pub slow: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            udp_threads: std::thread::available_parallelism().map_or(1, usize::from).min(4),
            udp_admin: false,
            connections_max: 4_096,
            udp_bytes_per_s: 4 << 20,
            idle: Duration::from_secs(120),
            slow: Duration::from_secs(30),
        }
    }
}

/// A server that listens, and does not answer yet: what it says of itself needs its ports.
pub struct Bound {
    places: Vec<Place>,
    options: ServeOptions,
}

struct Place {
    udp: Vec<std::net::UdpSocket>,
    tcp: tokio::net::TcpListener,
    address: SocketAddr,
}

/// A running server. It ends with its token.
pub struct Serving {
    threads: Vec<std::thread::JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Bound {
    /// Listens. A port 0 takes a free one, the same for UDP and TCP.
    ///
    /// # Errors
    /// [`ResolverError::Listen`].
    pub async fn listen(options: ServeOptions) -> Result<Self, ResolverError> {
        let mut places = Vec::new();
        for address in &options.addresses {
            places.push(Place::listen(*address, options.udp_threads.max(1)).await?);
        }
        Ok(Self { places, options })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.places.iter().map(|place| place.address).collect()
    }

    /// Answers from now on.
    ///
    /// # Errors
    /// [`ResolverError::Thread`].
    pub fn serve(
        self,
        authority: Arc<Authority>,
        stop: CancellationToken,
    ) -> Result<Serving, ResolverError> {
        let Self { places, options } = self;
        let clock = Clock { start: Instant::now() };
        let limiter = Arc::new(Limiter::new(options.udp_bytes_per_s));
        let mut serving = Serving { threads: Vec::new(), tasks: Vec::new() };
        let open = Arc::new(tokio::sync::Semaphore::new(options.connections_max));
        let guests = guests::Guests::new(options.connections_max);
        for Place { udp, tcp, .. } in places {
            for socket in udp {
                let server = udp::Server {
                    authority: Arc::clone(&authority),
                    limiter: Arc::clone(&limiter),
                    stop: stop.clone(),
                    runtime: tokio::runtime::Handle::current(),
                    admin: options.udp_admin,
                    clock,
                };
                serving.threads.push(server.start(socket).map_err(ResolverError::Thread)?);
            }
            let server = tcp::Server {
                authority: Arc::clone(&authority),
                open: Arc::clone(&open),
                guests: Arc::clone(&guests),
                stop: stop.clone(),
                idle: options.idle,
                slow: options.slow,
                clock,
            };
            serving.tasks.push(tokio::spawn(server.run(tcp)));
        }
        Ok(serving)
    }
}

impl Serving {
    /// Waits until everything has ended, behind the token's cancellation.
    pub async fn stopped(self) {
        for task in self.tasks {
            let _ = task.await;
        }
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread for UDP had ended in a panic");
                }
            }
        });
        let _ = joined.await;
    }
}

impl Place {
    async fn listen(address: SocketAddr, threads: usize) -> Result<Self, ResolverError> {
        let failed = |source| ResolverError::Listen { address, source };
        // A free port of TCP may be taken for UDP: then another one is tried.
        const TRIES: usize = 16;
        let mut tries = 0;
        loop {
            tries += 1;
            let tcp = tcp::listen(address).map_err(failed)?;
            let local = tcp.local_addr().map_err(failed)?;
            let udp: std::io::Result<Vec<_>> =
                (0..threads).map(|_| udp::bind(local, threads > 1)).collect();
            match udp {
                Ok(udp) => return Ok(Self { udp, tcp, address: local }),
                Err(_) if address.port() == 0 && tries < TRIES => {}
                Err(source) => return Err(failed(source)),
            }
        }
    }
}

/// Both clocks.
#[derive(Debug, Clone, Copy)]
struct Clock {
    start: Instant,
}

impl Clock {
    fn now(self) -> Now {
        let time = Timestamp::from_system(SystemTime::now());
        let steady_ms = self.start.elapsed().as_millis() as u64;
        Now { time, steady_ms }
    }
}

/// How long a thread waits for datagrams before it looks whether it shall end.
const LOOK_UP: Duration = Duration::from_millis(200);
