//! Every digest, signature and answer to a challenge, computed again; what our keys sign is what
//! the recorded peers signed.

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::Value as Json;
use weir_handle::{
    Answer, Challenge, ChallengeResponse, Credential, Draft, Error, Message, PublicKey,
    PublicKeyAnswer, Request, ResponseCode, SecretKeyAnswer, SigningKey, Version, verify_certified,
};

use crate::capture::{Capture, Exchange, all, hex, keys, message, unhex};

/// DER of a key in PEM.
pub(crate) fn pem(text: &str) -> Vec<u8> {
    let text: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

pub(crate) fn server_key() -> SigningKey {
    let keys = keys();
    let key =
        SigningKey::rsa_from_pkcs8(&pem(keys["server"]["private_key_pkcs8_pem"].as_str().unwrap()));
    let key = key.unwrap();
    assert_eq!(keys["server"]["public_key_handle_hex"], hex(key.public_key()));
    key
}

/// A challenge that was given: nonce, digest, and the request.
struct Given {
    nonce: Vec<u8>,
    digest: Vec<u8>,
    request: Vec<u8>,
}

#[derive(Default, Debug)]
struct Counts {
    digests: usize,
    signatures: usize,
    signed_alike: usize,
    secret_right: usize,
    secret_wrong: usize,
    public_right: usize,
    public_wrong: usize,
    answered_alike: usize,
}

#[test]
fn digests_signatures_and_answers_are_right() {
    let (keys, server) = (keys(), server_key());
    let mut counts = Counts::default();
    for capture in all() {
        let mut challenges = HashMap::new();
        for exchange in &capture.exchanges {
            check(&capture, exchange, &keys, &server, &mut challenges, &mut counts);
        }
    }
    println!("{counts:?}");
    // What the recorder's own check found, and two certified responses that it could not read.
    assert_eq!((counts.signatures, counts.signed_alike), (80, 80));
    assert!(counts.digests >= 173);
    assert_eq!((counts.secret_right, counts.secret_wrong), (58, 5));
    assert_eq!((counts.public_right, counts.public_wrong), (46, 1));
    assert!(counts.answered_alike >= 60);
}

fn check(
    capture: &Capture,
    exchange: &Exchange,
    keys: &Json,
    server: &SigningKey,
    challenges: &mut HashMap<u32, Given>,
    counts: &mut Counts,
) {
    let place = format!("{}: {}", capture.name, exchange.name);
    let complete = |side: &crate::capture::Side| {
        side.decoded.iter().all(|decoded| decoded.get("envelope").is_some())
    };
    if !complete(&exchange.request) || !complete(&exchange.response) {
        return;
    }
    let (requests, responses) = (exchange.request.messages(), exchange.response.messages());
    let Some(Ok(request)) = requests.first().map(|bytes| message(bytes)) else { return };
    let session = request.envelope.session_id;
    for bytes in &responses {
        let Ok(response) = message(bytes) else { continue };
        check_signature(&response, server, &place, counts);
        let Ok(body) = response.response() else { continue };
        if let Some(digest) = body.request_digest {
            let original = challenges.get(&session).map(|given| given.request.clone());
            let mut any = digest.is_of(request.signed_part());
            if let Some(original) = &original {
                any |= digest.is_of(message(original).unwrap().signed_part());
            }
            assert!(any, "{place}: request digest");
            counts.digests += 1;
            if let Answer::Challenge { nonce } = body.answer {
                assert_eq!(response.header.response, ResponseCode::AuthenticationNeeded);
                let given = Given {
                    nonce: nonce.to_vec(),
                    digest: digest.bytes.to_vec(),
                    request: requests[0].clone(),
                };
                challenges.insert(response.envelope.session_id, given);
            }
        }
    }
    if let (Ok(Request::ChallengeResponse(answer)), Some(given)) =
        (request.request(), challenges.get(&session))
    {
        let challenge = Challenge { nonce: &given.nonce, request_digest: &given.digest };
        let version = request.envelope.version;
        let Some(right) = check_answer(version, &answer, &challenge, keys, counts) else { return };
        let expected = exchange.json.get("expect_answer_valid").is_none_or(|valid| valid == true);
        assert_eq!(right, expected, "{place}: answer");
    }
}

fn check_signature(response: &Message<'_>, server: &SigningKey, place: &str, counts: &mut Counts) {
    let Ok(Some(credential)) = response.credential() else { return };
    if credential.kind != Credential::SIGNED {
        return;
    }
    let key = PublicKey::decode(server.public_key()).unwrap();
    verify_certified(response, &key).unwrap_or_else(|error| panic!("{place}: {error}"));
    counts.signatures += 1;
    // PKCS #1 v1.5 has one signature of a message: ours is theirs, at every version.
    let mut out = Vec::new();
    let mut draft = Draft::begin(&mut out, &response.envelope, &response.header);
    draft.body().extend_from_slice(response.body);
    draft.finish_with(|envelope, signed, out| server.certify(envelope, signed, out)).unwrap();
    assert_eq!(&out[20 + response.signed_part().len()..], response.after_body(), "{place}");
    counts.signed_alike += 1;
    // One bit elsewhere, and it is no signature.
    let at = 20 + response.signed_part().len() - 1;
    out[at] ^= 1;
    let wrong = message(&out).unwrap();
    assert_eq!(verify_certified(&wrong, &key), Err(Error::Mismatch { what: "a signature" }));
}

/// Whether the answer is right; none if nothing is known of the key.
fn check_answer(
    version: Version,
    answer: &ChallengeResponse<'_>,
    challenge: &Challenge<'_>,
    keys: &Json,
    counts: &mut Counts,
) -> Option<bool> {
    let who = format!("{}:{}", answer.user.index, std::str::from_utf8(answer.user.handle).unwrap());
    if answer.with_secret_key() {
        let secret = keys["secret_keys"].get(&who)?.as_str()?.as_bytes();
        let read = SecretKeyAnswer::decode(version, answer.answer);
        let right = read.and_then(|read| read.verify(secret, challenge)).is_ok();
        *(if right { &mut counts.secret_right } else { &mut counts.secret_wrong }) += 1;
        if right && let Ok(read) = SecretKeyAnswer::decode(version, answer.answer) {
            answer_alike(version, &read, answer, secret, challenge, counts);
        }
        return Some(right);
    }
    if !answer.with_public_key() {
        return None;
    }
    let public = unhex(keys["public_keys"].get(&who)?.as_str()?);
    let key = PublicKey::decode(&public).unwrap();
    let read = PublicKeyAnswer::decode(answer.answer).unwrap();
    let right = read.verify(&key, challenge).is_ok();
    *(if right { &mut counts.public_right } else { &mut counts.public_wrong }) += 1;
    if right && let PublicKey::Rsa { .. } = key {
        let der = pem(keys["private_keys_pkcs8_pem"][&who].as_str().unwrap());
        let key = SigningKey::rsa_from_pkcs8(&der).unwrap();
        assert_eq!(key.public_key(), public);
        // The recording also has answers with a hash that the version does not choose.
        let mut made = Vec::new();
        PublicKeyAnswer::make(version, &key, challenge, &mut made).unwrap();
        if read.hash == PublicKeyAnswer::decode(&made).unwrap().hash {
            assert_eq!(made, answer.answer);
            counts.answered_alike += 1;
        }
    }
    Some(right)
}

/// The answer that a client of ours gives, with the salt of the recorded one, is the recorded one,
/// where that is of the algorithm that the version chooses.
fn answer_alike(
    version: Version,
    read: &SecretKeyAnswer<'_>,
    answer: &ChallengeResponse<'_>,
    secret: &[u8],
    challenge: &Challenge<'_>,
    counts: &mut Counts,
) {
    let salt = match read {
        SecretKeyAnswer::Pbkdf2 { salt, .. } => (*salt).try_into().unwrap(),
        _ => [0; 16],
    };
    let mut made = Vec::new();
    SecretKeyAnswer::make(version, secret, challenge, &salt, &mut made);
    let of_version = SecretKeyAnswer::decode(version, &made).unwrap();
    if std::mem::discriminant(&of_version) == std::mem::discriminant(read)
        && made.first() == answer.answer.first()
        && !matches!(read, SecretKeyAnswer::Pbkdf2 { iterations, .. } if *iterations != 10_000)
    {
        assert_eq!(made, answer.answer);
        counts.answered_alike += 1;
    }
}
