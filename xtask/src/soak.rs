//! Long loops with a command of their own: no test run waits for them.

use anyhow::{Result, ensure};
use clap::{Args as ClapArgs, Subcommand};

use crate::{console, rust};

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    which: Which,
}

#[derive(Subcommand)]
enum Which {
    /// `kill -9` the program under load, again and again: nothing acknowledged is lost.
    Kill {
        /// How often.
        #[arg(long, default_value_t = 300)]
        times: u32,
    },
    /// Simulated power cuts, full and failing disks under the historian: nothing acknowledged is lost.
    Crash {
        /// How many histories, each with several cuts.
        #[arg(long, default_value_t = 10_000)]
        seeds: u32,
    },
    /// Random bytes at every open port: no crash, no growth, others served.
    Bytes {
        /// How long.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (name, variable, value) = match args.which {
        Which::Crash { seeds } => return crash(seeds),
        Which::Kill { times } => ("kill", "WEIR_SOAK_TIMES", times),
        Which::Bytes { minutes } => ("bytes", "WEIR_SOAK_MINUTES", minutes),
    };
    if console::is_there() {
        console::build()?;
    }
    rust::build_program()?;
    let counts = rust::ignored("soak", name, &[(variable, &value.to_string())])?;
    ensure!(counts.failed == 0, "the soak failed");
    ensure!(counts.passed > 0, "the test target soak has no ignored test named {name}");
    Ok(())
}

/// The historian's own test: its disk is simulated, so that no program is started.
fn crash(seeds: u32) -> Result<()> {
    let env = [("WEIR_SOAK_SEEDS", seeds.to_string())];
    let counts = rust::ignored_of_libraries("tests::seeds::soak", &env)?;
    ensure!(counts.failed == 0, "a seed fails: the lines above name it and what was done");
    ensure!(counts.passed > 0, "no library has an ignored test tests::seeds::soak");
    Ok(())
}
