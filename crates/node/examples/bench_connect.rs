//! What many devices take of this machine: a thousand Modbus devices of a hundred registers polled
//! each second, then one OPC UA server with fifty thousand watched items, all through drivers,
//! supervisor and historian as a node has them; what the historian keeps is written to blocks within
//! the time that is measured. The devices are other processes, so the CPU
//! time and the memory of this one are ours alone, as Linux counts them.
//!
//! `WEIR_VENV=... cargo run -p weir-node --example bench_connect -- [--quick] [--json]`; without the
//! Python environment of `cargo xtask test` the OPC UA part is left out.

#[path = "bench_connect/modbus.rs"]
mod modbus;
#[path = "bench_connect/opcua.rs"]
mod opcua;
#[path = "bench_connect/process.rs"]
mod process;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use weir_connect::{DeviceStatus, Driver, Options, Refused, Sink, State, Supervisor};
use weir_historian::Historian;
use weir_modbus::ModbusDriver;
use weir_model::{Batch, TenantId};
use weir_opcua::OpcUaDriver;

use process::Usage;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const TENANT: TenantId = TenantId(1);

/// How long anything may take to come up before the bench gives up.
const READY_MAX: Duration = Duration::from_secs(40);

/// Stores what comes, as the node does, and counts it.
struct Stored {
    historian: Historian,
    samples: AtomicU64,
}

#[async_trait]
impl Sink for Stored {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        let count = batch.samples.len() as u64;
        self.historian.append(batch).await.map_err(|error| Refused::Later(error.to_string()))?;
        self.samples.fetch_add(count, Relaxed);
        Ok(())
    }
}

struct Bench {
    supervisor: Supervisor,
    stored: Arc<Stored>,
}

impl Bench {
    fn new(dir: &Path) -> Outcome<Self> {
        let historian =
            Historian::open(&dir.join("historian"), weir_historian::Options::default())?;
        let stored = Arc::new(Stored { historian, samples: AtomicU64::new(0) });
        let drivers: Vec<Arc<dyn Driver>> =
            vec![Arc::new(ModbusDriver::new()), Arc::new(OpcUaDriver::new(dir.join("opcua")))];
        let sink = Arc::clone(&stored) as Arc<dyn Sink>;
        let supervisor = Supervisor::new(drivers, sink, Options::new(dir.join("spool")))?;
        Ok(Self { supervisor, stored })
    }

    fn samples(&self) -> u64 {
        self.stored.samples.load(Relaxed)
    }

    fn sum(&self, counter: impl Fn(&DeviceStatus) -> u64) -> u64 {
        self.supervisor.statuses(TENANT).iter().map(counter).sum()
    }

    /// Waits until something is so; an error says what the first device that is not online says.
    async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) -> Outcome<()> {
        let deadline = Instant::now() + READY_MAX;
        while !condition(self) {
            if Instant::now() > deadline {
                let statuses = self.supervisor.statuses(TENANT);
                let late = statuses.iter().find(|status| status.state != State::Online);
                return Err(format!("not in time: {what}; {late:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn until_online(&self) -> Outcome<()> {
        let online = |s: &DeviceStatus| u64::from(s.state != State::Online);
        self.until("all devices online", |bench| bench.sum(online) == 0).await
    }
}

async fn run(quick: bool) -> Outcome<Json> {
    let dir = tempfile::tempdir()?;
    let bench = Bench::new(dir.path())?;
    // Its address space takes a while, which is the server's time and not ours.
    let server = std::env::var_os("WEIR_VENV")
        .map(|venv| tokio::task::spawn_blocking(move || opcua::start(Path::new(&venv))));
    let empty = Usage::now()?;
    let sweeps = if quick { 1 } else { 5 };
    let time = Duration::from_secs(if quick { 15 } else { 60 });
    let modbus = modbus::run(&bench, time, &empty).await?;
    println!("modbus: {}", modbus.numbers);
    let watched = match server {
        Some(server) => opcua::run(&bench, server.await??, sweeps).await?,
        None => Json::Null,
    };
    let both = watched["core_share_if_each_changes_once_a_second"].as_f64();
    let lost = bench.supervisor.delivery().dropped_samples;
    bench.supervisor.shutdown().await;
    Ok(json!({
        "bench": "connect",
        "modbus": modbus.numbers,
        "opcua": watched,
        "core_share_of_both": both.map(|share| round(share + modbus.core_share, 3)),
        "dropped_samples": lost,
    }))
}

/// Rounded to so many digits behind the point.
fn round(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}

fn main() -> Outcome<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--serve") {
        return modbus::serve();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(has("--quick")))?;
    if has("--json") {
        println!("{result}");
    } else {
        println!("{result:#}");
    }
    Ok(())
}
