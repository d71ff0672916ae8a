//! From the columns of a block to rows.

use std::collections::VecDeque;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use weir_model::{Kind, Value};

use super::array;
use super::read::Wanted;
use super::scale::{Scale, double};
use super::schema::{column, kind};
use crate::row::Row;

/// What is in columns of a row group that have one value in all rows, as 64 bits.
#[derive(Debug, Default)]
pub(crate) struct Constants([Option<u64>; column::COUNT]);

impl Constants {
    /// Those that the footer tells of.
    pub(crate) fn of(group: &RowGroupMetaData) -> Self {
        let mut constants = Self::default();
        for (index, constant) in constants.0.iter_mut().enumerate() {
            // Times are read always, so that there is a column that counts the rows.
            if matches!(index, column::TIME | column::K | column::F64) {
                continue;
            }
            *constant = match group.column(index).statistics() {
                Some(Statistics::Int32(s)) => {
                    same(s.min_opt(), s.max_opt()).map(|n| n as u32 as u64)
                }
                Some(Statistics::Int64(s)) => same(s.min_opt(), s.max_opt()).map(|n| n as u64),
                Some(Statistics::Double(s)) => same(s.min_opt(), s.max_opt()).map(f64::to_bits),
                _ => None,
            };
        }
        constants
    }

    /// Whether a column has one value.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(Option::is_some)
    }
}

fn same<T: PartialEq + Copy>(min: Option<&T>, max: Option<&T>) -> Option<T> {
    min.filter(|min| Some(*min) == max).copied()
}

/// A column that may have one value.
pub(crate) enum Column<'a, T> {
    /// In all rows.
    Constant(T),
    /// One for each row.
    Values(&'a [T]),
}

impl<T: Copy> Column<'_, T> {
    /// That of a row.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> T {
        match self {
            Self::Constant(value) => *value,
            Self::Values(values) => values[row],
        }
    }
}

/// The columns of a batch of format 2.
pub(crate) struct Batch<'a> {
    pub(crate) batch: &'a RecordBatch,
    pub(crate) constants: &'a Constants,
}

impl<'a> Batch<'a> {
    /// The tags.
    pub(crate) fn tags(&self) -> Option<Column<'a, u32>> {
        self.column::<UInt32Type>("tag", column::TAG, |bits| bits as u32)
    }

    /// A column of numbers, of which `native` makes its type from the bits of a constant; none where it
    /// is not there.
    pub(crate) fn column<T: ArrowPrimitiveType>(
        &self,
        name: &str,
        index: usize,
        native: impl Fn(u64) -> T::Native,
    ) -> Option<Column<'a, T::Native>> {
        match self.constants.0[index] {
            Some(bits) => Some(Column::Constant(native(bits))),
            None => {
                let column = self.batch.column_by_name(name)?.as_primitive_opt::<T>()?;
                Some(Column::Values(column.values()))
            }
        }
    }
}

