//! `kill -9` under load: what was acknowledged is there afterwards.
//!
//! The broker is a child process: this test program, started with the folder in an environment
//! variable. Clients keep their own ledger of what was acknowledged. `WEIR_KILLS` says how often the
//! broker is killed (3 without it).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, ready};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_broker::{Act, Broker, BrokerOptions, Denied, Gate, Login, Principal};
use weir_model::TenantId;

const FOLDER: &str = "WEIR_BROKER_TEST_FOLDER";
const PUBLISHERS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

struct Everybody;

impl Gate for Everybody {
    fn authenticate<'a>(&'a self, _: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        ready(Ok(Principal::new(TenantId(1), "anybody"))).boxed()
    }

    fn may(&self, _: &Principal, _: Act, _: &str) -> bool {
        true
    }
}

/// The child's part: a broker on the folder that the environment names. Otherwise it does nothing.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = Broker::open(BrokerOptions::new(folder), Arc::new(Everybody)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("port={}", listener.local_addr().unwrap().port());
        broker.serve_tcp(listener, CancellationToken::new()).await.unwrap();
    });
}

fn kills() -> u32 {
    std::env::var("WEIR_KILLS").map_or(3, |text| text.parse().unwrap())
}

/// The child; it ends with the test, also with one that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path) -> (Running, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().split_once("port=")?.1.trim().parse().ok());
    (Running(child), port.expect("the child said no port"))
}

/// Connects with 3.1.1; true: the session was there.
async fn connect(port: u16, name: &str, clean: bool) -> std::io::Result<(TcpStream, bool)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut packet = vec![0x10, u8::try_from(12 + name.len()).unwrap()];
    packet.extend_from_slice(b"\x00\x04MQTT\x04");
    packet.extend_from_slice(&[u8::from(clean) << 1, 0, 0, 0]);
    packet.push(u8::try_from(name.len()).unwrap());
    packet.extend_from_slice(name.as_bytes());
    stream.write_all(&packet).await?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await?;
    assert_eq!(connack[3], 0);
    Ok((stream, connack[2] == 1))
}

fn publish(topic: &str, flags: u8, id: u16, number: u64) -> Vec<u8> {
    let mut packet = vec![0x30 | flags, u8::try_from(2 + topic.len() + 2 + 8).unwrap()];
    packet.extend_from_slice(&u16::try_from(topic.len()).unwrap().to_be_bytes());
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet
}

/// Publishes numbers at QoS 1, every tenth retained to a topic of its own, until the broker is gone.
/// What was acknowledged goes into the ledger.
async fn publisher(port: u16, n: u64, next: Arc<AtomicU64>) -> (BTreeSet<u64>, u64) {
    let (mut acknowledged, mut retained) = (BTreeSet::new(), 0);
    let Ok((mut stream, _)) = connect(port, &format!("publisher{n}"), true).await else {
        return (acknowledged, retained);
    };
    loop {
        let mut burst = Vec::new();
        for id in 1..=20_u16 {
            let number = next.fetch_add(1, Relaxed) * PUBLISHERS + n;
            let (topic, flags) =
                if id == 20 { (format!("r/{n}"), 0x03) } else { (format!("q/{n}"), 0x02) };
            burst.push((number, flags, publish(&topic, flags, id, number)));
        }
        let bytes: Vec<u8> = burst.iter().flat_map(|(_, _, packet)| packet.clone()).collect();
        if stream.write_all(&bytes).await.is_err() {
            return (acknowledged, retained);
        }
        for (number, flags, _) in burst {
            let mut ack = [0; 4];
            if stream.read_exact(&mut ack).await.is_err() {
                return (acknowledged, retained);
            }
            assert_eq!(ack[0], 0x40);
            if flags & 1 == 1 {
                retained = number;
            } else {
                acknowledged.insert(number);
            }
        }
    }
}

/// Reads messages and acknowledges them until nothing came for a while; `known` is what it has.
async fn read(
    stream: &mut TcpStream,
    known: &mut BTreeSet<u64>,
    until: impl Fn(&BTreeSet<u64>) -> bool,
) {
    let mut input = Vec::new();
    while !until(known) {
        let read = timeout(PATIENCE, stream.read_buf(&mut input)).await;
        if !matches!(read.expect("messages are missing"), Ok(1..)) {
            return;
        }
        let (mut at, mut acks) = (0, Vec::new());
        while let Some([first, length]) = input.get(at..at + 2) {
            let end = at + 2 + usize::from(*length);
            let Some(packet) = input.get(at..end) else { break };
            if first & 0xF0 == 0x30 {
                let mut id = 4 + usize::from(packet[3]);
                if first & 0x06 != 0 {
                    acks.extend_from_slice(&[0x40, 2, packet[id], packet[id + 1]]);
                    id += 2;
                }
                known.insert(u64::from_be_bytes(packet[id..id + 8].try_into().unwrap()));
            }
            at = end;
        }
        input.drain(..at);
        if stream.write_all(&acks).await.is_err() {
            return;
        }
    }
}

