//! What clients can do to the server that are not well-behaved, with raw bytes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "it/bench.rs"]
mod bench;
#[path = "it/plant.rs"]
mod plant;

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_model::TagId;
use weir_opcua_server::{Listen, OpcUaServer};

use bench::{Bench, options};
use plant::{Memory, sample};

/// No test waits longer for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn frame(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut frame = kind.to_vec();
    frame.extend_from_slice(&(8 + body.len() as u32).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

fn hello() -> Vec<u8> {
    let mut body = Vec::new();
    for number in [0_u32, 65_535, 65_535, 0, 0, u32::MAX] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    frame(b"HELF", &body)
}

/// `OpenSecureChannel` without security; the numbers of the sequence header follow the caller's.
fn open() -> Vec<u8> {
    let uri = b"http://opcfoundation.org/UA/SecurityPolicy#None";
    let mut body = 0_u32.to_le_bytes().to_vec();
    body.extend_from_slice(&(uri.len() as u32).to_le_bytes());
    body.extend_from_slice(uri);
    body.extend_from_slice(&[0xff; 8]);
    body.extend_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0]);
    body.extend_from_slice(&request(446));
    // Version, issue, no security, no nonce, lifetime.
    for number in [0_u32, 0, 1, u32::MAX, 60_000] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    frame(b"OPNF", &body)
}

/// A service's number and an empty request header.
fn request(service: u16) -> Vec<u8> {
    let mut body = vec![1, 0];
    body.extend_from_slice(&service.to_le_bytes());
    // Token, timestamp, handle, diagnostics, audit entry, time-out, additional header.
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(&[0xff; 4]);
    body.extend_from_slice(&[0; 7]);
    body
}

/// The next frame's type; none at the end of the connection.
async fn next(stream: &mut TcpStream) -> Option<([u8; 3], Vec<u8>)> {
    let read = async {
        let mut head = [0; 8];
        stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, _, size @ ..] = head;
        let mut body = vec![0; u32::from_le_bytes(size) as usize - 8];
        stream.read_exact(&mut body).await.ok()?;
        Some(([a, b, c], body))
    };
    timeout(PATIENCE, read).await.expect("an answer or the end in time")
}

async fn greeted(bench: &Bench) -> TcpStream {
    let mut stream = TcpStream::connect(bench.running.address()).await.unwrap();
    stream.write_all(&hello()).await.unwrap();
    assert_eq!(next(&mut stream).await.unwrap().0, *b"ACK");
    stream
}

/// Channel and token of an open channel.
async fn opened(bench: &Bench) -> (TcpStream, [u8; 8]) {
    let mut stream = greeted(bench).await;
    stream.write_all(&open()).await.unwrap();
    let (kind, body) = next(&mut stream).await.unwrap();
    assert_eq!(kind, *b"OPN");
    let mut names = [0; 8];
    names[..4].copy_from_slice(&body[..4]);
    names[4] = 1;
    (stream, names)
}

fn message(names: [u8; 8], number: u32, body: &[u8]) -> Vec<u8> {
    let mut whole = names.to_vec();
    whole.extend_from_slice(&number.to_le_bytes());
    whole.extend_from_slice(&number.to_le_bytes());
    whole.extend_from_slice(body);
    frame(b"MSGF", &whole)
}

/// `GetEndpoints`.
fn endpoints() -> Vec<u8> {
    let mut body = request(428);
    body.extend_from_slice(&[0xff; 12]);
    body
}

#[tokio::test]
async fn one_may_look_around_without_security_and_nothing_else() {
    let bench = Bench::start(|options| options.allow_none = false).await;
    let (mut stream, names) = opened(&bench).await;
    stream.write_all(&message(names, 2, &endpoints())).await.unwrap();
    let (kind, body) = next(&mut stream).await.unwrap();
    assert_eq!((kind, &body[16..20]), (*b"MSG", &[1, 0, 0xaf, 1][..]), "GetEndpointsResponse");
    // Read.
    let mut read = request(631);
    read.extend_from_slice(&[0; 16]);
    stream.write_all(&message(names, 3, &read)).await.unwrap();
    let (kind, body) = next(&mut stream).await.unwrap();
    assert_eq!((kind, &body[..4]), (*b"ERR", &0x8055_0000_u32.to_le_bytes()[..]));
    assert!(next(&mut stream).await.is_none());
}

