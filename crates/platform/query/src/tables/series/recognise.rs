//! Which steps of a plan are aggregates of samples.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{Column as ColumnExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use weir_model::Buckets;

use super::super::page::Column;
use super::super::scan::SamplesScan;
use super::{Output, SeriesAggregate, Spread};

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// Puts a [`SeriesAggregate`] in the place of aggregates of samples.
#[derive(Debug)]
pub(crate) struct FoldSeries;

impl PhysicalOptimizerRule for FoldSeries {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|plan| {
            let folded = plan.downcast_ref::<AggregateExec>().and_then(folded);
            Ok(match folded {
                Some(folded) => Transformed::yes(Arc::new(folded) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(plan),
            })
        });
        Ok(changed?.data)
    }

    fn name(&self) -> &str {
        "fold_series"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn folded(aggregate: &AggregateExec) -> Option<SeriesAggregate> {
    let mode = *aggregate.mode();
    let is_whole = matches!(mode, AggregateMode::Single | AggregateMode::SinglePartitioned);
    let group = aggregate.group_expr();
    // A bound on the groups only says that more are not needed: whoever needs so few leaves out the rest.
    let is_plain = (group.is_single() || group.is_true_no_grouping())
        && aggregate.filter_expr().iter().all(Option::is_none);
    let mut input = aggregate.input();
    if let Some(pause) = input.downcast_ref::<CooperativeExec>() {
        input = pause.input();
    }
    let scan = input.downcast_ref::<SamplesScan>()?;
    if !is_whole || !is_plain || !scan.is_settled() {
        return None;
    }
    let (mut outputs, mut buckets) = (Vec::new(), None);
    for (key, _) in group.expr() {
        let output = match column(key, scan) {
            Some(Column::Tag) => Some(Output::Tag),
            Some(Column::Quality) => Some(Output::Quality),
            _ => None,
        };
        if let Some(output) = output {
            outputs.push(output);
        } else if buckets.is_none() {
            buckets = Some(bucket(key, scan)?);
            outputs.push(Output::Bucket);
        } else {
            return None;
        }
    }
    let is_by_tag = outputs.contains(&Output::Tag) || scan.tags().len() <= 1;
    // Groups of several tags come in any order.
    if !is_by_tag && aggregate.properties().output_ordering().is_some() {
        return None;
    }
    for measure in aggregate.aggr_expr() {
        outputs.push(output(measure, scan)?);
    }
    // Of samples of several tags, which is the first is not known from their order.
    if !is_by_tag && outputs.iter().any(|one| matches!(one, Output::First | Output::Last)) {
        return None;
    }
    Some(SeriesAggregate {
        scan: scan.clone(),
        outputs: outputs.into(),
        buckets,
        is_by_tag,
        properties: Arc::clone(aggregate.properties()),
    })
}

/// The column of `samples` that an expression is.
fn column(expr: &Arc<dyn PhysicalExpr>, scan: &SamplesScan) -> Option<Column> {
    let column = expr.downcast_ref::<ColumnExpr>()?;
    scan.columns().get(column.index()).copied()
}

/// Stretches of time that are always as long: of `date_bin(width, time, origin)` or
/// `date_trunc(unit, time)`.
fn bucket(expr: &Arc<dyn PhysicalExpr>, scan: &SamplesScan) -> Option<Buckets> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let literal = |expr: &Arc<dyn PhysicalExpr>| {
        expr.downcast_ref::<Literal>().map(|literal| literal.value().clone())
    };
    match (call.name(), call.args()) {
        ("date_bin", [width, time, origin]) if column(time, scan) == Some(Column::Time) => {
            let (
                ScalarValue::IntervalMonthDayNano(Some(width)),
                ScalarValue::TimestampNanosecond(Some(origin), _),
            ) = (literal(width)?, literal(origin)?)
            else {
                return None;
            };
            let days = i64::from(width.days).checked_mul(NANOS_PER_DAY)?;
            let nanos = width.nanoseconds.checked_add(days)?;
            (width.months == 0 && nanos > 0).then_some(Buckets { width: nanos, origin })
        }
        ("date_trunc", [unit, time]) if column(time, scan) == Some(Column::Time) => {
            let unit = literal(unit)?;
            let width = match unit.try_as_str()?? {
                "second" => NANOS_PER_DAY / 86_400,
                "minute" => NANOS_PER_DAY / 1440,
                "hour" => NANOS_PER_DAY / 24,
                "day" => NANOS_PER_DAY,
                _ => return None,
            };
            Some(Buckets { width, origin: 0 })
        }
        _ => None,
    }
}

/// What an aggregate is of a group.
fn output(measure: &AggregateFunctionExpr, scan: &SamplesScan) -> Option<Output> {
    let args = measure.expressions();
    let [arg] = args.as_slice() else { return None };
    if measure.is_distinct() || measure.ignore_nulls() {
        return None;
    }
    let of = column(arg, scan);
    let name = measure.fun().name();
    let by = measure.order_bys();
    if matches!(name, "first_value" | "last_value") {
        let [by] = by else { return None };
        let by_time = column(&by.expr, scan) == Some(Column::Time) && !by.options.descending;
        return match name {
            _ if !by_time || measure.is_reversed() || of != Some(Column::Value) => None,
            "first_value" => Some(Output::First),
            _ => Some(Output::Last),
        };
    }
    let is_there = arg.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
        || matches!(of, Some(Column::Tag | Column::Time | Column::Quality | Column::QualityCode));
    match (name, of) {
        _ if !by.is_empty() => None,
        ("count", _) if is_there => Some(Output::Rows),
        ("count", Some(Column::Value)) => Some(Output::Count),
        ("sum", Some(Column::Value)) => Some(Output::Sum),
        ("avg", Some(Column::Value)) => Some(Output::Average),
        ("min", Some(Column::Value)) => Some(Output::Least),
        ("max", Some(Column::Value)) => Some(Output::Greatest),
        ("min", Some(Column::Time)) => Some(Output::Earliest),
        ("max", Some(Column::Time)) => Some(Output::Latest),
        (name, Some(Column::Value)) => spread(name).map(Output::Spread),
        _ => None,
    }
}

fn spread(name: &str) -> Option<Spread> {
    let (is_root, is_of_all) = match name {
        "stddev" => (true, false),
        "stddev_pop" => (true, true),
        "var" => (false, false),
        "var_pop" => (false, true),
        _ => return None,
    };
    Some(Spread { is_of_all, is_root })
}
