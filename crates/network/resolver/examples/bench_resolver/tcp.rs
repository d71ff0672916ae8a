//! Load over TCP.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Result;

const ENVELOPE_BYTES: usize = 20;

/// Connections that ask for signed answers, each with one request under way.
const CONNECTIONS: usize = 16;

pub(crate) struct Piped {
    pub(crate) per_s: f64,
    pub(crate) answered: u64,
}

/// Counts answers in bytes that come in any pieces.
#[derive(Default)]
struct Answers {
    rest: Vec<u8>,
    count: u64,
    wrong: u64,
}

impl Answers {
    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = self.rest.get(at + 16..at + 20) {
            let length = length.try_into().map_or(0, u32::from_be_bytes) as usize;
            let Some(answer) = self.rest.get(at..at + ENVELOPE_BYTES + length) else { break };
            self.count += 1;
            self.wrong += u64::from(answer.get(24..28) != Some(&[0, 0, 0, 1][..]));
            at += answer.len();
        }
        self.rest.drain(..at);
    }

    fn checked(&self) -> Result<u64> {
        match self.wrong {
            0 => Ok(self.count),
            wrong => Err(format!("{wrong} answers tell no values").into()),
        }
    }
}

/// One connection, whose requests do not wait for answers.
pub(crate) fn pipelined(server: SocketAddr, requests: &[Vec<u8>], each: Duration) -> Result<Piped> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let chunks: Vec<Vec<u8>> = requests.chunks(512).map(<[Vec<u8>]>::concat).collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for chunk in chunks.iter().cycle() {
                if begun.elapsed() > each || writer.write_all(chunk).is_err() {
                    break;
                }
            }
            writer.shutdown(Shutdown::Write)
        });
        let mut answers = Answers::default();
        let mut buffer = vec![0; 256 << 10];
        let mut within = None;
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            answers.take(&buffer[..count]);
            if within.is_none() && begun.elapsed() >= each {
                within = Some((answers.count, begun.elapsed()));
            }
        }
        writing.join().map_err(|_| "the writing thread ended in a panic")??;
        let answered = answers.checked()?;
        let (count, took) = within.unwrap_or((answered, begun.elapsed()));
        Ok(Piped { per_s: count as f64 / took.as_secs_f64(), answered })
    })
}

/// Signed answers a second, to several connections.
pub(crate) fn certified(server: SocketAddr, requests: &[Vec<u8>], each: Duration) -> Result<f64> {
    let begun = Instant::now();
    let ask = |first: usize| -> Result<u64> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let mut answers = Answers::default();
        let mut buffer = vec![0; 64 << 10];
        for request in requests.iter().cycle().skip(first) {
            if begun.elapsed() > each {
                break;
            }
            stream.write_all(request)?;
            let wanted = answers.count + 1;
            while answers.count < wanted {
                let count = stream.read(&mut buffer)?;
                if count == 0 {
                    return Err("a connection was closed".into());
                }
                answers.take(&buffer[..count]);
            }
        }
        answers.checked()
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || ask(number * requests.len() / CONNECTIONS)))
            .collect();
        let mut answered = 0;
        for client in clients {
            answered += client.join().map_err(|_| "a client ended in a panic")??;
        }
        Ok(answered as f64 / begun.elapsed().as_secs_f64())
    })
}
