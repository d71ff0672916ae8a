//! How fast line protocol goes in over HTTP: points a processor second of the server, which runs beside
//! this program, for few tags and for very many.
//!
//! `--quick` ends within a minute, `--json` prints one JSON object as the last line. The program
//! is `weir` beside this one, or `WEIR_BIN`.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value as Json, json};
use weir_it::Weir;
use weir_model::{Sample, TagId, Value};

#[path = "../../../crates/platform/historian/examples/bench_historian/plant.rs"]
mod plant;

use plant::{Plant, mix};

/// Points of one request.
const BATCH: usize = 10_000;

/// Requests that are written before the clock runs, so that writing them does not slow their sending.
const AHEAD: usize = 40;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let quick = has("--quick");
    let all: &[u32] = if quick { &[10_000] } else { &[10_000, 100_000, 1_000_000] };
    let points = if quick { 2_000_000 } else { 10_000_000 };
    println!(
        "line protocol over HTTP, {BATCH} points a request (points a processor second of the server)"
    );
    let mut rows = Vec::new();
    for tags in all {
        rows.push(track(*tags, points)?);
    }
    if has("--json") {
        println!("{}", json!({"bench": "ingest", "line_protocol": rows}));
    }
    Ok(())
}

fn track(tags: u32, points: usize) -> Result<Json> {
    let data = tempfile::tempdir()?;
    let settings = "[historian]\nseries_tags = 2000000\n";
    let weir = Weir::serve_set(data.path(), "127.0.0.1:0", settings, &[])?;
    let token = weir.token(&["sample:write", "tag:write"])?;
    let mut sender = Sender::new(&weir, &token)?;
    let mut plant = Plant::new(&mix(tags));
    let samples = plant.first();
    let mut source = Source { plant, samples, at: 0, moment: 0 };

    // Every tag is made once, and the cache is warm.
    let started = Instant::now();
    for _ in 0..2 * (tags as usize).div_ceil(BATCH) {
        sender.send(&source.next())?;
    }
    let made_s = started.elapsed().as_secs_f64();

    let (mut bytes, mut stored, mut waits) = (0, 0, Vec::new());
    let before = Cpu::of(weir.pid())?;
    while stored < points {
        let ahead: Vec<Body> = (0..AHEAD).map(|_| source.next()).collect();
        for body in ahead {
            let asked = Instant::now();
            sender.send(&body)?;
            waits.push(asked.elapsed().as_secs_f64() * 1e3);
            (stored, bytes) = (stored + body.points, bytes + body.text.len());
        }
    }
    let after = Cpu::of(weir.pid())?;
    let cpu = Cpu { all: after.all - before.all, keeper: after.keeper - before.keeper };
    waits.sort_unstable_by(f64::total_cmp);
    let wait = |percent: usize| waits[waits.len() * percent / 100];
    // Files that are mapped do not count: the system takes their memory back whenever it wants.
    let memory_mb = status(weir.pid(), "RssAnon:")? / 1024;
    let per_s = |seconds: f64| (stored as f64 / seconds.max(1e-3)).round();
    println!(
        "  {tags:9} tags: {:>10.0}, blocks apart {:>10.0}; {:.1} bytes a line; wait {:.1} ms, 99 % {:.1} ms; \
         {memory_mb} MB; {made_s:.1} s until all tags were there",
        per_s(cpu.all),
        per_s(cpu.all - cpu.keeper),
        bytes as f64 / stored as f64,
        wait(50),
        wait(99),
    );
    weir.stop()?;
    Ok(json!({
        "tags": tags,
        "line_protocol_points_per_cpu_s": per_s(cpu.all),
        "line_protocol_points_per_cpu_s_without_blocks": per_s(cpu.all - cpu.keeper),
        "bytes_per_line": bytes as f64 / stored as f64,
        "p50_ms": wait(50),
        "p99_ms": wait(99),
        "memory_mb": memory_mb,
        "create_s": made_s,
    }))
}

/// Lines of a plant, moment after moment.
struct Source {
    plant: Plant,
    samples: Vec<(TagId, Sample)>,
    at: usize,
    moment: i64,
}

/// What one request sends.
struct Body {
    text: String,
    points: usize,
}

impl Source {
    fn next(&mut self) -> Body {
        let mut body = Body { text: String::new(), points: 0 };
        while body.points < BATCH {
            if self.at == self.samples.len() {
                self.samples.clear();
                self.at = 0;
                self.plant.read(self.moment, &mut self.samples);
                self.moment += 1;
            }
            let (tag, sample) = &self.samples[self.at];
            self.at += 1;
            body.points += usize::from(line(*tag, sample, &mut body.text));
        }
        body
    }
}

/// Appends a sample as a line; a sample without a value has none.
fn line(tag: TagId, sample: &Sample, out: &mut String) -> bool {
    let Some(value) = &sample.value else { return false };
    let (number, line) = (tag.0, tag.0 / 1000);
    // Writing into a string does not fail.
    let _ = write!(out, "machine_{number},site=chengdu,line={line} value=");
    let _ = match value {
        Value::F64(x) => write!(out, "{x}"),
        Value::I64(x) | Value::Enumeration(x) => write!(out, "{x}i"),
        Value::U64(x) => write!(out, "{x}u"),
        Value::Bool(x) => write!(out, "{x}"),
        Value::Text(text) => write!(out, "\"{text}\""),
        _ => return false,
    };
    let _ = writeln!(out, " {}", sample.time.nanos());
    true
}

/// A connection that is kept.
struct Sender {
    stream: TcpStream,
    head: String,
}

impl Sender {
    fn new(weir: &Weir, token: &str) -> Result<Self> {
        let url = weir.ready_text("url");
        let address = url.strip_prefix("http://").context("it listens without TLS")?;
        let stream = TcpStream::connect(address.trim_end_matches('/'))?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /api/v2/write HTTP/1.1\r\nhost: {address}\r\nauthorization: Token {token}\r\n"
        );
        Ok(Self { stream, head })
    }

    fn send(&mut self, body: &Body) -> Result<()> {
        let head = format!("{}content-length: {}\r\n\r\n", self.head, body.text.len());
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(body.text.as_bytes())?;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the connection ended");
            answer.extend_from_slice(&part[..read]);
        }
        let answer = String::from_utf8_lossy(&answer);
        if !answer.starts_with("HTTP/1.1 204") {
            bail!("it answered {answer}");
        }
        Ok(())
    }
}

/// Processor seconds of a process: of all its threads, and of the one that writes blocks.
#[derive(Debug, Clone, Copy)]
struct Cpu {
    all: f64,
    keeper: f64,
}

impl Cpu {
    fn of(pid: u32) -> Result<Self> {
        // Threads that have ended count in the process' own numbers alone, which are hundredths.
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let behind_name = text.rsplit(") ").next().unwrap_or_default();
        let fields = behind_name.split(' ').skip(11).take(2);
        let all = fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0;
        let mut keeper = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = thread?.path();
            let read = |name| std::fs::read_to_string(path.join(name)).unwrap_or_default();
            if read("comm").trim() == "weir-keeper" {
                let nanos = read("schedstat").split(' ').next().unwrap_or_default().parse::<f64>();
                keeper = nanos.unwrap_or(0.0) / 1e9;
            }
        }
        Ok(Self { all, keeper })
    }
}

/// A line of a process's status, in KiB.
fn status(pid: u32, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
