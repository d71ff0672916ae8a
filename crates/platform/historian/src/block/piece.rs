//! Pieces: rows of a source in columns, with what decides between two of one tag and time.

use std::collections::VecDeque;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int64Type, TimestampMillisecondType, UInt8Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, Float64Array};
use weir_model::{Kind, Quality, SamplePage, Samples, TagId, Value, push_run};

use super::array;
use super::decode::{Batch, Column, time};
use super::pages::Decoded;
use super::scale::{Scale, double};
use super::schema::{column, kind};
use crate::row::Row;

/// Milliseconds that, as nanoseconds and with any remainder, stay within the range.
const MILLIS_SAFE: u64 = 1 << 43;

const MILLISECOND: i64 = 1_000_000;

/// Rows in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// What is asked for of them, and the times where these are needed.
    pub(crate) page: SamplePage,
    /// Their positions in the log, where these are needed.
    pub(crate) positions: Positions,
}

/// Positions of rows.
#[derive(Debug)]
pub(crate) enum Positions {
    /// All of them the same.
    All(u64),
    Each(Vec<u64>),
}

impl Default for Positions {
    fn default() -> Self {
        Self::All(0)
    }
}

impl Positions {
    /// That of a row.
    pub(crate) fn get(&self, row: usize) -> u64 {
        match self {
            Self::All(position) => *position,
            Self::Each(positions) => positions.get(row).copied().unwrap_or_default(),
        }
    }
}

impl Piece {
    /// Rows that were decoded one by one.
    pub(crate) fn of_rows(rows: VecDeque<Row>) -> Self {
        let mut positions = Vec::with_capacity(rows.len());
        let mut page = SamplePage::default();
        for (place, row) in rows.into_iter().enumerate() {
            positions.push(row.position);
            push_run(&mut page.tags, TagId(row.tag), 1);
            push_run(&mut page.qualities, Quality::from_code(row.quality), 1);
            page.times.push(row.time);
            push_number(&mut page, row.value.as_ref().and_then(Value::as_f64));
            if let Some(text) = row.value.as_ref().and_then(Value::as_text) {
                page.texts.push(place, &text);
            }
        }
        forget_present(&mut page);
        Self { page, positions: Positions::Each(positions) }
    }

    /// Samples in the order of their keys, all of one position.
    pub(crate) fn of_samples(samples: &Samples, position: u64, columns: Decoded) -> Self {
        let mut page = SamplePage::default();
        for run in samples.tags().chunk_by(|a, b| a == b) {
            page.tags.push((run[0], run.len() as u32));
        }
        page.times = samples.times().iter().map(|time| time.nanos()).collect();
        if columns.qualities {
            for run in samples.qualities().chunk_by(|a, b| a == b) {
                page.qualities.push((run[0], run.len() as u32));
            }
        }
        if columns.numbers {
            page.numbers.reserve(samples.len());
            for (kind, word) in samples.kinds().iter().zip(samples.words()) {
                let number = match kind {
                    Kind::F64 => Some(f64::from_bits(*word)),
                    kind => kind.value(*word).and_then(|value| value.as_f64()),
                };
                push_number(&mut page, number);
            }
            forget_present(&mut page);
        }
        if columns.texts {
            let may = |kind: &Kind| kind.is_apart() || matches!(kind, Kind::I64 | Kind::U64);
            let places = samples.kinds().iter().enumerate().filter(|(_, kind)| may(kind));
            for (place, _) in places {
                if let Some(text) = samples.value(place).as_ref().and_then(Value::as_text) {
                    page.texts.push(place, &text);
                }
            }
        }
        Self { page, positions: Positions::All(position) }
    }

    /// Keeps some of the rows.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        self.page.retain(kept);
        if let Positions::Each(positions) = &mut self.positions {
            let mut kept = kept.iter();
            positions.retain(|_| kept.next().copied().unwrap_or_default());
        }
    }
}

fn push_number(page: &mut SamplePage, number: Option<f64>) {
    page.numbers.push(number.unwrap_or_default());
    page.present.push(number.is_some());
}

