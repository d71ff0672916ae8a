//! The driver against devices made of pymodbus, an implementation that nobody here wrote
//! (`tests/interop/modbus/device.py`).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "it/bench.rs"]
mod bench;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};
use weir_connect::{Driver, ErrorKind, State};
use weir_model::{Quality, Value};

use bench::{Bench, holding, impatient, spec};

const EXCEPTIONS: u16 = 9000;
const MISSING: u16 = 500;

/// A device in a process of its own; it ends with this value.
struct Peer {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    port: u16,
    points: Vec<Json>,
}

impl Peer {
    fn start(port: u16) -> Self {
        let Some(venv) = std::env::var_os("WEIR_VENV") else {
            panic!("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV");
        };
        let script =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/interop/modbus/device.py");
        let mut process = Command::new(Path::new(&venv).join("bin/python"))
            .args([script, "--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the peer");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("the peer's output"));
        let mut peer = Self { process, input, output, port: 0, points: Vec::new() };
        let mut hello = peer.line();
        peer.port = hello["port"].as_u64().expect("a port") as u16;
        peer.points = hello["points"].as_array_mut().map(std::mem::take).expect("points");
        peer
    }

    fn line(&mut self) -> Json {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("read from the peer");
        serde_json::from_str(&line).expect("the peer speaks JSON lines")
    }

    fn ask(&mut self, command: &Json) -> Json {
        let input = self.input.as_mut().expect("the peer's input");
        writeln!(input, "{command}").expect("write to the peer");
        self.line()
    }

    fn mode(&mut self, mode: &str, seconds: f64) {
        self.ask(&json!({"do": "mode", "mode": mode, "seconds": seconds}));
    }

    fn registers(&mut self, address: u64, count: u64) -> Json {
        self.ask(&json!({"do": "registers", "address": address, "count": count}))["registers"]
            .take()
    }

