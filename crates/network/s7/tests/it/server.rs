//! A server that answers each request as the test says, below S7comm as it should.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{DeviceSpec, Point, WriteLimits};
use weir_model::DataType;
use weir_s7::S7Driver;

/// What the server does with one request.
pub(crate) enum Reply {
    Send(Vec<u8>),
    SendAndClose(Vec<u8>),
    Silence,
    /// Sends for ever, as fast as it is read.
    Flood,
}

/// A request, taken apart.
pub(crate) struct Request {
    pub(crate) kind: u8,
    pub(crate) reference: [u8; 2],
    pub(crate) parameters: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// Ends the server and its connections when dropped.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One item of a read or write: area, block, address in bits, count and kind of unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) unit: u8,
    pub(crate) count: u16,
    pub(crate) db: u16,
    pub(crate) area: u8,
    pub(crate) address: u32,
}

impl Request {
    fn of(message: &[u8]) -> Self {
        let parameters = usize::from(u16::from_be_bytes([message[6], message[7]]));
        let data = usize::from(u16::from_be_bytes([message[8], message[9]]));
        Self {
            kind: message[1],
            reference: [message[4], message[5]],
            parameters: message[10..10 + parameters].to_vec(),
            data: message[10 + parameters..10 + parameters + data].to_vec(),
        }
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        let item = |i: &[u8]| Item {
            unit: i[3],
            count: u16::from_be_bytes([i[4], i[5]]),
            db: u16::from_be_bytes([i[6], i[7]]),
            area: i[8],
            address: u32::from_be_bytes([0, i[9], i[10], i[11]]),
        };
        self.parameters[2..].chunks(12).map(item).collect()
    }

    pub(crate) fn is_write(&self) -> bool {
        self.parameters[0] == 0x05
    }

    /// An answer with an error word.
    pub(crate) fn answer(&self, error: u16, parameters: &[u8], data: &[u8]) -> Vec<u8> {
        let mut message = vec![0x32, 3, 0, 0];
        message.extend(self.reference);
        message.extend((parameters.len() as u16).to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(error.to_be_bytes());
        message.extend(parameters);
        message.extend(data);
        frame(&message)
    }

    /// The right answer to a user data request, as one part of an answer.
    pub(crate) fn part(&self, more: bool, error: u16, content: &[u8]) -> Vec<u8> {
        let p = &self.parameters;
        let mut parameters = vec![0, 1, 0x12, 8, 0x12, 0x80 | p[5] & 0x0F, p[6], 1];
        parameters.extend([2, u8::from(more)]);
        parameters.extend(error.to_be_bytes());
        let mut data = vec![0xFF, 9];
        data.extend((content.len() as u16).to_be_bytes());
        data.extend(content);
        let mut message = vec![0x32, 7, 0, 0];
        message.extend(self.reference);
        message.extend((parameters.len() as u16).to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(parameters);
        message.extend(data);
        frame(&message)
    }
}

/// A message in one frame.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![3, 0];
    frame.extend((message.len() as u16 + 7).to_be_bytes());
    frame.extend([2, 0xF0, 0x80]);
    frame.extend(message);
    frame
}

/// The right answer: every byte holds the lowest byte of its own number; writes are confirmed.
pub(crate) fn good(request: &Request) -> Vec<u8> {
    good_except(request, |_| None)
}

/// The right answer, but for items that are refused with a return code.
pub(crate) fn good_except(request: &Request, refuse: impl Fn(&Item) -> Option<u8>) -> Vec<u8> {
    if request.kind == 7 {
        return request.answer(0x8104, &[], &[]);
    }
    let items = request.items();
    let head = [request.parameters[0], items.len() as u8];
    let mut data = Vec::new();
    for item in &items {
        if data.len() % 2 == 1 {
            data.push(0);
        }
        match (refuse(item), request.is_write()) {
            (Some(code), true) => data.push(code),
            (None, true) => data.push(0xFF),
            (Some(code), false) => data.extend([code, 0, 0, 0]),
            (None, false) => {
                data.extend([0xFF, 4]);
                data.extend((item.count * 8).to_be_bytes());
                let start = item.address / 8;
                data.extend((start..start + u32::from(item.count)).map(|at| at as u8));
            }
        }
    }
    request.answer(0, &head, &data)
}

/// Serves, with messages of 240 bytes, and answers reads, writes and services as the test says.
pub(crate) async fn serve(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Running {
    serve_all(confirm, answer).await
}

/// Accepts a request for a connection.
pub(crate) fn confirm(request: &[u8]) -> Reply {
    let mut confirm = request.to_vec();
    confirm[5] = 0xD0;
    Reply::Send(confirm)
}

/// Serves, and answers the request for a connection as the test says too.
pub(crate) async fn serve_all(
    confirm: impl Fn(&[u8]) -> Reply + Send + Sync + 'static,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> Running {
    serve_at("127.0.0.1", confirm, answer).await
}

/// Serves at an address.
pub(crate) async fn serve_at(
    address: &str,
    confirm: impl Fn(&[u8]) -> Reply + Send + Sync + 'static,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> Running {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    let (confirm, answer) = (Arc::new(confirm), Arc::new(answer));
    let task = tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Relaxed);
            tasks.spawn(talk(stream, Arc::clone(&confirm), Arc::clone(&answer)));
        }
    });
    Running { port, connections, task }
}

async fn talk(
    mut stream: TcpStream,
    confirm: Arc<impl Fn(&[u8]) -> Reply + Send + Sync + 'static>,
    answer: Arc<impl Fn(&Request) -> Reply + Send + Sync + 'static>,
) -> std::io::Result<()> {
    loop {
        let mut frame = vec![0; 4];
        stream.read_exact(&mut frame).await?;
        let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
        frame.resize(length, 0);
        stream.read_exact(&mut frame[4..]).await?;
        let reply = if frame[5] == 0xE0 {
            confirm(&frame)
        } else {
            let request = Request::of(&frame[7..]);
            if request.parameters[0] == 0xF0 {
                Reply::Send(request.answer(0, &[0xF0, 0, 0, 1, 0, 1, 0, 240], &[]))
            } else {
                answer(&request)
            }
        };
        match reply {
            Reply::Send(bytes) => stream.write_all(&bytes).await?,
            Reply::SendAndClose(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Silence => {}
            Reply::Flood => loop {
                stream.write_all(&[0xA5; 4096]).await?;
            },
        }
    }
}

pub(crate) fn bench() -> Bench {
    Bench::new(vec![Arc::new(S7Driver::new())])
}

/// A device at a port, with whole numbers at these addresses.
pub(crate) fn spec(n: u32, port: u16, addresses: &[&str]) -> DeviceSpec {
    let point = |(i, address): (usize, &&str)| Point {
        tag: tag(n, i),
        id: format!("88.100/d{n}.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address: json!({"address": address}),
        data_type: if address.contains('X') { DataType::Bool } else { DataType::U64 },
        scaling: Vec::new(),
        write: Some(WriteLimits::default()),
        poll_ms: None,
    };
    DeviceSpec {
        tenant: TENANT,
        device: device_id(n),
        name: format!("device {n}"),
        protocol: "s7".to_owned(),
        settings: json!({"host": "127.0.0.1", "port": port, "poll_ms": 20, "timeout_ms": 3000}),
        points: addresses.iter().enumerate().map(point).collect(),
        enabled: true,
        revision: 1,
    }
}
