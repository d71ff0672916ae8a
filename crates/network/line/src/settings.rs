//! Settings of a device that sends lines.

use std::net::IpAddr;
use std::time::Duration;

use encoding_rs::{Encoding, GBK, UTF_8, WINDOWS_1252};
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::Network;

/// Longest line that settings may allow: the longest text of a sample.
pub const LINE_BYTES_MAX: usize = weir_model::TEXT_BYTES_MAX;

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Most addresses and networks that are allowed: a plant's scanners one by one.
const ALLOWED_MAX: usize = 256;

/// Longest network as a text.
const NETWORK_BYTES_MAX: usize = 64;

/// Longest delimiter of a device's own, and its longest text: each byte may be written as `\x1d`.
const DELIMITER_BYTES_MAX: usize = 8;
const DELIMITER_TEXT_BYTES_MAX: usize = 4 * DELIMITER_BYTES_MAX;

/// In a device that listens, most connections at a time that settings may allow.
pub(crate) const CONNECTIONS_MAX: u64 = 256;

/// Below this byte, no character of GBK or GB 18030 has a second, third or fourth byte.
const GBK_INNER_MIN: u8 = 0x30;

const STX: u8 = 0x02;
const ETX: u8 = 0x03;

/// Who connects to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The device is a TCP server.
    Connect {
        /// Host name, IPv4 or IPv6 address.
        host: String,
    },
    /// Weir is the TCP server.
    Listen {
        /// The own address to listen at; all of them without one.
        address: Option<IpAddr>,
        /// Who may connect; nobody else may.
        allow: Vec<Network>,
        /// Most connections at a time.
        connections_max: usize,
    },
}

/// What ends a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Delimiter {
    /// A line feed; a carriage return before it belongs to it.
    #[default]
    Lf,
    /// A carriage return; a line feed behind it belongs to it.
    Cr,
    /// A carriage return and a line feed.
    CrLf,
    /// The end of a text (03); the start of a text (02) before the line, and line ends before that, belong to
    /// it. Lines that are sent have both.
    Etx,
    /// Some bytes of the device's own.
    Custom(Vec<u8>),
}

/// How the characters of lines are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextEncoding {
    /// UTF-8, ASCII included.
    #[default]
    Utf8,
    /// Simplified Chinese, GB 18030 included.
    Gbk,
    /// Western European (Windows-1252).
    Latin1,
}

const ENCODINGS: &[(&str, TextEncoding)] =
    &[("utf-8", TextEncoding::Utf8), ("gbk", TextEncoding::Gbk), ("latin1", TextEncoding::Latin1)];

/// Settings of a device that sends lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Who connects to whom.
    pub mode: Mode,
    /// The TCP port, of the device or our own.
    pub port: u16,
    /// What ends a line.
    pub delimiter: Delimiter,
    /// How lines are encoded.
    pub encoding: TextEncoding,
    /// Most bytes of a line.
    pub line_bytes_max: usize,
    /// A connection over which no line comes for so long is dropped.
    pub idle: Option<Duration>,
    /// How often TCP asks whether the other side is still there.
    pub keep_alive: Duration,
    /// The longest that connecting and sending may take.
    pub timeout: Duration,
}

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    ///
    /// # Errors
    /// Each wrong field.
    pub fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let is_listening =
            fields.choice("mode", &[("connect", false), ("listen", true)]).unwrap_or(false);
        let connect = connect(&mut fields, is_listening);
        let listen = listen(&mut fields, is_listening);
        let mode = if is_listening { listen } else { connect };
        let port = fields.number("port", 1..=65535);
        let port = fields.require("port", port).unwrap_or_default() as u16;
        let encoding = fields.choice("encoding", ENCODINGS).unwrap_or_default();
        let delimiter = delimiter(&mut fields, encoding).unwrap_or_default();
        let seconds = Duration::from_secs;
        let settings = Self {
            mode,
            port,
            delimiter,
            encoding,
            line_bytes_max: fields
                .number("line_bytes_max", 1..=LINE_BYTES_MAX as u64)
                .unwrap_or(4096) as usize,
            idle: fields.number("idle_seconds", 1..=86_400).map(seconds),
            keep_alive: seconds(fields.number("keep_alive_seconds", 1..=3600).unwrap_or(30)),
            timeout: Duration::from_millis(
                fields.number("timeout_ms", 10..=25_000).unwrap_or(3000),
            ),
        };
        fields.finish();
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// What is connected to, or listened at.
    pub fn place(&self) -> String {
        let with_port = |host: &str| match host.contains(':') {
            true => format!("[{host}]:{}", self.port),
            false => format!("{host}:{}", self.port),
        };
        match &self.mode {
            Mode::Connect { host } => with_port(host),
            Mode::Listen { address: Some(address), .. } => {
                format!("listening at {}", with_port(&address.to_string()))
            }
            Mode::Listen { address: None, .. } => format!("listening at port {}", self.port),
        }
    }
}

