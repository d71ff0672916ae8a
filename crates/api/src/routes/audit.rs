//! The audit and the change feed, as far as they concern the caller's organisation.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use utoipa_axum::routes;
use weir_access::Action;
use weir_audit::{Filter, Item};
use weir_model::{Grade, Identifier, Prefix, ProblemCode, TenantId, Timestamp};
use weir_store::{Collection, Op};

use super::Listing;
use crate::body::Query;
use crate::cursor;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// The prefix of principals that are parts of Weir itself.
const NODE_PREFIX: &str = "weir";

/// How an administrator of the node is called towards other organisations.
const NODE_ADMINISTRATOR: &str = "weir/node-administrator";

/// Feed entries looked at for one page of changes.
const FEED_SCAN_MAX: usize = 10_000;

/// Feed entries read in one step.
const FEED_PAGE: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    vec![
        needs(Action::AuditRead, routes!(list)),
        needs(Action::AuditRead, routes!(checkpoint)),
        needs(Action::AuditRead, routes!(changes)),
    ]
}

/// One leaf of the audit.
#[derive(Serialize, utoipa::ToSchema)]
struct AuditEntry {
    /// Its index in the log of the node.
    index: u64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Who did it.
    #[schema(value_type = String)]
    principal: Identifier,
    /// What was done, such as `tag.update`.
    cause: String,
    /// `change`, `refusal`, `sign_in`, `flood` or `note`.
    kind: String,
    /// What happened, in the shape of its kind.
    #[schema(value_type = Object)]
    event: JsonValue,
    /// More about it, such as the values before and after a write to a device. Null for callers
    /// whose ceiling is below core.
    #[schema(value_type = Option<Object>)]
    detail: Option<JsonValue>,
    /// The request it happened in.
    request: String,
    /// The address it came from.
    remote: Option<String>,
    /// The number of the organisation.
    tenant: TenantId,
    /// The hash of the leaf (RFC 6962, section 2.1).
    leaf_hash: String,
}

/// Which entries are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Only those in whose text this occurs.
    q: Option<String>,
    /// Only those by this principal.
    principal: Option<String>,
    /// Only those of this kind.
    kind: Option<String>,
    /// Only from this time on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only up to, without, this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Most items of the page, 1 to 500; 100 if not given. A page can be short and yet have a next one.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From `next` of the page before.
    cursor: Option<String>,
}

/// Read the audit, newest first
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "listAudit",
    tag = "audit",
    params(AuditQuery),
    responses((status = 200, description = "Entries", body = Listing<AuditEntry>)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Listing<AuditEntry>>, Failure> {
    let limit = super::limit_up_to(weir_audit::PAGE_ITEMS_MAX, query.limit)?;
    let before = match &query.cursor {
        Some(cursor) => {
            let [index] = cursor::decode::<1>("audit", cursor)?;
            Some(index.parse().unwrap_or(0))
        }
        None => None,
    };
    // Those who administer the node see the node's own entries with their organisation's.
    let eyes = Eyes::of(&visit)?;
    let mut filter = match eyes.own {
        None => Filter::of_all_tenants(),
        Some(_) => Filter::of(visit.tenant()),
    };
    filter = filter.between(query.from, query.to);
    let words = super::words(query.q.as_deref())?;
    if !words.is_empty() {
        filter = filter.with_text(&words);
    }
    if let Some(principal) = &query.principal {
        let principal = Identifier::parse(principal).map_err(|error| {
            Failure::field(ProblemCode::InvalidRequest, "principal", error.to_string())
        })?;
        filter = filter.with_principal(principal);
    }
    if let Some(kind) = &query.kind {
        filter = filter.with_kind(kind);
    }
    let page = state.audit.page(before, limit, filter).await?;
    let next = page.next.map(|index| cursor::encode("audit", &[&index.to_string()]));
    let items = page.items.into_iter().map(|item| shown(&visit, &eyes, item));
    Ok(Json(Listing { items: items.collect::<Result<_, _>>()?, next }))
}

/// Which principals a caller is told of.
struct Eyes {
    /// The caller's own prefix; none for those who administer the node, who are told of all.
    own: Option<Prefix>,
}

impl Eyes {
    fn of(visit: &Visit) -> Result<Self, Failure> {
        if visit.allow_at_node(Action::NodeAdmin).is_ok() {
            return Ok(Self { own: None });
        }
        Ok(Self { own: Some(visit.organisation()?.prefix) })
    }

    /// The principal as the caller is told of it: who changes records of an organisation and is
    /// not of it administers the node, and who that is is another organisation's own affair.
    fn principal(&self, principal: Identifier) -> Result<Identifier, Failure> {
        match &self.own {
            Some(own) if !own.owns(&principal) && principal.prefix() != NODE_PREFIX => {
                Identifier::parse(NODE_ADMINISTRATOR)
                    .map_err(|error| Failure::internal("name the node's administrator", &error))
            }
            _ => Ok(principal),
        }
    }
}

fn shown(visit: &Visit, eyes: &Eyes, item: Item) -> Result<AuditEntry, Failure> {
    let Item { index, leaf_hash, entry } = item;
    let kind = entry.event.kind().to_owned();
    let event = serde_json::to_value(&entry.event)
        .map_err(|error| Failure::internal("write an audit entry as JSON", &error))?;
    // `{"change": {…}}` as serde writes it; the kind stands beside it already.
    let event = match event {
        JsonValue::Object(fields) if fields.len() == 1 => {
            fields.into_iter().next().map_or(JsonValue::Null, |(_, event)| event)
        }
        other => other,
    };
    // Detail holds values of the plant, whose grade is not known here any more.
    let detail = entry.detail.filter(|_| visit.caller().ceiling == Grade::Core);
    Ok(AuditEntry {
        index,
        time: entry.time,
        principal: eyes.principal(entry.author.principal)?,
        cause: entry.author.cause,
        kind,
        event,
        detail,
        request: entry.author.request.to_string(),
        remote: entry.remote.map(|address| address.to_string()),
        tenant: match eyes.own {
            Some(_) => visit.tenant(),
            None => entry.author.tenant,
        },
        leaf_hash: leaf_hash.to_string(),
    })
}

/// A signed checkpoint of the audit.
#[derive(Serialize, utoipa::ToSchema)]
struct CheckpointView {
    /// The log's name.
    origin: String,
    /// The number of entries.
    size: u64,
    /// The root of the tree over them.
    root: String,
    /// The signed note (C2SP tlog-checkpoint); keep it elsewhere.
    checkpoint: String,
}

/// Get a signed checkpoint
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoint",
    operation_id = "getAuditCheckpoint",
    tag = "audit",
    responses((status = 200, description = "The checkpoint over all entries", body = CheckpointView)),
)]
async fn checkpoint(
    State(state): State<ApiState>,
    _visit: Visit,
) -> Result<Json<CheckpointView>, Failure> {
    let signed = state.audit.checkpoint().await?;
    let checkpoint = signed.checkpoint();
    Ok(Json(CheckpointView {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        checkpoint: signed.as_str().to_owned(),
    }))
}

