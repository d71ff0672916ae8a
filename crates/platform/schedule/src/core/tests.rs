//! Known optima, determinism, and agreement with brute force.

use crate::core::{Plan, Random, Shop, search};
use crate::general::tests::Unhurried;
use crate::problem::{Alternative, Job, Machine, Operation, Problem};
use crate::{Options, check, parse_text, solve};

fn options(threads: u32, iterations: u64) -> Options {
    Options { seed: 1, threads, iterations: Some(iterations) }
}

#[test]
fn known_optima_are_met() {
    let texts = [
        (include_str!("../../tests/data/ft06.txt"), 55),
        (include_str!("../../tests/data/ft10.txt"), 930),
        (include_str!("../../tests/data/la01.txt"), 666),
        (include_str!("../../tests/data/mk01.txt"), 40),
    ];
    for (text, optimum) in texts {
        let problem = parse_text(text).unwrap();
        let answer = solve(&problem, &options(2, 3_000_000), &Unhurried).unwrap();
        assert_eq!(answer.makespan, optimum, "{text}");
        assert!(answer.bound <= optimum);
        assert_eq!(check(&problem, &answer.schedule), vec![]);
    }
}

#[test]
fn a_seed_gives_the_same_schedule_again() {
    let problem = parse_text(include_str!("../../tests/data/ft10.txt")).unwrap();
    let one = solve(&problem, &options(3, 30_000), &Unhurried).unwrap();
    let other = solve(&problem, &options(3, 30_000), &Unhurried).unwrap();
    assert_eq!(one.schedule, other.schedule);
}

/// Shops that come back to machines, with operations without length, on alternatives.
fn any_shop(random: &mut Random) -> Problem {
    let machines = 1 + random.below(3);
    let operation = |random: &mut Random| {
        let first = random.below(machines);
        let ways = 1 + random.below(machines);
        let way = |at: usize, duration: i64| Alternative {
            machine: ((first + at) % machines) as u32,
            duration,
        };
        Operation {
            alternatives: (0..ways).map(|at| way(at, random.below(7) as i64)).collect(),
            ..Operation::default()
        }
    };
    let jobs = (0..1 + random.below(3)).map(|at| Job {
        id: format!("J{at}"),
        release: 0,
        due: None,
        weight: 1,
        operations: (0..1 + random.below(3)).map(|_| operation(random)).collect(),
        precedence: None,
    });
    Problem {
        jobs: jobs.collect(),
        machines: (0..machines)
            .map(|at| Machine { id: format!("M{at}"), ..Machine::default() })
            .collect(),
        ..Problem::default()
    }
}

/// The least makespan of all active orders, by trying every next operation on every machine.
fn brute_force(
    problem: &Problem,
    next: &mut Vec<usize>,
    ready: &mut Vec<i64>,
    free: &mut Vec<i64>,
) -> i64 {
    let mut best = i64::MAX;
    for job in 0..problem.jobs.len() {
        let Some(operation) = problem.jobs[job].operations.get(next[job]) else { continue };
        for way in &operation.alternatives {
            let before = (ready[job], free[way.machine as usize]);
            let end = before.0.max(before.1) + way.duration;
            (ready[job], free[way.machine as usize]) = (end, end);
            next[job] += 1;
            best = best.min(brute_force(problem, next, ready, free).max(end));
            next[job] -= 1;
            (ready[job], free[way.machine as usize]) = before;
        }
    }
    if best == i64::MAX { 0 } else { best }
}

#[test]
fn small_shops_are_solved_as_by_brute_force_and_bounds_hold() {
    let mut random = Random::new(7);
    for _ in 0..300 {
        let problem = any_shop(&mut random);
        let (jobs, machines) = (problem.jobs.len(), problem.machines.len());
        let optimum =
            brute_force(&problem, &mut vec![0; jobs], &mut vec![0; jobs], &mut vec![0; machines]);
        let answer = solve(&problem, &options(1, 3_000), &Unhurried).unwrap();
        assert_eq!(check(&problem, &answer.schedule), vec![], "{problem:?}");
        assert_eq!(answer.makespan, optimum, "{problem:?}");
        assert!(answer.bound <= optimum, "{} {problem:?}", answer.bound);
    }
}

#[test]
fn a_first_schedule_stands_even_when_there_is_no_time() {
    let problem = parse_text(include_str!("../../tests/data/ft10.txt")).unwrap();
    let shop = Shop::of(&problem).unwrap();
    let plan = Plan { seed: 1, threads: 2, iterations: 1_000, bound: 0 };
    let outcome = search(&shop, plan, &|| true, &|_, _| {});
    assert_eq!(outcome.best.order.len(), 100);
    assert_eq!(outcome.iterations, 0);
}
