//! Chains in a schedule made by hand.

use super::{Cause, late_chain};
use crate::{Assignment, Schedule, parse_text};

#[test]
fn a_chain_goes_over_machine_and_route_back_to_the_release() {
    let problem = parse_text("2 2\n0 3 1 2\n0 4 1 5\n").unwrap();
    let entry = |job, op, machine, start, end| Assignment {
        job,
        op,
        machine,
        start,
        end,
        resources: vec![],
    };
    let operations = vec![
        entry(0, 0, 0, 0, 3),
        entry(0, 1, 1, 12, 14),
        entry(1, 0, 0, 3, 7),
        entry(1, 1, 1, 7, 12),
    ];
    let chain = late_chain(&problem, &Schedule { operations }, 0);
    let causes: Vec<Cause> = chain.iter().map(|link| link.cause).collect();
    let expected = [
        Cause::Machine { job: 1, op: 1, setup: 0 },
        Cause::Route { op: 0, transport: 0 },
        Cause::Machine { job: 0, op: 0, setup: 0 },
        Cause::Release,
    ];
    assert_eq!(causes, expected);
    assert_eq!(chain.iter().map(|link| link.idle).sum::<i64>(), 0);
}

#[test]
fn no_chain_is_longer_than_the_schedule() {
    for seed in 0..50 {
        let problem = crate::general::tests::any_problem(seed);
        let options = crate::Options { seed, threads: 1, iterations: Some(3) };
        let answer = crate::solve(&problem, &options, &crate::general::tests::Unhurried).unwrap();
        for job in 0..problem.jobs.len() as u32 {
            let chain = late_chain(&problem, &answer.schedule, job);
            assert!(!chain.is_empty() && chain.len() <= answer.schedule.operations.len());
        }
    }
}
