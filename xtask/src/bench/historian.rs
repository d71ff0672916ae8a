//! `cargo xtask bench historian`: ours alone, then the same points in ours and in each peer that is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value as Json, json};

use super::answers::{self, Tolerance};
use super::peers::{Peer, Peers, Server};
use super::questions::QUESTIONS;
use super::{Args, machine, ratios, report};
use crate::process::{self, root, target};

/// Recorded sets, which lie beside the project where somebody laid them.
const RECORDINGS: &[&str] = &["skab", "nab", "tep", "cmapss"];

/// Where they lie.
const DATA: &str = "../shared/data";

/// Points of a track by number of tags, those apart in which series are new.
const TRACK_POINTS: u64 = 2_000_000;

/// Points of a batch.
const BATCH: u64 = 10_000;

/// Tags and moments of the points that everybody stores and is asked about.
const SET: (u64, u64) = (2000, 10_000);
const SET_QUICK: (u64, u64) = (500, 4000);

/// Up to how many points a raw hour is measured.
const GROWTH: u64 = 100_000_000;
const GROWTH_LARGE: u64 = 1_000_000_000;

/// The programs and the folder of one run.
pub(super) struct Run<'a> {
    pub(super) args: &'a Args,
    /// `bench_history`.
    pub(super) history: PathBuf,
    pub(super) weir: PathBuf,
    peers: Peers,
    /// Goes when the run ends.
    scratch: Scratch,
    /// Answers that were not as they have to be.
    wrong: Vec<String>,
}

impl<'a> Run<'a> {
    pub(super) fn new(args: &'a Args, history: PathBuf, weir: PathBuf) -> Result<Self> {
        let peers = if args.no_peers { Peers::none() } else { Peers::find(!args.quick) };
        for line in &peers.missing {
            println!("{line}");
        }
        Ok(Self { args, history, weir, peers, scratch: Scratch::new()?, wrong: Vec::new() })
    }

    /// All that is compared, as one JSON object; `own` is what ours measured alone.
    pub(super) fn compare(&mut self, own: Map<String, Json>) -> Result<Json> {
        let mut results = json!({
            "machine": machine::facts(&self.scratch.0)?,
            "own": own,
            "missing": self.peers.missing,
        });
        results["set"] = self.same_points()?;
        results["ratios"] = ratios::of(&results["set"]);
        if !self.args.quick {
            results["tracks"] = self.tracks()?;
            results["recordings"] = self.recordings()?;
            results["growth"] = self.growth()?;
        }
        ensure!(self.wrong.is_empty(), "answers are wrong:\n{}", self.wrong.join("\n"));
        Ok(results)
    }

    /// Writes the page and its plots below `docs/benchmarks`.
    pub(super) fn write(&self, results: &Json) -> Result<()> {
        let folder = root().join("docs/benchmarks");
        fs::create_dir_all(&folder)?;
        for (name, text) in report::files(results) {
            fs::write(folder.join(&name), text)?;
            println!("docs/benchmarks/{name}");
        }
        Ok(())
    }

    /// The set in every system, and what each is asked.
    fn same_points(&mut self) -> Result<Json> {
        let (tags, moments) = if self.args.quick { SET_QUICK } else { SET };
        let points = points_of(tags, moments);
        println!("the same points in each system: {tags} tags, {moments} moments");
        let expected = self.scratch.0.join("expected");
        let mut expect = self.history("expect", &points);
        process::run(expect.arg("--answers").arg(&expected))?;
        let mut systems = Map::new();
        let mut asked = Asked { expected: &expected, seconds: self.seconds() };
        systems.insert("weir".into(), self.ours(&points, Some(&mut asked))?);
        for peer in self.peers.found.clone() {
            let found = if peer.is_engine() {
                self.engine(peer, &points, true, Some(&mut asked))?
            } else {
                self.server(Some(peer), &points, 0, true, Some(&mut asked))?
            };
            systems.insert(peer.key().into(), found);
        }
        if self.has_servers() {
            let found = self.server(None, &points, 0, false, Some(&mut asked))?;
            systems.insert("weir_http".into(), found);
        }
        Ok(json!({ "tags": tags, "moments": moments, "systems": systems }))
    }

