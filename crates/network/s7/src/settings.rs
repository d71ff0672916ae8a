//! Settings of an S7 device.

use std::time::Duration;

use encoding_rs::{Encoding, GBK, UTF_8, WINDOWS_1252};
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::client::{PDU_BYTES_DEFAULT_MIN, PDU_BYTES_MAX};

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Longest transport selector as a text: `10.02`, `0x1002`.
const TSAP_BYTES_MAX: usize = 6;

/// The kind of connection, of which a CPU keeps a number of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnectionType {
    /// As a programming device does.
    #[default]
    Pg,
    /// As an operator panel does.
    Op,
    /// As another controller does.
    Basic,
}

/// How the characters of `STRING` and `CHAR` are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextEncoding {
    /// Western European (Windows-1252), ASCII included.
    #[default]
    Latin1,
    /// Simplified Chinese.
    Gbk,
    /// UTF-8.
    Utf8,
}

pub(crate) const CONNECTIONS: &[(&str, ConnectionType)] =
    &[("pg", ConnectionType::Pg), ("op", ConnectionType::Op), ("basic", ConnectionType::Basic)];

const ENCODINGS: &[(&str, TextEncoding)] =
    &[("latin1", TextEncoding::Latin1), ("gbk", TextEncoding::Gbk), ("utf-8", TextEncoding::Utf8)];

/// Settings of an S7 device.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Host name, IPv4 or IPv6 address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The rack that the CPU is in.
    pub rack: u8,
    /// The CPU's slot in it.
    pub slot: u8,
    /// The kind of connection that rack and slot are asked for with.
    pub connection: ConnectionType,
    /// Our own transport selector.
    pub local_tsap: u16,
    /// The transport selector of the device, where it is not made of rack, slot and connection.
    pub remote_tsap: Option<u16>,
    /// The longest that connecting, and each answer, may take.
    pub timeout: Duration,
    /// The interval of points that name none.
    pub poll: Duration,
    /// Bytes between two points that are read along rather than asked for in two items.
    pub gap_bytes: u16,
    /// The size of messages that is offered; the device may take less.
    pub pdu_bytes_max: u16,
    /// How texts are encoded.
    pub encoding: TextEncoding,
}

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    ///
    /// # Errors
    /// Each wrong field.
    pub fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let host = fields.text("host", HOST_BYTES_MAX);
        let host = fields.require("host", host).unwrap_or_default();
        // An IPv6 address is often pasted with the brackets it has in a URL.
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let millis = |n: u64| Duration::from_millis(n);
        let settings = Self {
            host: host.to_owned(),
            port: fields.number("port", 1..=65535).unwrap_or(102) as u16,
            rack: fields.number("rack", 0..=7).unwrap_or(0) as u8,
            slot: fields.number("slot", 0..=31).unwrap_or(1) as u8,
            connection: fields.choice("connection", CONNECTIONS).unwrap_or_default(),
            local_tsap: tsap(&mut fields, "local_tsap").unwrap_or(0x0100),
            remote_tsap: tsap(&mut fields, "remote_tsap"),
            timeout: millis(fields.number("timeout_ms", 10..=15_000).unwrap_or(2000)),
            poll: millis(fields.number("poll_ms", 10..=86_400_000).unwrap_or(1000)),
            gap_bytes: fields.number("gap_bytes", 0..=200).unwrap_or(16) as u16,
            pdu_bytes_max: fields
                .number("pdu_bytes_max", PDU_BYTES_DEFAULT_MIN.into()..=PDU_BYTES_MAX.into())
                .unwrap_or(PDU_BYTES_MAX.into()) as u16,
            encoding: fields.choice("encoding", ENCODINGS).unwrap_or_default(),
        };
        fields.finish();
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Host and port as they are written, with brackets around an IPv6 address.
    pub fn endpoint(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What is connected to, in the protocol's words.
    pub fn place(&self) -> String {
        match self.remote_tsap {
            Some(tsap) => {
                format!("{}, TSAP {:02X}.{:02X}", self.endpoint(), tsap >> 8, tsap & 0xFF)
            }
            None => format!("{}, rack {}, slot {}", self.endpoint(), self.rack, self.slot),
        }
    }

    /// The transport selector to ask for.
    pub(crate) fn called_tsap(&self) -> u16 {
        let kind = match self.connection {
            ConnectionType::Pg => 1,
            ConnectionType::Op => 2,
            ConnectionType::Basic => 3,
        };
        self.remote_tsap.unwrap_or(kind << 8 | u16::from(self.rack) << 5 | u16::from(self.slot))
    }
}

impl TextEncoding {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Latin1 => WINDOWS_1252,
            Self::Gbk => GBK,
            Self::Utf8 => UTF_8,
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

/// A transport selector: two bytes in hexadecimal, as `03.01`, `0301` or `0x0301`.
fn tsap(fields: &mut Fields<'_>, name: &'static str) -> Option<u16> {
    let text = fields.text(name, TSAP_BYTES_MAX)?;
    let digits = text.strip_prefix("0x").unwrap_or(text).replacen('.', "", 1);
    let fits = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let found = fits.then(|| u16::from_str_radix(&digits, 16).ok()).flatten();
    if found.is_none() {
        fields.wrong(name, "two bytes in hexadecimal are expected, such as 03.01");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_defaults_and_names_each_wrong_field() {
        let settings = Settings::parse(&json!({"host": "[::1]", "rack": 1, "slot": 3})).unwrap();
        assert_eq!(settings.place(), "[::1]:102, rack 1, slot 3");
        assert_eq!(settings.called_tsap(), 0x0123);
        let settings = json!({"host": "h", "remote_tsap": "4D.57", "local_tsap": "0x4D58"});
        let settings = Settings::parse(&settings).unwrap();
        assert_eq!((settings.local_tsap, settings.called_tsap()), (0x4D58, 0x4D57));
        assert_eq!(settings.place(), "h:102, TSAP 4D.57");

        let wrong = json!({
            "port": 0, "rack": 8, "slot": "1", "remote_tsap": "3", "connection": "x", "pdu_bytes_max": 100, "hots": 1,
        });
        let fields: Vec<_> =
            Settings::parse(&wrong).unwrap_err().into_iter().map(|e| e.field).collect();
        let expected = [
            "/host",
            "/port",
            "/rack",
            "/slot",
            "/connection",
            "/remote_tsap",
            "/pdu_bytes_max",
            "/hots",
        ];
        assert_eq!(fields, expected.map(|f| format!("/settings{f}")));
        assert!(Settings::parse(&json!([])).is_err());
    }
}
