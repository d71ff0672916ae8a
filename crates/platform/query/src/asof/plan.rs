//! The step of a plan that is an ASOF join, and how it is made of a join with a mark.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::builder::build_join_schema;
use datafusion::logical_expr::expr::Between;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Extension, Filter, JoinType, LogicalPlan, Operator, UserDefinedLogicalNode,
    UserDefinedLogicalNodeCore,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::exec::AsofJoinExec;
use super::{Match, is_mark};

/// An ASOF join.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AsofJoin {
    left: Arc<LogicalPlan>,
    right: Arc<LogicalPlan>,
    /// What is equal: expressions of the left and of the right side.
    on: Vec<(Expr, Expr)>,
    /// What is compared.
    at: (Expr, Expr),
    how: Match,
    schema: DFSchemaRef,
}

impl PartialOrd for AsofJoin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.on, &self.at, self.how).partial_cmp(&(&other.on, &other.at, other.how))
    }
}

impl AsofJoin {
    fn new(
        left: Arc<LogicalPlan>,
        right: Arc<LogicalPlan>,
        on: Vec<(Expr, Expr)>,
        at: (Expr, Expr),
        how: Match,
    ) -> Result<Self> {
        let schema = build_join_schema(left.schema(), right.schema(), &JoinType::Left)?;
        Ok(Self { left, right, on, at, how, schema: Arc::new(schema) })
    }

    /// What a condition on the left side says of the right side: rows of another key are never joined,
    /// nor those beyond the times that are asked for.
    fn of_right(&self, condition: &Expr) -> Option<Expr> {
        let columns = condition.column_refs();
        let mut columns = columns.into_iter();
        let (Some(column), None) = (columns.next(), columns.next()) else { return None };
        let is_column = |expr: &Expr| matches!(expr, Expr::Column(one) if one == column);
        if let Some((_, right)) = self.on.iter().find(|(left, _)| is_column(left)) {
            let other = |expr: Expr| {
                Ok(match is_column(&expr) {
                    true => Transformed::yes(right.clone()),
                    false => Transformed::no(expr),
                })
            };
            return condition.clone().transform_up(other).ok().map(|changed| changed.data);
        }
        let (left, right) = &self.at;
        if !is_column(left) {
            return None;
        }
        let bounds = |op: Operator| match op {
            Operator::Eq => true,
            Operator::Lt | Operator::LtEq => self.how.looks_back(),
            Operator::Gt | Operator::GtEq => !self.how.looks_back(),
            _ => false,
        };
        let looks_back = self.how.looks_back();
        let limit = |op: Operator| match op {
            Operator::Eq if looks_back => Operator::LtEq,
            Operator::Eq => Operator::GtEq,
            op => op,
        };
        let compared = |op: Operator, end: &Expr| {
            let limit = limit(op);
            Expr::BinaryExpr(BinaryExpr::new(Box::new(right.clone()), limit, Box::new(end.clone())))
        };
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_column(left) && bounds(*op) => {
                Some(compared(*op, right))
            }
            Expr::Between(Between { expr, negated: false, low, high }) if is_column(expr) => {
                Some(match looks_back {
                    true => compared(Operator::LtEq, high),
                    false => compared(Operator::GtEq, low),
                })
            }
            _ => None,
        }
    }
}

impl UserDefinedLogicalNodeCore for AsofJoin {
    fn name(&self) -> &str {
        "AsofJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let on = self.on.iter().flat_map(|(left, right)| [left.clone(), right.clone()]);
        on.chain([self.at.0.clone(), self.at.1.clone()]).collect()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // A condition behind the join is none on what is joined. Those that are one on both were
        // put before it when it was made.
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = &self.at;
        write!(f, "AsofJoin: {left} {} {right}", self.how.sign())?;
        self.on.iter().try_for_each(|(left, right)| write!(f, ", {left} = {right}"))
    }

    fn with_exprs_and_inputs(
        &self,
        mut exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let (Some(right), Some(left), None) = (inputs.pop(), inputs.pop(), inputs.pop()) else {
            return plan_err!("an ASOF join has two inputs");
        };
        let (Some(right_at), Some(left_at)) = (exprs.pop(), exprs.pop()) else {
            return plan_err!("an ASOF join compares two expressions");
        };
        let on = exprs.as_chunks::<2>().0.iter();
        let on = on.map(|[left, right]| (left.clone(), right.clone())).collect();
        Self::new(Arc::new(left), Arc::new(right), on, (left_at, right_at), self.how)
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left.schema().fields().len();
        let (left, right): (Vec<usize>, Vec<usize>) = output.iter().partition(|at| **at < width);
        Some(vec![left, right.into_iter().map(|at| at - width).collect()])
    }
}

/// Makes ASOF joins of joins with a mark, before any rule moves what stands around them.
#[derive(Debug)]
pub(crate) struct AsofJoins;

