//! Documents in request bodies: strict, bounded, with errors that point at the field.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use weir_model::ProblemCode;

use crate::failure::Failure;

/// Largest document of a request in bytes: a device with the most points it may have.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// A JSON document of a request.
pub(crate) struct Document<T>(pub(crate) T);

/// A JSON merge patch of a request (RFC 7396).
pub(crate) struct Patch(Json);

/// The query of a request.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        expect_json(&parts.headers, &["application/json"])?;
        let bytes = read(body, DOCUMENT_BYTES_MAX).await?;
        // A derived struct is read from a list of its fields too.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            let detail = "The document is a JSON object, not a list.";
            return Err(Failure::new(ProblemCode::InvalidRequest, detail));
        }
        Ok(Self(parse(&bytes)?))
    }
}

impl<S: Send + Sync> FromRequest<S> for Patch {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        expect_json(&parts.headers, &["application/merge-patch+json", "application/json"])?;
        let bytes = read(body, DOCUMENT_BYTES_MAX).await?;
        let patch: Json = parse(&bytes)?;
        if !patch.is_object() {
            let detail = "A change is a JSON object with the fields to change.";
            return Err(Failure::new(ProblemCode::InvalidRequest, detail));
        }
        Ok(Self(patch))
    }
}

impl Patch {
    /// Takes the member that answers call `from` for the one that documents call `to`.
    pub(crate) fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Json::Object(members) = &mut self.0
            && let Some(value) = members.remove(from)
        {
            members.insert(to.to_owned(), value);
        }
        self
    }

    /// The document as the patch leaves it.
    pub(crate) fn apply<T: Serialize + DeserializeOwned>(&self, current: &T) -> Result<T, Failure> {
        let mut document = serde_json::to_value(current)
            .map_err(|error| Failure::internal("write a document as JSON", &error))?;
        merge(&mut document, self.0.clone());
        from_value(document)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let detail = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, t)| t);
                let (field, detail) = detail.split_once(": ").unwrap_or(("", detail));
                let field = named_field(detail).unwrap_or(field);
                Err(Failure::field(ProblemCode::InvalidRequest, field, detail))
            }
        }
    }
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<bytes::Bytes, Failure> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("The body is larger than {bytes_max} bytes.");
            Err(Failure::new(ProblemCode::TooLarge, detail))
        }
        Err(_) => {
            let detail = "The body ended before it was complete.";
            Err(Failure::new(ProblemCode::InvalidRequest, detail))
        }
    }
}

/// The media type of a content type, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn expect_json(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Failure> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "Documents are sent without content encoding.";
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    if accepted.contains(&media_type(headers).as_str()) {
        return Ok(());
    }
    let detail = format!("Send the header \"Content-Type: {}\".", accepted[0]);
    Err(Failure::new(ProblemCode::UnsupportedMediaType, detail))
}

/// Reads JSON strictly.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json);
    let value = parsed.map_err(|error| invalid(error.path(), error.inner()))?;
    json.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

/// Reads a JSON value strictly.
pub(crate) fn from_value<T: DeserializeOwned>(value: Json) -> Result<T, Failure> {
    serde_path_to_error::deserialize(value).map_err(|error| invalid(error.path(), error.inner()))
}

/// The problem of JSON that could not be read.
pub(crate) fn invalid(path: &serde_path_to_error::Path, error: &serde_json::Error) -> Failure {
    if !error.is_data() {
        return syntax(error);
    }
    let message = error.to_string();
    let detail = message.split(" at line ").next().unwrap_or_default();
    let mut pointer = String::new();
    for segment in path {
        use serde_path_to_error::Segment;
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&escape(key));
            }
            Segment::Unknown => {}
        }
    }
    if let Some(field) = named_field(detail)
        && !pointer.ends_with(&format!("/{}", escape(field)))
    {
        pointer.push('/');
        pointer.push_str(&escape(field));
    }
    Failure::field(ProblemCode::InvalidValue, pointer, detail.replace('`', "\""))
}

/// The field that serde names in its message rather than in the path.
fn named_field(detail: &str) -> Option<&str> {
    let rest = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| detail.strip_prefix(start))?;
    rest.split('`').next()
}

/// A key as one token of a JSON pointer (RFC 6901, section 3).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn syntax(error: &serde_json::Error) -> Failure {
    Failure::new(ProblemCode::InvalidRequest, format!("The body is not valid JSON: {error}."))
}

/// Merges a patch into a document (RFC 7396, section 2). Depth is bounded by the JSON parser's own.
fn merge(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Json::Object(serde_json::Map::new());
    }
    let Json::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Json::Null), value);
        }
    }
}

#[cfg(test)]
mod tests;
