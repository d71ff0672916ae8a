use std::collections::BTreeSet;

use super::{Source, all, decimal};
use crate::image::Wire;
use crate::model::{Asset, Range};
use crate::recording::{FAULT_MAX, ROWS, Recording};
use crate::{assets, dcs, fleet};

/// Every variable is served once: by the control system or by a controller of the utilities.
#[test]
fn every_recorded_variable_is_served_exactly_once() {
    let controllers = all();
    let registers = controllers.iter().flat_map(|c| c.points.iter().map(|p| p.source));
    let signals = dcs::signals();
    let sources = registers.chain(signals.iter().map(|signal| signal.source));
    let recorded = |source| match source {
        Source::Recorded(column) => Some(column),
        _ => None,
    };
    let mut columns: Vec<usize> = sources.filter_map(recorded).collect();
    columns.sort_unstable();
    assert_eq!(columns, (0..52).collect::<Vec<_>>());
}

#[test]
fn no_two_points_of_a_device_overlap() {
    for controller in all() {
        let mut taken = BTreeSet::new();
        for point in &controller.points {
            for address in point.address..point.address + point.wire.width() {
                assert!(
                    taken.insert((point.table.as_str(), address)),
                    "{} {} {address}",
                    controller.suffix,
                    point.suffix
                );
            }
        }
    }
}

#[test]
fn assets_stand_under_a_fitting_parent_that_comes_first() {
    let all: Vec<Asset> = assets::ALL.iter().cloned().chain(fleet::assets()).collect();
    for (index, asset) in all.iter().enumerate() {
        let Some(parent) = &asset.parent else { continue };
        let parent = all[..index].iter().find(|a| a.suffix == *parent).unwrap();
        assert!(asset.level.fits_under(parent.level), "{}", asset.suffix);
    }
}

#[test]
fn the_digits_that_were_recorded_are_told() {
    assert_eq!(decimal(0.25038), 0.25038);
    assert_eq!(decimal(2705.2), 2705.2);
    assert_eq!(decimal(-1e-7), -1e-7);
    assert!(decimal(f32::NAN).is_nan());
}

/// No recorded value of any run is cut off by its register, and the spans hold the normal run.
#[test]
fn registers_and_spans_hold_what_was_recorded() {
    let runs: Vec<_> = (0..=FAULT_MAX).map(|fault| Recording::load(fault).unwrap()).collect();
    let every = |column: usize| {
        runs.iter().flat_map(move |run| (0..ROWS).map(move |row| f64::from(run.row(row)[column])))
    };
    let spanned = |suffix: &str, value: f64, range: Range| {
        // Noise around zero and a valve driven against its stop leave the span a bit.
        let slack = (range.high - range.low) * 0.2;
        let span = range.low - slack..=range.high + slack;
        assert!(span.contains(&value), "{suffix}: {value}");
    };
    for controller in all() {
        for point in &controller.points {
            let (Source::Recorded(column), Some(range)) = (point.source, point.range) else {
                continue;
            };
            for value in every(column) {
                let raw = value / point.step.unwrap_or(1.0);
                let fits = match point.wire {
                    Wire::U16 => (0.0..=65_535.0).contains(&raw),
                    Wire::U32 => (0.0..=4_294_967_295.0).contains(&raw),
                    Wire::I32 => raw.abs() <= 2_147_483_647.0,
                    _ => true,
                };
                assert!(fits, "{} holds no {value}", point.suffix);
                spanned(point.suffix, value, range);
            }
        }
    }
    for signal in dcs::signals() {
        if let (Source::Recorded(column), Some(range)) = (signal.source, signal.range) {
            every(column).for_each(|value| spanned(signal.suffix, value, range));
        }
    }
}
