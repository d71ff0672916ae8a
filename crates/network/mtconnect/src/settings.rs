//! Settings of an agent.

use std::time::Duration;

use hyper::Uri;
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_connect::tls::Trust;
use weir_model::FieldError;

/// Longest address of an agent.
const URL_BYTES_MAX: usize = 2048;

/// Longest name or UUID of a device.
const DEVICE_BYTES_MAX: usize = 256;

/// Settings of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether the agent is spoken to with TLS.
    pub tls: bool,
    /// Host name, IPv4 or IPv6 address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What stands before `/probe` in paths: empty, or with a leading slash and no trailing one.
    pub base: String,
    /// The name or UUID of the one device that is asked for; all devices of the agent where none.
    pub device: Option<String>,
    /// How often the agent sends what has changed.
    pub interval: Duration,
    /// How often the agent sends at the least, also when nothing has changed.
    pub heartbeat: Duration,
    /// The longest that connecting, and each answer, may take.
    pub timeout: Duration,
    /// Which certificates of the agent are trusted.
    pub trust: Trust,
}

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    ///
    /// # Errors
    /// Each wrong field.
    pub fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let url = fields.text("url", URL_BYTES_MAX);
        let url = fields.require("url", url);
        let place = url.and_then(|url| match place(url) {
            Ok(place) => Some(place),
            Err(detail) => {
                fields.wrong("url", detail);
                None
            }
        });
        let device = fields.text("device", DEVICE_BYTES_MAX).map(str::to_owned);
        let interval = fields.number("interval_ms", 10..=600_000).unwrap_or(500);
        let heartbeat = fields.number("heartbeat_ms", 100..=600_000).unwrap_or(10_000);
        let timeout = fields.number("timeout_ms", 100..=60_000).unwrap_or(5000);
        let (trusted, accept_expired) = (fields.trusted(), fields.accept_expired());
        fields.finish();
        let Some(Place { tls, host, port, base }) = place.filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        let millis = Duration::from_millis;
        Ok(Self {
            tls,
            host,
            port,
            base,
            device,
            interval: millis(interval),
            heartbeat: millis(heartbeat),
            timeout: millis(timeout),
            trust: Trust { trusted, accept_expired, ..Trust::default() },
        })
    }

    /// Host and port as they are written, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The agent's address, for people.
    pub fn endpoint(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.base)
    }

    /// The path of a request (`probe`, `current?at=7`) to the device or, where none is set, to all.
    pub(crate) fn path(&self, request: &str) -> String {
        match &self.device {
            Some(device) => format!("{}/{}/{request}", self.base, encoded(device)),
            None => format!("{}/{request}", self.base),
        }
    }
}

struct Place {
    tls: bool,
    host: String,
    port: u16,
    base: String,
}

fn place(url: &str) -> Result<Place, String> {
    let shape = "an address such as http://10.0.0.7:5000 is expected";
    let uri: Uri = url.parse().map_err(|_| shape.to_owned())?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(shape.to_owned()),
    };
    let authority = uri.authority().ok_or(shape)?;
    if authority.as_str().contains('@') {
        return Err(
            "an agent takes no user name or password; leave out what stands before @".into()
        );
    }
    if uri.query().is_some() {
        return Err("an address without ? is expected; requests are added to it".into());
    }
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port = match authority.as_str().rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port.parse().ok().filter(|p| *p > 0),
        _ => Some(if tls { 443 } else { 80 }),
    };
    let port = port.ok_or("a port from 1 to 65535 is expected")?;
    if host.is_empty() {
        return Err(shape.to_owned());
    }
    let base = uri.path().trim_end_matches('/').to_owned();
    Ok(Place { tls, host: host.to_owned(), port, base })
}

/// A path segment, percent-encoded (RFC 3986, section 2).
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_defaults_and_places() {
        let settings = Settings::parse(&json!({"url": "http://[::1]:5000/"})).unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.tls), ("::1", 5000, false));
        assert_eq!(settings.endpoint(), "http://[::1]:5000");
        assert_eq!(settings.path("probe"), "/probe");
        let settings =
            Settings::parse(&json!({"url": "https://Agent.Example/shop/1", "device": "铣床 1"}));
        let settings = settings.unwrap();
        assert_eq!((settings.port, settings.tls), (443, true));
        assert_eq!(settings.path("current?at=7"), "/shop/1/%E9%93%A3%E5%BA%8A%201/current?at=7");
        let settings = Settings::parse(&json!({"url": "http://[fe80::1]"})).unwrap();
        assert_eq!((settings.host.as_str(), settings.port), ("fe80::1", 80));
    }

    #[test]
    fn names_each_wrong_field() {
        let wrong = json!({"url": 5, "interval_ms": 1, "heartbeat_ms": "x", "trusted": ["AB"], "accept_expired": 1, "q": 1});
        let fields: Vec<_> =
            Settings::parse(&wrong).unwrap_err().into_iter().map(|e| e.field).collect();
        let expected =
            ["/url", "/interval_ms", "/heartbeat_ms", "/trusted", "/accept_expired", "/q"];
        assert_eq!(fields, expected.map(|f| format!("/settings{f}")));
        let urls = [
            "",
            "10.0.0.7:5000",
            "ftp://a",
            "http://",
            "http://u:p@a/",
            "http://a:0",
            "http://a:99999",
            "http://a/?x",
            "http:///probe",
            "//a/b",
        ];
        for url in urls {
            let errors = Settings::parse(&json!({"url": url})).unwrap_err();
            assert_eq!(errors[0].field, "/settings/url", "{url}");
        }
        assert!(Settings::parse(&json!([])).is_err());
    }
}