fn connect(fields: &mut Fields<'_>, is_listening: bool) -> Mode {
    let host = fields.text("host", HOST_BYTES_MAX);
    if is_listening {
        if host.is_some() {
            fields.wrong("host", "devices connect to Weir in this mode; list them in \"allow\"");
        }
        return Mode::Connect { host: String::new() };
    }
    let host = fields.require("host", host).unwrap_or_default();
    // An IPv6 address is often pasted with the brackets it has in a URL.
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    Mode::Connect { host: host.to_owned() }
}

fn listen(fields: &mut Fields<'_>, is_listening: bool) -> Mode {
    let address = fields.text("address", HOST_BYTES_MAX);
    let texts = fields.texts("allow", ALLOWED_MAX, NETWORK_BYTES_MAX).unwrap_or_default();
    let connections_max = fields.number("connections_max", 1..=CONNECTIONS_MAX).unwrap_or(32);
    if !is_listening {
        let given = [("address", address.is_some()), ("allow", !texts.is_empty())];
        for (name, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            fields.wrong(name, "this matters only where Weir listens");
        }
    } else if texts.is_empty() {
        fields.wrong(
            "allow",
            "list the addresses or networks of the devices, such as 192.168.3.40 or 192.168.3.0/24: nobody else may connect",
        );
    }
    let mut allow = Vec::new();
    for (index, text) in texts.iter().enumerate().filter(|_| is_listening) {
        match text.parse::<Network>() {
            Ok(network) => allow.push(network),
            Err(error) => fields.wrong(&format!("allow/{index}"), error.to_string()),
        }
    }
    let parsed = address.and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    if is_listening && address.is_some() && parsed.is_none() {
        fields.wrong("address", "an own IPv4 or IPv6 address is expected");
    }
    Mode::Listen { address: parsed, allow, connections_max: connections_max as usize }
}

fn delimiter(fields: &mut Fields<'_>, encoding: TextEncoding) -> Option<Delimiter> {
    let name = fields.choice(
        "delimiter",
        &[("lf", "lf"), ("cr", "cr"), ("crlf", "crlf"), ("etx", "etx"), ("custom", "custom")],
    );
    let custom = raw_text(fields, "delimiter_custom", DELIMITER_TEXT_BYTES_MAX);
    match name {
        Some("custom") => {
            let custom = fields.require("delimiter_custom", custom)?;
            let bytes = unescape(custom).filter(|b| (1..=DELIMITER_BYTES_MAX).contains(&b.len()));
            let Some(bytes) = bytes else {
                let detail =
                    "1 to 8 characters are expected; others than ASCII as \\r, \\n, \\t or \\x1d";
                fields.wrong("delimiter_custom", detail);
                return None;
            };
            let first = bytes.first().copied().unwrap_or_default();
            let is_inside = match encoding {
                TextEncoding::Latin1 => false,
                TextEncoding::Utf8 => first >= 0x80,
                TextEncoding::Gbk => first >= GBK_INNER_MIN,
            };
            if is_inside {
                let detail = "in this encoding such a byte also stands inside of characters; take a control character";
                fields.wrong("delimiter_custom", detail);
            }
            Some(Delimiter::Custom(bytes))
        }
        other => {
            if custom.is_some() {
                fields.wrong("delimiter_custom", "this matters only where the delimiter is custom");
            }
            Some(match other? {
                "cr" => Delimiter::Cr,
                "crlf" => Delimiter::CrLf,
                "etx" => Delimiter::Etx,
                _ => Delimiter::Lf,
            })
        }
    }
}

