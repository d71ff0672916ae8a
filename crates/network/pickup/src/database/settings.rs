//! Settings of a server and a query.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_connect::tls::{PEM_BYTES_MAX, Trust};
use weir_model::FieldError;

use crate::moment::{Moments, moments};
use crate::table::{COLUMN_EXPECTED, Column};

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Longest name of a database, a user or a column.
const NAME_BYTES_MAX: usize = 256;

/// Longest query.
const QUERY_BYTES_MAX: usize = 16 * 1024;

/// How a server is reached.
#[derive(Clone, PartialEq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) tls: bool,
    pub(crate) trust: Trust,
    pub(crate) timeout: Duration,
}

/// A password is shown to nobody.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Settings of a server and a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) server: Server,
    /// Without a semicolon at its end.
    pub(crate) query: String,
    pub(crate) cursor_column: String,
    /// What the cursor is at first, as PostgreSQL reads it.
    pub(crate) cursor_start: String,
    /// Where the times are; when the rows were read without one.
    pub(crate) time_column: Option<Column>,
    pub(crate) moments: Moments,
    pub(crate) poll: Duration,
    /// Rows younger than this are left for the next time, since others with a lower cursor may still
    /// become visible: a transaction that began earlier may end later.
    pub(crate) settle: Duration,
    pub(crate) rows_max: u32,
}

impl Server {
    /// Reads the part of the settings that a server is reached by.
    ///
    /// # Errors
    /// Each wrong field.
    pub(crate) fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let server = Self::read(&mut fields);
        if errors.is_empty() { Ok(server) } else { Err(errors) }
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        let host = fields.text("host", HOST_BYTES_MAX);
        let host = fields.require("host", host).unwrap_or_default();
        // An IPv6 address is often pasted with the brackets it has in a URL.
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let user = fields.text("user", NAME_BYTES_MAX);
        let user = fields.require("user", user).unwrap_or_default().to_owned();
        let choices: &[(&str, bool)] = &[("require", true), ("off", false)];
        let trust = Trust {
            trusted: fields.trusted(),
            accept_expired: fields.accept_expired(),
            authorities: fields.text("ca", PEM_BYTES_MAX).map(str::to_owned),
            client: None,
        };
        if let Err(error) = trust.client_config(host) {
            fields.wrong("ca", error.to_string());
        }
        // A password is taken as it is, white space and all.
        let password = fields.get("password").and_then(|json| {
            let fits = |text: &&str| (1..=NAME_BYTES_MAX).contains(&text.len());
            let password = json.as_str().filter(fits);
            if password.is_none() {
                fields.wrong(
                    "password",
                    format!("a text of 1 to {NAME_BYTES_MAX} bytes is expected"),
                );
            }
            password.map(str::to_owned)
        });
        Self {
            host: host.to_owned(),
            port: fields.number("port", 1..=65535).unwrap_or(5432) as u16,
            database: fields.text("database", NAME_BYTES_MAX).unwrap_or("postgres").to_owned(),
            user,
            password,
            tls: fields.choice("sslmode", choices).unwrap_or(true),
            trust,
            timeout: Duration::from_millis(
                fields.number("timeout_ms", 100..=60_000).unwrap_or(10_000),
            ),
        }
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        let (host, port, database) = (&self.host, self.port, &self.database);
        if host.contains(':') {
            format!("[{host}]:{port}, database {database}")
        } else {
            format!("{host}:{port}, database {database}")
        }
    }
}

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    ///
    /// # Errors
    /// Each wrong field.
    pub(crate) fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let server = Server::read(&mut fields);
        let query = fields.text("query", QUERY_BYTES_MAX);
        let query = fields.require("query", query).unwrap_or_default();
        let is_given = !query.is_empty();
        let query = query.trim_end_matches([';', ' ', '\t', '\r', '\n']);
        if is_given && let Err(detail) = single_select(query) {
            fields.wrong("query", detail);
        }
        let cursor_column = fields.text("cursor_column", NAME_BYTES_MAX);
        let cursor_column = fields.require("cursor_column", cursor_column).unwrap_or_default();
        let cursor_start = fields.text("cursor_start", NAME_BYTES_MAX);
        let cursor_start = fields.require("cursor_start", cursor_start).unwrap_or_default();
        let time_column = fields.get("time_column").and_then(|json| {
            let column = Column::parse(json);
            if column.is_none() {
                fields.wrong("time_column", COLUMN_EXPECTED);
            }
            column
        });
        let moments = moments(&mut fields);
        let poll = fields.number("poll_s", 1..=86_400).unwrap_or(10);
        let settle = fields.number("settle_s", 0..=3600).unwrap_or(0);
        if settle > 0 && time_column.is_none() {
            fields.wrong("settle_s", "only with a column of times is it known how old rows are");
        }
        let rows_max = fields.number("rows_max", 1..=10_000).unwrap_or(1000) as u32;
        let settings = Self {
            server,
            query: query.to_owned(),
            cursor_column: cursor_column.to_owned(),
            cursor_start: cursor_start.to_owned(),
            time_column,
            moments,
            poll: Duration::from_secs(poll),
            settle: Duration::from_secs(settle),
            rows_max,
        };
        fields.finish();
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

