//! TLS with peers whose certificates a person has reviewed, or an authority has signed that the settings name.
//!
//! The authorities of browsers count for nothing here: a peer is trusted by the [`Trust`] alone. A certificate
//! that was reviewed counts whatever it names and whoever signed it, but only within its validity, unless the
//! settings say otherwise.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use weir_model::Timestamp;

use crate::PeerCertificate;

/// Longest PEM text of settings, in bytes: what the settings of one device may be.
pub const PEM_BYTES_MAX: usize = crate::DEVICE_SETTINGS_BYTES_MAX;

/// Most certificates of one PEM text: the authorities of a large company, old and new.
pub const CERTIFICATES_MAX: usize = 64;

/// Most certificates that a peer may send besides its own, where an authority is to vouch for it. Usual are one
/// to three, and no more than six are followed to an authority.
pub const INTERMEDIATES_MAX: usize = 8;

/// Whom to trust, and who we are.
#[derive(Clone, Default, PartialEq)]
pub struct Trust {
    /// Thumbprints of certificates that were reviewed; they count whatever they name.
    pub trusted: Vec<String>,
    /// Whether they also count outside of their validity.
    pub accept_expired: bool,
    /// Authorities in PEM. What they signed is trusted if it names the host and has not expired.
    pub authorities: Option<String>,
    /// Our certificate with its chain in PEM, and its private key in PEM.
    pub client: Option<(String, String)>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("trusted", &self.trusted)
            .field("accept_expired", &self.accept_expired)
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

/// Why a certificate was refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has reviewed it, and no authority is trusted.
    #[error(
        "its certificate was not reviewed yet: compare the thumbprint with the one on the peer, then trust it"
    )]
    Unreviewed,
    /// Nobody has reviewed it, and the authorities do not vouch for it.
    #[error("the authorities of the settings do not vouch for its certificate ({0})")]
    Unsigned(String),
    /// It was reviewed, but is outside of its validity.
    #[error("its certificate {0}; renew it on the peer, check both clocks, or set accept_expired")]
    Outdated(String),
    /// Nobody has reviewed it, and so many others come with it that no authority is looked for.
    #[error(
        "it sends {0} certificates besides its own, more than {INTERMEDIATES_MAX}; let it send only those up to the authority"
    )]
    LongChain(usize),
}

/// Why there is no TLS with a peer.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Settings.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The host.
    #[error("the host is no name that a certificate can have")]
    Name,
    /// The peer's certificate.
    #[error("{1}")]
    Refused(Box<PeerCertificate>, Refusal),
    /// Anything else.
    #[error("no TLS with it: {0}")]
    Handshake(io::Error),
}

/// Verifies the certificates of servers, and remembers one that it refused.
#[derive(Debug)]
pub struct Verifier {
    trusted: Vec<String>,
    accept_expired: bool,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// The host as the settings name it, where that is not what TLS was told.
    host: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<(PeerCertificate, Refusal)>>,
}

/// Whether TLS can ask for a host by this name or address.
pub fn is_server_name(host: &str) -> bool {
    ServerName::try_from(host).is_ok()
}

impl Trust {
    /// What TLS needs, and the verifier within it, which knows afterwards why a handshake failed.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn client_config(&self, host: &str) -> Result<(ClientConfig, Arc<Verifier>), TrustError> {
        let provider = Arc::new(provider::default_provider());
        let authorities =
            self.authorities.as_deref().map(|pem| authorities(pem, &provider)).transpose()?;
        let verifier = Arc::new(Verifier {
            trusted: self.trusted.clone(),
            accept_expired: self.accept_expired,
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
        Ok((config, verifier))
    }

    /// Begins TLS on a connection.
    ///
    /// # Errors
    /// [`TlsError`].
    pub async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, TlsError> {
        let (config, verifier) = self.client_config(host)?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name)?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        connecting.map_err(|error| match verifier.refused() {
            Some((certificate, refusal)) => TlsError::Refused(Box::new(certificate), refusal),
            None => TlsError::Handshake(error),
        })
    }
}

/// The certificates of a PEM text. There may be other things between them, but not too many of them.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).take(CERTIFICATES_MAX + 1).collect();
    match read {
        Ok(found) if found.len() > CERTIFICATES_MAX => Err(format!(
            "there are more than {CERTIFICATES_MAX}; leave out those that are not needed"
        )),
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("there is no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned()),
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
    pub fn refused(&self) -> Option<(PeerCertificate, Refusal)> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn refuse(&self, certificate: PeerCertificate, refusal: Refusal) -> Error {
        let refused = Some((certificate, refusal));
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
        let certificate = PeerCertificate::of(end_entity);
        if self.trusted.contains(&certificate.thumbprint) {
            return match certificate.outdated(timestamp(now)) {
                Some(why) if !self.accept_expired => {
                    Err(self.refuse(certificate, Refusal::Outdated(why)))
                }
                _ => Ok(ServerCertVerified::assertion()),
            };
        }
        let Some(authorities) = &self.authorities else {
            return Err(self.refuse(certificate, Refusal::Unreviewed));
        };
        if intermediates.len() > INTERMEDIATES_MAX {
            return Err(self.refuse(certificate, Refusal::LongChain(intermediates.len())));
        }
        let name = self.host.as_ref().unwrap_or(server_name);
        authorities
            .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
            .map_err(|error| self.refuse(certificate, Refusal::Unsigned(error.to_string())))
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

fn timestamp(time: UnixTime) -> Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000))
}

#[cfg(test)]
mod tests;
