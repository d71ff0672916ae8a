//! What `cargo xtask bench historian` compares: the same points in this historian and in its peers.
//!
//! `bench_history WHAT POINTS …`, where POINTS are `--tags N --moments M` of the plant, or `--recording
//! NAME --data FOLDER` of a recorded set. WHAT is
//!
//! - `arrow`: the points as an Arrow stream of batches, on standard output;
//! - `lines`: the points as line protocol, each batch after a line with its points and its bytes;
//! - `expect`: `--answers FOLDER` gets what the answers have to be, from a plain walk over the points, and
//!   `set.json` beside them, which says what is asked;
//! - `weir`: stores them in a historian below `--folder`, asks, writes `--answers FOLDER/call` and
//!   `/sql`, and prints one JSON object; each question is asked for `--seconds`;
//! - `growth`: `--up-to POINTS` in one historian, and at each power of ten what a raw hour takes.

use std::error::Error;
use std::path::PathBuf;

use weir_model::{Batch, Sample, TagId, TenantId, Timestamp};

#[path = "bench_history/arrow.rs"]
mod arrow;
#[path = "bench_history/expected.rs"]
mod expected;
#[path = "bench_history/growth.rs"]
mod growth;
#[path = "bench_history/lines.rs"]
mod lines;
#[path = "bench_history/measure.rs"]
mod measure;
#[path = "bench_history/ours.rs"]
mod ours;
#[path = "../../historian/examples/bench_historian/plant.rs"]
mod plant;
#[path = "bench_history/recordings.rs"]
mod recordings;
#[path = "../../historian/examples/bench_historian/set.rs"]
mod set;
#[path = "bench_history/source.rs"]
mod source;

use plant::{SECOND, START};
use set::Set;

const TENANT: TenantId = TenantId(1);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Batches of samples in the order in which they arrive.
type Points = Box<dyn Iterator<Item = Vec<(TagId, Sample)>>>;

/// What was asked for on the command line.
struct Arguments {
    what: String,
    set: Set,
    recording: Option<String>,
    data: PathBuf,
    folder: PathBuf,
    answers: PathBuf,
    seconds: f64,
    up_to: u64,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    match arguments.what.as_str() {
        "arrow" => arrow::write(arguments.points()?),
        "lines" => lines::write(arguments.points()?),
        "expect" => expected::write(arguments.set, &arguments.answers),
        "weir" => runtime.block_on(ours::run(&arguments)),
        "growth" => runtime.block_on(growth::run(&arguments.folder, arguments.up_to)),
        other => Err(format!("unknown: {other}").into()),
    }
}

impl Arguments {
    fn parse() -> Outcome<Self> {
        let mut given = std::env::args().skip(1);
        let mut arguments = Self {
            what: given.next().ok_or("arrow, lines, expect, weir or growth?")?,
            set: Set { tags: 2000, moments: 10_000 },
            recording: None,
            data: PathBuf::new(),
            folder: PathBuf::new(),
            answers: PathBuf::new(),
            seconds: 1.0,
            up_to: 10_000_000,
        };
        while let Some(name) = given.next() {
            let value = given.next().ok_or(format!("{name} takes a value"))?;
            match name.as_str() {
                "--tags" => arguments.set.tags = value.parse()?,
                "--moments" => arguments.set.moments = value.parse()?,
                "--recording" => arguments.recording = Some(value),
                "--data" => arguments.data = value.into(),
                "--folder" => arguments.folder = value.into(),
                "--answers" => arguments.answers = value.into(),
                "--seconds" => arguments.seconds = value.parse()?,
                "--up-to" => arguments.up_to = value.parse()?,
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(arguments)
    }

    fn points(&self) -> Outcome<Points> {
        match &self.recording {
            Some(name) => recordings::points(name, &self.data),
            None => Ok(Box::new(self.set.batches())),
        }
    }
}

fn batch(samples: Vec<(TagId, Sample)>) -> Batch {
    let arrival = Timestamp::from_nanos(START + 400 * 86_400 * SECOND);
    Batch { tenant: TENANT, producer: None, backfill: false, arrival, samples: samples.into() }
}
