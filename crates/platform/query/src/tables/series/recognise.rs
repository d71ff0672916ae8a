//! Which steps of a plan are aggregates of each tag.

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

use super::super::page::Column;
use super::super::scan::SamplesScan;
use super::{Buckets, Output, SeriesAggregate};

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// Puts a [`SeriesAggregate`] in the place of aggregates of each tag.
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
    let is_plain = group.is_single()
        && aggregate.limit_options().is_none()
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
        if column(key, scan) == Some(Column::Tag) {
            outputs.push(Output::Tag);
        } else if buckets.is_none() {
            buckets = Some(bucket(key, scan)?);
            outputs.push(Output::Bucket);
        } else {
            return None;
        }
    }
    // Groups of all tags together are no groups of series.
    let by_tag = outputs.contains(&Output::Tag) || (buckets.is_some() && scan.tags().len() <= 1);
    if !by_tag {
        return None;
    }
    for measure in aggregate.aggr_expr() {
        outputs.push(output(measure, scan)?);
    }
    Some(SeriesAggregate {
        scan: scan.clone(),
        outputs: outputs.into(),
        buckets,
        properties: Arc::clone(aggregate.properties()),
    })
}

/// The column of `samples` that an expression is.
fn column(expr: &Arc<dyn PhysicalExpr>, scan: &SamplesScan) -> Option<Column> {
    let column = expr.downcast_ref::<ColumnExpr>()?;
    scan.columns().get(column.index()).copied()
}

/// `date_bin(width, time, origin)` of a width that is always as long.
fn bucket(expr: &Arc<dyn PhysicalExpr>, scan: &SamplesScan) -> Option<Buckets> {
    let call =
        expr.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == "date_bin")?;
    let [width, time, origin] = call.args() else { return None };
    let literal = |expr: &Arc<dyn PhysicalExpr>| {
        expr.downcast_ref::<Literal>().map(|literal| literal.value().clone())
    };
    if column(time, scan) != Some(Column::Time) {
        return None;
    }
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
        _ => None,
    }
}
