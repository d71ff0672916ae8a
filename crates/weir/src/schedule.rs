//! `weir schedule`: production schedules, made and checked without a node.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use weir_schedule::{
    Control, Options, Problem, Progress, Schedule, TEXT_BYTES_MAX, check, parse_text, solve,
};

use crate::args::{Global, ScheduleCommand};
use crate::output;
use crate::run::{runtime, stop_signal};

/// Runs a command about schedules.
pub(crate) fn run(command: ScheduleCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        ScheduleCommand::Solve { file, time, threads, seed, iterations } => {
            let options = Options { seed, threads, iterations };
            made(&file, Duration::from_secs_f64(time), options, global)
        }
        ScheduleCommand::Check { problem, schedule } => checked(&problem, &schedule, global),
    }
}

/// How long is left, and what is told meanwhile.
struct Clock {
    start: Instant,
    time: Duration,
    stop: CancellationToken,
    tells: bool,
    told: Mutex<Option<(i64, i64)>>,
}

impl Control for Clock {
    fn stop(&self) -> bool {
        self.stop.is_cancelled() || self.start.elapsed() >= self.time
    }

    fn progress(&self, progress: &Progress) {
        let news = (progress.makespan, progress.bound);
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !self.tells || told.replace(news) == Some(news) {
            return;
        }
        let (makespan, bound) = news;
        let seconds = self.start.elapsed().as_secs_f64();
        let gap = gap(makespan, bound);
        eprintln!("{seconds:8.1} s  makespan {makespan}  bound {bound}  gap {gap:.2} %");
    }
}

/// How far the best may be from what is found, in per cent of the bound.
fn gap(value: i64, bound: i64) -> f64 {
    if bound <= 0 { 0.0 } else { (value - bound) as f64 * 100.0 / bound as f64 }
}

fn made(file: &Path, time: Duration, options: Options, global: &Global) -> anyhow::Result<()> {
    let problem = read_problem(file)?;
    let runtime = runtime()?;
    let stop = runtime.block_on(async { stop_signal() })?;
    let tells = !global.quiet && (std::io::stderr().is_terminal() || !global.json);
    let clock = Clock { start: Instant::now(), time, stop, tells, told: Mutex::new(None) };
    let answer = solve(&problem, &options, &clock)?;
    let wrong = check(&problem, &answer.schedule);
    if let Some(violation) = wrong.first() {
        bail!("the schedule does not keep to the problem, which is a fault of Weir: {violation}");
    }
    if global.json {
        return output::line(&json!({
            "makespan": answer.makespan,
            "bound": answer.bound,
            "value": answer.value,
            "optimal": answer.optimal,
            "iterations": answer.iterations,
            "seconds": (clock.start.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            "operations": answer.schedule.operations,
        }));
    }
    let proven = if answer.optimal { ", proven to be the best" } else { "" };
    let gap = gap(answer.value.first().copied().unwrap_or_default(), answer.bound);
    output::line(&format!(
        "makespan {}, bound {} (gap {gap:.2} %{proven}), {} iterations",
        answer.makespan, answer.bound, answer.iterations
    ))?;
    let rows: Vec<Json> =
        answer.schedule.operations.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    output::table(
        &rows,
        false,
        &[
            ("JOB", "/job"),
            ("OPERATION", "/op"),
            ("MACHINE", "/machine"),
            ("START", "/start"),
            ("END", "/end"),
        ],
    )
}

fn checked(problem: &Path, schedule: &Path, global: &Global) -> anyhow::Result<()> {
    let problem = read_problem(problem)?;
    let text = read(schedule)?;
    let schedule = Schedule::from_json(&text)
        .with_context(|| format!("{} is no schedule", schedule.display()))?;
    let violations = check(&problem, &schedule);
    if global.json {
        output::json(&json!({ "violations": violations }))?;
    } else {
        for violation in &violations {
            output::line(violation)?;
        }
    }
    match violations.len() {
        0 if global.quiet || global.json => Ok(()),
        0 => output::line(&"The schedule keeps to the problem."),
        count => bail!("{count} violations"),
    }
}

/// A problem in JSON, or in one of the standard text formats of job shops and flexible job shops.
fn read_problem(file: &Path) -> anyhow::Result<Problem> {
    let text = read(file)?;
    let problem = match text.trim_start().starts_with('{') {
        true => Problem::from_json(&text),
        false => parse_text(&text),
    };
    problem.with_context(|| format!("{} is no problem that can be scheduled", file.display()))
}

fn read(file: &Path) -> anyhow::Result<String> {
    let failed = || format!("could not read {}", file.display());
    let mut text = String::new();
    let bytes_max = TEXT_BYTES_MAX as u64 + 1;
    match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(bytes_max).read_to_string(&mut text),
        false => std::fs::File::open(file)
            .with_context(failed)?
            .take(bytes_max)
            .read_to_string(&mut text),
    }
    .with_context(failed)?;
    Ok(text)
}
