use std::time::{Duration, Instant};

use opcua::core::RequestMessage;
use opcua::crypto::SecurityPolicy;
use opcua::types::{MessageSecurityMode, StatusCode};
use proptest::prelude::*;

use super::asymmetric::{OpenHeader, first_der, unpadded};
use super::channel::{Assembly, Channel, Numbers, Opening, Piece};
use super::frame::{self, Frame, Kind, Last};
use super::message;

/// A server's end and, with the nonces the other way round, a client's.
fn ends(policy: SecurityPolicy, mode: MessageSecurityMode) -> (Channel, Channel) {
    let end = |server_nonce: &[u8], client_nonce: &[u8]| {
        let opening = Opening {
            policy,
            mode,
            server_nonce,
            client_nonce,
            lifetime: Duration::from_secs(60),
            now: Instant::now(),
        };
        Channel::open(7, None, Numbers::default(), &opening)
    };
    (end(&[1; 32], &[2; 32]), end(&[2; 32], &[1; 32]))
}

fn frame_of(bytes: Vec<u8>) -> Frame {
    Frame { kind: Kind::Message, last: Last::Final, bytes }
}

const ALL: [(SecurityPolicy, MessageSecurityMode); 5] = [
    (SecurityPolicy::None, MessageSecurityMode::None),
    (SecurityPolicy::Basic256Sha256, MessageSecurityMode::Sign),
    (SecurityPolicy::Basic256Sha256, MessageSecurityMode::SignAndEncrypt),
    (SecurityPolicy::Aes128Sha256RsaOaep, MessageSecurityMode::SignAndEncrypt),
    (SecurityPolicy::Aes256Sha256RsaPss, MessageSecurityMode::SignAndEncrypt),
];

#[test]
fn what_one_end_sends_the_other_receives() {
    for (policy, mode) in ALL {
        let (mut server, mut client) = ends(policy, mode);
        let max = client.body_max(frame::FRAME_BYTES_MAX);
        for length in [0, 1, 15, 16, 17, 1000, max] {
            let body = vec![9; length];
            let bytes = client.send(Last::Final, 3, &body).unwrap();
            assert!(bytes.len() <= frame::FRAME_BYTES_MAX, "{policy} {length}");
            let piece = server.receive(&frame_of(bytes), Instant::now()).unwrap();
            assert_eq!(piece, Piece { request: 3, body });
        }
    }
}

#[test]
fn a_changed_byte_is_refused() {
    for (policy, mode) in &ALL[1..] {
        let (_, mut client) = ends(*policy, *mode);
        let bytes = client.send(Last::Final, 3, b"write the valve").unwrap();
        for at in 16..bytes.len() {
            let (mut server, _) = ends(*policy, *mode);
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            let refused = server.receive(&frame_of(bytes), Instant::now());
            assert_eq!(refused, Err(StatusCode::BadSecurityChecksFailed));
        }
    }
}

#[test]
fn a_frame_is_taken_once_and_under_a_living_token() {
    let (mut server, mut client) = ends(ALL[2].0, ALL[2].1);
    let bytes = client.send(Last::Final, 3, b"x").unwrap();
    let late = Instant::now() + Duration::from_secs(76);
    let expired = server.receive(&frame_of(bytes.clone()), late);
    assert_eq!(expired, Err(StatusCode::BadSecureChannelTokenUnknown));
    assert!(server.receive(&frame_of(bytes.clone()), Instant::now()).is_ok());
    let again = server.receive(&frame_of(bytes), Instant::now());
    assert_eq!(again, Err(StatusCode::BadSequenceNumberInvalid));
}