/// Forgets which rows have a number where all have.
fn forget_present(page: &mut SamplePage) {
    if page.present.iter().all(|there| *there) {
        page.present.clear();
    }
}

/// Decodes a batch of format 2; gives none where a column lacks what `kind` promises.
pub(crate) fn decode(batch: &Batch<'_>, columns: Decoded) -> Option<Piece> {
    let rows = batch.batch.num_rows();
    let mut piece = Piece::default();
    let page = &mut piece.page;
    let tags = batch.tags()?;
    each_run(&tags, rows, |tag, span| page.tags.push((TagId(tag), span.len() as u32)));
    if columns.times {
        page.times = times(batch)?;
    }
    if columns.qualities {
        let codes = batch.column::<UInt32Type>("quality", column::QUALITY, |bits| bits as u32)?;
        each_run(&codes, rows, |code, span| {
            page.qualities.push((Quality::from_code(code), span.len() as u32));
        });
    }
    if columns.numbers {
        numbers(batch, page)?;
    }
    if columns.texts {
        texts(batch, page)?;
    }
    if columns.positions {
        piece.positions =
            match batch.column::<UInt64Type>("position", column::POSITION, |bits| bits)? {
                Column::Constant(position) => Positions::All(position),
                Column::Values(positions) => Positions::Each(positions.to_vec()),
            };
    }
    Some(piece)
}

/// Stretches of a column that are the same.
#[inline]
fn each_run<T: Copy + PartialEq>(
    column: &Column<'_, T>,
    rows: usize,
    mut take: impl FnMut(T, Range<usize>),
) {
    match column {
        Column::Constant(value) if rows > 0 => take(*value, 0..rows),
        Column::Constant(_) => {}
        Column::Values(values) => {
            let mut from = 0;
            for run in values.chunk_by(|a, b| a == b) {
                take(run[0], from..from + run.len());
                from += run.len();
            }
        }
    }
}

fn times(batch: &Batch<'_>) -> Option<Vec<i64>> {
    let millis =
        batch.batch.column_by_name("time")?.as_primitive_opt::<TimestampMillisecondType>()?;
    let millis: &[i64] = millis.values();
    let nanos = batch.column::<UInt32Type>("nanos", column::NANOS, |bits| bits as u32)?;
    let widest = millis.iter().fold(0, |widest, millis| widest | millis.unsigned_abs());
    if widest >= MILLIS_SAFE {
        let each = millis.iter().enumerate();
        return each
            .map(|(row, millis)| time(*millis, MILLISECOND, nanos.get(row).into()))
            .collect();
    }
    Some(match nanos {
        Column::Constant(nanos) => {
            millis.iter().map(|millis| millis * MILLISECOND + i64::from(nanos)).collect()
        }
        Column::Values(nanos) => {
            let each = millis.iter().zip(nanos);
            each.map(|(millis, nanos)| millis * MILLISECOND + i64::from(*nanos)).collect()
        }
    })
}

/// Steps and what they mean.
struct Steps<'a> {
    k: &'a [i64],
    o: Column<'a, i64>,
    g: Column<'a, i64>,
}

impl<'a> Steps<'a> {
    fn of(batch: &Batch<'a>) -> Option<Self> {
        let k = batch.batch.column_by_name("k")?.as_primitive_opt::<Int64Type>()?.values();
        let o = batch.column::<Int64Type>("o", column::O, |bits| bits as i64)?;
        let g = batch.column::<Int64Type>("g", column::G, |bits| bits as i64)?;
        Some(Self { k, o, g })
    }

    #[inline]
    fn integer(&self, row: usize) -> i64 {
        let scale = Scale { origin: self.o.get(row), grain: self.g.get(row), ..Scale::ONE };
        scale.integer(self.k[row])
    }

    /// Turns the integers of a span into doubles.
    #[inline]
    fn each(&self, span: Range<usize>, out: &mut Vec<f64>, number: impl Fn(usize, i64) -> f64) {
        match (&self.o, &self.g) {
            (Column::Values(o), Column::Values(g)) => {
                let (k, o, g) = (&self.k[span.clone()], &o[span.clone()], &g[span.clone()]);
                let integers = k.iter().zip(o.iter().zip(g));
                let integers = integers.map(|(k, (o, g))| o.wrapping_add(k.wrapping_mul(*g)));
                out.extend(span.zip(integers).map(|(row, integer)| number(row, integer)));
            }
            _ => out.extend(span.map(|row| number(row, self.integer(row)))),
        }
    }
}

