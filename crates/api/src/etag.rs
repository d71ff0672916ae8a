//! Versions of documents as entity tags (RFC 9110, section 8.8.3).

use http::{HeaderMap, HeaderValue, header};
use weir_model::ProblemCode;

use crate::failure::Failure;

/// The `ETag` of a version.
pub(crate) fn of(version: u64) -> (http::HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(format!("\"{version}\""));
    // Digits in quotes are always a header value.
    (header::ETAG, value.unwrap_or(HeaderValue::from_static("\"0\"")))
}

/// The version that `If-Match` asks for; none without the header, or with `*`, which any version
/// matches: then the last write wins.
///
/// # Errors
/// 412 for a tag that no document ever had.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    match version.and_then(|version| version.parse().ok()) {
        Some(version) => Ok(Some(version)),
        None => {
            let detail = "If-Match names no version; it takes one ETag as it was answered.";
            Err(Failure::new(ProblemCode::VersionConflict, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_one_version() {
        let expected = |text: &'static str| {
            let headers = [(header::IF_MATCH, HeaderValue::from_static(text))];
            expected(&headers.into_iter().collect())
        };
        assert_eq!(expected("\"7\"").unwrap(), Some(7));
        assert_eq!(expected("*").unwrap(), None);
        for wrong in ["7", "W/\"7\"", "\"x\"", ""] {
            assert_eq!(expected(wrong).unwrap_err().problem.status, 412, "{wrong}");
        }
    }
}
