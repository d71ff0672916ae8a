//! Whatever the problem, the schedule passes the checker; and small ones are solved as well as brute force does.

use proptest::prelude::*;

use crate::core::Random;
use crate::problem::{
    Alternative, Calendar, Consumption, Fixed, Goal, Job, Machine, Material, Measure, Need,
    Objective, Operation, Problem, Resource, SetupTable, Wait,
};
use crate::{Control, Options, Progress, check};

pub(crate) struct Unhurried;

impl Control for Unhurried {
    fn stop(&self) -> bool {
        false
    }

    fn progress(&self, _: &Progress) {}
}

fn chance(random: &mut Random, percent: usize) -> bool {
    random.below(100) < percent
}

/// A problem with everything that the model has, each part with some chance.
pub(crate) fn any_problem(seed: u64) -> Problem {
    let mut random = Random::new(seed);
    let random = &mut random;
    let machines = 2 + random.below(4);
    let day =
        |open: Vec<[i64; 2]>, closed: Vec<[i64; 2]>| Calendar { open, period: Some(100), closed };
    let calendars = vec![
        day(vec![[0, 60], [70, 100]], vec![[130, 150]]),
        day(vec![[10, 90]], vec![]),
        Calendar { closed: vec![[20, 40]], ..Calendar::default() },
    ];
    let some_calendar = |random: &mut Random| chance(random, 50).then(|| random.below(3) as u32);
    let setups = vec![SetupTable {
        times: (0..3)
            .map(|from| (0..3).map(|to| i64::from(from != to) * (1 + (from + to) % 3)).collect())
            .collect(),
    }];
    let machine = |random: &mut Random, at: usize| Machine {
        id: format!("M{at}"),
        calendar: some_calendar(random),
        setup: chance(random, 50).then_some(0),
        initial_family: chance(random, 30).then(|| random.below(3) as u32),
        batch_capacity: if chance(random, 30) { 3 } else { 0 },
    };
    let machines: Vec<Machine> = (0..machines).map(|at| machine(random, at)).collect();
    let resources = (0..3).map(|at| Resource {
        id: format!("R{at}"),
        count: 1 + random.below(2) as u32,
        skills: if at == 2 { vec![0, 1] } else { vec![at] },
        calendar: chance(random, 30).then(|| random.below(2) as u32),
    });
    let resources: Vec<Resource> = resources.collect();
    let far = |random: &mut Random| {
        (0..machines.len()).map(|_| random.below(4) as i64).collect::<Vec<i64>>()
    };
    let transport = if chance(random, 50) {
        (0..machines.len()).map(|_| far(random)).collect()
    } else {
        Vec::new()
    };
    let mut jobs: Vec<Job> =
        (0..2 + random.below(6)).map(|at| any_job(random, at, machines.len())).collect();
    if chance(random, 30) {
        let first = &mut jobs[0].operations[0];
        let machine = first.alternatives[0].machine;
        first.needs.clear();
        first.wait = Wait::Free;
        first.fixed = Some(Fixed { machine, start: -5, end: 4, resources: vec![] });
    }
    let measures = [Measure::Makespan, Measure::WeightedTardiness, Measure::SetupTime];
    let goals = (0..1 + random.below(3)).map(|at| Goal {
        measure: measures[(at + random.below(3)) % 3],
        weight: 1 + random.below(3) as i64,
    });
    Problem {
        name: String::new(),
        machines,
        jobs,
        calendars,
        resources,
        setups,
        transport,
        materials: vec![Material {
            id: "A".into(),
            arrivals: vec![[-10, 3], [50, 20], [90, 1_000]],
        }],
        objective: Objective { goals: goals.collect(), lexicographic: chance(random, 50) },
    }
}

fn any_job(random: &mut Random, at: usize, machines: usize) -> Job {
    let count = 1 + random.below(5);
    let mut operations: Vec<Operation> =
        (0..count).map(|_| any_operation(random, machines)).collect();
    // Work that may not wait can contradict itself: where a route branches onto one machine, or with set-ups in between.
    let branches = chance(random, 50);
    let family = operations[0].family;
    for operation in &mut operations {
        if branches {
            operation.wait = Wait::Free;
        } else {
            operation.family = family;
        }
    }
    let pairs = |random: &mut Random| {
        let all = (0..count as u32).flat_map(|after| (0..after).map(move |before| [before, after]));
        all.filter(|_| chance(random, 40)).collect()
    };
    Job {
        id: format!("J{at}"),
        release: random.below(30) as i64,
        due: chance(random, 70).then(|| 20 + random.below(100) as i64),
        weight: 1 + random.below(4) as i64,
        operations,
        precedence: branches.then(|| pairs(random)),
    }
}

fn any_operation(random: &mut Random, machines: usize) -> Operation {
    let first = random.below(machines);
    let ways = 1 + random.below(2.min(machines));
    let way = |random: &mut Random, at: usize| Alternative {
        machine: ((first + at) % machines) as u32,
        duration: 1 + random.below(8) as i64,
    };
    Operation {
        id: String::new(),
        alternatives: (0..ways).map(|at| way(random, at)).collect(),
        family: random.below(3) as u32,
        interruptible: chance(random, 40),
        needs: (0..random.below(3))
            .map(|_| Need { skill: random.below(2) as u32, count: 1 })
            .collect(),
        wait: [Wait::Free, Wait::Free, Wait::Free, Wait::Blocking, Wait::NoWait][random.below(5)],
        available: random.below(20) as i64,
        consumes: if chance(random, 20) {
            vec![Consumption { material: 0, quantity: 2 }]
        } else {
            vec![]
        },
        size: random.below(3) as u32,
        fixed: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_schedule_passes_the_checker(seed in any::<u64>()) {
        let problem = any_problem(seed);
        let options = Options { seed, threads: 1, iterations: Some(40) };
        let answer = crate::solve(&problem, &options, &Unhurried);
        let answer = answer.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(check(&problem, &answer.schedule), vec![]);
        prop_assert!(answer.bound <= answer.value[0], "bound {} value {:?}", answer.bound, answer.value);
        let again = crate::solve(&problem, &options, &Unhurried).map(|again| again.schedule);
        prop_assert_eq!(again, Ok(answer.schedule));
    }
}

#[test]
fn the_general_search_meets_the_known_optimum_of_a_small_shop() {
    let problem = crate::parse_text(include_str!("../../tests/data/ft06.txt")).unwrap();
    let options = Options { seed: 1, threads: 2, iterations: Some(20_000) };
    let answer = super::solve(&problem, &options, &Unhurried).unwrap();
    assert_eq!(answer.makespan, 55);
    assert_eq!(check(&problem, &answer.schedule), vec![]);
}
