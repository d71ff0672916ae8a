//! The independent checker: it reads problem and schedule alone, and shares no code with the solver.

mod machines;
mod supply;
mod working;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::problem::{Assignment, Job, Problem, Schedule, Wait};

/// Moments further off are not computed with, so that no sum overflows.
const MOMENT_MAX: u64 = 1 << 55;

/// What kind of rule a schedule breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An operation is not in the schedule.
    Missing,
    /// An entry names no operation of the problem, or one a second time.
    Unknown,
    /// The machine cannot do the operation.
    Machine,
    /// Start and end do not leave the working time that the operation takes.
    Duration,
    /// Work falls into closed time.
    Calendar,
    /// It starts before its order's release or before it is available.
    Release,
    /// It starts before one that must be done first, and its transport.
    Precedence,
    /// It does not start at once after one that may not wait.
    NoWait,
    /// Two operations at a time on a machine.
    Overlap,
    /// The machine is still blocked by work that has not left.
    Blocking,
    /// There is no time for the set-up.
    Setup,
    /// A batch of mixed families, or too full.
    Batch,
    /// A resource is missing, without the skill, or used beyond its count.
    Resource,
    /// More material is taken than has come.
    Material,
    /// A fixed operation was moved.
    Fixed,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// Which kind.
    pub kind: Kind,
    /// Index of the job, where one is at fault.
    pub job: Option<u32>,
    /// Index of the operation in its job.
    pub op: Option<u32>,
    /// What is wrong, in words.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What the parts of the checker look at: every operation that has exactly one sound entry.
struct Sheet<'a> {
    problem: &'a Problem,
    /// By job and operation.
    entries: Vec<Vec<Option<&'a Assignment>>>,
    found: Vec<Violation>,
}

/// Every rule that the schedule breaks; empty when it is sound.
#[must_use]
pub fn check(problem: &Problem, schedule: &Schedule) -> Vec<Violation> {
    let entries = problem.jobs.iter().map(|job| vec![None; job.operations.len()]).collect();
    let mut sheet = Sheet { problem, entries, found: Vec::new() };
    sheet.enter(schedule);
    for job in 0..problem.jobs.len() {
        for op in 0..problem.jobs[job].operations.len() {
            sheet.operation(job, op);
        }
        sheet.route(job);
    }
    machines::check(&mut sheet);
    supply::check(&mut sheet);
    sheet.found
}

impl<'a> Sheet<'a> {
    fn tell(&mut self, kind: Kind, entry: &Assignment, text: impl fmt::Display) {
        let name = self.name(entry.job as usize, entry.op as usize);
        self.found.push(Violation {
            kind,
            job: Some(entry.job),
            op: Some(entry.op),
            text: format!("{name}: {text}"),
        });
    }

    fn name(&self, job: usize, op: usize) -> String {
        match self.problem.jobs.get(job) {
            Some(order) => format!("job {job} ({}) operation {op}", order.id),
            None => format!("job {job} operation {op}"),
        }
    }

    fn enter(&mut self, schedule: &'a Schedule) {
        for entry in &schedule.operations {
            if [entry.start, entry.end].iter().any(|time| time.unsigned_abs() > MOMENT_MAX) {
                self.tell(
                    Kind::Duration,
                    entry,
                    format!("from {} to {} is no sound time", entry.start, entry.end),
                );
                continue;
            }
            let place = self
                .entries
                .get_mut(entry.job as usize)
                .and_then(|job| job.get_mut(entry.op as usize));
            match place {
                None => self.tell(Kind::Unknown, entry, "there is no such operation"),
                Some(Some(_)) => self.tell(Kind::Unknown, entry, "it is scheduled twice"),
                Some(place) => *place = Some(entry),
            }
        }
        for job in 0..self.entries.len() {
            for op in 0..self.entries[job].len() {
                if self.entries[job][op].is_none() {
                    let text = format!("{}: it is not scheduled", self.name(job, op));
                    self.found.push(Violation {
                        kind: Kind::Missing,
                        job: Some(job as u32),
                        op: Some(op as u32),
                        text,
                    });
                }
            }
        }
    }

    fn operation(&mut self, job: usize, op: usize) {
        let Some(entry) = self.entries[job][op] else { return };
        let order = &self.problem.jobs[job];
        let operation = &order.operations[op];
        if let Some(fixed) = &operation.fixed {
            let stands =
                (fixed.machine, fixed.start, fixed.end) == (entry.machine, entry.start, entry.end);
            if !stands || fixed.resources != entry.resources {
                let text = format!(
                    "it stands on machine {} from {} to {} and was moved",
                    fixed.machine, fixed.start, fixed.end
                );
                self.tell(Kind::Fixed, entry, text);
            }
            return;
        }
        if entry.end < entry.start {
            self.tell(
                Kind::Duration,
                entry,
                format!("it ends at {} before it starts at {}", entry.end, entry.start),
            );
        }
        if !operation.alternatives.iter().any(|way| way.machine == entry.machine) {
            self.tell(Kind::Machine, entry, format!("machine {} cannot do it", entry.machine));
        }
        let earliest = order.release.max(operation.available);
        if entry.start < earliest {
            self.tell(
                Kind::Release,
                entry,
                format!("it starts at {} and may not before {earliest}", entry.start),
            );
        }
    }

    /// Precedence, transport and no-wait within a job.
    fn route(&mut self, job: usize) {
        let order = &self.problem.jobs[job];
        for [before, after] in pairs(order) {
            let (Some(first), Some(second)) = (self.entries[job][before], self.entries[job][after])
            else {
                continue;
            };
            let row = self.problem.transport.get(first.machine as usize);
            let way = row.and_then(|row| row.get(second.machine as usize)).copied().unwrap_or(0);
            let ready = first.end.saturating_add(way);
            if second.start < ready {
                self.tell(
                    Kind::Precedence,
                    second,
                    format!(
                        "it starts at {} and operation {before} is there only at {ready}",
                        second.start
                    ),
                );
            } else if order.operations[before].wait == Wait::NoWait && second.start != ready {
                self.tell(
                    Kind::NoWait,
                    second,
                    format!(
                        "it starts at {} and must at {ready}, when operation {before} is there",
                        second.start
                    ),
                );
            }
        }
    }
}

/// The pairs of operations of a job that follow each other.
fn pairs(order: &Job) -> Vec<[usize; 2]> {
    match &order.precedence {
        Some(pairs) => pairs.iter().map(|pair| [pair[0] as usize, pair[1] as usize]).collect(),
        None => (1..order.operations.len()).map(|at| [at - 1, at]).collect(),
    }
}
