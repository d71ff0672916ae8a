//! The machine tool's MTConnect agent: probe, current and sample over HTTP (MTConnect part 1).

mod buffer;
mod document;
pub(crate) mod items;
mod request;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use weir_model::Timestamp;

use crate::connections::Place;
use crate::replay::Replay;

use buffer::Buffer;
use document::Header;
use request::{HEAD_BYTES_MAX, Question, Refusal, Request, Stream, head_end};

/// How often the agent looks whether the machine has made another part.
const TICK: Duration = Duration::from_millis(50);

/// Parts that are observed in one tick, the newest: a faster replay loses the others.
const PARTS_A_TICK_MAX: u64 = 16;

/// A client that asks for nothing for so long has gone.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// A head that has begun arrives, and an answer or a part of a stream leaves, within this time.
const EXCHANGE_MAX: Duration = Duration::from_secs(10);

/// A stream looks for news not more often than this, whatever its client asks for.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What parts the documents of a stream.
const BOUNDARY: &str = "part-of-mill-1";

/// The agent.
pub(crate) struct Agent {
    replay: Arc<Replay>,
    buffer: Mutex<Buffer>,
    instance: u64,
}

impl Agent {
    /// An agent that has observed what the machine does now.
    pub(crate) fn new(replay: Arc<Replay>) -> Self {
        let now = wall_clock();
        let instance = now.nanos().unsigned_abs() / 1_000_000_000;
        let agent = Self { replay, buffer: Mutex::default(), instance };
        let rows = agent.replay.part(Instant::now()).rows;
        agent.observe(rows, now);
        agent
    }

    /// Observes the machine until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = self.replay.part(Instant::now());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.replay.part(Instant::now());
            let first = if now.chosen == seen.chosen {
                (seen.rows + 1).max(now.rows.saturating_sub(PARTS_A_TICK_MAX - 1))
            } else {
                now.rows
            };
            for rows in first..=now.rows {
                self.observe(rows, wall_clock());
            }
            seen = now;
        }
    }

    fn observe(&self, rows: u64, time: Timestamp) {
        let part = self.replay.machining().part(rows);
        self.buffer().take(part, rows + 1, time);
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // The buffer is whole after any panic: every change of it is a push or a store.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one client.
    pub(crate) async fn connection(&self, mut stream: TcpStream, place: &Place) {
        // Answers are waited for.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let mut arrived = Vec::new();
        while let Some(request) = next_request(&mut stream, &mut arrived).await {
            let answered = match request.question {
                Ok(question) => self.answer(question),
                Err(refusal) => self.refuse(refusal),
            };
            place.served(Instant::now());
            if let Ok(Question::Sample { count, stream: Some(how), .. }) = request.question
                && !answered.is_refused
            {
                self.stream(&mut stream, place, answered, count, how).await;
                return;
            }
            let head = format!(
                "HTTP/1.1 {}\r\nContent-Type: text/xml;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
                if answered.is_refused { "400 Bad Request" } else { "200 OK" },
                answered.body.len(),
            );
            if send(&mut stream, &[&head, &answered.body]).await.is_none() || request.is_last {
                return;
            }
        }
    }

    fn header(&self, buffer: &Buffer, next: u64) -> Header {
        let (first, last) = (buffer.first(), buffer.last());
        Header { instance: self.instance, created: wall_clock(), first, last, next }
    }

    fn refuse(&self, (code, text): Refusal) -> Answer {
        let buffer = self.buffer();
        let header = self.header(&buffer, buffer.last() + 1);
        Answer { is_refused: true, next: header.next, body: document::error(header, code, text) }
    }

    fn answer(&self, question: Question) -> Answer {
        let out_of_range = ("OUT_OF_RANGE", "that sequence is not in the buffer");
        let buffer = self.buffer();
        let (first, last) = (buffer.first(), buffer.last());
        let (body, next) = match question {
            Question::Probe => (document::probe(self.header(&buffer, last + 1)), last + 1),
            Question::Current { at } if at.is_none_or(|at| (first..=last).contains(&at)) => {
                let header = self.header(&buffer, last + 1);
                (document::streams(header, &buffer.state(at)), last + 1)
            }
            Question::Sample { from, count, .. }
                if from.is_none_or(|from| (first..=last + 1).contains(&from)) =>
            {
                let (page, next) = buffer.page(from.unwrap_or(first), count);
                (document::streams(self.header(&buffer, next), &page), next)
            }
            Question::Current { .. } | Question::Sample { .. } => {
                drop(buffer);
                return self.refuse(out_of_range);
            }
        };
        Answer { is_refused: false, body, next }
    }

    /// Sends a first answer, and then what is observed, until the client goes.
    async fn stream(
        &self,
        stream: &mut TcpStream,
        place: &Place,
        first: Answer,
        count: usize,
        how: Stream,
    ) {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={BOUNDARY}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        let heartbeat = Duration::from_millis(how.heartbeat_ms);
        let mut ticks = interval(Duration::from_millis(how.interval_ms).max(INTERVAL_MIN));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut head, mut answer) = (Some(head), first);
        loop {
            let part = part_of_stream(&answer.body);
            let head = head.take().unwrap_or_default();
            if send(stream, &[&head, &part]).await.is_none() || answer.is_refused {
                return;
            }
            let sent = Instant::now();
            place.served(sent);
            ticks.tick().await;
            while answer.next > self.buffer().last() && sent.elapsed() < heartbeat {
                ticks.tick().await;
            }
            answer = self.answer(Question::Sample { from: Some(answer.next), count, stream: None });
        }
    }
}

struct Answer {
    is_refused: bool,
    /// The sequence that the next answer begins with.
    next: u64,
    body: String,
}

fn wall_clock() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// A document as a part of a stream, in a chunk of its own (RFC 9112, section 7.1).
fn part_of_stream(body: &str) -> String {
    let length = body.len();
    let part = format!(
        "--{BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {length}\r\n\r\n{body}\r\n"
    );
    format!("{:x}\r\n{part}\r\n", part.len())
}

async fn send(stream: &mut TcpStream, texts: &[&str]) -> Option<()> {
    let bytes = texts.concat();
    timeout(EXCHANGE_MAX, stream.write_all(bytes.as_bytes())).await.ok()?.ok()
}

/// The next request; none when the client has gone, is too slow, or sends what is no request.
async fn next_request(stream: &mut TcpStream, arrived: &mut Vec<u8>) -> Option<Request> {
    if arrived.is_empty() {
        timeout(IDLE_MAX, read_more(stream, arrived)).await.ok()??;
    }
    let whole = async {
        loop {
            if let Some(end) = head_end(arrived) {
                let request = request::parse(&arrived[..end]);
                arrived.drain(..end);
                return request;
            }
            if arrived.len() >= HEAD_BYTES_MAX {
                return None;
            }
            read_more(stream, arrived).await?;
        }
    };
    timeout(EXCHANGE_MAX, whole).await.ok()?
}

async fn read_more(stream: &mut TcpStream, arrived: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 1024];
    let room = HEAD_BYTES_MAX.saturating_sub(arrived.len()).min(chunk.len());
    let read = stream.read(&mut chunk[..room]).await.ok().filter(|read| *read > 0)?;
    arrived.extend_from_slice(&chunk[..read]);
    Some(())
}

#[cfg(test)]
mod tests;
