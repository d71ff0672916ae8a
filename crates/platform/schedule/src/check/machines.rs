//! What happens on each machine: durations, working time, overlaps, blocking, set-ups and batches.

use std::collections::BTreeMap;

use super::{Kind, Sheet, pairs, working};
use crate::problem::{Assignment, Calendar, Operation, Wait};

/// Operations that a machine does together: one, or a batch.
struct Run<'a> {
    entries: Vec<&'a Assignment>,
    /// When the machine is free again.
    free: i64,
}

pub(super) fn check(sheet: &mut Sheet<'_>) {
    let leaves = departures(sheet);
    let mut machines: BTreeMap<u32, Vec<&Assignment>> = BTreeMap::new();
    for entry in sheet.entries.iter().flatten().flatten() {
        machines.entry(entry.machine).or_default().push(entry);
    }
    for (machine, mut entries) in machines {
        let Some(description) = sheet.problem.machines.get(machine as usize) else { continue };
        let batches = description.batch_capacity > 0;
        entries.sort_by_key(|entry| (entry.start, entry.end, entry.job, entry.op));
        let mut runs: Vec<Run<'_>> = Vec::new();
        for entry in entries {
            let leaves = leaves[entry.job as usize][entry.op as usize].max(entry.end);
            match runs.last_mut() {
                Some(run)
                    if batches
                        && (run.entries[0].start, run.entries[0].end)
                            == (entry.start, entry.end) =>
                {
                    run.entries.push(entry);
                    run.free = run.free.max(leaves);
                }
                _ => runs.push(Run { entries: vec![entry], free: leaves }),
            }
        }
        for run in &runs {
            batch(sheet, run, description.batch_capacity);
            durations(sheet, run);
        }
        neighbours(sheet, machine, &runs);
    }
}

/// When each operation leaves its machine: at its end, or when all that follow have started if it blocks.
fn departures(sheet: &Sheet<'_>) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    for (job, order) in sheet.problem.jobs.iter().enumerate() {
        let mut leaves: Vec<i64> =
            sheet.entries[job].iter().map(|entry| entry.map_or(0, |entry| entry.end)).collect();
        for [before, after] in pairs(order) {
            if order.operations[before].wait == Wait::Blocking
                && let Some(next) = sheet.entries[job][after]
            {
                leaves[before] = leaves[before].max(next.start);
            }
        }
        all.push(leaves);
    }
    all
}

fn operation<'a>(sheet: &Sheet<'a>, entry: &Assignment) -> &'a Operation {
    &sheet.problem.jobs[entry.job as usize].operations[entry.op as usize]
}

fn batch(sheet: &mut Sheet<'_>, run: &Run<'_>, capacity: u32) {
    if capacity == 0 {
        return;
    }
    let family = operation(sheet, run.entries[0]).family;
    let mut size = 0_u64;
    for &entry in &run.entries {
        let operation = operation(sheet, entry);
        size += u64::from(operation.size.max(1));
        if operation.family != family {
            sheet.tell(
                Kind::Batch,
                entry,
                format!("family {} is in a batch of family {family}", operation.family),
            );
        }
    }
    if size > u64::from(capacity) {
        sheet.tell(Kind::Batch, run.entries[0], format!("its batch holds {size} of {capacity}"));
    }
}

/// Every operation has the working time it takes; a batch takes as long as its longest.
fn durations(sheet: &mut Sheet<'_>, run: &Run<'_>) {
    let here = run.entries[0].machine;
    let takes = |sheet: &Sheet<'_>, entry: &Assignment| {
        operation(sheet, entry)
            .alternatives
            .iter()
            .find(|way| way.machine == here)
            .map(|way| way.duration)
    };
    let Some(duration) = run.entries.iter().filter_map(|entry| takes(sheet, entry)).max() else {
        return;
    };
    for &entry in &run.entries {
        let operation = operation(sheet, entry);
        if operation.fixed.is_some() {
            continue;
        }
        let problem = sheet.problem;
        let resources = entry
            .resources
            .iter()
            .filter_map(|&at| problem.resources.get(at as usize))
            .map(|one| one.calendar);
        let machine = problem.machines.get(here as usize).and_then(|machine| machine.calendar);
        let named = resources
            .chain([machine])
            .flatten()
            .filter_map(|at| problem.calendars.get(at as usize));
        let calendars: Vec<&Calendar> = named.collect();
        let (work, first, last) = working::between(&calendars, entry.start, entry.end);
        if !operation.interruptible {
            if entry.end - entry.start != duration {
                sheet.tell(
                    Kind::Duration,
                    entry,
                    format!("it runs from {} to {} and takes {duration}", entry.start, entry.end),
                );
            } else if work != duration || !first {
                sheet.tell(
                    Kind::Calendar,
                    entry,
                    format!(
                        "its machine or a resource is closed at times from {} to {}",
                        entry.start, entry.end
                    ),
                );
            }
        } else if work != duration {
            sheet.tell(
                Kind::Duration,
                entry,
                format!(
                    "it has {work} of working time from {} to {} and takes {duration}",
                    entry.start, entry.end
                ),
            );
        } else if !first || !last {
            sheet.tell(
                Kind::Calendar,
                entry,
                format!("it starts at {} or ends at {} in closed time", entry.start, entry.end),
            );
        }
    }
}

/// No two runs at a time, and time for the set-up between.
fn neighbours(sheet: &mut Sheet<'_>, machine: u32, runs: &[Run<'_>]) {
    let description = &sheet.problem.machines[machine as usize];
    let table = description.setup.and_then(|at| sheet.problem.setups.get(at as usize));
    let setup = |from: u32, to: u32| {
        table
            .and_then(|table| table.times.get(from as usize)?.get(to as usize))
            .copied()
            .unwrap_or(0)
    };
    let mut latest: Option<&Run<'_>> = None;
    for run in runs {
        let entry = run.entries[0];
        let family = operation(sheet, entry).family;
        match latest {
            None => {
                let ready = description.initial_family.map_or(i64::MIN, |from| setup(from, family));
                if entry.start < ready && operation(sheet, entry).fixed.is_none() {
                    sheet.tell(
                        Kind::Setup,
                        entry,
                        format!(
                            "it starts at {} and machine {machine} is set up only at {ready}",
                            entry.start
                        ),
                    );
                }
            }
            Some(previous) => {
                let other = previous.entries[0];
                let ready = previous.free + setup(operation(sheet, other).family, family);
                let kind = if entry.start < other.end {
                    Kind::Overlap
                } else if entry.start < previous.free {
                    Kind::Blocking
                } else {
                    Kind::Setup
                };
                if entry.start < ready {
                    let name = sheet.name(other.job as usize, other.op as usize);
                    sheet.tell(kind, entry, format!("it starts at {} and machine {machine} is ready only at {ready}, after {name}", entry.start));
                }
            }
        }
        if latest.is_none_or(|previous| previous.free <= run.free) {
            latest = Some(run);
        }
    }
}