async fn subscribe(stream: &mut TcpStream, filter: &str, qos: u8) {
    let mut packet = vec![0x82, u8::try_from(5 + filter.len()).unwrap(), 0, 1, 0];
    packet.push(u8::try_from(filter.len()).unwrap());
    packet.extend_from_slice(filter.as_bytes());
    packet.push(qos);
    stream.write_all(&packet).await.unwrap();
    stream.read_exact(&mut [0; 5]).await.unwrap();
}

#[test]
fn what_was_acknowledged_survives_kill() {
    let kills = kills();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut child, mut port) = start(folder.path());
        for name in ["online", "offline"] {
            let (mut stream, present) = connect(port, name, false).await.unwrap();
            assert!(!present);
            subscribe(&mut stream, "q/#", 1).await;
        }
        let next = Arc::new(AtomicU64::new(1));
        let mut acknowledged = BTreeSet::new();
        let mut retained = BTreeMap::new();
        let (mut online, mut offline) = (BTreeSet::new(), BTreeSet::new());
        for kill in 0..kills {
            let publishers: Vec<_> = (0..PUBLISHERS)
                .map(|n| tokio::spawn(publisher(port, n, Arc::clone(&next))))
                .collect();
            // One subscriber reads meanwhile, the other one is away.
            let (mut stream, present) = connect(port, "online", false).await.unwrap();
            assert!(present, "the session survived kill {kill}");
            // Killed at a different moment each time, in the middle of the traffic.
            let enough = online.len() + 100 + usize::try_from(kill % 7).unwrap() * 137;
            read(&mut stream, &mut online, |known| known.len() >= enough).await;
            child.0.kill().unwrap();
            child.0.wait().unwrap();
            for (n, publisher) in (0..).zip(publishers) {
                let (numbers, last) = publisher.await.unwrap();
                acknowledged.extend(numbers);
                if last > 0 {
                    retained.insert(n, last);
                }
            }
            (child, port) = start(folder.path());
            let (mut stream, _) = connect(port, "late", true).await.unwrap();
            subscribe(&mut stream, "r/#", 1).await;
            // A later one may have been stored and not acknowledged, and that of a publisher none of
            // whose were acknowledged may stand there too.
            let mut found = BTreeSet::new();
            let kept = |found: &BTreeSet<u64>, (n, last): (&u64, &u64)| {
                found.range(last..).any(|number| number % PUBLISHERS == *n)
            };
            read(&mut stream, &mut found, |found| retained.iter().all(|it| kept(found, it))).await;
            for it in &retained {
                assert!(kept(&found, it), "of publisher {}, retained {} is gone", it.0, it.1);
            }
        }
        for (name, known) in [("online", &mut online), ("offline", &mut offline)] {
            let (mut stream, present) = connect(port, name, false).await.unwrap();
            assert!(present);
            read(&mut stream, known, |known| acknowledged.is_subset(known)).await;
            let lost: Vec<_> = acknowledged.difference(known).collect();
            assert!(lost.is_empty(), "{name} lost {} of {}", lost.len(), acknowledged.len());
        }
        assert!(!acknowledged.is_empty());
        println!("{} acknowledged messages over {kills} kills", acknowledged.len());
        child.0.kill().unwrap();
        child.0.wait().unwrap();
    });
}

/// The next packet, which is a small one: its first byte and the rest.
async fn packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let mut body = vec![0; usize::from(head[1])];
    stream.read_exact(&mut body).await?;
    Ok((head[0], body))
}

fn short(first: u8, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [first, 2, high, low]
}

/// A publisher of QoS 2 that forgets nothing when its connection ends.
#[derive(Default)]
struct Sender {
    n: u64,
    id_last: u16,
    number_last: u64,
    /// What is under way: the number, and whether PUBREC came.
    open: BTreeMap<u16, (u64, bool)>,
    done: BTreeSet<u64>,
}

