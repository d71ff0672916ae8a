use std::time::Duration;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::*;

/// An authority, and what it signed for `press.example`, valid from 2020 to 2030.
struct Plant {
    authority: String,
    own: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn plant(name: &str) -> Plant {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::from_params(&params, &key);
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    let key = KeyPair::generate().unwrap();
    let own = params.signed_by(&key, &issuer).unwrap();
    Plant { authority, own: own.der().clone(), pem: own.pem(), key: key.serialize_pem() }
}

fn at(text: &str) -> UnixTime {
    let nanos = Timestamp::parse(text).unwrap().nanos();
    UnixTime::since_unix_epoch(Duration::from_nanos(nanos as u64))
}

const TODAY: &str = "2026-11-26T00:00:00Z";

/// Why a certificate is refused at a time, if it is.
fn judged(trust: &Trust, plant: &Plant, others: usize, now: &str) -> Option<Refusal> {
    let (_, verifier) = trust.client_config("press.example").unwrap();
    let others = vec![plant.own.clone(); others];
    let name = ServerName::try_from("10.0.0.7").unwrap();
    let verified = verifier.verify_server_cert(&plant.own, &others, &name, &[], at(now));
    let refused = verifier.refused();
    assert_eq!(verified.is_err(), refused.is_some());
    assert_eq!(verifier.refused(), None, "told once");
    refused.map(|(certificate, refusal)| {
        assert_eq!(certificate, PeerCertificate::of(&plant.own));
        refusal
    })
}

fn reviewed(plant: &Plant) -> Trust {
    Trust { trusted: vec![PeerCertificate::of(&plant.own).thumbprint], ..Trust::default() }
}

#[test]
fn a_reviewed_certificate_counts_whatever_it_names_and_within_its_time() {
    let plant = plant("other.example");
    assert_eq!(judged(&Trust::default(), &plant, 0, TODAY), Some(Refusal::Unreviewed));
    let mut trust = reviewed(&plant);
    assert_eq!(judged(&trust, &plant, 0, TODAY), None);
    // Nothing is looked for in what comes with it.
    assert_eq!(judged(&trust, &plant, INTERMEDIATES_MAX + 1, TODAY), None);
    let late = judged(&trust, &plant, 0, "2030-01-01T00:00:01Z").unwrap();
    let told = late.to_string();
    assert!(told.contains("has expired (valid from 2020-01-01"), "{told}");
    assert!(told.ends_with("or set accept_expired"), "{told}");
    let early = judged(&trust, &plant, 0, "2019-12-31T23:59:59Z").unwrap();
    assert!(early.to_string().contains("is not valid yet"), "{early}");
    trust.accept_expired = true;
    for now in ["2030-01-01T00:00:01Z", "2019-12-31T23:59:59Z", TODAY] {
        assert_eq!(judged(&trust, &plant, 0, now), None);
    }
    // It says nothing of certificates that nobody reviewed.
    trust.trusted.clear();
    assert_eq!(judged(&trust, &plant, 0, TODAY), Some(Refusal::Unreviewed));
}

#[test]
fn an_authority_vouches_for_the_host_of_the_settings_within_its_time() {
    let plant = plant("press.example");
    let signed = |authority: &str, accept_expired| Trust {
        authorities: Some(authority.to_owned()),
        accept_expired,
        ..Trust::default()
    };
    assert_eq!(judged(&signed(&plant.authority, false), &plant, 0, TODAY), None);
    assert_eq!(judged(&signed(&plant.authority, false), &plant, INTERMEDIATES_MAX, TODAY), None);
    assert_eq!(
        judged(&signed(&plant.authority, false), &plant, INTERMEDIATES_MAX + 1, TODAY),
        Some(Refusal::LongChain(INTERMEDIATES_MAX + 1))
    );
    let late = judged(&signed(&plant.authority, true), &plant, 0, "2031-01-01T00:00:00Z");
    assert!(matches!(late, Some(Refusal::Unsigned(_))), "{late:?}");
    let stranger = self::plant("press.example");
    let refused = judged(&signed(&stranger.authority, false), &plant, 0, TODAY);
    assert!(matches!(refused, Some(Refusal::Unsigned(_))), "{refused:?}");
    let other = self::plant("other.example");
    let refused = judged(&signed(&other.authority, false), &other, 0, TODAY);
    assert!(matches!(refused, Some(Refusal::Unsigned(_))), "{refused:?}");
}

#[test]
fn texts_that_are_too_much_or_nothing_are_refused_with_a_reason() {
    let plant = plant("press.example");
    let authorities = |pem: String| {
        let trust = Trust { authorities: Some(pem), ..Trust::default() };
        trust.client_config("h").map(drop)
    };
    assert_eq!(authorities(plant.authority.repeat(CERTIFICATES_MAX)), Ok(()));
    let error = authorities(plant.authority.repeat(CERTIFICATES_MAX + 1)).unwrap_err();
    assert!(error.to_string().contains("more than 64"), "{error}");
    assert!(plant.authority.len() * CERTIFICATES_MAX < PEM_BYTES_MAX);
    for pem in ["", "x", &plant.key, "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"]
    {
        let error = authorities(pem.to_owned()).unwrap_err();
        assert!(matches!(error, TrustError::Authorities(_)), "{error}");
    }
    let client = |chain: &str, key: &str| {
        let client = Some((chain.to_owned(), key.to_owned()));
        let trust = Trust { client, ..Trust::default() };
        assert!(!format!("{trust:?}").contains("PRIVATE"));
        trust.client_config("h").map(drop)
    };
    assert_eq!(client(&plant.pem, &plant.key), Ok(()));
    let many = plant.pem.repeat(CERTIFICATES_MAX + 1);
    assert!(matches!(client(&many, &plant.key), Err(TrustError::Certificate(_))));
    assert!(matches!(client(&plant.pem, "x"), Err(TrustError::Key(_))));
    let other = self::plant("press.example");
    assert!(matches!(client(&plant.pem, &other.key), Err(TrustError::Key(_))));
}

#[tokio::test]
async fn a_handshake_tells_why_it_failed() {
    let plant = plant("press.example");
    let key = PrivateKeyDer::from_pem_slice(plant.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![plant.own.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"ready").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let connect = async |trust: &Trust, host: &str| {
        trust.connect(host, TcpStream::connect(address).await.unwrap()).await
    };
    let error = connect(&Trust::default(), "press.example").await.unwrap_err();
    let TlsError::Refused(shown, Refusal::Unreviewed) = error else { panic!("{error}") };
    // The system's clock is beyond 2020; when it is beyond 2030, this certificate has expired.
    let trust = Trust { trusted: vec![shown.thumbprint], accept_expired: true, ..Trust::default() };
    let mut text = String::new();
    connect(&trust, "::1").await.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "ready");
    let error = connect(&trust, "a..b").await.unwrap_err();
    assert!(matches!(error, TlsError::Name), "{error}");
    assert!(is_server_name("press.example") && is_server_name("fe80::1"));
    assert!(!is_server_name("a..b"));
}

#[tokio::test]
async fn what_is_no_tls_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let error = Trust::default().connect("h", stream).await.unwrap_err();
    assert!(matches!(error, TlsError::Handshake(_)), "{error}");
}

proptest! {
    /// Whatever a peer shows as its certificates, it is judged.
    #[test]
    fn any_certificates_are_judged(own in prop::collection::vec(any::<u8>(), 0..200), other in prop::collection::vec(any::<u8>(), 0..200), now in any::<u64>()) {
        static AUTHORITY: std::sync::LazyLock<Plant> = std::sync::LazyLock::new(|| plant("h"));
        let trust = Trust {
            trusted: vec![PeerCertificate::of(&other).thumbprint],
            authorities: Some(AUTHORITY.authority.clone()),
            ..Trust::default()
        };
        let (_, verifier) = trust.client_config("h").unwrap();
        let name = ServerName::try_from("h").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let (own, other) = (CertificateDer::from(own), CertificateDer::from(other));
        prop_assert!(verifier.verify_server_cert(&own, std::slice::from_ref(&other), &name, &[], now).is_err());
        // Also where it was reviewed: what cannot be read has no validity.
        prop_assert!(verifier.verify_server_cert(&other, &[own], &name, &[], now).is_err());
    }
}
