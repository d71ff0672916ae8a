use rcgen::{BasicConstraints, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use super::*;

/// An authority with its certificate in PEM.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and key, signed by an authority.
fn client(issuer: &Issuer<'_, KeyPair>) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "press 1");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

/// Whether a byte comes through TLS from a client with this certificate.
async fn is_let_in(
    tls: &Tls,
    shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&tls.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    let (near, far) = duplex(64 * 1024);
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let server = async {
        let mut stream = tls.acceptor.accept(far).await?;
        stream.read_u8().await
    };
    let client = async {
        let mut stream = connector.connect(name, near).await?;
        stream.write_u8(7).await?;
        stream.flush().await?;
        Ok::<_, io::Error>(stream)
    };
    let (read, _open) = tokio::join!(server, client);
    read.is_ok()
}

#[tokio::test]
async fn clients_show_certificates_of_the_authorities() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, others) = (authority("works"), authority("elsewhere"));
    let file = dir.path().join("authorities.pem");
    std::fs::write(&file, ours.pem()).unwrap();
    let listen = crate::config::Config::default().listen;
    let prepare =
        |authorities| prepare(&listen, dir.path(), SystemTime::now(), Inside::Mqtt { authorities });
    let tls = prepare(Some(&file)).unwrap();
    assert!(is_let_in(&tls, Some(client(&ours))).await);
    assert!(!is_let_in(&tls, Some(client(&others))).await);
    assert!(!is_let_in(&tls, None).await);
    assert!(is_let_in(&prepare(None).unwrap(), None).await);

    std::fs::write(&file, "nothing").unwrap();
    assert!(matches!(prepare(Some(&file)), Err(TlsError::Authorities { .. })));
    let missing = dir.path().join("missing.pem");
    assert!(matches!(prepare(Some(&missing)), Err(TlsError::Authorities { .. })));
}