#[test]
fn a_renewed_token_is_used_for_sending_once_the_client_has_used_it() {
    let (mut server, mut client) = ends(ALL[2].0, ALL[2].1);
    let renewal = |server_nonce, client_nonce| Opening {
        policy: ALL[2].0,
        mode: ALL[2].1,
        server_nonce,
        client_nonce,
        lifetime: Duration::from_secs(60),
        now: Instant::now(),
    };
    server.renew(None, &renewal(&[3; 32], &[4; 32])).unwrap();
    let old = client.send(Last::Final, 1, b"on its way").unwrap();
    let answer = server.send(Last::Final, 1, b"old keys").unwrap();
    assert!(client.receive(&frame_of(answer), Instant::now()).is_ok());
    assert!(server.receive(&frame_of(old), Instant::now()).is_ok());
    let other = Opening { mode: MessageSecurityMode::Sign, ..renewal(&[3; 32], &[4; 32]) };
    assert!(server.renew(None, &other).is_err());
}

#[test]
fn messages_are_put_together_within_bounds() {
    let piece = |request, body: &[u8]| Piece { request, body: body.to_vec() };
    let mut assembly = Assembly::default();
    let max = 20_000;
    assert_eq!(assembly.add(piece(1, b"ab"), Last::Intermediate, max), Ok(None));
    let whole = assembly.add(piece(1, b"c"), Last::Final, max);
    assert_eq!(whole, Ok(Some(piece(1, b"abc"))));
    assert_eq!(assembly.add(piece(2, &[0; 12_000]), Last::Intermediate, max), Ok(None));
    let other = assembly.add(piece(3, b"x"), Last::Final, max);
    assert_eq!(other, Err(StatusCode::BadSecurityChecksFailed));
    let large = assembly.add(piece(2, &[0; 12_000]), Last::Final, max);
    assert_eq!(large, Err(StatusCode::BadTcpMessageTooLarge));
}

#[test]
fn padding_is_checked() {
    assert_eq!(unpadded(&[5, 5, 2, 2, 2], false), Some(&[5, 5][..]));
    assert_eq!(unpadded(&[5, 5, 2, 1, 2], false), None);
    assert_eq!(unpadded(&[9], false), None);
    assert_eq!(unpadded(&[7, 1, 1, 0], true), Some(&[7][..]));
    assert_eq!(unpadded(&[], true), None);
}

#[test]
fn only_offered_policies_are_known() {
    assert!(super::policy(SecurityPolicy::Basic256Sha256.to_uri()).is_some());
    assert!(super::policy(SecurityPolicy::Basic128Rsa15.to_uri()).is_none());
    assert!(super::policy("").is_none());
}

proptest! {
    #[test]
    fn no_header_panics(bytes in any::<[u8; 8]>()) {
        let _ = frame::header(&bytes);
    }

    #[test]
    fn no_hello_and_no_opening_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut whole = b"HELF\0\0\0\0".to_vec();
        whole.extend_from_slice(&bytes);
        let _ = frame::hello(&frame_of(whole.clone()));
        let _ = OpenHeader::parse(&frame_of(whole));
        let _ = first_der(&bytes);
        let _ = unpadded(&bytes, bytes.len() % 2 == 0);
    }

    #[test]
    fn no_frame_panics(
        at in 0..ALL.len(), bytes in prop::collection::vec(any::<u8>(), 0..400), own in any::<bool>()
    ) {
        let (mut server, _) = ends(ALL[at].0, ALL[at].1);
        let mut whole = b"MSGF\0\0\0\0".to_vec();
        if own {
            whole.extend_from_slice(&[7, 0, 0, 0, 1, 0, 0, 0]);
        }
        whole.extend_from_slice(&bytes);
        let _ = server.receive(&frame_of(whole), Instant::now());
    }

    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), service in 0_usize..12) {
        // Binary encodings of the services with the most in them (OPC 10000-6, annex A).
        let ids = [461_u16, 467, 527, 533, 554, 631, 664, 673, 751, 787, 826, 446];
        let mut body = vec![1, 0];
        body.extend_from_slice(&ids[service].to_le_bytes());
        body.extend_from_slice(&bytes);
        let context = message::context(1 << 20);
        let _: Result<RequestMessage, _> = message::decode(&body, &context);
        let _ = message::decode(&bytes, &context);
    }
}
