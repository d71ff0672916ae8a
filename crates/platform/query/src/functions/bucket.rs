//! `time_bucket(width, time [, origin])`: the start of the stretch of time that a time falls into.

use datafusion::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// A Monday at midnight, UTC, in nanoseconds since the epoch: 2000-01-03. Stretches are counted from
/// it, so that weeks begin on Mondays; as in TimescaleDB.
const ORIGIN_NANOS: i64 = 946_857_600_000_000_000;

/// 2000-01-01 at midnight, UTC: what months and years are counted from.
const MONTHS_ORIGIN_NANOS: i64 = 946_684_800_000_000_000;

/// `date_bin` under the name, the argument types and the origin of TimescaleDB's `time_bucket`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimeBucket {
    signature: Signature,
}

impl TimeBucket {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.get(1).cloned().unwrap_or(DataType::Null))
    }

    /// The width may be a text such as `'5 minutes'`; times may be texts too.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (2 | 3, [width, time, ..]) = (types.len(), types) else {
            return plan_err!("time_bucket takes a width, a time and, if wanted, an origin");
        };
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        if !matches!(width, DataType::Interval(_) | DataType::Duration(_)) && !is_text(width) {
            return plan_err!("the width of time_bucket is an interval such as '5 minutes'");
        }
        let zone = match time {
            DataType::Timestamp(_, zone) => zone.clone(),
            DataType::Date32 | DataType::Date64 | DataType::Null => None,
            text if is_text(text) => Some("UTC".into()),
            _ => return plan_err!("the second argument of time_bucket is a time"),
        };
        let time = DataType::Timestamp(TimeUnit::Nanosecond, zone);
        let mut coerced = vec![interval, time.clone()];
        if types.len() == 3 {
            coerced.push(time);
        }
        Ok(coerced)
    }

    /// It is `date_bin`, whose order the engine knows: grouping by it needs no sorting.
    fn simplify(&self, mut args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if args.len() == 2 {
            // A width of a column is not known yet.
            let Some(Expr::Literal(width, _)) = args.first() else {
                return Ok(ExprSimplifyResult::Original(args));
            };
            let origin = origin(width);
            args.push(Expr::Literal(origin, None));
        }
        Ok(ExprSimplifyResult::Simplified(date_bin().call(args)))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() == 2 {
            let origin = match args.args.first() {
                Some(ColumnarValue::Scalar(width)) => origin(width),
                _ => nanos(ORIGIN_NANOS),
            };
            args.args.push(ColumnarValue::Scalar(origin));
        }
        date_bin().invoke_with_args(args)
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn origin(width: &ScalarValue) -> ScalarValue {
    match width {
        ScalarValue::IntervalMonthDayNano(Some(width)) if width.months != 0 => {
            nanos(MONTHS_ORIGIN_NANOS)
        }
        _ => nanos(ORIGIN_NANOS),
    }
}

fn nanos(nanos: i64) -> ScalarValue {
    ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into()))
}
