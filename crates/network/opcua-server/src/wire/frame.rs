//! Frames: a header of eight bytes and what follows it (OPC 10000-6, clause 7.1.2).

use opcua::types::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Reader, put_bytes};

/// Bytes of the header that every frame begins with.
pub(crate) const HEADER: usize = 8;

/// Largest frame that is sent or taken: what every implementation uses.
pub(crate) const FRAME_BYTES_MAX: usize = 65_536;

/// Smallest frame size that a client may ask for (OPC 10000-6, clause 7.1.2.3).
pub(crate) const FRAME_BYTES_MIN: usize = 8_192;

/// Longest endpoint URL (OPC 10000-6, clause 7.1.2.3).
pub(crate) const URL_BYTES_MAX: usize = 4_096;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hello,
    Open,
    Message,
    Close,
}

/// Whether a message goes on after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Intermediate,
    Final,
    Abort,
}

/// A frame as it was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) last: Last,
    /// All of it, header included.
    pub(crate) bytes: Vec<u8>,
}

/// Why there is no next frame.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The client closed the connection, or it broke.
    Gone,
    /// What came is no frame.
    Wrong(StatusCode),
}

/// Reads a header: what the frame is and how long.
pub(crate) fn header(bytes: &[u8; HEADER]) -> Result<(Kind, Last, usize), StatusCode> {
    let [a, b, c, last, size @ ..] = bytes;
    let kind = match &[*a, *b, *c] {
        b"HEL" => Kind::Hello,
        b"OPN" => Kind::Open,
        b"MSG" => Kind::Message,
        b"CLO" => Kind::Close,
        _ => return Err(StatusCode::BadTcpMessageTypeInvalid),
    };
    let last = match (last, kind) {
        (b'F', _) => Last::Final,
        (b'C', Kind::Message) => Last::Intermediate,
        (b'A', Kind::Message) => Last::Abort,
        _ => return Err(StatusCode::BadTcpMessageTypeInvalid),
    };
    let size = u32::from_le_bytes(*size) as usize;
    if !(HEADER..=FRAME_BYTES_MAX).contains(&size) {
        return Err(StatusCode::BadTcpMessageTooLarge);
    }
    Ok((kind, last, size))
}

/// Reads the next frame.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Frame, ReadError> {
    let mut head = [0; HEADER];
    stream.read_exact(&mut head).await.map_err(|_| ReadError::Gone)?;
    let (kind, last, size) = header(&head).map_err(ReadError::Wrong)?;
    let mut bytes = vec![0; size];
    let (start, rest) = bytes.split_at_mut(HEADER);
    start.copy_from_slice(&head);
    stream.read_exact(rest).await.map_err(|_| ReadError::Gone)?;
    Ok(Frame { kind, last, bytes })
}

/// What a client says first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Bytes of the largest frame that it takes.
    pub(crate) receive: usize,
    /// Bytes of the largest answer that it takes; `usize::MAX` if it has no bound.
    pub(crate) message: usize,
    /// Frames of the longest answer that it takes; `usize::MAX` if it has no bound.
    pub(crate) chunks: usize,
}

/// Reads a hello; the frame is of that kind.
pub(crate) fn hello(frame: &Frame) -> Result<Hello, StatusCode> {
    let parse = || {
        let mut reader = Reader::new(frame.bytes.get(HEADER..)?);
        let [_version, receive, send, message, chunks] =
            [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?];
        let url = reader.bytes()?;
        Some((receive as usize, send as usize, message, chunks, url.len()))
    };
    let (receive, send, message, chunks, url) =
        parse().ok_or(StatusCode::BadTcpMessageTypeInvalid)?;
    if url > URL_BYTES_MAX {
        return Err(StatusCode::BadTcpEndpointUrlInvalid);
    }
    if receive < FRAME_BYTES_MIN || send < FRAME_BYTES_MIN {
        return Err(StatusCode::BadConnectionRejected);
    }
    let bound = |bound: u32| if bound == 0 { usize::MAX } else { bound as usize };
    Ok(Hello { receive, message: bound(message), chunks: bound(chunks) })
}

/// The answer to a hello.
pub(crate) fn acknowledge(hello: &Hello, message_bytes_max: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(20);
    let sizes = [
        0,
        FRAME_BYTES_MAX,
        hello.receive.min(FRAME_BYTES_MAX),
        message_bytes_max,
        message_bytes_max / FRAME_BYTES_MIN + 1,
    ];
    for size in sizes {
        body.extend_from_slice(&(size as u32).to_le_bytes());
    }
    framed(b"ACKF", &body)
}

/// Tells the client why its connection ends.
pub(crate) fn error(status: StatusCode, reason: &str) -> Vec<u8> {
    let mut body = status.bits().to_le_bytes().to_vec();
    put_bytes(&mut body, reason.as_bytes());
    framed(b"ERRF", &body)
}

fn framed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut frame = kind.to_vec();
    frame.extend_from_slice(&((HEADER + body.len()) as u32).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}
