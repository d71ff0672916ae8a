//! Encryption of the listener: the operator's certificate, or one generated in the data folder.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use weir_model::Timestamp;

use crate::config::{Listen, TlsMode};
use crate::private_file;

/// How long a generated certificate is valid, in days: browsers refuse longer ones.
const VALID_DAYS: i32 = 397;

/// A generated certificate is replaced at start-up when it is this old.
const RENEW_AFTER: Duration = Duration::from_secs(300 * 24 * 3600);

/// Why the listener cannot encrypt.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("could not use the certificate file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds no certificate or no key.
    #[error("the file {} holds no PEM certificate or key: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Only one of `listen.certificate` and `listen.key` is set.
    #[error("listen.certificate and listen.key are set together or not at all")]
    HalfSet,
    /// A certificate could not be generated.
    #[error("could not generate a certificate")]
    Generate(#[from] rcgen::Error),
    /// Certificates of clients are asked for, and there is no TLS.
    #[error(
        "mqtt.client_authorities asks clients for certificates, which takes TLS: set mqtt.tls to \"on\""
    )]
    NoTls,
    /// The authorities of clients' certificates cannot be used.
    #[error("the file {} of mqtt.client_authorities names no authority that can be used: {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not fit together.
    #[error("the certificate and its key cannot be used")]
    Unusable(#[from] rustls::Error),
}

/// A ready acceptor and the certificate that clients may pin.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) certificate: PathBuf,
}

/// What is spoken inside TLS, by its ALPN names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Inside<'a> {
    Http,
    Mqtt {
        /// Who signs the certificates of clients; none: no client has to show one.
        authorities: Option<&'a Path>,
    },
}

/// Whether connections to an address are encrypted.
pub(crate) fn is_wanted(mode: TlsMode, address: SocketAddr) -> bool {
    match mode {
        TlsMode::On => true,
        TlsMode::Off => false,
        TlsMode::Auto => !address.ip().is_loopback(),
    }
}

/// Makes an acceptor with the certificate of the settings, or with a generated one.
pub(crate) fn prepare(
    listen: &Listen,
    dir: &Path,
    now: SystemTime,
    inside: Inside<'_>,
) -> Result<Tls, TlsError> {
    let own = [&listen.certificate, &listen.key].map(|p| !p.as_os_str().is_empty());
    let (certificate, key) = match own {
        [true, true] => (listen.certificate.clone(), listen.key.clone()),
        [false, false] => generated(&dir.join("tls"), listen.address.ip(), now)?,
        _ => return Err(TlsError::HalfSet),
    };
    let acceptor = acceptor(&certificate, &key, inside)?;
    Ok(Tls { acceptor, certificate })
}

fn acceptor(certificate: &Path, key: &Path, inside: Inside<'_>) -> Result<TlsAcceptor, TlsError> {
    let pem = |path: &Path, error: rustls::pki_types::pem::Error| TlsError::Pem {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(certificate, error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match inside {
        Inside::Mqtt { authorities: Some(path) } => {
            builder.with_client_cert_verifier(verifier_of_clients(path, provider)?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, private)?;
    config.alpn_protocols = match inside {
        Inside::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        // Few clients of MQTT offer a name; with none here, all are taken as they come.
        Inside::Mqtt { .. } => Vec::new(),
    };
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Lets in who shows a certificate of one of the authorities in a file.
fn verifier_of_clients(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |reason: String| TlsError::Authorities { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for authority in found {
        let authority = authority.map_err(|error| unusable(error.to_string()))?;
        roots.add(authority).map_err(|error| unusable(error.to_string()))?;
    }
    // One without authorities is refused here.
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(error.to_string()))
}

/// The generated certificate's files; made anew when missing or old.
fn generated(dir: &Path, ip: IpAddr, now: SystemTime) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
    let age = std::fs::metadata(&certificate).and_then(|meta| meta.modified()).ok();
    let fresh = age.is_some_and(|made| now.duration_since(made).is_ok_and(|age| age < RENEW_AFTER));
    if fresh && key.exists() {
        return Ok((certificate, key));
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(host_name());
    if !ip.is_unspecified() && !ip.is_loopback() {
        names.push(ip.to_string());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Weir");
    let midnight = |days| {
        let (year, month, day) = date(now, days);
        rcgen::date_time_ymd(year, month, day)
    };
    (params.not_before, params.not_after) = (midnight(-1), midnight(VALID_DAYS));
    let pair = KeyPair::generate()?;
    let text = params.self_signed(&pair)?.pem();
    let write = |path: &Path, text: &str| {
        private_file::write(path, text.as_bytes())
            .map_err(|source| TlsError::File { path: path.to_owned(), source })
    };
    write(&key, &pair.serialize_pem())?;
    write(&certificate, &text)?;
    tracing::info!(certificate = %certificate.display(), "generated a certificate for the listener");
    Ok((certificate, key))
}

/// Year, month and day of a day counted from today.
fn date(now: SystemTime, days: i32) -> (i32, u8, u8) {
    let day = Timestamp::from_system(now).day().saturating_add(days);
    let text = Timestamp::start_of_day(day).to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let number = |range| part(range).parse().unwrap_or(1);
    (part(0..4).parse().unwrap_or(1970), number(5..7), number(8..10))
}

fn host_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = text.trim();
    let plain = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    plain.then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
