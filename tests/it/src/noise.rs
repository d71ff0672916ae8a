//! Random bytes for every port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How much was thrown.
#[derive(Debug, Default, Clone, Copy)]
pub struct Noise {
    /// Connections that were made.
    pub connections: u64,
    /// Bytes that were sent.
    pub bytes: u64,
}

/// Throws random bytes, plain and behind the beginnings of real requests, at an address until the
/// deadline, one connection after the other.
///
/// # Errors
/// When the system gives no random numbers.
pub fn throw_noise(address: SocketAddr, until: Instant) -> anyhow::Result<Noise> {
    const HEADS: [&[u8]; 6] = [
        b"",
        b"GET /api/v1/tags HTTP/1.1\r\n",
        b"POST /api/v1/samples HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x01\x00\x00\x00\x06\x01\x03",
    ];
    let mut noise = Noise::default();
    let mut buffer = vec![0u8; 4096];
    while Instant::now() < until {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(2)) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        noise.connections += 1;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        getrandom::fill(&mut buffer).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let head = HEADS[usize::from(buffer[0]) % HEADS.len()];
        let body = &buffer[..1 + usize::from(buffer[1]) * 16];
        if stream.write_all(head).and_then(|()| stream.write_all(body)).is_ok() {
            noise.bytes += (head.len() + body.len()) as u64;
        }
        let mut answer = [0u8; 1024];
        let _ = stream.read(&mut answer);
    }
    Ok(noise)
}
