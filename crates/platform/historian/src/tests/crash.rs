//! A process that is killed loses nothing it acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_model::{Sample, TagId, Value};

use super::*;

/// Set for the process that is killed: its folder.
const CHILD_DIR: &str = "WEIR_HISTORIAN_CRASH_DIR";

const PRODUCERS: u64 = 4;

const KILLS: u64 = 20;

/// Not a test by itself: appends without end and prints what was acknowledged.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    // Small bounds, so that it is killed while it flushes and merges, too.
    let options = Options {
        memory_bytes_max: 256 << 10,
        segment_bytes: 64 << 10,
        day_blocks_max: 3,
        block_rows_max: 2000,
        ..options()
    };
    runtime.block_on(async {
        let historian = Historian::open(dir.as_ref(), options).unwrap();
        let writers = (0..PRODUCERS).map(|producer| {
            let historian = historian.clone();
            tokio::spawn(async move {
                let next = historian.last(TENANT, TagId(producer as u32)).map(|s| s.value);
                let next = match next {
                    Some(Some(Value::U64(sequence))) => sequence + 1,
                    _ => 0,
                };
                for sequence in next.. {
                    let batch = crash_batch(producer, sequence);
                    let appended = historian.append(batch).await.unwrap();
                    let line = format!("ack {producer} {sequence} {}\n", appended.duplicate);
                    // One write, so that lines stay whole.
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let merger = historian.clone();
        tokio::spawn(async move { while merger.compact().await.is_ok() {} });
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

fn crash_batch(producer: u64, sequence: u64) -> Batch {
    let samples = (0..50).map(|index| {
        let time = at((sequence as i64 * 50 + index) * SECOND / 100);
        (TagId(producer as u32), Sample::good(time, Value::U64(sequence)))
    });
    produced(&format!("p{producer}"), sequence, samples.collect::<Samples>())
}

/// Starts the child, kills it after so long, and gives the sequences it acknowledged.
fn run_and_kill(dir: &Path, lifetime: Duration) -> BTreeMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::crash::child", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = BTreeMap::new();
    let mut deadline = None;
    for line in output.lines() {
        let line = line.unwrap();
        // What the test runner prints may stand before the first one, and a kill may cut the last.
        let Some(ack) = line.split("ack ").nth(1) else { continue };
        let fields: Vec<&str> = ack.split(' ').collect();
        let [producer, sequence, "true" | "false"] = fields[..] else { continue };
        assert_eq!(fields[2], "false", "the child never repeats what is stored");
        acknowledged.insert(producer.parse().unwrap(), sequence.parse().unwrap());
        // Its life counts from its first acknowledgement.
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + lifetime);
        if Instant::now() >= deadline {
            // Kills with SIGKILL; what it had printed is still read.
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "it ended by itself: {status}");
    acknowledged
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for round in 0..KILLS {
        // Spread over a few flushes and merges, different in every round.
        let lifetime = Duration::from_micros(500 + (round * 77_191) % 150_000);
        acknowledged.extend(run_and_kill(dir.path(), lifetime));
        let opening = Instant::now();
        let historian = open(dir.path());
        assert!(opening.elapsed() < Duration::from_secs(1), "{:?}", opening.elapsed());
        runtime.block_on(async {
            for (producer, sequence) in &acknowledged {
                let samples = all(&historian, *producer as u32).await;
                let stored = samples.len() as u64 / 50;
                assert!(stored > *sequence, "{stored} batches are there, {sequence} was told");
                // Each batch whole, and once.
                for (index, sample) in samples.iter().enumerate() {
                    assert_eq!(sample.value, Some(Value::U64(index as u64 / 50)));
                    assert_eq!(sample.time, at(index as i64 * SECOND / 100));
                }
                assert_eq!(samples.len() as u64 % 50, 0);
                let again = historian.append(crash_batch(*producer, *sequence)).await.unwrap();
                assert!(again.duplicate);
            }
        });
        let stats = historian.stats();
        let batches: u64 = stats.samples / 50;
        assert_eq!(stats.position, batches, "every batch has a position of its own");
    }
}
