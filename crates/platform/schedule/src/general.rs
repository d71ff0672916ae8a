//! The general model: schedules are built operation by operation in an order of priorities, each as early as machine,
//! calendars, set-ups, operators, tools and materials allow; the priorities and machines are what is searched over.

mod calendar;
mod decode;
mod floor;
mod plant;
mod search;
mod timeline;
mod value;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use decode::Genes;
pub(crate) use plant::Plant;
pub(crate) use search::{Start, solve, solve_from};
