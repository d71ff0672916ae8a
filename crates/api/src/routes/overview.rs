//! The state of an organisation on one page.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::routes;
use weir_access::Action;
use weir_model::{Prefix, Timestamp};

use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::OrganisationRead, routes!(overview))]
}

/// The state of an organisation.
#[derive(Serialize, utoipa::ToSchema)]
struct Overview {
    /// The organisation; null for a principal of the node itself.
    organisation: Option<OrganisationRef>,
    /// The node.
    node: NodeView,
    /// Tags that the caller may see.
    tags: usize,
    /// Of these, the ones whose newest value cannot be used.
    tags_bad: usize,
    /// Assets that the caller may see.
    assets: usize,
    /// Devices that the caller may see.
    devices: DevicesView,
    /// Samples stored; null for those who share the node with other organisations and may not read
    /// how the node is doing.
    samples: Option<SamplesView>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct OrganisationRef {
    /// Its prefix.
    #[schema(value_type = String)]
    prefix: Prefix,
    /// Its name.
    name: String,
    /// Its name in other languages.
    names: BTreeMap<String, String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct NodeView {
    /// The program's version.
    version: String,
    /// When the node started.
    #[schema(value_type = String, format = DateTime)]
    started: Timestamp,
    /// Seconds since then.
    uptime_s: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct DevicesView {
    /// How many there are.
    total: usize,
    /// How many are in which state.
    by_state: BTreeMap<&'static str, usize>,
    /// How many there are of which protocol.
    by_protocol: BTreeMap<String, usize>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SamplesView {
    /// Samples ever stored.
    total: u64,
    /// Samples a second, over the last seconds.
    rate_per_s: f64,
}

/// The state of the organisation
#[utoipa::path(
    get,
    path = "/api/v1/overview",
    operation_id = "getOverview",
    tag = "overview",
    responses((status = 200, description = "Counts and states", body = Overview)),
)]
async fn overview(State(state): State<ApiState>, visit: Visit) -> Result<Json<Overview>, Failure> {
    let tenant = visit.tenant();
    let (organisation, assets, tags) = visit.directory(|view| {
        let assets = view.assets_after(None).filter(|(_, a)| visit.sees(view.grade_of_asset(a)));
        let tags = view.tags_after(None).filter(|(_, tag)| visit.sees(view.grade_of_tag(tag)));
        let tags: Vec<_> = tags.map(|(_, tag)| tag.tag).collect();
        (view.organisation().cloned(), assets.count(), tags)
    })?;
    let bad = |tag: &&weir_model::TagId| {
        state.historian.last(tenant, **tag).is_some_and(|sample| sample.quality.is_bad())
    };
    let mut by_state = BTreeMap::new();
    let mut by_protocol = BTreeMap::new();
    let devices = super::devices::visible_devices(&visit)?;
    let total = devices.len();
    for (device, status) in devices {
        if let Some(status) = status {
            *by_state.entry(status.state.as_str()).or_default() += 1;
        }
        *by_protocol.entry(device.protocol).or_default() += 1;
    }
    // The historian counts for the whole node, and what others do is no one's business.
    let alone = state.directory.organisations()?.len() <= 1;
    let samples = (alone || visit.allow_at_node(Action::NodeRead).is_ok()).then(|| {
        let total = state.historian.stats().samples;
        SamplesView { total, rate_per_s: state.rate.measure(total) }
    });
    Ok(Json(Overview {
        organisation: organisation.map(|organisation| OrganisationRef {
            prefix: organisation.prefix,
            name: organisation.name,
            names: organisation.names,
        }),
        node: NodeView {
            version: state.info.version.clone(),
            started: state.started_at,
            uptime_s: state.started.elapsed().as_secs(),
        },
        tags_bad: tags.iter().filter(bad).count(),
        tags: tags.len(),
        assets,
        devices: DevicesView { total, by_state, by_protocol },
        samples,
    }))
}
