//! Problems with one thing changed, to be solved beside the original.

#[cfg(test)]
mod tests;

use crate::Error;
use crate::problem::{Alternative, Problem};

impl Problem {
    /// The same with one more machine like `machine`: it does what that one does, as fast, and is as far from the others.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such machine.
    pub fn with_machine_like(&self, machine: u32) -> Result<Self, Error> {
        let mut problem = self.clone();
        let Some(mut copy) = problem.machines.get(machine as usize).cloned() else {
            return Err(Error::Invalid(format!("there is no machine {machine}")));
        };
        let new = problem.machines.len() as u32;
        copy.id.push('+');
        problem.machines.push(copy);
        if !problem.transport.is_empty() {
            for row in &mut problem.transport {
                let way = row[machine as usize];
                row.push(way);
            }
            let row = problem.transport[machine as usize].clone();
            problem.transport.push(row);
        }
        for operation in problem.jobs.iter_mut().flat_map(|job| &mut job.operations) {
            if let Some(way) =
                operation.alternatives.iter().find(|way| way.machine == machine).copied()
            {
                operation.alternatives.push(Alternative { machine: new, ..way });
            }
        }
        problem.validate()?;
        Ok(problem)
    }

    /// The same with one more shift on a machine: it is open in `spans` too, within the calendar's period if it has one.
    /// Closed spans (maintenance) stay closed.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such machine or a span does not fit.
    pub fn with_shift(&self, machine: u32, spans: &[[i64; 2]]) -> Result<Self, Error> {
        let mut problem = self.clone();
        let new = problem.calendars.len() as u32;
        let Some(place) = problem.machines.get_mut(machine as usize) else {
            return Err(Error::Invalid(format!("there is no machine {machine}")));
        };
        let Some(mut calendar) = place.calendar.map(|at| problem.calendars[at as usize].clone())
        else {
            return Ok(problem);
        };
        if calendar.open.is_empty() {
            return Ok(problem);
        }
        calendar.open.extend_from_slice(spans);
        calendar.open.sort_unstable();
        let mut joined: Vec<[i64; 2]> = Vec::with_capacity(calendar.open.len());
        for span in calendar.open {
            match joined.last_mut() {
                Some(last) if span[0] <= last[1] => last[1] = last[1].max(span[1]),
                _ => joined.push(span),
            }
        }
        calendar.open = joined;
        place.calendar = Some(new);
        problem.calendars.push(calendar);
        problem.validate()?;
        Ok(problem)
    }
}
