//! What the reference server answered, asked again: every recorded request is put to our service
//! with the records that server had, and is to be answered with the same meaning.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::Value as Json;
use weir_handle::{
    Answer, Challenge, Credential, DhOffer, DigestAlgorithm, Draft, Envelope, KeyExchange, Message,
    OpCode, PublicKey, PublicKeyAnswer, Request, Response, SecretKeyAnswer, SessionKey,
    SessionSetup, SigningKey,
};

use crate::meaning::{Meaning, meaning};
use crate::server::{Server, capture, hex, keys, pem, whole};

/// What a client that keeps a conversation has to know.
#[derive(Default)]
struct Flow {
    session: u32,
    nonce: Vec<u8>,
    digest: Vec<u8>,
}

/// The recorded answer to a challenge, made for the challenge that we gave.
fn answered(recorded: &[u8], flow: &Flow, exchange: &Json) -> Vec<u8> {
    let mut message = recorded.to_vec();
    message[4..8].copy_from_slice(&flow.session.to_be_bytes());
    if exchange["expect_answer_valid"] == Json::Bool(false) {
        return message;
    }
    let read = Message::decode(recorded).unwrap();
    let Request::ChallengeResponse(given) = read.request().unwrap() else { return message };
    let challenge = Challenge { nonce: &flow.nonce, request_digest: &flow.digest };
    let id = format!("{}:{}", given.user.index, String::from_utf8_lossy(given.user.handle));
    let id = exchange["auth_id"].as_str().unwrap_or(&id);
    let keys = keys();
    let mut answer = Vec::new();
    let version = read.envelope.answer().version;
    if given.with_secret_key() {
        let Some(secret) = keys["secret_keys"][id].as_str() else { return message };
        let secret = secret.as_bytes();
        let signed = [&flow.nonce[..], &flow.digest[..]].concat();
        match given.answer.first() {
            Some(byte @ (0x12 | 0x13)) => {
                let algorithm = match byte {
                    0x12 => ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                    _ => ring::hmac::HMAC_SHA256,
                };
                let key = ring::hmac::Key::new(algorithm, secret);
                answer.push(*byte);
                answer.extend_from_slice(ring::hmac::sign(&key, &signed).as_ref());
            }
            Some(byte @ 1..=3) if given.answer.len() != 16 => {
                let algorithm = DigestAlgorithm::from_byte(*byte).unwrap();
                answer.push(*byte);
                answer.extend_from_slice(algorithm.digest(&[secret, &signed, secret]).as_bytes());
            }
            _ => SecretKeyAnswer::make(version, secret, &challenge, &[7; 16], &mut answer),
        }
    } else {
        let Some(key) = keys["private_keys_pkcs8_pem"][id].as_str() else { return message };
        let key = SigningKey::rsa_from_pkcs8(&pem(key)).unwrap();
        PublicKeyAnswer::make(version, &key, &challenge, &mut answer).unwrap();
    }
    let mut out = Vec::new();
    let mut draft = weir_handle::Draft::begin(&mut out, &read.envelope, &read.header);
    let response = weir_handle::ChallengeResponse { answer: &answer, ..given };
    Request::ChallengeResponse(response).encode(draft.body());
    draft.finish();
    out[4..8].copy_from_slice(&flow.session.to_be_bytes());
    out
}

/// A session that we have, in the place of the recorded one.
struct Open {
    number: u32,
    key: SessionKey,
}

/// The recorded beginning of a session with a key of our own, as nobody knows the recorded one's.
fn offered(recorded: &[u8]) -> Option<(Vec<u8>, DhOffer)> {
    let message = Message::decode(recorded).ok()?;
    let Ok(Request::SessionSetup(setup)) = message.request() else { return None };
    let KeyExchange::DiffieHellman(key) = setup.exchange else { return None };
    let PublicKey::DiffieHellman { p, g, .. } = PublicKey::decode(key).unwrap() else { panic!() };
    let offer = DhOffer::in_group(&[0x35; 40], p, g).unwrap();
    let mut out = Vec::new();
    let mut draft = Draft::begin(&mut out, &message.envelope, &message.header);
    let exchange = KeyExchange::DiffieHellman(offer.public_key());
    Request::SessionSetup(SessionSetup { exchange, ..setup }).encode(draft.body());
    draft.finish();
    Some((out, offer))
}

