//! The disjunctive core: job shops and flexible job shops with the makespan as goal, in compact arrays.
//!
//! Tabu search over critical blocks (N7: Zhang, Li, Guan, Rao 2007, which holds N6 of Balas and Vazacopoulos 1998), moves to other
//! machines (Mastrolilli and Gambardella 2000), and path relinking over an elite pool (Peng, Lü, Cheng 2015), one
//! island a thread.

mod critical;
mod dispatch;
mod island;
mod pool;
mod random;
mod reassign;
mod relink;
mod segment;
mod shop;
mod state;
mod tabu;

#[cfg(test)]
mod tests;

pub(crate) use island::{Plan, search};
pub(crate) use random::Random;
pub(crate) use shop::Shop;
pub(crate) use state::Order;
