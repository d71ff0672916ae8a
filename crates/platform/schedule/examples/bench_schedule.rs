//! Runs the instances of a folder and prints a line of JSON for each:
//! `bench_schedule FOLDER [--time SECONDS] [--iterations N] [--threads N] [--seed N] [--only PREFIX[,PREFIX…]]`.
//! `cpu_seconds` is of all threads together, on systems that tell it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_schedule::{Control, Options, Progress, check, parse_text, solve};

struct Clock {
    end: Instant,
}

impl Control for Clock {
    fn stop(&self) -> bool {
        Instant::now() >= self.end
    }

    fn progress(&self, _: &Progress) {}
}

struct Arguments {
    folder: PathBuf,
    time: f64,
    only: Vec<String>,
    options: Options,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = arguments()?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&arguments.folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files {
        let name =
            file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if arguments.only.is_empty() || arguments.only.iter().any(|prefix| name.starts_with(prefix))
        {
            println!("{}", run(&name, &file, &arguments)?);
        }
    }
    Ok(())
}

fn run(
    name: &str,
    file: &Path,
    arguments: &Arguments,
) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let problem = parse_text(&std::fs::read_to_string(file)?)?;
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let clock = Clock { end: begin + Duration::from_secs_f64(arguments.time) };
    let answer = solve(&problem, &arguments.options, &clock)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(serde_json::json!({
        "name": name,
        "operations": problem.operation_count(),
        "makespan": answer.makespan,
        "bound": answer.bound,
        "iterations": answer.iterations,
        "seconds": (seconds * 1e3).round() / 1e3,
        "cpu_seconds": cpu.and_then(|before| Some(((cpu_seconds()? - before) * 1e2).round() / 1e2)),
        "seed": arguments.options.seed,
        "threads": arguments.options.threads,
        "violations": check(&problem, &answer.schedule).len(),
    }))
}

/// User time of this process from the process table of Linux, in ticks of a hundredth of a second.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = stat.rsplit(')').next()?.split_whitespace().nth(11)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn arguments() -> Result<Arguments, Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().ok_or("which folder?")?.into();
    let options = Options { seed: 1, threads: 2, iterations: None };
    let mut arguments = Arguments { folder, time: 10.0, only: Vec::new(), options };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--time" => arguments.time = value.parse()?,
            "--iterations" => arguments.options.iterations = Some(value.parse()?),
            "--threads" => arguments.options.threads = value.parse()?,
            "--seed" => arguments.options.seed = value.parse()?,
            "--only" => arguments.only = value.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("{word} is not known").into()),
        }
    }
    Ok(arguments)
}
