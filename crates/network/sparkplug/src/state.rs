//! STATE: how a host says that it is there (Sparkplug 3.0.0, 4.3.1), and how it said so before.

use bytes::Bytes;
use serde_json::{Value as Json, json};
use weir_mqtt::{Qos, Will};

use crate::topic::NAMESPACE;

/// Which way of saying it the edge node understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum StateStyle {
    /// JSON on `spBv1.0/STATE/{host}`.
    #[default]
    V3,
    /// `ONLINE` and `OFFLINE` on `STATE/{host}`.
    V2,
}

/// What a host says of itself over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostState {
    pub(crate) topic: String,
    style: StateStyle,
    /// When the connection began; birth and will name the same time.
    timestamp_ms: i64,
}

impl HostState {
    pub(crate) fn new(host: &str, style: StateStyle, timestamp_ms: i64) -> Self {
        let topic = match style {
            StateStyle::V3 => format!("{NAMESPACE}/STATE/{host}"),
            StateStyle::V2 => format!("STATE/{host}"),
        };
        Self { topic, style, timestamp_ms }
    }

    pub(crate) fn payload(&self, online: bool) -> Bytes {
        match self.style {
            StateStyle::V3 => {
                Bytes::from(json!({"online": online, "timestamp": self.timestamp_ms}).to_string())
            }
            StateStyle::V2 => Bytes::from_static(if online { b"ONLINE" } else { b"OFFLINE" }),
        }
    }

    pub(crate) fn will(&self) -> Will {
        let (topic, payload) = (self.topic.clone(), self.payload(false));
        Will { topic, payload, qos: Qos::AtLeastOnce, retain: true }
    }

    /// Whether a message on the topic says that we are not there: another connection of the same host ended,
    /// and edge nodes must hear that the host is still there.
    pub(crate) fn is_denied_by(&self, payload: &[u8]) -> bool {
        match self.style {
            StateStyle::V3 => {
                let said: Json = serde_json::from_slice(payload).unwrap_or_default();
                said["online"] == json!(false)
            }
            StateStyle::V2 => payload == b"OFFLINE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birth_and_will_name_the_same_time() {
        let state = HostState::new("scada", StateStyle::V3, 1_700_000_000_000);
        assert_eq!(state.topic, "spBv1.0/STATE/scada");
        assert_eq!(&state.payload(true)[..], br#"{"online":true,"timestamp":1700000000000}"#);
        assert_eq!(&state.will().payload[..], br#"{"online":false,"timestamp":1700000000000}"#);
        assert!(state.is_denied_by(&state.will().payload));
        assert!(!state.is_denied_by(&state.payload(true)));
        assert!(!state.is_denied_by(b"\xFF"));
        let old = HostState::new("scada", StateStyle::V2, 0);
        assert_eq!((old.topic.as_str(), &old.payload(true)[..]), ("STATE/scada", &b"ONLINE"[..]));
        assert!(old.is_denied_by(b"OFFLINE"));
    }
}
