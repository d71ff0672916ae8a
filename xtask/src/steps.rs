//! Steps with headings and durations, a summary, and one last line that other programs read.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::counts::Counts;

/// The steps of a run so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Done>,
}

struct Done {
    name: String,
    counts: Counts,
    error: Option<String>,
    took: Duration,
}

impl Steps {
    /// Runs one step. A step that fails without a count of failed tests is one failure. Whether
    /// nothing failed is the answer.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Counts>) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let (counts, error) = match step() {
            Ok(counts) => (counts, None),
            Err(error) => (Counts::one(false), Some(format!("{error:#}"))),
        };
        let took = start.elapsed();
        if let Some(error) = &error {
            println!("error: {error}");
        }
        println!("=== {name}: {} ({})", verdict(counts), seconds(took));
        self.done.push(Done { name: name.to_owned(), counts, error, took });
        counts.failed == 0
    }

    /// Prints the summary and, as the last line, the counts.
    pub(crate) fn finish(self) -> ExitCode {
        let mut sum = Counts::default();
        println!("\n=== Summary");
        for step in &self.done {
            sum += step.counts;
            println!("{:>9}  {:<40} {}", seconds(step.took), step.name, verdict(step.counts));
            if let Some(error) = &step.error {
                println!("           {error}");
            }
        }
        println!("{} passed, {} failed", sum.passed, sum.failed);
        if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn verdict(counts: Counts) -> String {
    let Counts { passed, failed } = counts;
    match (passed, failed) {
        (0, 0) => "ok".to_owned(),
        (_, 0) => format!("ok, {passed} passed"),
        _ => format!("FAILED, {failed} failed"),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
