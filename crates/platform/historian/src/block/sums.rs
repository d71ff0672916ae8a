//! What runs of a tag's rows within a page sum up to, so that whoever asks for sums alone need not
//! read the rows.
//!
//! A run of [`RUN_ROWS_MIN`] rows and more has a sum for each hour that it is of, where that is as many
//! rows each, or else for each day, or else for all of it. The sums of a page tell of all of its
//! rows, or there are none. They are kept behind the pages, where [`METADATA_KEY`] says; the
//! encoding is in `docs/specs/block.md`.

use std::io;

use serde::{Deserialize, Serialize};
use weir_model::{
    NumberRange, Quality, SampleSum, Severities, Severity, SumsWanted, TagId, sum_of,
};

use super::group::Pending;
use super::schema::kind;
use crate::rollup::RollupLevel;

/// The key in a block's metadata of their [`Place`], as JSON.
pub(crate) const METADATA_KEY: &str = "weir.sums";

/// Rows that a sum stands for on average: it takes as many bytes as about fifty rows.
const RUN_ROWS_MIN: usize = 1024;

/// Sums of a block at most: four times as many as one of 32 million rows has.
const SUMS_MAX: usize = 1 << 17;

/// The version of the encoding.
const VERSION: u32 = 1;

/// Compression: few bytes, read once.
const ZSTD_LEVEL: i32 = 9;

/// Numbers of 64 bits that a sum is written as.
const WORDS: usize = 16;

/// Where a block's sums are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    version: u32,
    /// Bytes before them in the file.
    pub(crate) offset: u64,
    /// Their length in bytes.
    pub(crate) bytes: u32,
}

impl Place {
    /// So many bytes at an offset.
    pub(crate) fn new(offset: u64, bytes: usize) -> Self {
        Self { version: VERSION, offset, bytes: bytes as u32 }
    }

    /// The place as text.
    pub(crate) fn to_text(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads a block's metadata; none where there is nothing that this version understands.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let place: Self = serde_json::from_str(text).ok()?;
        (place.version == VERSION).then_some(place)
    }
}

/// What some rows of a tag say together, which follow each other in a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RunSum {
    /// Which page of `k`, counted in the file.
    pub(crate) page: u32,
    pub(crate) tag: u32,
    /// Times of the first and of the last row, in nanoseconds.
    pub(crate) times: (i64, i64),
    pub(crate) rows: u32,
    uncertain: u32,
    bad: u32,
    /// Rows with a number, and those of them that are good.
    count: u32,
    count_good: u32,
    sum: f64,
    squares: f64,
    range: NumberRange,
    /// The numbers of the first and of the last row.
    first: Option<f64>,
    last: Option<f64>,
}

/// What is asked for of the samples that a sum may stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) numbers: Option<NumberRange>,
    pub(crate) severities: Severities,
    pub(crate) sums: SumsWanted,
}

/// What a sum tells of the samples that are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Told {
    /// They are none of them.
    Nothing,
    Sum(SampleSum),
    /// It does not tell.
    Unknown,
}

impl RunSum {
    /// What of its rows passes.
    pub(crate) fn tell(&self, filter: &Filter) -> Told {
        let Filter { numbers, severities, sums } = filter;
        let good = self.rows - self.uncertain - self.bad;
        let all = [good, self.uncertain, self.bad];
        let by_severity = [Severity::Good, Severity::Uncertain, Severity::Bad];
        let passes = by_severity.map(|severity| severities.contains(severity));
        let pass = |rows: [u32; 3]| [0, 1, 2].map(|at| if passes[at] { rows[at] } else { 0 });
        let valued_are_good = self.count == self.count_good;
        let mut rows = pass(all);
        let mut count = self.count;
        if rows != all {
            if !valued_are_good {
                // Which numbers are of which quality is not known, but where there are none left.
                return if rows == [0; 3] { Told::Nothing } else { Told::Unknown };
            }
            count = if passes[0] { self.count } else { 0 };
        }
        if let Some(range) = numbers {
            if count == 0 || !self.range.meets(*range) {
                return Told::Nothing;
            }
            if !range.has_all(self.range) {
                return Told::Unknown;
            }
            if sums.severities && !valued_are_good {
                return Told::Unknown;
            }
            rows = [count, 0, 0];
        }
        let samples = rows.iter().sum();
        let is_cut = sums
            .buckets
            .is_some_and(|buckets| i128::from(self.times.1) >= buckets.around(self.times.0).1);
        match samples {
            0 => Told::Nothing,
            _ if is_cut || sums.ends && samples != self.rows => Told::Unknown,
            _ => Told::Sum(SampleSum {
                tag: TagId(self.tag),
                from: self.times.0,
                to: self.times.1,
                samples,
                severities: rows,
                count,
                sum: if count > 0 { self.sum } else { 0.0 },
                squares: if count > 0 { self.squares } else { 0.0 },
                range: if count > 0 { self.range } else { NumberRange::NONE },
                first: self.first,
                last: self.last,
            }),
        }
    }
}

