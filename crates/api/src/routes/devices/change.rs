//! Devices as they are created and changed, together with the tags that are their points.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_connect::{
    DEVICE_SETTINGS_BYTES_MAX, Device, DeviceSecrets, DeviceSpec, Devices, Point, Scaling, Secrets,
    WriteLimits,
};
use weir_model::{
    DataDomain, DataType, FieldError, Grade, Identifier, Prefix, ProblemCode, TagId, Unit,
};
use weir_resolver::{Kind, Minter};
use weir_store::{Commit, Expect, Snapshot, Versioned};
use weir_twin::{Draft, Source, Tag, ValueRange, check_name, check_names};

use super::POINTS_A_REQUEST_MAX;
use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::assets::{visible_asset, within_ceiling};
use crate::routes::tags::as_json;

/// A device as it is created or tested.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
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
    names: BTreeMap<String, String>,
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
    enabled: bool,
    /// Its own grade.
    #[serde(default)]
    pub(super) grade: Option<Grade>,
    /// What is read and written.
    #[serde(default)]
    pub(super) points: Vec<PointInput>,
}

/// What can be changed of a device.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DevicePatch {
    /// Its identifier, which stays.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) id: Option<Identifier>,
    /// Its name.
    name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// Its protocol, which stays.
    protocol: String,
    /// The asset it belongs to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) asset: Option<Identifier>,
    /// The driver's settings. A secret that stays as it is, is sent as it was answered:
    /// `{"secret": "set"}`.
    pub(super) settings: Json,
    /// Whether it should run.
    enabled: bool,
    /// Its own grade.
    #[serde(default)]
    pub(super) grade: Option<Grade>,
    /// All its points, if they are to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) points: Option<Vec<PointInput>>,
}

/// A point of a device: a tag with an address.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PointInput {
    /// The tag's identifier; made from the name if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<Identifier>,
    /// The tag's name.
    name: String,
    /// Its name in other languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// What it measures, for people.
    #[serde(default)]
    description: String,
    /// The asset it tells about; the device's own if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    asset: Option<Identifier>,
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
    grade: Option<Grade>,
    /// The part of the enterprise its data belongs to.
    #[serde(default)]
    domain: Option<DataDomain>,
    /// The values that are expected.
    #[serde(default)]
    range: Option<ValueRange>,
    /// The names of an enumeration's states.
    #[serde(default)]
    labels: BTreeMap<i64, String>,
}

fn enabled() -> bool {
    true
}