/// Appends the rows of a batch of format 2 that are wanted; gives none where a column lacks what
/// `kind` promises.
pub(crate) fn format_2(
    from: &Batch<'_>,
    wanted: Option<Wanted>,
    rows: &mut VecDeque<Row>,
) -> Option<()> {
    let batch = from.batch;
    let tag = from.tags()?;
    let nanos = from.column::<UInt32Type>("nanos", column::NANOS, |bits| bits as u32)?;
    let kinds = from.column::<UInt8Type>("kind", column::KIND, |bits| bits as u8)?;
    let origin = from.column::<Int64Type>("o", column::O, |bits| bits as i64)?;
    let grain = from.column::<Int64Type>("g", column::G, |bits| bits as i64)?;
    let divisor = from.column::<Float64Type>("p", column::P, f64::from_bits)?;
    let quality = from.column::<UInt32Type>("quality", column::QUALITY, |bits| bits as u32)?;
    let position = from.column::<UInt64Type>("position", column::POSITION, |bits| bits)?;
    let times = batch.column_by_name("time")?.as_primitive_opt::<TimestampMillisecondType>()?;
    let steps = batch.column_by_name("k")?.as_primitive_opt::<Int64Type>()?.values();
    let doubles = match batch.column_by_name("f64") {
        Some(column) => Some(column.as_primitive_opt::<Float64Type>()?),
        None => None,
    };
    let texts = batch.column_by_name("text").and_then(|column| column.as_string_opt::<i32>());
    let bytes = batch.column_by_name("bytes").and_then(|column| column.as_binary_opt::<i32>());
    let times = times.values();
    rows.reserve(if wanted.is_some() { 0 } else { batch.num_rows() });
    for row in 0..batch.num_rows() {
        let time = time(times[row], 1_000_000, nanos.get(row).into())?;
        if wanted.is_some_and(|w| tag.get(row) != w.tag || time < w.from || time >= w.to) {
            continue;
        }
        let scale = Scale { origin: origin.get(row), grain: grain.get(row), ..Scale::ONE };
        let integer = scale.integer(steps[row]);
        let kind = kinds.get(row);
        let value = match kind {
            kind::NONE => None,
            kind::F64 | kind::SINGLE => {
                Some(Value::F64(match doubles.filter(|doubles| doubles.is_valid(row)) {
                    Some(doubles) => doubles.value(row),
                    None => double(integer, divisor.get(row), kind == kind::SINGLE),
                }))
            }
            kind::TEXT => Some(Value::Text(texts.filter(|t| t.is_valid(row))?.value(row).into())),
            kind::ARRAY => {
                Some(array::decode(bytes.filter(|bytes| bytes.is_valid(row))?.value(row))?)
            }
            integers => Some(Kind::from_byte(integers)?.value(integer as u64)?),
        };
        let (tag, quality, position) = (tag.get(row), quality.get(row), position.get(row));
        rows.push_back(Row { time, position, tag, quality, value });
    }
    Some(())
}

/// Nanoseconds of a time in units of so many, and some after it; none outside the range.
pub(crate) fn time(units: i64, nanos_per_unit: i64, nanos: i64) -> Option<i64> {
    match units.checked_mul(nanos_per_unit) {
        Some(time) => time.checked_add(nanos),
        // The first unit begins before the range of nanoseconds.
        None => {
            let time = i128::from(units) * i128::from(nanos_per_unit) + i128::from(nanos);
            i64::try_from(time).ok()
        }
    }
}

/// The same of format 1: values are in columns of their types.
pub(crate) fn format_1(
    batch: &RecordBatch,
    wanted: Option<Wanted>,
    rows: &mut VecDeque<Row>,
) -> Option<()> {
    let tags = batch.column_by_name("tag")?.as_primitive_opt::<UInt32Type>()?.values();
    let times = batch.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let nanos = batch.column_by_name("nanos")?.as_primitive_opt::<UInt16Type>()?.values();
    let kinds = batch.column_by_name("kind")?.as_primitive_opt::<UInt8Type>()?.values();
    let quality = batch.column_by_name("quality")?.as_primitive_opt::<UInt32Type>()?.values();
    let position = batch.column_by_name("position")?.as_primitive_opt::<UInt64Type>()?.values();
    let f64s = batch.column_by_name("f64").map(|column| column.as_primitive::<Float64Type>());
    let i64s = batch.column_by_name("i64").map(|column| column.as_primitive::<Int64Type>());
    let u64s = batch.column_by_name("u64").map(|column| column.as_primitive::<UInt64Type>());
    let texts = batch.column_by_name("text").map(|column| column.as_string::<i32>());
    let bytes = batch.column_by_name("bytes").map(|column| column.as_binary::<i32>());
    let times = times.values();
    for row in 0..batch.num_rows() {
        let time = time(times[row], 1000, nanos[row].into())?;
        if wanted.is_some_and(|w| tags[row] != w.tag || time < w.from || time >= w.to) {
            continue;
        }
        let value = match kinds[row] {
            kind::NONE => None,
            kind::F64 => Some(Value::F64(f64s?.value(row))),
            kind::I64 => Some(Value::I64(i64s?.value(row))),
            kind::U64 => Some(Value::U64(u64s?.value(row))),
            kind::BOOL => Some(Value::Bool(i64s?.value(row) != 0)),
            kind::ENUMERATION => Some(Value::Enumeration(i64s?.value(row))),
            kind::TEXT => Some(Value::Text(texts.filter(|t| t.is_valid(row))?.value(row).into())),
            _ => Some(Value::decode(&mut bytes?.value(row)).ok()?),
        };
        let (tag, quality, position) = (tags[row], quality[row], position[row]);
        rows.push_back(Row { time, position, tag, quality, value });
    }
    Some(())
}
