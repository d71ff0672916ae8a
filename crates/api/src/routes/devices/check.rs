//! The one check of a device and its points: what a test, a preview, a creation, a change and an import all ask.

use std::collections::HashSet;

use weir_connect::{DEVICE_SETTINGS_BYTES_MAX, Device, DeviceSpec, Secrets};
use weir_model::{FieldError, Grade, Identifier, Prefix, TagId};
use weir_twin::{check_name, check_names};

use super::POINTS_A_REQUEST_MAX;
use super::input::{DeviceInput, PointInput};
use crate::door::Visit;
use crate::failure::Failure;
use crate::routes::assets::{visible_asset, within_ceiling};

/// The device as its driver sees it, with numbers and identifiers that stand for those to come.
pub(super) fn spec(
    visit: &Visit,
    input: &DeviceInput,
    secrets: &Secrets,
) -> Result<DeviceSpec, Failure> {
    let mut settings = input.settings.clone();
    secrets.give(&mut settings);
    let prefix = visit.organisation()?.prefix;
    let device = match &input.id {
        Some(id) => id.clone(),
        None => standing_for(&prefix, "device")?,
    };
    let points = input
        .points
        .iter()
        .enumerate()
        .map(|(number, point)| Ok(point.point(number, point_id(&prefix, number, point)?)));
    Ok(DeviceSpec {
        tenant: visit.tenant(),
        device,
        name: input.name.clone(),
        protocol: input.protocol.clone(),
        settings,
        points: points.collect::<Result<_, Failure>>()?,
        enabled: input.enabled,
        revision: 0,
    })
}

fn point_id(prefix: &Prefix, number: usize, point: &PointInput) -> Result<Identifier, Failure> {
    match &point.id {
        Some(id) => Ok(id.clone()),
        None => standing_for(prefix, &format!("point-{}", number + 1)),
    }
}

/// An identifier in the place of one that is given later.
fn standing_for(prefix: &Prefix, suffix: &str) -> Result<Identifier, Failure> {
    prefix.child(suffix).map_err(|error| Failure::internal("name a device or a point", &error))
}

/// Checks what needs no snapshot; see [`faults`].
pub(super) fn check_input(
    visit: &Visit,
    input: &DeviceInput,
    secrets: &Secrets,
) -> Result<(), Failure> {
    let errors = faults(visit, input, secrets, &HashSet::new())?;
    if errors.is_empty() { Ok(()) } else { Err(Failure::fields(errors)) }
}

/// What is wrong with a device: names, bounds, the driver's own rules, those of the tags that its points become, and
/// assets that the caller may not see. `kept` are assets that it belonged to before.
pub(super) fn faults(
    visit: &Visit,
    input: &DeviceInput,
    secrets: &Secrets,
    kept: &HashSet<Identifier>,
) -> Result<Vec<FieldError>, Failure> {
    let mut errors = Vec::new();
    let mut check = |field: &str, result: Result<(), &str>| {
        if let Err(detail) = result {
            errors.push(FieldError { field: field.to_owned(), detail: detail.to_owned() });
        }
    };
    check("/name", check_name(&input.name));
    check("/names", check_names(&input.names));
    let fits = input.settings.to_string().len() <= DEVICE_SETTINGS_BYTES_MAX;
    check("/settings", if fits { Ok(()) } else { Err("settings have at most 65536 bytes") });
    if input.points.len() > POINTS_A_REQUEST_MAX {
        let detail = format!("at most {POINTS_A_REQUEST_MAX} in one request; add more by PATCH");
        errors.push(FieldError { field: "/points".to_owned(), detail });
        return Ok(errors);
    }
    let spec = spec(visit, input, secrets)?;
    errors.extend(visit.state().supervisor.check(&spec).err().unwrap_or_default());
    let prefix = visit.organisation()?.prefix;
    let device = input.device(spec.device);
    let told = errors.len();
    for fault in point_faults(&prefix, &device, &input.points)? {
        // The driver's side has a word on some of the same bounds.
        if errors[..told].iter().all(|error| error.field != fault.field) {
            errors.push(fault);
        }
    }
    let of_points = input.points.iter().enumerate();
    let of_points =
        of_points.map(|(number, point)| (point.asset.as_ref(), format!("/points/{number}/asset")));
    for (asset, field) in [(input.asset.as_ref(), "/asset".to_owned())].into_iter().chain(of_points)
    {
        let asset = asset.filter(|asset| !kept.contains(asset));
        match visible_asset(visit, asset, &field) {
            Err(failure) if failure.problem.errors.is_empty() => return Err(failure),
            Err(failure) => errors.extend(failure.problem.errors),
            Ok(()) => {}
        }
    }
    Ok(errors)
}

/// What is wrong with points by the rules of the tags that they become.
pub(in crate::routes) fn point_faults(
    prefix: &Prefix,
    device: &Device,
    points: &[PointInput],
) -> Result<Vec<FieldError>, Failure> {
    let mut errors = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let tag = point.tag(point_id(prefix, number, point)?, TagId(0), device)?;
        let faults = tag.check().err().unwrap_or_default();
        errors.extend(faults.into_iter().map(|fault| FieldError {
            field: format!("/points/{number}{}", fault.field),
            detail: fault.detail,
        }));
    }
    Ok(errors)
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
