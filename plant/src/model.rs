//! What stands in the plant, as data: a node creates its documents from this.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use weir_model::{DataType, Level, Unit};

/// The whole plant.
#[derive(Debug, Clone, Serialize)]
pub struct Model {
    /// Whose plant it is.
    pub organisation: Organisation,
    /// Sites, areas and units, each parent before its children.
    pub assets: Vec<Asset>,
    /// The devices with their points.
    pub devices: Vec<Device>,
}

/// The organisation that owns the plant.
#[derive(Debug, Clone, Serialize)]
pub struct Organisation {
    /// Its identifier prefix. All suffixes of the model stand under it.
    pub prefix: &'static str,
    /// Its name.
    pub names: Names,
}

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Simplified Chinese.
    pub zh: Cow<'static, str>,
    /// English.
    pub en: Cow<'static, str>,
}

/// A piece of the equipment hierarchy.
#[derive(Debug, Clone, Serialize)]
pub struct Asset {
    /// The suffix of its identifier.
    pub suffix: Cow<'static, str>,
    /// Its level.
    pub level: Level,
    /// The suffix of the asset it stands in; none for the site.
    pub parent: Option<Cow<'static, str>>,
    /// Its name.
    pub names: Names,
}

/// One device.
#[derive(Debug, Clone, Serialize)]
pub struct Device {
    /// The suffix of its identifier.
    pub suffix: Cow<'static, str>,
    /// Its name.
    pub names: Names,
    /// What it speaks: `modbus`, `opcua`, `mtconnect` or `sparkplug`.
    pub protocol: &'static str,
    /// The suffix of the asset it serves.
    pub asset: Cow<'static, str>,
    /// How to reach it, as the driver of its protocol reads it. The port is the one that was
    /// opened.
    pub settings: Json,
    /// What it serves.
    pub points: Vec<Point>,
}

/// One value of a device: a tag for the node.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The suffix of the tag's identifier.
    pub suffix: Cow<'static, str>,
    /// The tag's name.
    pub names: Names,
    /// Where the value comes from: the variable's name in the literature, or what is compared.
    pub description: String,
    /// The unit of the scaled value; none for truth values and counters.
    pub unit: Option<Unit>,
    /// The type of the scaled value.
    pub data_type: DataType,
    /// The names of an enumeration's states, in both languages.
    pub labels: BTreeMap<i64, String>,
    /// Where it stands in the device, as the driver of its protocol reads it.
    pub address: Json,
    /// How the raw number becomes the value; none when it is the value.
    pub scaling: Option<Scaling>,
    /// The span of the instrument, for charts and faceplates. Recorded noise may leave it a little.
    pub range: Option<Range>,
    /// The suffix of the asset it belongs to.
    pub asset: Cow<'static, str>,
    /// Within what limits it may be written; none for what is only read.
    pub write: Option<WriteLimits>,
}

/// value = raw * factor + offset.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scaling {
    /// The value of one raw step.
    pub factor: f64,
    /// The value of raw 0.
    pub offset: f64,
}

/// A span of values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WriteLimits {
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// Whether a person has to confirm it.
    pub confirm: bool,
}

impl Names {
    /// Language code (`zh`, `en`) to name, as documents hold it.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("zh".into(), self.zh.to_string()), ("en".into(), self.en.to_string())])
    }

    pub(crate) const fn of(zh: &'static str, en: &'static str) -> Self {
        Self { zh: Cow::Borrowed(zh), en: Cow::Borrowed(en) }
    }
}
