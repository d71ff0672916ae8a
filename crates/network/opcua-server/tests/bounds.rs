//! What clients can do to the server that are not well-behaved, with raw bytes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "it/bench.rs"]
mod bench;
#[path = "it/plant.rs"]
mod plant;
#[path = "it/raw.rs"]
mod raw;

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_model::TagId;
use weir_opcua_server::{Listen, OpcUaServer};

use bench::{Bench, options};
use plant::{Memory, sample};
use raw::{PATIENCE, greeted, hello, next, opened, piece, request};

fn message(names: [u8; 8], number: u32, body: &[u8]) -> Vec<u8> {
    piece(b"MSGF", names, number, number, body)
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
