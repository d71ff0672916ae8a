//! One TCP connection to a CPU, with one request in flight.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_connect::ErrorKind;
use weir_connect::dial::Lookups;

use crate::codec::CodecError;
use crate::codec::frame::{self, HEADER_BYTES, Unit, disconnect_reason};
use crate::codec::message::{self, Answer, Kind};
use crate::codec::services::{LIST_BYTES_MAX, Service};
use crate::codec::variables::{self, ItemAnswer, ReadItem, WriteItem};
use crate::{Settings, header_error_text};

/// Largest message that is offered: what the largest CPUs take. Every CPU answers with what it takes itself.
pub const PDU_BYTES_MAX: u16 = 960;

/// Smallest message that settings may offer: what the smallest CPUs take.
pub(crate) const PDU_BYTES_DEFAULT_MIN: u16 = 240;

/// Most frames that one message is made of; whole messages come in one.
const FRAMES_A_MESSAGE_MAX: usize = 16;

/// Most parts of one list: 256 KiB in parts of 200 bytes are 1,311.
const PARTS_MAX: usize = 1400;

/// What is told of a connection that was refused.
const REFUSED: &str = "connection refused: nothing listens there; check host and port, and whether the device is an S7 CPU with an Ethernet port";

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The CPU refused the whole request; the connection stands.
    Refused(u16),
    /// The connection is gone.
    Failed(ErrorKind, String),
}

pub(crate) struct Client {
    lookups: Lookups,
    settings: Settings,
    stream: Option<TcpStream>,
    reference: u16,
    /// The size of messages that was agreed.
    pub(crate) pdu_bytes: u16,
    /// Requests answered or failed.
    pub(crate) requests: u32,
    /// How long the last answer took.
    pub(crate) latency: Duration,
}

