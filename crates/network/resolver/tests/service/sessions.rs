//! Sessions as a client has them: begun over UDP, used over TCP, with MACs, encrypted, ended.

use weir_handle::{
    Answer, Challenge, ChallengeResponse, DhOffer, Draft, Envelope, Flags, Header, KeyExchange,
    List, Message, OpCode, Reference, Request, Response, ResponseCode, SecretKeyAnswer, SessionKey,
    SessionSetup, Value, ValueData, Version,
};

use crate::server::Server;

const SECRET: &[u8] = b"test-secret-key-301";
const IDENTITY: Reference<'static> = Reference::new(b"0.NA/99.1000", 301);

struct Client<'s> {
    server: &'s Server,
    key: SessionKey,
    number: u32,
    sent: u32,
    encrypts: bool,
}

/// An answer with what it was made of.
struct Answered {
    bytes: Vec<u8>,
    envelope: Envelope,
}

impl Answered {
    fn message(&self) -> Message<'_> {
        Message::decode(&self.bytes).unwrap()
    }

    fn code(&self) -> ResponseCode {
        self.message().header.response
    }
}

impl<'s> Client<'s> {
    /// Begins a session for an administrator.
    async fn begin(server: &'s Server, encrypts: bool) -> Self {
        let offer = DhOffer::new(&[0x61; 40]).unwrap();
        let exchange = KeyExchange::DiffieHellman(offer.public_key());
        let setup = SessionSetup { timeout: 3600, identity: IDENTITY, exchange };
        let flags = Flags::CERT | Flags::CACR;
        let message = plain(0, 1, flags, &Request::SessionSetup(setup));
        let answer = server.ask(&message, false).await.remove(0);
        let answer = Message::decode(&answer).unwrap();
        let Answer::SessionSetup { mode: 4, data } = answer.response().unwrap().answer else {
            panic!("{:?}", answer.response())
        };
        let key = offer.finish(data).unwrap();
        Self { server, key, number: answer.envelope.session_id, sent: 0, encrypts }
    }

    fn message(&mut self, flags: Flags, request: &Request<'_>) -> Vec<u8> {
        self.sent += 1;
        let mut out = Vec::new();
        let envelope = Envelope { session_id: self.number, ..Envelope::request(self.sent) };
        let header = Header::request(request.op(), flags, 2_000_000_000);
        let mut draft = Draft::begin(&mut out, &envelope, &header);
        request.encode(draft.body());
        let certify = |envelope: &Envelope, signed: &[u8], out: &mut Vec<u8>| {
            self.key.certify(envelope, signed, self.sent, out)
        };
        draft.finish_with(certify).unwrap();
        if !self.encrypts {
            return out;
        }
        let mut sealed = Vec::new();
        self.key.encrypt(&out, &[self.sent as u8; 16], &mut sealed).unwrap();
        sealed
    }

    async fn send(&self, message: &[u8]) -> Answered {
        let bytes = self.server.ask(message, true).await.remove(0);
        let envelope = Envelope::decode(&bytes).unwrap();
        if !envelope.encrypted {
            return Answered { bytes, envelope };
        }
        let mut opened = Vec::new();
        self.key.decrypt(&bytes, &mut opened).unwrap();
        Answered { bytes: opened, envelope }
    }

    async fn ask(&mut self, flags: Flags, request: &Request<'_>) -> Answered {
        let message = self.message(flags, request);
        self.send(&message).await
    }

    /// Asks what must be challenged, and answers the challenge.
    async fn prove(&mut self, request: &Request<'_>) -> Answered {
        let challenged = self.ask(Flags::CERT, request).await;
        let message = challenged.message();
        self.key.verify(&message).unwrap();
        let Response { request_digest, answer } = message.response().unwrap();
        let Answer::Challenge { nonce } = answer else { panic!("{answer:?}") };
        let request_digest = request_digest.unwrap().bytes;
        let challenge = Challenge { nonce, request_digest };
        let mut made = Vec::new();
        SecretKeyAnswer::make(Version::CURRENT, SECRET, &challenge, &[5; 16], &mut made);
        let authentication = ValueData::SECKEY;
        let answer = ChallengeResponse { authentication, user: IDENTITY, answer: &made };
        self.ask(Flags::CERT, &Request::ChallengeResponse(answer)).await
    }
}

