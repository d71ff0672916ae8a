//! `cargo xtask bench NAME`: measures one room.
//!
//! Measured is what the demo and the tests run: the dev profile, whose dependencies and inner
//! loops are optimised like a release's. The profile stands in the output, so that nobody takes
//! the numbers for another's; `--release` measures the release profile.

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use crate::interop;
use crate::process::{self, cargo, target};
use crate::rust;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure.
    name: Room,
    /// End within a minute.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// Measure the release profile, which is compiled first.
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Room {
    Store,
    Historian,
    Modbus,
    Mqtt,
    /// A thousand Modbus devices and fifty thousand OPC UA items.
    Connect,
    /// Fifty thousand items over one OPC UA session.
    OpcuaItems,
    /// What sessions and items of the OPC UA server take.
    OpcuaServer,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let example = match args.name {
        Room::OpcuaItems => return test("many", "fifty_thousand_items_of_one_server"),
        Room::OpcuaServer => return test("asyncua", interop::MEASUREMENT),
        Room::Store => "bench_store",
        Room::Historian => "bench_historian",
        Room::Modbus => "bench_modbus",
        Room::Mqtt => "bench_mqtt",
        Room::Connect => "bench_connect",
    };
    let profile = if args.release { "release" } else { "dev" };
    let mut numbers = measure(args, example)?;
    if matches!(args.name, Room::Historian) {
        // The way in that most senders take: over HTTP, of the whole program.
        process::run(&mut cargo(&["build", "--workspace", "--profile", profile, "--bin", "weir"]))?;
        let lines = measure(args, "bench_ingest")?;
        if let (Some(numbers), Some(lines)) = (&mut numbers, lines) {
            let first = &lines["line_protocol"][0];
            numbers.insert(LINES.into(), first[LINES].clone());
            numbers.insert("line_protocol".into(), lines["line_protocol"].clone());
        }
    }
    if let Some(mut numbers) = numbers {
        numbers.insert("profile".into(), json!(profile));
        println!("{}", Json::Object(numbers));
    }
    Ok(())
}

/// What is told of line protocol at few tags.
const LINES: &str = "line_protocol_points_per_cpu_s";

/// Builds and runs an example; its numbers, where these are wanted as JSON.
fn measure(args: &Args, example: &str) -> Result<Option<Map<String, Json>>> {
    let profile = if args.release { "release" } else { "dev" };
    process::run(&mut cargo(&[
        "build",
        "--workspace",
        "--profile",
        profile,
        "--example",
        example,
    ]))?;
    let folder = if args.release { "release" } else { "debug" };
    let folder = target().join(folder);
    let program = folder.join("examples").join(example);
    let mut bench = process::command(&program.to_string_lossy());
    bench.env("WEIR_BIN", folder.join("weir"));
    if matches!(args.name, Room::Connect) {
        bench.env("WEIR_VENV", interop::python_peers()?);
    }
    if args.quick {
        bench.arg("--quick");
    }
    if !args.json {
        println!("profile: {profile}");
        return process::run(&mut bench).map(|()| None);
    }
    bench.arg("--json");
    let output = process::output(&mut bench)?;
    let (before, last) = output.trim_end().rsplit_once('\n').unwrap_or(("", output.trim_end()));
    if !before.is_empty() {
        println!("{before}");
    }
    let numbers: Json = serde_json::from_str(last)
        .with_context(|| format!("the last line of {example} is no JSON: {last}"))?;
    match numbers {
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
