//! The one shape of every failed answer (RFC 9457) and its stable codes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A failed answer: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A reference to the code's description, `/problems/{code}`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stable code; programs decide by it.
    pub code: ProblemCode,
    /// What kind of problem it is, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do, for people.
    pub detail: String,
    /// The request it happened in, as written in logs and audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Which fields of the request are meant, where that can be said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Extension members (RFC 9457, section 3.2) of codes that have some.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extensions: Map<String, Value>,
}

/// One field of a request and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the request (RFC 6901), or the name of a query parameter.
    pub field: String,
    /// What is wrong, for people.
    pub detail: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// Stable codes of problems, each with its HTTP status and title.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum ProblemCode { $($(#[$doc])* $name,)* }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The code as it is written.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }
            /// What kind of problem it is, for people.
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }
        }
    };
}

codes! {
    /// The request is not well-formed.
    InvalidRequest = "invalid-request", 400, "The request is not valid";
    /// No credentials, or ones that are wrong, expired or revoked.
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    /// The principal may not do this.
    Forbidden = "forbidden", 403, "Not permitted";
    /// The request looks forged: the CSRF token is missing or wrong.
    CsrfMissing = "csrf-missing", 403, "The request does not come from the console's own page";
    /// Nothing has that identifier, or the principal may not know of it.
    NotFound = "not-found", 404, "Not found";
    /// The path knows other methods only.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not allowed here";
    /// Something with that identifier or name is there already, or in the way.
    Conflict = "conflict", 409, "In conflict with what is there";
    /// The record has another version than `If-Match` names.
    VersionConflict = "version-conflict", 412, "Changed by somebody else in the meantime";
    /// The body is larger than the limit, packed or unpacked.
    TooLarge = "too-large", 413, "Too large";
    /// The body's content type or encoding is not one that is read here.
    UnsupportedMediaType = "unsupported-media-type", 415, "The content type is not supported";
    /// A sample names a tag that does not exist, or that the principal may not know of.
    UnknownTag = "unknown-tag", 422, "Unknown tag";
    /// A value does not fit its type, or a field does not fit the rules.
    InvalidValue = "invalid-value", 422, "A value is not valid";
    /// A sample's time lies too far in the future.
    TimeInFuture = "time-in-future", 422, "Too far in the future";
    /// A statement needs more rows, bytes, memory or parts than one may.
    QueryLimit = "query-limit", 422, "The statement needs more than one may";
    /// `If-Match` is required for this change.
    PreconditionRequired = "precondition-required", 428, "Say which version you mean";
    /// Too many attempts; `Retry-After` says when to come back.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// A mistake of ours; the request id finds it in the log.
    Internal = "internal", 500, "An internal error";
    /// The program was built without it.
    NotImplemented = "not-implemented", 501, "Not part of this program";
    /// A device answered with an error or not at all.
    DeviceFailed = "device-failed", 502, "The device did not do it";
    /// A device presented a certificate that nobody has reviewed; the member `certificate` has it.
    DeviceUntrusted = "device-untrusted", 502, "The device's certificate is not trusted";
    /// Overloaded, the disk is full, or the node is stopping; nothing was stored.
    Unavailable = "unavailable", 503, "Not available right now";
    /// The request took longer than allowed.
    Timeout = "timeout", 504, "It took too long";
}

impl Problem {
    /// A problem of a code with what happened this time.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{}", code.as_str()),
            code,
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            request: None,
            errors: Vec::new(),
            extensions: Map::new(),
        }
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_declared() {
        for code in ProblemCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
