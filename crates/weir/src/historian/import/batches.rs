//! Cutting a file into batches, the same whenever the same file is read.

use std::collections::HashSet;
use std::io::BufRead;

use weir_model::Timestamp;

use super::source::{CsvRows, From, Input, ParquetRows, Row, next_line};
use crate::args::{ImportArgs, ImportFormat};

/// Samples of a batch, or lines of line protocol.
const BATCH_ROWS: usize = 5000;

/// Bytes of a batch, as long as one line does not have more.
const BATCH_BYTES: usize = 1 << 20;

/// Days that the samples of a batch are of: a node takes 400.
const BATCH_DAYS: usize = 300;

const DAY_NANOS: i128 = 86_400_000_000_000;

/// What is sent at once.
pub(super) enum Batch {
    Rows(Vec<Row>),
    /// Lines of line protocol with their numbers.
    Lines(Vec<(u64, String)>),
}

impl Batch {
    /// The first and the last line.
    pub(super) fn lines(&self) -> (u64, u64) {
        let ends = match self {
            Self::Rows(rows) => rows.first().zip(rows.last()).map(|(a, b)| (a.line, b.line)),
            Self::Lines(lines) => lines.first().zip(lines.last()).map(|(a, b)| (a.0, b.0)),
        };
        ends.unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.is_empty(),
            Self::Lines(lines) => lines.is_empty(),
        }
    }
}

/// The batches of a file.
pub(super) struct Batches {
    source: Source,
    waiting: Vec<Row>,
    line: Option<(u64, String)>,
    number: u64,
    nanos: i128,
}

enum Source {
    Csv(CsvRows),
    Parquet(ParquetRows),
    Line(Box<dyn BufRead>),
}

impl Batches {
    pub(super) fn of(input: Input, args: &ImportArgs) -> anyhow::Result<Self> {
        let source = match input.from {
            From::Parquet(file) => {
                let size = input.size.unwrap_or_default();
                Source::Parquet(ParquetRows::new(file, size, input.read))
            }
            From::Bytes(from) if input.format == ImportFormat::Line => Source::Line(from),
            From::Bytes(from) => Source::Csv(CsvRows::new(from, args.wide)?),
        };
        let nanos = args.precision.nanos().into();
        Ok(Self { source, waiting: Vec::new(), line: None, number: 0, nanos })
    }

    /// The next batch; none at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Batch>> {
        let batch = match &mut self.source {
            Source::Line(from) => {
                let batch = lines(&mut **from, &mut self.line, &mut self.number, self.nanos)?;
                Batch::Lines(batch)
            }
            Source::Csv(csv) => {
                while self.waiting.len() < BATCH_ROWS && csv.next(&mut self.waiting)? {}
                Batch::Rows(cut(&mut self.waiting))
            }
            Source::Parquet(file) => {
                while self.waiting.len() < BATCH_ROWS && file.next(&mut self.waiting)? {}
                Batch::Rows(cut(&mut self.waiting))
            }
        };
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }
}

/// Takes the rows of one batch from the front.
fn cut(waiting: &mut Vec<Row>) -> Vec<Row> {
    let mut days = HashSet::new();
    let mut bytes = 0;
    let fits = |row: &&Row| {
        let value = row.value.as_ref().map_or(0, String::len);
        bytes += row.tag.len() + row.time.len() + value + 32;
        days.insert(Timestamp::parse(&row.time).map_or(i32::MIN, Timestamp::day));
        bytes <= BATCH_BYTES && days.len() <= BATCH_DAYS
    };
    let count = waiting.iter().take(BATCH_ROWS).take_while(fits).count();
    let count = count.max(1).min(waiting.len());
    waiting.drain(..count).collect()
}

/// Takes the lines of one batch.
fn lines(
    from: &mut dyn BufRead,
    waiting: &mut Option<(u64, String)>,
    number: &mut u64,
    nanos: i128,
) -> anyhow::Result<Vec<(u64, String)>> {
    let mut batch: Vec<(u64, String)> = Vec::new();
    let mut days = HashSet::new();
    let mut bytes = 0;
    loop {
        let next = match waiting.take() {
            Some(line) => Some(line),
            None => next_line(from, number)?,
        };
        let Some((line, text)) = next else { return Ok(batch) };
        let time = text.rsplit_once(' ').and_then(|(_, time)| time.parse::<i64>().ok());
        days.insert(time.map(|time| (i128::from(time) * nanos).div_euclid(DAY_NANOS)));
        bytes += text.len() + 1;
        let full = batch.len() >= BATCH_ROWS || bytes > BATCH_BYTES || days.len() > BATCH_DAYS;
        if full && !batch.is_empty() {
            *waiting = Some((line, text));
            return Ok(batch);
        }
        batch.push((line, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_in_rows_bytes_and_days() {
        let row = |line: u64, time: String, value: usize| {
            let value = Some("x".repeat(value));
            Row { line, tag: "a/b".into(), time, value, quality: None }
        };
        let second = "2026-11-23T08:00:00Z".to_owned();
        let mut rows: Vec<Row> = (0..6000).map(|line| row(line, second.clone(), 1)).collect();
        assert_eq!(
            [cut(&mut rows).len(), cut(&mut rows).len(), cut(&mut rows).len()],
            [5000, 1000, 0]
        );
        let mut large: Vec<Row> = (0..3).map(|line| row(line, second.clone(), 600 << 10)).collect();
        assert_eq!([cut(&mut large).len(), cut(&mut large).len()], [1, 1]);
        let day = |day: i32| Timestamp::start_of_day(day).to_string();
        let mut days: Vec<Row> = (0..400).map(|at| row(at, day(at as i32), 1)).collect();
        assert_eq!([cut(&mut days).len(), cut(&mut days).len()], [300, 100]);
    }

    #[test]
    fn lines_are_cut_as_rows_are() {
        let text: String = (0..400).map(|day| format!("a/b value=1 {}\n", day * 86_400)).collect();
        let mut from = text.as_bytes();
        let (mut waiting, mut number) = (None, 0);
        let mut next = || lines(&mut from, &mut waiting, &mut number, 1_000_000_000).unwrap();
        let first = next();
        assert_eq!((first.len(), first[299].0), (300, 300));
        assert_eq!(next().len(), 100);
        assert!(next().is_empty());
    }
}
