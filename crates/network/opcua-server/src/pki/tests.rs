use std::time::Duration;

use super::*;

const URI: &str = "urn:weir:test:opcua";

fn open(dir: &Path) -> Result<Pki, Error> {
    Pki::open(dir, URI, "Weir test", &["localhost".to_owned(), "::1".to_owned()])
}

/// Somebody's certificate.
fn sender() -> Sender {
    let key = opcua::crypto::PrivateKey::new(2_048).unwrap().to_der().unwrap();
    let key = rcgen::KeyPair::try_from(key.as_bytes()).unwrap();
    let params = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
    Sender::parse(params.self_signed(&key).unwrap().der()).unwrap()
}

#[test]
fn the_certificate_is_made_once_and_its_key_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap().own().der.clone();
    assert_eq!(open(dir.path()).unwrap().own().der, first);
    let own = X509::from_der(&first).unwrap();
    assert!(own.is_application_uri_valid(URI).is_ok());
    assert!(own.is_hostname_valid("localhost").is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(dir.path().join("own/private-key.pem")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
    let other = Pki::open(dir.path(), "urn:weir:other", "Weir test", &[]);
    assert!(matches!(other, Err(Error::Own { .. })));
}

#[test]
fn a_stranger_is_kept_until_somebody_trusts_it() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let sender = sender();
    let (key, now) = (thumbprint(&sender.der), SystemTime::now());
    assert_eq!(pki.check(&sender, now), Err(StatusCode::BadCertificateUntrusted));
    assert_eq!(pki.rejected().unwrap()[0].thumbprint, key);
    pki.trust(&key.to_uppercase()).unwrap();
    assert_eq!(pki.check(&sender, now), Ok(()));
    assert!(pki.rejected().unwrap().is_empty());
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    assert_eq!(pki.check(&sender, long_ago), Err(StatusCode::BadCertificateTimeInvalid));
    pki.distrust(&key).unwrap();
    assert_eq!(pki.check(&sender, now), Err(StatusCode::BadCertificateUntrusted));
    assert!(matches!(pki.trust("00"), Err(Error::NoCertificate(_))));
}

#[test]
fn a_file_that_a_person_put_there_counts_under_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let sender = sender();
    fs::write(dir.path().join("trusted/scada 1.der"), &sender.der).unwrap();
    fs::write(dir.path().join("trusted/notes.txt"), "no certificate").unwrap();
    assert_eq!(pki.check(&sender, SystemTime::now()), Ok(()));
    assert_eq!(pki.trusted().unwrap().len(), 1);
}

#[test]
fn strangers_do_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..REJECTED_MAX + 20 {
        make_room(dir.path()).unwrap();
        fs::write(dir.path().join(format!("{n}.der")), "x").unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), REJECTED_MAX);
}
