//! SQL over what the caller may see.

mod source;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::ProblemCode;

use crate::body::Document;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::query::{QueryError, QueryFormat};
use crate::state::ApiState;
use source::Refused;
pub(super) use source::Seen;

/// The media type of an Arrow stream.
const ARROW: &str = "application/vnd.apache.arrow.stream";

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleRead, routes!(run))]
}

/// A statement.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "sql": "SELECT tag, time_bucket('5 minutes', time) AS t, avg(value) FROM samples \
            WHERE tag = '88.100/reactor-pressure' AND time > now() - interval '1 hour' \
            GROUP BY tag, t ORDER BY t"
}))]
struct QueryInput {
    /// One statement that reads.
    sql: String,
}

/// The rows that a statement gave.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "columns": [{"name": "tag", "type": "text"}, {"name": "t", "type": "time"}, {"name": "avg", "type": "f64"}],
    "rows": [["88.100/reactor-pressure", "2026-11-23T08:00:00Z", 2705.0]]
}))]
struct QueryRows {
    /// The columns.
    columns: Vec<QueryColumn>,
    /// The rows, each with a cell for each column. Integers beyond 2^53 are strings, times RFC 3339 in
    /// UTC; what is no number is null.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    rows: Vec<Vec<serde_json::Value>>,
}

/// A column of an answer.
#[derive(Serialize, utoipa::ToSchema)]
struct QueryColumn {
    /// Its name.
    name: String,
    /// `bool`, `i64`, `u64`, `f64`, `text`, `time`, `null`, or the engine's name of another type.
    r#type: String,
}

/// Ask in SQL
///
/// Over the tables `samples` (`tag`, `time`, `value`, `quality`, `text`, `quality_code`), `last_values`
/// (the same columns), `rollup_1m`, `rollup_1h`, `rollup_1d`, `tags` and `assets`, of which the caller
/// sees what it may see. `tags` and `assets` ask for `tag:read` and
/// `asset:read` besides. As JSON, as CSV with `Accept: text/csv`, or as an Arrow stream with
/// `Accept: application/vnd.apache.arrow.stream`.
#[utoipa::path(
    post,
    path = "/api/v1/query",
    operation_id = "runQuery",
    tag = "query",
    request_body = QueryInput,
    responses((status = 200, description = "The rows", content(
        (QueryRows = "application/json"),
        (String = "text/csv", example = "tag,avg\n88.100/reactor-pressure,2705\n"),
        (String = "application/vnd.apache.arrow.stream"),
    ))),
)]
async fn run(
    State(state): State<ApiState>,
    visit: Visit,
    headers: HeaderMap,
    Document(input): Document<QueryInput>,
) -> Result<Response, Failure> {
    let Some(engine) = state.query.clone() else {
        let detail = "This program was built without SQL; take one that was built with the feature \"query\".";
        return Err(Failure::new(ProblemCode::NotImplemented, detail));
    };
    let (format, kind) = accepted(&headers);
    let source = Arc::new(Seen::by(visit));
    let rows = engine.run(input.sql, format, source).await.map_err(failed)?;
    Ok(([(header::CONTENT_TYPE, kind)], rows).into_response())
}

/// The first of the media types that the caller accepts and that there is; JSON where there is none.
fn accepted(headers: &HeaderMap) -> (QueryFormat, &'static str) {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let known = kinds.filter_map(|kind| match kind {
        "text/csv" => Some((QueryFormat::Csv, "text/csv; charset=utf-8")),
        ARROW => Some((QueryFormat::Arrow, ARROW)),
        "application/json" => Some((QueryFormat::Json, "application/json")),
        _ => None,
    });
    known.into_iter().next().unwrap_or((QueryFormat::Json, "application/json"))
}

/// What the caller is told of a statement that has no answer.
pub(super) fn failed(error: QueryError) -> Failure {
    match error {
        QueryError::Statement(detail) => Failure::field(ProblemCode::InvalidValue, "/sql", detail),
        QueryError::Limit(detail) => Failure::new(ProblemCode::QueryLimit, sentence(&detail)),
        QueryError::Time(detail) => Failure::new(ProblemCode::Timeout, sentence(&detail)),
        QueryError::Busy(detail) => Failure::unavailable(sentence(&detail)),
        QueryError::Failed(source) => match source.downcast::<Refused>() {
            Ok(refused) => refused.0,
            Err(other) => Failure::internal("run a statement", &*other),
        },
    }
}

/// A text of an error as a sentence of a problem.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