impl Sender {
    /// Publishes until the broker is gone; when nothing new is to be sent, until all is complete.
    async fn run(&mut self, port: u16, new: bool) -> std::io::Result<()> {
        const WINDOW: usize = 8;
        let (mut stream, _) = connect(port, &format!("sender{}", self.n), false).await?;
        for (id, (number, released)) in &self.open {
            let again = publish("x/1", 0x0C, *id, *number);
            let bytes = if *released { short(0x62, *id).to_vec() } else { again };
            stream.write_all(&bytes).await?;
        }
        loop {
            while new && self.open.len() < WINDOW {
                self.id_last = self.id_last % 65_535 + 1;
                self.number_last += PUBLISHERS;
                let (id, number) = (self.id_last, self.number_last + self.n);
                self.open.insert(id, (number, false));
                stream.write_all(&publish("x/1", 0x04, id, number)).await?;
            }
            if self.open.is_empty() {
                return Ok(());
            }
            let (first, body) = timeout(PATIENCE, packet(&mut stream)).await.expect("silence")?;
            let id = u16::from_be_bytes([body[0], body[1]]);
            match first {
                0x50 => {
                    self.open.get_mut(&id).unwrap().1 = true;
                    stream.write_all(&short(0x62, id)).await?;
                }
                0x70 => self.done.extend(self.open.remove(&id).map(|(number, _)| number)),
                other => panic!("{other:#x}"),
            }
        }
    }
}

/// A subscriber of QoS 2 that forgets nothing when its connection ends.
#[derive(Default)]
struct Receiver {
    /// Identifiers whose PUBREL has not come: a message under one of them is the same again.
    open: BTreeSet<u16>,
    got: Vec<u64>,
}

impl Receiver {
    async fn run(
        &mut self,
        stream: &mut TcpStream,
        until: impl Fn(&[u64]) -> bool,
    ) -> std::io::Result<()> {
        while !until(&self.got) {
            let (first, body) = timeout(PATIENCE, packet(stream)).await.expect("silence")?;
            let at = if first & 0xF0 == 0x30 { 2 + usize::from(body[1]) } else { 0 };
            let id = u16::from_be_bytes([body[at], body[at + 1]]);
            if first == 0x62 {
                self.open.remove(&id);
                stream.write_all(&short(0x70, id)).await?;
                continue;
            }
            assert_eq!(first & 0xF6, 0x34);
            if self.open.insert(id) {
                self.got.push(u64::from_be_bytes(body[at + 2..at + 10].try_into().unwrap()));
            }
            stream.write_all(&short(0x50, id)).await?;
        }
        Ok(())
    }
}

#[test]
fn exactly_once_over_kills() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut child, mut port) = start(folder.path());
        let mut receiver = Receiver::default();
        let (mut stream, _) = connect(port, "receiver", false).await.unwrap();
        subscribe(&mut stream, "x/#", 2).await;
        drop(stream);
        let mut senders: Vec<_> =
            (0..PUBLISHERS).map(|n| Sender { n, ..Sender::default() }).collect();
        for kill in 0..kills() {
            let tasks: Vec<_> = senders
                .into_iter()
                .map(|mut sender| {
                    tokio::spawn(async move {
                        let _ = sender.run(port, true).await;
                        sender
                    })
                })
                .collect();
            let (mut stream, present) = connect(port, "receiver", false).await.unwrap();
            assert!(present, "the session survived kill {kill}");
            let enough = receiver.got.len() + 50 + usize::try_from(kill % 7).unwrap() * 37;
            receiver.run(&mut stream, |got| got.len() >= enough).await.unwrap();
            child.0.kill().unwrap();
            child.0.wait().unwrap();
            // What has come already is in the receiver, as it would be in a real one.
            let _ = receiver.run(&mut stream, |_| false).await;
            senders = Vec::new();
            for task in tasks {
                senders.push(task.await.unwrap());
            }
            (child, port) = start(folder.path());
        }
        for sender in &mut senders {
            sender.run(port, false).await.unwrap();
        }
        let done: BTreeSet<u64> =
            senders.iter().flat_map(|sender| sender.done.iter().copied()).collect();
        let (mut stream, _) = connect(port, "receiver", false).await.unwrap();
        let all = |got: &[u64]| done.iter().all(|number| got.contains(number));
        receiver.run(&mut stream, all).await.unwrap();
        let once: BTreeSet<u64> = receiver.got.iter().copied().collect();
        assert_eq!(once.len(), receiver.got.len(), "each came once");
        println!("{} messages exactly once over {} kills", done.len(), kills());
        child.0.kill().unwrap();
        child.0.wait().unwrap();
    });
}
