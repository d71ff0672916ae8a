//! What is known of the samples of a group.

use std::ops::Range;

use weir_model::{NumberRange, SamplePage, SampleSum, sum_of};

use super::{Output, Spread};

/// What is known of a group's samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) rows: i64,
    pub(super) count: i64,
    pub(super) sum: f64,
    /// The sum of the squares of what each differs from the mean.
    squares: f64,
    pub(super) range: NumberRange,
    pub(super) first: Option<f64>,
    pub(super) last: Option<f64>,
    /// The times of the first and the last of them.
    pub(super) times: Option<(i64, i64)>,
}

/// Which of it is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    numbers: bool,
    sum: bool,
    squares: bool,
    range: bool,
}

impl Needs {
    pub(super) fn of(outputs: &[Output]) -> Self {
        let has = |is: fn(Output) -> bool| outputs.iter().any(|output| is(*output));
        let squares = has(|output| matches!(output, Output::Spread(_)));
        Self {
            numbers: has(Output::is_of_numbers),
            sum: squares || has(|output| matches!(output, Output::Sum | Output::Average)),
            squares,
            range: has(|output| matches!(output, Output::Least | Output::Greatest)),
        }
    }
}

impl Default for Group {
    fn default() -> Self {
        Self {
            rows: 0,
            count: 0,
            sum: 0.0,
            squares: 0.0,
            range: NumberRange::NONE,
            first: None,
            last: None,
            times: None,
        }
    }
}

impl Group {
    /// Takes samples that follow those before.
    pub(super) fn add(&mut self, needs: Needs, page: &SamplePage, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let is_first = self.rows == 0;
        self.rows += rows.len() as i64;
        if let Some(times) = page.times.get(rows.clone()) {
            self.add_times(times.first().copied().zip(times.last().copied()));
        }
        if !needs.numbers {
            return;
        }
        let number = |row: usize| {
            let there = page.present.get(row).is_none_or(|there| *there);
            there.then(|| page.numbers[row])
        };
        if is_first {
            self.first = number(rows.start);
        }
        self.last = number(rows.end - 1);
        match page.present.get(rows.clone()) {
            None => self.add_numbers(needs, &page.numbers[rows]),
            Some(present) => {
                let mut from = rows.start;
                for run in present.chunk_by(|a, b| a == b) {
                    let end = from + run.len();
                    if run[0] {
                        self.add_numbers(needs, &page.numbers[from..end]);
                    }
                    from = end;
                }
            }
        }
    }

    /// Takes a sum of samples that follow those before.
    pub(super) fn add_sum(&mut self, sum: &SampleSum) {
        let sum = Self {
            rows: sum.samples.into(),
            count: sum.count.into(),
            sum: sum.sum,
            squares: sum.squares,
            range: sum.range,
            first: sum.first,
            last: sum.last,
            times: Some((sum.from, sum.to)),
        };
        self.join(&sum);
    }

    /// Takes what is known of samples that follow those before.
    pub(super) fn join(&mut self, later: &Self) {
        if self.rows == 0 {
            self.first = later.first;
        }
        self.last = later.last;
        self.rows += later.rows;
        self.add_times(later.times);
        self.range = self.range.or(later.range);
        self.join_sums((later.count, later.sum, later.squares));
    }

    fn add_times(&mut self, times: Option<(i64, i64)>) {
        let Some((first, last)) = times else { return };
        let (from, to) = self.times.unwrap_or((first, last));
        self.times = Some((from.min(first), to.max(last)));
    }

    /// Chan, Golub and LeVeque's formula: Updating Formulae and a Pairwise Algorithm, 1979.
    fn join_sums(&mut self, (count, sum, squares): (i64, f64, f64)) {
        if self.count > 0 && count > 0 {
            let (a, b) = (self.count as f64, count as f64);
            let apart = sum / b - self.sum / a;
            self.squares += apart * apart * (a * b / (a + b));
        }
        self.count += count;
        self.sum += sum;
        self.squares += squares;
    }

    fn add_numbers(&mut self, needs: Needs, numbers: &[f64]) {
        let sum = if needs.sum { sum_of(numbers, |x| x) } else { 0.0 };
        let mut squares = 0.0;
        if needs.squares {
            let mean = sum / numbers.len().max(1) as f64;
            squares = sum_of(numbers, |x| (x - mean) * (x - mean));
        }
        self.join_sums((numbers.len() as i64, sum, squares));
        if needs.range {
            self.range = numbers.iter().fold(self.range, |range, x| range.with(*x));
        }
    }

    /// How far the values are from their mean; none where there are too few.
    pub(super) fn spread(&self, spread: Spread) -> Option<f64> {
        let count = if spread.is_of_all { self.count } else { self.count - 1 };
        let variance = (count > 0).then(|| self.squares / count as f64)?;
        Some(if spread.is_root { variance.sqrt() } else { variance })
    }
}
