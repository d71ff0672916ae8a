//! Whether the node lives, whether it is ready, and its numbers.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::TenantId;

use crate::door::{Route, needs, public};
use crate::failure::Failure;
use crate::lake::LakeStatus;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        public(routes!(healthz)),
        public(routes!(readyz)),
        needs(Action::NodeRead, routes!(metrics)),
    ]
}

/// How the node is.
#[derive(Serialize, utoipa::ToSchema)]
struct Health {
    /// `ok` or `ready`.
    status: &'static str,
    /// How the lake is, where one is set. It has no part in whether the node is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    lake: Option<String>,
}

/// Whether the node lives
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "getHealth",
    tag = "node",
    responses((status = 200, description = "It answers", body = Health)),
)]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", lake: None })
}

/// Whether the node is ready for work
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "node",
    responses((status = 200, description = "Documents can be read and samples stored", body = Health)),
)]
async fn readyz(State(state): State<ApiState>) -> Result<Json<Health>, Failure> {
    ready(&state)?;
    let lake = state.lake.as_ref().map(|lake| lake.status(state.now()).state);
    Ok(Json(Health { status: "ready", lake }))
}

/// Whether documents can be read and samples stored.
pub(super) fn ready(state: &ApiState) -> Result<(), Failure> {
    state.directory.position()?;
    if state.shutdown.is_cancelled() {
        return Err(Failure::unavailable("The node is stopping."));
    }
    if let Some(reason) = state.historian.stats().unavailable {
        return Err(Failure::unavailable(format!("Samples cannot be stored right now: {reason}.")));
    }
    Ok(())
}

/// The node's numbers
///
/// In the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "node",
    responses((status = 200, description = "Metrics", content_type = "text/plain", body = String)),
)]
async fn metrics(State(state): State<ApiState>) -> Result<Response, Failure> {
    let mut out = Metrics(String::new());
    let historian = state.historian.stats();
    let store = state.store.stats();
    let delivery = state.supervisor.delivery();
    let free = |semaphore: &tokio::sync::Semaphore, max: usize| {
        max.saturating_sub(semaphore.available_permits()) as f64
    };
    let uptime = state.started.elapsed().as_secs_f64();
    out.gauge("weir_uptime_seconds", "Seconds since the start.", uptime);
    out.counter("weir_samples_total", "Samples ever stored.", historian.samples as f64);
    out.counter("weir_batches_total", "Batches stored since the start.", historian.appended as f64);
    out.counter(
        "weir_batches_refused_total",
        "Batches refused since the start.",
        historian.refused as f64,
    );
    out.counter(
        "weir_batches_duplicate_total",
        "Batches sent again since the start.",
        historian.duplicates as f64,
    );
    out.gauge("weir_historian_block_bytes", "Bytes of blocks on disk.", historian.bytes as f64);
    out.gauge("weir_historian_log_bytes", "Bytes of the log.", historian.wal_bytes as f64);
    out.gauge("weir_historian_blocks", "Blocks on disk.", historian.blocks as f64);
    out.gauge(
        "weir_historian_damaged_blocks",
        "Blocks found damaged.",
        historian.damaged_blocks as f64,
    );
    out.gauge(
        "weir_historian_memory_bytes",
        "Samples in memory alone and in the log.",
        historian.memory_bytes as f64,
    );
    out.gauge(
        "weir_historian_queue_bytes",
        "Batches waiting to be written.",
        historian.queue_bytes as f64,
    );
    let unavailable = f64::from(u8::from(historian.unavailable.is_some()));
    out.gauge("weir_historian_unavailable", "1 while samples are refused.", unavailable);
    out.counter("weir_commits_total", "Commits since the start.", store.commits as f64);
    out.counter(
        "weir_commits_refused_total",
        "Commits refused since the start.",
        store.refused as f64,
    );
    out.gauge("weir_store_position", "The newest position.", store.head as f64);
    out.gauge("weir_store_file_bytes", "Bytes of the data file.", store.file_bytes as f64);
    out.gauge("weir_audit_entries", "Leaves of the audit log.", state.audit.size() as f64);
    let behind = store.head.saturating_sub(state.audit.feed_position());
    out.gauge("weir_audit_behind", "Changes that are not in the audit yet.", behind as f64);
    out.gauge("weir_spool_samples", "Samples in the spool.", delivery.spooled_samples as f64);
    out.gauge("weir_spool_bytes", "Bytes of the spool.", delivery.spool_bytes as f64);
    out.counter(
        "weir_samples_dropped_total",
        "Samples of devices that were lost.",
        delivery.dropped_samples as f64,
    );
    if let Some(lake) = &state.lake {
        out.lake(&lake.status(state.now()));
    }
    let limits = &state.limits;
    out.gauge(
        "weir_requests_open",
        "Requests in progress.",
        free(&state.requests, limits.requests_max),
    );
    out.gauge("weir_streams_open", "Live streams.", free(&state.streams, limits.streams_max));
    let mut tenants = vec![TenantId::NODE];
    tenants.extend(state.directory.organisations()?.iter().map(|organisation| organisation.tenant));
    let mut states = std::collections::BTreeMap::<&str, usize>::new();
    for status in tenants.iter().flat_map(|tenant| state.supervisor.statuses(*tenant)) {
        *states.entry(status.state.as_str()).or_default() += 1;
    }
    out.head("weir_devices", "Devices by state.", "gauge");
    for (state, count) in states {
        let _ = writeln!(out.0, "weir_devices{{state=\"{state}\"}} {count}");
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], out.0).into_response())
}

struct Metrics(String);

impl Metrics {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "counter");
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn lake(&mut self, lake: &LakeStatus) {
        if let Some(behind_s) = lake.behind_s {
            let help = "Seconds since the moment of the history that the lake has all of.";
            self.gauge("weir_lake_behind_seconds", help, behind_s);
        }
        let failing = f64::from(u8::from(lake.error.is_some()));
        self.gauge("weir_lake_failing", "1 while the lake cannot be written.", failing);
        self.gauge("weir_lake_files", "Files of the lake's table.", lake.files as f64);
        self.gauge("weir_lake_bytes", "Bytes of the lake's files.", lake.bytes as f64);
        let waiting = lake.waiting.len() as f64;
        self.gauge("weir_lake_waiting_months", "Months that the lake has not all of.", waiting);
        self.counter("weir_lake_commits_total", "Commits since the start.", lake.commits as f64);
        let uploaded = lake.uploaded_bytes as f64;
        self.counter("weir_lake_uploaded_bytes_total", "Bytes uploaded since the start.", uploaded);
        self.counter(
            "weir_lake_failures_total",
            "Failed rounds since the start.",
            lake.failures as f64,
        );
    }
}
