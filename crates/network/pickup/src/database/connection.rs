//! One connection to a server, for reading only.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use weir_connect::dial::Lookups;
use weir_connect::tls::Refusal;
use weir_connect::{DriverError, ErrorKind};

use super::settings::Server;

/// How much longer than the server itself we wait for its answers.
const ANSWER_TIME_SPARE: Duration = Duration::from_millis(250);

/// What is told of a connection that was refused.
const REFUSED: &str =
    "cannot connect: connection refused; no server listens there: check port and listen_addresses";

/// What is told of a certificate that nobody has reviewed.
const UNTRUSTED: &str = "the server's certificate is not among those trusted, nor signed by an authority of the settings; compare its thumbprint with the server's own and add it";

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
    match timeout(server.timeout + ANSWER_TIME_SPARE, answer).await {
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
    let connecting = lookups.connect(&server.host, server.port, server.timeout);
    let stream = connecting.await.map_err(|error| {
        let (kind, cause) = error.told(server.timeout, REFUSED);
        DriverError::new(kind, device, server.place(), cause)
    })?;
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
    let (config_of_tls, verifier) =
        server.trust.client_config(&server.host).map_err(|e| failed(e.to_string()))?;
    let mut tls = MakeRustlsConnect::new(config_of_tls);
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
        Err(error) => match verifier.refused() {
            Some((certificate, refusal)) => {
                let cause = match refusal {
                    Refusal::Unreviewed => UNTRUSTED.to_owned(),
                    Refusal::Unsigned(why) => format!("{UNTRUSTED} ({why})"),
                    refusal => refusal.to_string(),
                };
                Err(DriverError::untrusted(device, server.place(), cause, certificate))
            }
            None => Err(told(server, device, &error)),
        },
    }
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