fn numbers(batch: &Batch<'_>, page: &mut SamplePage) -> Option<()> {
    let rows = batch.batch.num_rows();
    let kinds = batch.column::<UInt8Type>("kind", column::KIND, |bits| bits as u8)?;
    let steps = Steps::of(batch)?;
    let divisors = batch.column::<Float64Type>("p", column::P, f64::from_bits)?;
    let doubles = match batch.batch.column_by_name("f64") {
        Some(column) => Some(column.as_primitive_opt::<Float64Type>()?),
        None => None,
    };
    page.numbers.reserve(rows);
    each_run(&kinds, rows, |kind, span| match kind {
        kind::F64 | kind::SINGLE => {
            let single = kind == kind::SINGLE;
            let out = &mut page.numbers;
            let all = doubles.filter(|doubles| are_all_there(doubles, &span));
            if let Some(all) = all {
                out.extend_from_slice(&all.values()[span]);
            } else {
                match &divisors {
                    Column::Constant(p) => {
                        steps.each(span.clone(), out, |_, integer| double(integer, *p, single));
                    }
                    Column::Values(p) => {
                        steps.each(span.clone(), out, |row, integer| {
                            double(integer, p[row], single)
                        });
                    }
                }
                if let Some(doubles) = doubles {
                    patch(out, doubles, span);
                }
            }
        }
        kind::I64 | kind::ENUMERATION => steps.each(span, &mut page.numbers, |_, x| x as f64),
        kind::U64 => steps.each(span, &mut page.numbers, |_, x| x.cast_unsigned() as f64),
        kind::BOOL => {
            steps.each(span, &mut page.numbers, |_, x| f64::from(u8::from(x != 0)));
        }
        _ => {
            if page.present.is_empty() {
                page.present.resize(rows, true);
            }
            page.present[span.clone()].fill(false);
            page.numbers.resize(span.end, 0.0);
        }
    });
    Some(())
}

/// Whether a span is long and has a double in each row.
fn are_all_there(doubles: &Float64Array, span: &Range<usize>) -> bool {
    span.len() >= 64 && doubles.slice(span.start, span.len()).null_count() == 0
}

/// Puts doubles that were kept as they are in their rows.
fn patch(out: &mut [f64], kept: &Float64Array, span: Range<usize>) {
    for row in span {
        if kept.is_valid(row) {
            out[row] = kept.value(row);
        }
    }
}

fn texts(batch: &Batch<'_>, page: &mut SamplePage) -> Option<()> {
    let rows = batch.batch.num_rows();
    let kinds = batch.column::<UInt8Type>("kind", column::KIND, |bits| bits as u8)?;
    let steps = Steps::of(batch)?;
    let texts = batch.batch.column_by_name("text").and_then(|column| column.as_string_opt::<i32>());
    let bytes =
        batch.batch.column_by_name("bytes").and_then(|column| column.as_binary_opt::<i32>());
    let mut runs = Vec::new();
    each_run(&kinds, rows, |kind, span| runs.push((kind, span)));
    for (kind, span) in runs {
        for row in span {
            match kind {
                kind::TEXT => match texts.filter(|texts| texts.is_valid(row)) {
                    Some(texts) => page.texts.push(row, texts.value(row)),
                    None => return None,
                },
                kind::ARRAY => {
                    let encoded = bytes.filter(|bytes| bytes.is_valid(row))?.value(row);
                    let value = array::decode(encoded)?;
                    page.texts.push(row, &value.as_text()?);
                }
                kind::I64 | kind::U64 => {
                    let value = Kind::from_byte(kind)?.value(steps.integer(row).cast_unsigned())?;
                    if let Some(text) = value.as_text() {
                        page.texts.push(row, &text);
                    }
                }
                _ => break,
            }
        }
    }
    Some(())
}
