//! Devices as they are created and changed, together with the tags that are their points.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;
use weir_connect::{Device, DeviceSecrets, Devices, Secrets};
use weir_model::{Identifier, ProblemCode};
use weir_resolver::{Kind, Minter};
use weir_store::{Commit, Expect, Versioned};
use weir_twin::{Draft, Tag};

use super::check::{check_ceiling, faults};
use super::input::{DeviceInput, DevicePatch, PointInput};
use crate::door::Visit;
use crate::failure::Failure;

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

/// Adds a device and its tags to a draft.
pub(super) fn create(
    draft: &mut Draft<'_>,
    minter: &mut Minter<'_>,
    input: &DeviceInput,
    secrets: &Secrets,
) -> Result<Identifier, Failure> {
    let asked = input.id.as_ref();
    let id = minter.mint(draft.commit_mut(), Kind::Device, asked, &input.name)?;
    draft.check_asset(input.asset.as_ref())?;
    let device = input.device(id.clone());
    draft.commit_mut().put::<Devices>(id.folded(), &device, Expect::Absent);
    put_secrets(draft.commit_mut(), &id.folded(), secrets, false);
    for (number, point) in input.points.iter().enumerate() {
        create_point(draft, minter, &device, number, point)?;
    }
    Ok(id)
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

/// A device that is changed, as it is.
pub(super) struct Present {
    pub(super) device: Versioned<Device>,
    /// Its tags, those that the caller does not see among them.
    pub(super) tags: Vec<Versioned<Tag>>,
}

/// A change of a device, checked.
pub(super) struct Change {
    patch: DevicePatch,
    secrets: Secrets,
    /// Whether a point that was sent with another version than it has by now is a conflict.
    pub(super) is_expecting: bool,
}

impl Change {
    /// Checks what is asked for as it would be of a new device. `Err` has what is wrong, field by field, where it is that.
    pub(super) fn of(
        visit: &Visit,
        mut patch: DevicePatch,
        present: &Present,
    ) -> Result<Self, Failure> {
        let device = &present.device.record;
        if patch.protocol != device.protocol {
            let detail = "a device keeps its protocol; make a new device for another";
            return Err(Failure::field(ProblemCode::InvalidValue, "/protocol", detail));
        }
        patch.keep_unseen(visit, present)?;
        let of = Some(&device.id);
        let secrets = take_secrets(visit, &device.protocol, &mut patch.settings, of)?;
        let tags = present.tags.iter().map(|tag| &tag.record.asset);
        let kept: HashSet<_> = tags.chain([&device.asset]).flatten().cloned().collect();
        let mut input = DeviceInput::from(patch.clone());
        input.id = Some(device.id.clone());
        let errors = faults(visit, &input, &secrets, &kept)?;
        if !errors.is_empty() {
            return Err(Failure::all_fields(errors));
        }
        check_ceiling(visit, patch.grade, patch.asset.as_ref(), &input.points)?;
        Ok(Self { patch, secrets, is_expecting: false })
    }
}

impl DevicePatch {
    /// Puts back assets that are left out because the caller was not shown them.
    fn keep_unseen(&mut self, visit: &Visit, present: &Present) -> Result<(), Failure> {
        let unseen = |asset: &Option<Identifier>| match asset {
            Some(id) if !visit.sees_asset(&id.folded())? => Ok::<_, Failure>(asset.clone()),
            _ => Ok(None),
        };
        if self.asset.is_none() {
            self.asset = unseen(&present.device.record.asset)?;
        }
        let tags: HashMap<_, _> =
            present.tags.iter().map(|tag| (&tag.record.id, &tag.record.asset)).collect();
        for point in self.points.iter_mut().flatten().filter(|point| point.asset.is_none()) {
            if let Some(asset) = point.id.as_ref().and_then(|id| tags.get(id)) {
                point.asset = unseen(asset)?;
            }
        }
        Ok(())
    }
}

/// Adds the change of a device and of its points to a draft.
pub(super) fn update(
    visit: &Visit,
    draft: &mut Draft<'_>,
    minter: &mut Minter<'_>,
    change: &Change,
    present: &Present,
) -> Result<(), Failure> {
    let Change { patch, secrets, .. } = change;
    let (snap, current) = (draft.snapshot(), &present.device);
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
        let expecting = change.is_expecting;
        update_points(visit, draft, minter, &device, points, &present.tags, expecting)?;
    }
    Ok(())
}

/// Makes the points given the device's only ones.
fn update_points(
    visit: &Visit,
    draft: &mut Draft<'_>,
    minter: &mut Minter<'_>,
    device: &Device,
    points: &[PointInput],
    existing: &[Versioned<Tag>],
    is_expecting: bool,
) -> Result<(), Failure> {
    let snap = draft.snapshot();
    let by_id: HashMap<_, _> = existing.iter().map(|tag| (&tag.record.id, tag)).collect();
    let mut kept = HashSet::new();
    for (number, point) in points.iter().enumerate() {
        let Some(known) = point.id.as_ref().and_then(|id| by_id.get(id)) else {
            create_point(draft, minter, device, number, point)?;
            continue;
        };
        let place = format!("/points/{number}");
        if !kept.insert(known.key.as_str()) {
            let detail = "another point has the same id";
            return Err(Failure::field(ProblemCode::InvalidValue, format!("{place}/id"), detail));
        }
        let tag = point.tag(known.record.id.clone(), known.record.tag, device)?;
        if tag != known.record {
            let expected = point.version.filter(|_| is_expecting);
            draft.update_tag(&tag, expected).map_err(|error| Failure::from(error).below(&place))?;
        }
        if tag.name != known.record.name {
            let commit = draft.commit_mut();
            weir_resolver::rename(snap, commit, visit.tenant(), &tag.id, &tag.name)?;
        }
    }
    for left_out in existing.iter().filter(|tag| !kept.contains(tag.key.as_str())) {
        // What the caller may not see it cannot have meant to leave out.
        if super::is_visible_tag(visit, &left_out.record)? {
            draft.update_tag(&Tag { source: None, ..left_out.record.clone() }, None)?;
        }
    }
    Ok(())
}