    /// `kill -9`, and waits until it is gone.
    fn kill(mut self) -> u16 {
        self.process.kill().expect("kill the peer");
        self.process.wait().expect("wait for the peer");
        self.port
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Closing its input ends it; killing it as well ends it where it hangs.
        drop(self.input.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn addresses(peer: &Peer) -> Vec<Json> {
    peer.points.iter().map(|p| p["address"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn its_unit_is_found_and_read() {
    let (bench, peer) = (Bench::new(), Peer::start(0));
    let given = json!({"host": "127.0.0.1", "port": peer.port, "timeout_ms": 100});
    let driver = weir_modbus::ModbusDriver::new();
    let found = driver.discover(&given).await.unwrap();
    assert_eq!(found[0].settings["unit"], 1, "{found:?}");
    assert!(found[0].detail.contains("holding registers"), "{}", found[0].detail);
    let mut device = spec(1, peer.port, vec![holding(0, "u16")]);
    device.settings = found[0].settings.clone();
    let report = bench.supervisor.test(&device).await.unwrap();
    assert!(report.values[0].value.is_some(), "{}", report.message);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn all_tables_types_and_orders_agree() {
    let (bench, peer) = (Bench::new(), Peer::start(0));
    let mut device = spec(1, peer.port, addresses(&peer));
    // The second device reads every point by itself, so coalescing must change nothing.
    let mut single = spec(2, peer.port, addresses(&peer));
    device.settings["poll_ms"] = json!(60_000);
    single.settings["poll_ms"] = json!(60_000);
    single.settings["gap_registers"] = json!(0);
    single.settings["registers_max"] = json!(4);
    bench.apply(device).await;
    bench.apply(single).await;
    let count = peer.points.len();
    assert!(count > 150, "{count} points");
    for n in [1, 2] {
        bench.until("all values", |b| (0..count).all(|i| b.last(n, i).is_some())).await;
        for (i, point) in peer.points.iter().enumerate() {
            let got = bench.value(n, i).unwrap_or_default();
            let same = match (got.as_f64(), point["value"].as_f64()) {
                (Some(a), Some(b)) => a == b,
                _ => got == point["value"],
            };
            assert!(same, "{}: {got} instead of {}", point["address"], point["value"]);
        }
        assert_eq!(bench.status(n).state, State::Online);
    }
    let requests = [1, 2].map(|n| bench.status(n).counters.reads);
    assert!(requests[0] <= 12 && requests[1] > 40, "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn exceptions_and_missing_addresses_degrade_only_their_points() {
    let (bench, peer) = (Bench::new(), Peer::start(0));
    let codes = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11_u16];
    let mut points: Vec<Json> = codes.iter().map(|c| holding(EXCEPTIONS + c, "u16")).collect();
    points.extend([
        holding(MISSING - 1, "u16"),
        holding(MISSING, "u16"),
        holding(MISSING + 1, "u16"),
    ]);
    let mut device = spec(1, peer.port, points);
    device.settings["gap_registers"] = json!(0);
    // Neighbours share a request otherwise, and the first one's exception would be that of all.
    for (i, point) in device.points.iter_mut().enumerate().take(codes.len()) {
        point.poll_ms = Some(100 + i as u32);
    }
    bench.apply(device).await;
    bench.until("all told", |b| (0..13).all(|i| b.last(1, i).is_some())).await;
    bench.until("eleven fail", |b| b.status(1).points_bad == 11).await;
    assert_eq!(bench.status(1).state, State::Degraded);
    for i in [10, 12] {
        assert_eq!(bench.course(1, i), [Quality::GOOD]);
    }
    assert_eq!(bench.course(1, 11), [Quality::ADDRESS_UNKNOWN]);
    assert_eq!(bench.course(1, 9), [Quality::NO_COMMUNICATION]);
    assert_eq!(bench.course(1, 5), [Quality::DEVICE_FAILURE]);
    assert!(bench.reason(1).starts_with("11 of 13 points fail: p0: "), "{}", bench.reason(1));
    assert_eq!(bench.status(1).counters.reconnects, 0);
    let mut test =
        spec(2, peer.port, codes.iter().map(|c| holding(EXCEPTIONS + c, "u16")).collect());
    test.points.truncate(1);
    let report = bench.supervisor.test(&test).await.unwrap();
    let error = report.values[0].error.clone().unwrap();
    assert!(error.contains("illegal function (exception 01): the device does not know"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn killed_and_restarted() {
    let (bench, peer, neighbour) = (Bench::new(), Peer::start(0), Peer::start(0));
    bench.apply(spec(1, peer.port, vec![holding(2, "u16")])).await;
    bench.apply(spec(2, neighbour.port, vec![holding(2, "u16")])).await;
    bench.until_state(2, State::Online).await;
    bench.until("a value", |b| b.value(1, 0) == Some(json!(0xABCD))).await;
    let port = peer.kill();
    bench.until_state(1, State::BackingOff).await;
    bench.until("told", |b| b.last(1, 0).is_some_and(|s| s.value.is_none())).await;
    let peer = Peer::start(port);
    bench.until_state(1, State::Online).await;
    bench.until("values again", |b| b.value(1, 0) == Some(json!(0xABCD))).await;
    let port = peer.kill();
    bench.until_state(1, State::BackingOff).await;
    let _peer = Peer::start(port);
    bench.until_state(1, State::Online).await;
    bench.until("values again", |b| b.course(1, 0).len() == 5).await;
    let lost = Quality::NO_COMMUNICATION;
    let good = Quality::GOOD;
    assert_eq!(bench.course(1, 0), [good, lost, good, lost, good]);
    assert_eq!(bench.status(1).counters.reconnects, 2);
    assert_eq!(bench.course(2, 0), [good], "the neighbour never noticed");
    assert_eq!(bench.status(2).counters.errors, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn slow_half_garbage_and_wrong_function() {
    let (bench, mut peer, neighbour) = (Bench::new(), Peer::start(0), Peer::start(0));
    let points = vec![holding(2, "u16"), holding(3, "u16")];
    bench.apply(impatient(spec(1, peer.port, points))).await;
    bench.apply(spec(2, neighbour.port, vec![holding(2, "u16")])).await;
    let bad = [
        ("slow", vec!["no answer within 300 ms"]),
        ("half", vec!["no answer within 300 ms"]),
        ("wrong-function", vec!["not Modbus", "another function"]),
        ("garbage", vec!["not Modbus", "no answer within", "another", "ended the connection"]),
    ];
    for (mode, reasons) in bad {
        bench.until_state(1, State::Online).await;
        peer.mode(mode, 0.6);
        bench.until(mode, |b| reasons.iter().any(|r| b.reason(1).contains(r))).await;
        let errors = bench.status(1).counters.errors;
        bench.until("more attempts", |b| b.status(1).counters.errors >= errors + 3).await;
        assert!(matches!(bench.status(1).state, State::BackingOff | State::Connecting));
        peer.mode("normal", 0.0);
    }
    bench.until_state(1, State::Online).await;
    for (i, right) in [(0, 0xABCD), (1, 0xFFFF_u64)] {
        for sample in bench.samples(1, i) {
            let fits = sample.value.is_none_or(|v| matches!(v, Value::U64(x) if x == right));
            assert!(fits, "an answer was taken for another");
        }
        let losses = bench.course(1, i).iter().filter(|q| q.is_bad()).count();
        assert_eq!(losses, 4, "each loss is told once");
    }
    assert_eq!(bench.course(2, 0), [Quality::GOOD], "the neighbour never noticed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn writes_arrive_and_are_read_back() {
    let (bench, mut peer) = (Bench::new(), Peer::start(0));
    let ordered = |order: &str, address: u16, raw_type: &str| {
        let mut at = holding(address, raw_type);
        at["word_order"] = json!(order);
        at
    };
    let points = vec![
        json!({"table": "coil", "address": 17}),
        holding(300, "u16"),
        holding(301, "i16"),
        ordered("ABCD", 310, "f32"),
        ordered("CDAB", 312, "i32"),
        ordered("BADC", 314, "u32"),
        ordered("DCBA", 320, "f64"),
        ordered("CDAB", 324, "u64"),
        json!({"table": "holding", "address": 330, "type": "bool", "bit": 9}),
        holding(MISSING, "u16"),
    ];
    bench.apply(impatient(spec(1, peer.port, points))).await;
    bench.until("connected", |b| b.value(1, 1).is_some()).await;
    let written = [
        Value::Bool(true),
        Value::U64(65535),
        Value::I64(-2),
        Value::F64(-1.5),
        Value::I64(-2),
        Value::U64(0x4142_4344),
        Value::F64(1.0),
        Value::U64(0x4142_4344_4546_4748),
        Value::Bool(true),
    ];
    for (i, value) in written.into_iter().enumerate() {
        let before = bench.value(1, i);
        let report = bench.write(1, i, value.clone()).await.unwrap();
        assert!(report.verified, "point {i}");
        assert_eq!(report.before.map(|v| v.to_json()), before, "point {i}");
        assert_eq!(report.after.map(|v| v.to_json()), Some(value.to_json()), "point {i}");
    }
    // What pymodbus holds now, in its own words.
    assert_eq!(peer.registers(300, 2), json!([65535, 65534]));
    assert_eq!(peer.registers(310, 6), json!([0xBFC0, 0, 0xFFFE, 0xFFFF, 0x4241, 0x4443]));
    assert_eq!(peer.registers(320, 8), json!([0, 0, 0, 0xF03F, 0x4748, 0x4546, 0x4344, 0x4142]));
    assert_eq!(peer.registers(330, 1), json!([0x0200]));
    let coils = peer.ask(&json!({"do": "coils", "address": 16, "count": 2}));
    assert_eq!(coils["coils"][1], json!(true));

    let error = bench.write(1, 9, Value::U64(1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.to_string().contains("illegal data address (exception 02)"), "{error}");
    peer.mode("slow", 0.6);
    let error = bench.write(1, 1, Value::U64(7)).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Timeout | ErrorKind::NotConnected), "{error}");
    assert!(!error.to_string().contains("not known"), "it was not sent: {error}");
    peer.mode("normal", 0.0);
    bench.until("online again", |b| b.status(1).state == State::Degraded).await;
    bench.until("a value again", |b| b.value(1, 1).is_some()).await;
    assert_eq!(bench.value(1, 1), Some(json!(65535)), "a failed write is not repeated");
}