/// Sums up the pages of a block that is being written.
#[derive(Default)]
pub(crate) struct SumsWriter {
    sums: Vec<RunSum>,
    pages: u32,
    numbers: Vec<f64>,
}

impl SumsWriter {
    /// Takes the rows of the next page.
    pub(crate) fn add(&mut self, page: &Pending) {
        let before = self.sums.len();
        let mut rows = Rows { page, at: 0, kind: (0, 0), quality: (0, 0) };
        for (tag, count) in &page.tags {
            let end = rows.at + *count as usize;
            let times = page.times.get(rows.at..end).unwrap_or_default();
            let step = step(times);
            let mut is_known = times.len() >= RUN_ROWS_MIN;
            while is_known && rows.at < end {
                let left = &page.times[rows.at..end];
                let same = left.partition_point(|time| index(step, *time) == index(step, left[0]));
                let sum = self.sum(*tag, &left[..same], &mut rows);
                // What a sum beyond the range of doubles is of may have one in another order.
                is_known = sum.sum.is_finite() && sum.squares.is_finite();
                self.sums.push(sum);
            }
            if !is_known || self.sums.len() > SUMS_MAX {
                self.sums.truncate(before);
                break;
            }
        }
        self.pages += 1;
    }

    fn sum(&mut self, tag: u32, times: &[i64], rows: &mut Rows<'_>) -> RunSum {
        let (Some(from), Some(to)) = (times.first(), times.last()) else { return RunSum::NONE };
        let mut sum = RunSum { page: self.pages, tag, times: (*from, *to), ..RunSum::NONE };
        let numbers = &mut self.numbers;
        numbers.clear();
        while sum.rows < times.len() as u32 {
            let (kind, severity, words) = rows.next(times.len() - sum.rows as usize);
            let here = words.len() as u32;
            let has_number = push_numbers(kind, words, numbers);
            match severity {
                Severity::Good if has_number => sum.count_good += here,
                Severity::Good => {}
                Severity::Uncertain => sum.uncertain += here,
                Severity::Bad => sum.bad += here,
            }
            if sum.rows == 0 {
                sum.first = numbers.first().copied();
            }
            sum.last = numbers.last().copied().filter(|_| has_number);
            sum.rows += here;
        }
        sum.count = numbers.len() as u32;
        sum.sum = sum_of(numbers, |x| x);
        let mean = sum.sum / f64::from(sum.count.max(1));
        sum.squares = sum_of(numbers, |x| (x - mean) * (x - mean));
        sum.range = numbers.iter().fold(NumberRange::NONE, |range, x| range.with(*x));
        sum
    }

    /// The sums in bytes; none where there are none.
    pub(crate) fn finish(self) -> io::Result<Option<Vec<u8>>> {
        if self.sums.is_empty() || self.sums.len() > SUMS_MAX {
            return Ok(None);
        }
        zstd::bulk::compress(&encode(&self.sums), ZSTD_LEVEL).map(Some)
    }
}

/// The rows of a page, from one on.
struct Rows<'a> {
    page: &'a Pending,
    at: usize,
    /// Which runs the row is in, and how many rows of them are before it.
    kind: (usize, u32),
    quality: (usize, u32),
}

impl<'a> Rows<'a> {
    /// The next rows of one kind and one severity, at most so many: with the words of their values.
    fn next(&mut self, rows_max: usize) -> (u8, Severity, &'a [u64]) {
        let (kind, kinds) = self.page.kinds.get(self.kind.0).copied().unwrap_or_default();
        let (code, codes) = self.page.qualities.get(self.quality.0).copied().unwrap_or_default();
        let same = (kinds - self.kind.1).min(codes - self.quality.1).min(rows_max as u32);
        let words = &self.page.numbers[self.at..self.at + same as usize];
        self.at += words.len();
        for (run, rows) in [(&mut self.kind, kinds), (&mut self.quality, codes)] {
            run.1 += same;
            if run.1 == rows {
                *run = (run.0 + 1, 0);
            }
        }
        (kind as u8, Quality::from_code(code).severity(), words)
    }
}

