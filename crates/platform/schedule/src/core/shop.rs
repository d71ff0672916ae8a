//! What does not change during a search: the routes, and where each operation can be done.

use crate::problem::{Measure, Problem, Wait};

/// Sum of the longest durations below which `i32` times cannot overflow, heads plus tails included.
const WORK_MAX: i64 = 1 << 29;

/// A job shop or a flexible one. Operations are numbered by job and then along the route; `count` itself stands for none.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) count: usize,
    pub(crate) machines: usize,
    /// The first operation of each job, and `count` at the end.
    pub(crate) first: Vec<u32>,
    /// The operation before and after in the route.
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
    /// Where the alternatives of each operation begin, and their end at the end.
    pub(crate) ways: Vec<u32>,
    /// Machine and duration.
    pub(crate) way: Vec<(u32, i32)>,
    pub(crate) flexible: bool,
}

impl Shop {
    /// The core of a problem that is nothing but a core; `None` for all others.
    pub(crate) fn of(problem: &Problem) -> Option<Self> {
        if !plain(problem) {
            return None;
        }
        let mut shop = Self {
            count: problem.operation_count(),
            machines: problem.machines.len(),
            first: vec![0],
            before: Vec::new(),
            after: Vec::new(),
            ways: vec![0],
            way: Vec::new(),
            flexible: false,
        };
        let none = u32::try_from(shop.count).ok()?;
        let mut work = 0_i64;
        for job in &problem.jobs {
            for (index, operation) in job.operations.iter().enumerate() {
                let here = u32::try_from(shop.before.len()).ok()?;
                shop.before.push(if index == 0 { none } else { here - 1 });
                shop.after.push(if index + 1 == job.operations.len() { none } else { here + 1 });
                work += operation.alternatives.iter().map(|way| way.duration).max().unwrap_or(0);
                for way in &operation.alternatives {
                    shop.way.push((way.machine, i32::try_from(way.duration).ok()?));
                }
                shop.ways.push(u32::try_from(shop.way.len()).ok()?);
                shop.flexible |= operation.alternatives.len() > 1;
            }
            shop.first.push(u32::try_from(shop.before.len()).ok()?);
        }
        (work < WORK_MAX && shop.count > 0).then_some(shop)
    }

    pub(crate) fn ways_of(&self, operation: u32) -> &[(u32, i32)] {
        let at = operation as usize;
        &self.way[self.ways[at] as usize..self.ways[at + 1] as usize]
    }
}

fn plain(problem: &Problem) -> bool {
    let machines = problem.machines.iter().all(|machine| {
        machine.calendar.is_none() && machine.setup.is_none() && machine.batch_capacity == 0
    });
    let goals = &problem.objective.goals;
    machines
        && problem.transport.is_empty()
        && goals.len() == 1
        && goals.iter().all(|goal| goal.measure == Measure::Makespan && goal.weight == 1)
        && problem.jobs.iter().all(|job| {
            job.precedence.is_none()
                && job.release <= 0
                && job.operations.iter().all(|operation| {
                    operation.needs.is_empty()
                        && operation.consumes.is_empty()
                        && operation.available <= 0
                        && operation.fixed.is_none()
                        && operation.wait == Wait::Free
                })
        })
}