fn plain(session_id: u32, id: u32, flags: Flags, request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let envelope = Envelope { session_id, ..Envelope::request(id) };
    let header = Header::request(request.op(), flags, 2_000_000_000);
    let mut draft = Draft::begin(&mut out, &envelope, &header);
    request.encode(draft.body());
    draft.finish();
    out
}

async fn used(encrypts: bool) {
    let server = Server::new().await;
    let mut client = Client::begin(&server, encrypts).await;
    let values = [Value::new(1, b"URL", b"https://example.com", 0)];
    let mut buffer = Vec::new();
    let values = List::build(&values, &mut buffer);
    let create = |handle| Request::CreateHandle { handle, values };
    assert_eq!(client.prove(&create(b"99.1000/session-1")).await.code(), ResponseCode::Success);
    // From now on no challenge comes; the answers have MACs with counters that go up.
    let mut counter = 0;
    for handle in [&b"99.1000/session-2"[..], b"99.1000/session-3"] {
        let answer = client.ask(Flags::CERT, &create(handle)).await;
        assert_eq!((answer.code(), answer.envelope.encrypted), (ResponseCode::Success, encrypts));
        assert_eq!(answer.envelope.session_id, client.number);
        let now = client.key.verify(&answer.message()).unwrap();
        assert!(now > counter);
        counter = now;
    }
    // What another may not do is refused here as elsewhere.
    let foreign = client.ask(Flags::CERT, &create(b"99.2000/foreign")).await;
    assert_eq!(foreign.code(), ResponseCode::InvalidAdmin);
    // The same bytes again, with a counter that came.
    let twice = client.message(Flags::CERT, &create(b"99.1000/session-4"));
    assert_eq!(client.send(&twice).await.code(), ResponseCode::Success);
    assert_eq!(client.send(&twice).await.code(), ResponseCode::SessionMessageRejected);
    // Changed on the way, or by somebody without the key.
    let mut changed = client.message(Flags::default(), &create(b"99.1000/session-5"));
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert_eq!(client.send(&changed).await.code(), ResponseCode::InvalidSessionKey);
    let bare = plain(client.number, 9, Flags::default(), &create(b"99.1000/session-5"));
    assert_eq!(client.send(&bare).await.code(), ResponseCode::InvalidCredential);
    let end = Request::SessionTerminate { handle: b"/" };
    assert_eq!(client.ask(Flags::default(), &end).await.code(), ResponseCode::Success);
    let gone = client.ask(Flags::default(), &create(b"99.1000/session-6")).await;
    assert_eq!(gone.code(), ResponseCode::SessionTimeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_proved_once_and_then_used() {
    used(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_session_is_answered_encrypted() {
    used(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_answer_can_be_asked_for() {
    let server = Server::new().await;
    let mut client = Client::begin(&server, false).await;
    let read = Request::resolution(b"99.1000/simple");
    let answer = client.ask(Flags::ENCR | Flags::CERT | Flags::PUBL, &read).await;
    assert!(answer.envelope.encrypted);
    assert_eq!(answer.code(), ResponseCode::Success);
    client.key.verify(&answer.message()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_proved_reads_what_administrators_may_read() {
    let server = Server::new().await;
    let mut client = Client::begin(&server, true).await;
    let read = Request::resolution(b"0.NA/99.1000");
    let count = |answer: &Answered| match answer.message().response().unwrap().answer {
        Answer::Resolution { values, .. } => values.len(),
        other => panic!("{other:?}"),
    };
    let public = client.ask(Flags::PUBL, &read).await;
    let proved = client.prove(&read).await;
    let again = client.ask(Flags::default(), &read).await;
    assert!(count(&public) < count(&proved));
    assert_eq!(count(&proved), count(&again));
    assert_eq!(count(&client.ask(Flags::PUBL, &read).await), count(&public));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_setup_is_refused() {
    let server = Server::new().await;
    for (exchange, code) in [
        (KeyExchange::DiffieHellman(b"no key"), ResponseCode::InvalidSessionSetup),
        (KeyExchange::ServerKey, ResponseCode::SessionFailed),
        (KeyExchange::Other(9, b""), ResponseCode::SessionFailed),
    ] {
        let setup = SessionSetup { timeout: 60, identity: IDENTITY, exchange };
        let message = plain(0, 3, Flags::CERT, &Request::SessionSetup(setup));
        let answer = server.ask(&message, true).await.remove(0);
        let answer = Message::decode(&answer).unwrap();
        assert_eq!((answer.header.response, answer.header.op), (code, OpCode::SessionSetup));
    }
}
