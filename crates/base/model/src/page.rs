//! Samples in pages of columns, for those who read many: only what they ask for.

use std::sync::Arc;

use crate::{Quality, Severity, TagId, Timestamp, Value};

/// Integers beyond this magnitude are not whole in a double.
const WHOLE_MAX: u64 = 1 << 53;

/// Columns of samples. Whose samples are is always told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleColumns {
    /// When they were observed.
    pub times: bool,
    /// Values as doubles: [`Value::as_f64`].
    pub numbers: bool,
    /// How far they can be trusted.
    pub qualities: bool,
    /// Values that a double does not hold: [`Value::as_text`].
    pub texts: bool,
}

/// Samples that are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplesWanted {
    /// Of these tags, tag by tag in this order; each at most once.
    pub tags: Arc<[TagId]>,
    /// From this time on.
    pub from: Timestamp,
    /// Up to and without this time.
    pub to: Timestamp,
    /// Only those whose value as a double is in the range; all of them, with a number or without,
    /// where there is no range.
    pub numbers: Option<NumberRange>,
    /// Only those of these severities.
    pub severities: Severities,
    /// What of them.
    pub columns: SampleColumns,
    /// Whether sums may be given in the place of samples, and which; none where each sample is wanted.
    pub sums: Option<SumsWanted>,
}

/// Sums that may be given in the place of samples. Nobody has to give any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SumsWanted {
    /// No sum is of samples of more than one of these stretches of time.
    pub buckets: Option<Buckets>,
    /// Whether [`SampleSum::first`] and [`SampleSum::last`] are wanted.
    pub ends: bool,
    /// Whether [`SampleSum::severities`] are wanted.
    pub severities: bool,
}

/// Stretches of time of one length, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buckets {
    /// Nanoseconds, at least 1.
    pub width: i64,
    /// When one of them begins, in nanoseconds since the epoch.
    pub origin: i64,
}

impl Buckets {
    /// When the stretch begins that a time is in, and when the next does, in nanoseconds since the
    /// epoch, which may be beyond what a [`Timestamp`] tells.
    #[inline]
    pub fn around(self, time: i64) -> (i128, i128) {
        let (width, origin) = (i128::from(self.width), i128::from(self.origin));
        let start = origin + (i128::from(time) - origin).div_euclid(width) * width;
        (start, start + width)
    }
}

/// What one or more samples of a tag say together, which follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSum {
    /// Whose they are.
    pub tag: TagId,
    /// When the first of them was observed, or one before it, in nanoseconds since the epoch.
    pub from: i64,
    /// When the last of them was observed, or one after it.
    pub to: i64,
    /// How many.
    pub samples: u32,
    /// How many are good, uncertain and bad, where that was asked for.
    pub severities: [u32; 3],
    /// How many have a number, which is what is said below of.
    pub count: u32,
    /// The sum, added in some order: off by at most `count` * 2^-53 of the sum of the magnitudes.
    pub sum: f64,
    /// The sum of the squares of what each differs from the mean.
    pub squares: f64,
    /// Between which numbers they are, both included, in the total order of doubles.
    pub range: NumberRange,
    /// The number of the first sample, if it has one, where that was asked for.
    pub first: Option<f64>,
    /// The number of the last sample, if it has one, where that was asked for.
    pub last: Option<f64>,
}

/// Doubles between two ends, both included, in the total order of IEEE 754 (clause 5.10), as
/// [`f64::total_cmp`] has it: -0 is below +0, and a NaN is beyond the infinity of its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberRange {
    /// The ends by their [`place`]; no number where the first is the greater.
    least: i64,
    most: i64,
}