/// A message in our session: with a MAC if the recorded one has one, and encrypted if it is.
fn within(message: &[u8], recorded: &[u8], open: &Open, exchange: &Json) -> Vec<u8> {
    let with_mac = Message::decode(recorded).unwrap().credential().unwrap();
    let with_mac = with_mac.filter(|found| found.kind == Credential::MAC);
    let message = Message::decode(message).unwrap();
    let envelope = Envelope { session_id: open.number, ..message.envelope };
    let mut out = Vec::new();
    let mut draft = Draft::begin(&mut out, &envelope, &message.header);
    draft.body().extend_from_slice(message.body);
    match with_mac {
        Some(mac) => draft
            .finish_with(|envelope, signed, out| {
                open.key.certify(envelope, signed, mac.counter, out)
            })
            .unwrap(),
        None => draft.finish(),
    }
    if exchange["expect_mac_valid"] == Json::Bool(false) {
        *out.last_mut().unwrap() ^= 1;
    }
    if exchange["plain_request_hex"].is_string() {
        let mut sealed = Vec::new();
        open.key.encrypt(&out, &[9; 16], &mut sealed).unwrap();
        return sealed;
    }
    out
}

/// What was answered in our session, opened, with its MAC looked at.
fn opened(got: Vec<Vec<u8>>, open: &Open, encrypted: bool) -> Vec<Vec<u8>> {
    let one = |message: Vec<u8>| {
        let envelope = Envelope::decode(&message).unwrap();
        assert_eq!((envelope.session_id, envelope.encrypted), (open.number, encrypted));
        let mut plain = Vec::new();
        match encrypted {
            true => open.key.decrypt(&message, &mut plain).unwrap(),
            false => plain = message,
        }
        let read = Message::decode(&plain).unwrap();
        if read.credential().unwrap().is_some() {
            open.key.verify(&read).unwrap();
        }
        plain
    };
    got.into_iter().map(one).collect()
}

/// Where we answer otherwise, on purpose.
const OTHERWISE: &[(&str, &str)] = &[
    ("replay/3-answer-again", "a challenge is answered once"),
    ("status-handle", "there is no pseudo handle with the state of the server"),
    ("status-handle/1-request", "the same"),
    ("status-handle/2-answer", "the same"),
    ("15_tool_batch_home 02-get_site_info", "of a server on other ports"),
    ("15_tool_batch_home 06-get_site_info", "the same"),
    ("mode2/setup", "the only key exchange is Diffie-Hellman"),
    ("mode2/exchange-key", "the same"),
    ("mode4b/after-terminate", "a session that was ended is not known"),
    ("admin-over-udp", "the request id is copied, so that the client knows what is answered"),
];

/// A recorded message without its encryption, behind its envelope.
fn unsealed(recorded: &[u8], plain: &[u8]) -> Vec<u8> {
    let envelope = Envelope::decode(recorded).unwrap();
    let mut out = Vec::new();
    Envelope { encrypted: false, length: plain.len() as u32, ..envelope }.encode(&mut out);
    out.extend_from_slice(plain);
    out
}

/// Asks everything of a recording, in its order, and gives what was answered otherwise.
async fn replay(server: &Server, name: &str) -> Vec<String> {
    let mut client = Client::default();
    let mut otherwise = Vec::new();
    for exchange in capture(name) {
        // There is no signing with DSA here, only verification.
        if exchange["auth_id"].as_str().is_some_and(|id| id.starts_with("303:")) {
            continue;
        }
        let id = exchange["name"].as_str().unwrap();
        let known =
            OTHERWISE.iter().any(|(known, _)| id == *known || format!("{name} {id}") == *known);
        if id == "late/2-answer" {
            server.steady_ms.fetch_add(70_000, Ordering::Relaxed);
        }
        let udp = exchange["transport"] == "udp";
        let requests = whole(&exchange["request"]["packets_hex"], udp);
        let [request] = &requests[..] else { continue };
        let expected = whole(&exchange["response"]["packets_hex"], udp);
        let Exchanged { got, offered } =
            client.exchange(server, request, &expected, &exchange, known).await;
        if let Some((expected, got)) =
            differ(&expected, &got, &exchange, offered).filter(|_| !known)
        {
            otherwise.push(format!("{name} {id}\n   recorded {expected:?}\n   answered {got:?}"));
        }
    }
    otherwise
}

/// What the recorded clients have to know from one exchange to the next.
#[derive(Default)]
struct Client {
    flows: BTreeMap<String, Flow>,
    /// Our sessions by the number of the recorded one.
    sessions: BTreeMap<u32, Open>,
}

struct Exchanged {
    got: Vec<Vec<u8>>,
    /// Whether another key was offered than the recorded one.
    offered: bool,
}