/// Adds the numbers of rows of a kind; gives whether they have any.
fn push_numbers(kind: u8, words: &[u64], out: &mut Vec<f64>) -> bool {
    match kind {
        kind::F64 => out.extend(words.iter().map(|word| f64::from_bits(*word))),
        kind::U64 => out.extend(words.iter().map(|word| *word as f64)),
        kind::BOOL => out.extend(words.iter().map(|word| f64::from(u8::from(*word != 0)))),
        kind::I64 | kind::ENUMERATION => {
            out.extend(words.iter().map(|word| word.cast_signed() as f64));
        }
        _ => return false,
    }
    true
}

/// The length of the stretches of time that a run is divided by; none where it is not.
fn step(times: &[i64]) -> Option<RollupLevel> {
    let (first, last) = times.first().zip(times.last())?;
    [RollupLevel::Hour, RollupLevel::Day].into_iter().find(|level| {
        let stretches = (level.index(*last) - level.index(*first) + 1).unsigned_abs();
        times.len() as u64 >= stretches * RUN_ROWS_MIN as u64
    })
}

fn index(step: Option<RollupLevel>, time: i64) -> i64 {
    step.map_or(0, |level| level.index(time))
}

/// The numbers of all sums, one kind of number after the other, and of each kind the lowest bytes of
/// all, then the next ones.
fn encode(sums: &[RunSum]) -> Vec<u8> {
    let words: Vec<[u64; WORDS]> = sums.iter().map(RunSum::words).collect();
    let mut out = Vec::with_capacity(words.len() * WORDS * 8);
    for word in 0..WORDS {
        for byte in 0..8 {
            out.extend(words.iter().map(|words| words[word].to_le_bytes()[byte]));
        }
    }
    out
}

/// Reads the sums of a block; none for bytes that are none.
pub(crate) fn unpack(packed: &[u8]) -> Option<Vec<RunSum>> {
    let bytes = zstd::bulk::decompress(packed, SUMS_MAX * WORDS * 8).ok()?;
    if bytes.len() % (WORDS * 8) != 0 {
        return None;
    }
    let count = bytes.len() / (WORDS * 8);
    let word = |sum: usize, word: usize| {
        u64::from_le_bytes(std::array::from_fn(|byte| bytes[(word * 8 + byte) * count + sum]))
    };
    let sums: Option<Vec<RunSum>> =
        (0..count).map(|sum| RunSum::of_words(std::array::from_fn(|at| word(sum, at)))).collect();
    sums.filter(|sums| sums.is_sorted_by_key(|sum| sum.page))
}

impl RunSum {
    const NONE: Self = Self {
        page: 0,
        tag: 0,
        times: (0, 0),
        rows: 0,
        uncertain: 0,
        bad: 0,
        count: 0,
        count_good: 0,
        sum: 0.0,
        squares: 0.0,
        range: NumberRange::NONE,
        first: None,
        last: None,
    };

    fn words(&self) -> [u64; WORDS] {
        let [least, most] = self.range.words();
        let end = |end: Option<f64>| end.map_or(0, f64::to_bits);
        [
            self.page.into(),
            self.tag.into(),
            self.times.0.cast_unsigned(),
            self.times.1.cast_unsigned(),
            self.rows.into(),
            self.uncertain.into(),
            self.bad.into(),
            self.count.into(),
            self.count_good.into(),
            self.sum.to_bits(),
            self.squares.to_bits(),
            least,
            most,
            u64::from(self.first.is_some()) | u64::from(self.last.is_some()) << 1,
            end(self.first),
            end(self.last),
        ]
    }

    fn of_words(words: [u64; WORDS]) -> Option<Self> {
        let [page, tag, from, to, rows, uncertain, bad, count, count_good, rest @ ..] = words;
        let [sum, squares, least, most, has_end, first, last] = rest;
        let small = |word: u64| u32::try_from(word).ok();
        let end = |bit: u32, word: u64| (has_end >> bit & 1 == 1).then(|| f64::from_bits(word));
        let read = Self {
            page: small(page)?,
            tag: small(tag)?,
            times: (from.cast_signed(), to.cast_signed()),
            rows: small(rows)?,
            uncertain: small(uncertain)?,
            bad: small(bad)?,
            count: small(count)?,
            count_good: small(count_good)?,
            sum: f64::from_bits(sum),
            squares: f64::from_bits(squares),
            range: NumberRange::from_words([least, most]),
            first: end(0, first),
            last: end(1, last),
        };
        let not_good = read.uncertain.checked_add(read.bad)?;
        let is_possible = read.rows >= not_good
            && read.rows >= read.count
            && read.count >= read.count_good
            && read.times.0 <= read.times.1;
        is_possible.then_some(read)
    }
}

#[cfg(test)]
mod tests;