/// Where a double stands in the total order.
#[inline]
const fn place(x: f64) -> i64 {
    let bits = x.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The double that stands there.
#[inline]
const fn double_at(place: i64) -> f64 {
    // It changes the same bits as `place` does.
    let bits = place ^ ((place >> 63).cast_unsigned() >> 1).cast_signed();
    f64::from_bits(bits.cast_unsigned())
}

impl NumberRange {
    /// All doubles.
    pub const ALL: Self = Self { least: i64::MIN, most: i64::MAX };
    /// No double.
    pub const NONE: Self = Self { least: i64::MAX, most: i64::MIN };

    /// The doubles from one on.
    #[inline]
    pub const fn from(least: f64) -> Self {
        Self { least: place(least), ..Self::ALL }
    }

    /// The doubles up to and with one.
    #[inline]
    pub const fn up_to(most: f64) -> Self {
        Self { most: place(most), ..Self::ALL }
    }

    /// The doubles above one.
    #[inline]
    pub const fn above(x: f64) -> Self {
        match place(x).checked_add(1) {
            Some(least) => Self { least, ..Self::ALL },
            None => Self::NONE,
        }
    }

    /// The doubles below one.
    #[inline]
    pub const fn below(x: f64) -> Self {
        match place(x).checked_sub(1) {
            Some(most) => Self { most, ..Self::ALL },
            None => Self::NONE,
        }
    }

    /// The doubles in both.
    #[inline]
    pub fn and(self, other: Self) -> Self {
        Self { least: self.least.max(other.least), most: self.most.min(other.most) }
    }

    /// The smallest range with this one and a double in it.
    #[inline]
    pub fn with(self, x: f64) -> Self {
        let x = place(x);
        Self { least: self.least.min(x), most: self.most.max(x) }
    }

    /// Whether a double is in it.
    #[inline]
    pub const fn contains(self, x: f64) -> bool {
        let x = place(x);
        self.least <= x && x <= self.most
    }

    /// Whether a double may be in both.
    #[inline]
    pub const fn meets(self, other: Self) -> bool {
        self.least <= self.most
            && other.least <= other.most
            && self.least <= other.most
            && other.least <= self.most
    }

    /// The smallest range with both in it.
    #[inline]
    pub fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    /// Whether every double of another range is in it.
    #[inline]
    pub const fn has_all(self, other: Self) -> bool {
        self.least <= other.least && other.most <= self.most
    }

    /// The least and the greatest double of it; none where it has none.
    #[inline]
    pub fn ends(self) -> Option<(f64, f64)> {
        (self.least <= self.most).then(|| (double_at(self.least), double_at(self.most)))
    }

    /// Two numbers that [`NumberRange::from_words`] makes the range of.
    #[inline]
    pub const fn words(self) -> [u64; 2] {
        [self.least.cast_unsigned(), self.most.cast_unsigned()]
    }

    /// The range of two numbers.
    #[inline]
    pub const fn from_words([least, most]: [u64; 2]) -> Self {
        Self { least: least.cast_signed(), most: most.cast_signed() }
    }
}

/// Some of the severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Severities([bool; 3]);

impl Severities {
    /// All of them.
    pub const ALL: Self = Self([true; 3]);
    /// None of them.
    pub const NONE: Self = Self([false; 3]);

    /// These and one more.
    #[inline]
    pub const fn with(mut self, severity: Severity) -> Self {
        self.0[severity as usize] = true;
        self
    }

    /// Those in both.
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([a && d, b && e, c && f])
    }

    /// Those that are not in these.
    #[inline]
    pub const fn not(self) -> Self {
        let [a, b, c] = self.0;
        Self([!a, !b, !c])
    }

    /// Whether a severity is among them.
    #[inline]
    pub const fn contains(self, severity: Severity) -> bool {
        self.0[severity as usize]
    }
}

/// Samples in columns, of which those that were not asked for are empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SamplePage {
    /// Whose they are: tags with the number of samples, never 0, that follow each other.
    pub tags: Vec<(TagId, u32)>,
    /// Nanoseconds since the epoch.
    pub times: Vec<i64>,
    /// Values as doubles; anything where there is none.
    pub numbers: Vec<f64>,
    /// Whether each has a number; empty where all have.
    pub present: Vec<bool>,
    /// Qualities with the number of samples, never 0, that follow each other.
    pub qualities: Vec<(Quality, u32)>,
    /// Values that a double does not hold.
    pub texts: Texts,
    /// In the place of samples, where that was asked for: a page has either.
    pub sums: Vec<SampleSum>,
}

/// Texts of a few of many samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    text: String,
    /// Which sample each is of, and where it ends.
    ends: Vec<(u32, usize)>,
}

impl Texts {
    /// Adds the text of a sample behind all that have one.
    #[inline]
    pub fn push(&mut self, row: usize, text: &str) {
        self.text.push_str(text);
        self.ends.push((row as u32, self.text.len()));
    }

    /// How many samples have a text.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none has.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all of them.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The texts from one of them on, in order, each with its sample.
    #[inline]
    pub fn iter_from(&self, first: usize) -> impl Iterator<Item = (usize, &str)> {
        let mut from =
            first.checked_sub(1).and_then(|i| self.ends.get(i)).map_or(0, |(_, end)| *end);
        self.ends.iter().skip(first).map(move |(row, end)| {
            let text = &self.text[from..*end];
            from = *end;
            (*row as usize, text)
        })
    }

