//! Settings: one TOML file, environment variables over it, command-line flags over those.
//!
//! Every setting has a default, so an empty file is a complete one. A key that does not exist is
//! refused and the nearest known one is named. [`Loaded::rows`] tells where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use weir_model::{Grade, Prefix};

/// Largest settings file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// All settings. The field names are the keys of the file: `[listen] address = "…"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where data lives.
    pub data: Data,
    /// Where the console and the API listen.
    pub listen: Listen,
    /// The organisation that an empty data folder starts with.
    pub organisation: Organisation,
    /// Telemetry.
    pub historian: Historian,
    /// SQL.
    pub query: Query,
    /// The table of samples in an object store.
    pub lake: Lake,
    /// Connections to devices.
    pub connect: Connect,
    /// The MQTT broker.
    pub mqtt: Mqtt,
    /// The OPC UA server.
    pub opcua: OpcUa,
    /// The server of identifiers.
    pub resolver: Resolver,
    /// Sign-in.
    pub access: Access,
    /// Log lines.
    pub log: Log,
}

/// `[data]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The data folder; made when it is missing.
    pub dir: PathBuf,
}

/// `[listen]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// `auto`: TLS beyond loopback. `on`: always. `off`: never, for use behind a proxy.
    pub tls: TlsMode,
    /// The certificate chain (PEM); empty: one is generated in the data folder.
    pub certificate: PathBuf,
    /// The certificate's private key (PEM).
    pub key: PathBuf,
    /// Most connections at the same time.
    pub connections_max: usize,
}

/// When connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Beyond loopback only.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// `[organisation]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// The identifier prefix, such as `88.100.7`.
    pub prefix: Prefix,
    /// Its name.
    pub name: String,
    /// The grade of data that neither tag nor asset grades.
    pub grade: Grade,
}

/// `[historian]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Historian {
    /// How far in the future a sample's time may lie, in seconds.
    pub future_s: u32,
    /// Samples in memory before they are written as columns, in mebibytes.
    pub memory_mib: u32,
    /// Most tags an organisation may have with those that series of line protocol and of Prometheus
    /// make by themselves.
    pub series_tags: u32,
}

/// `[query]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The longest that a statement may take, in seconds; a request may take 30.
    pub time_s: u32,
    /// Memory that one statement may take, in mebibytes.
    pub memory_mib: u32,
    /// Statements that run at the same time, each on a core of its own; others wait.
    pub at_once: usize,
    /// Most rows of one answer.
    pub rows_max: usize,
    /// Whether Arrow Flight SQL is answered too, at the address of the console.
    pub flight: bool,
}

/// `[lake]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lake {
    /// Where the Delta table is that follows the samples: `s3://bucket/folder` or `file:///folder`. Empty: there
    /// is none, and no sample leaves.
    pub url: String,
    /// The prefixes of the organisations whose samples go there; `*`: of all.
    pub organisations: Vec<String>,
    /// The highest grade of what may be there. Files hold the samples of many tags: an organisation that has a tag
    /// of a higher grade keeps all of its samples here.
    pub grade: Grade,
    /// The address of an S3-compatible store; empty: Amazon's of the region.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The access key; empty: what the variables `AWS_…` or the machine's role say.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
    /// A file whose first line is the secret, instead.
    pub secret_key_file: PathBuf,
    /// From one look for new files to the next, in minutes.
    pub every_min: u32,
    /// How long files that were replaced stay there for those who read an older version, in hours.
    pub retain_hours: u32,
}

/// A text that is never shown.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { SECRET_SHOWN })
    }
}

/// What is shown instead of a secret.
const SECRET_SHOWN: &str = "(secret)";

/// Settings whose values are never shown.
const SECRETS: &[&str] = &["lake.secret_key"];

/// `[connect]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// Largest store-and-forward spool on disk, in mebibytes.
    pub spool_mib: u32,
    /// The folders below which files may be picked up; none: no file is.
    pub pickup_dirs: Vec<PathBuf>,
}

/// `[mqtt]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Whether the broker runs. Clients show an API token as their password.
    pub enabled: bool,
    /// Address and port; usually port 1883, and 8883 with TLS. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether MQTT over WebSocket is served too.
    pub websocket: bool,
    /// Address and port for WebSocket.
    pub websocket_address: SocketAddr,
    /// `auto`: TLS beyond loopback, with the certificate of `[listen]`. `on`: always. `off`: never.
    pub tls: TlsMode,
    /// A PEM file of authorities: clients then show a certificate that one of them has signed, beside
    /// their token. None: no certificate is asked for.
    pub client_authorities: PathBuf,
    /// Most connections at the same time, of all tenants; one may have three quarters of what the others leave.
    pub connections_max: usize,
    /// Most sessions of a tenant, connected or kept.
    pub sessions_max: usize,
    /// The largest packet in either direction, in kibibytes.
    pub packet_kib: u32,
    /// Most messages that wait for one session.
    pub queue_messages_max: usize,
    /// Their size, in mebibytes.
    pub queue_mib: u32,
    /// How long a subscriber whose queue is half full may hold up those who publish to it, in seconds; then it is
    /// disconnected.
    pub slow_s: u32,
    /// What sessions, their queues and retained messages of all tenants may take on disk, in mebibytes; the files take
    /// at most about twice as much.
    pub journal_mib: u32,
}

