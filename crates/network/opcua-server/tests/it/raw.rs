//! Frames by hand, without security.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bench::Bench;

/// No test waits longer for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn frame(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut frame = kind.to_vec();
    frame.extend_from_slice(&(8 + body.len() as u32).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

pub(crate) fn hello() -> Vec<u8> {
    let mut body = Vec::new();
    for number in [0_u32, 65_535, 65_535, 0, 0, u32::MAX] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    frame(b"HELF", &body)
}

/// `OpenSecureChannel` without security; the numbers of the sequence header follow the caller's.
pub(crate) fn open() -> Vec<u8> {
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
pub(crate) fn request(service: u16) -> Vec<u8> {
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
pub(crate) async fn next(stream: &mut TcpStream) -> Option<([u8; 3], Vec<u8>)> {
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

pub(crate) async fn greeted(bench: &Bench) -> TcpStream {
    let mut stream = TcpStream::connect(bench.running.address()).await.unwrap();
    stream.write_all(&hello()).await.unwrap();
    assert_eq!(next(&mut stream).await.unwrap().0, *b"ACK");
    stream
}

/// Channel and token of an open channel.
pub(crate) async fn opened(bench: &Bench) -> (TcpStream, [u8; 8]) {
    let mut stream = greeted(bench).await;
    stream.write_all(&open()).await.unwrap();
    let (kind, body) = next(&mut stream).await.unwrap();
    assert_eq!(kind, *b"OPN");
    let mut names = [0; 8];
    names[..4].copy_from_slice(&body[..4]);
    names[4] = 1;
    (stream, names)
}

/// A frame of a message.
pub(crate) fn piece(
    kind: &[u8; 4],
    names: [u8; 8],
    number: u32,
    request: u32,
    body: &[u8],
) -> Vec<u8> {
    let mut whole = names.to_vec();
    whole.extend_from_slice(&number.to_le_bytes());
    whole.extend_from_slice(&request.to_le_bytes());
    whole.extend_from_slice(body);
    frame(kind, &whole)
}
