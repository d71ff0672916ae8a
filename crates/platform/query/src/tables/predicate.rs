//! What a condition asks of `samples` or `tags`, where it asks for identifiers, times, values and
//! qualities.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use weir_model::{NumberRange, Severities, Severity};

/// The rows that a condition lets through, exactly.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Predicate {
    /// The identifiers; any where there is no list.
    pub(super) ids: Option<BTreeSet<String>>,
    /// From this time on, in nanoseconds since the epoch.
    pub(super) from: i64,
    /// Up to and without this time.
    pub(super) to: i64,
    /// The range that the value is in; any and none where there is no range.
    pub(super) numbers: Option<NumberRange>,
    /// The severities of the quality.
    pub(super) severities: Severities,
}

/// What columns are called that a condition may be of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) id: &'static str,
    /// Whether there is `time`.
    pub(super) time: bool,
    /// Whether there are `value` and `quality`.
    pub(super) samples: bool,
}

/// What some filters ask together, as far as `asks` understands them.
pub(super) fn asked(filters: &[Expr], asks: impl Fn(&Expr) -> Option<Predicate>) -> Predicate {
    filters.iter().filter_map(asks).fold(Predicate::ALL, Predicate::and)
}

/// What a table takes over of each filter: all of those that `asks` understands, nothing of others.
pub(super) fn taken_over(
    filters: &[&Expr],
    asks: impl Fn(&Expr) -> Option<Predicate>,
) -> Vec<TableProviderFilterPushDown> {
    let how = |filter: &&Expr| match asks(filter) {
        Some(_) => TableProviderFilterPushDown::Exact,
        None => TableProviderFilterPushDown::Unsupported,
    };
    filters.iter().map(how).collect()
}

impl Predicate {
    /// Everything.
    pub(super) const ALL: Self = Self {
        ids: None,
        from: i64::MIN,
        to: i64::MAX,
        numbers: None,
        severities: Severities::ALL,
    };

    /// What a condition asks, where it asks only for what is understood here.
    pub(super) fn of(expr: &Expr, names: Names) -> Option<Self> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => Some(Self::of(left, names)?.and(Self::of(right, names)?)),
                Operator::Or => Self::of(left, names)?.or(Self::of(right, names)?),
                _ => match (left.as_ref(), right.as_ref()) {
                    (Expr::Column(column), Expr::Literal(value, _)) => {
                        Self::compared(&column.name, *op, value, names)
                    }
                    (Expr::Literal(value, _), Expr::Column(column)) => {
                        Self::compared(&column.name, op.swap()?, value, names)
                    }
                    _ => None,
                },
            },
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let Expr::Column(column) = expr.as_ref() else { return None };
                let end = |end: &Expr, op| match end {
                    Expr::Literal(value, _) => Self::compared(&column.name, op, value, names),
                    _ => None,
                };
                Some(end(low, Operator::GtEq)?.and(end(high, Operator::LtEq)?))
            }
            Expr::IsNotNull(expr) => match expr.as_ref() {
                Expr::Column(column) if names.samples && column.name == "value" => {
                    Some(Self { numbers: Some(NumberRange::ALL), ..Self::ALL })
                }
                _ => None,
            },
            Expr::InList(InList { expr, list, negated: false }) => {
                let Expr::Column(column) = expr.as_ref() else { return None };
                let texts: Option<BTreeSet<String>> = list.iter().map(text).collect();
                match column.name.as_str() {
                    name if name == names.id => Some(Self { ids: Some(texts?), ..Self::ALL }),
                    "quality" if names.samples => {
                        let named = texts?.iter().fold(Severities::NONE, |all, name| {
                            severity(name).map_or(all, |severity| all.with(severity))
                        });
                        Some(Self { severities: named, ..Self::ALL })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn compared(column: &str, op: Operator, value: &ScalarValue, names: Names) -> Option<Self> {
        if column == names.id && op == Operator::Eq {
            let text = value.try_as_str().flatten()?.to_owned();
            return Some(Self { ids: Some([text].into()), ..Self::ALL });
        }
        match column {
            "time" if names.time => Self::of_time(op, value),
            _ if !names.samples => None,
            "value" => Self::of_value(op, value),
            "quality" => {
                let named = severity(value.try_as_str().flatten()?);
                let named = named.map_or(Severities::NONE, |one| Severities::NONE.with(one));
                match op {
                    Operator::Eq => Some(Self { severities: named, ..Self::ALL }),
                    Operator::NotEq => Some(Self { severities: named.not(), ..Self::ALL }),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_time(op: Operator, value: &ScalarValue) -> Option<Self> {
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
        Some(Self { from, to, ..Self::ALL })
    }

    /// Doubles are compared here as the engine compares them: in their total order.
    fn of_value(op: Operator, value: &ScalarValue) -> Option<Self> {
        let ScalarValue::Float64(Some(x)) = value else { return None };
        let numbers = match op {
            Operator::Eq => NumberRange::from(*x).and(NumberRange::up_to(*x)),
            Operator::Gt => NumberRange::above(*x),
            Operator::GtEq => NumberRange::from(*x),
            Operator::Lt => NumberRange::below(*x),
            Operator::LtEq => NumberRange::up_to(*x),
            _ => return None,
        };
        Some(Self { numbers: Some(numbers), ..Self::ALL })
    }

    /// What both let through.
    pub(super) fn and(self, other: Self) -> Self {
        let ids = match (self.ids, other.ids) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (a, b) => a.or(b),
        };
        let numbers = match (self.numbers, other.numbers) {
            (Some(a), Some(b)) => Some(a.and(b)),
            (a, b) => a.or(b),
        };
        Self {
            ids,
            from: self.from.max(other.from),
            to: self.to.min(other.to),
            numbers,
            severities: self.severities.and(other.severities),
        }
    }

    /// What either lets through, where both ask for identifiers alone.
    fn or(self, other: Self) -> Option<Self> {
        let of_ids = |side: &Self| Self { ids: None, ..side.clone() } == Self::ALL;
        if !of_ids(&self) || !of_ids(&other) {
            return None;
        }
        let (mut ids, others) = (self.ids?, other.ids?);
        ids.extend(others);
        Some(Self { ids: Some(ids), ..Self::ALL })
    }
}

fn severity(name: &str) -> Option<Severity> {
    [Severity::Good, Severity::Uncertain, Severity::Bad].into_iter().find(|s| s.as_str() == name)
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}
