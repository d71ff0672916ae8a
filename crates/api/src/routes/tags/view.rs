//! Tags and samples as they are answered.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use weir_access::Action;
use weir_model::{
    DataDomain, DataType, Grade, Identifier, Interpolation, Quality, Sample, Timestamp, Unit, Value,
};
use weir_store::Versioned;
use weir_twin::{Source, Tag, ValueRange};

use crate::door::Visit;
use crate::failure::Failure;

/// The protocol of tags that are not read from a device.
pub(super) const HTTP: &str = "http";

/// A tag with its newest value.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "88.100/reactor-pressure", "name": "Reactor pressure", "names": {"zh-CN": "反应器压力"},
    "description": "", "unit": "kPa{gauge}", "unit_symbol": "kPa(g)", "data_type": "f64",
    "asset": "88.100/reactor", "grade": "general", "own_grade": null, "domain": "production",
    "range": {"low": 0.0, "high": 3000.0}, "labels": {}, "interpolation": null, "protocol": "modbus",
    "device": "88.100/plc-1", "source": null,
    "last": {"time": "2026-11-23T08:00:00.5Z", "value": 2705.0, "quality": "good"}, "version": 3
}))]
pub(in crate::routes) struct TagView {
    /// Its identifier.
    #[schema(value_type = String)]
    id: Identifier,
    /// Its name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
    /// What it measures, for people.
    description: String,
    /// The unit as a UCUM code or as the plant's own text in curly brackets.
    #[schema(value_type = Option<String>)]
    unit: Option<Unit>,
    /// The unit as people write it.
    unit_symbol: Option<String>,
    /// What its values are.
    data_type: DataType,
    /// The asset it tells about.
    #[schema(value_type = Option<String>)]
    asset: Option<Identifier>,
    /// The grade that holds for it.
    grade: Grade,
    /// Its own grade, if it has one.
    own_grade: Option<Grade>,
    /// The part of the enterprise its data belongs to.
    domain: Option<DataDomain>,
    /// The values that are expected.
    range: Option<ValueRange>,
    /// The names of an enumeration's states.
    labels: BTreeMap<i64, String>,
    /// What a value is between two samples; null where its type says it: the line between them for
    /// `f64`, the earlier one for all others.
    interpolation: Option<Interpolation>,
    /// The protocol it is read over; `http` where samples are sent.
    protocol: String,
    /// The device it is read from.
    #[schema(value_type = Option<String>)]
    device: Option<Identifier>,
    /// Where in the device its samples come from.
    source: Option<Source>,
    /// The newest sample; null before the first and for callers who may not read samples.
    last: Option<SampleView>,
    /// The version, which is also the ETag.
    version: u64,
}

/// One sample.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"time": "2026-11-23T08:00:00.5Z", "value": 2705.0, "quality": "good"}))]
pub(crate) struct SampleView {
    /// When the source observed it, in UTC with up to nine decimals.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) time: Timestamp,
    /// The value; null where there is none. Integers beyond 2^53 are strings, as are `NaN`,
    /// `Infinity` and `-Infinity`.
    #[schema(value_type = Option<Json>)]
    pub(crate) value: Option<Json>,
    /// `good`, `uncertain` or `bad`, with an OPC UA status code where there is one:
    /// `bad:0x80310000`.
    #[schema(value_type = String)]
    pub(crate) quality: Quality,
    /// How many elements the array has that is left out of a list; the tag itself or its samples tell them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<usize>)]
    pub(crate) elements: Option<usize>,
}

/// Elements of an array beyond which it is left out of lists: a waveform is a megabyte of JSON.
const LISTED_ELEMENTS_MAX: usize = 64;

impl SampleView {
    /// As it is shown among many.
    pub(crate) fn listed(sample: &Sample) -> Self {
        match &sample.value {
            Some(Value::Array(items)) if items.len() > LISTED_ELEMENTS_MAX => Self {
                time: sample.time,
                value: None,
                quality: sample.quality,
                elements: Some(items.len()),
            },
            _ => Self::from(sample),
        }
    }
}

impl From<&Sample> for SampleView {
    fn from(sample: &Sample) -> Self {
        let value = sample.value.as_ref().map(Value::to_json);
        Self { time: sample.time, value, quality: sample.quality, elements: None }
    }
}

/// A tag without the asset and the device that the caller may not know of.
pub(in crate::routes) fn redacted(visit: &Visit, tag: Tag) -> Result<Tag, Failure> {
    let asset = match tag.asset {
        Some(asset) if visit.sees_asset(&asset.folded())? => Some(asset),
        _ => None,
    };
    let source = match tag.source {
        Some(source) if crate::routes::devices::is_seen(visit, &source.device)? => Some(source),
        _ => None,
    };
    Ok(Tag { asset, source, ..tag })
}

/// A tag as the caller is shown it.
pub(in crate::routes) fn shown(visit: &Visit, found: Versioned<Tag>) -> Result<TagView, Failure> {
    view(visit, found, |sample| SampleView::from(sample))
}

/// A tag as the caller is shown it among others.
pub(super) fn listed(visit: &Visit, found: Versioned<Tag>) -> Result<TagView, Failure> {
    view(visit, found, SampleView::listed)
}

fn view(
    visit: &Visit,
    found: Versioned<Tag>,
    of: impl Fn(&Sample) -> SampleView,
) -> Result<TagView, Failure> {
    let may_read = visit.allow(Action::SampleRead).is_ok();
    let asset = found.record.asset.as_ref().map(Identifier::folded);
    let grade = visit.directory(|view| view.grade(found.record.grade, asset.as_deref()))?;
    let protocol = found.record.source.as_ref().map(|source| source.protocol.clone());
    let tag = redacted(visit, found.record)?;
    let last = may_read.then(|| visit.state().historian.last(visit.tenant(), tag.tag)).flatten();
    Ok(TagView {
        id: tag.id,
        name: tag.name,
        names: tag.names,
        description: tag.description,
        unit_symbol: tag.unit.as_ref().map(|unit| unit.symbol().to_owned()),
        unit: tag.unit,
        data_type: tag.data_type,
        asset: tag.asset,
        grade,
        own_grade: tag.grade,
        domain: tag.domain,
        range: tag.range,
        labels: tag.labels,
        interpolation: tag.interpolation,
        protocol: protocol.unwrap_or_else(|| HTTP.to_owned()),
        device: tag.source.as_ref().map(|source| source.device.clone()),
        source: tag.source,
        last: last.as_ref().map(of),
        version: found.version,
    })
}