/// `[opcua]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpcUa {
    /// Whether the server runs. Users sign in with name and password, or with an API token as the
    /// password.
    pub enabled: bool,
    /// Address and port; usually port 4840. Port 0 takes a free one.
    pub address: SocketAddr,
    /// What connections may be secured by.
    pub policies: Vec<OpcUaPolicy>,
    /// Names and addresses by which clients reach this machine, the best first, for the certificate
    /// that is made at the first start; none: the machine's name and the address.
    pub host_names: Vec<String>,
    /// Most connections at the same time.
    pub connections_max: usize,
    /// Most sessions at the same time.
    pub sessions_max: usize,
    /// Most subscriptions at the same time, of all sessions.
    pub subscriptions_max: usize,
    /// Most values that are watched at the same time, of all sessions: about a kilobyte each.
    pub monitored_items_max: usize,
}

/// A security policy of OPC UA, by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpcUaPolicy {
    /// Neither signature nor encryption, but of passwords: for closed networks and old clients.
    None,
    /// Of the three secure ones, the cheapest to compute.
    #[serde(rename = "Aes128_Sha256_RsaOaep")]
    Aes128Sha256RsaOaep,
    /// What nearly every client knows.
    Basic256Sha256,
    /// The strongest.
    #[serde(rename = "Aes256_Sha256_RsaPss")]
    Aes256Sha256RsaPss,
}

/// `[resolver]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// Whether identifiers are answered over the Handle protocol, to everybody, as far as their records say.
    pub enabled: bool,
    /// Addresses and ports for UDP and TCP, one for IPv4 and one for IPv6, or either; usually port 2641. Port 0
    /// takes a free one.
    pub addresses: Vec<SocketAddr>,
    /// The address by which others reach this server, for its site record; empty: the first of the above.
    pub public_address: String,
    /// Address and port for HTTP: records as JSON and as pages, GS1 Digital Links, QR codes, and the protocol's own
    /// messages; empty: none. The root of its URLs belongs to identifiers, so it is not the console's.
    pub http_address: String,
    /// The address of that by which others know it, such as `https://id.example.cn`; empty: what each request calls it
    /// by, which whoever asks may choose.
    pub public_url: String,
    /// Keys, as `index:prefix/suffix`, whose holders may home prefixes, and read and change every record.
    pub administrators: Vec<String>,
    /// Whether records may be changed over UDP too.
    pub udp_admin: bool,
    /// Most TCP connections at the same time.
    pub connections_max: usize,
    /// Most kibibytes a second that go to one network over UDP: what somebody who asks in another's name can have
    /// sent there.
    pub udp_kib_per_s: u32,
}

