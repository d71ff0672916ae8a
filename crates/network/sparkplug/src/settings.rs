//! Settings of an edge node.

use std::time::Duration;

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;
use weir_mqtt::LinkSettings;

use crate::node::Timing;
use crate::state::StateStyle;
use crate::topic::{ID_BYTES_MAX, check_id};

/// Settings of an edge node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) link: LinkSettings,
    pub(crate) group: String,
    pub(crate) edge_node: String,
    /// The host that we are to edge nodes, where we are the one that they wait for.
    pub(crate) primary: Option<(String, StateStyle)>,
    pub(crate) timing: Timing,
    /// How long discovery listens.
    pub(crate) listen: Duration,
}

impl Settings {
    /// Reads settings from JSON, `/settings` of a device.
    pub(crate) fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let settings = Self::read(json, true, &mut errors);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Reads settings that may not name an edge node yet.
    pub(crate) fn incomplete(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let settings = Self::read(json, false, &mut errors);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    fn read(json: &Json, complete: bool, errors: &mut Vec<FieldError>) -> Self {
        let mut fields = Fields::of(json, "/settings".to_owned(), errors);
        let link = LinkSettings::read(&mut fields);
        let group = id(&mut fields, "group");
        let edge_node = id(&mut fields, "edge_node");
        if complete {
            fields.require("group", group.as_ref());
            fields.require("edge_node", edge_node.as_ref());
        }
        let host = id(&mut fields, "host_id");
        let primary = fields.truth("primary").unwrap_or_default();
        let styles = [("3.0", StateStyle::V3), ("2.2", StateStyle::V2)];
        let style = fields.choice("state", &styles).unwrap_or_default();
        if primary && host.is_none() {
            fields.wrong("host_id", "a primary host needs the identifier that its edge nodes know");
        }
        let millis = Duration::from_millis;
        let reorder = millis(fields.number("reorder_ms", 50..=60_000).unwrap_or(2000));
        let birth = millis(fields.number("birth_ms", 100..=30_000).unwrap_or(5000));
        let listen = millis(fields.number("listen_ms", 100..=20_000).unwrap_or(5000));
        let settings = Self {
            link,
            group: group.unwrap_or_default(),
            edge_node: edge_node.unwrap_or_default(),
            primary: host.filter(|_| primary).map(|host| (host, style)),
            timing: Timing { reorder, birth },
            listen,
        };
        fields.finish();
        settings
    }

    /// The edge node at its broker, for people.
    pub(crate) fn place(&self) -> String {
        format!("{}, edge node {}/{}", self.link.endpoint(), self.group, self.edge_node)
    }
}

fn id(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let text = fields.text(name, ID_BYTES_MAX)?;
    match check_id(text) {
        Ok(()) => Some(text.to_owned()),
        Err(reason) => {
            fields.wrong(name, reason);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_each_wrong_field() {
        let good = json!({"host": "h", "group": "厂 1", "edge_node": "e"});
        let settings = Settings::parse(&good).unwrap();
        assert_eq!(settings.place(), "h:1883, edge node 厂 1/e");
        assert_eq!(settings.primary, None);
        let cases = [
            ("group", json!(null)),
            ("group", json!("a/b")),
            ("edge_node", json!("+")),
            ("host_id", json!("#")),
            ("state", json!("1")),
            ("reorder_ms", json!(1)),
            ("birth_ms", json!(0)),
            ("listen_ms", json!(0)),
            ("qos", json!(1)),
        ];
        for (field, value) in cases {
            let mut wrong = good.clone();
            wrong[field] = value;
            let errors = Settings::parse(&wrong).unwrap_err();
            assert_eq!(errors[0].field, format!("/settings/{field}"), "{errors:?}");
        }
        let mut primary = good.clone();
        primary["primary"] = json!(true);
        assert_eq!(Settings::parse(&primary).unwrap_err()[0].field, "/settings/host_id");
        assert!(Settings::incomplete(&json!({"host": "h"})).is_ok());
    }
}
