//! Test programs that wait for others more than they compute, run side by side.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::counts::Counts;
use crate::process::{self, built, cargo};

/// Programs at the same time. Some of their tests notice a silent peer by a short time-out, so the
/// machine must not be so busy that everybody seems silent.
const PROGRAMS_MAX: usize = 2;

/// Test programs, in the order in which they are started.
pub(crate) struct Binaries(Vec<Binary>);

struct Binary {
    target: String,
    program: PathBuf,
    /// The folder of its crate, in which cargo runs tests.
    folder: PathBuf,
}

/// What cargo tells of one target that it has built.
#[derive(Deserialize)]
struct Built {
    manifest_path: PathBuf,
    target: Named,
    executable: PathBuf,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Binaries {
    /// Builds the test targets of these names, of all crates that have them.
    pub(crate) fn build(targets: &[&str]) -> Result<Self> {
        let mut command = cargo(&["test", "--workspace", "--no-run", "--quiet"]);
        command.arg("--message-format=json-render-diagnostics");
        for target in targets {
            command.args(["--test", target]);
        }
        let mut all = Vec::new();
        for line in process::output(&mut command)?.lines() {
            // Lines that name no program are of other kinds.
            let Ok(built) = serde_json::from_str::<Built>(line) else { continue };
            if !targets.contains(&built.target.name.as_str()) {
                continue;
            }
            let folder = built.manifest_path.parent().context("a manifest without folder")?;
            all.push(Binary {
                target: built.target.name,
                program: built.executable,
                folder: folder.to_owned(),
            });
        }
        let rank = |binary: &Binary| targets.iter().position(|target| *target == binary.target);
        all.sort_by_key(rank);
        Ok(Self(all))
    }

    /// Runs the ignored tests of all but one, and prints what each said when it has ended.
    pub(crate) fn run(&self, skip: &str, env: &[(&str, &Path)]) -> Result<Counts> {
        let (next, sum) = (AtomicUsize::new(0), Mutex::new(Counts::default()));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..PROGRAMS_MAX)
                .map(|_| {
                    scope.spawn(|| -> Result<()> {
                        while let Some(binary) = self.0.get(next.fetch_add(1, Relaxed)) {
                            let ended = binary.run(skip, env)?;
                            // Held while printing, so that nobody prints into another's lines.
                            let mut sum =
                                sum.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
                            ended.print();
                            *sum += ended.counts;
                        }
                        Ok(())
                    })
                })
                .collect();
            for worker in workers {
                worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
            }
            Ok::<_, anyhow::Error>(())
        })?;
        Ok(*sum.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
    }
}

/// What became of one program.
struct Ended {
    line: String,
    output: String,
    counts: Counts,
}

impl Binary {
    fn run(&self, skip: &str, env: &[(&str, &Path)]) -> Result<Ended> {
        let mut command = process::command(&self.program.to_string_lossy());
        command
            .args(["--ignored", "--skip", skip])
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command.env("WEIR_BIN", built("weir")).envs(env.iter().copied());
        let start = Instant::now();
        let output = command.output().with_context(|| process::shown(&command))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut counts = Counts::default();
        for stated in said.lines().filter_map(Counts::read) {
            counts += stated;
        }
        // A program that fails without a failed test has broken down.
        if counts == Counts::default() || (!output.status.success() && counts.failed == 0) {
            counts += Counts::one(output.status.success());
        }
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy();
        let seconds = start.elapsed().as_secs_f64();
        let line = format!("$ {} of {folder}: {}, {seconds:.1} s", self.target, output.status);
        let errors = String::from_utf8_lossy(&output.stderr);
        // What peers say on their error streams matters only where something went wrong.
        let output = if counts.failed == 0 { said } else { format!("{said}\n{errors}") };
        Ok(Ended { line, output, counts })
    }
}

impl Ended {
    fn print(&self) {
        println!("{}", self.line);
        println!("{}", self.output.trim());
    }
}
