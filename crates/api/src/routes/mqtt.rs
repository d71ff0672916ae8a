//! The clients of the MQTT broker: who is connected, and the end of a connection.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;
use weir_access::Action;
use weir_audit::{Entry, Event};
use weir_model::{Grade, ProblemCode, TenantId};

use crate::blocking::blocking;
use crate::body::Query;
use crate::cursor;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::mqtt::{MqttBroker, MqttClient};
use crate::state::ApiState;

/// Clients looked at in one step. Each step sorts them all, so that a search makes few of them.
const STEP: usize = 10_000;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::DeviceRead, routes!(list)), needs(Action::DeviceWrite, routes!(disconnect))]
}

/// Which clients are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ClientQuery {
    /// Only those whose identifier, user or address contains each of these words.
    q: Option<String>,
    /// Only those that are connected, or only those whose session is kept without a connection.
    connected: Option<bool>,
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// From `next` of the page before.
    cursor: Option<String>,
}

/// Clients, and the broker that they are clients of.
#[derive(Serialize, utoipa::ToSchema)]
struct MqttClients {
    /// The broker; null where it does not run.
    broker: Option<BrokerView>,
    /// The clients.
    items: Vec<MqttClient>,
    /// What to send as `cursor` for the next page; null at the end.
    next: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct BrokerView {
    /// Where it listens.
    address: String,
    /// Whether it listens inside TLS.
    tls: bool,
    /// The organisation's sessions, connected or kept.
    sessions: usize,
    /// Its retained messages.
    retained: usize,
}

/// List the clients of the MQTT broker
///
/// Connected ones and those whose session is kept. A client has no grade and is therefore core: callers whose
/// ceiling is lower are refused.
#[utoipa::path(
    get,
    path = "/api/v1/mqtt/clients",
    operation_id = "listMqttClients",
    tag = "mqtt",
    params(ClientQuery),
    responses((status = 200, description = "Clients by identifier", body = MqttClients)),
)]
async fn list(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<ClientQuery>,
) -> Result<Json<MqttClients>, Failure> {
    check_ceiling(&visit)?;
    let limit = super::limit(query.limit)?;
    let words = super::words(query.q.as_deref())?;
    let after = match &query.cursor {
        Some(cursor) => {
            let [client_id] = cursor::decode::<1>("mqtt", cursor)?;
            Some(client_id)
        }
        None => None,
    };
    let Some(broker) = state.mqtt.clone() else {
        return Ok(Json(MqttClients { broker: None, items: Vec::new(), next: None }));
    };
    let (tenant, connected) = (visit.tenant(), query.connected);
    // With a hundred thousand sessions this takes longer than a task may.
    let found = blocking("list MQTT clients", move || {
        let (address, tls) = broker.listens();
        let (sessions, retained) = broker.counts(tenant);
        let wants = |client: &MqttClient| {
            connected.is_none_or(|connected| client.connection.is_some() == connected)
                && matches(client, &words)
        };
        let (items, next) = page(&*broker, tenant, after, limit, wants);
        let view = BrokerView { address: address.to_string(), tls, sessions, retained };
        MqttClients { broker: Some(view), items, next }
    });
    Ok(Json(found.await?))
}

/// The next clients that are wanted, and where to go on behind them.
fn page(
    broker: &dyn MqttBroker,
    tenant: TenantId,
    mut after: Option<String>,
    limit: usize,
    wants: impl Fn(&MqttClient) -> bool,
) -> (Vec<MqttClient>, Option<String>) {
    let mut found: Vec<MqttClient> = Vec::new();
    loop {
        let step = broker.clients(tenant, after.as_deref(), STEP);
        let is_last = step.len() < STEP;
        after = step.last().map(|client| client.client_id.clone());
        found.extend(step.into_iter().filter(&wants).take(limit + 1 - found.len()));
        if is_last || found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next =
        found.last().filter(|_| more).map(|client| cursor::encode("mqtt", &[&client.client_id]));
    (found, next)
}

fn matches(client: &MqttClient, words: &str) -> bool {
    let address = client.connection.as_ref().map(|connection| connection.address.to_string());
    let text = format!("{}\n{}\n{}", client.client_id, client.user, address.unwrap_or_default());
    let text = text.to_lowercase();
    words.split_whitespace().all(|word| text.contains(word))
}

fn check_ceiling(visit: &Visit) -> Result<(), Failure> {
    if visit.sees(Grade::Core) {
        return Ok(());
    }
    let detail = "Clients of the broker have no grade; only those who may see core data see them.";
    Err(Failure::new(ProblemCode::Forbidden, detail))
}

/// Disconnect a client of the MQTT broker
///
/// Its session stays as it asked for, and it may connect again: to keep it out, revoke its token.
#[utoipa::path(
    post,
    path = "/api/v1/mqtt/clients/{client}/disconnect",
    operation_id = "disconnectMqttClient",
    tag = "mqtt",
    params(("client" = String, Path, description = "The client identifier, percent-encoded as one segment")),
    responses((status = 204, description = "Its connection ends")),
)]
async fn disconnect(
    State(state): State<ApiState>,
    visit: Visit,
    Path(client): Path<String>,
) -> Result<StatusCode, Failure> {
    check_ceiling(&visit)?;
    let missing = || Failure::not_found(format!("connection of an MQTT client \"{client}\""));
    let broker: Arc<dyn MqttBroker> = state.mqtt.clone().ok_or_else(missing)?;
    if !broker.disconnect(visit.tenant(), &client) {
        return Err(missing());
    }
    let event = Event::Note { text: format!("the MQTT client \"{client}\" was disconnected") };
    let entry = Entry::new(visit.now(), visit.author("mqtt.disconnect"), event);
    state.audit.append(entry.from_remote(visit.remote())).await?;
    Ok(StatusCode::NO_CONTENT)
}