/// `[access]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// A session ends after this many minutes without a request.
    pub session_idle_min: u32,
    /// A session ends after this many hours in any case.
    pub session_hours: u32,
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,weir_modbus=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "literals that the tests parse")]
        Self {
            data: Data { dir: PathBuf::from("weir-data") },
            listen: Listen {
                address: SocketAddr::from(([127, 0, 0, 1], 7300)),
                tls: TlsMode::Auto,
                certificate: PathBuf::new(),
                key: PathBuf::new(),
                connections_max: 1024,
            },
            organisation: Organisation {
                prefix: "local".parse().expect("a prefix"),
                name: "Local".to_owned(),
                grade: Grade::Core,
            },
            historian: Historian { future_s: 300, memory_mib: 32, series_tags: 100_000 },
            query: Query {
                time_s: 27,
                memory_mib: 256,
                at_once: 2,
                rows_max: 1_000_000,
                flight: true,
            },
            lake: Lake {
                url: String::new(),
                organisations: Vec::new(),
                grade: Grade::Public,
                endpoint: String::new(),
                region: "us-east-1".to_owned(),
                access_key: String::new(),
                secret_key: Secret::default(),
                secret_key_file: PathBuf::new(),
                every_min: 5,
                retain_hours: 7 * 24,
            },
            connect: Connect { spool_mib: 1024, pickup_dirs: Vec::new() },
            mqtt: Mqtt {
                enabled: false,
                address: SocketAddr::from(([127, 0, 0, 1], 1883)),
                websocket: false,
                websocket_address: SocketAddr::from(([127, 0, 0, 1], 8083)),
                tls: TlsMode::Auto,
                client_authorities: PathBuf::new(),
                connections_max: 20_000,
                sessions_max: 100_000,
                packet_kib: 1024,
                queue_messages_max: 100_000,
                queue_mib: 32,
                slow_s: 5,
                journal_mib: 1024,
            },
            opcua: OpcUa {
                enabled: false,
                address: SocketAddr::from(([127, 0, 0, 1], 4840)),
                policies: vec![
                    OpcUaPolicy::Aes128Sha256RsaOaep,
                    OpcUaPolicy::Basic256Sha256,
                    OpcUaPolicy::Aes256Sha256RsaPss,
                ],
                host_names: Vec::new(),
                connections_max: 128,
                sessions_max: 100,
                subscriptions_max: 1_000,
                monitored_items_max: 200_000,
            },
            resolver: Resolver {
                enabled: false,
                addresses: vec![SocketAddr::from(([127, 0, 0, 1], 2641))],
                public_address: String::new(),
                http_address: String::new(),
                public_url: String::new(),
                administrators: Vec::new(),
                udp_admin: false,
                connections_max: 4_096,
                udp_kib_per_s: 4_096,
            },
            access: Access { session_idle_min: 60, session_hours: 12 },
            log: Log { level: "info".to_owned(), format: LogFormat::Text },
        }
    }
}

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// The settings file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A command-line flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is too large to be a settings file.
    #[error("the settings file {} is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("the settings file {} is not TOML: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// No such setting.
    #[error("{origin} names the setting {key:?}, which does not exist; did you mean {nearest:?}?")]
    UnknownKey {
        /// Where it was found.
        origin: Source,
        /// What was written.
        key: String,
        /// The nearest known setting.
        nearest: String,
    },
    /// The value does not fit.
    #[error("the setting {key} (from {origin}) cannot be {value}: {reason}")]
    BadValue {
        /// The setting.
        key: String,
        /// Where its value came from.
        origin: Source,
        /// The value.
        value: String,
        /// Why not.
        reason: String,
    },
}

/// Settings with the source of each.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    rows: BTreeMap<String, (Value, Source)>,
}

/// One setting, as `weir config show` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `section.key`.
    pub key: String,
    /// Its value as TOML writes it.
    pub value: String,
    /// Where it came from.
    pub source: String,
}

impl Loaded {
    /// Every setting in the order of its key.
    pub fn rows(&self) -> Vec<Row> {
        self.rows
            .iter()
            .map(|(key, (value, source))| Row {
                key: key.clone(),
                value: shown(key, value),
                source: source.to_string(),
            })
            .collect()
    }
}

/// A setting's value as it may be seen.
fn shown(key: &str, value: &Value) -> String {
    let is_hidden = SECRETS.contains(&key) && value.as_str().is_none_or(|text| !text.is_empty());
    if is_hidden { Value::from(SECRET_SHOWN).to_string() } else { value.to_string() }
}

/// Why a setting's value does not fit. The parser's words name the value.
fn reason(key: &str, error: &toml::de::Error) -> String {
    match SECRETS.contains(&key) {
        true => "it is a text, in quotes".to_owned(),
        false => error.message().to_owned(),
    }
}

/// The environment variable of a setting: `listen.address` is `WEIR_LISTEN_ADDRESS`.
pub fn variable(key: &str) -> String {
    format!("WEIR_{}", key.replace('.', "_").to_uppercase())
}

/// Loads the settings: defaults, then the file, then the environment, then flags.
///
/// `flags` are (flag, key, value) as the command line gave them.
///
/// # Errors
/// [`ConfigError`]; the first problem found.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, &str, String)],
) -> Result<Loaded, ConfigError> {
    let mut rows = defaults();
    if let Some(path) = file {
        for (key, value) in flatten(&read(path)?) {
            set(&mut rows, &key, value, Source::File(path.to_owned()))?;
        }
    }
    let known: Vec<(String, String)> = rows.keys().map(|k| (variable(k), k.clone())).collect();
    let sections: Vec<String> =
        rows.keys().filter_map(|k| Some(k.split_once('.')?.0.to_owned())).collect();
    for (name, text) in environment {
        if let Some((_, key)) = known.iter().find(|(variable, _)| *variable == name) {
            let source = Source::Environment(name);
            let value = typed(&rows[key].0, key, &text, &source)?;
            set(&mut rows, key, value, source)?;
        } else if let Some(key) = setting_like(&name, &sections) {
            let nearest = nearest(&rows, &key);
            let origin = Source::Environment(name);
            return Err(ConfigError::UnknownKey { origin, key, nearest });
        }
    }
    for (flag, key, text) in flags {
        let source = Source::Flag((*flag).to_owned());
        let value = typed(&rows[*key].0, key, text, &source)?;
        set(&mut rows, key, value, source)?;
    }
    let config = build(&rows)?;
    Ok(Loaded { config, rows })
}

