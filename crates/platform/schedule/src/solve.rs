//! The one way to a schedule, whatever the problem.

use crate::core::{Order, Plan, Shop, search};
use crate::problem::{Assignment, Problem, Schedule};
use crate::{Error, bound, general};

/// Islands, each with a pool of its own.
pub const THREADS_MAX: u32 = 64;

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The same seed, threads and iterations give the same schedule, unless [`Control::stop`] cuts the search short.
    pub seed: u64,
    /// Threads, from one to [`THREADS_MAX`].
    pub threads: u32,
    /// Iterations for each thread; without a limit, [`Control::stop`] ends the search.
    pub iterations: Option<u64>,
}

/// The clock and the cancel button, which this crate does not have.
pub trait Control: Sync {
    /// Whether to end now with the best so far. Asked often, by several threads; a first schedule is made all the same.
    fn stop(&self) -> bool;
    /// Told of every better schedule, by several threads.
    fn progress(&self, progress: &Progress);
}

/// How far a search is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Makespan of the best schedule.
    pub makespan: i64,
    /// Its goals: one number, or one for each lexicographic goal.
    pub value: Vec<i64>,
    /// Proven: no schedule has a smaller first number.
    pub bound: i64,
    /// Iterations so far, over all threads.
    pub iterations: u64,
}

/// A schedule, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The schedule.
    pub schedule: Schedule,
    /// Its makespan.
    pub makespan: i64,
    /// Its goals: one number, or one for each lexicographic goal.
    pub value: Vec<i64>,
    /// Proven: no schedule has a smaller first number in `value`.
    pub bound: i64,
    /// Iterations over all threads.
    pub iterations: u64,
    /// The first number meets the bound, and there is no second.
    pub optimal: bool,
}

impl Answer {
    /// How far the value can be above the best, as a part of the bound; `None` when the bound is zero.
    #[must_use]
    pub fn gap(&self) -> Option<f64> {
        let value = *self.value.first()?;
        (self.bound > 0).then(|| (value - self.bound) as f64 / self.bound as f64)
    }
}

/// Searches for a good schedule.
///
/// # Errors
/// [`Error::Invalid`] when the problem contradicts itself, [`Error::Infeasible`] when no schedule was found.
pub fn solve(problem: &Problem, options: &Options, control: &dyn Control) -> Result<Answer, Error> {
    problem.validate()?;
    match Shop::of(problem) {
        Some(shop) => Ok(solve_core(problem, &shop, options, control)),
        None => general::solve(problem, options, control),
    }
}

fn solve_core(problem: &Problem, shop: &Shop, options: &Options, control: &dyn Control) -> Answer {
    let bound = bound::makespan(shop);
    let plan = Plan {
        seed: options.seed,
        threads: options.threads.clamp(1, THREADS_MAX) as usize,
        iterations: options.iterations.unwrap_or(u64::MAX),
        bound,
    };
    let progress = |makespan: i32, iterations: u64| {
        let makespan = i64::from(makespan);
        control.progress(&Progress {
            makespan,
            value: vec![makespan],
            bound: i64::from(bound),
            iterations,
        });
    };
    let found = search(shop, plan, &|| control.stop(), &progress);
    let schedule = schedule(problem, shop, &found.best);
    let makespan = schedule.makespan();
    let bound = i64::from(bound);
    Answer {
        schedule,
        makespan,
        value: vec![makespan],
        bound,
        iterations: found.iterations,
        optimal: makespan == bound,
    }
}

/// Everything as early as the order allows.
fn schedule(problem: &Problem, shop: &Shop, found: &Order) -> Schedule {
    let mut starts = vec![(0_i64, 0_i64); shop.count + 1];
    let mut free = vec![0_i64; shop.machines];
    for &at in &found.order {
        let machine = found.machine[at as usize];
        let duration =
            shop.ways_of(at).iter().find(|way| way.0 == machine).map_or(0, |way| i64::from(way.1));
        let start = free[machine as usize].max(starts[shop.before[at as usize] as usize].1);
        starts[at as usize] = (start, start + duration);
        free[machine as usize] = start + duration;
    }
    let mut operations = Vec::with_capacity(shop.count);
    for (job, span) in shop.first.windows(2).enumerate().take(problem.jobs.len()) {
        for at in span[0]..span[1] {
            let (start, end) = starts[at as usize];
            let (op, machine) = (at - span[0], found.machine[at as usize]);
            operations.push(Assignment {
                job: job as u32,
                op,
                machine,
                start,
                end,
                resources: Vec::new(),
            });
        }
    }
    Schedule { operations }
}
