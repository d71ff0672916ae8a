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
    assert_eq!(pki.distrust(&key).unwrap().der, sender.der);
    assert!(!pki.is_trusted(&key));
    assert_eq!(pki.rejected().unwrap()[0].thumbprint, key);
    assert_eq!(pki.check(&sender, now), Err(StatusCode::BadCertificateUntrusted));
    for wanted in ["00", "", "../own/certificate"] {
        assert!(matches!(pki.trust(wanted), Err(Error::NoCertificate(_))), "{wanted}");
        assert!(matches!(pki.distrust(wanted), Err(Error::NoCertificate(_))), "{wanted}");
        assert!(matches!(pki.forget(wanted), Err(Error::NoCertificate(_))), "{wanted}");
    }
}

#[test]
fn when_a_stranger_last_knocked_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let (sender, now) = (sender(), SystemTime::now());
    let key = thumbprint(&sender.der);
    pki.check(&sender, now).unwrap_err();
    let file = dir.path().join("rejected").join(file_name(&key));
    let long_ago = now - Duration::from_secs(86_400);
    let age = |path: &Path| {
        fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    };
    age(&file);
    assert_eq!(pki.rejected().unwrap()[0].since, long_ago);
    pki.check(&sender, now).unwrap_err();
    assert!(pki.rejected().unwrap()[0].since > long_ago);
    // From now on it is since when it is trusted.
    age(&file);
    assert_eq!(pki.trust(&key).unwrap().thumbprint, key);
    assert!(pki.trusted().unwrap()[0].since > long_ago);
}

#[test]
fn who_is_forgotten_is_a_stranger_again() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let (sender, now) = (sender(), SystemTime::now());
    let key = thumbprint(&sender.der);
    pki.check(&sender, now).unwrap_err();
    pki.forget(&key).unwrap();
    assert!(pki.rejected().unwrap().is_empty());
    pki.check(&sender, now).unwrap_err();
    pki.trust(&key).unwrap();
    assert_eq!(pki.forget(&key).unwrap().thumbprint, key);
    assert!(pki.trusted().unwrap().is_empty() && pki.rejected().unwrap().is_empty());
    assert_eq!(pki.check(&sender, now), Err(StatusCode::BadCertificateUntrusted));
    assert_eq!(pki.rejected().unwrap().len(), 1);
}

#[test]
fn a_certificate_that_lies_there_twice_is_taken_out_twice() {
    let dir = tempfile::tempdir().unwrap();
    let pki = open(dir.path()).unwrap();
    let (sender, now) = (sender(), SystemTime::now());
    let pem = |der: &[u8]| {
        use std::fmt::Write as _;
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in base64(der).as_bytes().chunks(64) {
            writeln!(pem, "{}", std::str::from_utf8(line).unwrap()).unwrap();
        }
        pem + "-----END CERTIFICATE-----\n"
    };
    let trusted = dir.path().join("trusted");
    fs::write(trusted.join("scada.der"), &sender.der).unwrap();
    fs::write(trusted.join("scada.pem"), pem(&sender.der)).unwrap();
    assert_eq!(pki.check(&sender, now), Ok(()));
    assert_eq!(pki.trusted().unwrap().len(), 2);
    pki.distrust(&thumbprint(&sender.der)).unwrap();
    assert_eq!(pki.check(&sender, now), Err(StatusCode::BadCertificateUntrusted));
    assert!(pki.trusted().unwrap().is_empty());
    assert_eq!(fs::read_dir(&trusted).unwrap().count(), 0);
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number =
            group.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at) & 63) as usize] as char;
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text
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
