use std::sync::OnceLock;

use opcua::types::{ByteString, UAString};
use proptest::prelude::*;

use super::*;
use crate::pki::Pki;
use crate::wire::asymmetric::OpenHeader;
use crate::wire::frame::{Frame, Kind, Last};

const NONCE: [u8; 32] = [7; 32];

/// A server's certificate and key, made once.
fn own() -> &'static Own {
    static PKI: OnceLock<(tempfile::TempDir, Pki)> = OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open(dir.path(), "urn:weir:test", "Weir test", &[]).unwrap();
        (dir, pki)
    };
    PKI.get_or_init(make).1.own()
}

fn at(policy: SecurityPolicy, mode: MessageSecurityMode) -> Circumstances<'static> {
    Circumstances {
        own: own(),
        policy,
        mode,
        nonce: &NONCE,
        allow_anonymous: false,
        allow_user_certificates: true,
    }
}

fn token(policy: SecurityPolicy, plain: &[u8]) -> UserNameIdentityToken {
    let key = own().certificate.public_key().unwrap();
    let mut secret = vec![0; policy.calculate_cipher_text_size(plain.len(), &key)];
    let length = policy.asymmetric_encrypt(&key, plain, &mut secret).unwrap();
    secret.truncate(length);
    UserNameIdentityToken {
        policy_id: UAString::from(PASSWORD),
        user_name: UAString::from("operator"),
        password: ByteString { value: Some(secret) },
        encryption_algorithm: policy.asymmetric_encryption_algorithm().unwrap().into(),
    }
}

/// Length, password and nonce, as a client encrypts them.
fn plain(password: &str, nonce: &[u8]) -> Vec<u8> {
    let secret = [password.as_bytes(), nonce].concat();
    [&(secret.len() as u32).to_le_bytes()[..], &secret].concat()
}

fn claimed(
    token: UserNameIdentityToken,
    at: &Circumstances<'_>,
) -> Result<(String, String), StatusCode> {
    match claim(&ExtensionObject::from_message(token), &SignatureData::default(), at)? {
        Claim::Password { user, password } => Ok((user, password)),
        _ => panic!("another claim"),
    }
}

#[test]
fn a_password_is_decrypted_and_belongs_to_its_nonce() {
    let expected = Ok(("operator".to_owned(), "valves 开".to_owned()));
    for policy in crate::wire::POLICIES {
        let at = at(policy, MessageSecurityMode::Sign);
        assert_eq!(claimed(token(policy, &plain("valves 开", &NONCE)), &at), expected);
        let replayed = claimed(token(policy, &plain("valves 开", &[8; 32])), &at);
        assert_eq!(replayed, Err(StatusCode::BadIdentityTokenInvalid));
    }
}

#[test]
fn a_password_is_encrypted_even_where_nothing_else_is() {
    let none = at(SecurityPolicy::None, MessageSecurityMode::None);
    let encrypted = token(SecurityPolicy::Basic256Sha256, &plain("valves", &NONCE));
    assert!(claimed(encrypted, &none).is_ok());
    let clear = || UserNameIdentityToken {
        policy_id: UAString::from(PASSWORD),
        user_name: UAString::from("operator"),
        password: ByteString { value: Some(b"valves".to_vec()) },
        encryption_algorithm: UAString::null(),
    };
    assert!(claimed(clear(), &none).is_err());
    let encrypting = at(SecurityPolicy::Basic256Sha256, MessageSecurityMode::SignAndEncrypt);
    assert!(claimed(clear(), &encrypting).is_ok());
}

#[test]
fn weak_encryption_is_not_understood() {
    let mut weak = token(SecurityPolicy::Basic256Sha256, &plain("valves", &NONCE));
    weak.encryption_algorithm = UAString::from("http://www.w3.org/2001/04/xmlenc#rsa-1_5");
    let at = at(SecurityPolicy::Basic256Sha256, MessageSecurityMode::SignAndEncrypt);
    assert_eq!(claimed(weak, &at), Err(StatusCode::BadIdentityTokenInvalid));
}

#[test]
fn nobody_is_let_in_only_where_that_is_allowed() {
    let none = ExtensionObject::null();
    let signature = SignatureData::default();
    let mut at = at(SecurityPolicy::None, MessageSecurityMode::None);
    let refused = claim(&none, &signature, &at).map(|_| ());
    assert_eq!(refused, Err(StatusCode::BadIdentityTokenRejected));
    at.allow_anonymous = true;
    assert!(matches!(claim(&none, &signature, &at), Ok(Claim::Anonymous)));
}

#[test]
fn a_certificate_needs_its_key() {
    let user = ExtensionObject::from_message(X509IdentityToken {
        policy_id: UAString::from(CERTIFICATE),
        certificate_data: ByteString { value: Some(own().der.clone()) },
    });
    let policy = SecurityPolicy::Basic256Sha256;
    let at = at(policy, MessageSecurityMode::Sign);
    let sign = |nonce: &[u8]| {
        let certificate = ByteString { value: Some(own().der.clone()) };
        let nonce = ByteString { value: Some(nonce.to_vec()) };
        opcua::crypto::create_signature_data(&own().key, policy, &certificate, &nonce).unwrap()
    };
    assert!(matches!(claim(&user, &sign(&NONCE), &at), Ok(Claim::Certificate { .. })));
    for wrong in [sign(&[8; 32]), SignatureData::default()] {
        let refused = claim(&user, &wrong, &at).map(|_| ());
        assert_eq!(refused, Err(StatusCode::BadUserSignatureInvalid));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_secret_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..200), blocks in 1_usize..3, at in 0_usize..3,
    ) {
        let policy = crate::wire::POLICIES[at];
        let at = super::tests::at(policy, MessageSecurityMode::SignAndEncrypt);
        // Well encrypted, and not at all.
        let _ = claimed(token(policy, &bytes), &at);
        let raw: Vec<u8> = bytes.iter().copied().cycle().take(256 * blocks).collect();
        let mut token = token(policy, b"x");
        token.password = ByteString { value: Some(raw) };
        let _ = claimed(token, &at);
    }

    #[test]
    fn no_opening_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..3) {
        // Encrypted for the server by somebody who then puts anything into it.
        let policy = crate::wire::POLICIES[at];
        let key = own().certificate.public_key().unwrap();
        let mut secret = vec![0; policy.calculate_cipher_text_size(bytes.len(), &key)];
        let length = policy.asymmetric_encrypt(&key, &bytes, &mut secret).unwrap();
        secret.truncate(length);
        let mut frame = b"OPNF\0\0\0\0\0\0\0\0".to_vec();
        for part in [policy.to_uri().as_bytes(), &own().der, &own().thumbprint] {
            crate::wire::put_bytes(&mut frame, part);
        }
        frame.extend_from_slice(&secret);
        let frame = Frame { kind: Kind::Open, last: Last::Final, bytes: frame };
        let header = OpenHeader::parse(&frame).unwrap();
        prop_assert!(header.remove(own(), &frame).is_err());
    }
}
