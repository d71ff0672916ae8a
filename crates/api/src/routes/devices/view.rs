//! Devices as they are answered.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use weir_access::Action;
use weir_connect::{Device, DeviceStatus, Scaling, WriteLimits};
use weir_model::{DataDomain, DataType, Grade, Identifier, Interpolation, Unit};
use weir_store::Versioned;
use weir_twin::{Source, Tag, ValueRange};

use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::tags::{SampleView, redacted};

/// A device with its state.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeviceSummary {
    /// Its identifier.
    #[schema(value_type = String)]
    id: Identifier,
    /// Its name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
    /// Which driver it needs.
    protocol: String,
    /// The asset it belongs to.
    #[schema(value_type = Option<String>)]
    asset: Option<Identifier>,
    /// The driver's settings.
    settings: Json,
    /// Whether it should run.
    enabled: bool,
    /// The grade that holds for it.
    grade: Grade,
    /// Its own grade, if it has one.
    own_grade: Option<Grade>,
    /// What it is doing; null until it was started the first time.
    status: Option<DeviceStatus>,
    /// The version, which is also the ETag.
    version: u64,
}

impl DeviceSummary {
    pub(super) fn of(visit: &Visit, found: Versioned<Device>) -> Result<Self, Failure> {
        let Device { id, name, names, protocol, asset, settings, enabled, grade } = found.record;
        let above = asset.as_ref().map(Identifier::folded);
        let effective = visit.directory(|view| view.grade(grade, above.as_deref()))?;
        Ok(Self {
            asset: match &above {
                Some(key) if visit.sees_asset(key)? => asset,
                _ => None,
            },
            status: visit.state().supervisor.status(visit.tenant(), &id),
            grade: effective,
            own_grade: grade,
            version: found.version,
            id,
            name,
            names,
            protocol,
            settings,
            enabled,
        })
    }
}

/// A device with its state and its points. It can be sent back as it is.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeviceView {
    #[serde(flatten)]
    device: DeviceSummary,
    /// Its points, which are tags.
    points: Vec<PointView>,
}

/// A point of a device: a tag with its address. It can be sent back as it is.
#[derive(Serialize, utoipa::ToSchema)]
struct PointView {
    /// The tag's identifier.
    #[schema(value_type = String)]
    id: Identifier,
    /// The tag's name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
    /// What it measures, for people.
    description: String,
    /// The asset it tells about.
    #[schema(value_type = Option<String>)]
    asset: Option<Identifier>,
    /// The unit as a UCUM code or as the plant's own text in curly brackets.
    #[schema(value_type = Option<String>)]
    unit: Option<Unit>,
    /// The unit as people write it.
    unit_symbol: Option<String>,
    /// What its values are.
    data_type: DataType,
    /// The address within the device.
    address: Json,
    /// Scalings from raw to engineering values.
    #[schema(value_type = Vec<Scaling>)]
    scaling: Vec<Json>,
    /// Milliseconds between two readings; without it the device's own.
    poll_ms: Option<u32>,
    /// What may be written; without it nothing.
    #[schema(value_type = Option<WriteLimits>)]
    write: Option<Json>,
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
    /// The newest sample; null before the first and for callers who may not read samples.
    last: Option<SampleView>,
    /// The version of the tag.
    version: u64,
}

impl DeviceView {
    pub(super) fn of(visit: &Visit, found: Versioned<Device>) -> Result<Self, Failure> {
        let tags = visit.state().store.read(|snap| super::points(snap, visit, &found.key))?;
        let mut points = Vec::with_capacity(tags.len());
        for tag in tags {
            if super::is_visible_tag(visit, &tag.record)? {
                points.extend(PointView::of(visit, tag)?);
            }
        }
        Ok(Self { device: DeviceSummary::of(visit, found)?, points })
    }
}

impl PointView {
    /// None of a tag that is no point any more.
    fn of(visit: &Visit, found: Versioned<Tag>) -> Result<Option<Self>, Failure> {
        let asset = found.record.asset.as_ref().map(Identifier::folded);
        let grade = visit.directory(|view| view.grade(found.record.grade, asset.as_deref()))?;
        let tag = redacted(visit, found.record)?;
        let Some(Source { address, scaling, poll_ms, write, .. }) = tag.source else {
            return Ok(None);
        };
        let may_read = visit.allow(Action::SampleRead).is_ok();
        let last = may_read.then(|| visit.state().historian.last(visit.tenant(), tag.tag));
        Ok(Some(Self {
            id: tag.id,
            name: tag.name,
            names: tag.names,
            description: tag.description,
            asset: tag.asset,
            unit_symbol: tag.unit.as_ref().map(|unit| unit.symbol().to_owned()),
            unit: tag.unit,
            data_type: tag.data_type,
            address,
            scaling,
            poll_ms,
            write,
            grade,
            own_grade: tag.grade,
            domain: tag.domain,
            range: tag.range,
            labels: tag.labels,
            interpolation: tag.interpolation,
            last: last.flatten().as_ref().map(SampleView::listed),
            version: found.version,
        }))
    }
}