/// Whether a text looks like one SELECT. Whether it is one, the server decides: it takes no second
/// statement where the first one has parameters, and nothing that writes in a read-only transaction.
fn single_select(query: &str) -> Result<(), &'static str> {
    let mut rest = query.trim_start();
    // Comments may come first.
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    if !matches!(word.to_ascii_lowercase().as_str(), "select" | "with") {
        return Err("one SELECT is expected");
    }
    if query.contains('\0') {
        return Err("a text without NUL characters is expected");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weir_connect::tls::CERTIFICATES_MAX;

    fn good() -> Json {
        json!({
            "host": "[::1]", "user": "reader", "password": "s3cret", "query": "select * from m where id > $1;\n",
            "cursor_column": "id", "cursor_start": "0",
        })
    }

    #[test]
    fn reads_defaults_and_shows_no_password() {
        let settings = Settings::parse(&good()).unwrap();
        assert_eq!(settings.query, "select * from m where id > $1");
        assert_eq!(settings.server.place(), "[::1]:5432, database postgres");
        assert!(settings.server.tls);
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn a_list_of_authorities_is_never_cut() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let mut settings = good();
        settings["ca"] = pem.repeat(CERTIFICATES_MAX).into();
        settings["accept_expired"] = true.into();
        let trust = Settings::parse(&settings).unwrap().server.trust;
        assert!(trust.accept_expired && trust.authorities.is_some());
        settings["ca"] = pem.repeat(CERTIFICATES_MAX + 1).into();
        let errors = Settings::parse(&settings).unwrap_err();
        assert_eq!(errors[0].field, "/settings/ca");
        assert!(errors[0].detail.contains("more than 64"), "{}", errors[0].detail);
    }

    #[test]
    fn names_each_wrong_field() {
        let wrong = json!({
            "port": 0, "sslmode": "prefer", "trusted": ["x"], "accept_expired": "x", "ca": "none", "query": "update m set a = 1",
            "cursor_column": "", "time_column": [], "time_format": "x", "settle_s": 5, "rows_max": 0,
            "z": 1,
        });
        let fields: Vec<_> =
            Settings::parse(&wrong).unwrap_err().into_iter().map(|e| e.field).collect();
        let expected = [
            "host",
            "user",
            "trusted",
            "accept_expired",
            "ca",
            "port",
            "sslmode",
            "query",
            "cursor_column",
            "cursor_start",
            "time_column",
            "time_format",
            "settle_s",
            "rows_max",
            "z",
        ];
        assert_eq!(fields, expected.map(|f| format!("/settings/{f}")));
        for query in ["insert into m values (1)", "-- select\ndelete from m", ";", "selectx 1"] {
            let mut settings = good();
            settings["query"] = query.into();
            assert!(Settings::parse(&settings).is_err(), "{query}");
        }
        for query in ["-- what\n  SELECT 1", "with x as (select 1) select * from x"] {
            let mut settings = good();
            settings["query"] = query.into();
            assert!(Settings::parse(&settings).is_ok(), "{query}");
        }
    }
}
