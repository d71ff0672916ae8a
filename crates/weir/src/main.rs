//! The `weir` command: reads its words, runs what they say, exits.

mod args;
mod audit;
mod client;
mod config;
mod demo;
mod historian;
mod identifier;
mod lake;
mod opcua;
mod organisation;
mod output;
mod people;
mod query;
mod records;
mod retention;
mod run;
mod schedule;
mod tag;
mod unsafe_arenas;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    unsafe_arenas::bound();
    let cli = args::Cli::parse();
    run::run(cli)
}
