//! The standard text formats of the literature: job shop and flexible job shop.
//!
//! Job shop: `jobs machines`, then a line a job of `machine time` pairs, machines from zero. Flexible job shop:
//! `jobs machines [mean]`, then a line a job: operations, and for each the number of alternatives and as many
//! `machine time` pairs, machines from one. Lines that begin with `#` are passed over.

#[cfg(test)]
mod tests;

use crate::Error;
use crate::problem::{
    Alternative, Job, Machine, OPERATIONS_MAX, Operation, PARTS_MAX, Problem, TEXT_BYTES_MAX,
    TIME_MAX,
};

/// Alternatives over all operations of a text; ten for each of the most operations.
const ALTERNATIVES_MAX: usize = 10 * OPERATIONS_MAX;

struct Row {
    line: usize,
    numbers: Vec<i64>,
}

/// Reads a job shop or a flexible one; which of them it is, the lines tell.
///
/// # Errors
/// [`Error::Text`] with the line, or [`Error::TooLong`].
pub fn parse_text(text: &str) -> Result<Problem, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::TooLong(text.len()));
    }
    let rows = rows(text)?;
    let Some((header, rows)) = rows.split_first() else {
        return Err(broken(1, "there is no line of numbers"));
    };
    let (jobs, machines) = counts(header)?;
    if rows.len() != jobs {
        let line = rows.last().map_or(header.line, |row| row.line);
        return Err(broken(
            line,
            format!("{jobs} jobs are announced and {} lines follow", rows.len()),
        ));
    }
    let jobs = if header.numbers.len() < 3 && is_job_shop(rows, machines) {
        rows.iter().map(|row| job_shop(row, machines)).collect::<Result<Vec<_>, _>>()?
    } else {
        let from_zero =
            rows.iter().any(|row| flexible(row, machines, 0).is_ok_and(|job| uses_zero(&job)))
                && rows.iter().all(|row| flexible(row, machines, 0).is_ok());
        let base = i64::from(!from_zero);
        rows.iter().map(|row| flexible(row, machines, base)).collect::<Result<Vec<_>, _>>()?
    };
    let problem = Problem {
        machines: (0..machines)
            .map(|at| Machine { id: format!("M{at}"), ..Machine::default() })
            .collect(),
        jobs: jobs.into_iter().enumerate().map(|(at, operations)| job(at, operations)).collect(),
        ..Problem::default()
    };
    problem.validate()?;
    Ok(problem)
}

fn rows(text: &str) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line_number = at + 1;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let numbers =
            line.split_whitespace().enumerate().map(|(place, word)| match word.parse::<i64>() {
                Ok(number) if (0..=TIME_MAX).contains(&number) => Ok(number),
                // The mean number of alternatives in the header may be broken; nothing depends on it.
                _ if rows.is_empty() && place == 2 && word.parse::<f64>().is_ok() => Ok(0),
                _ => Err(broken(
                    line_number,
                    format!("`{}` is not a whole number from 0 to {TIME_MAX}", clip(word)),
                )),
            });
        rows.push(Row { line: line_number, numbers: numbers.collect::<Result<_, _>>()? });
    }
    Ok(rows)
}

fn counts(header: &Row) -> Result<(usize, usize), Error> {
    let count = |place: usize, most: usize, what: &str| {
        let number = header.numbers.get(place).copied().unwrap_or(0);
        match usize::try_from(number) {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(broken(header.line, format!("the number of {what} must be from 1 to {most}"))),
        }
    };
    if header.numbers.len() > 3 {
        return Err(broken(
            header.line,
            "the first line holds the numbers of jobs and machines alone",
        ));
    }
    Ok((count(0, OPERATIONS_MAX, "jobs")?, count(1, PARTS_MAX, "machines")?))
}

/// Each line visits every machine once; or no line can be a flexible one (routes that come back, or pass machines by).
fn is_job_shop(rows: &[Row], machines: usize) -> bool {
    let classic = rows.iter().all(|row| {
        let mut seen = vec![false; machines];
        row.numbers.len() == 2 * machines
            && row.numbers.chunks_exact(2).all(|pair| {
                usize::try_from(pair[0])
                    .ok()
                    .and_then(|at| seen.get_mut(at))
                    .is_some_and(|seen| !std::mem::replace(seen, true))
            })
    });
    classic
        || rows.iter().any(|row| flexible(row, machines, 1).is_err())
            && rows.iter().all(|row| job_shop(row, machines).is_ok())
}

fn job_shop(row: &Row, machines: usize) -> Result<Vec<Operation>, Error> {
    if !row.numbers.len().is_multiple_of(2) || row.numbers.is_empty() {
        return Err(broken(row.line, "a job is pairs of machine and time"));
    }
    let pairs = row.numbers.chunks_exact(2);
    pairs
        .map(|pair| Ok(operation(vec![alternative(row, pair[0], pair[1], 0, machines)?])))
        .collect()
}

fn flexible(row: &Row, machines: usize, base: i64) -> Result<Vec<Operation>, Error> {
    let mut numbers = row.numbers.iter().copied();
    let mut next = |what: &str| {
        numbers.next().ok_or_else(|| broken(row.line, format!("the line ends before {what}")))
    };
    let count = next("the number of operations")?;
    let mut operations = Vec::new();
    let mut all = 0;
    for at in 0..count {
        let ways = next(&format!("the alternatives of operation {}", at + 1))?;
        if ways == 0 || ways > machines as i64 {
            return Err(broken(
                row.line,
                format!("operation {} has {ways} alternatives of {machines} machines", at + 1),
            ));
        }
        let mut alternatives = Vec::new();
        for _ in 0..ways {
            let machine = next("a machine")?;
            let duration = next("a time")?;
            alternatives.push(alternative(row, machine, duration, base, machines)?);
        }
        all += alternatives.len();
        if operations.len() >= OPERATIONS_MAX || all > ALTERNATIVES_MAX {
            return Err(broken(row.line, "there are more operations than are read"));
        }
        operations.push(operation(alternatives));
    }
    if next("").is_ok() {
        return Err(broken(row.line, format!("numbers follow after {count} operations")));
    }
    Ok(operations)
}

fn alternative(
    row: &Row,
    machine: i64,
    duration: i64,
    base: i64,
    machines: usize,
) -> Result<Alternative, Error> {
    match u32::try_from(machine - base) {
        Ok(at) if (at as usize) < machines => Ok(Alternative { machine: at, duration }),
        _ => Err(broken(
            row.line,
            format!("machine {machine} is not one of {machines}, counted from {base}"),
        )),
    }
}

fn operation(alternatives: Vec<Alternative>) -> Operation {
    Operation { alternatives, ..Operation::default() }
}

fn job(at: usize, operations: Vec<Operation>) -> Job {
    Job { id: format!("J{at}"), release: 0, due: None, weight: 1, operations, precedence: None }
}

fn uses_zero(job: &[Operation]) -> bool {
    job.iter().any(|operation| operation.alternatives.iter().any(|way| way.machine == 0))
}

fn broken(line: usize, what: impl Into<String>) -> Error {
    Error::Text { line, what: what.into() }
}

fn clip(word: &str) -> String {
    word.chars().take(40).collect()
}