/// What ended an exchange of bytes.
enum Broken {
    Io(io::Error),
    Codec(CodecError),
    Disconnected(u8),
    Misunderstood(u8),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CodecError> for Broken {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl CallError {
    pub(crate) fn told(self) -> (ErrorKind, String) {
        match self {
            Self::Refused(error) => (ErrorKind::Rejected, header_error_text(error)),
            Self::Failed(kind, cause) => (kind, cause),
        }
    }
}

impl Client {
    pub(crate) fn new(settings: Settings, lookups: Lookups) -> Self {
        Self {
            lookups,
            pdu_bytes: settings.pdu_bytes_max,
            settings,
            stream: None,
            reference: 0,
            requests: 0,
            latency: Duration::ZERO,
        }
    }

    /// Whether the connection stands, as far as is known.
    pub(crate) fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Connects: TCP, transport, and the size of messages; each within the time-out.
    pub(crate) async fn connect(&mut self) -> Result<(), CallError> {
        let ms = self.settings.timeout.as_millis();
        let mut stream = self.connect_tcp().await?;
        let (local, remote) = (self.settings.local_tsap, self.settings.called_tsap());
        match timeout(self.settings.timeout, open(&mut stream, local, remote)).await {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => return Err(refused(broken)),
            Err(_) => {
                let cause = format!(
                    "the device does not answer the connection request within {ms} ms; is it an S7 CPU?"
                );
                return Err(CallError::Failed(ErrorKind::Timeout, cause));
            }
        }
        self.stream = Some(stream);
        let offered = self.settings.pdu_bytes_max;
        let answer = self.call(Kind::Job, &message::setup(offered), &[]).await?;
        if answer.error != 0 {
            self.stream = None;
            return Err(CallError::Refused(answer.error));
        }
        self.pdu_bytes =
            message::setup_answer(&answer, offered).map_err(|error| self.mistrust(error))?;
        Ok(())
    }

    async fn connect_tcp(&self) -> Result<TcpStream, CallError> {
        let Settings { host, port, timeout, .. } = &self.settings;
        self.lookups.connect(host, *port, *timeout).await.map_err(|error| {
            let (kind, cause) = error.told(*timeout, REFUSED);
            CallError::Failed(kind, cause)
        })
    }

    /// Reads items that fit one request.
    pub(crate) async fn read(&mut self, items: &[ReadItem]) -> Result<Vec<ItemAnswer>, CallError> {
        let answer = self.call(Kind::Job, &variables::read(items), &[]).await?;
        if answer.error != 0 {
            return Err(CallError::Refused(answer.error));
        }
        variables::read_answer(&answer, items).map_err(|error| self.mistrust(error))
    }

    /// Writes one item; the inner result is its return code where it is refused.
    pub(crate) async fn write(
        &mut self,
        item: &WriteItem<'_>,
    ) -> Result<Result<(), u8>, CallError> {
        let (parameters, data) = variables::write(item);
        let answer = self.call(Kind::Job, &parameters, &data).await?;
        if answer.error != 0 {
            return Err(CallError::Refused(answer.error));
        }
        variables::write_answer(&answer).map_err(|error| self.mistrust(error))
    }

    /// Everything that a service answers, over all parts.
    pub(crate) async fn serve(&mut self, service: Service) -> Result<Vec<u8>, CallError> {
        let mut content = Vec::new();
        let (mut parameters, mut data) = service.request();
        for _ in 0..PARTS_MAX {
            let answer = self.call(Kind::UserData, &parameters, &data).await?;
            if answer.error != 0 {
                return Err(CallError::Refused(answer.error));
            }
            let part = service.answer(&answer).map_err(|error| self.mistrust(error))?;
            match &part.content {
                Ok(bytes) => content.extend(bytes),
                Err(error) => return Err(CallError::Refused(*error)),
            }
            if !part.more {
                return Ok(content);
            }
            if content.len() > LIST_BYTES_MAX {
                break;
            }
            (parameters, data) = service.next_request(&part);
        }
        Err(self.mistrust(CodecError::Length))
    }

    fn mistrust(&mut self, error: CodecError) -> CallError {
        self.stream = None;
        let cause = format!("the device sent {error}; the connection was dropped");
        CallError::Failed(ErrorKind::Protocol, cause)
    }

    async fn call(
        &mut self,
        kind: Kind,
        parameters: &[u8],
        data: &[u8],
    ) -> Result<Answer, CallError> {
        // Taken out for the time of the call: whatever ends it early ends the connection too.
        let Some(mut stream) = self.stream.take() else {
            let cause = "not connected".to_owned();
            return Err(CallError::Failed(ErrorKind::NotConnected, cause));
        };
        self.reference = self.reference.wrapping_add(1);
        let reference = self.reference;
        let request = frame::data(&message::request(kind, reference, parameters, data));
        let started = Instant::now();
        let exchange = async {
            stream.write_all(&request).await?;
            let message = receive(&mut stream).await?;
            Ok::<_, Broken>(message::answer(&message, kind, reference)?)
        };
        let result = timeout(self.settings.timeout, exchange).await;
        self.latency = started.elapsed();
        // Only differences count, and a connection may stand for years.
        self.requests = self.requests.wrapping_add(1);
        match result {
            Ok(Ok(answer)) => {
                self.stream = Some(stream);
                Ok(answer)
            }
            Ok(Err(Broken::Codec(error))) => Err(self.mistrust(error)),
            Ok(Err(Broken::Io(error))) => {
                Err(CallError::Failed(ErrorKind::Disconnected, disconnected(&error)))
            }
            Ok(Err(Broken::Disconnected(reason))) => {
                let reason = disconnect_reason(reason);
                let cause = format!("the device ended the connection ({reason})");
                Err(CallError::Failed(ErrorKind::Disconnected, cause))
            }
            Ok(Err(Broken::Misunderstood(cause))) => {
                let cause = format!("the device did not understand a frame (cause {cause})");
                Err(CallError::Failed(ErrorKind::Protocol, cause))
            }
            Err(_) => {
                let ms = self.settings.timeout.as_millis();
                let cause = format!("no answer within {ms} ms; the connection was dropped");
                Err(CallError::Failed(ErrorKind::Timeout, cause))
            }
        }
    }
}

/// Asks for the transport connection.
async fn open(stream: &mut TcpStream, local: u16, remote: u16) -> Result<(), Broken> {
    stream.write_all(&frame::connect_request(local, remote)).await?;
    let body = read_frame(stream).await?;
    match frame::unit(&body)? {
        Unit::Confirm => Ok(()),
        Unit::Disconnect { reason } => Err(Broken::Disconnected(reason)),
        Unit::Error { cause } => Err(Broken::Misunderstood(cause)),
        Unit::Data { .. } => Err(CodecError::TransportUnit(0xF0).into()),
    }
}

/// A whole message, whose parts come in frames.
async fn receive(stream: &mut TcpStream) -> Result<Vec<u8>, Broken> {
    let mut message = Vec::new();
    for _ in 0..FRAMES_A_MESSAGE_MAX {
        let body = read_frame(stream).await?;
        match frame::unit(&body)? {
            Unit::Data { last, payload } => {
                message.extend_from_slice(payload);
                if message.len() > frame::FRAME_BYTES_MAX {
                    return Err(CodecError::FrameLength(message.len()).into());
                }
                if last {
                    return Ok(message);
                }
            }
            Unit::Disconnect { reason } => return Err(Broken::Disconnected(reason)),
            Unit::Error { cause } => return Err(Broken::Misunderstood(cause)),
            Unit::Confirm => return Err(CodecError::TransportUnit(0xD0).into()),
        }
    }
    Err(CodecError::FrameLength(message.len()).into())
}

/// What stands in one frame behind its header.
async fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>, Broken> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let mut body = vec![0; frame::frame_length(header)? - HEADER_BYTES];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Why there is no transport connection.
fn refused(broken: Broken) -> CallError {
    let hint = "check rack and slot (S7-1200 and S7-1500: rack 0, slot 1; S7-300: slot 2; S7-400: see the hardware configuration), and whether the CPU has a connection to spare";
    match broken {
        Broken::Disconnected(reason) => {
            let reason = disconnect_reason(reason);
            let cause = format!("the device refused the connection ({reason}); {hint}");
            CallError::Failed(ErrorKind::Unreachable, cause)
        }
        Broken::Io(_) => {
            let cause = format!("the device ended the connection when it was asked for; {hint}");
            CallError::Failed(ErrorKind::Unreachable, cause)
        }
        Broken::Codec(error) => {
            let cause = format!("the device sent {error}; is it an S7 CPU?");
            CallError::Failed(ErrorKind::Protocol, cause)
        }
        Broken::Misunderstood(cause) => {
            let cause =
                format!("the device did not understand the connection request (cause {cause})");
            CallError::Failed(ErrorKind::Protocol, cause)
        }
    }
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
