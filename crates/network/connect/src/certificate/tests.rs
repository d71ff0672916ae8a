use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

static DER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let names = vec!["agent.example".to_owned(), "10.0.0.7".to_owned(), "::1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
});

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn shows_what_a_certificate_says() {
    let shown = PeerCertificate::of(&DER);
    assert_eq!(shown.names, ["agent.example", "10.0.0.7", "::1"]);
    assert!(is_thumbprint(&shown.thumbprint));
    assert_eq!(shown.not_before, Some(time("2020-01-01T00:00:00Z")));
    assert_eq!(shown.not_after, Some(time("2030-01-01T00:00:00Z")));
    assert_eq!(PeerCertificate::read(&DER), Some(shown));
}

#[test]
fn what_is_no_certificate_has_its_thumbprint_alone() {
    assert_eq!(PeerCertificate::read(&[1, 2, 3]), None);
    let garbage = PeerCertificate::of(&[1, 2, 3]);
    assert_eq!((garbage.subject.as_str(), garbage.thumbprint.len()), ("", 64));
    assert!(garbage.outdated(Timestamp::MIN).is_some());
    // Of a chain the first one counts; one certificate has nothing behind it.
    let chain = [DER.as_slice(), DER.as_slice()].concat();
    assert_eq!(PeerCertificate::read(&chain), PeerCertificate::read(&DER));
    assert_eq!(PeerCertificate::of(&chain).not_after, None);
    assert_ne!(PeerCertificate::of(&chain).thumbprint, PeerCertificate::of(&DER).thumbprint);
}

#[test]
fn says_why_it_is_not_valid() {
    let shown = PeerCertificate::of(&DER);
    for moment in ["2020-01-01T00:00:00Z", "2026-11-26T00:00:00Z", "2030-01-01T00:00:00Z"] {
        assert_eq!(shown.outdated(time(moment)), None, "{moment}");
    }
    let early = shown.outdated(time("2019-12-31T23:59:59Z")).unwrap();
    assert!(early.starts_with("is not valid yet (valid from 2020-01-01T00:00:00"), "{early}");
    let late = shown.outdated(time("2030-01-01T00:00:01Z")).unwrap();
    assert!(late.starts_with("has expired (") && late.contains("2030-01-01T00:00:00"), "{late}");
}

proptest! {
    #[test]
    fn any_bytes_are_shown(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (PeerCertificate::read(&bytes), PeerCertificate::of(&bytes));
    }

    #[test]
    fn damaged_certificates_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut der = DER.clone();
        let at = at.index(der.len());
        der[at] = byte;
        let shown = PeerCertificate::of(&der);
        prop_assert!(is_thumbprint(&shown.thumbprint));
        prop_assert!(!shown.subject.chars().any(char::is_control));
        der.truncate(cut.index(der.len()));
        let _ = (PeerCertificate::read(&der), PeerCertificate::of(&der));
    }
}
