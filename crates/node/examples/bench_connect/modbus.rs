//! A thousand Modbus devices.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_connect::{DeviceSpec, Point};
use weir_model::{DataType, TagId};

use crate::process::{Peer, Usage};
use crate::{Bench, Outcome, TENANT, round};

const DEVICES: u32 = 1000;

/// Registers of a device, each a point.
const REGISTERS: u16 = 100;

/// How long the first polls may settle.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) struct Polled {
    pub(crate) core_share: f64,
    pub(crate) numbers: Json,
}

/// Starts the devices, measures for a while, and takes them away.
pub(crate) async fn run(bench: &Bench, time: Duration, empty: &Usage) -> Outcome<Polled> {
    let (_peer, hello) = Peer::start(Command::new(std::env::current_exe()?).arg("--serve"))?;
    let port = hello["port"].as_u64().ok_or("no port")?;
    for n in 0..DEVICES {
        bench.supervisor.apply(device(n, port)?).await?;
    }
    bench.until_online().await?;
    tokio::time::sleep(SETTLE).await;
    bench.stored.historian.flush().await?;
    let missed = || bench.sum(|status| status.counters.missed);
    let (before, samples, skipped) = (Usage::now()?, bench.samples(), missed());
    tokio::time::sleep(time).await;
    bench.stored.historian.flush().await?;
    let (after, samples, skipped) = (Usage::now()?, bench.samples() - samples, missed() - skipped);
    let (elapsed, cpu) = after.since(&before);
    let core_share = cpu / elapsed;
    let numbers = json!({
        "devices": DEVICES,
        "registers_per_device": REGISTERS,
        "seconds": round(elapsed, 1),
        "samples_per_s": (samples as f64 / elapsed).round(),
        "cpu_seconds_per_s": round(core_share, 3),
        "cpu_us_per_poll": round(cpu * 1e6 * f64::from(REGISTERS) / samples as f64, 1),
        "missed_polls": skipped,
        "reconnects": bench.sum(|status| status.counters.reconnects),
        "memory_mib": round((after.memory_kib - empty.memory_kib) as f64 / 1024.0, 1),
    });
    for n in 0..DEVICES {
        bench.supervisor.remove(TENANT, &format!("88.100/d{n}").parse()?).await;
    }
    bench.stored.historian.flush().await?;
    Ok(Polled { core_share, numbers })
}

fn device(n: u32, port: u64) -> Outcome<DeviceSpec> {
    let point = |i: u16| -> Outcome<Point> {
        Ok(Point {
            tag: TagId(1 + n * u32::from(REGISTERS) + u32::from(i)),
            id: format!("88.100/d{n}.p{i}").parse()?,
            name: format!("p{i}"),
            address: json!({"table": "holding", "address": i, "type": "u16"}),
            data_type: DataType::U64,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        })
    };
    Ok(DeviceSpec {
        tenant: TENANT,
        device: format!("88.100/d{n}").parse()?,
        name: format!("device {n}"),
        protocol: "modbus".to_owned(),
        settings: json!({"host": "127.0.0.1", "port": port, "poll_ms": 1000}),
        points: (0..REGISTERS).map(point).collect::<Result<_, _>>()?,
        enabled: true,
        revision: 1,
    })
}

/// Plays all devices, in a process of its own, until its input ends.
pub(crate) fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", json!({"port": listener.local_addr()?.port()}));
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(answer(stream));
        }
    })
}

/// Answers reads of holding registers, whose values change with every read.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 12];
    let mut reads: u16 = 0;
    loop {
        stream.read_exact(&mut request).await?;
        let [t0, t1, _, _, _, _, unit, function, s0, s1, c0, c1] = request;
        let (start, count) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([c0, c1]).min(125));
        reads = reads.wrapping_add(1);
        let bytes = (count * 2) as u8;
        let mut frame = vec![t0, t1, 0, 0, 0, bytes + 3, unit, function, bytes];
        for register in start..start.saturating_add(count) {
            frame.extend(register.wrapping_mul(31).wrapping_add(reads).to_be_bytes());
        }
        stream.write_all(&frame).await?;
    }
}
