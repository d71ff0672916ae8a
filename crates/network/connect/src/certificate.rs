//! Certificates of peers, as people review them.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use weir_model::Timestamp;

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
