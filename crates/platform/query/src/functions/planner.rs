//! How `||`, `first(value, time)` and `last(value, time)` are planned.

use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Plans what our functions stand for.
#[derive(Debug)]
pub(crate) struct Planner;

impl ExprPlanner for Planner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let joined = super::join::function().call(vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(joined))
    }

    /// `first(value, time)` is `first_value(value ORDER BY time)`.
    fn plan_aggregate(
        &self,
        mut expr: RawAggregateExpr,
    ) -> Result<PlannerResult<RawAggregateExpr>> {
        if !matches!(expr.func.name(), "first_value" | "last_value") || expr.args.len() < 2 {
            return Ok(PlannerResult::Original(expr));
        }
        if expr.args.len() > 2 || !expr.order_by.is_empty() {
            return plan_err!("first and last take a value and a time");
        }
        let by = expr.args.pop().into_iter().map(|time| Sort::new(time, true, false)).collect();
        Ok(PlannerResult::Planned(Expr::AggregateFunction(AggregateFunction::new_udf(
            expr.func,
            expr.args,
            expr.distinct,
            expr.filter,
            by,
            expr.null_treatment,
        ))))
    }
}
