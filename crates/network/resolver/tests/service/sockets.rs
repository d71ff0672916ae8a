//! The service on its sockets: what strangers send, and what clients see of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_handle::{
    Answer, Draft, ENVELOPE_BYTES, Envelope, Flags, Header, Message, OpCode, Reassembly,
    ReassemblyBounds, Request, Response, ResponseCode, Value, fragments,
};
use weir_model::Timestamp;
use weir_resolver::{Bound, ServeOptions, Serving, Values};
use weir_store::Commit;

use crate::meaning::meaning;
use crate::server::{Server, author, capture, hex, split, whole};

/// For what comes at once, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    server: Server,
    address: SocketAddr,
    serving: Serving,
    stop: CancellationToken,
}

impl Running {
    async fn with(options: ServeOptions) -> Self {
        let server = Server::new().await;
        let bound = Bound::listen(options).await.unwrap();
        let address = bound.addresses()[0];
        let stop = CancellationToken::new();
        let serving = bound.serve(Arc::clone(&server.authority), stop.clone()).unwrap();
        Self { server, address, serving, stop }
    }

    async fn new() -> Self {
        Self::with(at("127.0.0.1:0")).await
    }

    /// Asks over UDP until it is answered, as clients do.
    async fn ask_udp(&self, message: &[u8]) -> Vec<u8> {
        let socket = udp(self.address).await;
        let asked = async {
            loop {
                send(&socket, message).await;
                if let Ok(answer) = timeout(Duration::from_secs(2), receive(&socket)).await {
                    return answer;
                }
            }
        };
        timeout(PATIENCE, asked).await.unwrap()
    }

    async fn ask_tcp(&self, message: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(message).await.unwrap();
        timeout(PATIENCE, read_message(&mut stream)).await.unwrap()
    }

    /// Whether it still answers over both.
    async fn answers(&self) {
        let message = request(77, b"99.1000/simple");
        for answer in [self.ask_udp(&message).await, self.ask_tcp(&message).await] {
            assert_eq!(code(&answer), ResponseCode::Success);
        }
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving.stopped()).await.unwrap();
    }
}

fn at(address: &str) -> ServeOptions {
    ServeOptions { addresses: vec![address.parse().unwrap()], ..ServeOptions::default() }
}

fn request(id: u32, handle: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header::request(OpCode::Resolution, Flags::PUBL | Flags::RECU, 2_000_000_000);
    let mut draft = Draft::begin(&mut out, &Envelope::request(id), &header);
    Request::resolution(handle).encode(draft.body());
    draft.finish();
    out
}

fn code(message: &[u8]) -> ResponseCode {
    Message::decode(message).unwrap().header.response
}

fn id(message: &[u8]) -> u32 {
    Envelope::decode(message).unwrap().request_id
}

async fn udp(server: SocketAddr) -> UdpSocket {
    let own = if server.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
    let socket = UdpSocket::bind(own).await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

async fn send(socket: &UdpSocket, message: &[u8]) {
    for (head, piece) in fragments(message).unwrap() {
        socket.send(&[&head, piece].concat()).await.unwrap();
    }
}

/// The next whole message.
async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut reassembly = Reassembly::new(ReassemblyBounds::default());
    let mut bytes = [0; 2048];
    loop {
        let length = socket.recv(&mut bytes).await.unwrap();
        assert!(length <= 512, "a datagram of {length} bytes");
        let datagram = &bytes[..length];
        if !Envelope::decode(datagram).unwrap().truncated {
            return datagram.to_vec();
        }
        if let Some(message) = reassembly.accept(0, datagram, 0).unwrap() {
            return message;
        }
    }
}

async fn read_message(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = vec![0; ENVELOPE_BYTES];
    stream.read_exact(&mut message).await.unwrap();
    let length = Envelope::decode(&message).unwrap().length as usize;
    message.resize(ENVELOPE_BYTES + length, 0);
    stream.read_exact(&mut message[ENVELOPE_BYTES..]).await.unwrap();
    message
}

/// Bytes that anybody may send, always the same.
struct Garbage(u64);

