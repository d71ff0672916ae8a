//! A problem's parts must fit together before anything relies on them.

use super::{Calendar, Job, Operation, PARTS_MAX, Problem, TIME_MAX};
use crate::Error;
use crate::problem::OPERATIONS_MAX;

/// Square tables (set-ups, transport) are no larger on a side: a million entries.
const TABLE_MAX: usize = 1_000;

impl Problem {
    /// Checks that all indices, times and sizes are within range and do not contradict each other.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the part and what is wrong with it.
    pub fn validate(&self) -> Result<(), Error> {
        let lists = [
            self.machines.len(),
            self.calendars.len(),
            self.resources.len(),
            self.setups.len(),
            self.materials.len(),
        ];
        ensure(lists.iter().all(|&length| length <= PARTS_MAX), || {
            format!("a list has more than {PARTS_MAX} entries")
        })?;
        ensure(self.operation_count() <= OPERATIONS_MAX, || {
            format!("there are more than {OPERATIONS_MAX} operations")
        })?;
        ensure(!self.objective.goals.is_empty() && self.objective.goals.len() <= 3, || {
            "objective: one to three goals".into()
        })?;
        for goal in &self.objective.goals {
            ensure((0..=1_000_000).contains(&goal.weight), || {
                "objective: a weight is from 0 to 1000000".into()
            })?;
        }
        for (at, calendar) in self.calendars.iter().enumerate() {
            calendar
                .validate()
                .map_err(|what| Error::Invalid(format!("calendars[{at}]: {what}")))?;
        }
        self.validate_machines()?;
        for (at, resource) in self.resources.iter().enumerate() {
            index(resource.calendar, self.calendars.len(), || format!("resources[{at}].calendar"))?;
        }
        square(&self.transport, || "transport".into())?;
        let fits = self.transport.is_empty() || self.transport.len() == self.machines.len();
        ensure(fits, || "transport: a row and a column for each machine".into())?;
        for (at, table) in self.setups.iter().enumerate() {
            square(&table.times, || format!("setups[{at}].times"))?;
        }
        for (at, material) in self.materials.iter().enumerate() {
            let ascending = material.arrivals.windows(2).all(|pair| pair[0][0] <= pair[1][0]);
            let sound = material
                .arrivals
                .iter()
                .all(|arrival| is_time(arrival[0]) && is_length(arrival[1]));
            ensure(ascending && sound, || {
                format!("materials[{at}].arrivals: ascending times and quantities from zero")
            })?;
        }
        for (at, job) in self.jobs.iter().enumerate() {
            self.validate_job(job).map_err(|what| Error::Invalid(format!("jobs[{at}]{what}")))?;
        }
        Ok(())
    }

    fn validate_machines(&self) -> Result<(), Error> {
        for (at, machine) in self.machines.iter().enumerate() {
            index(machine.calendar, self.calendars.len(), || format!("machines[{at}].calendar"))?;
            index(machine.setup, self.setups.len(), || format!("machines[{at}].setup"))?;
            let families =
                machine.setup.map_or(usize::MAX, |setup| self.setups[setup as usize].times.len());
            index(machine.initial_family, families, || format!("machines[{at}].initial_family"))?;
        }
        Ok(())
    }

    fn validate_job(&self, job: &Job) -> Result<(), String> {
        let sound = is_time(job.release)
            && job.due.is_none_or(is_time)
            && (0..=1_000_000).contains(&job.weight);
        let told = |sound: bool, what: &str| if sound { Ok(()) } else { Err(what.to_owned()) };
        told(sound, ": release, due or weight is out of range")?;
        let count = job.operations.len() as u32;
        if let Some(pairs) = &job.precedence {
            told(pairs.len() <= 10 * OPERATIONS_MAX, ".precedence: too many pairs")?;
            told(
                pairs.iter().flatten().all(|&at| at < count),
                ".precedence: an operation is named that is not there",
            )?;
            told(
                acyclic(count as usize, pairs),
                ".precedence: the operations wait for each other in a circle",
            )?;
        }
        for (at, operation) in job.operations.iter().enumerate() {
            self.validate_operation(operation)
                .map_err(|what| format!(".operations[{at}]: {what}"))?;
        }
        Ok(())
    }

