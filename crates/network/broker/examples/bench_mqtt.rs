//! What a message costs the broker: messages a CPU second at QoS 0 and at durable QoS 1, and memory
//! of idle connections; against mosquitto where it is installed.
//!
//! `cargo run -p weir-broker --example bench_mqtt -- [--quick] [--json]`
//!
//! Broker and clients are two processes. CPU time is that of all threads of the broker's process, as
//! Linux counts it (`/proc/PID/task/*/schedstat`). Durable means: a local subscriber writes what came
//! into a file, waits for the disk and then settles the receipts, as the historian does. mosquitto
//! has no such thing; the comparison with it is one subscriber over a socket, for both: at QoS 1 with
//! a kept session, which this broker has on disk before it acknowledges, and mosquitto does not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use weir_broker::{
    Act, Broker, BrokerOptions, Denied, Gate, Incoming, Limits, Login, Principal, Qos, Settled,
};
use weir_model::TenantId;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const CLIENTS: usize = 64;
const PAYLOAD_BYTES: usize = 64;
/// Messages of QoS 1 that a client has in flight.
const WINDOW: usize = 100;
/// Packets in one write.
const BURST: usize = 50;
/// Idle connections; fewer where the limit of open files does not allow them.
const IDLE: usize = 10_000;
/// Connections that are made at a time.
const CONNECTING: usize = 100;

struct Everybody;

impl Gate for Everybody {
    fn authenticate<'a>(&'a self, _: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(Ok(Principal::new(TenantId(1), "bench"))).boxed()
    }

    fn may(&self, _: &Principal, _: Act, _: &str) -> bool {
        true
    }
}

