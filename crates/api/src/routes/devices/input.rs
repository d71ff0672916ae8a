//! Devices and their points as they are sent, and as what they are kept.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use weir_connect::{Device, Point, Scaling, TemplatePoint, WriteLimits};
use weir_model::{DataDomain, DataType, Grade, Identifier, Interpolation, TagId, Unit};
use weir_twin::{Source, Tag, ValueRange};

use crate::failure::Failure;
use crate::routes::tags::as_json;

/// A device as it is created or tested.
///
/// What answers tell besides may be sent back: it is read over.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "PLC 1", "protocol": "modbus", "settings": {"host": "127.0.0.1", "unit": 1},
    "points": [{"name": "Reactor pressure", "unit": "kPa{gauge}", "data_type": "f64",
                "address": {"table": "input", "address": 0, "type": "f32"}}]
}))]
pub(super) struct DeviceInput {
    /// Its identifier; made from the name if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) id: Option<Identifier>,
    /// Its name.
    pub(super) name: String,
    /// Its name in other languages.
    #[serde(default)]
    pub(super) names: BTreeMap<String, String>,
    /// Which driver it needs, as `/api/v1/protocols` lists them.
    pub(super) protocol: String,
    /// The asset it belongs to; its points belong to it too where they name none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) asset: Option<Identifier>,
    /// The driver's settings.
    pub(super) settings: Json,
    /// Whether it should run.
    #[serde(default = "enabled")]
    pub(super) enabled: bool,
    /// Its own grade.
    #[serde(default)]
    pub(super) grade: Option<Grade>,
    /// Its own grade, as answers call it; where it is given, it counts and `grade` does not.
    #[serde(default, deserialize_with = "given", skip_serializing)]
    #[schema(value_type = Option<Grade>)]
    own_grade: Option<Option<Grade>>,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "status")]
    #[schema(value_type = Option<Object>, read_only)]
    _status: Told,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "version")]
    #[schema(value_type = Option<Object>, read_only)]
    _version: Told,
    /// What is read and written.
    #[serde(default)]
    pub(super) points: Vec<PointInput>,
}

/// What can be changed of a device.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DevicePatch {
    /// Its identifier, which stays.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) id: Option<Identifier>,
    /// Its name.
    pub(super) name: String,
    /// Its name in other languages.
    #[serde(default)]
    pub(super) names: BTreeMap<String, String>,
    /// Its protocol, which stays.
    pub(super) protocol: String,
    /// The asset it belongs to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) asset: Option<Identifier>,
    /// The driver's settings. A secret that stays as it is, is sent as it was answered:
    /// `{"secret": "set"}`.
    pub(super) settings: Json,
    /// Whether it should run.
    pub(super) enabled: bool,
    /// Its own grade.
    #[serde(default)]
    pub(super) grade: Option<Grade>,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "status")]
    #[schema(value_type = Option<Object>, read_only)]
    _status: Told,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "version")]
    #[schema(value_type = Option<Object>, read_only)]
    _version: Told,
    /// All its points, if they are to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) points: Option<Vec<PointInput>>,
}

/// A point of a device: a tag with an address.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct PointInput {
    /// The tag's identifier; made from the name if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) id: Option<Identifier>,
    /// The tag's name.
    pub(super) name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// What it measures, for people.
    #[serde(default)]
    description: String,
    /// The asset it tells about; the device's own if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) asset: Option<Identifier>,
    /// The unit: a UCUM code, or the plant's own text.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    unit: Option<Unit>,
    /// What its values are.
    data_type: DataType,
    /// The address within the device.
    address: Json,
    /// Scalings from raw to engineering values.
    #[serde(default)]
    scaling: Vec<Scaling>,
    /// Milliseconds between two readings; without it the device's own.
    #[serde(default)]
    poll_ms: Option<u32>,
    /// What may be written; without it nothing.
    #[serde(default)]
    write: Option<WriteLimits>,
    /// Its own grade.
    #[serde(default)]
    pub(super) grade: Option<Grade>,
    /// The part of the enterprise its data belongs to.
    #[serde(default)]
    domain: Option<DataDomain>,
    /// The values that are expected.
    #[serde(default)]
    range: Option<ValueRange>,
    /// The names of an enumeration's states.
    #[serde(default)]
    labels: BTreeMap<i64, String>,
    /// What a value is between two samples; without it the line between them for tags of type `f64`, and
    /// the earlier one for all others.
    #[serde(default)]
    interpolation: Option<Interpolation>,
    /// Its own grade, as answers call it; where it is given, it counts and `grade` does not.
    #[serde(default, deserialize_with = "given", skip_serializing)]
    #[schema(value_type = Option<Grade>)]
    own_grade: Option<Option<Grade>>,
    /// The version that was read. In a change with `If-Match`, a point that is in another one by now is a conflict.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<u64>)]
    pub(super) version: Option<u64>,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "unit_symbol")]
    #[schema(value_type = Option<Object>, read_only)]
    _unit_symbol: Told,
    /// As answers tell it; read over.
    #[serde(default, skip_serializing, rename = "last")]
    #[schema(value_type = Option<Object>, read_only)]
    _last: Told,
}

fn enabled() -> bool {
    true
}

/// What an answer tells besides and a request may send back: it is read over.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::routes) struct Told;

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

