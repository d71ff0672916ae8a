//! Addresses of points: which data item, and which part of a condition.

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

/// Longest identifier or name of a data item or device. The standard sets no limit; these are far
/// beyond what agents use.
const NAME_BYTES_MAX: usize = 256;

/// What of a condition becomes the value of a point that is a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// All that is active, the worst first: `FAULT 4101: spindle overload; WARNING 210: lubrication`.
    #[default]
    All,
    /// The worst state alone: `NORMAL`, `WARNING` or `FAULT`.
    State,
    /// The native code of the worst.
    Code,
    /// What the controller says of the worst.
    Message,
}

pub(crate) const PARTS: &[(&str, Part)] =
    &[("all", Part::All), ("state", Part::State), ("code", Part::Code), ("message", Part::Message)];

/// Where a point's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointAddress {
    /// The `id` of a data item or, where no data item has such an id, its `name`.
    pub data_item: String,
    /// The name or UUID of its device, where the agent has several with data items of that name.
    pub device: Option<String>,
    /// Which part of a condition.
    pub part: Part,
}

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong,
    /// which is added to the errors.
    pub fn parse(json: &Json, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let data_item = fields.text("data_item", NAME_BYTES_MAX);
        let data_item = fields.require("data_item", data_item);
        let device = fields.text("device", NAME_BYTES_MAX).map(str::to_owned);
        let part = fields.choice("part", PARTS).unwrap_or_default();
        fields.finish();
        let data_item = data_item?.to_owned();
        (errors.len() == before).then_some(Self { data_item, device, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
        let mut errors = Vec::new();
        PointAddress::parse(&json, "/points/0/address", &mut errors)
            .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
    }

    #[test]
    fn reads_addresses_and_names_what_is_wrong() {
        let address = parse(json!({"data_item": "x1", "device": null})).unwrap();
        assert_eq!(
            (address.data_item.as_str(), address.device, address.part),
            ("x1", None, Part::All)
        );
        let address = parse(json!({"data_item": "c", "device": "mill", "part": "code"})).unwrap();
        assert_eq!((address.device.as_deref(), address.part), (Some("mill"), Part::Code));
        let wrong = |json, field: &str| {
            assert_eq!(parse(json), Err(vec![format!("/points/0/address{field}")]));
        };
        wrong(json!({}), "/data_item");
        wrong(json!({"data_item": 7}), "/data_item");
        wrong(json!({"data_item": "x", "part": "codes"}), "/part");
        wrong(json!({"data_item": "x", "item": "y"}), "/item");
        wrong(json!("x1"), "");
    }
}
