//! As much of MQTT 3.1.1 as a machine needs that publishes with QoS 1, by bytes of our own: the
//! program's own codec must not check itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

/// How long an answer may take before the test gives up.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A connected publisher.
pub struct Publisher {
    stream: TcpStream,
    next_id: u16,
}

impl Publisher {
    /// Connects with a token as the password.
    ///
    /// # Errors
    /// When the broker is not there or refuses; the error then says with which code.
    pub fn connect(address: SocketAddr, client_id: &str, token: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        // Protocol name and level, then: user name, password, clean session; keep-alive of a minute.
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b1100_0010, 0, 60];
        for text in [client_id, "machine", token] {
            body.extend(u16::try_from(text.len())?.to_be_bytes());
            body.extend(text.as_bytes());
        }
        stream.write_all(&packet(0x10, &body))?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).context("no answer to CONNECT")?;
        ensure!(answer[..2] == [0x20, 2] && answer[3] == 0, "refused with {answer:02x?}");
        Ok(Self { stream, next_id: 1 })
    }

    /// Publishes payloads with QoS 1 one after the other, all before the first answer is read, and says how
    /// many were acknowledged, from the first on, before the connection ended.
    ///
    /// # Errors
    /// When something else than acknowledgements comes.
    pub fn publish_all(&mut self, topic: &str, payloads: &[String]) -> anyhow::Result<usize> {
        let first = self.next_id;
        let mut bytes = Vec::new();
        for payload in payloads {
            let mut body = u16::try_from(topic.len())?.to_be_bytes().to_vec();
            body.extend(topic.as_bytes());
            body.extend(self.next_id.to_be_bytes());
            body.extend(payload.as_bytes());
            bytes.extend(packet(0x32, &body));
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        }
        if self.stream.write_all(&bytes).is_err() {
            return Ok(0);
        }
        let mut expected = first;
        for count in 0..payloads.len() {
            let mut answer = [0; 4];
            if self.stream.read_exact(&mut answer).is_err() {
                return Ok(count);
            }
            ensure!(answer[..2] == [0x40, 2], "not a PUBACK: {answer:02x?}");
            let id = u16::from_be_bytes([answer[2], answer[3]]);
            ensure!(id == expected, "{id} is acknowledged before {expected}");
            expected = expected.checked_add(1).unwrap_or(1);
        }
        Ok(payloads.len())
    }

    /// Waits until the broker ends the connection.
    ///
    /// # Errors
    /// When it does not.
    pub fn until_closed(&mut self) -> anyhow::Result<()> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => Ok(()),
            Ok(_) => anyhow::bail!("bytes came: {byte:02x?}"),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A packet: its first byte, its length in groups of seven bits, its body.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let group = (left % 128) as u8;
        left /= 128;
        bytes.push(if left > 0 { group | 0x80 } else { group });
        if left == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}
