//! The rules of a spec that no protocol changes.

use weir_model::FieldError;

use crate::{DeviceSpec, POINTS_MAX, Point, SCALINGS_MAX};

/// Fastest poll: below it, scheduling and the network decide anyway.
const POLL_MS_MIN: u32 = 10;

/// Slowest poll: a day.
const POLL_MS_MAX: u32 = 86_400_000;

/// Most errors that are told; a table of ten thousand wrong rows says the same as its first ones.
const ERRORS_TOLD_MAX: usize = 100;

/// What is wrong with a spec, apart from settings and addresses.
pub(super) fn spec(spec: &DeviceSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if spec.points.len() > POINTS_MAX {
        let detail = format!("a device has at most {POINTS_MAX} points");
        errors.push(FieldError { field: "/points".to_owned(), detail });
        return errors;
    }
    for (index, found) in spec.points.iter().enumerate() {
        point(found, |field, detail| {
            if errors.len() < ERRORS_TOLD_MAX {
                let field = format!("/points/{index}/{field}");
                errors.push(FieldError { field, detail: detail.to_owned() });
            }
        });
    }
    errors
}

fn point(point: &Point, mut wrong: impl FnMut(&str, &str)) {
    if point.poll_ms.is_some_and(|ms| !(POLL_MS_MIN..=POLL_MS_MAX).contains(&ms)) {
        wrong("poll_ms", "an interval is 10 ms to a day");
    }
    if point.scaling.len() > SCALINGS_MAX {
        wrong("scaling", "too many scalings: at most 256");
    }
    for (index, scaling) in point.scaling.iter().take(SCALINGS_MAX).enumerate() {
        if !scaling.factor.is_finite() || scaling.factor == 0.0 {
            wrong(&format!("scaling/{index}/factor"), "a factor is a finite number, not zero");
        }
        if !scaling.offset.is_finite() {
            wrong(&format!("scaling/{index}/offset"), "an offset is a finite number");
        }
    }
    let Some(limits) = &point.write else { return };
    if [limits.min, limits.max].into_iter().flatten().any(f64::is_nan) {
        wrong("write", "a limit is a number");
    }
    if let (Some(min), Some(max)) = (limits.min, limits.max)
        && min > max
    {
        wrong("write/min", "the lowest allowed value lies above the highest");
    }
}

/// The errors in one sentence, for people.
pub(super) fn told(errors: &[FieldError]) -> String {
    let mut text = errors
        .iter()
        .take(3)
        .map(|e| format!("{}: {}", e.field, e.detail))
        .collect::<Vec<_>>()
        .join("; ");
    if errors.len() > 3 {
        text.push_str(&format!("; and {} more", errors.len() - 3));
    }
    text
}
