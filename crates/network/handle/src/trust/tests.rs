use super::*;
use crate::{Reference, SigningKey};

const NOW: i64 = 1_800_000_000;
const RSA: &str = include_str!("../../tests/data/keys.json");

fn ed25519(byte: u8) -> SigningKey {
    SigningKey::ed25519_from_seed(&[byte; 32]).unwrap()
}

fn sm2() -> SigningKey {
    SigningKey::sm2_from_secret(&[7; 32]).unwrap()
}

fn rsa() -> SigningKey {
    let keys: serde_json::Value = serde_json::from_str(RSA).unwrap();
    let text = keys["server"]["private_key_pkcs8_pem"].as_str().unwrap();
    let text: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    SigningKey::rsa_from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

fn public(key: &SigningKey) -> PublicKey<'_> {
    PublicKey::decode(key.public_key()).unwrap()
}

fn grants(all: &[(Scope, &str)]) -> Vec<Grant> {
    all.iter().map(|(scope, handle)| Grant::new(*scope, handle)).collect()
}

const HANDLE: &[u8] = b"88.101/pump";
const ROOT: &str = "300:0.NA/0.0";
const PROVINCE: &str = "300:0.NA/88";
const FACTORY: &str = "301:0.NA/88.101";

fn values<'a>(buffer: &'a mut Vec<u8>) -> List<'a, Value<'a>> {
    List::build(
        &[
            Value::new(1, b"URL", b"https://example.org", 1),
            Value::new(2, b"DESC", b"a pump", 1),
            Value::new(400, b"hs_signature", b"not signed", 1),
        ],
        buffer,
    )
}

/// A root with RSA, a province with SM2, a factory with Ed25519, and a record.
struct Tree {
    root: SigningKey,
    province: SigningKey,
    factory: SigningKey,
    certificates: Vec<String>,
    signature: String,
}

fn certificate(
    issuer: (&str, &SigningKey),
    subject: (&str, &SigningKey),
    may: &[(Scope, &str)],
) -> String {
    let claims = Claims::of_key(issuer.0, subject.0, &public(subject.1), grants(may)).unwrap();
    claims.valid(NOW - 10, NOW + 10).sign(issuer.1).unwrap()
}

fn tree() -> Tree {
    let (root, province, factory) = (rsa(), sm2(), ed25519(1));
    let all = [(Scope::DerivedPrefixes, "88"), (Scope::HandlesUnderThisPrefix, "88")];
    let certificates = vec![
        certificate(
            (PROVINCE, &province),
            (FACTORY, &factory),
            &[(Scope::HandlesUnderThisPrefix, "0.NA/88.101")],
        ),
        certificate((ROOT, &root), (PROVINCE, &province), &all),
    ];
    let mut buffer = Vec::new();
    let claims = Claims::of_record(FACTORY, HANDLE, &values(&mut buffer), "SHA-256").unwrap();
    let signature = claims.valid(NOW - 10, NOW + 10).sign(&factory).unwrap();
    Tree { root, province, factory, certificates, signature }
}

impl Tree {
    fn verify(
        &self,
        handle: &[u8],
        values: &List<'_, Value<'_>>,
        now: i64,
    ) -> Result<Verified, Error> {
        let certificates: Vec<_> = self.certificates.iter().map(String::as_bytes).collect();
        let anchors = [Anchor {
            id: ROOT,
            key: public(&self.root),
            grants: grants(&[(Scope::Everything, "")]),
        }];
        verify_record(handle, values, self.signature.as_bytes(), &certificates, &anchors, now)
    }