impl DevicePatch {
    pub(super) fn of(device: &Device) -> Self {
        let Device { id, name, names, protocol, asset, settings, enabled, grade } = device.clone();
        Self { id: Some(id), name, names, protocol, asset, settings, enabled, grade, points: None }
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
        })
    }

    fn tag(&self, id: Identifier, tag: TagId, device: &Device) -> Result<Tag, Failure> {
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
            source: Some(source),
        })
    }

    fn point(&self, number: usize, id: Identifier) -> Point {
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

/// Takes the secrets out of settings as they were sent, before anything else looks at them. `of` is the
/// device whose kept secrets a marker stands for.
pub(super) fn take_secrets(
    visit: &Visit,
    protocol: &str,
    settings: &mut Json,
    of: Option<&Identifier>,
) -> Result<Secrets, Failure> {
    let Some(driver) = visit.state().supervisor.driver(protocol) else {
        return Ok(Secrets::default());
    };
    let known = match of {
        Some(id) if super::is_seen(visit, id)? => stored_secrets(visit, id)?,
        _ => Secrets::default(),
    };
    Secrets::take(&driver.describe(), settings, &known).map_err(Failure::fields)
}

fn stored_secrets(visit: &Visit, id: &Identifier) -> Result<Secrets, Failure> {
    let found = visit.state().store.get::<DeviceSecrets>(visit.tenant(), &id.folded())?;
    Ok(found.map(|found| found.record).unwrap_or_default())
}

/// Keeps the secrets of a device with its document.
fn put_secrets(commit: &mut Commit, key: &str, secrets: &Secrets, had_some: bool) {
    if !secrets.is_empty() {
        commit.put::<DeviceSecrets>(key, secrets, Expect::Any);
    } else if had_some {
        commit.delete::<DeviceSecrets>(key, Expect::Any);
    }
}

/// The device as its driver sees it, with numbers and identifiers that stand for those to come.
pub(super) fn spec(
    visit: &Visit,
    input: &DeviceInput,
    secrets: &Secrets,
) -> Result<DeviceSpec, Failure> {
    let mut settings = input.settings.clone();
    secrets.give(&mut settings);
    let prefix = visit.organisation()?.prefix;
    let named = |asked: &Option<Identifier>, suffix: &str| match asked {
        Some(id) => Ok(id.clone()),
        None => prefix.child(suffix).map_err(|error| Failure::internal("name a point", &error)),
    };
    let points = input.points.iter().enumerate().map(|(number, point)| {
        Ok(point.point(number, named(&point.id, &format!("point-{}", number + 1))?))
    });
    Ok(DeviceSpec {
        tenant: visit.tenant(),
        device: named(&input.id, "device")?,
        name: input.name.clone(),
        protocol: input.protocol.clone(),
        settings,
        points: points.collect::<Result<_, Failure>>()?,
        enabled: input.enabled,
        revision: 0,
    })
}

/// Checks what needs no snapshot: names, bounds, the driver's own rules, and that the assets named
/// are ones that the caller may see.
pub(super) fn check_input(
    visit: &Visit,
    input: &DeviceInput,
    secrets: &Secrets,
) -> Result<(), Failure> {
    check_fields(&input.name, &input.names, &input.settings)?;
    if input.points.len() > POINTS_A_REQUEST_MAX {
        let detail = format!("at most {POINTS_A_REQUEST_MAX} in one request; add more by PATCH");
        return Err(Failure::field(ProblemCode::InvalidValue, "/points", detail));
    }
    visit.state().supervisor.check(&spec(visit, input, secrets)?).map_err(Failure::fields)?;
    visible_asset(visit, input.asset.as_ref(), "/asset")?;
    for (number, point) in input.points.iter().enumerate() {
        visible_asset(visit, point.asset.as_ref(), &format!("/points/{number}/asset"))?;
    }
    Ok(())
}

/// Checks that the caller will see the device and its tags.
pub(super) fn check_ceiling(
    visit: &Visit,
    grade: Option<Grade>,
    asset: Option<&Identifier>,
    points: &[PointInput],
) -> Result<(), Failure> {
    within_ceiling(visit, grade, asset)?;
    points
        .iter()
        .try_for_each(|point| within_ceiling(visit, point.grade, point.asset.as_ref().or(asset)))
}

fn check_fields(
    name: &str,
    names: &BTreeMap<String, String>,
    settings: &Json,
) -> Result<(), Failure> {
    let mut errors = Vec::new();
    let mut check = |field: &str, result: Result<(), &str>| {
        if let Err(detail) = result {
            errors.push(FieldError { field: field.to_owned(), detail: detail.to_owned() });
        }
    };
    check("/name", check_name(name));
    check("/names", check_names(names));
    let fits = settings.to_string().len() <= DEVICE_SETTINGS_BYTES_MAX;
    check("/settings", if fits { Ok(()) } else { Err("settings have at most 65536 bytes") });
    if errors.is_empty() { Ok(()) } else { Err(Failure::fields(errors)) }
}

/// Checks a change as [`check_input`] does a new device.
pub(super) fn check_patch(
    visit: &Visit,
    patch: &DevicePatch,
    device: &Device,
    secrets: &Secrets,
) -> Result<(), Failure> {
    if patch.protocol != device.protocol {
        let detail = "a device keeps its protocol; make a new device for another";
        return Err(Failure::field(ProblemCode::InvalidValue, "/protocol", detail));
    }
    check_fields(&patch.name, &patch.names, &patch.settings)?;
    let input = DeviceInput {
        id: Some(device.id.clone()),
        name: patch.name.clone(),
        names: BTreeMap::new(),
        protocol: device.protocol.clone(),
        asset: patch.asset.clone().filter(|asset| Some(asset) != device.asset.as_ref()),
        settings: patch.settings.clone(),
        enabled: patch.enabled,
        grade: patch.grade,
        points: patch.points.clone().unwrap_or_default(),
    };
    check_input(visit, &input, secrets)
}

/// A device and its tags in one commit.
pub(super) fn create(
    visit: &Visit,
    snap: &Snapshot<'_>,
    commit: Commit,
    prefix: &Prefix,
    input: &DeviceInput,
    secrets: &Secrets,
) -> Result<(Commit, Identifier), Failure> {
    let mut draft = Draft::new(snap, commit);
    let mut minter = Minter::new(snap, visit.tenant(), prefix.clone())?;
    let asked = input.id.as_ref();
    let id = minter.mint(draft.commit_mut(), Kind::Device, asked, &input.name)?;
    draft.check_asset(input.asset.as_ref())?;
    let device = Device {
        id: id.clone(),
        name: input.name.clone(),
        names: input.names.clone(),
        protocol: input.protocol.clone(),
        asset: input.asset.clone(),
        settings: input.settings.clone(),
        enabled: input.enabled,
        grade: input.grade,
    };
    draft.commit_mut().put::<Devices>(id.folded(), &device, Expect::Absent);
    put_secrets(draft.commit_mut(), &id.folded(), secrets, false);
    for (number, point) in input.points.iter().enumerate() {
        create_point(&mut draft, &mut minter, &device, number, point)?;
    }
    Ok((draft.finish()?, id))
}

fn create_point(
    draft: &mut Draft<'_>,
    minter: &mut Minter<'_>,
    device: &Device,
    number: usize,
    point: &PointInput,
) -> Result<(), Failure> {
    let place = format!("/points/{number}");
    let id = minter
        .mint(draft.commit_mut(), Kind::Tag, point.id.as_ref(), &point.name)
        .map_err(|error| Failure::from(error).below(&place))?;
    let tag = draft.next_tag()?;
    let tag = point.tag(id, tag, device)?;
    draft.create_tag(&tag).map_err(|error| Failure::from(error).below(&place))
}

/// The change of a device and of its points.
pub(super) fn update(
    visit: &Visit,
    snap: &Snapshot<'_>,
    commit: Commit,
    prefix: &Prefix,
    patch: &DevicePatch,
    secrets: &Secrets,
    current: &Versioned<Device>,
) -> Result<(Commit, ()), Failure> {
    let mut draft = Draft::new(snap, commit);
    if patch.asset != current.record.asset {
        draft.check_asset(patch.asset.as_ref())?;
    }
    let device = Device {
        name: patch.name.clone(),
        names: patch.names.clone(),
        asset: patch.asset.clone(),
        settings: patch.settings.clone(),
        enabled: patch.enabled,
        grade: patch.grade,
        ..current.record.clone()
    };
    let expect = Expect::Version(current.version);
    draft.commit_mut().put::<Devices>(&current.key, &device, expect);
    let had_some = snap.get::<DeviceSecrets>(visit.tenant(), &current.key)?.is_some();
    put_secrets(draft.commit_mut(), &current.key, secrets, had_some);
    if device.name != current.record.name {
        let commit = draft.commit_mut();
        weir_resolver::rename(snap, commit, visit.tenant(), &device.id, &device.name)?;
    }
    if let Some(points) = &patch.points {
        update_points(visit, &mut draft, prefix, &device, points)?;
    }
    Ok((draft.finish()?, ()))
}

/// Makes the points given the device's only ones.
fn update_points(
    visit: &Visit,
    draft: &mut Draft<'_>,
    prefix: &Prefix,
    device: &Device,
    points: &[PointInput],
) -> Result<(), Failure> {
    let snap = draft.snapshot();
    let mut minter = Minter::new(snap, visit.tenant(), prefix.clone())?;
    let existing = super::points(snap, visit, &device.id.folded())?;
    let mut kept = HashSet::new();
    for (number, point) in points.iter().enumerate() {
        let known =
            point.id.as_ref().and_then(|id| existing.iter().find(|tag| tag.record.id == *id));
        let Some(known) = known else {
            create_point(draft, &mut minter, device, number, point)?;
            continue;
        };
        let place = format!("/points/{number}");
        if !kept.insert(known.key.as_str()) {
            let detail = "another point has the same id";
            return Err(Failure::field(ProblemCode::InvalidValue, format!("{place}/id"), detail));
        }
        let tag = point.tag(known.record.id.clone(), known.record.tag, device)?;
        if tag != known.record {
            draft.update_tag(&tag, None).map_err(|error| Failure::from(error).below(&place))?;
        }
        if tag.name != known.record.name {
            let commit = draft.commit_mut();
            weir_resolver::rename(snap, commit, visit.tenant(), &tag.id, &tag.name)?;
        }
    }
    for left_out in existing.iter().filter(|tag| !kept.contains(tag.key.as_str())) {
        // What the caller may not see it cannot have meant to leave out.
        let tag = &left_out.record;
        let asset = tag.asset.as_ref().map(Identifier::folded);
        let grade = visit.directory(|view| view.grade(tag.grade, asset.as_deref()))?;
        if visit.sees(grade) {
            draft.update_tag(&Tag { source: None, ..tag.clone() }, None)?;
        }
    }
    Ok(())
}