    fn validate_operation(&self, operation: &Operation) -> Result<(), String> {
        let told = |sound: bool, what: &str| if sound { Ok(()) } else { Err(what.to_owned()) };
        told(!operation.alternatives.is_empty(), "there is no machine that can do it")?;
        let mut machines: Vec<u32> = operation.alternatives.iter().map(|way| way.machine).collect();
        machines.sort_unstable();
        told(machines.windows(2).all(|pair| pair[0] != pair[1]), "a machine is named twice")?;
        told(
            machines.iter().all(|&at| (at as usize) < self.machines.len()),
            "a machine is named that is not there",
        )?;
        told(
            operation.alternatives.iter().all(|way| is_length(way.duration)),
            "a duration is out of range",
        )?;
        told(is_time(operation.available), "available is out of range")?;
        for &machine in &machines {
            let machine = &self.machines[machine as usize];
            let families =
                machine.setup.map_or(usize::MAX, |setup| self.setups[setup as usize].times.len());
            told(
                (operation.family as usize) < families,
                "its family is not in the machine's set-up table",
            )?;
            let fits =
                machine.batch_capacity == 0 || operation.size.max(1) <= machine.batch_capacity;
            told(fits, "it is larger than the machine's batch")?;
        }
        for need in &operation.needs {
            let served = self
                .resources
                .iter()
                .any(|one| one.count >= need.count && one.skills.contains(&need.skill));
            told(
                need.count > 0 && served,
                "no resource has the skill and the count that it needs",
            )?;
        }
        let materials = operation.consumes.iter();
        let sound = materials
            .clone()
            .all(|one| (one.material as usize) < self.materials.len() && is_length(one.quantity));
        told(sound, "a material is named that is not there, or its quantity is out of range")?;
        if let Some(fixed) = &operation.fixed {
            told(machines.contains(&fixed.machine), "it is fixed on a machine that cannot do it")?;
            told(
                is_time(fixed.start) && is_time(fixed.end) && fixed.start <= fixed.end,
                "it is fixed at no sound time",
            )?;
            let known =
                fixed.resources.is_empty() || fixed.resources.len() == operation.needs.len();
            told(
                known && fixed.resources.iter().all(|&at| (at as usize) < self.resources.len()),
                "it is fixed with resources that do not fit its needs",
            )?;
        }
        Ok(())
    }
}

impl Calendar {
    fn validate(&self) -> Result<(), String> {
        for spans in [&self.open, &self.closed] {
            let sound =
                spans.iter().all(|span| is_time(span[0]) && is_time(span[1]) && span[0] < span[1]);
            let apart = spans.windows(2).all(|pair| pair[0][1] <= pair[1][0]);
            if !sound || !apart || spans.len() > 100_000 {
                return Err("spans must be `[from, to)`, ascending and apart".into());
            }
        }
        if let Some(period) = self.period {
            let within = self.open.iter().all(|span| span[0] >= 0 && span[1] <= period);
            if period <= 0 || period > TIME_MAX || self.open.is_empty() || !within {
                return Err(
                    "the open spans must lie within the period, and there must be one".into()
                );
            }
        }
        Ok(())
    }
}

fn acyclic(count: usize, pairs: &[[u32; 2]]) -> bool {
    let mut waiting = vec![0_u32; count];
    let mut after: Vec<Vec<u32>> = vec![Vec::new(); count];
    for &[before, then] in pairs {
        waiting[then as usize] += 1;
        after[before as usize].push(then);
    }
    let mut ready: Vec<usize> = (0..count).filter(|&at| waiting[at] == 0).collect();
    let mut done = 0;
    while let Some(at) = ready.pop() {
        done += 1;
        for &then in &after[at] {
            waiting[then as usize] -= 1;
            if waiting[then as usize] == 0 {
                ready.push(then as usize);
            }
        }
    }
    done == count
}

fn ensure(sound: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
    if sound { Ok(()) } else { Err(Error::Invalid(what())) }
}

fn index(at: Option<u32>, length: usize, what: impl FnOnce() -> String) -> Result<(), Error> {
    ensure(at.is_none_or(|at| (at as usize) < length), || {
        format!("{}: names what is not there", what())
    })
}

fn square(table: &[Vec<i64>], what: impl Fn() -> String) -> Result<(), Error> {
    let sound = table.len() <= TABLE_MAX
        && table.iter().all(|row| row.len() == table.len() && row.iter().copied().all(is_length));
    ensure(sound, || {
        format!("{}: a square table of times from zero, at most {TABLE_MAX} a side", what())
    })
}

fn is_time(time: i64) -> bool {
    (-TIME_MAX..=TIME_MAX).contains(&time)
}

fn is_length(time: i64) -> bool {
    (0..=TIME_MAX).contains(&time)
}
