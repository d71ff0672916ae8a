//! A schedule after something has happened: what has begun stays, and the rest moves as little as is asked.

#[cfg(test)]
mod tests;

use crate::general::{Genes, Plant, Start, solve_from};
use crate::problem::{Assignment, Calendar, Fixed, Problem, Schedule, TIME_MAX, Wait};
use crate::{Answer, Control, Error, Options};

/// A machine that cannot work for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Index of the machine.
    pub machine: u32,
    /// From when on.
    pub from: i64,
    /// Until when.
    pub to: i64,
}

/// What has happened. Urgent orders are jobs of the problem that the schedule does not know yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disruption {
    /// Now: nothing new starts before.
    pub now: i64,
    /// What starts before this moment stays as it is; at least `now`.
    pub frozen_until: i64,
    /// Machines that are down. What runs on them then begins anew, here or elsewhere; what has begun of its order may then
    /// wait, even where the order's rule is that it may not.
    pub closed: Vec<Closed>,
    /// What a unit of time costs that an operation's start moves, against the first goal; zero when moves are free.
    pub move_cost: i64,
    /// Whether operations may start earlier than they did, where room has come up.
    pub may_advance: bool,
}

/// A new schedule, with the problem that it belongs to: frozen operations are fixed in it, machines that are down are
/// closed, and nothing is available before now. Check and explain it with that problem.
///
/// # Errors
/// Those of [`crate::solve`].
pub fn reschedule(
    problem: &Problem,
    schedule: &Schedule,
    disruption: &Disruption,
    options: &Options,
    control: &dyn Control,
) -> Result<(Problem, Answer), Error> {
    problem.validate()?;
    let mut problem = problem.clone();
    for closed in &disruption.closed {
        close(&mut problem, closed)?;
    }
    let old = entries(&problem, schedule);
    freeze(&mut problem, &old, disruption);
    problem.validate()?;
    let plant = Plant::new(&problem);
    let start = start(&plant, &old, disruption);
    let answer = solve_from(&plant, Some(&start), options, control)?;
    drop(plant);
    Ok((problem, answer))
}

/// The machine gets a calendar of its own with the closed span in it.
fn close(problem: &mut Problem, closed: &Closed) -> Result<(), Error> {
    let sound = closed.from < closed.to
        && (-TIME_MAX..=TIME_MAX).contains(&closed.from)
        && closed.to <= TIME_MAX;
    let Some(machine) = problem.machines.get_mut(closed.machine as usize).filter(|_| sound) else {
        return Err(Error::Invalid(format!(
            "closed: machine {} from {} to {}",
            closed.machine, closed.from, closed.to
        )));
    };
    let mut calendar = machine
        .calendar
        .map_or_else(Calendar::default, |at| problem.calendars[at as usize].clone());
    calendar.closed.push([closed.from, closed.to]);
    calendar.closed.sort_unstable();
    let mut joined: Vec<[i64; 2]> = Vec::with_capacity(calendar.closed.len());
    for span in calendar.closed {
        match joined.last_mut() {
            Some(last) if span[0] <= last[1] => last[1] = last[1].max(span[1]),
            _ => joined.push(span),
        }
    }
    calendar.closed = joined;
    machine.calendar = Some(problem.calendars.len() as u32);
    problem.calendars.push(calendar);
    Ok(())
}

/// The schedule's entries by job and operation.
fn entries<'a>(problem: &Problem, schedule: &'a Schedule) -> Vec<Vec<Option<&'a Assignment>>> {
    let mut all: Vec<Vec<Option<&Assignment>>> =
        problem.jobs.iter().map(|job| vec![None; job.operations.len()]).collect();
    for entry in &schedule.operations {
        if let Some(place) =
            all.get_mut(entry.job as usize).and_then(|job| job.get_mut(entry.op as usize))
        {
            *place = Some(entry);
        }
    }
    all
}

fn freeze(problem: &mut Problem, old: &[Vec<Option<&Assignment>>], disruption: &Disruption) {
    let until = disruption.frozen_until.max(disruption.now);
    let down = |entry: &Assignment| {
        let hit = |closed: &Closed| {
            closed.machine == entry.machine && entry.start < closed.to && closed.from < entry.end
        };
        entry.end > disruption.now && disruption.closed.iter().any(hit)
    };
    for (job, entries) in problem.jobs.iter_mut().zip(old) {
        // What is bound without waiting stands or moves as a whole, as the job does.
        let bound = job.operations.iter().any(|operation| operation.wait != Wait::Free);
        let begun = |entry: &&Assignment| entry.start < until && !down(entry);
        let broken = entries.iter().flatten().any(|entry| down(entry));
        let whole = bound && !broken && entries.iter().flatten().any(begun);
        for (operation, entry) in job.operations.iter_mut().zip(entries) {
            if let Some(entry) = entry.filter(|entry| whole || begun(entry)) {
                let (machine, start, end) = (entry.machine, entry.start, entry.end);
                if broken {
                    // The breakdown has made it wait, whatever the rule.
                    operation.wait = Wait::Free;
                }
                operation.fixed =
                    Some(Fixed { machine, start, end, resources: entry.resources.clone() });
            } else if operation.fixed.as_ref().is_some_and(|fixed| fixed.start < until) {
                // It was fixed on a machine that is down.
                operation.fixed = None;
            }
            operation.available = operation.available.max(disruption.now);
        }
    }
}

/// The old order and machines; urgent orders come first.
fn start(plant: &Plant<'_>, old: &[Vec<Option<&Assignment>>], disruption: &Disruption) -> Start {
    let entry = |at: u32| {
        let (job, op) = plant.names[at as usize];
        old[job as usize][op as usize]
    };
    let priority = plant
        .groups
        .iter()
        .map(|group| entry(group[0]).map_or(-TIME_MAX, |entry| entry.start))
        .collect();
    let count = plant.operations.len() as u32;
    let starts: Vec<i64> =
        (0..count).map(|at| entry(at).map_or(i64::MIN, |entry| entry.start)).collect();
    let alternative = (0..count).map(|at| {
        let ways = &plant.operations[at as usize].alternatives;
        let kept = entry(at).and_then(|entry| {
            let down = disruption.closed.iter().any(|closed| closed.machine == entry.machine);
            ways.iter().position(|way| way.machine == entry.machine && !down)
        });
        kept.map_or(u32::MAX, |kept| kept as u32)
    });
    let not_before = if disruption.may_advance { Vec::new() } else { starts.clone() };
    let genes = Genes { priority, alternative: alternative.collect(), not_before };
    Start { genes, starts, move_cost: disruption.move_cost }
}
