//! The functions that plants need and SQL does not have, and bounds on those that it has.

mod bounded;
mod bucket;
mod join;
mod planner;
mod series;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub(crate) use bounded::{Bounded, text_bytes};
pub(crate) use planner::Planner;

/// Functions of a row: `time_bucket`, and what `||` stands for.
pub(crate) fn scalar() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::new_from_impl(bucket::TimeBucket::new())), join::function()]
}

/// Functions of a series: `locf`, `interpolate`, `delta`, `rate`.
pub(crate) fn window() -> Vec<Arc<WindowUDF>> {
    series::Kind::ALL
        .iter()
        .map(|kind| Arc::new(WindowUDF::new_from_impl(series::Series::new(*kind))))
        .collect()
}

/// `first_value` and `last_value` are also called `first` and `last`, with the time as a second
/// argument (see [`Planner`]).
pub(crate) fn with_short_name(function: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    let short = match function.name() {
        "first_value" => "first",
        "last_value" => "last",
        _ => return function,
    };
    Arc::new(function.as_ref().clone().with_aliases([short]))
}
