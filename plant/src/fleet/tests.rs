use proptest::prelude::*;
use prost::Message as _;

use super::sparkplug::{Metric, Number, Payload, REBIRTH, asks_for_rebirth};
use super::{ENGINES, Fleet, METRICS, ROWS, devices, take};
use crate::replay::Position;

fn at(rows: u64, fault: u16) -> Position {
    Position { rows, fault, chosen: 0 }
}

#[test]
fn the_runs_are_whole() {
    let fleet = Fleet::load().unwrap();
    let lengths: Vec<usize> = fleet.engines.iter().map(|cycles| cycles.len()).collect();
    assert_eq!(lengths.len(), ENGINES);
    assert_eq!((lengths[0], lengths[1], lengths[19]), (192, 287, 234));
    let (number, cycle) = fleet.cycle(0, at(0, 0));
    assert_eq!((number, cycle[3], cycle[4], cycle[23]), (1, 518.67, 641.82, 23.419));
    assert_eq!(fleet.cycle(0, at(191, 0)).0, 192);
    assert_eq!(fleet.cycle(0, at(192, 0)).0, 1, "as new");
    assert_eq!(fleet.cycle(0, at(0, 1)).0, 133, "sixty cycles before the end");
}

#[test]
fn a_line_that_does_not_follow_is_refused() {
    let line = |engine: &str, cycle: &str| format!("{engine} {cycle} {}", "1.0 ".repeat(24));
    let mut engines = vec![Vec::new(); ENGINES];
    assert!(take(&mut engines, &line("1", "1")).is_some());
    for (engine, cycle) in [("1", "1"), ("1", "3"), ("0", "1"), ("21", "1"), ("x", "1")] {
        assert!(take(&mut engines, &line(engine, cycle)).is_none(), "{engine} {cycle}");
    }
    assert!(take(&mut engines, "1 2 5").is_none());
    assert!(take(&mut engines, &format!("{}9", line("1", "2"))).is_none());
    assert!(Fleet::unpack(b"no gzip").is_err());
}

#[test]
fn every_tag_is_a_metric_of_an_engine() {
    assert!(ROWS.iter().all(|row| row.metric == "cycle" || METRICS.contains(&row.metric)));
    let fleet = Fleet::load().unwrap();
    for row in ROWS.iter().filter(|row| row.metric != "cycle") {
        let column = METRICS.iter().position(|metric| *metric == row.metric).unwrap();
        let (low, high) = row.range;
        let values = fleet.engines.iter().flat_map(|cycles| cycles.iter().map(|c| c[column]));
        for value in values {
            assert!((low..=high).contains(&f64::from(value)), "{}: {value}", row.metric);
        }
    }
    let devices = devices();
    assert_eq!(devices.len(), 5);
    assert!(devices.iter().all(|device| device.points.len() == 4 * ROWS.len()));
}

#[test]
fn a_host_asks_for_births() {
    let command = |name: &str, value| {
        let metrics = vec![Metric::born(name, None, 1, value)];
        Payload { timestamp: Some(1), metrics, seq: None }.encode_to_vec()
    };
    assert!(asks_for_rebirth(&command(REBIRTH, Number::Boolean(true))));
    assert!(!asks_for_rebirth(&command(REBIRTH, Number::Boolean(false))));
    assert!(!asks_for_rebirth(&command("Node Control/Reboot", Number::Boolean(true))));
    // As the specification writes it: a name, a data type of 11 and a value in field 14.
    let birth = Payload::decode(&command(REBIRTH, Number::Boolean(true))[..]).unwrap();
    assert_eq!(birth.metrics[0].datatype, Some(11));
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        asks_for_rebirth(&bytes);
    }
}
