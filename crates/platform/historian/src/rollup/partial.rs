//! Samples of a tag that follow each other, summed up; and how two such sums become one.

use weir_model::{Kind, Value};

use crate::row::Row;

/// How far a sample can be trusted, bad included that have no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Good,
    Uncertain,
    Bad,
}

/// What a sample says, and what holds until the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    /// Whether it can be used.
    pub(crate) class: Class,
    /// Its finite number; none where it is bad, a text or an array.
    pub(crate) number: Option<f64>,
}

impl State {
    const BAD: Self = Self { class: Class::Bad, number: None };

    /// That of a value's kind and word.
    pub(crate) fn of(quality: u32, kind: Kind, word: u64) -> Self {
        let number = match kind {
            Kind::None | Kind::Text | Kind::Array => None,
            Kind::F64 => Some(f64::from_bits(word)),
            Kind::I64 | Kind::Enumeration => Some(word.cast_signed() as f64),
            Kind::U64 | Kind::Bool => Some(word as f64),
        };
        Self::of_parts(quality, number, kind.is_apart())
    }

    /// That of a number, if there is one, or else of another value, if there is one.
    pub(crate) fn of_parts(quality: u32, number: Option<f64>, has_other: bool) -> Self {
        let class = match quality >> 30 {
            0 => Class::Good,
            1 => Class::Uncertain,
            _ => return Self::BAD,
        };
        match number {
            Some(number) if number.is_finite() => Self { class, number: Some(number) },
            None if has_other => Self { class, number: None },
            _ => Self::BAD,
        }
    }

    /// That of a row.
    pub(crate) fn of_row(row: &Row) -> Self {
        let (kind, word) = row.value.as_ref().map_or((Kind::None, 0), Value::word);
        Self::of(row.quality, kind, word)
    }
}

/// A sum of doubles and what was lost to rounding (Knuth's TwoSum, volume 2, section 4.2.2), so that
/// it hardly depends on how the terms were divided: while it is in memory, the error is below
/// 2^-100 of the sum of the terms' magnitudes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// A sum that was rounded.
    pub(crate) fn of(high: f64) -> Self {
        Self { high, low: 0.0 }
    }

    /// The sum, rounded once.
    pub(crate) fn value(self) -> f64 {
        // Beyond the range of doubles, what was lost is no number.
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }

    fn add(&mut self, term: f64) {
        let sum = self.high + term;
        let part = sum - self.high;
        self.low += (self.high - (sum - part)) + (term - part);
        self.high = sum;
    }

    fn join(&mut self, other: Self) {
        self.add(other.high);
        self.low += other.low;
    }
}

/// What is known of one or more samples in order of time. Between two samples the earlier one
/// holds; the last one has not held for any time yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Partial {
    /// How many.
    pub(crate) samples: u64,
    /// How many are not bad.
    pub(crate) usable: u64,
    /// How many are numbers; what says numbers below is of these.
    pub(crate) numbers: u64,
    /// The sum of the numbers.
    pub(crate) sum: Sum,
    /// The least number.
    pub(crate) min: f64,
    /// The greatest number.
    pub(crate) max: f64,
    /// Time and quality of the first sample.
    pub(crate) first: (i64, u32),
    /// Time and quality of the last sample.
    pub(crate) last: (i64, u32),
    /// Time and value of the first number.
    pub(crate) first_number: (i64, f64),
    /// Time and value of the last number.
    pub(crate) last_number: (i64, f64),
    /// Whether the last sample can be used.
    pub(crate) last_class: Class,
    /// The sum of number times nanoseconds that it held.
    pub(crate) area: Sum,
    /// Nanoseconds that good samples held.
    pub(crate) good_ns: u64,
    /// Nanoseconds that uncertain samples held.
    pub(crate) uncertain_ns: u64,
    /// Nanoseconds that numbers held.
    pub(crate) number_ns: u64,
}

impl Partial {
    /// One sample.
    pub(crate) fn new(time: i64, quality: u32, state: State) -> Self {
        let mut one = Self::stub(0, time, time);
        one.first = (time, quality);
        one.add(time, quality, state);
        one
    }

    /// What is known of samples of which only number and times are.
    pub(crate) fn stub(samples: u64, first: i64, last: i64) -> Self {
        Self {
            samples,
            usable: 0,
            numbers: 0,
            sum: Sum::default(),
            min: 0.0,
            max: 0.0,
            first: (first, 0),
            last: (last, 0),
            first_number: (0, 0.0),
            last_number: (0, 0.0),
            last_class: Class::Bad,
            area: Sum::default(),
            good_ns: 0,
            uncertain_ns: 0,
            number_ns: 0,
        }
    }

    /// Adds the sample that follows.
    pub(crate) fn push(&mut self, time: i64, quality: u32, state: State) {
        self.hold(self.last_state(), time.abs_diff(self.last.0));
        self.add(time, quality, state);
    }

    fn add(&mut self, time: i64, quality: u32, state: State) {
        self.samples += 1;
        self.last = (time, quality);
        self.last_class = state.class;
        self.usable += u64::from(state.class != Class::Bad);
        let Some(number) = state.number else { return };
        if self.numbers == 0 {
            (self.min, self.max, self.first_number) = (number, number, (time, number));
        }
        self.numbers += 1;
        self.sum.add(number);
        self.min = if number < self.min { number } else { self.min };
        self.max = if number > self.max { number } else { self.max };
        self.last_number = (time, number);
    }

    /// Adds samples that follow.
    pub(crate) fn then(&mut self, later: &Self) {
        self.hold(self.last_state(), later.first.0.abs_diff(self.last.0));
        self.samples += later.samples;
        self.usable += later.usable;
        (self.last, self.last_class) = (later.last, later.last_class);
        if later.numbers > 0 {
            if self.numbers == 0 {
                (self.min, self.max, self.first_number) =
                    (later.min, later.max, later.first_number);
            }
            self.min = if later.min < self.min { later.min } else { self.min };
            self.max = if later.max > self.max { later.max } else { self.max };
            self.last_number = later.last_number;
        }
        self.numbers += later.numbers;
        self.sum.join(later.sum);
        self.area.join(later.area);
        self.good_ns += later.good_ns;
        self.uncertain_ns += later.uncertain_ns;
        self.number_ns += later.number_ns;
    }

    /// What holds after the last sample.
    pub(crate) fn last_state(&self) -> State {
        let is_number = self.numbers > 0 && self.last_number.0 == self.last.0;
        State { class: self.last_class, number: is_number.then_some(self.last_number.1) }
    }

    /// Adds a time that something held.
    pub(crate) fn hold(&mut self, state: State, nanos: u64) {
        match state.class {
            Class::Bad => return,
            Class::Good => self.good_ns += nanos,
            Class::Uncertain => self.uncertain_ns += nanos,
        }
        if let Some(number) = state.number {
            self.number_ns += nanos;
            self.area.add(number * nanos as f64);
        }
    }

    /// The same as it is stored: with sums that were rounded.
    #[cfg(test)]
    pub(crate) fn rounded(self) -> Self {
        let (sum, area) = (Sum::of(self.sum.value()), Sum::of(self.area.value()));
        Self { sum, area, ..self }
    }

    /// Whether numbers and other usable samples are mixed: then it is not stored.
    pub(crate) fn is_mixed(&self) -> bool {
        self.numbers > 0 && self.numbers < self.usable
    }
}