impl Client {
    /// Asks what was recorded, made for our challenges and sessions.
    async fn exchange(
        &mut self,
        server: &Server,
        request: &[u8],
        expected: &[Vec<u8>],
        exchange: &Json,
        known: bool,
    ) -> Exchanged {
        let plain = exchange["plain_request_hex"].as_str().map(hex);
        let recorded = plain.as_deref().unwrap_or(request);
        let number = Envelope::decode(recorded).map_or(0, |envelope| envelope.session_id);
        let open = self.sessions.get(&number);
        let answers = Message::decode(recorded)
            .is_ok_and(|message| message.header.op == OpCode::ChallengeResponse);
        // What belongs together has a name, or the number of the challenge.
        let challenge = match answers {
            true => number,
            false => expected.first().map_or(0, |e| Envelope::decode(e).unwrap().session_id),
        };
        let flow = match open {
            Some(open) => format!("session {}", open.number),
            None => exchange["flow"].as_str().map_or(format!("{challenge}"), str::to_owned),
        };
        let mut request = match self.flows.get(&flow) {
            Some(known) if known.session != 0 && answers => answered(recorded, known, exchange),
            _ => recorded.to_vec(),
        };
        if let Some(open) = open {
            request = within(&request, recorded, open, exchange);
        }
        let offer = offered(&request);
        let request = offer.as_ref().map_or(&request, |(offered, _)| offered);
        let mut got = server.ask(request, exchange["transport"] != "udp").await;
        if let Some(open) = open.filter(|_| !known) {
            got = opened(got, open, plain.is_some());
        }
        if let Some((_, offer)) = &offer {
            let recorded = Envelope::decode(&expected[0]).unwrap().session_id;
            self.sessions.insert(recorded, begun(&got[0], offer));
        }
        self.note(flow, got.first());
        Exchanged { got, offered: offer.is_some() }
    }

    /// Takes down a challenge.
    fn note(&mut self, flow: String, answer: Option<&Vec<u8>>) {
        let Some(answer) = answer else { return };
        let message = Message::decode(answer).unwrap();
        if let Ok(Response { request_digest, answer: Answer::Challenge { nonce } }) =
            message.response()
        {
            let flow = self.flows.entry(flow).or_default();
            flow.session = message.envelope.session_id;
            flow.nonce = nonce.to_vec();
            flow.digest = request_digest.unwrap().bytes.to_vec();
        }
    }
}

/// The session that an answer begins.
fn begun(answer: &[u8], offer: &DhOffer) -> Open {
    let answer = Message::decode(answer).unwrap();
    let Answer::SessionSetup { data, .. } = answer.response().unwrap().answer else {
        panic!("{:?}", answer.response())
    };
    Open { number: answer.envelope.session_id, key: offer.finish(data).unwrap() }
}

/// Both meanings, where they are not the same.
fn differ(
    expected: &[Vec<u8>],
    got: &[Vec<u8>],
    exchange: &Json,
    offered: bool,
) -> Option<(Vec<Meaning>, Vec<Meaning>)> {
    let unsealed = exchange["plain_response_message_hex"]
        .as_str()
        .map(|plain| vec![unsealed(&expected[0], &hex(plain))]);
    let expected = unsealed.as_deref().unwrap_or(expected);
    let mut expected: Vec<Meaning> =
        expected.iter().map(|message| meaning(message)).collect::<Option<_>>()?;
    let mut got: Vec<Meaning> = got.iter().filter_map(|message| meaning(message)).collect();
    if offered {
        // Both the digest and the server's half of the key are others.
        for message in expected.iter_mut().chain(&mut got) {
            (message.digest, message.body) = (None, String::new());
        }
    }
    // A list comes in pages of fifty, whose order is the server's own.
    let same = match got.len() > 1 && got[0].op == 105 {
        true => got.len() == expected.len(),
        false => got == expected,
    };
    (!same).then_some((expected, got))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_request_is_answered_with_the_same_meaning() {
    let server = Server::new().await;
    let mut otherwise = Vec::new();
    for name in [
        "01_resolve",
        "02_referral",
        "03_certified",
        "04_siteinfo",
        "05_versions",
        "06_auth_seckey",
        "07_auth_pubkey_rsa",
        "08_auth_pubkey_dsa",
        "09_verify",
        "13_sessions",
        "17_seckey_utf8",
        "19_auth_timeout",
    ] {
        otherwise.extend(replay(&server, name).await);
    }
    assert!(otherwise.is_empty(), "{} otherwise:\n{}", otherwise.len(), otherwise.join("\n"));
}

/// What the reference software's own tools sent. Most ran against a server of their own.
#[tokio::test(flavor = "multi_thread")]
async fn the_tools_of_the_reference_software_are_answered_with_the_same_meaning() {
    let mut otherwise = Vec::new();
    let one_behind_another = ["15_tool_create", "15_tool_create_again", "15_tool_delete"];
    for names in [
        &one_behind_another[..],
        &["15_tool_batch_session"],
        &["15_tool_batch_seckey"],
        &["15_tool_batch_pubkey"],
        &["15_tool_batch_wrong"],
        &["15_tool_batch_home"],
        &["15_tool_list"],
        &["15_tool_resolve"],
        &["15_tool_resolve_alias"],
        &["15_tool_resolve_big"],
        &["15_tool_resolve_notfound"],
        &["15_tool_getsiteinfo"],
    ] {
        let server = Server::new().await;
        for name in names {
            otherwise.extend(replay(&server, name).await);
        }
    }
    assert!(otherwise.is_empty(), "{} otherwise:\n{}", otherwise.len(), otherwise.join("\n"));
}