impl AnalyzerRule for AsofJoins {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let changed = plan.transform_up_with_subqueries(|plan| match &plan {
            LogicalPlan::Join(join) => {
                let marked = join.filter.as_ref().is_some_and(has_mark);
                if marked { of_join(join).map(Transformed::yes) } else { Ok(Transformed::no(plan)) }
            }
            LogicalPlan::Filter(filter) => match before(filter)? {
                Some(moved) => Ok(Transformed::yes(moved)),
                None => Ok(Transformed::no(plan)),
            },
            _ => Ok(Transformed::no(plan)),
        });
        Ok(changed?.data)
    }

    fn name(&self) -> &str {
        "asof_joins"
    }
}

fn has_mark(expr: &Expr) -> bool {
    let is_one = |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if is_mark(call.name()));
    expr.exists(|expr| Ok(is_one(expr))).unwrap_or_default()
}

fn is_of(expr: &Expr, schema: &DFSchema) -> bool {
    let columns = expr.column_refs();
    !columns.is_empty() && columns.into_iter().all(|column: &Column| schema.has_column(column))
}

/// Two expressions, that of the left side first, and whether they were exchanged.
fn sides(a: Expr, b: Expr, left: &DFSchema, right: &DFSchema) -> Option<((Expr, Expr), bool)> {
    if is_of(&a, left) && is_of(&b, right) {
        Some(((a, b), false))
    } else if is_of(&b, left) && is_of(&a, right) {
        Some(((b, a), true))
    } else {
        None
    }
}

fn of_join(join: &datafusion::logical_expr::Join) -> Result<LogicalPlan> {
    let (left, right) = (join.left.schema(), join.right.schema());
    let mut on = join.on.clone();
    let mut compared = None;
    for part in join.filter.iter().flat_map(split_conjunction) {
        match part {
            Expr::ScalarFunction(call) if is_mark(call.name()) && compared.is_none() => {
                let [a, b, Expr::Literal(sign, _)] = call.args.as_slice() else {
                    return plan_err!("MATCH_CONDITION compares two times");
                };
                let how = sign.try_as_str().flatten().and_then(Match::of);
                let both = sides(a.clone(), b.clone(), left, right);
                let (Some((at, turned)), Some(how)) = (both, how) else {
                    return plan_err!(
                        "MATCH_CONDITION compares a time of one table with a time of the other"
                    );
                };
                compared = Some((at, if turned { how.turned() } else { how }));
            }
            Expr::BinaryExpr(BinaryExpr { left: a, op: Operator::Eq, right: b }) => {
                let both = sides(a.as_ref().clone(), b.as_ref().clone(), left, right);
                let Some((pair, _)) = both else {
                    return plan_err!("ON of an ASOF join says what is equal in both tables");
                };
                on.push(pair);
            }
            _ => return plan_err!("ON of an ASOF join takes equalities joined by AND"),
        }
    }
    let Some((at, how)) = compared else {
        return plan_err!("an ASOF join has one MATCH_CONDITION");
    };
    let node = AsofJoin::new(Arc::clone(&join.left), Arc::clone(&join.right), on, at, how)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

/// Puts conditions on the left side of an ASOF join before it; none where there are none.
fn before(filter: &Filter) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Extension(extension) = filter.input.as_ref() else { return Ok(None) };
    let Some(join) = extension.node.as_any().downcast_ref::<AsofJoin>() else { return Ok(None) };
    let (mut left, mut right, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for part in split_conjunction(&filter.predicate) {
        let simple = !part.is_volatile() && !part.exists(|e| Ok(is_subquery(e)))?;
        if simple && is_of(part, join.left.schema()) {
            right.extend(join.of_right(part));
            left.push(part.clone());
        } else {
            rest.push(part.clone());
        }
    }
    let Some(left) = conjunction(left) else { return Ok(None) };
    let mut join = join.clone();
    join.left = Arc::new(LogicalPlan::Filter(Filter::try_new(left, join.left)?));
    if let Some(right) = conjunction(right) {
        join.right = Arc::new(LogicalPlan::Filter(Filter::try_new(right, join.right)?));
    }
    let joined = LogicalPlan::Extension(Extension { node: Arc::new(join) });
    Ok(Some(match conjunction(rest) {
        Some(rest) => LogicalPlan::Filter(Filter::try_new(rest, Arc::new(joined))?),
        None => joined,
    }))
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_)
    )
}

/// Plans statements as the engine does, and ASOF joins besides.
#[derive(Debug)]
pub(crate) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Self)]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical: &[&LogicalPlan],
        physical: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(join) = node.as_any().downcast_ref::<AsofJoin>() else { return Ok(None) };
        let ([left, right], [left_plan, right_plan]) = (logical, physical) else {
            return plan_err!("an ASOF join has two inputs");
        };
        let physical = |expr: &Expr, side: &LogicalPlan| {
            planner.create_physical_expr(expr, side.schema(), session, context)
        };
        let mut on = Vec::with_capacity(join.on.len());
        for (a, b) in &join.on {
            on.push((physical(a, left)?, physical(b, right)?));
        }
        let at = (physical(&join.at.0, left)?, physical(&join.at.1, right)?);
        let sides = (Arc::clone(left_plan), Arc::clone(right_plan));
        Ok(Some(Arc::new(AsofJoinExec::new(sides, on, at, join.how)?)))
    }
}
