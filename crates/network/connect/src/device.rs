//! The document of a device.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{Grade, Identifier};
use weir_store::{Collection, History, Index, Schema};

/// Largest settings of a device as JSON text.
pub const DEVICE_SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// A device as people describe it. Its points are the tags whose source names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Device {
    /// Its identifier; never changes.
    #[schema(value_type = String)]
    pub id: Identifier,
    /// Its name.
    pub name: String,
    /// Its name in other languages, by BCP 47 tag.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Which driver it needs.
    pub protocol: String,
    /// The asset it belongs to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub asset: Option<Identifier>,
    /// The driver's settings, shaped as the driver describes them.
    #[schema(value_type = Object)]
    pub settings: Json,
    /// Whether it should run.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Its own grade; without one, its asset's or tenant's counts.
    #[serde(default)]
    pub grade: Option<Grade>,
}

fn enabled() -> bool {
    true
}

/// The devices of a tenant, by [`Identifier::folded`]. Every version is kept: who set up what, and
/// when, explains what was measured.
#[derive(Debug)]
pub struct Devices;

impl Devices {
    /// The index of devices by protocol.
    pub const BY_PROTOCOL: &'static str = "protocol";
    /// The index of devices by the folded identifier of their asset.
    pub const BY_ASSET: &'static str = "asset";
}

impl Collection for Devices {
    const NAME: &'static str = "devices";
    type Record = Device;
    const HISTORY: History = History::All;
    const INDEXES: &'static [Index] =
        &[Index::shared(Self::BY_PROTOCOL), Index::shared(Self::BY_ASSET)];

    fn index(device: &Device, add: &mut dyn FnMut(&'static str, &str)) {
        add(Self::BY_PROTOCOL, &device.protocol);
        if let Some(asset) = &device.asset {
            add(Self::BY_ASSET, &asset.folded());
        }
    }
}

/// Adds the collections of devices, of their secrets and of templates.
pub fn schema(schema: Schema) -> Schema {
    schema.with::<Devices>().with::<crate::DeviceSecrets>().with::<crate::Templates>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimal_document_reads_with_defaults() {
        let json = r#"{"id":"88.100/plc-1","name":"PLC","protocol":"modbus","settings":{}}"#;
        let device = Devices::decode(json.as_bytes()).unwrap();
        assert!(device.enabled && device.grade.is_none() && device.asset.is_none());
        assert_eq!(Devices::decode(&Devices::encode(&device).unwrap()).unwrap(), device);
    }
}
