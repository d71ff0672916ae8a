//! Every chore of the project: `cargo xtask demo`, `test`, `bench`, `dist`, `tidy`, `openapi`,
//! `soak`. A chore is a file; what several need is [`process`], [`stamp`] and [`steps`].

mod bench;
mod browser;
mod console;
mod counts;
mod debian;
mod demo;
mod dist;
mod ignored;
mod interop;
mod metadata;
mod openapi;
mod prerequisites;
mod process;
mod rust;
mod soak;
mod stamp;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Weir's chores. Run them as `cargo xtask NAME`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the console and the program, and start the demo plant.
    Demo(demo::Args),
    /// Run every test: tidy, console, Rust, interoperability, browser.
    Test(test::Args),
    /// Measure: store, historian, modbus, mqtt or connect.
    Bench(bench::Args),
    /// Build the release archive.
    Dist,
    /// Check what the compiler does not: edges, licences, layout, links, words.
    Tidy,
    /// Write docs/openapi.json, or check that it is up to date.
    Openapi(openapi::Args),
    /// Long loops: kill the program under load, cut the power of simulated disks, throw random bytes at
    /// ports.
    Soak(soak::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Demo(args) => demo::run(&args),
        Chore::Test(args) => return test::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Dist => dist::run(),
        Chore::Tidy => tidy::run(),
        Chore::Openapi(args) => openapi::run(&args),
        Chore::Soak(args) => soak::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