    /// Batches and line protocol by number of tags.
    fn tracks(&mut self) -> Result<Json> {
        let mut rows = Vec::new();
        for tags in self.args.tags.clone() {
            let moments = TRACK_POINTS.div_ceil(tags).max(2) + 1;
            let points = points_of(tags, moments);
            println!("{tags} tags");
            let mut systems = Map::new();
            systems.insert("weir".into(), self.ours(&points, None)?);
            // Late samples of the first moment come with the second.
            let first = tags.div_ceil(BATCH) + 1;
            for peer in self.peers.found.clone() {
                let found = if peer.is_engine() {
                    self.engine(peer, &points, false, None)?
                } else {
                    self.server(Some(peer), &points, first, false, None)?
                };
                systems.insert(peer.key().into(), found);
            }
            if self.has_servers() {
                let found = self.server(None, &points, first, false, None)?;
                systems.insert("weir_http".into(), found);
            }
            rows.push(json!({ "tags": tags, "systems": systems }));
        }
        Ok(rows.into())
    }

    /// Bytes of the recorded sets that are there.
    fn recordings(&mut self) -> Result<Json> {
        let data = root().join(DATA);
        let mut rows = Vec::new();
        if !data.is_dir() {
            println!("without recordings: there is no {DATA}");
            return Ok(rows.into());
        }
        for name in RECORDINGS {
            println!("recording {name}");
            let mut points = vec!["--recording".to_owned(), (*name).to_owned()];
            points.extend(["--data".to_owned(), data.display().to_string()]);
            let mut systems = Map::new();
            systems.insert("weir".into(), self.ours(&points, None)?);
            for peer in self.peers.found.clone() {
                let found = if peer.is_engine() {
                    self.engine(peer, &points, true, None)?
                } else {
                    self.server(Some(peer), &points, 0, true, None)?
                };
                systems.insert(peer.key().into(), found);
            }
            rows.push(json!({ "name": name, "systems": systems }));
        }
        Ok(rows.into())
    }

    /// A raw hour as history grows, of ours.
    fn growth(&mut self) -> Result<Json> {
        let up_to = if self.args.large { GROWTH_LARGE } else { GROWTH };
        println!("a raw hour of up to {up_to} points");
        let folder = self.scratch.folder()?;
        let up_to = ["--up-to".to_owned(), up_to.to_string()];
        let mut growth = self.history("growth", &up_to);
        let found = process::json(growth.arg("--folder").arg(&folder))?;
        fs::remove_dir_all(folder)?;
        Ok(found["growth"].clone())
    }

    /// The points in a historian in process.
    fn ours(&mut self, points: &[String], asked: Option<&mut Asked<'_>>) -> Result<Json> {
        let folder = self.scratch.folder()?;
        let mut ours = self.history("weir", points);
        ours.arg("--folder").arg(folder.join("data"));
        let answers = folder.join("answers");
        if let Some(asked) = &asked {
            ours.arg("--answers").arg(&answers).args(["--seconds", &asked.seconds]);
        }
        let mut found = process::json(&mut ours)?;
        if let Some(asked) = asked {
            let exact = Tolerance { micros: 1, numbers: 0.0 };
            for (of, part) in [("calls", "call"), ("queries", "sql")] {
                let folder = answers.join(part);
                self.check(&format!("Weir, {part}"), asked, &folder, exact, &mut found[of]);
            }
        }
        fs::remove_dir_all(folder)?;
        Ok(found)
    }

    /// The points in an engine.
    fn engine(
        &mut self,
        peer: Peer,
        points: &[String],
        settle: bool,
        asked: Option<&mut Asked<'_>>,
    ) -> Result<Json> {
        let folder = self.scratch.folder()?;
        let mut script = self.script("engines.py", peer.key());
        script.arg("--data").arg(folder.join("data"));
        let found = self.fed("arrow", points, script, settle, &folder, asked, peer.label());
        let found = found.with_context(|| peer.label())?;
        fs::remove_dir_all(folder)?;
        Ok(found)
    }

