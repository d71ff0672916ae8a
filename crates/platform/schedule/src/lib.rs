//! Production scheduling: a model of the shop floor, a solver, and a checker that shares no code with it.
//!
//! No I/O and no clock: texts come as strings, and the time left is asked of a [`Control`].
//!
//! ```
//! use weir_schedule::{Control, Options, Progress, check, parse_text, solve};
//!
//! struct Unhurried;
//! impl Control for Unhurried {
//!     fn stop(&self) -> bool {
//!         false
//!     }
//!     fn progress(&self, _: &Progress) {}
//! }
//!
//! let problem = parse_text("2 2\n0 3 1 2\n1 2 0 4\n")?;
//! let options = Options { seed: 1, threads: 1, iterations: Some(1_000) };
//! let answer = solve(&problem, &options, &Unhurried)?;
//! assert_eq!((answer.makespan, answer.bound), (7, 7));
//! assert!(check(&problem, &answer.schedule).is_empty());
//! # Ok::<(), weir_schedule::Error>(())
//! ```

mod bound;
mod check;
mod core;
mod error;
mod explain;
mod general;
mod problem;
mod reschedule;
mod solve;
mod text;
mod what_if;

pub use check::{Kind, Violation, check};
pub use error::Error;
pub use explain::{Cause, Link, late_chain};
pub use problem::{
    Alternative, Assignment, Calendar, Consumption, Fixed, Goal, Job, Machine, Material, Measure,
    Need, OPERATIONS_MAX, Objective, Operation, PARTS_MAX, Problem, Resource, Schedule, SetupTable,
    TEXT_BYTES_MAX, TIME_MAX, Wait,
};
pub use reschedule::{Closed, Disruption, reschedule};
pub use solve::{Answer, Control, Options, Progress, THREADS_MAX, solve};
pub use text::parse_text;