/// A member that is there, be it null.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Grade>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl DeviceInput {
    /// With the grades that are meant.
    pub(super) fn settled(mut self) -> Self {
        if let Some(own) = self.own_grade.take() {
            self.grade = own;
        }
        self.points.iter_mut().for_each(PointInput::settle);
        self
    }

    /// The document.
    pub(super) fn device(&self, id: Identifier) -> Device {
        Device {
            id,
            name: self.name.clone(),
            names: self.names.clone(),
            protocol: self.protocol.clone(),
            asset: self.asset.clone(),
            settings: self.settings.clone(),
            enabled: self.enabled,
            grade: self.grade,
        }
    }
}

impl From<DeviceInput> for DevicePatch {
    /// The change after which the device is as it was sent.
    fn from(input: DeviceInput) -> Self {
        Self {
            id: input.id,
            name: input.name,
            names: input.names,
            protocol: input.protocol,
            asset: input.asset,
            settings: input.settings,
            enabled: input.enabled,
            grade: input.grade,
            _status: Told,
            _version: Told,
            points: Some(input.points),
        }
    }
}

impl From<DevicePatch> for DeviceInput {
    /// The device after a change, with the points of the change.
    fn from(patch: DevicePatch) -> Self {
        Self {
            id: patch.id,
            name: patch.name,
            names: patch.names,
            protocol: patch.protocol,
            asset: patch.asset,
            settings: patch.settings,
            enabled: patch.enabled,
            grade: patch.grade,
            own_grade: None,
            _status: Told,
            _version: Told,
            points: patch.points.unwrap_or_default(),
        }
    }
}

impl DevicePatch {
    pub(super) fn of(device: &Device) -> Self {
        let Device { id, name, names, protocol, asset, settings, enabled, grade } = device.clone();
        Self {
            id: Some(id),
            name,
            names,
            protocol,
            asset,
            settings,
            enabled,
            grade,
            _status: Told,
            _version: Told,
            points: None,
        }
    }

    /// With the grades that are meant.
    pub(super) fn settled(mut self) -> Self {
        self.points.iter_mut().flatten().for_each(PointInput::settle);
        self
    }
}

impl PointInput {
    /// A tag that is a point, as it is sent.
    pub(super) fn of(tag: Tag) -> Result<Self, Failure> {
        let Some(source) = tag.source else {
            return Err(Failure::not_found(format!("source of {}", tag.id)));
        };
        let unreadable =
            |error: serde_json::Error| Failure::internal("read the source of a tag", &error);
        let scaling = source.scaling.into_iter().map(serde_json::from_value);
        Ok(Self {
            id: Some(tag.id),
            name: tag.name,
            names: tag.names,
            description: tag.description,
            asset: tag.asset,
            unit: tag.unit,
            data_type: tag.data_type,
            address: source.address,
            scaling: scaling.collect::<Result<_, _>>().map_err(unreadable)?,
            poll_ms: source.poll_ms,
            write: source.write.map(serde_json::from_value).transpose().map_err(unreadable)?,
            grade: tag.grade,
            domain: tag.domain,
            range: tag.range,
            labels: tag.labels,
            interpolation: tag.interpolation,
            own_grade: None,
            version: None,
            _unit_symbol: Told,
            _last: Told,
        })
    }

    /// A point of a template.
    pub(in crate::routes) fn of_template(point: &TemplatePoint) -> Self {
        let point = point.clone();
        Self {
            id: None,
            name: point.name,
            names: point.names,
            description: point.description,
            asset: None,
            unit: point.unit,
            data_type: point.data_type,
            address: point.address,
            scaling: point.scaling,
            poll_ms: point.poll_ms,
            write: point.write,
            grade: point.grade,
            domain: point.domain,
            range: point.range.map(|range| ValueRange { low: range.low, high: range.high }),
            labels: point.labels,
            interpolation: point.interpolation,
            own_grade: None,
            version: None,
            _unit_symbol: Told,
            _last: Told,
        }
    }

    fn settle(&mut self) {
        if let Some(own) = self.own_grade.take() {
            self.grade = own;
        }
    }

    pub(super) fn tag(&self, id: Identifier, tag: TagId, device: &Device) -> Result<Tag, Failure> {
        let source = Source {
            device: device.id.clone(),
            protocol: device.protocol.clone(),
            address: self.address.clone(),
            poll_ms: self.poll_ms,
            scaling: self.scaling.iter().map(as_json).collect::<Result<_, _>>()?,
            write: self.write.as_ref().map(as_json).transpose()?,
        };
        Ok(Tag {
            id,
            tag,
            name: self.name.clone(),
            names: self.names.clone(),
            description: self.description.clone(),
            asset: self.asset.clone().or_else(|| device.asset.clone()),
            unit: self.unit.clone(),
            data_type: self.data_type,
            grade: self.grade,
            domain: self.domain,
            range: self.range,
            labels: self.labels.clone(),
            interpolation: self.interpolation,
            source: Some(source),
        })
    }

    pub(super) fn point(&self, number: usize, id: Identifier) -> Point {
        Point {
            tag: TagId(number as u32),
            id,
            name: self.name.clone(),
            address: self.address.clone(),
            data_type: self.data_type,
            scaling: self.scaling.clone(),
            write: self.write.clone(),
            poll_ms: self.poll_ms,
        }
    }
}
