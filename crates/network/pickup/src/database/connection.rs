//! One connection to a server, for reading only.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use weir_connect::{DriverError, ErrorKind};

use super::settings::Server;
use super::tls::Pinned;

/// Host names looked up at the same time. The system's resolver blocks a thread for seconds where a
/// name server is silent, and those threads are shared with the spool's file I/O.
const LOOKUPS_MAX: usize = 8;

/// The least time that each of several addresses of a host gets for connecting.
const CONNECT_TIME_MIN: Duration = Duration::from_millis(250);

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
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
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

/// A connection, and the task that drives it; dropping it ends both.
pub(crate) struct Connection {
    pub(crate) client: Client,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects, and makes the connection one that only reads.
///
/// # Errors
/// What happened and what to do, within the time-out of the settings.
pub(crate) async fn connect(
    server: &Server,
    lookups: &Lookups,
    device: &str,
) -> Result<Connection, DriverError> {
    let connecting = timeout(server.timeout, open(server, lookups, device));
    let connection = match connecting.await {
        Ok(connection) => connection?,
        Err(_) => {
            let ms = server.timeout.as_millis();
            let cause = format!(
                "not connected within {ms} ms; check host, port and the way there (routing, firewall)"
            );
            return Err(DriverError::new(ErrorKind::Timeout, device, server.place(), cause));
        }
    };
    let ms = server.timeout.as_millis();
    // Times come in UTC and in ISO format; whatever a query calls, nothing is written.
    let begin = format!(
        "SET default_transaction_read_only = on; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
         SET statement_timeout = {ms}; SET idle_in_transaction_session_timeout = {}; SET lock_timeout = {ms}",
        2 * ms
    );
    within(server, device, connection.client.batch_execute(&begin)).await?;
    Ok(connection)
}

/// Waits for an answer of the server, somewhat longer than the server itself allows for it.
///
/// # Errors
/// What happened and what to do.
pub(crate) async fn within<T>(
    server: &Server,
    device: &str,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, DriverError> {
    match timeout(server.timeout + CONNECT_TIME_MIN, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(told(server, device, &error)),
        Err(_) => {
            let ms = server.timeout.as_millis();
            let cause = format!("no answer within {ms} ms");
            Err(DriverError::new(ErrorKind::Timeout, device, server.place(), cause))
        }
    }
}

async fn open(server: &Server, lookups: &Lookups, device: &str) -> Result<Connection, DriverError> {
    let stream = stream(server, lookups)
        .await
        .map_err(|(kind, cause)| DriverError::new(kind, device, server.place(), cause))?;
    let mut config = Config::new();
    config.user(&server.user).dbname(&server.database).application_name("weir");
    if let Some(password) = &server.password {
        config.password(password);
    }
    if !server.tls {
        config.ssl_mode(SslMode::Disable);
        let (client, connection) =
            config.connect_raw(stream, NoTls).await.map_err(|e| told(server, device, &e))?;
        let task = tokio::spawn(async move {
            // How it ends is told by the question that it does not answer.
            let _ = connection.await;
        });
        return Ok(Connection { client, task });
    }
    config.ssl_mode(SslMode::Require);
    let failed = |cause: String| {
        DriverError::new(ErrorKind::Protocol, device, server.place(), format!("no TLS: {cause}"))
    };
    let pinned =
        Pinned::new(&server.trusted, &server.authorities).map_err(|e| failed(e.to_string()))?;
    let mut tls = MakeRustlsConnect::new(pinned.config().map_err(|e| failed(e.to_string()))?);
    let tls =
        <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut tls, &server.host)
            .map_err(|e| failed(e.to_string()))?;
    match config.connect_raw(stream, tls).await {
        Ok((client, connection)) => {
            let task = tokio::spawn(async move {
                let _ = connection.await;
            });
            Ok(Connection { client, task })
        }
        Err(error) => match pinned.refused() {
            Some(certificate) => {
                let cause = "the server's certificate is not among those trusted, nor signed by an authority of the settings; compare its thumbprint with the server's own and add it";
                Err(DriverError::untrusted(device, server.place(), cause, certificate))
            }
            None => Err(told(server, device, &error)),
        },
    }
}

async fn stream(server: &Server, lookups: &Lookups) -> Result<TcpStream, (ErrorKind, String)> {
    let unreachable = |error: &io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "; no server listens there: check port and listen_addresses"
            }
            _ => "",
        };
        (ErrorKind::Unreachable, format!("cannot connect: {error}{hint}"))
    };
    let addresses =
        lookups.addresses(&server.host, server.port).await.map_err(|e| unreachable(&e))?;
    let share = server.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = (ErrorKind::Unreachable, "the host name has no address".to_owned());
    for address in addresses {
        match timeout(share.max(CONNECT_TIME_MIN), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|e| unreachable(&e))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = unreachable(&error),
            Err(_) => last = (ErrorKind::Timeout, format!("{address} does not answer")),
        }
    }
    Err(last)
}

/// A failure, in the server's words and with what to do.
pub(crate) fn told(server: &Server, device: &str, error: &tokio_postgres::Error) -> DriverError {
    let (kind, cause) = match error.as_db_error() {
        Some(refusal) => {
            let (kind, hint) = hint(refusal.code());
            let more =
                refusal.detail().or(refusal.hint()).map_or(String::new(), |m| format!(" ({m})"));
            let code = refusal.code().code();
            (kind, format!("the server says: {}{more} [{code}]{hint}", refusal.message()))
        }
        None if error.is_closed() => {
            (ErrorKind::Disconnected, "the server ended the connection".to_owned())
        }
        None => {
            use std::error::Error;
            let source = error.source().map_or(String::new(), |source| format!(": {source}"));
            let cause =
                format!("what answers there is no PostgreSQL server, or it left: {error}{source}");
            (ErrorKind::Disconnected, cause)
        }
    };
    DriverError::new(kind, device, server.place(), cause)
}

fn hint(code: &SqlState) -> (ErrorKind, &'static str) {
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            (ErrorKind::Rejected, "; check user, password and pg_hba.conf")
        }
        SqlState::INVALID_CATALOG_NAME => (ErrorKind::Rejected, "; check the database's name"),
        SqlState::INSUFFICIENT_PRIVILEGE => {
            (ErrorKind::Rejected, "; grant SELECT on the table to this user")
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => (ErrorKind::Rejected, "; the query may only read"),
        SqlState::QUERY_CANCELED => (
            ErrorKind::Timeout,
            "; make the query faster (an index on the cursor column) or the time-out longer",
        ),
        SqlState::UNDEFINED_COLUMN | SqlState::UNDEFINED_TABLE | SqlState::SYNTAX_ERROR => {
            (ErrorKind::Rejected, "; correct the query or the names of its columns")
        }
        _ => (ErrorKind::Rejected, ""),
    }
}
