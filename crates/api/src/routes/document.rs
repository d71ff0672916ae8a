//! The interface's own description.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa_axum::routes;

use crate::door::{Route, public};

pub(super) fn routes() -> Vec<Route> {
    // It tells nothing of this node that the source does not tell, and a program that is being
    // written needs it before it has a token.
    vec![public(routes!(document))]
}

/// The description of this interface
///
/// OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "getOpenApi",
    tag = "node",
    responses((status = 200, description = "The document", content_type = "application/json", body = Object)),
)]
async fn document() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(crate::openapi::openapi_json);
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], DOCUMENT.as_str()).into_response()
}
