//! What polling costs: CPU time a register, with coalesced and with single requests, against a
//! server in another thread of this process; and CPU time of a supervisor with many devices.
//!
//! `cargo run -p weir-modbus --example bench_modbus -- [--quick] [--json]`
//!
//! CPU time is that of the polling thread alone, as Linux counts it (`/proc/thread-self/schedstat`).

use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response};
use weir_connect::{
    Circumstances, DeviceSpec, Driver, Options, Point, Refused, Sink, State, Supervisor,
    SystemClock,
};
use weir_modbus::ModbusDriver;
use weir_model::{Batch, DataType, TagId, TenantId};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Points of one device, every second register: what lies between is read along.
const POINTS: u16 = 100;

/// Devices under one supervisor, below the usual limit of 1024 open files for both ends.
const DEVICES: u32 = 400;

struct Peer;

impl Service for Peer {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(match request {
            Request::ReadHoldingRegisters(start, count) => {
                Ok(Response::ReadHoldingRegisters((start..start + count).collect()))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

/// Starts the server in a thread of its own and says its port.
fn serve() -> Outcome<u16> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> Outcome<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            tell.send(listener.local_addr()?.port())?;
            let on_connected = |stream: TcpStream, address: SocketAddr| async move {
                accept_tcp_connection(stream, address, |_| Ok(Some(Arc::new(Peer))))
            };
            Server::new(listener).serve(&on_connected, |_| {}).await?;
            Ok(())
        })
    });
    Ok(told.recv()?)
}

#[derive(Default)]
struct Count(AtomicU64);

#[async_trait]
impl Sink for Count {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        self.0.fetch_add(batch.samples.len() as u64, Relaxed);
        Ok(())
    }
}

fn spec(n: u32, port: u16, step: u16, settings: Json) -> Outcome<DeviceSpec> {
    let mut all = json!({"host": "127.0.0.1", "port": port});
    if let (Some(all), Json::Object(settings)) = (all.as_object_mut(), settings) {
        all.extend(settings);
    }
    let point = |i: u16| -> Outcome<Point> {
        Ok(Point {
            tag: TagId(n * u32::from(POINTS) + u32::from(i)),
            id: format!("88.100/d{n}.p{i}").parse()?,
            name: format!("p{i}"),
            address: json!({"table": "holding", "address": i * step, "type": "u16"}),
            data_type: DataType::U64,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        })
    };
    Ok(DeviceSpec {
        tenant: TenantId(1),
        device: format!("88.100/d{n}").parse()?,
        name: format!("device {n}"),
        protocol: "modbus".to_owned(),
        settings: all,
        points: (0..POINTS).map(point).collect::<Result<_, _>>()?,
        enabled: true,
        revision: 1,
    })
}

/// CPU time that this thread has used.
fn cpu() -> Outcome<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}

/// CPU nanoseconds a register and registers a second, polling one device as fast as it answers.
async fn poll(port: u16, settings: Json, time: Duration) -> Outcome<(f64, f64)> {
    let spec = Arc::new(spec(0, port, 2, settings)?);
    let indexes: Vec<usize> = (0..spec.points.len()).collect();
    let mut session =
        ModbusDriver::new().connect(spec, Circumstances::new(Arc::new(SystemClock))).await?;
    session.read(&indexes).await?;
    let (started, cpu_before) = (Instant::now(), cpu()?);
    let mut registers = 0;
    while started.elapsed() < time {
        registers += session.read(&indexes).await?.len();
    }
    let used = cpu()? - cpu_before;
    let count = registers as f64;
    Ok((used.as_nanos() as f64 / count, count / started.elapsed().as_secs_f64()))
}

/// The part of one core that a supervisor takes for devices of 100 registers polled each second.
async fn supervise(port: u16, time: Duration) -> Outcome<Json> {
    let dir = tempfile::tempdir()?;
    let sink = Arc::new(Count::default());
    let driver = Arc::new(ModbusDriver::new()) as Arc<dyn Driver>;
    let supervisor = Supervisor::new(
        vec![driver],
        Arc::clone(&sink) as Arc<dyn Sink>,
        Options::new(dir.path()),
    )?;
    for n in 0..DEVICES {
        supervisor.apply(spec(n, port, 1, json!({}))?).await?;
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while supervisor.statuses(TenantId(1)).iter().any(|s| s.state != State::Online) {
        if Instant::now() > deadline {
            return Err("the devices did not come online".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (started, cpu_before, before) = (Instant::now(), cpu()?, sink.0.load(Relaxed));
    tokio::time::sleep(time).await;
    let elapsed = started.elapsed().as_secs_f64();
    let used = (cpu()? - cpu_before).as_secs_f64();
    let samples = (sink.0.load(Relaxed) - before) as f64;
    let missed: u64 = supervisor.statuses(TenantId(1)).iter().map(|s| s.counters.missed).sum();
    supervisor.shutdown().await;
    Ok(json!({
        "devices": DEVICES,
        "registers_per_device": POINTS,
        "samples_per_s": (samples / elapsed).round(),
        "core_share": (used / elapsed * 1e4).round() / 1e4,
        "cpu_ns_per_register": (used * 1e9 / samples).round(),
        "missed_polls": missed,
        "devices_per_core": (f64::from(DEVICES) * elapsed / used).round(),
    }))
}

fn main() -> Outcome<()> {
    let has = |flag: &str| std::env::args().any(|a| a == flag);
    let time = Duration::from_secs(if has("--quick") { 3 } else { 15 });
    let port = serve()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let (coalesced_ns, coalesced_rate) = poll(port, json!({}), time).await?;
        let (single_ns, single_rate) = poll(port, json!({"gap_registers": 0}), time).await?;
        let supervised = supervise(port, time).await?;
        Outcome::Ok(json!({
            "bench": "modbus",
            "coalesced": {
                "cpu_ns_per_register": coalesced_ns.round(),
                "registers_per_s": coalesced_rate.round(),
            },
            "single": {
                "cpu_ns_per_register": single_ns.round(),
                "registers_per_s": single_rate.round(),
            },
            "single_to_coalesced": (single_ns / coalesced_ns * 10.0).round() / 10.0,
            "supervised": supervised,
        }))
    })?;
    if has("--json") {
        println!("{result}");
    } else {
        println!("{result:#}");
    }
    Ok(())
}
