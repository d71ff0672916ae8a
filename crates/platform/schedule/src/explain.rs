//! Why an order ends when it does: the chain of what waited for what, back to where nothing waited.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::problem::{Assignment, Problem, Schedule};

/// Why an operation did not start earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Cause {
    /// The order is released only then.
    Release,
    /// The operation's material or drawing is available only then.
    Available,
    /// It stands as the planner or the shop floor fixed it.
    Fixed,
    /// An operation of the same order came before; `transport` is the way from there.
    Route {
        /// Its number in the job.
        op: u32,
        /// Transport time.
        transport: i64,
    },
    /// Another operation had the machine; `setup` is the set-up after it.
    Machine {
        /// Its job.
        job: u32,
        /// Its number in the job.
        op: u32,
        /// Set-up time.
        setup: i64,
    },
    /// Another operation held an operator or a tool.
    Resource {
        /// The resource.
        resource: u32,
        /// Its job.
        job: u32,
        /// Its number in the job.
        op: u32,
    },
    /// Nothing of the above: closed time, material that came, blocking, or it could have started earlier.
    Other,
}

/// One operation of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Index of the job.
    pub job: u32,
    /// Number of the operation in it.
    pub op: u32,
    /// The machine.
    pub machine: u32,
    /// Start.
    pub start: i64,
    /// End.
    pub end: i64,
    /// Time between what it waited for and its start that neither transport nor set-up explains: closed time, above all.
    pub idle: i64,
    /// Why it did not start earlier.
    pub cause: Cause,
}

/// The chain that ends with the last operation of `job`, last link first. Empty when the schedule does not have the job.
#[must_use]
pub fn late_chain(problem: &Problem, schedule: &Schedule, job: u32) -> Vec<Link> {
    let entries: BTreeMap<(u32, u32), &Assignment> =
        schedule.operations.iter().map(|entry| ((entry.job, entry.op), entry)).collect();
    let last = entries
        .range((job, 0)..=(job, u32::MAX))
        .map(|one| *one.1)
        .max_by_key(|entry| (entry.end, entry.op));
    let mut chain: Vec<Link> = Vec::new();
    let mut next = last;
    // Each link lies before the one it explains, so that the chain is no longer than the schedule.
    while let Some(entry) = next {
        if chain.len() >= schedule.operations.len() {
            break;
        }
        let (ready, cause, before) = cause(problem, &entries, entry);
        let idle = if cause == Cause::Other { 0 } else { (entry.start - ready).max(0) };
        let Assignment { job, op, machine, start, end, .. } = *entry;
        chain.push(Link { job, op, machine, start, end, idle, cause });
        next = before.filter(|before| (before.start, before.end) < (entry.start, entry.end));
    }
    chain
}

/// Of all that an operation waited for, what was ready last: when, why, and the operation.
fn cause<'a>(
    problem: &Problem,
    entries: &BTreeMap<(u32, u32), &'a Assignment>,
    entry: &Assignment,
) -> (i64, Cause, Option<&'a Assignment>) {
    let Some(order) = problem.jobs.get(entry.job as usize) else { return (0, Cause::Other, None) };
    let Some(operation) = order.operations.get(entry.op as usize) else {
        return (0, Cause::Other, None);
    };
    if operation.fixed.is_some() {
        return (entry.start, Cause::Fixed, None);
    }
    let mut last = (order.release, Cause::Release, None);
    let mut offer = |ready: i64, cause: Cause, before: Option<&'a Assignment>| {
        if ready <= entry.start && ready > last.0 {
            last = (ready, cause, before);
        }
    };
    offer(operation.available, Cause::Available, None);
    let chain = || (1..order.operations.len() as u32).map(|at| [at - 1, at]).collect();
    for [before, after] in order.precedence.clone().unwrap_or_else(chain) {
        if after == entry.op
            && let Some(&other) = entries.get(&(entry.job, before))
        {
            let transport = table(&problem.transport, other.machine, entry.machine);
            offer(other.end + transport, Cause::Route { op: before, transport }, Some(other));
        }
    }
    for &other in entries.values().filter(|other| other.end <= entry.start) {
        let (job, op) = (other.job, other.op);
        if other.machine == entry.machine {
            let family = problem
                .jobs
                .get(job as usize)
                .and_then(|order| order.operations.get(op as usize))
                .map_or(0, |one| one.family);
            let setups = problem
                .machines
                .get(entry.machine as usize)
                .and_then(|machine| problem.setups.get(machine.setup? as usize));
            let setup = setups.map_or(0, |setups| table(&setups.times, family, operation.family));
            offer(other.end + setup, Cause::Machine { job, op, setup }, Some(other));
        }
        if let Some(&resource) = entry.resources.iter().find(|one| other.resources.contains(one)) {
            offer(other.end, Cause::Resource { resource, job, op }, Some(other));
        }
    }
    if last.0 < entry.start && last.2.is_none() { (last.0, Cause::Other, None) } else { last }
}

fn table(times: &[Vec<i64>], from: u32, to: u32) -> i64 {
    times.get(from as usize).and_then(|row| row.get(to as usize)).copied().unwrap_or(0)
}
