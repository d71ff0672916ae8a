//! What a condition asks of `samples` or `tags`, where it asks for identifiers and times.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// The rows that a condition lets through, exactly.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Predicate {
    /// The identifiers; any where there is no list.
    pub(super) ids: Option<BTreeSet<String>>,
    /// From this time on, in nanoseconds since the epoch.
    pub(super) from: i64,
    /// Up to and without this time.
    pub(super) to: i64,
}

impl Predicate {
    /// Everything.
    pub(super) const ALL: Self = Self { ids: None, from: i64::MIN, to: i64::MAX };

    /// What a condition asks, where it asks only for identifiers (in the column `id`) and times (in the
    /// column `time`, where there is one).
    pub(super) fn of(expr: &Expr, id: &str, time: Option<&str>) -> Option<Self> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => Some(Self::of(left, id, time)?.and(Self::of(right, id, time)?)),
                Operator::Or => Self::of(left, id, time)?.or(Self::of(right, id, time)?),
                _ => match (left.as_ref(), right.as_ref()) {
                    (Expr::Column(column), Expr::Literal(value, _)) => {
                        Self::compared(&column.name, *op, value, id, time)
                    }
                    (Expr::Literal(value, _), Expr::Column(column)) => {
                        Self::compared(&column.name, op.swap()?, value, id, time)
                    }
                    _ => None,
                },
            },
            Expr::InList(InList { expr, list, negated: false }) => {
                let Expr::Column(column) = expr.as_ref() else { return None };
                let ids: Option<BTreeSet<String>> = list.iter().map(text).collect();
                (column.name == id).then_some(Self { ids: Some(ids?), ..Self::ALL })
            }
            _ => None,
        }
    }

    fn compared(
        column: &str,
        op: Operator,
        value: &ScalarValue,
        id: &str,
        time: Option<&str>,
    ) -> Option<Self> {
        if column == id && op == Operator::Eq {
            let text = value.try_as_str().flatten()?.to_owned();
            return Some(Self { ids: Some([text].into()), ..Self::ALL });
        }
        let ScalarValue::TimestampNanosecond(Some(at), _) = value else { return None };
        let after = at.checked_add(1)?;
        let (from, to) = match op {
            Operator::Eq => (*at, after),
            Operator::Gt => (after, i64::MAX),
            Operator::GtEq => (*at, i64::MAX),
            Operator::Lt => (i64::MIN, *at),
            Operator::LtEq => (i64::MIN, after),
            _ => return None,
        };
        (time == Some(column)).then_some(Self { ids: None, from, to })
    }

    /// What both let through.
    pub(super) fn and(self, other: Self) -> Self {
        let ids = match (self.ids, other.ids) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (a, b) => a.or(b),
        };
        Self { ids, from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// What either lets through, where both ask for identifiers alone.
    fn or(self, other: Self) -> Option<Self> {
        let always = |side: &Self| side.from == i64::MIN && side.to == i64::MAX;
        if !always(&self) || !always(&other) {
            return None;
        }
        let (mut ids, others) = (self.ids?, other.ids?);
        ids.extend(others);
        Some(Self { ids: Some(ids), ..Self::ALL })
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}
