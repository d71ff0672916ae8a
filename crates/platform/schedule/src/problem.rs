//! The model: what is to be made, where, with what, and when at the earliest.
//!
//! All times are `i64` in one unit that the caller chooses (a second, a minute); zero is the beginning of the plan, and a
//! negative time lies before it (work in progress). References between parts are indices into the lists of [`Problem`].

mod validate;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Operations of a problem, so that indices fit `u32` and memory stays below a gigabyte.
pub const OPERATIONS_MAX: usize = 200_000;
/// Machines, resources, calendars, set-up tables and materials, each.
pub const PARTS_MAX: usize = 10_000;
/// Largest absolute time: far enough for any plan in milliseconds, small enough that sums over all operations fit `i64`.
pub const TIME_MAX: i64 = 1 << 42;
/// Bytes of a text that is read.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// A production scheduling problem.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// The machines (work centres); an alternative names one by its index.
    pub machines: Vec<Machine>,
    /// The orders.
    pub jobs: Vec<Job>,
    /// Working times that machines and resources refer to.
    #[serde(default)]
    pub calendars: Vec<Calendar>,
    /// Operators and tools.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// Set-up tables that machines refer to.
    #[serde(default)]
    pub setups: Vec<SetupTable>,
    /// Transport time from a machine to a machine, `transport[from][to]`; empty when nothing takes time.
    #[serde(default)]
    pub transport: Vec<Vec<i64>>,
    /// Materials that operations consume.
    #[serde(default)]
    pub materials: Vec<Material>,
    /// What is to become small.
    #[serde(default)]
    pub objective: Objective,
}

/// A machine does one operation at a time, or one batch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// A name for people.
    pub id: String,
    /// Index of its calendar; always open without one.
    #[serde(default)]
    pub calendar: Option<u32>,
    /// Index of its set-up table; no set-ups without one.
    #[serde(default)]
    pub setup: Option<u32>,
    /// The family that it is set up for at the beginning; the first set-up takes no time without one.
    #[serde(default)]
    pub initial_family: Option<u32>,
    /// Sizes that one batch holds together. Nothing is batched when it is zero or absent.
    #[serde(default)]
    pub batch_capacity: u32,
}

/// An order: operations with precedence between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// A name for people.
    pub id: String,
    /// No operation starts before.
    #[serde(default)]
    pub release: i64,
    /// The last operation should end by then.
    #[serde(default)]
    pub due: Option<i64>,
    /// What a unit of tardiness costs; at least zero.
    #[serde(default = "one")]
    pub weight: i64,
    /// The operations.
    pub operations: Vec<Operation>,
    /// Pairs `[before, after]` of operation indices in this job. Absent: each operation follows the one before it.
    #[serde(default)]
    pub precedence: Option<Vec<[u32; 2]>>,
}

/// A step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// A name for people.
    #[serde(default)]
    pub id: String,
    /// Where it can be done, and how long it takes there in working time; at most one entry a machine.
    pub alternatives: Vec<Alternative>,
    /// Its set-up and batch family.
    #[serde(default)]
    pub family: u32,
    /// Whether closed times of the machine may interrupt it; it goes on when the machine opens.
    #[serde(default)]
    pub interruptible: bool,
    /// Operators and tools that it holds from start to end.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// What happens between its end and the start of those that follow it.
    #[serde(default)]
    pub wait: Wait,
    /// It cannot start before (material that is only known by its date, a released drawing).
    #[serde(default)]
    pub available: i64,
    /// Materials that it takes when it starts.
    #[serde(default)]
    pub consumes: Vec<Consumption>,
    /// What it takes of a batch's capacity; one when zero.
    #[serde(default)]
    pub size: u32,
    /// A fact or a decision that stands: work in progress, frozen or locked by the planner. Its length and its working
    /// times are then what is said here.
    #[serde(default)]
    pub fixed: Option<Fixed>,
}

/// A machine that can do an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// Index of the machine.
    pub machine: u32,
    /// Working time there, at least zero.
    pub duration: i64,
}

/// A place and time that stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Index of the machine.
    pub machine: u32,
    /// When it starts or has started.
    pub start: i64,
    /// When it ends.
    pub end: i64,
    /// The resources that it holds, one for each of its needs; none where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<u32>,
}

