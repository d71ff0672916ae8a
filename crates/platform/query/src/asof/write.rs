//! From `ASOF JOIN … MATCH_CONDITION (…)` to an outer join with a mark.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, JoinConstraint, JoinOperator, ObjectName, Select, Statement,
    TableFactor, TableWithJoins, Value, VisitMut, VisitorMut,
};

use super::Match;
use super::mark::NAME;
use crate::error::QueryError;

/// Writes all ASOF joins of a statement anew.
pub(crate) fn write_joins(statement: &mut Statement) -> Result<(), QueryError> {
    match statement.visit(&mut Joins) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(wrong) => Err(QueryError::Statement(wrong.to_owned())),
    }
}

struct Joins;

impl VisitorMut for Joins {
    type Break = &'static str;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        select.from.iter_mut().try_for_each(joins)
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<Self::Break> {
        match table {
            TableFactor::NestedJoin { table_with_joins, .. } => joins(table_with_joins),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn joins(tables: &mut TableWithJoins) -> ControlFlow<&'static str> {
    for join in &mut tables.joins {
        if let JoinOperator::AsOf { match_condition, constraint } = &mut join.join_operator {
            let mark = match marked(match_condition) {
                Some(mark) => mark,
                None => {
                    return ControlFlow::Break(
                        "MATCH_CONDITION compares two times with >=, >, <= or <",
                    );
                }
            };
            let on = match std::mem::replace(constraint, JoinConstraint::None) {
                JoinConstraint::None => mark,
                JoinConstraint::On(on) => Expr::BinaryOp {
                    left: Box::new(mark),
                    op: BinaryOperator::And,
                    right: Box::new(Expr::Nested(Box::new(on))),
                },
                _ => return ControlFlow::Break("an ASOF JOIN takes ON and an equality"),
            };
            join.join_operator = JoinOperator::LeftOuter(JoinConstraint::On(on));
        }
    }
    ControlFlow::Continue(())
}

/// `"asof join"(left, right, sign)`.
fn marked(condition: &Expr) -> Option<Expr> {
    let (left, op, right) = match condition {
        Expr::Nested(inner) => return marked(inner),
        Expr::BinaryOp { left, op, right } => (left, op, right),
        _ => return None,
    };
    let sign = Match::of(&op.to_string())?.sign().to_owned();
    let sign = Expr::Value(Value::SingleQuotedString(sign).into());
    let args = [left.as_ref().clone(), right.as_ref().clone(), sign];
    let args = args.map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    let args =
        FunctionArgumentList { duplicate_treatment: None, args: args.into(), clauses: Vec::new() };
    Some(Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', NAME)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }))
}
