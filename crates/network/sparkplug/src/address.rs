//! Which metric a point is.

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::topic::{ID_BYTES_MAX, check_id};

/// Longest name of a metric.
pub(crate) const METRIC_BYTES_MAX: usize = 4096;

/// Which metric a point is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PointAddress {
    /// The device behind the edge node; none for a metric of the edge node itself.
    pub device: Option<String>,
    /// The name of the metric; members of structures and columns of tables stand behind it and a slash.
    pub metric: String,
}

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong, which is added
    /// to the errors.
    pub fn parse(json: &Json, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let device = fields.text("device", ID_BYTES_MAX);
        if let Some(Err(reason)) = device.map(check_id) {
            fields.wrong("device", reason);
        }
        let metric = fields.text("metric", METRIC_BYTES_MAX);
        let metric = fields.require("metric", metric);
        fields.finish();
        let address = Self { device: device.map(str::to_owned), metric: metric?.to_owned() };
        (errors.len() == before).then_some(address)
    }

    /// The metric for people.
    pub(crate) fn told(&self) -> String {
        let device =
            self.device.as_deref().map(|device| format!("device {device}, ")).unwrap_or_default();
        format!("{device}metric {:.200}", self.metric)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(json: &Json) -> Result<PointAddress, Vec<String>> {
        let mut errors = Vec::new();
        PointAddress::parse(json, "/points/0/address", &mut errors)
            .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
    }

    #[test]
    fn names_what_is_wrong() {
        let address = parse(&json!({"device": null, "metric": "Node Control/Rebirth"})).unwrap();
        assert_eq!(address.told(), "metric Node Control/Rebirth");
        for (json, field) in [
            (json!({}), "/metric"),
            (json!({"metric": ""}), "/metric"),
            (json!({"metric": "m", "device": "a/b"}), "/device"),
            (json!({"metric": "m", "device": "a\u{0}"}), "/device"),
            (json!({"metric": "m", "node": "n"}), "/node"),
            (json!({"metric": "x".repeat(65_536)}), "/metric"),
        ] {
            assert_eq!(parse(&json), Err(vec![format!("/points/0/address{field}")]));
        }
    }

    proptest! {
        #[test]
        fn any_names_are_judged(device in ".{0,40}", metric in ".{0,40}") {
            let _ = parse(&json!({"device": device, "metric": metric}));
        }
    }
}
