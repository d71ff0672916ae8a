//! A server with the records that the reference server had.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;
use weir_handle::{
    ENVELOPE_BYTES, Envelope, List, Permissions, Reassembly, ReassemblyBounds, Reference,
    SigningKey, Ttl, Value,
};
use weir_model::{Author, Identifier, Prefix, RequestId, TenantId, Timestamp};
use weir_resolver::{
    Authority, HomedPrefix, Identity, Now, Origin, Prefixes, Read, Registry, Values,
};
use weir_store::{Commit, Expect, Options, Schema, Store};

pub(crate) const TENANT: TenantId = TenantId(1);

pub(crate) fn gunzip(path: &Path) -> Json {
    let file = std::fs::File::open(path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn capture(name: &str) -> Vec<Json> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../handle/tests/data");
    gunzip(&dir.join(format!("{name}.json.gz"))).as_array().unwrap().clone()
}

pub(crate) fn keys() -> Json {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../handle/tests/data");
    serde_json::from_str(&std::fs::read_to_string(dir.join("keys.json")).unwrap()).unwrap()
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn pem(text: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = text.lines().filter(|line| !line.starts_with("---")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

pub(crate) fn author() -> Author {
    Author {
        tenant: TENANT,
        principal: "99.1000/test".parse().unwrap(),
        cause: "test.load".into(),
        request: RequestId(1),
    }
}

pub(crate) struct Server {
    pub(crate) authority: Arc<Authority>,
    pub(crate) steady_ms: AtomicU64,
    _dir: tempfile::TempDir,
}

impl Server {
    /// A server with the records that the reference server had, its key and its site.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let schema = weir_resolver::schema(Schema::new());
        let store = Store::open(dir.path(), schema, Options::default()).unwrap();
        let now = Timestamp::parse("2026-11-20T00:00:00Z").unwrap();
        let mut commit = Commit::new(author(), now);
        for prefix in ["0.na", "99.1000", "99.2000", "99.3000", "99.4000"] {
            let homed = HomedPrefix::new(Prefix::parse(prefix).unwrap(), TENANT);
            commit.put_in::<Prefixes>(TenantId::NODE, prefix, &homed, Expect::Absent);
        }
        store.commit(commit).await.unwrap();
        let registry = Arc::new(Registry::open(store.clone()).unwrap());
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records.json.gz");
        let records = gunzip(&data);
        let mut commit = Commit::new(author(), now);
        let mut site = Vec::new();
        store
            .read(|snap| {
                for (name, record) in records.as_object().unwrap() {
                    let values: Vec<(Vec<u8>, Vec<u8>, &Json)> = record["values"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|value| (text(&value["type"]), data_of(value), value))
                        .collect();
                    if name == "0.NA/99.1000" {
                        site = values[0].1.clone();
                    }
                    let references: Vec<Vec<(Vec<u8>, i32)>> = values
                        .iter()
                        .map(|(_, _, value)| {
                            let list = value["references"].as_array().cloned().unwrap_or_default();
                            list.iter()
                                .map(|r| (text(&r["handle"]), r["index"].as_i64().unwrap() as i32))
                                .collect()
                        })
                        .collect();
                    let mut buffers = vec![Vec::new(); values.len()];
                    let built: Vec<Value<'_>> = values
                        .iter()
                        .zip(&references)
                        .zip(&mut buffers)
                        .map(|(((kind, data, value), references), buffer)| {
                            let references: Vec<_> =
                                references.iter().map(|(h, i)| Reference::new(h, *i)).collect();
                            Value {
                                index: value["index"].as_i64().unwrap() as i32,
                                timestamp: seconds(&value["timestamp"]),
                                ttl: match &value["ttl"] {
                                    Json::Number(n) => Ttl::Relative(n.as_i64().unwrap() as i32),
                                    at => Ttl::Absolute(seconds(at)),
                                },
                                permissions: Permissions(
                                    u8::from_str_radix(value["permissions"].as_str().unwrap(), 2)
                                        .unwrap(),
                                ),
                                kind,
                                data,
                                references: List::build(&references, buffer),
                            }
                        })
                        .collect();
                    let id: Identifier = name.parse().unwrap();
                    registry.put(snap, &mut commit, &id, Values::of(&built)).unwrap();
                }
                Ok::<_, weir_store::StoreError>(())
            })
            .unwrap();
        store.commit(commit).await.unwrap();
        let key = pem(keys()["server"]["private_key_pkcs8_pem"].as_str().unwrap());
        let identity = Identity {
            site,
            serial: 7,
            key: Some(SigningKey::rsa_from_pkcs8(&key).unwrap()),
            administrators: vec!["300:0.NA/99.1000".to_owned()],
        };
        let authority = Arc::new(Authority::new(registry, identity));
        Self { authority, steady_ms: AtomicU64::new(1), _dir: dir }
    }

    /// What the service answers to a whole message.
    pub(crate) async fn ask(&self, message: &[u8], tcp: bool) -> Vec<Vec<u8>> {
        let time = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        let now = Now { time, steady_ms: self.steady_ms.load(Ordering::Relaxed) };
        let mut out = Vec::new();
        let store = self.authority.registry().store();
        let read = store.read(|snap| self.authority.read(snap, now.seconds(), message, &mut out));
        if read.unwrap() == Read::Later {
            let from = Origin { address: [127, 0, 0, 1].into(), admin: tcp };
            out = self.authority.answer(now, message.to_vec(), from).await;
        }
        split(&out)
    }
}

pub(crate) fn text(json: &Json) -> Vec<u8> {
    json.as_str().unwrap().as_bytes().to_vec()
}

pub(crate) fn data_of(value: &Json) -> Vec<u8> {
    let data = &value["data"];
    match data["format"].as_str().unwrap() {
        "hex" => hex(data["value"].as_str().unwrap()),
        other => panic!("{other}"),
    }
}

pub(crate) fn seconds(json: &Json) -> i32 {
    match json {
        Json::String(text) => (Timestamp::parse(text).unwrap().nanos() / 1_000_000_000) as i32,
        Json::Number(n) => n.as_i64().unwrap() as i32,
        _ => 0,
    }
}

pub(crate) fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Ok(envelope) = Envelope::decode(bytes) {
        let (message, rest) = bytes.split_at(ENVELOPE_BYTES + envelope.length as usize);
        messages.push(message.to_vec());
        bytes = rest;
    }
    messages
}

/// The whole messages of recorded packets.
pub(crate) fn whole(packets: &Json, udp: bool) -> Vec<Vec<u8>> {
    let packets: Vec<Vec<u8>> =
        packets.as_array().unwrap().iter().map(|p| hex(p.as_str().unwrap())).collect();
    if !udp {
        return packets.into_iter().flat_map(|packet| split(&packet)).collect();
    }
    let mut reassembly = Reassembly::<u8>::new(ReassemblyBounds::default());
    let mut messages = Vec::new();
    for packet in packets {
        match Envelope::decode(&packet).is_ok_and(|e| e.truncated) {
            true => messages.extend(reassembly.accept(0, &packet, 0).unwrap()),
            false => messages.push(packet),
        }
    }
    messages
}
