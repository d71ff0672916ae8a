//! Settings of a link: where the broker is and how it is spoken to. Drivers add their own fields.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use weir_connect::Fields;
use weir_connect::form::{self, advanced, choice, field, integer, own, secret, text, when};
use weir_connect::tls::{PEM_BYTES_MAX, Trust, TrustError, is_server_name};
use weir_model::FieldError;

use crate::link::Qos;
use crate::topic;

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Longest user name, password, client identifier and path; the protocol would take 65,535 bytes.
const WORD_BYTES_MAX: usize = 1024;

/// Most filters of one device.
pub(crate) const FILTERS_MAX: usize = 1000;

/// The shortest keep-alive that the library takes for MQTT 5, in seconds.
const KEEP_ALIVE_S_MIN_V5: u64 = 5;

/// The fields of a link in the order of the form.
pub const LINK_FIELDS: [&str; 18] = [
    "broker",
    "host",
    "port",
    "transport",
    "websocket_path",
    "version",
    "user",
    "password",
    "client_id",
    "ca",
    "trusted",
    "client_certificate",
    "client_key",
    "keep_alive_s",
    "timeout_ms",
    "persistent",
    "session_expiry_s",
    "accept_expired",
];

/// Where the broker is and how it is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSettings {
    /// Which broker.
    pub place: Place,
    /// The longest that connecting, and each answer, may take.
    pub timeout: Duration,
    /// The client identifier of a running device, where one is given.
    pub client_id: Option<String>,
    /// Whether the broker keeps subscriptions and messages while we are away.
    pub persistent: bool,
}

/// Which broker.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// One in the network.
    Outside(Box<Outside>),
    /// The one of this node.
    Inside,
}

/// A broker in the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside {
    /// Host name, IPv4 or IPv6 address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What carries the packets.
    pub transport: Transport,
    /// The path of a WebSocket, with its slash.
    pub websocket_path: String,
    /// The version of MQTT.
    pub version: Version,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// Whom to trust, and our certificate.
    pub trust: Trust,
    /// How often the connection is probed, in seconds.
    pub keep_alive_s: u16,
    /// How long a persistent session outlives its connection, in seconds; MQTT 3.1.1 leaves it to the broker.
    pub session_expiry_s: u32,
}

/// A text that is not shown.
#[derive(Clone, PartialEq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Versions of MQTT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1, which every broker speaks.
    #[default]
    V3,
    /// 5.
    V5,
}

/// What carries the packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    #[default]
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket over TCP.
    Websocket,
    /// WebSocket over TLS.
    WebsocketTls,
}

const VERSIONS: &[(&str, Version)] = &[("3.1.1", Version::V3), ("5", Version::V5)];

const TRANSPORTS: &[(&str, Transport)] = &[
    ("tcp", Transport::Tcp),
    ("tls", Transport::Tls),
    ("websocket", Transport::Websocket),
    ("websocket_tls", Transport::WebsocketTls),
];

impl Version {
    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Tls, Self::Websocket, Self::WebsocketTls];

    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Websocket => "websocket",
            Self::WebsocketTls => "websocket_tls",
        }
    }

    /// The port that brokers usually have for it.
    pub fn port(self) -> u16 {
        match self {
            Self::Tcp => 1883,
            Self::Tls => 8883,
            Self::Websocket => 8083,
            Self::WebsocketTls => 8084,
        }
    }

    /// Whether it is encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::WebsocketTls)
    }
}

impl LinkSettings {
    /// Reads the fields of a link; what is wrong is added to the errors.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let inside =
            fields.choice("broker", &[("outside", false), ("inside", true)]).unwrap_or_default();
        let outside = Outside::read(fields, inside);
        let timeout = fields.number("timeout_ms", 100..=60_000).unwrap_or(5000);
        Self {
            place: if inside { Place::Inside } else { Place::Outside(Box::new(outside)) },
            timeout: Duration::from_millis(timeout),
            client_id: fields.text("client_id", WORD_BYTES_MAX).map(str::to_owned),
            persistent: fields.truth("persistent").unwrap_or(true),
        }
    }

    /// What is connected to, for people.
    pub fn endpoint(&self) -> String {
        match &self.place {
            Place::Outside(outside) => outside.endpoint(),
            Place::Inside => "our own broker".to_owned(),
        }
    }
}

