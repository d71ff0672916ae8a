//! The document of a template: what devices of one type have in common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{DataDomain, DataType, Grade, Interpolation, Unit};
use weir_store::{Collection, History, Index};

use crate::{Scaling, WriteLimits};

/// Most points of one template: a template is one record, and a point takes some three hundred bytes of it.
pub const TEMPLATE_POINTS_MAX: usize = 2000;

/// A type of device: settings without what is one device's own (its place, its secrets, the certificates that
/// were reviewed for it), and points. A device that was made of it knows nothing of it any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Template {
    /// Its name, which tells it from others whatever the case of its letters.
    pub name: String,
    /// What it is for, for people.
    #[serde(default)]
    pub description: String,
    /// Which driver its devices need.
    pub protocol: String,
    /// The driver's settings that are common to its devices.
    #[schema(value_type = Object)]
    pub settings: Json,
    /// The grade of its devices, and the template's own.
    #[serde(default)]
    pub grade: Option<Grade>,
    /// What is read and written.
    #[serde(default)]
    pub points: Vec<TemplatePoint>,
}

/// A point of each device of a type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplatePoint {
    /// Its name within the device: `Pressure`, not `Boiler 3 pressure`.
    pub name: String,
    /// Its name in other languages, by BCP 47 tag.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// What it measures, for people.
    #[serde(default)]
    pub description: String,
    /// The unit: a UCUM code, or the plant's own text.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub unit: Option<Unit>,
    /// What its values are.
    pub data_type: DataType,
    /// The address within the device.
    pub address: Json,
    /// Scalings from raw to engineering values.
    #[serde(default)]
    pub scaling: Vec<Scaling>,
    /// Milliseconds between two readings; without it the device's own.
    #[serde(default)]
    pub poll_ms: Option<u32>,
    /// What may be written; without it nothing.
    #[serde(default)]
    pub write: Option<WriteLimits>,
    /// Its own grade.
    #[serde(default)]
    pub grade: Option<Grade>,
    /// The part of the enterprise its data belongs to.
    #[serde(default)]
    pub domain: Option<DataDomain>,
    /// The values that are expected.
    #[serde(default)]
    pub range: Option<TemplateRange>,
    /// The names of an enumeration's states.
    #[serde(default)]
    pub labels: BTreeMap<i64, String>,
    /// What a value is between two samples; without it what its type says.
    #[serde(default)]
    pub interpolation: Option<Interpolation>,
}

/// The expected values of a point, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateRange {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// The templates of a tenant, by [`Templates::key`]. Every version is kept, as of devices.
#[derive(Debug)]
pub struct Templates;

impl Templates {
    /// The index of templates by protocol.
    pub const BY_PROTOCOL: &'static str = "protocol";

    /// The key of a name. A slash becomes the one of mathematics (U+2215): with its own, the key would be taken
    /// for an identifier.
    pub fn key(name: &str) -> String {
        name.to_lowercase().replace('/', "\u{2215}")
    }
}

impl Collection for Templates {
    const NAME: &'static str = "device_templates";
    type Record = Template;
    const HISTORY: History = History::All;
    const INDEXES: &'static [Index] = &[Index::shared(Self::BY_PROTOCOL)];

    fn index(template: &Template, add: &mut dyn FnMut(&'static str, &str)) {
        add(Self::BY_PROTOCOL, &template.protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimal_document_reads_with_defaults() {
        let json = r#"{"name":"Pump","protocol":"modbus","settings":{},
            "points":[{"name":"Speed","data_type":"f64","address":{"table":"input","address":0}}]}"#;
        let template = Templates::decode(json.as_bytes()).unwrap();
        assert_eq!((template.points.len(), template.grade), (1, None));
        assert_eq!(Templates::decode(&Templates::encode(&template).unwrap()).unwrap(), template);
    }

    #[test]
    fn names_differ_by_more_than_case() {
        assert_eq!(Templates::key("Pumpe Ä"), Templates::key("PUMPE ä"));
        assert_ne!(Templates::key("泵"), Templates::key("阀"));
        assert!(!Templates::key("S7-1200/1500").contains('/'));
    }
}
