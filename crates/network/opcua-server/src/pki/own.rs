//! The server's own certificate and key (OPC 10000-6, clause 6.2.2).

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use opcua::crypto::{PrivateKey, X509};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use weir_model::Timestamp;

use crate::Error;
use crate::wire::asymmetric::Own;

const CERTIFICATE: &str = "certificate.der";
const KEY: &str = "private-key.pem";

/// Bits of a new key: every client takes them, and the library's arithmetic on longer ones is slow.
const KEY_BITS: u32 = 2_048;

/// Years that a new certificate is valid: a plant's controls live longer than an office's, and clients
/// have to trust its successor by hand.
const VALID_YEARS: i32 = 20;

/// Reads certificate and key, or makes both where there is neither.
pub(super) fn open(
    dir: &Path,
    application_uri: &str,
    application_name: &str,
    host_names: &[String],
) -> Result<Own, Error> {
    let (certificate, key) = (dir.join(CERTIFICATE), dir.join(KEY));
    if !certificate.exists() && !key.exists() {
        let (der, pem) = make(application_uri, application_name, host_names)?;
        write(&key, pem.as_bytes(), 0o600)
            .map_err(|source| Error::File { path: key.clone(), source })?;
        write(&certificate, &der, 0o644)
            .map_err(|source| Error::File { path: certificate.clone(), source })?;
    }
    let wrong = |cause: String| Error::Own { path: dir.to_owned(), cause };
    let der = fs::read(&certificate)
        .map_err(|source| Error::File { path: certificate.clone(), source })?;
    let pem = fs::read(&key).map_err(|source| Error::File { path: key.clone(), source })?;
    let certificate =
        X509::from_der(&der).map_err(|_| wrong(format!("{CERTIFICATE} is no certificate")))?;
    let key = PrivateKey::from_pem(&pem).map_err(|_| wrong(format!("{KEY} is no RSA key")))?;
    let public = certificate.public_key().map_err(|_| wrong("it has no RSA key".to_owned()))?;
    fits(&public, &key)
        .ok_or_else(|| wrong("key and certificate do not belong together".into()))?;
    certificate
        .is_application_uri_valid(application_uri)
        .map_err(|_| wrong(format!("it is not for the application URI {application_uri}")))?;
    let thumbprint = certificate.thumbprint().value().to_vec();
    Ok(Own { certificate, der, key, thumbprint })
}

/// Whether what the one signs the other accepts.
fn fits(public: &opcua::crypto::PublicKey, key: &PrivateKey) -> Option<()> {
    use opcua::crypto::KeySize as _;
    let mut signature = vec![0; key.size()];
    key.sign_sha256(b"weir", &mut signature).ok()?;
    public.verify_sha256(b"weir", &signature).ok()?.then_some(())
}

/// Makes a certificate (DER) and its key (PEM).
fn make(
    application_uri: &str,
    application_name: &str,
    host_names: &[String],
) -> Result<(Vec<u8>, String), Error> {
    let failed = |what: &dyn std::fmt::Display| Error::Make(what.to_string());
    let key = PrivateKey::new(KEY_BITS).map_err(|error| failed(&error))?;
    let key = key.to_der().map_err(|error| failed(&error))?;
    let key = KeyPair::try_from(key.as_bytes()).map_err(|error| failed(&error))?;
    let mut params = CertificateParams::default();
    let name = |text: &str| text.try_into().map_err(|error| failed(&error));
    // Clients look for the application URI as the first of the alternative names.
    params.subject_alt_names.push(SanType::URI(name(application_uri)?));
    for host in host_names {
        params.subject_alt_names.push(match host.trim_matches(['[', ']']).parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name(host)?),
        });
    }
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, application_name);
    params.distinguished_name.push(DnType::OrganizationName, "Weir");
    let (year, month, day) = today();
    params.not_before = date_time_ymd(year, month, day);
    params.not_after = date_time_ymd(year + VALID_YEARS, month, day);
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|error| failed(&error))?;
    // A serial number is positive.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
    Ok((certificate.der().to_vec(), key.serialize_pem()))
}

/// The date in UTC; days behind the 28th count as that, so that it exists in every year.
fn today() -> (i32, u8, u8) {
    let text = Timestamp::from_system(std::time::SystemTime::now()).to_string();
    let mut parts = text.get(..10).unwrap_or_default().splitn(3, '-').map(str::parse::<u16>);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) => {
            (i32::from(year), month.clamp(1, 12) as u8, day.clamp(1, 28) as u8)
        }
        _ => (2026, 1, 1),
    }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