impl Outside {
    fn read(fields: &mut Fields<'_>, inside: bool) -> Self {
        let host = fields.text("host", HOST_BYTES_MAX);
        let host = if inside { host } else { fields.require("host", host) }.unwrap_or_default();
        // An IPv6 address is often pasted with the brackets it has in a URL.
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c)) {
            fields.wrong(
                "host",
                "a host name or an address is expected, without scheme, port and path",
            );
        }
        let transport = fields.choice("transport", TRANSPORTS).unwrap_or_default();
        if transport.is_tls() && !host.is_empty() && !is_server_name(host) {
            fields.wrong(
                "host",
                "TLS needs a valid host name (letters, digits, hyphens, dots) or an address",
            );
        }
        let port = fields.number("port", 1..=65535).map_or(transport.port(), |port| port as u16);
        let path = fields.text("websocket_path", WORD_BYTES_MAX).unwrap_or("/mqtt");
        if !path.starts_with('/')
            || !path.bytes().all(|b| b.is_ascii_graphic())
            || path.contains('#')
        {
            fields.wrong("websocket_path", "a path begins with a slash and has no spaces");
        }
        let version = fields.choice("version", VERSIONS).unwrap_or_default();
        let keep_alive = fields.number("keep_alive_s", 1..=3600).unwrap_or(30);
        let keep_alive = match version {
            Version::V3 => keep_alive,
            Version::V5 => keep_alive.max(KEEP_ALIVE_S_MIN_V5),
        };
        Self {
            host: host.to_owned(),
            port,
            transport,
            websocket_path: path.to_owned(),
            version,
            login: login(fields),
            trust: trust(fields, host),
            keep_alive_s: keep_alive as u16,
            session_expiry_s: fields.number("session_expiry_s", 60..=31_536_000).unwrap_or(604_800)
                as u32,
        }
    }

    /// Host and port as they are written, with brackets around an IPv6 address.
    pub fn endpoint(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn login(fields: &mut Fields<'_>) -> Option<(String, Secret)> {
    let user = fields.text("user", WORD_BYTES_MAX);
    // A password may begin or end with a space.
    let password = fields.get("password").map(Json::as_str);
    if password.is_some_and(|text| text.is_none_or(|text| text.len() > WORD_BYTES_MAX)) {
        fields.wrong("password", format!("a text of at most {WORD_BYTES_MAX} bytes is expected"));
    }
    let password = password.flatten().unwrap_or_default();
    if user.is_none() && !password.is_empty() {
        // MQTT 3.1.1, 3.1.2.9: no password without a user name.
        fields.wrong("user", "a password needs a user name");
    }
    user.map(|user| (user.to_owned(), Secret(password.to_owned())))
}

fn trust(fields: &mut Fields<'_>, host: &str) -> Trust {
    let certificate = fields.text("client_certificate", PEM_BYTES_MAX);
    let key = fields.text("client_key", PEM_BYTES_MAX);
    match (certificate, key) {
        (Some(_), None) => fields.wrong("client_key", "the certificate's private key is missing"),
        (None, Some(_)) => {
            fields.wrong("client_certificate", "the certificate of this key is missing")
        }
        _ => {}
    }
    let owned = |(certificate, key): (&str, &str)| (certificate.to_owned(), key.to_owned());
    let trust = Trust {
        trusted: fields.trusted(),
        accept_expired: fields.accept_expired(),
        authorities: fields.text("ca", PEM_BYTES_MAX).map(str::to_owned),
        client: certificate.zip(key).map(owned),
    };
    match trust.client_config(host) {
        Ok(_) => {}
        Err(error @ TrustError::Authorities(_)) => fields.wrong("ca", error.to_string()),
        Err(error @ TrustError::Certificate(_)) => {
            fields.wrong("client_certificate", error.to_string())
        }
        Err(error @ TrustError::Key(_)) => fields.wrong("client_key", error.to_string()),
    }
    trust
}

/// The fields of a link for a form: `properties` of a JSON Schema, named by [`LINK_FIELDS`].
pub fn link_fields() -> Map<String, Json> {
    let mut fields = Map::new();
    let mut add = |name: &str, field: Json| fields.insert(name.to_owned(), field);
    let outside = |schema| when(schema, "broker", &["outside"]);
    let tls = |schema| when(schema, "transport", &["tls", "websocket_tls"]);
    add(
        "broker",
        field(
            choice(
                &[
                    ("outside", ["In the network", "外部代理"]),
                    ("inside", ["This node's own", "本节点内置代理"]),
                ],
                "outside",
            ),
            ["Broker", "MQTT 代理"],
            ["Which broker the messages pass through", "消息经由哪个代理（Broker）"],
        ),
    );
    add(
        "host",
        field(
            own(outside(text(HOST_BYTES_MAX))),
            ["Host", "主机"],
            ["Host name, IPv4 or IPv6 address of the broker", "代理的主机名、IPv4 或 IPv6 地址"],
        ),
    );
    add(
        "port",
        field(
            outside(json!({"type": ["integer", "null"], "minimum": 1, "maximum": 65535})),
            ["Port", "端口"],
            [
                "TCP port; where empty 1883, 8883 with TLS, 8083 and 8084 for WebSocket",
                "TCP 端口；留空时为 1883，TLS 为 8883，WebSocket 为 8083 和 8084",
            ],
        ),
    );
    add(
        "transport",
        field(
            outside(choice(
                &[
                    ("tcp", ["TCP", "TCP"]),
                    ("tls", ["TLS", "TLS 加密"]),
                    ("websocket", ["WebSocket", "WebSocket"]),
                    ("websocket_tls", ["WebSocket over TLS", "WebSocket（TLS 加密）"]),
                ],
                "tcp",
            )),
            ["Transport", "传输方式"],
            ["What carries the packets", "承载 MQTT 报文的传输方式"],
        ),
    );
    add(
        "websocket_path",
        field(
            when(
                json!({"type": "string", "minLength": 1, "maxLength": WORD_BYTES_MAX, "default": "/mqtt"}),
                "transport",
                &["websocket", "websocket_tls"],
            ),
            ["WebSocket path", "WebSocket 路径"],
            ["The path of the broker's WebSocket", "代理的 WebSocket 路径"],
        ),
    );
    add(
        "version",
        field(
            outside(choice(&[("3.1.1", ["3.1.1", "3.1.1"]), ("5", ["5", "5.0"])], "3.1.1")),
            ["MQTT version", "MQTT 版本"],
            ["The version that is spoken with the broker", "与代理通信所用的协议版本"],
        ),
    );
    add(
        "user",
        field(
            outside(text(WORD_BYTES_MAX)),
            ["User", "用户名"],
            [
                "User name at the broker; empty where it asks for none",
                "代理的登录用户名；无需登录时留空",
            ],
        ),
    );
    add(
        "password",
        field(
            secret(outside(text(WORD_BYTES_MAX))),
            ["Password", "密码"],
            ["Password of the user", "该用户的密码"],
        ),
    );
    add(
        "client_id",
        field(
            own(advanced(text(WORD_BYTES_MAX))),
            ["Client identifier", "客户端标识"],
            [
                "What the broker knows this device by; where empty, one is made of the device's identifier. No two clients may have the same",
                "代理识别本设备的 Client ID；留空时由设备标识生成。不得与其他客户端重复",
            ],
        ),
    );
    add(
        "ca",
        field(
            tls(json!({"type": "string", "maxLength": PEM_BYTES_MAX, "x-multiline": true})),
            ["Authority (PEM)", "CA 证书（PEM）"],
            [
                "Certificates of the authorities that sign the broker's; public authorities of browsers do not count",
                "签发代理证书的 CA 证书；浏览器内置的公共 CA 不予采信",
            ],
        ),
    );
    add("trusted", tls(form::trusted()));
    add("accept_expired", tls(form::accept_expired()));
    add(
        "client_certificate",
        field(
            own(tls(json!({"type": "string", "maxLength": PEM_BYTES_MAX, "x-multiline": true}))),
            ["Client certificate (PEM)", "客户端证书（PEM）"],
            [
                "Our certificate with its chain, where the broker asks for one",
                "代理要求双向认证时使用的客户端证书及证书链",
            ],
        ),
    );
    add(
        "client_key",
        field(
            secret(tls(json!({"type": "string", "maxLength": PEM_BYTES_MAX, "x-multiline": true}))),
            ["Client key (PEM)", "客户端私钥（PEM）"],
            [
                "The private key of the client certificate, not encrypted",
                "客户端证书的私钥（未加密）",
            ],
        ),
    );
    add(
        "keep_alive_s",
        field(
            advanced(outside(integer(1, 3600, 30))),
            ["Keep-alive (s)", "心跳间隔（秒）"],
            [
                "How often a silent connection is probed; at least 5 with MQTT 5",
                "连接空闲时的探测间隔；MQTT 5 至少为 5 秒",
            ],
        ),
    );
    add(
        "timeout_ms",
        field(
            advanced(integer(100, 60_000, 5000)),
            ["Time-out (ms)", "超时（毫秒）"],
            [
                "The longest that connecting and each answer of the broker may take",
                "连接及代理每次应答的最长等待时间",
            ],
        ),
    );
    add(
        "persistent",
        field(
            advanced(outside(json!({"type": "boolean", "default": true}))),
            ["Persistent session", "持久会话"],
            [
                "The broker keeps messages of quality 1 while this node is away, and sends them later",
                "本节点离线期间，代理保留 QoS 1 消息并在恢复后补发",
            ],
        ),
    );
    add(
        "session_expiry_s",
        field(
            advanced(when(integer(60, 31_536_000, 604_800), "version", &["5"])),
            ["Session expiry (s)", "会话过期时间（秒）"],
            [
                "How long the broker keeps them; MQTT 3.1.1 leaves it to the broker",
                "代理保留会话的时长；MQTT 3.1.1 由代理决定",
            ],
        ),
    );
    fields
}

/// Settings of a device of this driver.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) link: LinkSettings,
    pub(crate) qos: Qos,
    /// What is subscribed to; the points' own topics where it is empty.
    pub(crate) topics: Vec<String>,
    /// How long browsing listens.
    pub(crate) listen: Duration,
}

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    pub(crate) fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let link = LinkSettings::read(&mut fields);
        let qos = fields.number("qos", 0..=1).unwrap_or(1);
        let topics =
            fields.texts("topics", FILTERS_MAX, topic::TOPIC_BYTES_MAX).unwrap_or_default();
        for filter in &topics {
            if let Err(reason) = topic::check_filter(filter) {
                fields.wrong("topics", reason);
                break;
            }
        }
        let listen = fields.number("listen_ms", 100..=20_000).unwrap_or(3000);
        let settings = Self {
            link,
            qos: if qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce },
            topics: topics.into_iter().map(str::to_owned).collect(),
            listen: Duration::from_millis(listen),
        };
        fields.finish();
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests;
