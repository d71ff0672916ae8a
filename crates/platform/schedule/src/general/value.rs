//! What a schedule is worth, and what none can be better than.

use super::floor::{Floor, Place};
use super::plant::Plant;
use crate::bound::one_machine;
use crate::problem::{Measure, Problem};

/// Numbers to compare: one, or one for each lexicographic goal.
pub(crate) type Value = Vec<i64>;

/// Joins the measures of makespan, weighted tardiness and set-up time by a problem's objective.
pub(crate) fn measure(problem: &Problem, of: impl Fn(Measure) -> i64) -> Value {
    let goals = problem.objective.goals.iter();
    if problem.objective.lexicographic {
        return goals.map(|goal| of(goal.measure)).collect();
    }
    vec![
        goals.map(|goal| goal.weight.saturating_mul(of(goal.measure))).fold(0, i64::saturating_add),
    ]
}

/// The value of a decoded schedule.
pub(super) fn value(floor: &Floor<'_>, places: &[Place]) -> Value {
    let plant = floor.plant;
    measure(plant.problem, |measure| match measure {
        Measure::Makespan => places.iter().map(|place| place.end).max().unwrap_or(0),
        Measure::WeightedTardiness => tardiness(plant, |at| places[at].end),
        Measure::SetupTime => (0..floor.machines.len()).map(|machine| setups(floor, machine)).sum(),
    })
}

fn tardiness(plant: &Plant<'_>, end: impl Fn(usize) -> i64) -> i64 {
    let mut first = 0;
    let mut sum = 0_i64;
    for job in &plant.problem.jobs {
        let last = (first..first + job.operations.len()).map(&end).max();
        first += job.operations.len();
        if let (Some(due), Some(last)) = (job.due, last) {
            sum = sum.saturating_add(job.weight.saturating_mul((last - due).max(0)));
        }
    }
    sum
}

fn setups(floor: &Floor<'_>, machine: usize) -> i64 {
    let families = floor.machines[machine].iter().map(|slot| slot.family);
    let first = floor.plant.problem.machines[machine].initial_family;
    let all: Vec<u32> = first.into_iter().chain(families).collect();
    all.windows(2).map(|pair| floor.plant.setup(machine as u32, pair[0], pair[1])).sum()
}

/// A value whose first number none can be below: routes, and the interrupted work of single machines.
pub(super) fn bound(plant: &Plant<'_>) -> i64 {
    let count = plant.operations.len();
    let shortest = |at: usize| match &plant.operations[at].fixed {
        Some(fixed) => fixed.end - fixed.start,
        None => plant.operations[at].alternatives.iter().map(|way| way.duration).min().unwrap_or(0),
    };
    let order = plant.order();
    let mut ends = vec![0_i64; count];
    for &at in &order {
        let at = at as usize;
        let before =
            plant.before[at].iter().map(|&one| ends[one as usize]).max().unwrap_or(i64::MIN);
        ends[at] = before.max(plant.earliest[at]) + shortest(at);
        if let Some(fixed) = &plant.operations[at].fixed {
            ends[at] = fixed.end;
        }
    }
    let mut tails = vec![0_i64; count];
    for &at in order.iter().rev() {
        // What follows a fixed operation may be fixed too, and at any time.
        let after = plant.after[at as usize]
            .iter()
            .filter(|&&one| plant.operations[one as usize].fixed.is_none());
        tails[at as usize] =
            after.map(|&one| tails[one as usize] + shortest(one as usize)).max().unwrap_or(0);
    }
    let makespan = || {
        let mut most = ends.iter().copied().max().unwrap_or(0);
        for machine in 0..plant.problem.machines.len() {
            if plant.problem.machines[machine].batch_capacity > 0 {
                continue;
            }
            let here = |at: &usize| matches!(&plant.operations[*at].alternatives[..], [way] if way.machine as usize == machine);
            let mut work: Vec<_> = (0..count)
                .filter(|at| here(at) && plant.operations[*at].fixed.is_none())
                .map(|at| (ends[at] - shortest(at), shortest(at), tails[at]))
                .collect();
            most = most.max(one_machine(&mut work));
        }
        most
    };
    let all = measure(plant.problem, |measure| match measure {
        Measure::Makespan => makespan(),
        Measure::WeightedTardiness => tardiness(plant, |at| ends[at]),
        Measure::SetupTime => 0,
    });
    all.first().copied().unwrap_or(0)
}
