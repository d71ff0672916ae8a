//! Functions of a series, the rows of one window in their order: `locf`, `interpolate`, `delta` and
//! `rate`. They look at all rows of the partition, whatever frame is written.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

const NANOS_PER_SECOND: f64 = 1e9;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The last value that is there: last observation carried forward.
    Locf,
    /// The value on the straight line between the values around it.
    Interpolate,
    /// The value less the last value before it that is there.
    Delta,
    /// The same, by the seconds between the two.
    Rate,
}

impl Kind {
    pub(crate) const ALL: &'static [Self] =
        &[Self::Locf, Self::Interpolate, Self::Delta, Self::Rate];

    const fn name(self) -> &'static str {
        match self {
            Self::Locf => "locf",
            Self::Interpolate => "interpolate",
            Self::Delta => "delta",
            Self::Rate => "rate",
        }
    }

    /// Whether it takes the time beside the value.
    const fn takes_time(self) -> bool {
        matches!(self, Self::Interpolate | Self::Rate)
    }
}

/// One of them as a window function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Series {
    kind: Kind,
    signature: Signature,
}

impl Series {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl WindowUDFImpl for Series {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.kind.name();
        match (self.kind, types) {
            (Kind::Locf, [value]) => Ok(vec![value.clone()]),
            (Kind::Delta, [value]) if value.is_numeric() || value.is_null() => {
                Ok(vec![DataType::Float64])
            }
            (Kind::Interpolate | Kind::Rate, [value, DataType::Timestamp(_, zone)])
                if value.is_numeric() || value.is_null() =>
            {
                let time = DataType::Timestamp(TimeUnit::Nanosecond, zone.clone());
                Ok(vec![DataType::Float64, time])
            }
            _ if self.kind.takes_time() => {
                plan_err!("{name} takes a number and a time: {name}(value, time) OVER (…)")
            }
            (Kind::Locf, _) => plan_err!("{name} takes one value: {name}(value) OVER (…)"),
            _ => plan_err!("{name} takes one number: {name}(value) OVER (…)"),
        }
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let kind = match (self.kind, args.get_input_field(0)) {
            (Kind::Locf, Some(value)) => value.data_type().clone(),
            _ => DataType::Float64,
        };
        Ok(Arc::new(Field::new(args.name(), kind, true)))
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Evaluator(self.kind)))
    }
}

#[derive(Debug)]
struct Evaluator(Kind);

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        if self.0 == Kind::Locf {
            return Ok(take(&columns[0], &carried(&columns[0], rows), None)?);
        }
        let values = columns[0].as_primitive::<Float64Type>();
        if self.0 == Kind::Delta {
            return Ok(Arc::new(delta(values)));
        }
        let times = cast(&columns[1], &DataType::Int64)?;
        let times: Vec<Option<i64>> = times.as_primitive::<Int64Type>().iter().collect();
        Ok(Arc::new(match self.0 {
            Kind::Rate => rate(values, &times),
            _ => interpolated(values, &times),
        }))
    }
}

/// For each row the place of the last value up to it.
fn carried(values: &ArrayRef, rows: usize) -> UInt32Array {
    let mut last = None;
    (0..rows as u32)
        .map(|row| {
            if values.is_valid(row as usize) {
                last = Some(row);
            }
            last
        })
        .collect()
}

fn delta(values: &Float64Array) -> Float64Array {
    let mut last: Option<f64> = None;
    values
        .iter()
        .map(|value| {
            let step = value.zip(last).map(|(value, last)| value - last);
            last = value.or(last);
            step
        })
        .collect()
}

fn rate(values: &Float64Array, times: &[Option<i64>]) -> Float64Array {
    let mut last: Option<(f64, i64)> = None;
    let points = values.iter().zip(times).map(|(value, time)| value.zip(*time));
    points
        .map(|point| {
            let rate = point.zip(last).and_then(|((value, time), (before, then))| {
                let seconds = (i128::from(time) - i128::from(then)) as f64 / NANOS_PER_SECOND;
                (seconds != 0.0).then(|| (value - before) / seconds)
            });
            last = point.or(last);
            rate
        })
        .collect()
}

/// Nothing before the first and behind the last value: a line needs two ends.
fn interpolated(values: &Float64Array, times: &[Option<i64>]) -> Float64Array {
    let mut filled: Vec<Option<f64>> = values.iter().collect();
    let mut left: Option<(usize, f64, i64)> = None;
    for (row, time) in times.iter().enumerate() {
        let (true, Some(time)) = (values.is_valid(row), *time) else { continue };
        let value = values.value(row);
        if let Some((from, before, then)) = left {
            let span = (i128::from(time) - i128::from(then)) as f64;
            for between in from + 1..row {
                let Some(at) = times[between].filter(|_| span != 0.0) else { continue };
                let part = (i128::from(at) - i128::from(then)) as f64 / span;
                filled[between] = Some(before + (value - before) * part);
            }
        }
        left = Some((row, value, time));
    }
    filled.into()
}
