//! `cargo xtask bench NAME`: measures one room; the historian beside other systems.
//!
//! Measured is what the demo and the tests run: the dev profile, whose dependencies and inner
//! loops are optimised like a release's. The profile stands in the output, so that nobody takes
//! the numbers for another's; `--release` measures the release profile.

mod answers;
mod historian;
mod machine;
mod peers;
mod plot;
mod questions;
mod ratios;
mod report;
mod schedule;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use crate::interop;
use crate::process::{self, cargo, target};
use crate::rust;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure.
    name: Room,
    /// End within a minute; the historian beside peers that are there, within a few.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// Measure the release profile, which is compiled first.
    #[arg(long)]
    release: bool,
    /// Of the historian: write docs/benchmarks/historian.md and its plots.
    #[arg(long, conflicts_with = "quick")]
    write: bool,
    /// Of the historian: alone, without DuckDB, ClickHouse, VictoriaMetrics and InfluxDB.
    #[arg(long, conflicts_with = "write")]
    no_peers: bool,
    /// Of the historian: numbers of tags at which ingest is measured.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "quick",
        default_values_t = [10_000, 100_000, 1_000_000])]
    tags: Vec<u64>,
    /// Of the historian: a raw hour of up to 10^9 points, too (half an hour, and 2 GB of disk).
    #[arg(long, conflicts_with = "quick")]
    large: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Room {
    Store,
    /// Ours alone, and beside DuckDB, ClickHouse, VictoriaMetrics and InfluxDB.
    Historian,
    Modbus,
    Mqtt,
    /// A thousand Modbus devices and fifty thousand OPC UA items.
    Connect,
    /// Fifty thousand items over one OPC UA session.
    OpcuaItems,
    /// What sessions and items of the OPC UA server take.
    OpcuaServer,
    /// Identifiers: registered in bulk, resolved over UDP and TCP, signed.
    Resolver,
    /// Job shops, beside CP-SAT on the same cores.
    Schedule,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let example = match args.name {
        Room::OpcuaItems => return test("many", "fifty_thousand_items_of_one_server"),
        Room::OpcuaServer => return test("asyncua", interop::MEASUREMENT),
        Room::Historian => return historian(args),
        Room::Schedule => {
            let example = build(args, "bench_schedule")?;
            return schedule::run(&example, args.quick, args.json);
        }
        Room::Store => "bench_store",
        Room::Modbus => "bench_modbus",
        Room::Mqtt => "bench_mqtt",
        Room::Connect => "bench_connect",
        Room::Resolver => "bench_resolver",
    };
    if let Some(mut numbers) = measure(args, example, args.json)? {
        numbers.insert("profile".into(), json!(args.profile()));
        println!("{}", Json::Object(numbers));
    }
    Ok(())
}

impl Args {
    fn profile(&self) -> &'static str {
        if self.release { "release" } else { "dev" }
    }

    /// Where the profile's programs are.
    fn folder(&self) -> PathBuf {
        target().join(if self.release { "release" } else { "debug" })
    }
}

/// What is told of line protocol at few tags.
const LINES: &str = "line_protocol_points_per_cpu_s";

fn historian(args: &Args) -> Result<()> {
    let mut numbers = measure(args, "bench_historian", true)?.unwrap_or_default();
    // The way in that most senders take: over HTTP, of the whole program.
    process::run(&mut cargo(&[
        "build",
        "--workspace",
        "--profile",
        args.profile(),
        "--bin",
        "weir",
    ]))?;
    let lines = measure(args, "bench_ingest", true)?.unwrap_or_default();
    numbers.insert(LINES.into(), lines["line_protocol"][0][LINES].clone());
    numbers.insert("line_protocol".into(), lines["line_protocol"].clone());
    let history = build(args, "bench_history")?;
    let mut run = historian::Run::new(args, history, args.folder().join("weir"))?;
    let mut results = run.compare(numbers.clone())?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    results["command"] = json!(format!("cargo xtask {}", words.join(" ")));
    results["profile"] = json!(args.profile());
    println!("\n{}", report::page(&results));
    if args.write {
        run.write(&results)?;
    }
    if args.json {
        for name in ["ratios", "set", "tracks", "recordings", "growth", "machine", "profile"] {
            numbers.insert(name.into(), results[name].take());
        }
        println!("{}", Json::Object(numbers));
    }
    Ok(())
}

/// Builds an example: where it is.
fn build(args: &Args, example: &str) -> Result<PathBuf> {
    let profile = args.profile();
    let words = ["build", "--workspace", "--profile", profile, "--example", example];
    process::run(&mut cargo(&words))?;
    Ok(args.folder().join("examples").join(example))
}

/// Builds and runs an example; its numbers, where these are wanted as JSON.
fn measure(args: &Args, example: &str, as_json: bool) -> Result<Option<Map<String, Json>>> {
    let program = build(args, example)?;
    let mut bench = process::command(&program.to_string_lossy());
    bench.env("WEIR_BIN", args.folder().join("weir"));
    if matches!(args.name, Room::Connect) {
        bench.env("WEIR_VENV", interop::python_peers()?);
    }
    if args.quick {
        bench.arg("--quick");
    }
    if !as_json {
        println!("profile: {}", args.profile());
        return process::run(&mut bench).map(|()| None);
    }
    bench.arg("--json");
    match process::json(&mut bench)? {
        Json::Object(object) => Ok(Some(object)),
        _ => bail!("the last line of {example} is no JSON object"),
    }
}

/// Runs a test that measures, alone.
fn test(target: &str, name: &str) -> Result<()> {
    let python = interop::python_peers()?;
    let counts = rust::ignored(target, name, &[("WEIR_VENV", &python.to_string_lossy())])?;
    ensure!(counts.failed == 0 && counts.passed == 1, "the test {name} of {target} failed");
    println!("{}", json!({"bench": name, "profile": "dev", "passed": true}));
    Ok(())
}
