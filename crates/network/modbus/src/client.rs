//! One TCP connection to a Modbus server, with one request in flight.
//!
//! What is known of tokio-modbus 0.17 and guarded here: an answer of another length than asked
//! for panics in its typed readers (debug assertions), so requests go through `call` and lengths
//! are checked here; after a time-out a late answer would be taken for the next one, and after an
//! answer that does not fit, the stream cannot be trusted, so both drop the connection; an end of
//! the stream is reported as whatever the last system error was, so its text is replaced. Its
//! decoder reads at most 64 KiB for one answer and checks the transaction, the unit and the
//! function of each.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::slave::SlaveContext as _;
use tokio_modbus::{Error, ExceptionCode, ProtocolError, Request, Response, Slave};
use weir_connect::ErrorKind;
use weir_connect::dial::Lookups;

use crate::{Settings, Table};

/// What is told of a connection that was refused.
const REFUSED: &str = "connection refused: nothing listens there; check host and port, and whether the device allows one more connection";

/// Why a request brought no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The device answered with an exception; the connection stands.
    Exception(u8),
    /// The connection is gone.
    Failed(ErrorKind, String),
}

/// What a read brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    Bits(Vec<bool>),
    Words(Vec<u16>),
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    Coil(bool),
    Coils(&'a [bool]),
    Register(u16),
    Registers(&'a [u16]),
    /// The register becomes `(old & and) | (or & !and)`.
    Mask {
        and: u16,
        or: u16,
    },
}

pub(crate) struct Client {
    lookups: Lookups,
    host: String,
    port: u16,
    timeout: Duration,
    context: Option<Context>,
    /// Requests answered, by data or exception, or failed.
    pub(crate) requests: u32,
    /// How long the last answer took.
    pub(crate) latency: Duration,
}

impl Client {
    pub(crate) fn new(settings: &Settings, lookups: Lookups) -> Self {
        Self {
            lookups,
            host: settings.host.clone(),
            port: settings.port,
            timeout: settings.timeout,
            context: None,
            requests: 0,
            latency: Duration::ZERO,
        }
    }

    /// Connects, unless the connection stands.
    pub(crate) async fn connect(&mut self) -> Result<(), CallError> {
        if self.context.is_some() {
            return Ok(());
        }
        let connecting = self.lookups.connect(&self.host, self.port, self.timeout);
        let stream = connecting.await.map_err(|error| {
            let (kind, cause) = error.told(self.timeout, REFUSED);
            CallError::Failed(kind, cause)
        })?;
        self.context = Some(tcp::attach_slave(stream, Slave(0)));
        Ok(())
    }

    pub(crate) async fn read(
        &mut self,
        unit: u8,
        table: Table,
        start: u16,
        count: u16,
    ) -> Result<Data, CallError> {
        let request = match table {
            Table::Coil => Request::ReadCoils(start, count),
            Table::Discrete => Request::ReadDiscreteInputs(start, count),
            Table::Input => Request::ReadInputRegisters(start, count),
            Table::Holding => Request::ReadHoldingRegisters(start, count),
        };
        let wanted = usize::from(count);
        match self.call(unit, request).await? {
            // Bits come in whole bytes, so there may be up to seven more.
            Response::ReadCoils(mut bits) | Response::ReadDiscreteInputs(mut bits)
                if bits.len() == wanted.next_multiple_of(8) =>
            {
                bits.truncate(wanted);
                Ok(Data::Bits(bits))
            }
            Response::ReadInputRegisters(words) | Response::ReadHoldingRegisters(words)
                if words.len() == wanted =>
            {
                Ok(Data::Words(words))
            }
            _ => self.mistrust("an answer of another length than asked for"),
        }
    }

    pub(crate) async fn write(
        &mut self,
        unit: u8,
        address: u16,
        order: Order<'_>,
    ) -> Result<(), CallError> {
        let request = match order {
            Order::Coil(on) => Request::WriteSingleCoil(address, on),
            Order::Coils(bits) => Request::WriteMultipleCoils(address, Cow::Borrowed(bits)),
            Order::Register(word) => Request::WriteSingleRegister(address, word),
            Order::Registers(words) => {
                Request::WriteMultipleRegisters(address, Cow::Borrowed(words))
            }
            Order::Mask { and, or } => Request::MaskWriteRegister(address, and, or),
        };
        let answer = self.call(unit, request).await?;
        let echoed = match (order, answer) {
            (Order::Coil(on), Response::WriteSingleCoil(a, b)) => (a, b) == (address, on),
            (Order::Coils(bits), Response::WriteMultipleCoils(a, n)) => {
                (a, usize::from(n)) == (address, bits.len())
            }
            (Order::Register(word), Response::WriteSingleRegister(a, b)) => {
                (a, b) == (address, word)
            }
            (Order::Registers(words), Response::WriteMultipleRegisters(a, n)) => {
                (a, usize::from(n)) == (address, words.len())
            }
            (Order::Mask { and, or }, Response::MaskWriteRegister(a, x, y)) => {
                (a, x, y) == (address, and, or)
            }
            _ => false,
        };
        if echoed { Ok(()) } else { self.mistrust("an answer to another write than asked for") }
    }

    fn mistrust<T>(&mut self, what: &str) -> Result<T, CallError> {
        self.context = None;
        let cause = format!("the device sent {what}; the connection was dropped");
        Err(CallError::Failed(ErrorKind::Protocol, cause))
    }

    async fn call(&mut self, unit: u8, request: Request<'_>) -> Result<Response, CallError> {
        self.connect().await?;
        // Taken out for the time of the call: whatever ends it early ends the connection too.
        let Some(mut context) = self.context.take() else {
            let cause = "not connected".to_owned();
            return Err(CallError::Failed(ErrorKind::NotConnected, cause));
        };
        context.set_slave(Slave(unit));
        let started = Instant::now();
        let answer = timeout(self.timeout, context.call(request)).await;
        self.latency = started.elapsed();
        // Only differences count, and a connection may stand for years.
        self.requests = self.requests.wrapping_add(1);
        match answer {
            Ok(Ok(Ok(response))) => {
                self.context = Some(context);
                Ok(response)
            }
            Ok(Ok(Err(exception))) => {
                self.context = Some(context);
                Err(CallError::Exception(code(exception)))
            }
            Ok(Err(Error::Protocol(error))) => match error {
                ProtocolError::HeaderMismatch { .. } => {
                    self.mistrust("an answer with another transaction or unit than asked for")
                }
                ProtocolError::FunctionCodeMismatch { .. } => {
                    self.mistrust("an answer to another function than asked for")
                }
            },
            Ok(Err(Error::Transport(error))) if is_of_decoder(&error) => {
                self.mistrust("something that is not Modbus")
            }
            Ok(Err(Error::Transport(error))) => {
                let cause = disconnected(&error);
                Err(CallError::Failed(ErrorKind::Disconnected, cause))
            }
            Err(_) => {
                let ms = self.timeout.as_millis();
                let cause = format!("no answer within {ms} ms; the connection was dropped");
                Err(CallError::Failed(ErrorKind::Timeout, cause))
            }
        }
    }
}

/// The decoder's own errors, for a wrong protocol number, a length that is a lie, and an answer that
/// ends too early.
fn is_of_decoder(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

fn code(exception: ExceptionCode) -> u8 {
    exception.into()
}

fn disconnected(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => {
            format!("the device ended the connection ({error})")
        }
        _ => "the device ended the connection, perhaps within an answer".to_owned(),
    }
}