    fn why(&self) -> &'static str {
        let mut buffer = Vec::new();
        match self.verify(HANDLE, &values(&mut buffer), NOW) {
            Err(Error::Trust { why }) => why,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_chain_of_three_kinds_of_keys_verifies() {
    let mut buffer = Vec::new();
    let verified = tree().verify(b"88.101/PUMP", &values(&mut buffer), NOW).unwrap();
    assert_eq!(verified.issuers, [FACTORY, PROVINCE, ROOT]);
    assert_eq!(
        (verified.signed, verified.unsigned, verified.missing),
        (vec![1, 2], vec![], vec![])
    );
}

#[test]
fn the_server_may_change_timestamps_and_nothing_else() {
    let tree = tree();
    let mut buffer = Vec::new();
    let mut other = Value::new(2, b"DESC", b"a pump", 77);
    let verified = tree.verify(HANDLE, &List::build(&[other], &mut buffer), NOW).unwrap();
    assert_eq!((verified.signed, verified.missing), (vec![2], vec![1]));
    other.index = 3;
    let verified = tree.verify(HANDLE, &List::build(&[other], &mut buffer), NOW).unwrap();
    assert_eq!((verified.unsigned, verified.missing), (vec![3], vec![1, 2]));
    other.index = 2;
    for changed in [
        Value { data: b"a pump!", ..other },
        Value { kind: b"desc", ..other },
        Value { ttl: crate::Ttl::Relative(1), ..other },
        Value { permissions: crate::Permissions(2), ..other },
    ] {
        let list = List::build(&[changed], &mut buffer);
        let why = tree.verify(HANDLE, &list, NOW);
        assert_eq!(why, Err(Error::Trust { why: "a value is not as it was signed" }));
    }
    let list = List::build(&[other], &mut buffer);
    assert!(tree.verify(b"88.101/other", &list, NOW).is_err());
    for late in [NOW - 11, NOW + 10] {
        let why = tree.verify(HANDLE, &list, late);
        assert_eq!(why, Err(Error::Trust { why: "it is not valid at this time" }));
    }
}

#[test]
fn nobody_grants_more_than_was_granted() {
    let mut tree = tree();
    let (root, province, factory) = (&tree.root, &tree.province, &tree.factory);
    let to_factory =
        |may: &[(Scope, &str)]| certificate((PROVINCE, province), (FACTORY, factory), may);
    let to_province = |may: &[(Scope, &str)]| certificate((ROOT, root), (PROVINCE, province), may);
    let refused = [
        // The factory may sign others' handles only.
        [to_factory(&[(Scope::HandlesUnderThisPrefix, "88.102")]), tree.certificates[1].clone()],
        [to_factory(&[(Scope::ThisHandle, "88.101/other")]), tree.certificates[1].clone()],
        [to_factory(&[]), tree.certificates[1].clone()],
        // It grants itself everything, or what is not below the province.
        [to_factory(&[(Scope::Everything, "")]), tree.certificates[1].clone()],
        [
            to_factory(&[(Scope::HandlesUnderThisPrefix, "88.101"), (Scope::DerivedPrefixes, "8")]),
            tree.certificates[1].clone(),
        ],
        // The province may sign its own handles only, or other prefixes: 881 is not below 88.
        [tree.certificates[0].clone(), to_province(&[(Scope::HandlesUnderThisPrefix, "88")])],
        [tree.certificates[0].clone(), to_province(&[(Scope::DerivedPrefixes, "881")])],
        [tree.certificates[0].clone(), to_province(&[(Scope::DerivedPrefixes, "88.101")])],
    ];
    let allowed = [
        [
            to_factory(&[(Scope::ThisHandle, "88.101/Pump")]),
            to_province(&[(Scope::Everything, "")]),
        ],
        [to_factory(&[(Scope::ThisHandle, "88.101/Pump")]), tree.certificates[1].clone()],
    ];
    for certificates in refused {
        tree.certificates = certificates.into();
        assert_eq!(tree.why(), "the issuer may not sign this");
    }
    for certificates in allowed {
        tree.certificates = certificates.into();
        let mut buffer = Vec::new();
        tree.verify(HANDLE, &values(&mut buffer), NOW).unwrap();
    }
}

#[test]
fn strangers_and_circles_lead_nowhere() {
    let mut tree = tree();
    let stranger = ed25519(9);
    // Another key under the factory's name.
    tree.signature = {
        let mut buffer = Vec::new();
        let claims = Claims::of_record(FACTORY, HANDLE, &values(&mut buffer), "SM3").unwrap();
        claims.sign(&stranger).unwrap()
    };
    assert_eq!(tree.why(), "a signature is not of its issuer");
    // The stranger certifies itself, and in a circle.
    let everything = [(Scope::Everything, "")];
    tree.certificates = vec![certificate((FACTORY, &stranger), (FACTORY, &stranger), &everything)];
    assert_eq!(tree.why(), "the chain is too long");
    tree.certificates = vec![tree.certificates[0].clone(); CERTIFICATES_MAX];
    assert_eq!(tree.why(), "there are too many certificates");
    tree.certificates = vec![certificate((FACTORY, &stranger), (ROOT, &stranger), &everything)];
    assert_eq!(tree.why(), "no certificate of the issuer leads to an anchor");
}

#[test]
fn what_is_no_jws_is_refused() {
    let none = |text: &str| Jws::read(text.as_bytes()).unwrap_err();
    let no_form = Error::Trust { why: "it is no JWS in compact form" };
    for text in ["", ".", "..", "a.b", "a.b.c.d", "e30.e30.", "e.e30.e30"] {
        assert_eq!(none(text), no_form, "{text}");
    }
    let part = |json: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    let of = |head: &str| none(&format!("{}.{}.", part(head), part("{}")));
    assert_eq!(of(r#"{"alg":"none"}"#), Error::Algorithm { what: "a JWS" });
    assert_eq!(of(r#"{"alg":"HS256"}"#), Error::Algorithm { what: "a JWS" });
    assert!(matches!(of(r#"{"alg":"EdDSA","crit":["b64"]}"#), Error::Trust { .. }));
    assert!(matches!(of(r#"{"alg":"EdDSA"}"#), Error::Trust { .. }));
    assert!(matches!(none(&"a".repeat(JWS_BYTES_MAX + 1)), Error::TooLong { .. }));
}

#[test]
fn identities_are_parsed() {
    assert_eq!(Reference::parse("300:0.NA/1"), Reference::new(b"0.NA/1", 300));
    assert_eq!(Reference::parse("0.NA/1"), Reference::new(b"0.NA/1", 0));
    assert_eq!(Reference::parse("88.1/a:b"), Reference::new(b"88.1/a:b", 0));
}

/// Made with another implementation (Python's `cryptography`) and the same key.
#[test]
fn a_jws_of_another_implementation_is_ours() {
    let theirs = concat!(
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzMDA6MC5OQS8wLjAiLCJzdWIiOiI4OC4xMDEvcHVtcCJ9.QWbs_W3-k5",
        "czEF1rIJcit7JAGbsrWGONsnv9CMR5r3OBMWnHlN1NWtKyQ2Bk6J6BdqU4DxfyqW3sMwLTIAE8_vuO0-E8u8u3jU",
        "WMbjYBOPbNidz4EJSaHQMsryFpAsVbQ0ezAVfma9XIt7AMhiyUu7jHjxcgNwpFdghmeh0_9Fdf_KmHhKDLzhTst7",
        "Y5rrl7kum5CjKY03DoBhZt3ggO8dOqr3SlbH84c6J0q91jy2915SM2JjKQg35iL5uzq7QejnwVrI6b9IOS4Fuw74",
        "0YaumSf81_w-dCFy604QSmEBJF_zomyJtL-SHj2PyDMlA8EVGQXUd58ZUzFAFSVqJS1Q",
    );
    let jws = Jws::read(theirs.as_bytes()).unwrap();
    assert_eq!((jws.claims.iss.as_str(), jws.claims.sub.as_str()), (ROOT, "88.101/pump"));
    jws.verify(&public(&rsa())).unwrap();
    assert_eq!(jws.claims.sign(&rsa()).unwrap(), theirs);
}
