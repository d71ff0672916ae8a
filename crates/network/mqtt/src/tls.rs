//! TLS with brokers whose certificates a person has reviewed, or an authority has signed that the settings name.
//!
//! The authorities of browsers count for nothing here: a broker is trusted by the [`Trust`] alone.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use weir_connect::{PeerCertificate, hex};
use weir_model::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Most names of a certificate that are shown.
const NAMES_MAX: usize = 32;

/// Longest name of a certificate that is shown, in characters.
const NAME_CHARS_MAX: usize = 256;

/// Most certificates of one PEM text.
const CERTIFICATES_MAX: usize = 64;

/// Whom to trust, and who we are.
#[derive(Clone, Default, PartialEq)]
pub struct Trust {
    /// Thumbprints of certificates that were reviewed; they count whatever they name and until when.
    pub trusted: Vec<String>,
    /// Authorities in PEM. What they signed is trusted if it names the host and has not expired.
    pub authorities: Option<String>,
    /// Our certificate with its chain in PEM, and its private key in PEM.
    pub client: Option<(String, String)>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("trusted", &self.trusted)
            .field("authorities", &self.authorities.is_some())
            .field("client", &self.client.is_some())
            .finish()
    }
}

/// Why a [`Trust`] cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The authorities.
    #[error("read the authorities' certificates: {0}")]
    Authorities(String),
    /// Our certificate.
    #[error("read the client certificate: {0}")]
    Certificate(String),
    /// Our key, or it is not the certificate's.
    #[error("read the client's private key: {0}")]
    Key(String),
}

/// Verifies the certificates of servers, and remembers one that it refused.
#[derive(Debug)]
pub struct Verifier {
    trusted: Vec<String>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// The host as the settings name it, where that is not what TLS was told.
    host: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<(PeerCertificate, String)>>,
}

impl Trust {
    /// What TLS needs, and the verifier within it, which knows afterwards why a handshake failed.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn client_config(
        &self,
        host: &str,
    ) -> Result<(Arc<ClientConfig>, Arc<Verifier>), TrustError> {
        let provider = Arc::new(provider::default_provider());
        let authorities =
            self.authorities.as_deref().map(|pem| authorities(pem, &provider)).transpose()?;
        let verifier = Arc::new(Verifier {
            trusted: self.trusted.clone(),
            authorities,
            host: ServerName::try_from(host.to_owned()).ok(),
            provider: Arc::clone(&provider),
            refused: Mutex::default(),
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Authorities(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain).map_err(TrustError::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| TrustError::Key("there is no private key in PEM".to_owned()))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TrustError::Key(error.to_string()))?
            }
        };
        Ok((Arc::new(config), verifier))
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).take(CERTIFICATES_MAX).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("there is no certificate in PEM".to_owned()),
    }
}

fn authorities(
    pem: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).map_err(TrustError::Authorities)? {
        roots.add(certificate).map_err(|error| TrustError::Authorities(error.to_string()))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TrustError::Authorities(error.to_string()))
}

impl Verifier {
    /// The certificate that was refused last and why, if one was.
    pub fn refused(&self) -> Option<(PeerCertificate, String)> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn refuse(&self, certificate: PeerCertificate, cause: &str) -> Error {
        let refused = Some((certificate, cause.to_owned()));
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = certificate(end_entity);
        if self.trusted.contains(&certificate.thumbprint) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(authorities) = &self.authorities else {
            let cause = "its certificate was not reviewed yet: compare the thumbprint with the one on the peer, then trust it";
            return Err(self.refuse(certificate, cause));
        };
        let name = self.host.as_ref().unwrap_or(server_name);
        authorities.verify_server_cert(end_entity, intermediates, name, ocsp_response, now).map_err(
            |error| {
                let cause = format!(
                    "the authorities of the settings do not vouch for its certificate ({error})"
                );
                self.refuse(certificate, &cause)
            },
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate as people review it. One that cannot be read has its thumbprint alone.
pub fn certificate(der: &CertificateDer<'_>) -> PeerCertificate {
    let mut certificate = PeerCertificate {
        thumbprint: hex(digest(&SHA256, der).as_ref()),
        subject: String::new(),
        issuer: String::new(),
        names: Vec::new(),
        not_before: None,
        not_after: None,
    };
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return certificate };
    let short = |text: String| text.chars().take(NAME_CHARS_MAX).collect::<String>();
    certificate.subject = short(parsed.subject().to_string());
    certificate.issuer = short(parsed.issuer().to_string());
    // Times beyond the range of ours are as good as its ends.
    let time = |seconds: i64| Some(Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000)));
    certificate.not_before = time(parsed.validity().not_before.timestamp());
    certificate.not_after = time(parsed.validity().not_after.timestamp());
    if let Ok(Some(names)) = parsed.subject_alternative_name() {
        let names = names.value.general_names.iter().take(NAMES_MAX);
        certificate.names = names.filter_map(shown).map(short).collect();
    }
    certificate
}

fn shown(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => {
            if let Ok(octets) = <[u8; 4]>::try_from(*bytes) {
                return Some(std::net::Ipv4Addr::from(octets).to_string());
            }
            let octets = <[u8; 16]>::try_from(*bytes).ok()?;
            Some(std::net::Ipv6Addr::from(octets).to_string())
        }
        _ => None,
    }
}