/// A text in which blanks count, too.
pub(crate) fn raw_text<'a>(
    fields: &mut Fields<'a>,
    name: &'static str,
    bytes_max: usize,
) -> Option<&'a str> {
    let json = fields.get(name)?;
    let text = json.as_str().filter(|text| (1..=bytes_max).contains(&text.len()));
    if text.is_none() {
        fields.wrong(name, format!("a text of 1 to {bytes_max} bytes is expected"));
    }
    text
}

/// The bytes of an ASCII text with `\r`, `\n`, `\t`, `\0`, `\\` and `\x1d`.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            bytes.push(u8::try_from(character).ok().filter(u8::is_ascii)?);
            continue;
        }
        bytes.push(match characters.next()? {
            'r' => b'\r',
            'n' => b'\n',
            't' => b'\t',
            '0' => 0,
            '\\' => b'\\',
            'x' => {
                let digits = [characters.next()?.to_digit(16)?, characters.next()?.to_digit(16)?];
                (digits[0] * 16 + digits[1]) as u8
            }
            _ => return None,
        });
    }
    Some(bytes)
}

impl Delimiter {
    /// The bytes that end a line.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Lf => b"\n",
            Self::Cr => b"\r",
            Self::CrLf => b"\r\n",
            Self::Etx => &[ETX],
            Self::Custom(bytes) => bytes,
        }
    }

    /// A line without what belongs to the delimiter.
    pub(crate) fn strip<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Lf => line.strip_suffix(b"\r").unwrap_or(line),
            Self::Cr => line.strip_prefix(b"\n").unwrap_or(line),
            Self::CrLf | Self::Custom(_) => line,
            Self::Etx => {
                let start = line.iter().position(|b| !matches!(b, b'\r' | b'\n'));
                let line = line.get(start.unwrap_or(line.len())..).unwrap_or_default();
                line.strip_prefix(&[STX]).unwrap_or(line)
            }
        }
    }

    /// A line as it is sent; none where the line has a delimiter inside, and would be two.
    pub(crate) fn wrap(&self, line: &[u8]) -> Option<Vec<u8>> {
        let bytes = self.bytes();
        let is_inside = line.windows(bytes.len()).any(|window| window == bytes);
        // A line end inside would be one for most devices, whatever the settings say.
        if is_inside || line.iter().any(|b| matches!(b, b'\r' | b'\n' | &STX | &ETX)) {
            return None;
        }
        let start: &[u8] = if *self == Self::Etx { &[STX] } else { &[] };
        Some([start, line, bytes].concat())
    }
}

impl TextEncoding {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gbk => GBK,
            Self::Latin1 => WINDOWS_1252,
        }
    }

    /// The characters of some bytes; what is none becomes U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        self.encoding().decode_without_bom_handling(bytes).0.into_owned()
    }

    /// The bytes of a text; none where it has characters that the encoding lacks.
    pub(crate) fn encode(self, text: &str) -> Option<Vec<u8>> {
        let (bytes, _, had_errors) = self.encoding().encode(text);
        (!had_errors).then(|| bytes.into_owned())
    }
}

#[cfg(test)]
mod tests;
