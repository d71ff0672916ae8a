//! Measures the store: `cargo xtask bench store [--quick] [--json]`.
//!
//! Commits by 1, 8 and 64 writers who each wait for their commit to be on the disk; the same
//! commits with a flush each, as they would be without sharing one; point reads, reads by index
//! and scans. `--quick` takes some 15 seconds, the whole some 60; `--dir DIR` chooses the disk;
//! `--json` prints one JSON object as the last line.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use weir_model::{Author, RequestId, TenantId, Timestamp};
use weir_store::{Collection, Commit, Expect, History, Index, Options, Schema, Store};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const TENANT: TenantId = TenantId(1);
const RECORDS: u64 = 20_000;

/// A document of the size that a tag has.
#[derive(Serialize, Deserialize)]
struct Document {
    name: String,
    description: String,
    area: String,
    number: u64,
}

struct Documents;

impl Collection for Documents {
    const NAME: &'static str = "documents";
    type Record = Document;
    const HISTORY: History = History::Versions(3);
    const INDEXES: &'static [Index] = &[Index::unique("name"), Index::shared("area")];

    fn index(record: &Document, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &record.name);
        add("area", &record.area);
    }
}

fn document(number: u64) -> (String, Document) {
    let record = Document {
        name: format!("Pressure {number}"),
        description: "Pressure behind the feed pump, as the transmitter tells it".repeat(2),
        area: format!("area {}", number % 100),
        number,
    };
    (format!("88.100/reactor.pressure.{number}"), record)
}

fn commit(number: u64) -> Result<Commit> {
    let author = Author {
        tenant: TENANT,
        principal: "88.100/bench".parse()?,
        cause: "bench.run".into(),
        request: RequestId(u128::from(number)),
    };
    Ok(Commit::new(author, Timestamp::from_system(SystemTime::now())))
}

struct Arguments {
    quick: bool,
    json: bool,
    dir: Option<PathBuf>,
}

fn arguments() -> Result<Arguments> {
    let mut parsed = Arguments { quick: false, json: false, dir: None };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--quick" => parsed.quick = true,
            "--json" => parsed.json = true,
            "--dir" => parsed.dir = Some(given.next().ok_or("--dir needs a folder")?.into()),
            other => {
                return Err(format!("unknown argument {other}: --quick, --json, --dir DIR").into());
            }
        }
    }
    Ok(parsed)
}

#[derive(Serialize)]
struct Commits {
    writers: u64,
    commits_per_s: f64,
    transactions_per_s: f64,
    commits_per_transaction: f64,
    latency_p50_ms: f64,
    latency_p99_ms: f64,
}

#[derive(Serialize)]
struct Measured {
    bench: &'static str,
    seconds_each: f64,
    commits: Vec<Commits>,
    /// 64 writers' commits, each with a flush of its own, and how many times slower that is.
    ungrouped_commits_per_s: f64,
    grouping_gain: f64,
    records: u64,
    load_records_per_s: f64,
    point_reads_per_s: f64,
    index_reads_per_s: f64,
    scan_records_per_s: f64,
    file_mb: f64,
    anonymous_mb: Option<f64>,
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let base = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = base.join(format!("weir-bench-store-{}", std::process::id()));
    let measured = measure(&dir, Duration::from_millis(if arguments.quick { 2000 } else { 8000 }));
    std::fs::remove_dir_all(&dir)?;
    let measured = measured?;
    print(&measured);
    if arguments.json {
        println!("{}", serde_json::to_string(&measured)?);
    }
    Ok(())
}

fn measure(dir: &Path, each: Duration) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let store = Store::open(dir, Schema::new().with::<Documents>(), Options::default())?;
    let begun = Instant::now();
    runtime.block_on(load(&store))?;
    let load_records_per_s = RECORDS as f64 / begun.elapsed().as_secs_f64();
    let next = AtomicU64::new(0);
    let mut commits = Vec::new();
    for writers in [1, 8, 64] {
        commits.push(runtime.block_on(write(&store, writers, each, &next))?);
    }
    let ungrouped_commits_per_s = runtime.block_on(write_one_by_one(&store, each, &next))?;
    let grouped = commits.last().map_or(0.0, |grouped| grouped.commits_per_s);
    let key = |number: u64| document(number.wrapping_mul(7919) % RECORDS).0;
    let point_reads_per_s = repeat(each, |number| {
        let found = store.get::<Documents>(TENANT, &key(number))?;
        Ok(found.map_or(0, |_| 1))
    })?;
    let index_reads_per_s = repeat(each, |number| {
        let name = format!("Pressure {}", number.wrapping_mul(7919) % RECORDS);
        let page = store.by_index::<Documents>(TENANT, "name", &name, None, 1)?;
        Ok(page.items.len() as u64)
    })?;
    let mut after = None;
    let scan_records_per_s = repeat(each, |_| {
        let page = store.list::<Documents>(TENANT, "", after.as_deref(), 500)?;
        after = page.next;
        Ok(page.items.len() as u64)
    })?;
    Ok(Measured {
        bench: "store",
        seconds_each: each.as_secs_f64(),
        commits,
        ungrouped_commits_per_s,
        grouping_gain: grouped / ungrouped_commits_per_s,
        records: store.count::<Documents>(TENANT)?,
        load_records_per_s,
        point_reads_per_s,
        index_reads_per_s,
        scan_records_per_s,
        file_mb: store.stats().file_bytes as f64 / 1e6,
        anonymous_mb: anonymous_mb(),
    })
}

