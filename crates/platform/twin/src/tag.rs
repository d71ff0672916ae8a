//! Tags: what the samples of one signal mean.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{DataDomain, DataType, FieldError, Grade, Identifier, Interpolation, TagId, Unit};
use weir_store::{Collection, History, Index};

use crate::rules::{Faults, Names, check_description, check_name, check_names};

/// Most named states of an enumeration.
pub const LABELS_MAX: usize = 1024;

/// Most scalings of a source over its life: one change a month for 20 years.
pub const SCALINGS_MAX: usize = 256;

/// Largest address within a device, in bytes of JSON.
pub const ADDRESS_BYTES_MAX: usize = 4096;

/// Milliseconds between two readings of a source: from a busy loop's opposite to a day.
pub const POLL_MS_RANGE: RangeInclusive<u32> = 10..=86_400_000;

/// Largest scaling or write limits, in bytes of JSON.
const SETTING_BYTES_MAX: usize = 1024;

/// One tag. Its earlier versions say what its earlier samples meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its identifier, which a rename keeps.
    pub id: Identifier,
    /// Its number in the historian, never reused.
    pub tag: TagId,
    /// Its name.
    pub name: String,
    /// Its name in other languages.
    #[serde(default)]
    pub names: Names,
    /// What it measures, for people.
    #[serde(default)]
    pub description: String,
    /// The asset it tells about.
    #[serde(default)]
    pub asset: Option<Identifier>,
    /// The unit of its values.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// What its values are. It never changes: samples of two types under one name would have to be
    /// told apart by everyone who reads them.
    pub data_type: DataType,
    /// Its grade; without it that of its asset, else of its organisation, else core.
    #[serde(default)]
    pub grade: Option<Grade>,
    /// The part of the enterprise its data belongs to.
    #[serde(default)]
    pub domain: Option<DataDomain>,
    /// The values that are expected, for scales and gauges.
    #[serde(default)]
    pub range: Option<ValueRange>,
    /// The names of an enumeration's states.
    #[serde(default)]
    pub labels: BTreeMap<i64, String>,
    /// What its value is between two samples; without it what its type says.
    #[serde(default)]
    pub interpolation: Option<Interpolation>,
    /// The device it is read from; without it samples come over HTTP.
    #[serde(default)]
    pub source: Option<Source>,
}

/// The expected values of a tag, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueRange {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// Where a tag's samples come from. Address, scaling and write limits are the driver's words: the twin keeps
/// them and bounds them, the driver's own check says what they mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The device.
    #[schema(value_type = String)]
    pub device: Identifier,
    /// The device's protocol, which a device never changes.
    pub protocol: String,
    /// The address within the device, as the protocol writes it.
    pub address: Json,
    /// Milliseconds between two readings; without it the device's own.
    #[serde(default)]
    pub poll_ms: Option<u32>,
    /// Scalings from raw to engineering values, each with its effective date.
    #[serde(default)]
    pub scaling: Vec<Json>,
    /// What may be written; without it nothing.
    #[serde(default)]
    pub write: Option<Json>,
}

/// Tags by folded identifier.
pub struct Tags;

impl Tags {
    /// The index of tags by the folded identifier of their device.
    pub const DEVICE: &'static str = "device";
    /// The index of tags by the folded identifier of their asset.
    pub const ASSET: &'static str = "asset";
    /// The unique index of tags by their number in the historian.
    pub const NUMBER: &'static str = "number";
}

impl Collection for Tags {
    const NAME: &'static str = "tags";
    type Record = Tag;
    const HISTORY: History = History::All;
    const INDEXES: &'static [Index] =
        &[Index::shared(Self::DEVICE), Index::shared(Self::ASSET), Index::unique(Self::NUMBER)];

    fn index(record: &Tag, add: &mut dyn FnMut(&'static str, &str)) {
        if let Some(source) = &record.source {
            add(Self::DEVICE, &source.device.folded());
        }
        if let Some(asset) = &record.asset {
            add(Self::ASSET, &asset.folded());
        }
        add(Self::NUMBER, &record.tag.to_string());
    }
}

impl Tag {
    /// Checks all that needs no other document: what a draft checks before it keeps a tag.
    ///
    /// # Errors
    /// Each wrong field, by JSON pointer.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut faults = Faults::default();
        faults.check("/name", check_name(&self.name));
        faults.check("/names", check_names(&self.names));
        faults.check("/description", check_description(&self.description));
        if let Some(range) = self.range {
            faults.check("/range", self.check_range(range));
        }
        faults.check("/labels", self.check_labels());
        if self.interpolation == Some(Interpolation::Linear) && !self.data_type.has_lines() {
            faults.add("/interpolation", "only between numbers there is a line");
        }
        if let Some(source) = &self.source {
            source.check(&mut faults);
        }
        faults.into_result()
    }

    fn check_range(&self, range: ValueRange) -> Result<(), &'static str> {
        if matches!(self.data_type, DataType::Text | DataType::Array | DataType::Bool) {
            return Err("only numbers have a range");
        }
        let ordered = range.low.is_finite() && range.high.is_finite() && range.low < range.high;
        if ordered { Ok(()) } else { Err("low is below high, and both are finite") }
    }

    fn check_labels(&self) -> Result<(), &'static str> {
        if self.labels.is_empty() {
            return Ok(());
        }
        if !matches!(self.data_type, DataType::Enumeration | DataType::Bool) {
            return Err("only enumerations and truth values have labels");
        }
        if self.labels.len() > LABELS_MAX {
            return Err("an enumeration has at most 1024 states");
        }
        self.labels.values().try_for_each(|label| check_name(label))
    }
}

impl Source {
    fn check(&self, faults: &mut Faults) {
        if json_bytes(&self.address) > ADDRESS_BYTES_MAX {
            faults.add("/address", "an address has at most 4096 bytes");
        }
        if self.poll_ms.is_some_and(|ms| !POLL_MS_RANGE.contains(&ms)) {
            faults.add("/poll_ms", "between 10 ms and one day");
        }
        let oversized = |json: &Json| json_bytes(json) > SETTING_BYTES_MAX;
        if self.scaling.len() > SCALINGS_MAX || self.scaling.iter().any(oversized) {
            faults.add("/scaling", "at most 256 scalings of at most 1024 bytes each");
        }
        if self.write.as_ref().is_some_and(oversized) {
            faults.add("/write", "write limits have at most 1024 bytes");
        }
    }
}

fn json_bytes(json: &Json) -> usize {
    json.to_string().len()
}
