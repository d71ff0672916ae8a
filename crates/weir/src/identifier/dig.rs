//! `weir id dig`: one server, asked over the Handle protocol, step by step.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};
use weir_handle::{
    Answer, Draft, ENVELOPE_BYTES, Envelope, Flags, Header, List, Message, OpCode, PublicKey,
    Reassembly, ReassemblyBounds, Request, ResponseCode, Ttl, Value, fragments,
};

use crate::args::Global;
use crate::output;

/// When a datagram is sent again, as clients of the reference software do it, and how long the last
/// one is waited for.
const WAITS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(1500)];

/// How long a connection, and an answer on it, is waited for.
const TCP_WAIT: Duration = Duration::from_secs(10);

/// What is asked.
pub(super) struct Question {
    pub(super) id: String,
    pub(super) server: SocketAddr,
    pub(super) types: Vec<String>,
    pub(super) tcp: bool,
    pub(super) certified: bool,
}

/// One thing that was done, and how long it took.
struct Step {
    what: String,
    took: Duration,
}

/// Asks, and shows the way and the answer.
pub(super) fn run(question: &Question, global: &Global) -> anyhow::Result<()> {
    let mut steps = Vec::new();
    let key = match question.certified {
        true => Some(server_key(question, &mut steps)?),
        false => None,
    };
    let mut flags = Flags::RECU | Flags::PUBL;
    if question.certified {
        flags |= Flags::CERT | Flags::RRDG;
    }
    let types: Vec<&[u8]> = question.types.iter().map(|kind| kind.as_bytes()).collect();
    let mut buffer = Vec::new();
    let types = List::build(&types, &mut buffer);
    let request =
        Request::Resolution { handle: question.id.as_bytes(), indexes: List::empty(), types };
    let (asked, bytes) = ask(question, flags, &request, &mut steps)?;
    let message = Message::decode(&bytes).context("the answer is no message")?;
    let response = message.response().context("the answer cannot be read")?;
    let certified = key.as_deref().map(|key| {
        let asked = Message::decode(&asked)?;
        weir_handle::verify_certified(&message, &PublicKey::decode(key)?)?;
        match response.request_digest {
            Some(digest) if digest.is_of(asked.signed_part()) => Ok(()),
            _ => Err(weir_handle::Error::Mismatch { what: "the digest of the request" }),
        }
    });
    if let Some(Err(error)) = &certified {
        bail!("the server's signature is not right: {error}");
    }
    let code = message.header.response;
    let values: Vec<Json> = match response.answer {
        Answer::Resolution { values, .. } => values.iter().map(|value| shown(&value)).collect(),
        Answer::Referral { values, .. } => {
            values.map(|values| values.iter().map(|v| shown(&v)).collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let words = match response.answer {
        Answer::Failed { message: Some(words) } => String::from_utf8_lossy(words).into_owned(),
        _ => String::new(),
    };
    if global.json {
        let steps: Vec<Json> = steps
            .iter()
            .map(|step| json!({"step": step.what, "ms": milliseconds(step.took)}))
            .collect();
        output::json(&json!({
            "id": question.id, "server": question.server, "code": code.code(),
            "meaning": format!("{code:?}"), "message": words, "certified": certified.is_some(),
            "version": message.envelope.version.to_string(), "values": values, "steps": steps,
        }))?;
    } else {
        for step in steps {
            output::line(&format!("{:>9.3} ms  {}", milliseconds(step.took), step.what))?;
        }
        let signed = if certified.is_some() { ", signed by the server" } else { "" };
        let (number, version) = (code.code(), message.envelope.version);
        output::line(&format!("{number} {code:?} {words}(version {version}{signed})"))?;
        let columns = [("INDEX", "/index"), ("TYPE", "/type"), ("DATA", "/data"), ("TTL", "/ttl")];
        output::table(&values, false, &columns)?;
    }
    match code {
        ResponseCode::Success => Ok(()),
        _ => bail!("the server did not answer with a record: {} {code:?}", code.code()),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The key in the site record of the server. It is the server's own word for it: whoever needs more
/// compares it with the record of the prefix.
fn server_key(question: &Question, steps: &mut Vec<Step>) -> anyhow::Result<Vec<u8>> {
    let request = Request::GetSiteInfo { handle: b"/" };
    let (_, bytes) = ask(question, Flags::RECU | Flags::PUBL, &request, steps)?;
    let message = Message::decode(&bytes).context("the answer is no message")?;
    match message.response().context("the answer cannot be read")?.answer {
        Answer::SiteInfo(site) => {
            let server = site.servers.iter().next().context("the site has no server")?;
            Ok(server.public_key.to_vec())
        }
        _ => bail!("the server does not tell its key: {:?}", message.header.response),
    }
}

/// Sends a request, over UDP first and then over TCP; gives what was sent and what came.
fn ask(
    question: &Question,
    flags: Flags,
    request: &Request<'_>,
    steps: &mut Vec<Step>,
) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let header = Header::request(request.op(), flags, now.as_secs() as u32);
    // Whoever guesses the number could answer in the server's place.
    let id = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now) as u32;
    let mut asked = Vec::new();
    let mut draft = Draft::begin(&mut asked, &Envelope::request(id), &header);
    request.encode(draft.body());
    draft.finish();
    let about = match request.op() {
        OpCode::GetSiteInfo => "who it is",
        _ => question.id.as_str(),
    };
    if !question.tcp {
        for (times, wait) in WAITS.iter().enumerate() {
            let start = Instant::now();
            let came = over_udp(question.server, &asked, id, *wait)?;
            let took = start.elapsed();
            let again = if times == 0 { "" } else { " again" };
            let what = match &came {
                Some(answer) => format!("{about}{again} over UDP: {} bytes", answer.len()),
                None => format!("{about}{again} over UDP: no answer"),
            };
            steps.push(Step { what, took });
            if let Some(answer) = came {
                return Ok((asked, answer));
            }
        }
    }
    let start = Instant::now();
    let answer = over_tcp(question.server, &asked)
        .with_context(|| format!("{} does not answer over TCP", question.server))?;
    let what = format!("{about} over TCP: {} bytes", answer.len());
    steps.push(Step { what, took: start.elapsed() });
    Ok((asked, answer))
}

fn over_udp(
    server: SocketAddr,
    asked: &[u8],
    id: u32,
    wait: Duration,
) -> anyhow::Result<Option<Vec<u8>>> {
    let any: SocketAddr =
        if server.is_ipv6() { ([0_u16; 8], 0).into() } else { ([0, 0, 0, 0], 0).into() };
    let socket = UdpSocket::bind(any).context("no socket for UDP")?;
    socket.connect(server).with_context(|| format!("{server} cannot be reached"))?;
    for (head, piece) in fragments(asked)? {
        socket.send(&[&head, piece].concat()).context("the request could not be sent")?;
    }
    let mut reassembly = Reassembly::<()>::new(ReassemblyBounds::default());
    let end = Instant::now() + wait;
    let mut datagram = [0; 2048];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        let Ok(length) = socket.recv(&mut datagram) else { return Ok(None) };
        let packet = &datagram[..length];
        let Ok(envelope) = Envelope::decode(packet) else { continue };
        if envelope.request_id != id {
            continue;
        }
        match envelope.truncated {
            false => return Ok(Some(packet.to_vec())),
            true => {
                if let Ok(Some(whole)) = reassembly.accept((), packet, 0) {
                    return Ok(Some(whole));
                }
            }
        }
    }
}

fn over_tcp(server: SocketAddr, asked: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, TCP_WAIT)?;
    stream.set_read_timeout(Some(TCP_WAIT))?;
    stream.write_all(asked)?;
    let mut answer = vec![0; ENVELOPE_BYTES];
    stream.read_exact(&mut answer)?;
    // The envelope bounds the length.
    let envelope = Envelope::decode(&answer)?;
    answer.resize(ENVELOPE_BYTES + envelope.length as usize, 0);
    stream.read_exact(&mut answer[ENVELOPE_BYTES..])?;
    Ok(answer)
}

fn shown(value: &Value<'_>) -> Json {
    let data = match std::str::from_utf8(value.data) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => value.data.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let ttl = match value.ttl {
        Ttl::Relative(seconds) | Ttl::Other(_, seconds) => json!(seconds),
        Ttl::Absolute(until) => json!({ "until": until }),
    };
    json!({
        "index": value.index, "type": String::from_utf8_lossy(value.kind), "data": data,
        "ttl": ttl, "permissions": value.permissions.to_string(), "timestamp": value.timestamp,
    })
}
