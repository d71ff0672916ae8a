//! A machine breaks down and an urgent order arrives.

use crate::general::tests::{Unhurried, any_problem};
use crate::{Closed, Disruption, Job, Operation, Options, check, parse_text, reschedule, solve};

const OPTIONS: Options = Options { seed: 1, threads: 1, iterations: Some(200) };

#[test]
fn what_has_begun_stays_and_the_rest_moves_little() {
    let problem = parse_text(include_str!("../../tests/data/ft10.txt")).unwrap();
    let old = solve(&problem, &Options { iterations: Some(5_000), ..OPTIONS }, &Unhurried).unwrap();
    let mut urgent = problem.clone();
    let operations: Vec<Operation> = problem.jobs[0].operations[..2].to_vec();
    urgent.jobs.push(Job { id: "urgent".into(), operations, ..problem.jobs[0].clone() });
    let closed = vec![Closed { machine: 3, from: 300, to: 400 }];
    let disruption =
        Disruption { now: 300, frozen_until: 320, closed, move_cost: 1, may_advance: false };
    let (problem, new) =
        reschedule(&urgent, &old.schedule, &disruption, &OPTIONS, &Unhurried).unwrap();
    assert_eq!(check(&problem, &new.schedule), vec![]);
    for (before, after) in old.schedule.operations.iter().zip(&new.schedule.operations) {
        let down = before.machine == 3 && before.start < 400 && before.end > 300;
        if before.start < 320 && !down {
            assert_eq!(before, after);
        } else {
            assert!(after.start >= 300);
        }
    }
    let on_three =
        new.schedule.operations.iter().filter(|entry| entry.machine == 3 && entry.end > 300);
    assert!(on_three.clone().all(|entry| entry.start >= 400), "{on_three:?}");
    let urgent_end = new.schedule.operations.last().unwrap().end;
    assert!(urgent_end < 700, "the urgent order ends at {urgent_end}");
}

#[test]
fn nothing_moves_when_nothing_has_happened() {
    let problem = parse_text(include_str!("../../tests/data/ft10.txt")).unwrap();
    let old = solve(&problem, &Options { iterations: Some(5_000), ..OPTIONS }, &Unhurried).unwrap();
    let disruption =
        Disruption { now: 100, frozen_until: 100, move_cost: 1_000, ..Disruption::default() };
    let (_, new) = reschedule(&problem, &old.schedule, &disruption, &OPTIONS, &Unhurried).unwrap();
    assert_eq!(old.schedule, new.schedule);
}

#[test]
fn any_schedule_can_be_rescheduled() {
    for seed in 0..150 {
        let problem = any_problem(seed);
        let old = solve(&problem, &Options { iterations: Some(5), ..OPTIONS }, &Unhurried).unwrap();
        let closed = vec![Closed { machine: 0, from: 200, to: 260 }];
        let disruption = Disruption {
            now: 25,
            frozen_until: 30,
            closed,
            move_cost: 1,
            may_advance: seed % 2 == 0,
        };
        let (problem, new) = reschedule(
            &problem,
            &old.schedule,
            &disruption,
            &Options { iterations: Some(10), ..OPTIONS },
            &Unhurried,
        )
        .unwrap();
        assert_eq!(check(&problem, &new.schedule), vec![], "seed {seed}");
    }
}
