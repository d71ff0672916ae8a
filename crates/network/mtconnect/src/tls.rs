//! TLS with peers whose certificates a person has reviewed: a certificate is trusted by its
//! thumbprint, whatever it names and whoever signed it, and by nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use weir_connect::{PeerCertificate, hex};
use weir_model::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Most names of a certificate that are shown.
const NAMES_MAX: usize = 32;

/// Longest name of a certificate that is shown, in characters.
const NAME_CHARS_MAX: usize = 256;

/// Accepts the certificates of a list, and remembers one that is not in it.
#[derive(Debug)]
pub(crate) struct Pinned {
    trusted: Vec<String>,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<PeerCertificate>>,
}

impl Pinned {
    pub(crate) fn new(trusted: &[String]) -> Arc<Self> {
        let provider = Arc::new(provider::default_provider());
        Arc::new(Self { trusted: trusted.to_vec(), provider, refused: Mutex::default() })
    }

    pub(crate) fn connector(self: &Arc<Self>) -> Result<TlsConnector, Error> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(self) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// The certificate that was refused last, if one was.
    pub(crate) fn refused(&self) -> Option<PeerCertificate> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = certificate(end_entity);
        if self.trusted.contains(&certificate.thumbprint) {
            return Ok(ServerCertVerified::assertion());
        }
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
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
fn certificate(der: &CertificateDer<'_>) -> PeerCertificate {
    let thumbprint = hex(digest(&SHA256, der).as_ref());
    let mut certificate = PeerCertificate {
        thumbprint,
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

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn shows_what_a_certificate_says() {
        let names = vec!["agent.example".to_owned(), "10.0.0.7".to_owned(), "::1".to_owned()];
        let params = CertificateParams::new(names.clone()).unwrap();
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let shown = certificate(made.der());
        assert_eq!(shown.names, names);
        assert_eq!(shown.thumbprint.len(), 64);
        assert!(shown.not_before < shown.not_after);
        let garbage = certificate(&CertificateDer::from(vec![1, 2, 3]));
        assert_eq!((garbage.subject.as_str(), garbage.thumbprint.len()), ("", 64));
    }
}