/// `WEIR_LISTEN_ADRESS` looks like a setting, since its section exists; `WEIR_URL` does not.
fn setting_like(name: &str, sections: &[String]) -> Option<String> {
    let rest = name.strip_prefix("WEIR_")?.to_lowercase();
    let (section, key) = rest.split_once('_')?;
    sections.iter().any(|s| s == section).then(|| format!("{section}.{key}"))
}

fn defaults() -> BTreeMap<String, (Value, Source)> {
    #[expect(clippy::expect_used, reason = "plain structs of texts and numbers; a test loads them")]
    let table = Table::try_from(Config::default()).expect("the defaults are TOML");
    flatten(&table).into_iter().map(|(key, value)| (key, (value, Source::Default))).collect()
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let fail = |source| ConfigError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(fail)?.len() > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    let text = std::fs::read_to_string(path).map_err(fail)?;
    text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        reason: located(&text, error.span()),
    })
}

/// Where a file is no TOML. Neither the line nor the parser's words are shown: they may hold a
/// secret.
fn located(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start));
    before.map_or_else(
        || "a line cannot be read".to_owned(),
        |before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!(
                "line {line}, column {column} cannot be read; look for a quote or a bracket that \
                 is missing, and for a key that is there twice"
            )
        },
    )
}

fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(inner) => {
                rows.extend(inner.iter().map(|(k, v)| (format!("{section}.{k}"), v.clone())));
            }
            other => rows.push((section.clone(), other.clone())),
        }
    }
    rows
}

fn set(
    rows: &mut BTreeMap<String, (Value, Source)>,
    key: &str,
    value: Value,
    source: Source,
) -> Result<(), ConfigError> {
    let Some(row) = rows.get_mut(key) else {
        let nearest = nearest(rows, key);
        return Err(ConfigError::UnknownKey { origin: source, key: key.to_owned(), nearest });
    };
    *row = (value, source);
    Ok(())
}

fn nearest(rows: &BTreeMap<String, (Value, Source)>, key: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    rows.keys()
        .max_by(|a, b| {
            let score = |k: &str| {
                let whole = strsim::jaro_winkler(k, key);
                let tail = strsim::jaro_winkler(k.rsplit('.').next().unwrap_or(k), last);
                whole + tail
            };
            score(a).total_cmp(&score(b))
        })
        .cloned()
        .unwrap_or_default()
}

/// Reads a text as the TOML type that the setting has.
fn typed(like: &Value, key: &str, text: &str, source: &Source) -> Result<Value, ConfigError> {
    let parsed = match like {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        // A list of texts, with commas between.
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    };
    parsed.ok_or_else(|| ConfigError::BadValue {
        key: key.to_owned(),
        origin: source.clone(),
        value: format!("{text:?}"),
        reason: format!("it is of type {}", like.type_str()),
    })
}

/// Puts the rows together; a value that does not fit is found by trying each one alone.
fn build(rows: &BTreeMap<String, (Value, Source)>) -> Result<Config, ConfigError> {
    let assemble = |rows: &mut dyn Iterator<Item = (&String, &Value)>| {
        let mut table = Table::new();
        for (key, value) in rows {
            if let Some((section, name)) = key.split_once('.') {
                let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(section) = section {
                    section.insert(name.to_owned(), value.clone());
                }
            }
        }
        table.try_into::<Config>()
    };
    let whole_error = match assemble(&mut rows.iter().map(|(k, (v, _))| (k, v))) {
        Ok(config) => return Ok(config),
        Err(error) => error,
    };
    let defaults = defaults();
    for (key, (value, source)) in rows {
        let alone = assemble(&mut defaults.iter().map(
            |(k, (v, _))| {
                if k == key { (k, value) } else { (k, v) }
            },
        ));
        if let Err(error) = alone {
            return Err(ConfigError::BadValue {
                key: key.clone(),
                origin: source.clone(),
                value: shown(key, value),
                reason: reason(key, &error),
            });
        }
    }
    Err(ConfigError::BadValue {
        key: "settings".to_owned(),
        origin: Source::Default,
        value: "combined".to_owned(),
        reason: whole_error.message().to_owned(),
    })
}

#[cfg(test)]
mod tests;