/// Where the changes go on.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChangesQuery {
    /// Behind this position; from the oldest kept if not given.
    after: Option<u64>,
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Changes of documents in their order.
#[derive(Serialize, utoipa::ToSchema)]
struct Changes {
    /// The changes.
    items: Vec<ChangeView>,
    /// What to send as `after` to go on; it moves even where nothing is shown.
    next: u64,
}

/// One change.
#[derive(Serialize, utoipa::ToSchema)]
struct ChangeView {
    /// Its position.
    position: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Who made it.
    #[schema(value_type = String)]
    principal: Identifier,
    /// What was done, such as `tag.update`.
    cause: String,
    /// The records it changed.
    records: Vec<RecordChange>,
}

/// One record that was changed.
#[derive(Serialize, utoipa::ToSchema)]
struct RecordChange {
    /// The collection, such as `tags`.
    collection: String,
    /// The key, mostly a folded identifier.
    key: String,
    /// The version that was made.
    version: u64,
    /// Whether it was deleted.
    deleted: bool,
}

/// Follow the changes of documents
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    operation_id = "listChanges",
    tag = "audit",
    params(ChangesQuery),
    responses((status = 200, description = "Changes, oldest first", body = Changes)),
)]
async fn changes(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<ChangesQuery>,
) -> Result<Json<Changes>, Failure> {
    let limit = super::limit(query.limit)?;
    let mut next = match query.after {
        Some(after) => after,
        None => match state.store.feed(0, 1) {
            Err(weir_store::FeedError::TooOld { oldest }) => oldest.saturating_sub(1),
            _ => 0,
        },
    };
    let eyes = Eyes::of(&visit)?;
    let mut items = Vec::new();
    let mut scanned = 0;
    while items.len() < limit && scanned < FEED_SCAN_MAX {
        let entries = state.store.feed(next, FEED_PAGE)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            if items.len() == limit {
                break;
            }
            scanned += 1;
            next = entry.position;
            let own = entry.changes.into_iter().filter(|change| change.tenant == visit.tenant());
            let mut records = Vec::new();
            for change in own {
                if may_know(&visit, &change.collection, &change.key)? {
                    records.push(RecordChange {
                        collection: change.collection,
                        key: change.key,
                        version: change.version,
                        deleted: change.op == Op::Delete,
                    });
                }
            }
            if !records.is_empty() {
                items.push(ChangeView {
                    position: entry.position,
                    time: entry.time,
                    principal: eyes.principal(entry.author.principal)?,
                    cause: entry.author.cause,
                    records,
                });
            }
        }
    }
    Ok(Json(Changes { items, next }))
}

/// Whether the caller may know of a record. What is gone has no grade any more and is core.
fn may_know(visit: &Visit, collection: &str, key: &str) -> Result<bool, Failure> {
    if visit.caller().ceiling == Grade::Core {
        return Ok(true);
    }
    let asset = |key: &str| {
        visit.directory(|view| view.asset(key).is_some_and(|a| visit.sees(view.grade_of_asset(a))))
    };
    let tag = |key: &str| {
        visit.directory(|view| view.tag(key).is_some_and(|tag| visit.sees(view.grade_of_tag(tag))))
    };
    Ok(match collection {
        weir_twin::Assets::NAME => asset(key)?,
        weir_twin::Tags::NAME => tag(key)?,
        weir_resolver::Identifiers::NAME => asset(key)? || tag(key)?,
        _ => false,
    })
}
