//! Sessions: keys, MACs and encrypted messages, computed again.

use serde_json::Value as Json;
use weir_handle::{
    Answer, DhOffer, Draft, ENVELOPE_BYTES, Error, KeyExchange, Message, PublicKey, ReplayWindow,
    Request, SessionKey,
};

use crate::capture::{Exchange, message, read, unhex};

fn bytes(json: &Json) -> Vec<u8> {
    unhex(json.as_str().unwrap())
}

fn key(exchange: &Exchange) -> Option<SessionKey> {
    let key = bytes(exchange.json.get("session_key_hex")?);
    Some(SessionKey::from_bytes(key.try_into().unwrap()))
}

#[test]
fn keys_are_agreed_upon() {
    let exchanges = read("13_sessions.json.gz").exchanges;
    let mut agreed = 0;
    for exchange in &exchanges {
        let Some(private) = exchange.json.get("dh_private_x_hex") else { continue };
        let private = bytes(private);
        let asked = &exchange.request.messages()[0];
        let Request::SessionSetup(setup) = message(asked).unwrap().request().unwrap() else {
            panic!("{}", exchange.name)
        };
        let KeyExchange::DiffieHellman(public) = setup.exchange else { panic!() };
        let PublicKey::DiffieHellman { p, g, .. } = PublicKey::decode(public).unwrap() else {
            panic!()
        };
        let offer = DhOffer::in_group(&private, p, g).unwrap();
        assert_eq!(offer.public_key(), public);
        let answered = &exchange.response.messages()[0];
        let answer = message(answered).unwrap().response().unwrap().answer;
        let Answer::SessionSetup { mode: 4, data } = answer else { panic!("{answer:?}") };
        let recorded = bytes(&exchange.json["dh_session_key_hex"]);
        assert!(
            offer.finish(data).unwrap() == SessionKey::from_bytes(recorded.try_into().unwrap())
        );
        agreed += 1;
    }
    assert_eq!(agreed, 2);
}

#[test]
fn both_sides_have_one_key() {
    let offer = DhOffer::new(&[0x5a; 40]).unwrap();
    let client = PublicKey::decode(offer.public_key()).unwrap();
    let (key, data) = SessionKey::accept(&client, &[0xc3; 40]).unwrap();
    assert!(offer.finish(&data).unwrap() == key);
    for (y, p, g) in [
        (&[1][..], &[0xff; 128][..], &[2][..]),
        (&[5], &[0xff; 127], &[2]),
        (&[5], &[0xfe; 128], &[2]),
        (&[5], &[0xff; 257], &[2]),
        (&[5], &[0xff; 128], &[0]),
        (&[0xff; 128], &[0xff; 128], &[2]),
        (&[0x7f; 300], &[0xff; 128], &[2]),
        (&[], &[], &[]),
    ] {
        let key = PublicKey::DiffieHellman { y, p, g };
        assert!(matches!(SessionKey::accept(&key, &[3; 40]), Err(Error::Key { .. })), "{key:?}");
    }
}

#[test]
fn macs_are_right_and_counters_come_once() {
    let (mut right, mut replayed) = (0, 0);
    let mut window = ReplayWindow::default();
    for exchange in &read("13_sessions.json.gz").exchanges {
        let Some(key) = key(exchange) else { continue };
        let expected = exchange.json.get("expect_mac_valid").is_none_or(|valid| valid == true);
        let replay = exchange.name.contains("replayed");
        for (which, bytes) in
            [(true, exchange.request.messages()), (false, exchange.response.messages())]
        {
            let Some(Ok(message)) = bytes.first().map(|bytes| message(bytes)) else { continue };
            let mac = message.credential().unwrap().filter(|found| found.kind == b"HS_MAC");
            let Some(mac) = mac else { continue };
            match key.verify(&message) {
                Ok(counter) => {
                    assert!(expected, "{}", exchange.name);
                    assert_eq!(counter, mac.counter);
                    if which && exchange.name.starts_with("mode4b") {
                        assert_eq!(window.accept(counter).is_err(), replay, "{}", exchange.name);
                        replayed += usize::from(replay);
                    }
                    right += 1;
                    written_alike(&key, &message, counter);
                }
                Err(error) => {
                    assert!(which && !expected, "{}: {error}", exchange.name);
                    assert_eq!(error, Error::Mismatch { what: "a message of a session" });
                }
            }
        }
    }
    assert!(right >= 10 && replayed == 1, "{right} {replayed}");
}

fn written_alike(key: &SessionKey, message: &Message<'_>, counter: u32) {
    let mut out = Vec::new();
    let mut draft = Draft::begin(&mut out, &message.envelope, &message.header);
    draft.body().extend_from_slice(message.body);
    let certify =
        |envelope: &_, signed: &[u8], out: &mut _| key.certify(envelope, signed, counter, out);
    draft.finish_with(certify).unwrap();
    assert!(out[ENVELOPE_BYTES..].ends_with(message.after_body()));
}

#[test]
fn encrypted_messages_open_and_close() {
    let exchanges = read("13_sessions.json.gz").exchanges;
    let find = |exchange: &&Exchange| exchange.json.get("plain_request_hex").is_some();
    let exchange = exchanges.iter().find(find).unwrap();
    let key = key(exchange).unwrap();
    let (asked, answered) = (&exchange.request.packets[0], &exchange.response.packets[0]);
    let mut request = Vec::new();
    key.decrypt(asked, &mut request).unwrap();
    let recorded = bytes(&exchange.json["plain_request_hex"]);
    assert_eq!(request[ENVELOPE_BYTES..], recorded[ENVELOPE_BYTES..]);
    let mut response = Vec::new();
    key.decrypt(answered, &mut response).unwrap();
    let recorded = bytes(&exchange.json["plain_response_message_hex"]);
    assert_eq!(response[ENVELOPE_BYTES..], recorded);
    assert_eq!(key.verify(&message(&response).unwrap()), Ok(4));
    for (plain, sealed) in [(&request, asked), (&response, answered)] {
        let iv = sealed[ENVELOPE_BYTES..][..16].try_into().unwrap();
        let mut closed = Vec::new();
        key.encrypt(plain, &iv, &mut closed).unwrap();
        assert_eq!(&closed, sealed);
    }
    // Cut, empty, or changed: one error, or a message whose MAC is wrong.
    assert_eq!(Message::decode(asked), Err(Error::Encrypted));
    let mut cut = asked.clone();
    cut[19] -= 1;
    assert_eq!(key.decrypt(&cut, &mut Vec::new()), Err(Error::Decrypt));
    let mut other = asked.clone();
    *other.last_mut().unwrap() ^= 1;
    let mut opened = Vec::new();
    let open = key.decrypt(&other, &mut opened);
    assert!(open == Err(Error::Decrypt) || key.verify(&message(&opened).unwrap()).is_err());
}

#[test]
fn counters_may_overtake_each_other_a_little() {
    let mut window = ReplayWindow::default();
    for (counter, taken) in [
        (0, false),
        (1, true),
        (1, false),
        (3, true),
        (2, true),
        (2, false),
        (100, true),
        (36, false),
        (37, true),
        (37, false),
        (99, true),
        (u32::MAX, true),
        (100, false),
        (u32::MAX, false),
    ] {
        assert_eq!(window.accept(counter).is_ok(), taken, "{counter}");
    }
}