async fn load(store: &Store) -> Result<()> {
    for start in (0..RECORDS).step_by(1000) {
        let mut commit = commit(start)?;
        for number in start..start + 1000 {
            let (key, record) = document(number);
            commit.put::<Documents>(key, &record, Expect::Absent);
        }
        store.commit(commit).await?;
    }
    Ok(())
}

/// Changes one document in one commit, and tells how long it took.
async fn change(store: &Store, number: u64) -> Result<Duration> {
    let (key, mut record) = document(number % RECORDS);
    record.number = number + RECORDS;
    let mut commit = commit(number)?;
    commit.put::<Documents>(key, &record, Expect::Any);
    let begun = Instant::now();
    store.commit(commit).await?;
    Ok(begun.elapsed())
}

async fn write(store: &Store, writers: u64, each: Duration, next: &AtomicU64) -> Result<Commits> {
    let before = store.stats();
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..writers {
        let store = store.clone();
        let first = next.fetch_add(1_000_000, Ordering::Relaxed);
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            for number in first.. {
                if begun.elapsed() >= each {
                    break;
                }
                latencies.push(change(&store, number).await?);
            }
            Result::Ok(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let latency_ms = |share: f64| {
        let at = (latencies.len() as f64 * share) as usize;
        latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    let after = store.stats();
    let (commits, transactions) =
        (after.commits - before.commits, after.transactions - before.transactions);
    Ok(Commits {
        writers,
        commits_per_s: commits as f64 / seconds,
        transactions_per_s: transactions as f64 / seconds,
        commits_per_transaction: commits as f64 / transactions.max(1) as f64,
        latency_p50_ms: latency_ms(0.5),
        latency_p99_ms: latency_ms(0.99),
    })
}

/// 64 writers of whom one writes at a time, so that no two commits share a flush.
async fn write_one_by_one(store: &Store, each: Duration, next: &AtomicU64) -> Result<f64> {
    let turn = std::sync::Arc::new(tokio::sync::Mutex::new(()));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let (store, turn) = (store.clone(), turn.clone());
        let first = next.fetch_add(1_000_000, Ordering::Relaxed);
        tasks.push(tokio::spawn(async move {
            let mut commits = 0_u64;
            while begun.elapsed() < each {
                let turn = turn.lock().await;
                change(&store, first + commits).await?;
                drop(turn);
                commits += 1;
            }
            Result::Ok(commits)
        }));
    }
    let mut commits = 0;
    for task in tasks {
        commits += task.await??;
    }
    Ok(commits as f64 / begun.elapsed().as_secs_f64())
}

/// Repeats a read for half of the time on one thread, and tells what it found a second.
fn repeat(each: Duration, mut read: impl FnMut(u64) -> Result<u64>) -> Result<f64> {
    let begun = Instant::now();
    let (mut found, mut number) = (0, 0);
    while begun.elapsed() < each / 2 {
        for _ in 0..16 {
            found += read(number)?;
            number += 1;
        }
    }
    Ok(found as f64 / begun.elapsed().as_secs_f64())
}

/// Memory of this process that is not a mapped file, where the system tells it.
fn anonymous_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1e3)
}

fn print(measured: &Measured) {
    println!("documents of some 250 bytes, two indexes, three versions kept; durable commits\n");
    println!("writers   commits/s   flushes/s   commits/flush   p50 ms   p99 ms");
    for row in &measured.commits {
        println!(
            "{:7} {:11.0} {:11.0} {:15.1} {:8.2} {:8.2}",
            row.writers,
            row.commits_per_s,
            row.transactions_per_s,
            row.commits_per_transaction,
            row.latency_p50_ms,
            row.latency_p99_ms,
        );
    }
    println!(
        "     64 {:11.0}   with a flush each: sharing flushes is {:.1} times faster\n",
        measured.ungrouped_commits_per_s, measured.grouping_gain
    );
    println!("records loaded/s, 1000 a commit {:12.0}", measured.load_records_per_s);
    println!("point reads/s, one thread       {:12.0}", measured.point_reads_per_s);
    println!("reads by unique index/s         {:12.0}", measured.index_reads_per_s);
    println!("records scanned/s, 500 a page   {:12.0}", measured.scan_records_per_s);
    println!("data file {:.1} MB, {} records", measured.file_mb, measured.records);
    if let Some(anonymous_mb) = measured.anonymous_mb {
        println!("anonymous memory {anonymous_mb:.1} MB");
    }
}
