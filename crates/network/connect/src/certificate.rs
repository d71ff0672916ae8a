//! Certificates of peers, as people review them.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use weir_model::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Most names of a certificate that are shown.
const NAMES_MAX: usize = 32;

/// Longest text of a certificate that is shown, in characters.
const TEXT_CHARS_MAX: usize = 512;

/// A certificate that a peer presented, for a person to compare with what stands on the peer.
///
/// A device trusts a certificate whose thumbprint its settings name; there is no other way to
/// trust one on sight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PeerCertificate {
    /// SHA-256 over the DER encoding, 64 lower-case hexadecimal digits.
    pub thumbprint: String,
    /// Whom it names, as RFC 4514 writes it.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The host names, addresses and URIs that it is for.
    pub names: Vec<String>,
    /// From when on it is valid.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// Until when it is valid.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_after: Option<Timestamp>,
}

impl PeerCertificate {
    /// What a certificate in DER says; none for bytes that are no certificate. Of a chain, the first one counts.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let own = der.get(..der.len().checked_sub(rest.len())?)?;
        // Times beyond the range of ours are as good as its ends.
        let time =
            |seconds: i64| Some(Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000)));
        let names = match certificate.subject_alternative_name() {
            Ok(Some(names)) => {
                names.value.general_names.iter().filter_map(shown).take(NAMES_MAX).collect()
            }
            _ => Vec::new(),
        };
        Some(Self {
            thumbprint: thumbprint(own),
            subject: clip(&certificate.subject().to_string()),
            issuer: clip(&certificate.issuer().to_string()),
            names,
            not_before: time(certificate.validity().not_before.timestamp()),
            not_after: time(certificate.validity().not_after.timestamp()),
        })
    }

    /// What one certificate in DER says. One that cannot be read has its thumbprint alone.
    pub fn of(der: &[u8]) -> Self {
        let whole = thumbprint(der);
        Self::read(der).filter(|read| read.thumbprint == whole).unwrap_or_else(|| Self {
            thumbprint: whole,
            subject: String::new(),
            issuer: String::new(),
            names: Vec::new(),
            not_before: None,
            not_after: None,
        })
    }

    /// Why it is not valid at a time, in words that follow the certificate (`has expired`); none where it is.
    pub fn outdated(&self, now: Timestamp) -> Option<String> {
        let (Some(from), Some(to)) = (self.not_before, self.not_after) else {
            return Some("does not say until when it is valid".to_owned());
        };
        let how = if to < now {
            "has expired"
        } else if from > now {
            "is not valid yet"
        } else {
            return None;
        };
        Some(format!("{how} (valid from {from} to {to})"))
    }
}

fn thumbprint(der: &[u8]) -> String {
    hex(digest(&SHA256, der).as_ref())
}

fn shown(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) => Some(clip(text)),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
            let six = || <[u8; 16]>::try_from(*bytes).map(|b| Ipv6Addr::from(b).to_string());
            four.or_else(|_| six()).ok()
        }
        _ => None,
    }
}

/// What a peer says is shown without control characters and not without end.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// Bytes as lower-case hexadecimal digits, as thumbprints are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a text is a thumbprint as [`PeerCertificate::thumbprint`] has it.
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