/// The broker's process: prints its port, serves until its standard input ends.
async fn serve(durable: bool) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let mut options = BrokerOptions::new(dir.path().join("broker"));
    options.limits = Limits { connections_max: 2 * IDLE, ..Limits::default() };
    let broker = Broker::open(options, Arc::new(Everybody))?;
    let mut local = broker.local(TenantId(1), "bench");
    local.subscribe("local/#", Qos::AtLeastOnce, true)?;
    let (hand, taken) = std::sync::mpsc::sync_channel::<Vec<Incoming>>(1);
    let path = dir.path().join("log");
    let stored = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&stored);
    std::thread::spawn(move || store(&taken, &path, durable, &counted));
    tokio::spawn(async move {
        loop {
            let mut batch = Vec::new();
            if local.next_batch(&mut batch, 10_000).await == 0 {
                return;
            }
            // The thread writes one batch while the next one gathers.
            let hand = hand.clone();
            let _ = tokio::task::spawn_blocking(move || hand.send(batch)).await;
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let (serving, stop) = (broker.clone(), CancellationToken::new());
    tokio::spawn(async move { serving.serve_tcp(listener, stop).await });
    // Each line asks how many messages the local subscriber has got.
    tokio::task::spawn_blocking(move || {
        for _ in std::io::stdin().lines() {
            println!("{}", stored.load(Relaxed));
        }
    })
    .await?;
    broker.shutdown().await;
    Ok(())
}

/// Writes batches, waits for the disk once for each, and settles the receipts.
fn store(
    taken: &std::sync::mpsc::Receiver<Vec<Incoming>>,
    path: &std::path::Path,
    durable: bool,
    count: &AtomicU64,
) {
    let Ok(mut file) = std::fs::File::create(path) else { return };
    let mut buffer = Vec::new();
    while let Ok(batch) = taken.recv() {
        if durable && batch.iter().any(|message| message.receipt.is_some()) {
            buffer.clear();
            for message in &batch {
                buffer.extend_from_slice(message.topic.as_bytes());
                buffer.extend_from_slice(&message.payload);
            }
            let stored = file.write_all(&buffer).and_then(|()| file.sync_data());
            if stored.is_err() {
                return;
            }
        }
        count.fetch_add(batch.len() as u64, Relaxed);
        for receipt in batch.into_iter().filter_map(|message| message.receipt) {
            receipt.settle(Settled::Stored);
        }
    }
}

/// A broker in a process of its own.
struct Server {
    child: Child,
    port: u16,
    /// The broker of this crate answers questions.
    answers: Option<BufReader<ChildStdout>>,
}

impl Server {
    fn weir(durable: bool) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(if durable { "--serve-durable" } else { "--serve" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the broker has no standard output")?;
        let mut answers = BufReader::new(stdout);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        Ok(Self { child, port: line.trim().parse()?, answers: Some(answers) })
    }

    /// None when mosquitto is not installed.
    async fn mosquitto(dir: &std::path::Path) -> Outcome<Option<Self>> {
        // The port is free a moment before; mosquitto cannot say which one it chose.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n\
             max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\n"
        );
        let path = dir.join("mosquitto.conf");
        std::fs::write(&path, settings)?;
        let program = ["mosquitto", "/usr/sbin/mosquitto"].into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.arg("-c").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().ok()
        });
        let Some(child) = program else { return Ok(None) };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if Instant::now() > deadline {
                return Err("mosquitto did not start".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Some(Self { child, port, answers: None }))
    }

    /// Messages that the local subscriber has got.
    fn local_count(&mut self) -> Outcome<u64> {
        let (Some(input), Some(answers)) = (self.child.stdin.as_mut(), self.answers.as_mut())
        else {
            return Err("this broker answers no questions".into());
        };
        input.write_all(b"\n")?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }

    fn folder(&self) -> String {
        format!("/proc/{}", self.child.id())
    }

    /// CPU time of all its threads.
    fn cpu(&self) -> Outcome<Duration> {
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("{}/task", self.folder()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += text.split_whitespace().next().ok_or("schedstat is empty")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory in bytes.
    fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("{}/status", self.folder()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(port: u16, name: &str) -> Outcome<TcpStream> {
    connect_as(port, name, true).await
}

async fn connect_as(port: u16, name: &str, clean: bool) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut packet = vec![0x10, u8::try_from(12 + name.len())?];
    packet.extend_from_slice(b"\x00\x04MQTT\x04");
    packet.extend_from_slice(&[u8::from(clean) << 1, 0, 0]);
    packet.extend_from_slice(&u16::try_from(name.len())?.to_be_bytes());
    packet.extend_from_slice(name.as_bytes());
    stream.write_all(&packet).await?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await?;
    if connack != [0x20, 2, 0, 0] {
        return Err("the broker did not let a client in".into());
    }
    Ok(stream)
}

fn publish(into: &mut Vec<u8>, topic: &str, id: Option<u16>) -> Outcome<()> {
    let length = 2 + topic.len() + if id.is_some() { 2 } else { 0 } + PAYLOAD_BYTES;
    into.push(if id.is_some() { 0x32 } else { 0x30 });
    into.push(u8::try_from(length).ok().filter(|l| *l < 128).ok_or("the packet is too long")?);
    into.extend_from_slice(&u16::try_from(topic.len())?.to_be_bytes());
    into.extend_from_slice(topic.as_bytes());
    into.extend(id.into_iter().flat_map(u16::to_be_bytes));
    into.extend_from_slice(&[b'x'; PAYLOAD_BYTES]);
    Ok(())
}

/// Publishes for a time at QoS 0, and waits until the broker has read all; says how many.
async fn publisher_0(port: u16, topic: String, time: Duration) -> Outcome<u64> {
    let mut stream = connect(port, &topic.replace('/', "-")).await?;
    let mut burst = Vec::new();
    for _ in 0..BURST {
        publish(&mut burst, &topic, None)?;
    }
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < time {
        stream.write_all(&burst).await?;
        sent += BURST as u64;
    }
    stream.write_all(&[0xC0, 0]).await?;
    stream.read_exact(&mut [0; 2]).await?;
    Ok(sent)
}

/// Publishes for a time at QoS 1 with a window; says how many were acknowledged.
async fn publisher_1(port: u16, topic: String, time: Duration) -> Outcome<u64> {
    let mut stream = connect(port, &topic.replace('/', "-")).await?;
    let (mut sent, mut acknowledged, mut pending) = (0_u64, 0_u64, 0_usize);
    let (mut out, mut answer) = (Vec::new(), vec![0; 4096]);
    let started = Instant::now();
    loop {
        let inflight = usize::try_from(sent - acknowledged)?;
        let running = started.elapsed() < time;
        if running && inflight <= WINDOW / 2 {
            out.clear();
            for _ in inflight..WINDOW {
                publish(&mut out, &topic, Some(u16::try_from(sent % 65_535 + 1)?))?;
                sent += 1;
            }
            stream.write_all(&out).await?;
        } else if !running && inflight == 0 {
            return Ok(acknowledged);
        }
        let count = stream.read(&mut answer).await?;
        if count == 0 {
            return Err("the broker closed the connection".into());
        }
        pending += count;
        acknowledged += (pending / 4) as u64;
        pending %= 4;
    }
}

/// Reads what it subscribed, acknowledges QoS 1, and counts.
async fn subscriber(port: u16, qos: u8, count: Arc<AtomicU64>) -> Outcome<()> {
    // At QoS 1 its session is kept: what is acknowledged then reaches it.
    let mut stream = connect_as(port, "subscriber", qos == 0).await?;
    let mut subscribe = b"\x82\x0d\x00\x01\x00\x08socket/#".to_vec();
    subscribe.push(qos);
    stream.write_all(&subscribe).await?;
    stream.read_exact(&mut [0; 5]).await?;
    let (mut buffer, mut acks) = (Vec::with_capacity(1 << 20), Vec::new());
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let mut at = 0;
        while let Some([first, length]) = buffer.get(at..at + 2) {
            let end = at + 2 + usize::from(*length);
            if buffer.len() < end {
                break;
            }
            if qos > 0 && first & 0x06 != 0 {
                let topic = u16::from_be_bytes([buffer[at + 2], buffer[at + 3]]);
                let id = at + 4 + usize::from(topic);
                acks.extend_from_slice(&[0x40, 2, buffer[id], buffer[id + 1]]);
            }
            count.fetch_add(1, Relaxed);
            at = end;
        }
        buffer.drain(..at);
        if !acks.is_empty() {
            stream.write_all(&acks).await?;
            acks.clear();
        }
    }
}

/// All clients publish; messages and what they cost.
async fn load(server: &mut Server, prefix: &str, qos: u8, time: Duration) -> Outcome<Json> {
    let received = Arc::new(AtomicU64::new(0));
    let over_socket = prefix == "socket";
    if over_socket {
        tokio::spawn(subscriber(server.port, qos, Arc::clone(&received)));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (started, before) = (Instant::now(), server.cpu()?);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let topic = format!("{prefix}/client{n}");
            let port = server.port;
            tokio::spawn(async move {
                if qos == 0 {
                    publisher_0(port, topic, time).await
                } else {
                    publisher_1(port, topic, time).await
                }
            })
        })
        .collect();
    let mut messages = 0;
    for client in clients {
        messages += client.await??;
    }
    let elapsed = started.elapsed().as_secs_f64();
    if over_socket {
        // Until the subscriber has got all, or nothing more comes.
        let mut last = 0;
        while received.load(Relaxed) < messages && received.load(Relaxed) != last {
            last = received.load(Relaxed);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    let used = (server.cpu()? - before).as_secs_f64();
    let mut result = json!({
        "messages": messages,
        "messages_per_s": (messages as f64 / elapsed).round(),
        "messages_per_cpu_s": (messages as f64 / used).round(),
        "cpu_us_per_message": (used * 1e8 / messages as f64).round() / 100.0,
    });
    let delivered = if over_socket { received.load(Relaxed) } else { server.local_count()? };
    if let Some(result) = result.as_object_mut() {
        result.insert("delivered".into(), json!(delivered));
    }
    Ok(result)
}

/// Memory of connections that do nothing.
async fn idle(server: &Server) -> Outcome<Json> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let files: usize = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .and_then(|line| line.split_whitespace().nth(3)?.parse().ok())
        .unwrap_or(1024);
    let count = IDLE.min(files.saturating_sub(200));
    let warm = connect(server.port, "warm").await?;
    let before = server.memory()?;
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        let next = held.len();
        let more = (next..count.min(next + CONNECTING)).map(|n| {
            let port = server.port;
            tokio::spawn(async move { connect(port, &format!("idle{n}")).await })
        });
        let more: Vec<_> = more.collect();
        for one in more {
            held.push(one.await??);
        }
    }
    let after = server.memory()?;
    drop(warm);
    Ok(json!({
        "connections": count,
        "bytes_per_connection": after.saturating_sub(before) / count as u64,
    }))
}

async fn measure(time: Duration) -> Outcome<Json> {
    let mut server = Server::weir(false)?;
    let qos0 = load(&mut server, "local", 0, time).await?;
    let idle_weir = idle(&server).await?;
    drop(server);
    let mut server = Server::weir(true)?;
    let durable = load(&mut server, "local", 1, time).await?;
    drop(server);
    let mut server = Server::weir(false)?;
    let socket0 = load(&mut server, "socket", 0, time).await?;
    let socket1 = load(&mut server, "socket", 1, time).await?;
    drop(server);
    let mut result = json!({
        "bench": "mqtt",
        "clients": CLIENTS,
        "payload_bytes": PAYLOAD_BYTES,
        "window": WINDOW,
        "qos0": qos0,
        "qos1_durable": durable,
        "qos0_to_socket": socket0,
        "qos1_to_socket": socket1,
        "idle": idle_weir,
    });
    let dir = tempfile::tempdir()?;
    if let Some(server) = Server::mosquitto(dir.path()).await? {
        let idle = idle(&server).await?;
        drop(server);
        let mut server =
            Server::mosquitto(dir.path()).await?.ok_or("mosquitto does not start again")?;
        let mosquitto = json!({
            "qos0_to_socket": load(&mut server, "socket", 0, time).await?,
            "qos1_to_socket": load(&mut server, "socket", 1, time).await?,
            "idle": idle,
        });
        if let Some(result) = result.as_object_mut() {
            result.insert("mosquitto".into(), mosquitto);
        }
    }
    Ok(result)
}

fn main() -> Outcome<()> {
    let has = |flag: &str| std::env::args().any(|a| a == flag);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if has("--serve") || has("--serve-durable") {
        return runtime.block_on(serve(has("--serve-durable")));
    }
    let time = Duration::from_secs(if has("--quick") { 3 } else { 15 });
    let result = runtime.block_on(measure(time))?;
    if has("--json") {
        println!("{result}");
    } else {
        println!("{result:#}");
    }
    Ok(())
}
