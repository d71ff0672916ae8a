//! Fifty thousand watched items of one OPC UA server, by five connections: a device has at most ten
//! thousand points.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use weir_connect::{DeviceSpec, Point};
use weir_model::{DataType, TagId, Value};

use crate::process::{Peer, Usage};
use crate::{Bench, Outcome, TENANT, round};

const DEVICES: u32 = 5;

const ITEMS_PER_DEVICE: u32 = 10_000;

const ITEMS: u32 = DEVICES * ITEMS_PER_DEVICE;

/// The first tag; those of the Modbus devices lie below.
const FIRST: u32 = 1_000_000;

/// The server, whose values stand still.
pub(crate) struct Server {
    peer: Peer,
    settings: Json,
    _dir: tempfile::TempDir,
}

/// Starts the server in a process of its own.
pub(crate) fn start(venv: &Path) -> Outcome<Server> {
    let dir = tempfile::tempdir()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop/opcua/server.py");
    let mut command = Command::new(venv.join("bin/python"));
    command.arg(script).args(["--port", "0", "--dir"]).arg(dir.path());
    let (mut peer, mut hello) = Peer::start(&mut command)?;
    peer.ask(&json!({"do": "many", "count": ITEMS}))?;
    Ok(Server { peer, settings: hello["settings"].take(), _dir: dir })
}

/// Connects to the server and changes all its values some times.
pub(crate) async fn run(bench: &Bench, mut server: Server, sweeps: u32) -> Outcome<Json> {
    let before = Usage::now()?;
    for n in 0..DEVICES {
        bench.supervisor.apply(device(n, &server.settings)?).await?;
    }
    bench.until_online().await?;
    bench.until("the first values", |b| all_are(b, 0.0)).await?;
    let ready = Usage::now()?;
    let (connected, _) = ready.since(&before);
    bench.stored.historian.flush().await?;
    let (mut elapsed, mut cpu) = (0.0, 0.0);
    for value in (1..=sweeps).map(f64::from) {
        let before = Usage::now()?;
        let started = Instant::now();
        server = tokio::task::spawn_blocking(move || -> Outcome<Server> {
            server.peer.ask(&json!({"do": "sweep", "count": ITEMS, "value": value}))?;
            Ok(server)
        })
        .await??;
        bench.until("the changed values", |b| all_are(b, value)).await?;
        // What is watched changes in steps of the publishing interval: the longest is 500 ms.
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.stored.historian.flush().await?;
        let (_, used) = Usage::now()?.since(&before);
        elapsed += started.elapsed().as_secs_f64();
        cpu += used;
    }
    let us_per_value = cpu * 1e6 / f64::from(sweeps * ITEMS);
    Ok(json!({
        "items": ITEMS,
        "connections": DEVICES,
        "seconds_until_all_values": round(connected, 1),
        "values_per_s_of_the_server": (f64::from(sweeps * ITEMS) / elapsed).round(),
        "cpu_us_per_value": round(us_per_value, 2),
        "core_share_if_each_changes_once_a_second": round(us_per_value * f64::from(ITEMS) / 1e6, 3),
        "memory_mib": round(ready.memory_kib.saturating_sub(before.memory_kib) as f64 / 1024.0, 1),
    }))
}

fn all_are(bench: &Bench, value: f64) -> bool {
    let wanted = Some(Value::F64(value));
    let historian = &bench.stored.historian;
    (0..ITEMS).rev().all(|i| {
        historian.last(TENANT, TagId(FIRST + i)).is_some_and(|sample| sample.value == wanted)
    })
}

fn device(n: u32, settings: &Json) -> Outcome<DeviceSpec> {
    let mut settings = settings.clone();
    for (name, ms) in [
        ("timeout_ms", 30_000),
        ("keep_alive_ms", 10_000),
        ("publishing_ms", 500),
        ("sampling_ms", 500),
    ] {
        settings[name] = json!(ms);
    }
    let first = n * ITEMS_PER_DEVICE;
    let point = |i: u32| -> Outcome<Point> {
        Ok(Point {
            tag: TagId(FIRST + i),
            id: format!("88.100/ua.m{i}").parse()?,
            name: format!("m{i}"),
            address: json!({"node": format!("nsu=urn:weir:peer;s=m{i}")}),
            data_type: DataType::F64,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        })
    };
    Ok(DeviceSpec {
        tenant: TENANT,
        device: format!("88.100/ua{n}").parse()?,
        name: format!("server, part {n}"),
        protocol: "opcua".to_owned(),
        settings,
        points: (first..first + ITEMS_PER_DEVICE).map(point).collect::<Result<_, _>>()?,
        enabled: true,
        revision: 1,
    })
}