#[tokio::test]
async fn connections_have_a_bound_and_make_room_when_they_end() {
    let bench = Bench::start(|options| options.limits.connections_max = 2).await;
    let (first, second) = (greeted(&bench).await, greeted(&bench).await);
    let mut third = TcpStream::connect(bench.running.address()).await.unwrap();
    assert!(next(&mut third).await.is_none(), "closed at once");
    drop(first);
    let free = async {
        loop {
            let mut stream = TcpStream::connect(bench.running.address()).await.unwrap();
            if stream.write_all(&hello()).await.is_ok() && next(&mut stream).await.is_some() {
                break;
            }
        }
    };
    timeout(PATIENCE, free).await.unwrap();
    drop(second);
}

#[tokio::test]
async fn who_says_nothing_is_sent_away() {
    let brief = Duration::from_millis(100);
    let bench = Bench::start(|options| options.limits.connect_timeout = brief).await;
    let mut silent = TcpStream::connect(bench.running.address()).await.unwrap();
    assert!(next(&mut silent).await.is_none(), "no hello");
    let mut greeted = greeted(&bench).await;
    assert_eq!(next(&mut greeted).await.unwrap().0, *b"ERR", "no channel");
    let (mut opened, _) = opened(&bench).await;
    assert_eq!(next(&mut opened).await.unwrap().0, *b"ERR", "no session");
}

#[tokio::test]
async fn it_stops_with_clients_connected_and_frees_its_port() {
    let bench = Bench::start(|_| {}).await;
    let address = bench.running.address();
    let (_idle, _greeted) = (TcpStream::connect(address).await.unwrap(), greeted(&bench).await);
    let (mut open, _) = opened(&bench).await;
    bench.stop.cancel();
    timeout(PATIENCE, bench.running.stopped()).await.unwrap();
    assert_eq!(next(&mut open).await.unwrap().0, *b"ERR");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn it_listens_at_several_places_and_on_ipv6() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path(), "[::1]:0");
    let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let expected = bound.local_addr().unwrap();
    options.listen.push(Listen::Bound(bound));
    let stop = CancellationToken::new();
    let running = OpcUaServer::start(options, Memory::new(), stop.clone()).await.unwrap();
    assert!(running.address().is_ipv6());
    assert_eq!(running.addresses[1], expected);
    for address in running.addresses.clone() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&hello()).await.unwrap();
        assert_eq!(next(&mut stream).await.unwrap().0, *b"ACK", "{address}");
    }
    stop.cancel();
    timeout(PATIENCE, running.stopped()).await.unwrap();
}

#[tokio::test]
async fn arbitrary_bytes_end_a_connection_and_nothing_else() {
    let bench = Bench::start(|_| {}).await;
    let mut runner = TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 1..300);
    for round in 0..300_u32 {
        let bytes = bytes.new_tree(&mut runner).unwrap().current();
        let (mut stream, names) = match round % 3 {
            0 => (TcpStream::connect(bench.running.address()).await.unwrap(), None),
            1 => (greeted(&bench).await, None),
            _ => {
                let (stream, names) = opened(&bench).await;
                (stream, Some(names))
            }
        };
        let sent = match names {
            // A well-formed frame with nonsense for a message.
            Some(names) => message(names, 2, &bytes),
            None => bytes,
        };
        stream.write_all(&sent).await.unwrap();
        bench.plant.measure(vec![(TagId(1), sample(i64::from(round), 1.0))]);
        if round % 5 == 0 {
            let _ = stream.shutdown().await;
            while next(&mut stream).await.is_some() {}
        }
    }
    let (mut stream, names) = opened(&bench).await;
    stream.write_all(&message(names, 2, &endpoints())).await.unwrap();
    assert_eq!(next(&mut stream).await.unwrap().0, *b"MSG");
}
