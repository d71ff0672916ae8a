//! The outside ledger: what the node acknowledged, kept by somebody else, and the kill cycles that
//! hold the node to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value as Json, json};
use weir_model::Timestamp;

use crate::{Api, Weir, encode};

/// Samples in one batch of the load.
const BATCH: u64 = 20;

/// Writers of samples; one more writes documents.
const WRITERS: usize = 3;

/// What was acknowledged.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Tag -> nanoseconds -> value.
    samples: BTreeMap<String, BTreeMap<i64, i64>>,
    /// Asset -> the highest acknowledged version.
    assets: BTreeMap<String, String>,
}

impl Ledger {
    /// How many samples were acknowledged.
    pub fn samples(&self) -> usize {
        self.samples.values().map(BTreeMap::len).sum()
    }

    /// How many documents were acknowledged.
    pub fn documents(&self) -> usize {
        self.assets.len()
    }

    /// Every entry must be there, as it was acknowledged.
    ///
    /// # Errors
    /// Names what is missing.
    pub fn check(&self, api: &Api) -> anyhow::Result<()> {
        for (tag, expected) in &self.samples {
            let mut found = BTreeMap::new();
            let times: Vec<i64> = expected.keys().copied().collect();
            for window in times.chunks(5_000) {
                let (Some(first), Some(last)) = (window.first(), window.last()) else { continue };
                let from = Timestamp::from_nanos(*first);
                let to = Timestamp::from_nanos(last + 1);
                let path = format!(
                    "/api/v1/tags/{}/samples?from={from}&to={to}&max_points=100000",
                    encode(tag)
                );
                for sample in api.fetch(&path)?["samples"].as_array().context("no samples")? {
                    let time: Timestamp = sample["time"].as_str().unwrap_or_default().parse()?;
                    found.insert(time.nanos(), integer(&sample["value"])?);
                }
            }
            for (time, value) in expected {
                ensure!(
                    found.get(time) == Some(value),
                    "{tag} at {} was acknowledged as {value} and is now {:?}",
                    Timestamp::from_nanos(*time),
                    found.get(time)
                );
            }
        }
        for (asset, name) in &self.assets {
            let document = api.fetch(&format!("/api/v1/assets/{}", encode(asset)))?;
            ensure!(
                document["name"] == name.as_str(),
                "{asset} was acknowledged as {name}: {document}"
            );
        }
        Ok(())
    }
}

fn integer(value: &Json) -> anyhow::Result<i64> {
    match value {
        Json::String(text) => Ok(text.parse()?),
        other => other.as_i64().with_context(|| format!("{other} is not an integer")),
    }
}

/// Kills a node under load `cycles` times; after each start everything acknowledged must be there.
/// Calls `report` after each cycle with its number, the ledger and the start's duration.
///
/// # Errors
/// Names what was lost.
pub fn kill_cycles(
    data: &Path,
    cycles: u32,
    mut report: impl FnMut(u32, &Ledger, Duration),
) -> anyhow::Result<()> {
    let weir = Weir::serve(data)?;
    let api = weir.api();
    let scopes =
        ["tag:read", "tag:write", "asset:read", "asset:write", "sample:read", "sample:write"];
    let token = weir.token(&scopes)?;
    let tags: Vec<String> = (0..WRITERS)
        .map(|n| {
            let body = json!({ "name": format!("ledger {n}"), "data_type": "i64" });
            let made = api.with_token(&token).post("/api/v1/tags", &body)?;
            Ok(made["id"].as_str().context("no id")?.to_owned())
        })
        .collect::<anyhow::Result<_>>()?;
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let mut running = weir;
    for cycle in 0..cycles {
        let api = running.api().with_token(&token);
        load_until_killed(running, &api, &tags, &ledger, cycle)?;
        running = Weir::serve(data)?;
        let api = running.api().with_token(&token);
        let ledger = ledger.lock().map_err(|_| anyhow::anyhow!("a writer panicked"))?;
        // The whole ledger grows with the square of the cycles; now and then is often enough, and
        // always at the end.
        if cycle % 10 == 9 || cycle + 1 == cycles || cycle < 10 {
            ledger.check(&api).with_context(|| format!("after kill {}", cycle + 1))?;
        }
        report(cycle + 1, &ledger, running.ready_after);
    }
    running.stop()
}

fn load_until_killed(
    weir: Weir,
    api: &Api,
    tags: &[String],
    ledger: &Arc<Mutex<Ledger>>,
    cycle: u32,
) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for tag in tags {
        let (api, tag, ledger, stop) = (api.clone(), tag.clone(), ledger.clone(), stop.clone());
        writers.push(std::thread::spawn(move || write_samples(&api, &tag, &ledger, &stop)));
    }
    let (api, book, ended) = (api.clone(), ledger.clone(), stop.clone());
    writers.push(std::thread::spawn(move || write_assets(&api, &book, &ended, cycle)));
    let mut random = [0u8; 2];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    std::thread::sleep(Duration::from_millis(100 + u64::from(u16::from_le_bytes(random) % 400)));
    weir.kill();
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?;
    }
    Ok(())
}

fn write_samples(api: &Api, tag: &str, ledger: &Mutex<Ledger>, stop: &AtomicBool) {
    let start = Timestamp::from_system(std::time::SystemTime::now()).nanos();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let first = start + number * BATCH as i64;
        let batch: Vec<(i64, i64)> =
            (first..first + BATCH as i64).map(|t| (t, t ^ 0x5a5a)).collect();
        let samples: Vec<Json> = batch
            .iter()
            .map(|(time, value)| {
                let time = Timestamp::from_nanos(*time);
                json!({ "tag": tag, "time": time, "value": value.to_string() })
            })
            .collect();
        let body = json!({ "producer": tag, "sequence": first, "samples": samples });
        match api.json("POST", "/api/v1/samples", &body) {
            Ok(answer) if answer.status == 200 => {
                let Ok(mut ledger) = ledger.lock() else { return };
                ledger.samples.entry(tag.to_owned()).or_default().extend(batch);
            }
            Ok(answer) => panic!("a batch was refused: {} {}", answer.status, answer.text),
            Err(_) => return,
        }
    }
}

fn write_assets(api: &Api, ledger: &Mutex<Ledger>, stop: &AtomicBool, cycle: u32) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("asset {cycle} {number}");
        let body = json!({ "name": name, "level": "equipment_module" });
        match api.json("POST", "/api/v1/assets", &body) {
            Ok(answer) if answer.status == 201 => {
                let json = answer.json();
                let Some(id) = json["id"].as_str() else { panic!("no id: {}", answer.text) };
                let Ok(mut ledger) = ledger.lock() else { return };
                ledger.assets.insert(id.to_owned(), name);
            }
            Ok(answer) => panic!("an asset was refused: {} {}", answer.status, answer.text),
            Err(_) => return,
        }
    }
}