impl Garbage {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = self.next() % most;
        (0..length).map(|_| self.next() as u8).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_datagrams_are_put_together_and_answered_in_pieces() {
    let running = Running::new().await;
    for exchange in capture("11_udp_fragments") {
        let socket = udp(running.address).await;
        for packet in exchange["request"]["packets_hex"].as_array().unwrap() {
            socket.send(&hex(packet.as_str().unwrap())).await.unwrap();
        }
        let expected = whole(&exchange["response"]["packets_hex"], true);
        for expected in &expected {
            let got = timeout(PATIENCE, receive(&socket)).await.unwrap();
            assert_eq!(meaning(&got), meaning(expected), "{}", exchange["name"]);
        }
        // Behind a message that stays in pieces, others are answered.
        send(&socket, &request(5, b"99.1000/simple")).await;
        assert_eq!(id(&timeout(PATIENCE, receive(&socket)).await.unwrap()), 5);
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_behind_one_another_are_all_answered_on_one_connection() {
    let running = Running::new().await;
    for exchange in capture("12_keepalive") {
        let requests = whole(&exchange["request"]["packets_hex"], false);
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(&requests.concat()).await.unwrap();
        let expected = whole(&exchange["response"]["packets_hex"], false);
        for (number, request) in requests.iter().enumerate() {
            let got = timeout(PATIENCE, read_message(&mut stream)).await.unwrap();
            assert_eq!(id(&got), id(request));
            // The reference server answers the first and closes.
            if let Some(expected) = expected.get(number) {
                assert_eq!(meaning(&got), meaning(expected));
            }
        }
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_errors_neither_stop_nor_stall_it() {
    let running = Running::new().await;
    for exchange in capture("10_errors") {
        let packets = exchange["request"]["packets_hex"].as_array().unwrap();
        let packets: Vec<Vec<u8>> = packets.iter().map(|p| hex(p.as_str().unwrap())).collect();
        match exchange["transport"] == "udp" {
            true => {
                let socket = udp(running.address).await;
                for packet in &packets {
                    socket.send(packet).await.unwrap();
                }
                send(&socket, &request(0x7777, b"99.1000/simple")).await;
                // Whatever comes first is of the protocol, and the last is answered.
                while id(&timeout(PATIENCE, receive(&socket)).await.unwrap()) != 0x7777 {}
            }
            false => {
                let mut stream = TcpStream::connect(running.address).await.unwrap();
                // It may have closed before all is written, and that is an answer, too.
                let _ = stream.write_all(&packets.concat()).await;
                let _ = stream.shutdown().await;
                let mut got = Vec::new();
                let _ = timeout(PATIENCE, stream.read_to_end(&mut got)).await.unwrap();
                let whole: usize = split(&got).iter().map(Vec::len).sum();
                assert_eq!(whole, got.len(), "{}", exchange["name"]);
            }
        }
    }
    running.answers().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_comes_in_pieces_and_the_longest_over_tcp_only() {
    let running = Running::new().await;
    let registry = running.server.authority.registry();
    let mut commit = Commit::new(author(), Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    let of = |bytes: usize| Values::of(&[Value::new(1, b"DATA", &vec![7; bytes], 0)]);
    registry
        .store()
        .read(|snap| {
            registry.put(snap, &mut commit, &"99.1000/long".parse().unwrap(), of(9_000))?;
            registry.put(snap, &mut commit, &"99.1000/longest".parse().unwrap(), of(200_000))
        })
        .unwrap();
    registry.store().commit(commit).await.unwrap();
    let message = request(1, b"99.1000/long");
    let (udp_answer, tcp_answer) =
        (running.ask_udp(&message).await, running.ask_tcp(&message).await);
    assert_eq!(udp_answer.len(), tcp_answer.len());
    let longest = request(2, b"99.1000/longest");
    let answer = running.ask_tcp(&longest).await;
    let Response { answer, .. } = Message::decode(&answer).unwrap().response().unwrap();
    let Answer::Resolution { values, .. } = answer else { panic!() };
    assert_eq!(values.iter().next().unwrap().data.len(), 200_000);
    let socket = udp(running.address).await;
    send(&socket, &longest).await;
    send(&socket, &request(3, b"99.1000/simple")).await;
    assert_eq!(id(&timeout(PATIENCE, receive(&socket)).await.unwrap()), 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_requests_on_one_connection_are_answered_in_their_order() {
    const REQUESTS: u32 = 20_000;
    let running = Running::new().await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        for first in (0..REQUESTS).step_by(500) {
            let handle = |id: u32| match id % 3 {
                0 => &b"99.1000/simple"[..],
                1 => b"99.1000/nowhere",
                _ => b"99.1000/big",
            };
            let some: Vec<u8> =
                (first..first + 500).flat_map(|id| request(id, handle(id))).collect();
            writer.write_all(&some).await.unwrap();
        }
        writer
    });
    let mut got = Vec::new();
    let mut next = 0;
    let reading = async {
        while next < REQUESTS {
            assert!(reader.read_buf(&mut got).await.unwrap() > 0, "closed behind {next}");
            let whole = split_whole(&mut got);
            for message in whole {
                assert_eq!(id(&message), next);
                let found = code(&message) == ResponseCode::Success;
                assert_eq!(found, next % 3 != 1);
                next += 1;
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    drop(writing.await.unwrap());
    running.end().await;
}

/// Takes the whole messages out of the front.
fn split_whole(bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut at = 0;
    while let Ok(envelope) = Envelope::decode(&bytes[at..]) {
        let until = at + ENVELOPE_BYTES + envelope.length as usize;
        let Some(message) = bytes.get(at..until) else { break };
        messages.push(message.to_vec());
        at = until;
    }
    bytes.drain(..at);
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silent_and_the_slow_are_cut() {
    let quick = Duration::from_millis(100);
    let running =
        Running::with(ServeOptions { idle: quick, slow: quick, ..at("127.0.0.1:0") }).await;
    // Says nothing; says half; takes no answer.
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut half = TcpStream::connect(running.address).await.unwrap();
    half.write_all(&request(1, b"99.1000/simple")[..30]).await.unwrap();
    let mut deaf = TcpStream::connect(running.address).await.unwrap();
    let many: Vec<u8> = (0..2_000).flat_map(|id| request(id, b"99.1000/big")).collect();
    let filled = async { while deaf.write_all(&many).await.is_ok() {} };
    timeout(PATIENCE, filled).await.unwrap();
    for stream in [&mut silent, &mut half] {
        let ended = timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    running.answers().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_are_allowed_are_closed_at_once() {
    let options = ServeOptions { connections_max: 2, ..at("127.0.0.1:0") };
    let running = Running::with(options).await;
    let message = request(1, b"99.1000/simple");
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(&message).await.unwrap();
        timeout(PATIENCE, read_message(&mut stream)).await.unwrap();
        open.push(stream);
    }
    let mut third = TcpStream::connect(running.address).await.unwrap();
    let ended = timeout(PATIENCE, third.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    drop(open);
    // Their places are free once the server has seen them go.
    let served = async {
        loop {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let _ = stream.write_all(&message).await;
            if matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {
                break;
            }
        }
    };
    timeout(PATIENCE, served).await.unwrap();
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_both_ports_does_not_keep_others_from_being_served() {
    let running = Running::new().await;
    let address = running.address;
    let done = CancellationToken::new();
    let strangers: Vec<_> = (0..2_u64)
        .map(|seed| {
            let done = done.clone();
            tokio::spawn(async move {
                let mut garbage = Garbage(seed);
                let socket = udp(address).await;
                while !done.is_cancelled() {
                    let mut message = request(garbage.next() as u32, b"99.1000/simple");
                    let place = garbage.next() as usize % message.len();
                    message[place] = garbage.next() as u8;
                    for bytes in [garbage.bytes(600), message] {
                        let _ = socket.send(&bytes).await;
                        if let Ok(mut stream) = TcpStream::connect(address).await {
                            let _ = stream.write_all(&bytes).await;
                        }
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..50 {
        running.answers().await;
    }
    done.cancel();
    for stranger in strangers {
        stranger.await.unwrap();
    }
    running.answers().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_over_ipv6() {
    if UdpSocket::bind("[::1]:0").await.is_err() {
        eprintln!("no IPv6 on this machine");
        return;
    }
    let running = Running::with(at("[::1]:0")).await;
    running.answers().await;
    let long = running.ask_udp(&request(9, b"99.1000/big")).await;
    assert_eq!(code(&long), ResponseCode::Success);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_everything_and_frees_the_ports() {
    let running = Running::new().await;
    running.answers().await;
    let address = running.address;
    let mut open = TcpStream::connect(address).await.unwrap();
    open.write_all(&request(1, b"99.1000/simple")[..10]).await.unwrap();
    running.end().await;
    let ended = timeout(PATIENCE, open.read(&mut [0; 64])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    let bound = Bound::listen(at(&address.to_string())).await.unwrap();
    assert_eq!(bound.addresses(), [address]);
}
