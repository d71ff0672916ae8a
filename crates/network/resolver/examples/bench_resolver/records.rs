//! The records, and requests for them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use weir_handle::{Draft, Envelope, Flags, Header, OpCode, Request, Value};
use weir_model::{Author, Identifier, Prefix, RequestId, TenantId, Timestamp};
use weir_resolver::{HomedPrefix, Prefixes, Registry, Values};
use weir_store::{Commit, Expect, Options, Schema, Store};

use crate::Result;
use crate::process::of_threads;

const TENANT: TenantId = TenantId(1);
const PREFIX: &str = "88.1000";

/// Records of one commit.
const BATCH: u32 = 1000;

/// Commits that wait for the disk at a time, so that the next one is made meanwhile.
const WAITING: usize = 8;

/// Bytes of the values of a record.
const RECORD_BYTES: usize = 300;

/// Most requests that are made beforehand.
const REQUESTS_MAX: u32 = 1 << 18;

pub(crate) struct Registered {
    pub(crate) per_s: f64,
    pub(crate) cpu_us: f64,
    pub(crate) single_per_s: f64,
    pub(crate) file_mb: f64,
}

pub(crate) fn open(dir: &Path) -> Result<Store> {
    Ok(Store::open(dir, weir_resolver::schema(Schema::new()), Options::default())?)
}

/// Registers the records, and then as many singly as there is time for.
pub(crate) fn register(dir: &Path, records: u32, each: Duration) -> Result<Registered> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let store = open(dir)?;
    let registry = Arc::new(runtime.block_on(home(&store))?);
    let process = std::process::id();
    let before = of_threads(process, "")?;
    let begun = Instant::now();
    runtime.block_on(in_batches(&registry, records))?;
    let per_s = f64::from(records) / begun.elapsed().as_secs_f64();
    let cpu_us = of_threads(process, "")?.since(&before).all_us() / f64::from(records);
    let single_per_s = runtime.block_on(singly(&registry, records, each * 2))?;
    let file_mb = store.stats().file_bytes as f64 / 1e6;
    Ok(Registered { per_s, cpu_us, single_per_s, file_mb })
}

async fn home(store: &Store) -> Result<Registry> {
    let mut commit = commit()?;
    let homed = HomedPrefix::new(Prefix::parse(PREFIX)?, TENANT);
    commit.put_in::<Prefixes>(TenantId::NODE, PREFIX, &homed, Expect::Absent);
    store.commit(commit).await?;
    Ok(Registry::open(store.clone())?)
}

async fn in_batches(registry: &Arc<Registry>, records: u32) -> Result<()> {
    let store = registry.store();
    let mut waiting = std::collections::VecDeque::new();
    for first in (0..records).step_by(BATCH as usize) {
        let mut commit = commit()?;
        store.read(|snap| {
            for number in first..records.min(first + BATCH) {
                registry.put(snap, &mut commit, &identifier(number)?, values(number))?;
            }
            Result::Ok(())
        })?;
        if waiting.len() == WAITING {
            finish(waiting.pop_front()).await?;
        }
        let store = store.clone();
        waiting.push_back(tokio::spawn(async move { store.commit(commit).await }));
    }
    while !waiting.is_empty() {
        finish(waiting.pop_front()).await?;
    }
    Ok(())
}

type Written = std::result::Result<weir_store::Receipt, weir_store::CommitError>;

async fn finish(task: Option<tokio::task::JoinHandle<Written>>) -> Result<()> {
    if let Some(task) = task {
        task.await??;
    }
    Ok(())
}

async fn singly(registry: &Arc<Registry>, records: u32, each: Duration) -> Result<f64> {
    let next = Arc::new(AtomicU32::new(records));
    let begun = Instant::now();
    let clients = (0..64).map(|_| {
        let (registry, next) = (Arc::clone(registry), Arc::clone(&next));
        tokio::spawn(async move {
            while begun.elapsed() < each {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let mut commit = commit()?;
                let id = identifier(number)?;
                registry
                    .store()
                    .read(|snap| registry.put(snap, &mut commit, &id, values(number)))?;
                registry.store().commit(commit).await?;
            }
            Result::Ok(())
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    let written = next.load(Ordering::Relaxed) - records;
    Ok(f64::from(written) / begun.elapsed().as_secs_f64())
}

fn commit() -> Result<Commit> {
    let author = Author {
        tenant: TENANT,
        principal: "88.1000/bench".parse()?,
        cause: "bench.register".into(),
        request: RequestId(1),
    };
    Ok(Commit::new(author, Timestamp::from_system(SystemTime::now())))
}

fn name(number: u32) -> String {
    format!("{PREFIX}/21.06901234567892.{number:08}")
}

fn identifier(number: u32) -> Result<Identifier> {
    Ok(Identifier::parse(&name(number))?)
}

/// A link and words that fill the record.
fn values(number: u32) -> Values {
    let link = format!("https://example.com/products/{number:08}/passport");
    let words = format!("Valve body, cast, lot {number:08}, inspected. ");
    let link = Value::new(1, b"URL", link.as_bytes(), 1_790_000_000);
    let least = Values::of(&[link, Value::new(2, b"DESC", b"", 1_790_000_000)]).bytes();
    let text: String = words.chars().cycle().take(RECORD_BYTES - least).collect();
    Values::of(&[link, Value::new(2, b"DESC", text.as_bytes(), 1_790_000_000)])
}

/// Requests for records in no order, whole messages; the request id is the place.
pub(crate) fn requests(records: u32, certified: bool) -> Vec<Vec<u8>> {
    /// A number without common factors with the numbers of records: it visits them in no order.
    const STEP: u64 = 2_654_435_761;
    let number = |place: u32| (u64::from(place) * STEP % u64::from(records)) as u32;
    let flags = Flags::PUBL | Flags::RECU;
    let flags = if certified { flags | Flags::CERT | Flags::CACR } else { flags };
    (0..records.min(REQUESTS_MAX))
        .map(|place| {
            let mut out = Vec::new();
            let header = Header::request(OpCode::Resolution, flags, 2_000_000_000);
            let mut draft = Draft::begin(&mut out, &Envelope::request(place), &header);
            Request::resolution(name(number(place)).as_bytes()).encode(draft.body());
            draft.finish();
            out
        })
        .collect()
}
