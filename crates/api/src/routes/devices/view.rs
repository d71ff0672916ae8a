//! Devices as they are answered.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use weir_connect::{Device, DeviceStatus};
use weir_model::{Grade, Identifier};
use weir_store::Versioned;

use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::tags::{TagView, shown};

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

/// A device with its state and its points.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeviceView {
    #[serde(flatten)]
    device: DeviceSummary,
    /// Its points, which are tags.
    points: Vec<TagView>,
}

impl DeviceView {
    pub(super) fn of(visit: &Visit, found: Versioned<Device>) -> Result<Self, Failure> {
        let tags = visit.state().store.read(|snap| super::points(snap, visit, &found.key))?;
        let mut points = Vec::with_capacity(tags.len());
        for tag in tags {
            let asset = tag.record.asset.as_ref().map(Identifier::folded);
            let grade = visit.directory(|view| view.grade(tag.record.grade, asset.as_deref()))?;
            if visit.sees(grade) {
                points.push(shown(visit, tag)?);
            }
        }
        Ok(Self { device: DeviceSummary::of(visit, found)?, points })
    }
}