/// What may lie between an operation and those that follow it in its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The work may wait beside the machines.
    #[default]
    Free,
    /// The work stays on the machine, which is taken until all that follow have started (the way to them included).
    Blocking,
    /// What follows starts at this operation's end (plus transport), neither earlier nor later.
    NoWait,
}

/// So many units of one resource that has a skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The skill.
    pub skill: u32,
    /// Units, at least one.
    #[serde(default = "one_unit")]
    pub count: u32,
}

/// Operators or tools of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// A name for people.
    pub id: String,
    /// How many there are.
    #[serde(default = "one_unit")]
    pub count: u32,
    /// What they can do.
    pub skills: Vec<u32>,
    /// Index of their calendar: an operation works when its machine and all its resources are open. Always there without one.
    #[serde(default)]
    pub calendar: Option<u32>,
}

/// Working time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Open spans `[from, to)`, ascending and apart; within `[0, period)` when there is a period. Empty: always open.
    #[serde(default)]
    pub open: Vec<[i64; 2]>,
    /// The open spans repeat with it (a day, a week), at all times.
    #[serde(default)]
    pub period: Option<i64>,
    /// Closed spans `[from, to)` that override (maintenance, breakdown), ascending and apart.
    #[serde(default)]
    pub closed: Vec<[i64; 2]>,
}

/// Set-up times between families: `times[from][to]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupTable {
    /// Square; the set-up lies between the end of an operation and the start of the next, in clock time.
    pub times: Vec<Vec<i64>>,
}

/// Something that is used up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// A name for people.
    pub id: String,
    /// When how much comes, `[time, quantity]`, ascending; stock at hand comes at the beginning.
    pub arrivals: Vec<[i64; 2]>,
}

/// A quantity of a material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumption {
    /// Index of the material.
    pub material: u32,
    /// How much, at least zero.
    pub quantity: i64,
}

/// What is to become small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The goals; for a weighted sum, their order does not matter.
    pub goals: Vec<Goal>,
    /// The first goal counts first, and the next only among equals.
    #[serde(default)]
    pub lexicographic: bool,
}

/// One goal of an [`Objective`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// Which quantity.
    pub measure: Measure,
    /// Its weight in a weighted sum.
    #[serde(default = "one")]
    pub weight: i64,
}

/// A quantity of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The end of the last operation.
    Makespan,
    /// Sum over jobs of weight times lateness beyond the due date.
    WeightedTardiness,
    /// Sum of all set-up times between neighbours on machines.
    SetupTime,
}

impl Default for Objective {
    fn default() -> Self {
        Self { goals: vec![Goal { measure: Measure::Makespan, weight: 1 }], lexicographic: false }
    }
}

const fn one() -> i64 {
    1
}

const fn one_unit() -> u32 {
    1
}

/// When and where everything happens; one entry for each operation, by job and then by operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// The assignments.
    pub operations: Vec<Assignment>,
}

/// When and where one operation happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Index of the job.
    pub job: u32,
    /// Index of the operation in its job.
    pub op: u32,
    /// Index of the machine.
    pub machine: u32,
    /// Start.
    pub start: i64,
    /// End, interruptions included.
    pub end: i64,
    /// The resource that serves each of the operation's needs, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<u32>,
}

impl Problem {
    /// Reads a problem from JSON and checks that it does not contradict itself.
    ///
    /// # Errors
    /// [`Error::Json`] with the path of the field, [`Error::Invalid`] or [`Error::TooLong`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let problem: Self = read_json(text)?;
        problem.validate()?;
        Ok(problem)
    }

    /// Operations over all jobs.
    #[must_use]
    pub fn operation_count(&self) -> usize {
        self.jobs.iter().map(|job| job.operations.len()).sum()
    }
}

impl Schedule {
    /// Reads a schedule from JSON; other fields beside `operations` (as the command prints them) are passed over.
    ///
    /// # Errors
    /// [`Error::Json`] with the path of the field, or [`Error::TooLong`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read_json(text)
    }

    /// The end of the last operation; zero without operations.
    #[must_use]
    pub fn makespan(&self) -> i64 {
        self.operations.iter().map(|operation| operation.end).max().unwrap_or(0)
    }
}

fn read_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::TooLong(text.len()));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| Error::Json {
        path: error.path().to_string(),
        what: error.inner().to_string(),
    })?;
    reader.end().map_err(|error| Error::Json { path: ".".to_owned(), what: error.to_string() })?;
    Ok(value)
}
