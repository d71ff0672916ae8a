use std::sync::LazyLock;

use proptest::prelude::*;
use weir_handle::{
    Challenge, Credential, Envelope, Header, Jwk, Message, OpCode, PublicKey, PublicKeyAnswer,
    Reader, Reassembly, ReassemblyBounds, Request, Response, ResponseCode, SecretKeyAnswer,
    SessionKey, Site, Value, ValueData, Version, fragments, json, trust, verify_certified,
};

/// Every recorded packet.
static PACKETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let exchanges = crate::capture::all().into_iter().flat_map(|capture| capture.exchanges);
    exchanges
        .flat_map(|each| each.request.packets.into_iter().chain(each.response.packets))
        .collect()
});

/// Reads bytes as everything that they could be. What succeeds is walked to its end.
pub(crate) fn read(bytes: &[u8]) {
    let _ = Envelope::decode(bytes);
    let _ = Header::decode(bytes);
    let _ = fragments(bytes).map(Iterator::count);
    if let Ok(message) = Message::decode(bytes) {
        let _ = message.credential();
        let _ = message.request().map(|request| walk_request(&request));
        let _ = message.response().map(|response| format!("{response:?}"));
        let key = PublicKey::Ed25519(&[1; 32]);
        let _ = verify_certified(&message, &key);
        let _ = SessionKey::from_bytes([1; 32]).verify(&message);
        // The same body under every operation and code.
        for op in OpCode::ALL {
            let _ = Request::decode(*op, message.body).map(|request| walk_request(&request));
            for response in [
                ResponseCode::Success,
                ResponseCode::PrefixReferral,
                ResponseCode::AuthenticationNeeded,
            ] {
                let header = Header { op: *op, response, ..message.header };
                for version in [Version::CURRENT, Version::new(2, 0)] {
                    let _ = Response::decode(version, &header, message.body);
                }
            }
        }
    }
    let _ = SessionKey::from_bytes([1; 32]).decrypt(bytes, &mut Vec::new());
    let _ = Credential::decode(bytes);
    let _ = Site::decode(bytes).map(|site| format!("{site:?}"));
    let _ = Reader::new(bytes)
        .list::<Value<'_>>()
        .map(|values| values.iter().for_each(|each| walk(&each)));
    let _ = Value::decode(bytes).map(|value| walk(&value));
    for kind in [ValueData::ADMIN, ValueData::VLIST, ValueData::SITE, ValueData::PUBKEY] {
        walk(&Value::new(1, kind, bytes, 0));
    }
    let challenge = Challenge { nonce: b"nonce", request_digest: b"digest" };
    let _ = PublicKeyAnswer::decode(bytes);
    let _ = SecretKeyAnswer::decode(Version::CURRENT, bytes);
    let _ = SecretKeyAnswer::decode(Version::new(2, 0), bytes)
        .map(|read| read.verify(b"s", &challenge));
    let _ = trust::Jws::read(bytes);
    let mut reassembly = Reassembly::new(ReassemblyBounds::default());
    let _ = reassembly.accept((), bytes, 0);
}

fn walk_request(request: &Request<'_>) {
    let _ = format!("{request:?}");
    if let Request::CreateHandle { values, .. } = request {
        values.iter().for_each(|each| walk(&each));
    }
}

fn walk(value: &Value<'_>) {
    let _ = ValueData::of(value).map(|data| format!("{data:?}"));
    let made = json::Value::of(value);
    let _ = made.encode(&mut Vec::new());
}

/// One change: another byte, a cut, a piece twice, or four bytes that lengths and counts like.
#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Twice(prop::sample::Index, usize),
    Number(prop::sample::Index, u32),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        at().prop_map(Change::Cut),
        (at(), 0..64_usize).prop_map(|(at, length)| Change::Twice(at, length)),
        (
            at(),
            prop_oneof![
                0..64_u32,
                Just(u32::MAX),
                Just(i32::MAX as u32),
                Just(262_144),
                any::<u32>()
            ]
        )
            .prop_map(|(at, number)| Change::Number(at, number)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Byte(at, byte) => *at.get_mut(bytes) = *byte,
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Twice(at, length) => {
                let at = at.index(bytes.len());
                let piece = bytes[at..bytes.len().min(at + length)].to_vec();
                bytes.splice(at..at, piece);
            }
            Self::Number(at, number) => {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&number.to_be_bytes()[..end - at]);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read(&bytes);
    }

    /// A right envelope and header before any body.
    #[test]
    fn any_body_is_read_to_an_end(
        op in prop::sample::select(OpCode::ALL),
        response in prop::sample::select(ResponseCode::ALL),
        minor in 0..12_u8,
        flags: u32,
        body in prop::collection::vec(prop_oneof![3 => 0..8_u8, 1 => any::<u8>()], 0..200),
    ) {
        let mut bytes = Vec::new();
        let envelope = Envelope { version: Version::new(2, minor), ..Envelope::request(1) };
        let header = Header {
            response, ..Header::request(op, weir_handle::Flags(flags), 0)
        };
        let mut draft = weir_handle::Draft::begin(&mut bytes, &envelope, &header);
        draft.body().extend_from_slice(&body);
        draft.finish();
        read(&bytes);
    }

    #[test]
    fn changed_messages_are_read_to_an_end(
        at: prop::sample::Index,
        changes in prop::collection::vec(change(), 1..6),
        mend: bool,
    ) {
        let mut bytes = at.get(&PACKETS[..]).clone();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        // A length that fits lets the reader come to what follows it.
        if mend && bytes.len() >= 20 {
            let length = (bytes.len() - 20) as u32;
            bytes[16..20].copy_from_slice(&length.to_be_bytes());
        }
        read(&bytes);
    }

    #[test]
    fn any_json_is_read_to_an_end(text in "[\\[\\]{}\":,a-z0-9\\.\\-]{0,80}") {
        if let Ok(value) = serde_json::from_str::<json::Value>(&text) {
            let _ = value.encode(&mut Vec::new());
        }
        if let Ok(key) = serde_json::from_str::<Jwk>(&text) {
            let _ = key.encode(&mut Vec::new());
        }
    }
}
