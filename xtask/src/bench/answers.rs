//! Whether two systems answered the same.
//!
//! An answer is a file of lines `tag,microseconds,number,…`; nothing between commas is null. Rows may
//! come in any order. A row without a number is not looked at: systems differ in whether they answer
//! a tag of texts.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::questions::{Column, Question};

/// How far averages may differ, whatever the system: sums are added up in another order.
pub(super) const AVERAGES: f64 = 1e-12;

/// What of a system's answers is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tolerance {
    /// Times are compared in units of so many microseconds.
    pub(super) micros: i64,
    /// How far numbers may differ, as a part of the larger one; 0 where they have to be the same.
    pub(super) numbers: f64,
}

/// A row: tag, time (none where it was not asked for), numbers.
type Row = (u32, Option<i64>, Vec<Option<f64>>);

/// Compares an answer with what it has to be: the largest difference of two numbers, as a part of the larger
/// one.
pub(super) fn compare(
    question: &Question,
    expected: &Path,
    answer: &Path,
    tolerance: Tolerance,
) -> Result<f64> {
    let mut expected = read(question, expected)?;
    let mut answer = read(question, answer)?;
    for (_, time, _) in expected.iter_mut().chain(&mut answer) {
        *time = time.map(|micros| micros.div_euclid(tolerance.micros));
    }
    if answer.iter().all(|(_, time, _)| time.is_none()) {
        expected.iter_mut().for_each(|(_, time, _)| *time = None);
    }
    for rows in [&mut expected, &mut answer] {
        rows.sort_by_key(|(tag, time, _)| (*tag, *time));
    }
    ensure!(expected.len() == answer.len(), "{} rows instead of {}", answer.len(), expected.len());
    let mut worst = 0.0;
    for (expected, answer) in expected.iter().zip(&answer) {
        worst = row(question, expected, answer, tolerance)?.max(worst);
    }
    Ok(worst)
}

fn row(question: &Question, expected: &Row, answer: &Row, tolerance: Tolerance) -> Result<f64> {
    let differ = || format!("{answer:?} instead of {expected:?}");
    ensure!((expected.0, expected.1) == (answer.0, answer.1), differ());
    ensure!(answer.2.len() == question.columns.len(), differ());
    let mut worst = 0.0;
    for ((column, expected), answer) in question.columns.iter().zip(&expected.2).zip(&answer.2) {
        let (Some(x), Some(y)) = (expected, answer) else {
            ensure!(expected == answer, differ());
            continue;
        };
        let allowed = match column {
            Column::Average => tolerance.numbers.max(AVERAGES),
            Column::Number => tolerance.numbers,
        };
        // Averages around zero are sums of what is not.
        let size = x.abs().max(y.abs()).max(if *column == Column::Average { 1.0 } else { 0.0 });
        let difference = if x == y { 0.0 } else { (x - y).abs() / size };
        if difference.is_nan() || difference > allowed {
            bail!("{}, off by {difference:e}", differ());
        }
        worst = difference.max(worst);
    }
    Ok(worst)
}

fn read(question: &Question, path: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let rows = text.lines().map(|line| parse(line).with_context(|| line.to_owned()));
    let rows = rows.collect::<Result<Vec<Row>>>()?;
    let averages = question.columns.contains(&Column::Average);
    let says = |numbers: &[Option<f64>]| {
        let columns = question.columns.iter().zip(numbers);
        let mut values = columns.filter(|(column, _)| !averages || **column == Column::Average);
        values.any(|(_, number)| number.is_some())
    };
    Ok(rows.into_iter().filter(|(_, _, numbers)| says(numbers)).collect())
}

fn parse(line: &str) -> Result<Row> {
    let mut cells = line.split(',');
    let tag = cells.next().unwrap_or_default().parse().context("a tag")?;
    let time = match cells.next().context("no time")? {
        "" => None,
        time => Some(time.parse().context("a time")?),
    };
    let number = |cell: &str| match cell {
        "" => Ok(None),
        cell => cell.parse().map(Some).context("a number"),
    };
    Ok((tag, time, cells.map(number).collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests;
