//! Settings of a Modbus device.

use std::time::Duration;

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::address::{WORD_ORDERS, WordOrder};
use crate::plan::REGISTERS_PER_REQUEST_MAX;

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Settings of a Modbus device.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Host name, IPv4 or IPv6 address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The unit of points that name none.
    pub unit: u8,
    /// The longest that connecting, and each answer, may take.
    pub timeout: Duration,
    /// The interval of points that name none.
    pub poll: Duration,
    /// Registers (times 16: bits) between two points that are read along rather than asked for in
    /// two requests.
    pub gap_registers: u16,
    /// Most registers of one request; some devices take less than the protocol allows.
    pub registers_max: u16,
    /// The word order of points that name none.
    pub word_order: WordOrder,
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
            port: fields.number("port", 1..=65535).unwrap_or(502) as u16,
            unit: fields.number("unit", 0..=255).unwrap_or(1) as u8,
            timeout: millis(fields.number("timeout_ms", 10..=60_000).unwrap_or(1000)),
            poll: millis(fields.number("poll_ms", 10..=86_400_000).unwrap_or(1000)),
            gap_registers: fields.number("gap_registers", 0..=124).unwrap_or(8) as u16,
            registers_max: fields
                .number("registers_max", 4..=REGISTERS_PER_REQUEST_MAX.into())
                .unwrap_or(REGISTERS_PER_REQUEST_MAX.into()) as u16,
            word_order: fields.choice("word_order", WORD_ORDERS).unwrap_or_default(),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_defaults_and_names_each_wrong_field() {
        let settings = Settings::parse(&json!({"host": "[::1]", "port": null})).unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.unit), ("::1", 502, 1));
        assert_eq!(settings.endpoint(), "[::1]:502");

        let wrong = json!({"port": 0, "unit": "1", "word_order": "ABDC", "hots": "x"});
        let fields: Vec<_> =
            Settings::parse(&wrong).unwrap_err().into_iter().map(|e| e.field).collect();
        let expected = ["/host", "/port", "/unit", "/word_order", "/hots"];
        assert_eq!(fields, expected.map(|f| format!("/settings{f}")));
        assert!(Settings::parse(&json!([])).is_err());
    }
}
