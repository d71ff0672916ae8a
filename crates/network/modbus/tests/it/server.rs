//! Servers: one that works, and one that answers whatever a test wants.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

/// The four tables of a device; registers and bits start as their own address.
pub(crate) struct Memory {
    pub(crate) registers: Mutex<Vec<u16>>,
    pub(crate) bits: Mutex<Vec<bool>>,
    /// Addresses that do not exist, in all tables.
    pub(crate) missing: Mutex<BTreeSet<u16>>,
    /// Function codes that it does not know.
    pub(crate) unknown_functions: Mutex<BTreeSet<u8>>,
    pub(crate) requests: AtomicU64,
    pub(crate) connections: AtomicU64,
    /// Units that answer; all others are silent, as behind a gateway without time-out.
    pub(crate) units: BTreeSet<u8>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_units([1])
    }

    pub(crate) fn with_units(units: impl IntoIterator<Item = u8>) -> Arc<Self> {
        Arc::new(Self {
            registers: Mutex::new((0..=65535).collect()),
            bits: Mutex::new((0..=65535_u32).map(|a| a % 3 == 0).collect()),
            missing: Mutex::default(),
            unknown_functions: Mutex::default(),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            units: units.into_iter().collect(),
        })
    }

    fn range(&self, start: u16, count: usize) -> Result<std::ops::Range<usize>, ExceptionCode> {
        let range = usize::from(start)..usize::from(start) + count;
        let missing = self.missing.lock().unwrap();
        if range.end > 65536 || range.clone().any(|a| missing.contains(&(a as u16))) {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        Ok(range)
    }

    fn answer(&self, request: Request<'_>) -> Result<Response, ExceptionCode> {
        self.requests.fetch_add(1, Relaxed);
        if self.unknown_functions.lock().unwrap().contains(&request.function_code().value()) {
            return Err(ExceptionCode::IllegalFunction);
        }
        let mut registers = self.registers.lock().unwrap();
        let mut bits = self.bits.lock().unwrap();
        Ok(match request {
            Request::ReadCoils(start, count) => {
                Response::ReadCoils(bits[self.range(start, count.into())?].to_vec())
            }
            Request::ReadDiscreteInputs(start, count) => {
                Response::ReadDiscreteInputs(bits[self.range(start, count.into())?].to_vec())
            }
            Request::ReadInputRegisters(start, count) => {
                Response::ReadInputRegisters(registers[self.range(start, count.into())?].to_vec())
            }
            Request::ReadHoldingRegisters(start, count) => {
                Response::ReadHoldingRegisters(registers[self.range(start, count.into())?].to_vec())
            }
            Request::WriteSingleCoil(address, on) => {
                bits[self.range(address, 1)?].copy_from_slice(&[on]);
                Response::WriteSingleCoil(address, on)
            }
            Request::WriteMultipleCoils(address, values) => {
                bits[self.range(address, values.len())?].copy_from_slice(&values);
                Response::WriteMultipleCoils(address, values.len() as u16)
            }
            Request::WriteSingleRegister(address, word) => {
                registers[self.range(address, 1)?].copy_from_slice(&[word]);
                Response::WriteSingleRegister(address, word)
            }
            Request::WriteMultipleRegisters(address, words) => {
                registers[self.range(address, words.len())?].copy_from_slice(&words);
                Response::WriteMultipleRegisters(address, words.len() as u16)
            }
            Request::MaskWriteRegister(address, and, or) => {
                let word = &mut registers[self.range(address, 1)?][0];
                *word = (*word & and) | (or & !and);
                Response::MaskWriteRegister(address, and, or)
            }
            _ => return Err(ExceptionCode::IllegalFunction),
        })
    }
}

#[derive(Clone)]
struct Peer(Arc<Memory>);

impl Service for Peer {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, SlaveRequest { slave, request }: Self::Request) -> Self::Future {
        if !self.0.units.contains(&slave) {
            return ready(Ok(None));
        }
        ready(self.0.answer(request).map(Some))
    }
}

/// Ends the server and its connections when dropped.
pub(crate) struct Running {
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a memory at a port, 0 for any.
pub(crate) async fn serve(memory: &Arc<Memory>, port: u16) -> Running {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let memory = Arc::clone(memory);
    let task = tokio::spawn(async move {
        let on_connected = |stream: TcpStream, address: SocketAddr| {
            memory.connections.fetch_add(1, Relaxed);
            let peer = Peer(Arc::clone(&memory));
            async move { accept_tcp_connection(stream, address, move |_| Ok(Some(peer.clone()))) }
        };
        let _ = Server::new(listener).serve(&on_connected, |_| {}).await;
    });
    Running { port, task }
}

/// What a raw server does with one request.
pub(crate) enum Reply {
    Send(Vec<u8>),
    SendAndClose(Vec<u8>),
    Silence,
    /// Sends for ever, as fast as it is read.
    Flood,
}

/// A server that answers each request (the whole frame) as the test says.
pub(crate) async fn raw(answer: impl Fn(&[u8]) -> Reply + Send + Sync + 'static) -> Running {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(talk(stream, Arc::clone(&answer)));
        }
    });
    Running { port, task }
}

async fn talk(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&[u8]) -> Reply + Send + Sync + 'static>,
) -> std::io::Result<()> {
    loop {
        let mut request = vec![0; 6];
        stream.read_exact(&mut request).await?;
        let length = usize::from(u16::from_be_bytes([request[4], request[5]]));
        request.resize(6 + length, 0);
        stream.read_exact(&mut request[6..]).await?;
        match answer(&request) {
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

/// The right answer to a read of registers: each holds its own address.
pub(crate) fn good(request: &[u8]) -> Vec<u8> {
    let start = u16::from_be_bytes([request[8], request[9]]);
    let count = u16::from_be_bytes([request[10], request[11]]);
    let mut pdu = vec![request[7], (count * 2) as u8];
    for address in start..start + count {
        pdu.extend(address.to_be_bytes());
    }
    frame(request, &pdu)
}

/// A frame with the request's transaction and unit.
pub(crate) fn frame(request: &[u8], pdu: &[u8]) -> Vec<u8> {
    let mut frame = request[..4].to_vec();
    frame.extend((pdu.len() as u16 + 1).to_be_bytes());
    frame.push(request[6]);
    frame.extend(pdu);
    frame
}
