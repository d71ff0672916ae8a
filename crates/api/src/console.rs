//! The console's files, and its first page for every address that a browser opens.

use std::io::Read;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use weir_console::Asset;
use weir_model::ProblemCode;

use crate::door::pages_headers;
use crate::failure::Failure;

/// Answers what no route takes.
pub(crate) async fn page(request: Request) -> Response {
    let path = request.uri().path();
    let reserved = ["/api", "/healthz", "/readyz", "/metrics"].iter().any(|name| {
        path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    if reserved {
        return nothing();
    }
    let asset = weir_console::asset(path.trim_start_matches('/'));
    // Whoever asks for the root means the console, whatever it accepts.
    let wanted = path == "/" || accepts_html(request.headers());
    let asset = asset.or_else(|| wanted.then(weir_console::index));
    match asset {
        Some(asset) if readable => file(asset, request.headers()),
        Some(_) => {
            let detail = "The console's pages are only read.";
            let mut response = Failure::new(ProblemCode::MethodNotAllowed, detail).into_response();
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        None => nothing(),
    }
}

fn nothing() -> Response {
    Failure::new(ProblemCode::NotFound, "There is nothing at this path.").into_response()
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn file(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| {
        known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
    });
    let mut response =
        if same { StatusCode::NOT_MODIFIED.into_response() } else { content(asset, headers) };
    let answer = response.headers_mut();
    // The tag names the file, whatever the coding it travels in: a weak tag says just that.
    if let Ok(tag) = HeaderValue::try_from(format!("W/{}", asset.etag)) {
        answer.insert(header::ETAG, tag);
    }
    answer.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    let caching = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    pages_headers(answer);
    response
}

fn content(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let mut response =
        match asset.best(accepts_coding(headers, "br"), accepts_coding(headers, "gzip")) {
            Some((coding, bytes)) => {
                let mut response = Body::from(bytes).into_response();
                if let Some(coding) = coding {
                    let coding = HeaderValue::from_static(coding);
                    response.headers_mut().insert(header::CONTENT_ENCODING, coding);
                }
                response
            }
            // A program without gzip gets the file unpacked here.
            None => match asset.gzip.map(|bytes| unpacked(bytes, asset.length)) {
                Some(Ok(bytes)) => Body::from(bytes).into_response(),
                _ => return StatusCode::NOT_ACCEPTABLE.into_response(),
            },
        };
    let kind = HeaderValue::from_static(asset.content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn unpacked(gzip: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    flate2::read::GzDecoder::new(gzip).take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the client takes a coding (RFC 9110, section 12.5.3).
fn accepts_coding(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_negotiated() {
        let accepts = |text: &'static str, coding| {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(text))];
            accepts_coding(&headers.into_iter().collect(), coding)
        };
        assert!(accepts("gzip, deflate, br", "br") && accepts("GZIP;q=0.5", "gzip"));
        assert!(!accepts("br;q=0, gzip", "br") && !accepts("brotli", "br") && !accepts("", "gzip"));
    }
}
