//! Arrow Flight SQL: SQL over gRPC, with rows as columns, as ADBC, JDBC and ODBC drivers speak it.
//!
//! A [`Server`] answers the calls of one listener. Whoever has the listener has found out who calls
//! and what that caller may do, and gives with each call a [`Host`]: it plans and runs statements with
//! that caller's rights. The protocol is `Flight.proto` and `FlightSql.proto` of Apache Arrow.
//!
//! What it is not: it opens no socket, knows no engine and decides no right. It keeps nothing of a
//! caller: a ticket and a prepared statement hold the statement itself and its parameters, and are run
//! with the rights of whoever shows them. Only statements that run are remembered, until they end, so
//! that they can be cancelled.
//!
//! - `service` are the ten calls, `commands` what GetFlightInfo and DoGet are asked for;
//! - `statement` is what a ticket holds, `parameters` are read from what DoPut brings;
//! - `catalog` are the tables, `facts` what a driver asks of a server and its types;
//! - `running` are the statements that run.

mod catalog;
mod commands;
mod facts;
mod host;
mod messages;
mod parameters;
mod running;
mod server;
mod service;
mod statement;
#[cfg(test)]
mod tests;

pub use host::{Description, Failure, Host, Rows, Table};
pub use server::{SERVICE, Server};
pub use statement::Statement;
pub use tonic::Code;
