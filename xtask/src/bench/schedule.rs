//! `cargo xtask bench schedule`: our solver beside OR-Tools' CP-SAT, on the same instances, for the
//! same time on as many threads, one after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value as Json, json};

use crate::interop::Venv;
use crate::process::{self, root};

/// The public instances with their best known values, beside the project.
const SHARED: &str = "../shared/data/scheduling";

/// What the quick run solves: two of Fisher and Thompson's, five of Lawrence's, one of Taillard's
/// and one of Demirkol's.
const QUICK: &[&str] = &["ft10", "ft20", "la16", "la21", "la24", "la29", "la38", "ta21", "dmu21"];

/// What the whole run solves.
const WHOLE: &[&str] = &["ft", "la", "orb", "ta2", "ta30", "dmu2", "dmu30"];

/// Seconds for each instance.
const QUICK_S: u32 = 2;
const WHOLE_S: u32 = 60;

const THREADS: &str = "2";

/// Solves, and tells how far the values are from the best known ones.
pub(super) fn run(example: &Path, quick: bool, as_json: bool) -> Result<()> {
    let folder = root().join(SHARED);
    ensure!(
        folder.join("best-known.json").is_file(),
        "there are no instances in {}: `weir schedule solve FILE` takes any file",
        folder.display()
    );
    let known = std::fs::read_to_string(folder.join("best-known.json"))?;
    let known: BTreeMap<String, Json> = serde_json::from_str(&known)?;
    let (names, seconds) = if quick { (QUICK, QUICK_S) } else { (WHOLE, WHOLE_S) };
    let cp_sat = cp_sat(quick)?;
    let (mut ours, mut theirs, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (name, best) in &known {
        let wanted = names.iter().any(|start| name.starts_with(start));
        if !wanted || !folder.join("jsp").join(format!("{name}.txt")).is_file() {
            continue;
        }
        let best = best["upper"].as_f64().context("a best known value is a number")?;
        let solve = |program: &Path, first: &[&str], threads: &str| -> Result<Json> {
            let mut command = process::command(&program.to_string_lossy());
            command.args(first).arg(folder.join("jsp")).args(["--only", name]);
            command.args(["--time", &seconds.to_string(), threads, THREADS, "--seed", "1"]);
            process::json(&mut command)
        };
        let found = solve(example, &[], "--threads")?;
        let gap = gap(&found, best)?;
        ours.push(gap);
        let mut row = json!({"name": name, "best": best, "makespan": found["makespan"],
            "bound": found["bound"], "gap": gap});
        if let Some((python, script)) = &cp_sat {
            let found = solve(python, &[&script.to_string_lossy()], "--workers")?;
            let gap = self::gap(&found, best)?;
            theirs.push(gap);
            row["cp_sat_makespan"] = found["makespan"].clone();
            row["cp_sat_gap"] = json!(gap);
        }
        println!("{row}");
        rows.push(row);
    }
    let mut numbers = Map::new();
    numbers.insert("mean_gap".into(), json!(mean(&ours)));
    numbers.insert("worst_gap".into(), json!(ours.iter().copied().fold(0.0, f64::max)));
    if !theirs.is_empty() {
        numbers.insert("cp_sat_mean_gap".into(), json!(mean(&theirs)));
    }
    numbers.insert("seconds".into(), json!(seconds));
    numbers.insert("threads".into(), json!(2));
    numbers.insert("seed".into(), json!(1));
    if as_json {
        numbers.insert("instances".into(), Json::Array(rows));
    }
    println!("{}", Json::Object(numbers));
    Ok(())
}

/// The interpreter and the program that run CP-SAT. A quick run fetches nothing: it is beside ours
/// where it is there already.
fn cp_sat(quick: bool) -> Result<Option<(PathBuf, PathBuf)>> {
    let venv = Venv::of("venv-schedule", "tests/interop/schedule/requirements.txt")?;
    if quick && !venv.is_there() {
        println!("CP-SAT is not there: the whole run fetches it");
        return Ok(None);
    }
    let script = root().join("tests/interop/schedule/cp_sat.py");
    Ok(Some((Venv::python(&venv.make()?), script)))
}

/// How far a makespan is above the best known one, in per cent.
fn gap(found: &Json, best: f64) -> Result<f64> {
    let makespan = found["makespan"].as_f64().context("no schedule was found")?;
    Ok((makespan - best) * 100.0 / best)
}

fn mean(gaps: &[f64]) -> f64 {
    gaps.iter().sum::<f64>() / gaps.len().max(1) as f64
}