    /// The points in a server, of ours where there is no peer.
    fn server(
        &mut self,
        peer: Option<Peer>,
        points: &[String],
        first: u64,
        settle: bool,
        asked: Option<&mut Asked<'_>>,
    ) -> Result<Json> {
        let folder = self.scratch.folder()?;
        let server = match peer {
            Some(peer) => Server::start(peer, &folder.join("server"))?,
            None => Server::start_weir(&self.weir, &folder.join("server"))?,
        };
        let (key, label) = peer.map_or(("weir", "Weir, HTTP"), |p| (p.key(), p.label()));
        let mut script = self.script("servers.py", key);
        script.args(["--url", &server.url, "--pid", &server.pid().to_string()]);
        script.args(["--first", &first.to_string()]).arg("--data").arg(&server.data);
        script.envs(server.env.iter().cloned());
        let found = self.fed("lines", points, script, settle, &folder, asked, label);
        let mut found = found.with_context(|| label)?;
        if let Some(version) = peer.and_then(Peer::version) {
            found["version"] = version.into();
        }
        drop(server);
        fs::remove_dir_all(folder)?;
        Ok(found)
    }

    /// Runs a script that takes the points in a form, and checks its answers.
    #[expect(clippy::too_many_arguments, reason = "one call for engines and one for servers")]
    fn fed(
        &mut self,
        form: &str,
        points: &[String],
        mut script: Command,
        settle: bool,
        folder: &Path,
        asked: Option<&mut Asked<'_>>,
        label: &str,
    ) -> Result<Json> {
        let answers = folder.join("answers");
        if settle {
            script.arg("--settle");
        }
        if let Some(asked) = &asked {
            script.arg("--set").arg(asked.expected.join("set.json"));
            script.arg("--answers").arg(&answers).args(["--seconds", &asked.seconds]);
        }
        let mut producer = self.history(form, points).stdout(Stdio::piped()).spawn()?;
        let stream = producer.stdout.take().context("the points were not piped")?;
        let found = process::json(script.stdin(stream));
        // Where the script ended early, the other writes into nothing and ends, too.
        let made = producer.wait()?;
        let mut found = found?;
        ensure!(made.success(), "the points were not made ({made})");
        if let Some(asked) = asked {
            let tolerance = Peer::ALL.into_iter().find(|peer| peer.label() == label);
            let exact = Tolerance { micros: 1, numbers: 0.0 };
            let tolerance = tolerance.map_or(exact, Peer::tolerance);
            self.check(label, asked, &answers, tolerance, &mut found["queries"]);
        }
        Ok(found)
    }

    /// Compares the answers that a system gave, and notes the largest difference beside what each took.
    fn check(
        &mut self,
        label: &str,
        asked: &Asked<'_>,
        answers: &Path,
        tolerance: Tolerance,
        taken: &mut Json,
    ) {
        for question in QUESTIONS {
            let Some(taken) = taken.get_mut(question.name) else { continue };
            let name = format!("{}.csv", question.name);
            let (expected, answer) = (asked.expected.join(&name), answers.join(&name));
            match answers::compare(question, &expected, &answer, tolerance) {
                Ok(worst) => taken["off"] = json!(worst),
                Err(error) => {
                    let line = format!("{label}, {}: {error:#}", question.label);
                    println!("wrong: {line}");
                    self.wrong.push(line);
                }
            }
        }
    }

    fn history(&self, what: &str, points: &[String]) -> Command {
        let mut command = process::command(&self.history.to_string_lossy());
        command.arg(what).args(points);
        command
    }

    fn script(&self, name: &str, system: &str) -> Command {
        let mut command = process::command(&self.peers.python.to_string_lossy());
        command.arg(root().join("tests/interop/bench").join(name)).arg(system);
        // Nothing is left in the source tree.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn has_servers(&self) -> bool {
        self.peers.found.iter().any(|peer| !peer.is_engine())
    }

    /// For how long each question is asked again.
    fn seconds(&self) -> String {
        if self.args.quick { "0.3" } else { "2" }.to_owned()
    }
}

/// What is asked, and for how many seconds each.
struct Asked<'a> {
    expected: &'a Path,
    seconds: String,
}

fn points_of(tags: u64, moments: u64) -> Vec<String> {
    vec!["--tags".into(), tags.to_string(), "--moments".into(), moments.to_string()]
}

/// A folder of this run below the target folder, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = target().join("tmp").join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// An empty folder in it.
    fn folder(&self) -> Result<PathBuf> {
        let folder = self.0.join("one");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It holds nothing that anyone needs.
        let _ = fs::remove_dir_all(&self.0);
    }
}