    /// The texts in order, each with its sample.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.iter_from(0)
    }
}

impl SamplePage {
    /// How many samples.
    #[inline]
    pub fn rows(&self) -> usize {
        self.tags.iter().map(|(_, rows)| *rows as usize).sum()
    }

    /// Whether there are none, nor sums of any.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.sums.is_empty()
    }

    /// Which samples a range of numbers and some severities let through; none where all are.
    #[inline]
    pub fn passed(
        &self,
        numbers: Option<NumberRange>,
        severities: Severities,
    ) -> Option<Vec<bool>> {
        let mut passed: Option<Vec<bool>> = None;
        if let Some(range) = numbers {
            let mut within: Vec<bool> = self.numbers.iter().map(|x| range.contains(*x)).collect();
            within.iter_mut().zip(&self.present).for_each(|(within, there)| *within &= *there);
            passed = Some(within);
        }
        if severities != Severities::ALL {
            let mut row = 0;
            for (quality, count) in &self.qualities {
                let end = row + *count as usize;
                if !severities.contains(quality.severity()) {
                    let all = || vec![true; self.rows()];
                    passed.get_or_insert_with(all)[row..end].fill(false);
                }
                row = end;
            }
        }
        passed.filter(|passed| !passed.iter().all(|one| *one))
    }

    /// Keeps some of the samples: `kept` says for each whether.
    #[inline]
    pub fn retain(&mut self, kept: &[bool]) {
        retain(&mut self.times, kept);
        retain(&mut self.numbers, kept);
        retain(&mut self.present, kept);
        retain_runs(&mut self.tags, kept);
        retain_runs(&mut self.qualities, kept);
        if !self.texts.is_empty() {
            let mut texts = Texts::default();
            let (mut at, mut before) = (0, 0);
            for (row, text) in self.texts.iter().filter(|(row, _)| kept[*row]) {
                before += kept[at..row].iter().filter(|kept| **kept).count();
                at = row;
                texts.push(before, text);
            }
            self.texts = texts;
        }
    }

    /// Forgets columns that are not among these.
    #[inline]
    pub fn restrict(&mut self, columns: SampleColumns) {
        if !columns.times {
            self.times.clear();
        }
        if !columns.numbers {
            self.numbers.clear();
            self.present.clear();
        }
        if !columns.qualities {
            self.qualities.clear();
        }
        if !columns.texts {
            self.texts = Texts::default();
        }
    }
}

/// Keeps some of a column that may be empty.
#[inline]
fn retain<T: Copy>(column: &mut Vec<T>, kept: &[bool]) {
    if column.is_empty() {
        return;
    }
    let mut rows = 0;
    for (row, kept) in kept.iter().enumerate() {
        // Written always and counted where it is kept: a branch would be guessed wrong.
        column[rows] = column[row];
        rows += usize::from(*kept);
    }
    column.truncate(rows);
}

#[inline]
fn retain_runs<T: PartialEq + Copy>(runs: &mut Vec<(T, u32)>, kept: &[bool]) {
    let (mut row, mut left) = (0, Vec::with_capacity(runs.len()));
    for (one, rows) in runs.iter() {
        let end = row + *rows as usize;
        let rows = kept[row..end].iter().filter(|kept| **kept).count() as u32;
        push_run(&mut left, *one, rows);
        row = end;
    }
    *runs = left;
}

/// Sums that are computed beside each other, so that none waits for the one before it.
const LANES: usize = 8;

/// The sum of a term of each number, added in eight lanes and then lane by lane: what is stored of rows and what
/// is computed of them are added alike.
pub fn sum_of(numbers: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += term(*x));
    }
    sums.into_iter().chain(rest.iter().map(|x| term(*x))).sum()
}

/// Adds so many of one thing to runs of things.
#[inline]
pub fn push_run<T: PartialEq>(runs: &mut Vec<(T, u32)>, one: T, rows: u32) {
    match runs.last_mut() {
        _ if rows == 0 => {}
        Some((last, count)) if *last == one => *count += rows,
        _ => runs.push((one, rows)),
    }
}

impl Value {
    /// What a double does not hold of a value: a text, an array as JSON, the digits of an integer
    /// beyond 2^53.
    pub fn as_text(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Text(text) => Some((&**text).into()),
            Self::Array(_) => Some(self.to_json().to_string().into()),
            Self::I64(x) if x.unsigned_abs() > WHOLE_MAX => Some(x.to_string().into()),
            Self::U64(x) if *x > WHOLE_MAX => Some(x.to_string().into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
