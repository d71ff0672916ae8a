//! Documents as a whole: export, import, backup. For those who administer the node.

use std::collections::HashMap;
use std::io::{self, Write};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::{Author, Identifier, Prefix, ProblemCode, TenantId};
use weir_store::{Collection, StoreError};
use weir_twin::Organisations;

use crate::blocking::blocking;
use crate::body::{self, Query};
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;
use crate::unpack::{Encoding, Room, unpack};

/// Chunks of an export that wait for a slow reader.
const CHUNKS_WAITING_MAX: usize = 4;

/// Bytes of one chunk of an export.
const CHUNK_BYTES: usize = 64 << 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::NodeAdmin, routes!(export)),
        needs(Action::NodeAdmin, routes!(import)),
        needs(Action::NodeAdmin, routes!(backup)),
    ]
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// The prefix of one organisation; all if not given.
    organisation: Option<String>,
}

/// Export documents
///
/// Lines of JSON that can be compared, changed and imported again. Secrets and samples are not in it.
#[utoipa::path(
    get,
    path = "/api/v1/export",
    operation_id = "exportDocuments",
    tag = "node",
    params(ExportQuery),
    responses((status = 200, description = "One line a version of a record", content_type = "application/x-ndjson", body = String)),
)]
async fn export(
    State(state): State<ApiState>,
    _visit: Visit,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Failure> {
    let tenant = match query.organisation {
        None => None,
        Some(text) => {
            let unknown = || {
                let detail = format!("there is no organisation {text}");
                Failure::field(ProblemCode::InvalidRequest, "organisation", detail)
            };
            let prefix = Prefix::parse(&text).map_err(|_| unknown())?;
            Some(Organisations::tenant_of(&state.store, &prefix)?.ok_or_else(unknown)?)
        }
    };
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut out = Chunks { sender, waiting: Vec::with_capacity(CHUNK_BYTES) };
        let done = state.store.export(tenant, &mut out).map_err(|error| error.to_string());
        let done = done.and_then(|_| out.flush().map_err(|error| error.to_string()));
        if let Err(reason) = done {
            tracing::warn!(%reason, "an export ended early");
            // The reader sees the connection break rather than a file that looks whole.
            let _ = out.sender.blocking_send(Err(io::Error::other(reason)));
        }
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// Writes into a body; a reader that went away ends the export.
struct Chunks {
    sender: mpsc::Sender<Result<Bytes, io::Error>>,
    waiting: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.waiting));
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// What was imported.
#[derive(Serialize, utoipa::ToSchema)]
struct Imported {
    /// Lines that were read.
    lines: u64,
}

/// Import documents
///
/// The lines of an export, with `Content-Encoding: gzip` or `zstd` if wanted. Large imports take
/// several commits; the answer to a faulty line names it, and what came before it may be stored.
#[utoipa::path(
    post,
    path = "/api/v1/import",
    operation_id = "importDocuments",
    tag = "node",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, description = "Imported", body = Imported)),
)]
async fn import(
    State(state): State<ApiState>,
    visit: Visit,
    request: Request,
) -> Result<Json<Imported>, Failure> {
    let (parts, packed) = request.into_parts();
    let encoding = Encoding::of(&parts.headers)?;
    if body::media_type(&parts.headers) != "application/x-ndjson" {
        let detail = "Send the header \"Content-Type: application/x-ndjson\".";
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let packed = body::read(packed, state.limits.body_packed_bytes_max).await?;
    let mut room = Room::new(state.ingest.clone());
    let bytes = unpack(encoding, &packed, state.limits.body_unpacked_bytes_max, &mut room)?;
    check_prefixes(&state, &bytes)?;
    // The lines name their tenants themselves.
    let author = Author { tenant: TenantId::NODE, ..visit.author("documents.import") };
    let report = state.store.import(author, visit.now(), &mut bytes.as_ref()).await;
    let report = report.map_err(|error| match &error {
        StoreError::Import { .. } => Failure::new(ProblemCode::InvalidValue, format!("{error}.")),
        _ => error.into(),
    })?;
    Ok(Json(Imported { lines: report.lines }))
}

/// What of a line tells whose record it is. What is no such line is the store's to refuse.
#[derive(Deserialize)]
struct Whose {
    tenant: TenantId,
    collection: String,
    key: String,
    #[serde(default)]
    record: Option<OwnNumber>,
}

#[derive(Deserialize)]
struct OwnNumber {
    #[serde(default)]
    tenant: Option<TenantId>,
}

/// A tenant is a number in the lines: it must be the same organisation here, or records of one
/// would become another's.
fn check_prefixes(state: &ApiState, lines: &[u8]) -> Result<(), Failure> {
    let lines = lines.split(|byte| *byte == b'\n');
    let lines = lines.enumerate().filter_map(|(number, line)| {
        serde_json::from_slice::<Whose>(line).ok().map(|whose| (number + 1, whose))
    });
    let mut prefixes: HashMap<TenantId, String> = HashMap::new();
    for organisation in state.directory.organisations()? {
        prefixes.insert(organisation.tenant, organisation.prefix.as_str().to_owned());
    }
    for (number, whose) in lines {
        let foreign = |tenant: TenantId, there: &str, here: &str| {
            let detail = format!(
                "Line {number}: organisation {tenant} is {there:?} there and {here:?} here; import \
                 into a node whose organisations have the same prefixes and numbers."
            );
            Err(Failure::new(ProblemCode::Conflict, detail))
        };
        if whose.collection == Organisations::NAME {
            let Some(tenant) = whose.record.and_then(|record| record.tenant) else { continue };
            match prefixes.get(&tenant) {
                Some(here) if *here != whose.key => return foreign(tenant, &whose.key, here),
                _ => {}
            }
            let elsewhere =
                prefixes.iter().find(|(own, prefix)| **prefix == whose.key && **own != tenant);
            if let Some((own, prefix)) = elsewhere {
                return foreign(*own, &whose.key, prefix);
            }
            prefixes.insert(tenant, whose.key);
        } else if let Ok(id) = Identifier::parse(&whose.key)
            && let Some(here) = prefixes.get(&whose.tenant)
            && !id.prefix().eq_ignore_ascii_case(here)
        {
            return foreign(whose.tenant, id.prefix(), here);
        }
    }
    Ok(())
}

/// A backup that was made.
#[derive(Serialize, utoipa::ToSchema)]
struct BackupView {
    /// Its folder's name within the node's folder of backups.
    name: String,
}

/// Back the documents up
///
/// An online copy into the node's folder of backups.
#[utoipa::path(
    post,
    path = "/api/v1/backup",
    operation_id = "createBackup",
    tag = "node",
    responses((status = 201, description = "Made", body = BackupView)),
)]
async fn backup(State(state): State<ApiState>, visit: Visit) -> Result<Response, Failure> {
    let name = visit.now().to_string().replace(':', "");
    let (parent, dir) = (state.backups.clone(), state.backups.join(&name));
    let store = state.store.clone();
    let attempt = "make a backup";
    let copy = move || {
        std::fs::create_dir_all(&parent).map_err(|error| Failure::internal(attempt, &error))?;
        store.backup(&dir).map_err(Failure::from)
    };
    blocking(attempt, copy).await??;
    let event = weir_audit::Event::Note { text: format!("the documents were backed up to {name}") };
    let entry = weir_audit::Entry::new(visit.now(), visit.author("documents.backup"), event);
    state.audit.append(entry.from_remote(visit.remote())).await?;
    Ok((StatusCode::CREATED, Json(BackupView { name })).into_response())
}
