//! Requests of HTTP/1.1 (RFC 9112) as far as an agent answers them: GET without a body.

use super::buffer::OBSERVATIONS_MAX;
use super::items::{NAME, UUID};

/// Largest head of a request; clients send a few hundred bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 8192;

/// Observations of one answer where the request does not say (part 1, clause 8.3.3).
const COUNT_DEFAULT: usize = 100;

/// Longest interval and heartbeat that are taken, in milliseconds.
const MILLIS_MAX: u64 = 600_000;

/// Heartbeat in milliseconds where the request does not say.
const HEARTBEAT_DEFAULT: u64 = 10_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Probe,
    Current { at: Option<u64> },
    Sample { from: Option<u64>, count: usize, stream: Option<Stream> },
}

/// How an answer that does not end is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) interval_ms: u64,
    pub(crate) heartbeat_ms: u64,
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) question: Result<Question, Refusal>,
    /// Whether the client ends the connection after this answer.
    pub(crate) is_last: bool,
}

/// Why a question is not answered: the standard's code, and a text.
pub(crate) type Refusal = (&'static str, &'static str);

/// Where a head ends in what has arrived.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Reads a whole head; none where it is no request that this server could answer, after which
/// nothing that follows on the connection can be told apart.
pub(crate) fn parse(head: &[u8]) -> Option<Request> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if method != "GET" || words.next().is_some() {
        return None;
    }
    let mut is_last = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return None,
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("connection") {
            is_last |= value.eq_ignore_ascii_case("close");
        }
        let has_body = name.eq_ignore_ascii_case("content-length") && value != "0"
            || name.eq_ignore_ascii_case("transfer-encoding");
        if has_body {
            return None;
        }
    }
    Some(Request { question: question(target), is_last })
}

fn question(target: &str) -> Result<Question, Refusal> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/').trim_end_matches('/');
    let (device, what) = match path.split_once('/') {
        Some((device, what)) => (device, what),
        // A device alone is asked for its probe (part 1, clause 8.3.1).
        None if matches!(path, "" | "probe" | "current" | "sample") => ("", path),
        None => (path, ""),
    };
    if !matches!(device, "" | NAME | UUID) {
        return Err(("NO_DEVICE", "there is no such device"));
    }
    let asked = Asked::parse(query)?;
    match what {
        "" | "probe" => Ok(Question::Probe),
        "current" if asked.interval_ms.is_some() => {
            Err(("UNSUPPORTED", "current with an interval is not served; ask for sample"))
        }
        "current" => Ok(Question::Current { at: asked.at }),
        "sample" => {
            let stream = asked.interval_ms.map(|interval_ms| Stream {
                interval_ms,
                heartbeat_ms: asked.heartbeat_ms.unwrap_or(HEARTBEAT_DEFAULT),
            });
            let count = asked.count.unwrap_or(COUNT_DEFAULT);
            Ok(Question::Sample { from: asked.from, count, stream })
        }
        _ => Err(("UNSUPPORTED", "probe, current and sample are served")),
    }
}

#[derive(Default)]
struct Asked {
    at: Option<u64>,
    from: Option<u64>,
    count: Option<usize>,
    interval_ms: Option<u64>,
    heartbeat_ms: Option<u64>,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number: Option<u64> = value.parse().ok();
            let within = |max: u64, least: u64| {
                let fits = number.filter(|number| (least..=max).contains(number));
                fits.ok_or(("OUT_OF_RANGE", "a parameter is out of range"))
            };
            match name {
                "at" => asked.at = Some(within(u64::MAX, 1)?),
                "from" => asked.from = Some(within(u64::MAX, 0)?),
                "count" => asked.count = Some(within(OBSERVATIONS_MAX as u64, 1)? as usize),
                "interval" => asked.interval_ms = Some(within(MILLIS_MAX, 0)?),
                "heartbeat" => asked.heartbeat_ms = Some(within(MILLIS_MAX, 1)?),
                "path" => return Err(("UNSUPPORTED", "paths are not served")),
                _ => return Err(("INVALID_REQUEST", "there is no such parameter")),
            }
        }
        Ok(asked)
    }
}
