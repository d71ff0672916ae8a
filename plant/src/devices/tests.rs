use std::collections::BTreeSet;

use weir_model::{Identifier, Prefix, Unit};

use super::{Source, all};
use crate::assets;
use crate::image::Wire;
use crate::recording::{FAULT_MAX, ROWS, Recording};

#[test]
fn every_recorded_variable_stands_in_exactly_one_register() {
    let mut columns: Vec<usize> = all()
        .iter()
        .flat_map(|c| c.points.iter().map(|p| p.source).collect::<Vec<_>>())
        .filter_map(
            |source| if let Source::Recorded(column) = source { Some(column) } else { None },
        )
        .collect();
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
fn suffixes_are_unique_and_every_reference_leads_somewhere() {
    let prefix = Prefix::parse(assets::ORGANISATION.prefix).unwrap();
    let known: BTreeSet<&str> = assets::ALL.iter().map(|a| a.suffix).collect();
    let mut seen = BTreeSet::new();
    let mut add = |suffix: &'static str| {
        Identifier::parse(&format!("{}/{suffix}", prefix.as_str())).unwrap();
        assert!(seen.insert(suffix), "{suffix} twice");
    };
    for asset in assets::ALL {
        add(asset.suffix);
        assert!(asset.parent.is_none_or(|parent| known.contains(parent)));
    }
    for controller in all() {
        add(controller.suffix);
        assert!(known.contains(controller.asset));
        for point in &controller.points {
            add(point.suffix);
            assert!(known.contains(point.asset), "{}", point.suffix);
            assert!(point.unit.is_none_or(|unit| Unit::parse(unit).is_ok()), "{}", point.suffix);
        }
    }
}

#[test]
fn assets_stand_under_a_fitting_parent_that_comes_first() {
    for (index, asset) in assets::ALL.iter().enumerate() {
        let Some(parent) = asset.parent else { continue };
        let parent = assets::ALL[..index].iter().find(|a| a.suffix == parent).unwrap();
        assert!(asset.level.fits_under(parent.level), "{}", asset.suffix);
    }
}

/// No recorded value of any run is cut off by its register, and the spans hold the normal run.
#[test]
fn registers_and_spans_hold_what_was_recorded() {
    let runs: Vec<_> = (0..=FAULT_MAX).map(|fault| Recording::load(fault).unwrap()).collect();
    for controller in all() {
        for point in &controller.points {
            let (Source::Recorded(column), Some(range)) = (point.source, point.range) else {
                continue;
            };
            for (fault, run) in runs.iter().enumerate() {
                for row in 0..ROWS {
                    let value = f64::from(run.row(row)[column]);
                    let raw = value / point.step.unwrap_or(1.0);
                    let fits = match point.wire {
                        Wire::U16 => (0.0..=65_535.0).contains(&raw),
                        Wire::I16 => (-32_768.0..=32_767.0).contains(&raw),
                        Wire::U32 => (0.0..=4_294_967_295.0).contains(&raw),
                        Wire::I32 => raw.abs() <= 2_147_483_647.0,
                        _ => true,
                    };
                    assert!(fits, "{} holds no {value} of fault {fault}", point.suffix);
                    // Noise around zero and a valve driven against its stop leave the span a bit.
                    let slack = (range.high - range.low) * 0.2;
                    let span = range.low - slack..=range.high + slack;
                    assert!(span.contains(&value), "{}: {value} of fault {fault}", point.suffix);
                }
            }
        }
    }
}
