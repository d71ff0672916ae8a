//! Certificates of servers: what OPC UA needs to know of them, and whether one is acceptable.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use weir_connect::{PeerCertificate, hex};
use weir_model::Timestamp;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::Settings;

/// Whether there is more than one certificate in the bytes, which the library does not read.
pub(crate) fn is_chain(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(rest, _)| !rest.is_empty())
}

/// The thumbprint that servers show: SHA-1, upper case.
pub(crate) fn sha1_thumbprint(der: &[u8]) -> String {
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()).to_uppercase()
}

/// The application's URI, which stands among the names.
pub(crate) fn application_uri(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    })
}

/// Why a certificate is not acceptable by the settings; none where it is.
pub(crate) fn objection(
    settings: &Settings,
    certificate: &PeerCertificate,
    now: Timestamp,
) -> Option<String> {
    if !settings.trusted.contains(&certificate.thumbprint) {
        return Some(format!(
            "the server's certificate ({}, SHA-256 {}) is not trusted; compare it with what the server shows, then trust it here",
            certificate.subject, certificate.thumbprint
        ));
    }
    if settings.accept_expired {
        return None;
    }
    let outdated = certificate.outdated(now)?;
    Some(format!(
        "the server's certificate {outdated}; renew it on the server, check both clocks, or set accept_expired"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::make;
    use serde_json::json;

    #[test]
    fn a_certificate_is_trusted_by_its_thumbprint_alone_and_within_its_time() {
        let (der, _) = make("urn:plant:weir").unwrap();
        let certificate = PeerCertificate::read(&der).unwrap();
        assert_eq!(certificate.thumbprint.len(), 64);
        assert!(
            certificate.names.contains(&"urn:plant:weir".to_owned()),
            "{:?}",
            certificate.names
        );
        assert_eq!(application_uri(&der).as_deref(), Some("urn:plant:weir"));
        let now = certificate.not_before.unwrap().saturating_add(1_000_000_000);
        let mut settings = Settings::parse(&json!({"url": "x"})).unwrap();
        let why = objection(&settings, &certificate, now).unwrap();
        assert!(why.contains(&certificate.thumbprint), "{why}");
        settings.trusted.push(certificate.thumbprint.clone());
        assert_eq!(objection(&settings, &certificate, now), None);
        let late = certificate.not_after.unwrap().saturating_add(1);
        assert!(objection(&settings, &certificate, late).unwrap().contains("has expired"));
        assert!(
            objection(&settings, &certificate, Timestamp::MIN).unwrap().contains("not valid yet")
        );
        settings.accept_expired = true;
        assert_eq!(objection(&settings, &certificate, late), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = (is_chain(&bytes), application_uri(&bytes));
        }

        #[test]
        fn damaged_certificates_do_no_harm(at in 0_usize..900, byte in proptest::num::u8::ANY) {
            static DER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| make("urn:x").unwrap().0);
            let mut der = DER.clone();
            let at = at % der.len();
            der[at] = byte;
            let _ = (is_chain(&der), application_uri(&der));
        }
    }
}
