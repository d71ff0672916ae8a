//! Failures as gRPC writes them: success to HTTP, and the truth in its own headers.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use weir_model::ProblemCode;

use super::FlightFailure;
use crate::failure::Failure;

/// The status codes of gRPC that are used here (its `statuscodes.md`).
pub(super) const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What a message may not hold as it is (gRPC over HTTP/2, "Status-Message"): all but printable ASCII,
/// and the sign that the rest is written with.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// A failure as gRPC names it.
pub(super) fn of(failure: &Failure) -> FlightFailure {
    let code = match failure.problem.code {
        ProblemCode::QueryLimit => RESOURCE_EXHAUSTED,
        code => match code.status() {
            400 | 415 | 422 => INVALID_ARGUMENT,
            401 => UNAUTHENTICATED,
            403 => PERMISSION_DENIED,
            404 => NOT_FOUND,
            409 | 412 | 428 => FAILED_PRECONDITION,
            413 | 429 => RESOURCE_EXHAUSTED,
            501 => UNIMPLEMENTED,
            503 => UNAVAILABLE,
            504 => DEADLINE_EXCEEDED,
            _ => INTERNAL,
        },
    };
    FlightFailure { code, text: failure.problem.detail.clone() }
}

/// An answer without rows.
pub(super) fn answer(failure: &FlightFailure) -> Response {
    let mut answer = Response::new(Body::empty());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, failure.code.into());
    let text = utf8_percent_encode(&failure.text, ENCODED).to_string();
    if let Ok(text) = HeaderValue::try_from(text) {
        headers.insert(MESSAGE, text);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_a_code_and_a_text_that_can_be_sent() {
        for code in ProblemCode::ALL {
            let told = of(&Failure::new(*code, "100 % 水\n"));
            assert!((1..=16).contains(&told.code), "{code:?}");
            let answer = answer(&told);
            assert_eq!(answer.headers()["grpc-message"], "100 %25 %E6%B0%B4%0A");
            assert_eq!(answer.status(), 200);
        }
        let code = |code| of(&Failure::new(code, "")).code;
        assert_eq!(code(ProblemCode::Unauthenticated), UNAUTHENTICATED);
        assert_eq!(code(ProblemCode::Forbidden), PERMISSION_DENIED);
        assert_eq!(code(ProblemCode::QueryLimit), RESOURCE_EXHAUSTED);
        assert_eq!(code(ProblemCode::Timeout), DEADLINE_EXCEEDED);
        assert_eq!(code(ProblemCode::NotImplemented), UNIMPLEMENTED);
    }
}
