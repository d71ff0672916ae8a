//! A sound schedule of a problem with every rule, and each rule broken in turn.

use super::{Kind, check};
use crate::{Problem, Schedule};

/// Two machines with a set-up table, a batch oven, an operator, material, transport, and every way of waiting.
const PROBLEM: &str = r#"{
  "machines": [{"id":"saw","setup":0,"initial_family":0},{"id":"mill","calendar":0},{"id":"oven","batch_capacity":2},{"id":"old"}],
  "calendars": [{"open":[[0,50],[60,100]],"period":100}],
  "setups": [{"times":[[0,2],[2,0]]}],
  "transport": [[0,1,1,1],[1,0,1,1],[1,1,0,1],[1,1,1,0]],
  "resources": [{"id":"Ann","count":1,"skills":[7]},{"id":"Bo","count":1,"skills":[8]}],
  "materials": [{"id":"steel","arrivals":[[0,1],[20,1]]}],
  "jobs": [
    {"id":"A","release":2,"operations":[
      {"alternatives":[{"machine":0,"duration":5}],"family":1,"consumes":[{"material":0,"quantity":1}],"wait":"no_wait"},
      {"alternatives":[{"machine":1,"duration":5}],"needs":[{"skill":7}]},
      {"alternatives":[{"machine":2,"duration":6}]}]},
    {"id":"B","operations":[
      {"alternatives":[{"machine":0,"duration":4}],"family":0,"consumes":[{"material":0,"quantity":1}],"wait":"blocking"},
      {"alternatives":[{"machine":1,"duration":20}],"interruptible":true,"needs":[{"skill":7}]},
      {"alternatives":[{"machine":2,"duration":4}]}]},
    {"id":"C","operations":[{"alternatives":[{"machine":0,"duration":1}],"family":0},{"alternatives":[{"machine":2,"duration":6}]}]},
    {"id":"D","operations":[{"alternatives":[{"machine":3,"duration":9}],"fixed":{"machine":3,"start":-3,"end":4}}]},
    {"id":"E","operations":[{"alternatives":[{"machine":2,"duration":6}],"family":1}]}
  ]}"#;

/// Job, operation, machine, start, end, resources.
type Row = (u32, u32, u32, i64, i64, &'static [u32]);

const SOUND: &[Row] = &[
    (0, 0, 0, 2, 7, &[]),
    (0, 1, 1, 8, 13, &[0]),
    (0, 2, 2, 50, 56, &[]),
    (1, 0, 0, 20, 24, &[]),
    (1, 1, 1, 45, 75, &[0]),
    (1, 2, 2, 80, 84, &[]),
    (2, 0, 0, 45, 46, &[]),
    (2, 1, 2, 50, 56, &[]),
    (3, 0, 3, -3, 4, &[]),
    (4, 0, 2, 0, 6, &[]),
];

fn schedule() -> Schedule {
    let entry = |&(job, op, machine, start, end, resources): &Row| crate::Assignment {
        job,
        op,
        machine,
        start,
        end,
        resources: resources.to_vec(),
    };
    Schedule { operations: SOUND.iter().map(entry).collect() }
}

#[test]
fn a_sound_schedule_has_no_violation() {
    let problem = Problem::from_json(PROBLEM).unwrap();
    assert_eq!(check(&problem, &schedule()), vec![]);
}

#[test]
fn every_planted_violation_is_found() {
    let problem = Problem::from_json(PROBLEM).unwrap();
    let moved = |at: usize, start: i64, end: i64| {
        let mut schedule = schedule();
        (schedule.operations[at].start, schedule.operations[at].end) = (start, end);
        schedule
    };
    let changed = |change: fn(&mut Schedule)| {
        let mut schedule = schedule();
        change(&mut schedule);
        schedule
    };
    let planted = [
        (Kind::Missing, changed(|schedule| drop(schedule.operations.pop()))),
        (
            Kind::Unknown,
            changed(|schedule| schedule.operations.push(schedule.operations[0].clone())),
        ),
        (Kind::Unknown, changed(|schedule| schedule.operations[9].job = 77)),
        (Kind::Machine, changed(|schedule| schedule.operations[5].machine = 1)),
        (Kind::Machine, changed(|schedule| schedule.operations[5].machine = 99)),
        (Kind::Duration, moved(9, 0, 5)),
        (Kind::Duration, moved(4, 45, 76)),
        (Kind::Duration, moved(9, 6, 0)),
        (Kind::Calendar, moved(1, 48, 53)),
        (Kind::Calendar, moved(4, 50, 80)),
        (Kind::Release, moved(0, 1, 6)),
        (Kind::Precedence, moved(5, 75, 79)),
        (Kind::NoWait, moved(1, 9, 14)),
        (Kind::Overlap, moved(3, 3, 7)),
        (Kind::Overlap, moved(9, 52, 58)),
        (Kind::Blocking, moved(6, 30, 31)),
        (Kind::Setup, moved(6, 8, 9)),
        (Kind::Setup, moved(0, 1, 6)),
        (Kind::Batch, moved(9, 50, 56)),
        (Kind::Resource, changed(|schedule| schedule.operations[1].resources.clear())),
        (Kind::Resource, changed(|schedule| schedule.operations[1].resources = vec![1])),
        (Kind::Resource, moved(4, 10, 30)),
        (Kind::Material, moved(3, 10, 14)),
        (Kind::Fixed, moved(8, -2, 5)),
    ];
    for (kind, schedule) in planted {
        let found = check(&problem, &schedule);
        assert!(
            found.iter().any(|violation| violation.kind == kind && !violation.text.is_empty()),
            "{kind:?}: {found:?}"
        );
    }
}

#[test]
fn numbers_out_of_all_range_are_told_and_not_computed_with() {
    let problem = Problem::from_json(PROBLEM).unwrap();
    let mut schedule = schedule();
    schedule.operations[0].end = i64::MAX;
    schedule.operations[1].start = i64::MIN;
    assert!(!check(&problem, &schedule).is_empty());
}
