//! Reads the recorded exchanges, see `tests/data/README.md`.

use std::io::Read;
use std::path::Path;

use serde_json::Value as Json;
use weir_handle::{ENVELOPE_BYTES, Envelope, Message, Reassembly, ReassemblyBounds};

/// A file of exchanges.
pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) exchanges: Vec<Exchange>,
}

/// One exchange; what else the recording says of it is in `json`.
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) json: Json,
    pub(crate) request: Side,
    pub(crate) response: Side,
}

/// What one side sent.
pub(crate) struct Side {
    pub(crate) packets: Vec<Vec<u8>>,
    pub(crate) decoded: Vec<Json>,
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

pub(crate) fn keys() -> Json {
    serde_json::from_str(&std::fs::read_to_string(data().join("keys.json")).unwrap()).unwrap()
}

pub(crate) fn all() -> Vec<Capture> {
    let mut names: Vec<_> = std::fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json.gz"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 36);
    names.into_iter().map(|name| read(&name)).collect()
}

pub(crate) fn read(name: &str) -> Capture {
    let packed = std::fs::File::open(data().join(name)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let Json::Array(list) = serde_json::from_str(&text).unwrap() else { panic!("{name}") };
    Capture { name: name.to_owned(), exchanges: list.into_iter().map(exchange).collect() }
}

fn exchange(json: Json) -> Exchange {
    let side = |which: &str| {
        let place = match json.get("tunnel") {
            Some(tunnel) => &tunnel[format!("{which}_packets_hex")],
            None => &json[which]["packets_hex"],
        };
        let texts = place.as_array().cloned().unwrap_or_default();
        let decoded = json["decoded"][which].as_array().cloned().unwrap_or_default();
        let packets = texts.iter().map(|text| unhex(text.as_str().unwrap())).collect();
        Side { packets, decoded }
    };
    let name = json["name"].as_str().unwrap().to_owned();
    Exchange { name, request: side("request"), response: side("response"), json }
}

impl Side {
    /// The messages: fragments put together, each with an envelope in front.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        let mut together = Reassembly::new(ReassemblyBounds::default());
        let mut messages = Vec::new();
        for packet in &self.packets {
            match Envelope::decode(packet) {
                Ok(envelope) if envelope.truncated => {
                    messages.extend(together.accept((), packet, 0).unwrap());
                }
                _ => messages.push(packet.clone()),
            }
        }
        messages
    }
}

/// A message as it is, or why it is none.
pub(crate) fn message(bytes: &[u8]) -> Result<Message<'_>, weir_handle::Error> {
    let envelope = Envelope::decode(bytes)?;
    let payload = bytes.get(ENVELOPE_BYTES..).unwrap_or_default();
    Message::split(envelope, &payload[..payload.len().min(envelope.length as usize)])
}
