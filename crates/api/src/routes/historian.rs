//! The historian's files: what they hold, and whether they are sound. For those who run the node.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::Seen;

use crate::blocking::blocking;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// Lines of a check that wait for a slow reader.
const LINES_WAITING_MAX: usize = 16;

/// How often a check tells how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::NodeRead, routes!(contents)), needs(Action::NodeAdmin, routes!(check))]
}

/// What the historian holds.
#[derive(Serialize, utoipa::ToSchema)]
struct HistorianView {
    /// The blocks by tenant and day or month.
    spans: Vec<HistorianSpan>,
    /// Samples ever stored, counting those that replaced others.
    samples: u64,
    /// Batches ever stored.
    position: u64,
    /// Bytes of the log.
    log_bytes: u64,
    /// Bytes of samples in memory.
    memory_bytes: u64,
    /// Deletions whose samples are still in files, hidden from every read.
    deletions: u64,
    /// Bytes of files that a repair has put aside.
    quarantine_bytes: u64,
    /// The merge of files that waits for space on the disk; left out where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    merge_wait: Option<MergeWaitView>,
}

/// A merge of files that waits for space on the disk.
#[derive(Serialize, utoipa::ToSchema)]
struct MergeWaitView {
    /// Bytes that it needs to be free.
    needed_bytes: u64,
    /// Bytes that were free when it was last looked at.
    free_bytes: u64,
}

/// The blocks of a tenant's day or month.
#[derive(Serialize, utoipa::ToSchema)]
struct HistorianSpan {
    /// The tenant's number.
    tenant: u32,
    /// The date of the first day.
    date: String,
    /// How many days: 1, or those of a month.
    days: u16,
    /// How many files.
    blocks: u64,
    /// Their rows.
    rows: u64,
    /// Their bytes.
    bytes: u64,
    /// The earliest time.
    #[schema(value_type = String, format = DateTime)]
    from: weir_model::Timestamp,
    /// The latest time.
    #[schema(value_type = String, format = DateTime)]
    to: weir_model::Timestamp,
}

/// What the historian holds
#[utoipa::path(
    get,
    path = "/api/v1/historian",
    operation_id = "getHistorian",
    tag = "node",
    responses((status = 200, description = "By tenant and day or month", body = HistorianView)),
)]
async fn contents(
    State(state): State<ApiState>,
    _visit: Visit,
) -> Result<Json<HistorianView>, Failure> {
    let historian = state.historian.clone();
    let contents = blocking("look at the historian", move || historian.contents()).await?;
    let spans = contents.spans.into_iter().map(|span| HistorianSpan {
        tenant: span.tenant.0,
        date: span.date,
        days: span.days,
        blocks: span.blocks,
        rows: span.rows,
        bytes: span.bytes,
        from: span.from,
        to: span.to,
    });
    Ok(Json(HistorianView {
        spans: spans.collect(),
        samples: contents.samples,
        position: contents.position,
        log_bytes: contents.log_bytes,
        memory_bytes: contents.memory_bytes,
        deletions: contents.deletions,
        quarantine_bytes: contents.quarantine_bytes,
        merge_wait: contents.merge_wait.map(|wait| {
            let weir_historian::MergeWait { needed_bytes, free_bytes } = wait;
            MergeWaitView { needed_bytes, free_bytes }
        }),
    }))
}

/// Look for damage
///
/// Reads every page of every file of samples. Lines of JSON: `{"progress": …}` with bytes now and
/// then, `{"fault": …}` of each thing that is wrong, `{"checked": …}` at the end, or `{"failed": …}`. It
/// ends when the caller goes away. The log is looked at when the node starts.
#[utoipa::path(
    post,
    path = "/api/v1/historian/check",
    operation_id = "checkHistorian",
    tag = "node",
    responses((status = 200, description = "What was found", content_type = "application/x-ndjson", body = String)),
)]
async fn check(State(state): State<ApiState>, _visit: Visit) -> Result<Response, Failure> {
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        return Err(Failure::unavailable("Too many streams are open."));
    };
    let (sender, receiver) =
        mpsc::channel::<Result<Bytes, std::convert::Infallible>>(LINES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut told = Instant::now();
        let send = |line: serde_json::Value| {
            let sent = sender.blocking_send(Ok(Bytes::from(format!("{line}\n"))));
            if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let checked = state.historian.check(&mut |seen| match seen {
            _ if state.shutdown.is_cancelled() => ControlFlow::Break(()),
            Seen::Fault(fault) => send(json!({ "fault": fault })),
            Seen::Progress { bytes, bytes_total } if told.elapsed() >= PROGRESS_EVERY => {
                told = Instant::now();
                send(json!({ "progress": { "bytes": bytes, "bytes_total": bytes_total } }))
            }
            Seen::Progress { .. } => ControlFlow::Continue(()),
        });
        let _ = match checked {
            Ok(checked) => send(json!({ "checked": checked })),
            Err(error) => {
                tracing::error!(%error, "the historian's files could not be looked at");
                send(json!({ "failed": error.to_string() }))
            }
        };
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}
