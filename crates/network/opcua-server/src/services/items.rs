//! Monitored items (OPC 10000-4, clause 5.13).

use std::time::{Duration, Instant};

use opcua::core::ResponseMessage;
use opcua::types::{
    AttributeId, CreateMonitoredItemsRequest, CreateMonitoredItemsResponse,
    DeleteMonitoredItemsRequest, DeleteMonitoredItemsResponse, ExtensionObject,
    ModifyMonitoredItemsRequest, ModifyMonitoredItemsResponse, MonitoredItemCreateRequest,
    MonitoredItemCreateResult, MonitoredItemModifyRequest, MonitoredItemModifyResult,
    MonitoringMode, MonitoringParameters, ResponseHeader, SetMonitoringModeRequest,
    SetMonitoringModeResponse, SetTriggeringRequest, SetTriggeringResponse, StatusCode,
    TimestampsToReturn,
};
use weir_model::{TagId, Timestamp};

use super::{Ask, read};
use crate::plant::{Node, Tag};
use crate::shared::next;
use crate::space::Target;
use crate::subscription::item::{Filter, Item, LINKS_MAX, Source, Wish};
use crate::values::waiting;

/// Attributes other than tags' values are read no more often than that.
const POLL_MIN: Duration = Duration::from_secs(1);

/// The longest that a sampling may be apart: a day.
const INTERVAL_MAX: Duration = Duration::from_secs(86_400);

/// What a client wishes, within bounds. A negative interval is the subscription's.
fn wish(
    ask: &Ask<'_>,
    parameters: &MonitoringParameters,
    timestamps: TimestampsToReturn,
    publishing: Duration,
    is_polled: bool,
    range: Option<(f64, f64)>,
) -> Result<Wish, StatusCode> {
    let interval = match parameters.sampling_interval {
        negative if negative < 0.0 => publishing,
        ms => Duration::try_from_secs_f64(ms / 1e3).unwrap_or(publishing).min(INTERVAL_MAX),
    };
    Ok(Wish {
        client_handle: parameters.client_handle,
        timestamps,
        interval: if is_polled { interval.max(POLL_MIN) } else { interval },
        filter: Filter::parse(&parameters.filter, range)?,
        queue_size: if is_polled {
            // The newest is what matters of an attribute, and some are large.
            1
        } else {
            parameters.queue_size.clamp(1, ask.shared.limits.queue_size_max.max(1))
        },
        discard_oldest: parameters.discard_oldest,
    })
}

fn check(timestamps: TimestampsToReturn) -> Result<(), StatusCode> {
    match timestamps {
        TimestampsToReturn::Invalid => Err(StatusCode::BadTimestampsToReturnInvalid),
        _ => Ok(()),
    }
}

pub(super) async fn create(
    ask: &Ask<'_>,
    request: CreateMonitoredItemsRequest,
) -> Result<ResponseMessage, StatusCode> {
    let wanted = ask.bounded(request.items_to_create)?;
    let timestamps = request.timestamps_to_return;
    check(timestamps)?;
    let (publisher, subscription) = (&ask.session.publisher, request.subscription_id);
    let publishing = publisher.with(subscription, |it| it.rhythm().interval)?;
    let targets: Vec<Target> =
        wanted.iter().map(|it| Target::of(&it.item_to_monitor.node_id)).collect();
    let nodes = ask.nodes(targets.iter()).await?;
    let (mut results, mut tags, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (wanted, target) in wanted.into_iter().zip(&targets) {
        let tag = match target {
            Target::Thing(id) => match nodes.get(id) {
                Some(Node::Tag(tag)) => Some(tag),
                _ => None,
            },
            _ => None,
        };
        let added = add(ask, &wanted, tag, timestamps, subscription, publishing);
        results.push(match added {
            Ok((result, source)) => {
                match source {
                    Source::Tag(tag) => tags.push((result.monitored_item_id, tag)),
                    Source::Attribute(node, attribute) => {
                        others.push((result.monitored_item_id, node, attribute));
                    }
                }
                result
            }
            Err(status_code) => MonitoredItemCreateResult {
                status_code,
                filter_result: ExtensionObject::null(),
                ..MonitoredItemCreateResult::default()
            },
        });
    }
    first_samples(ask, subscription, &tags).await?;
    first_values(ask, subscription, &mut results, others).await;
    Ok(CreateMonitoredItemsResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

/// Adds an item; the live stream finds it from now on.
fn add(
    ask: &Ask<'_>,
    wanted: &MonitoredItemCreateRequest,
    tag: Option<&Tag>,
    timestamps: TimestampsToReturn,
    subscription: u32,
    publishing: Duration,
) -> Result<(MonitoredItemCreateResult, Source), StatusCode> {
    let watched = &wanted.item_to_monitor;
    let attribute = read::attribute(watched)?;
    if attribute == AttributeId::EventNotifier {
        // There are no events.
        return Err(StatusCode::BadNotSupported);
    }
    let source = match tag {
        Some(tag) if attribute == AttributeId::Value => Source::Tag(tag.tag),
        _ => Source::Attribute(watched.node_id.clone(), attribute),
    };
    let is_polled = matches!(source, Source::Attribute(..));
    let parameters = &wanted.requested_parameters;
    if attribute != AttributeId::Value && !parameters.filter.is_null() {
        return Err(StatusCode::BadFilterNotAllowed);
    }
    let range = tag.and_then(|tag| tag.range);
    let wish = wish(ask, parameters, timestamps, publishing, is_polled, range)?;
    let (counts, limits) = (&ask.shared.counts, &ask.shared.limits);
    if !counts.items.add(1, limits.monitored_items_max) {
        return Err(StatusCode::BadTooManyMonitoredItems);
    }
    let wish = with_places(ask, wish);
    let places = wish.places();
    let id = next(&ask.shared.items);
    let result = MonitoredItemCreateResult {
        status_code: StatusCode::Good,
        monitored_item_id: id,
        revised_sampling_interval: wish.interval.as_secs_f64() * 1e3,
        revised_queue_size: wish.queue_size,
        filter_result: ExtensionObject::null(),
    };
    let range = watched.index_range.clone();
    let item = Item::new(id, source.clone(), range, wanted.monitoring_mode, wish, Instant::now());
    let publisher = &ask.session.publisher;
    if let Err(status) = publisher.with(subscription, |it| it.add(item)) {
        counts.items.subtract(1);
        counts.places.subtract(places);
        return Err(status);
    }
    if let Source::Tag(tag) = source {
        publisher.watch(tag, subscription, id);
    }
    Ok((result, source))
}

/// Counts the places of a queue, or makes it one of a single place.
fn with_places(ask: &Ask<'_>, wish: Wish) -> Wish {
    let max = ask.shared.limits.queued_values_max;
    if ask.shared.counts.places.add(wish.places(), max) {
        wish
    } else {
        Wish { queue_size: 1, ..wish }
    }
}

/// Tells new items what their tags' newest samples are. What the live stream has brought meanwhile is
/// newer, and stays.
async fn first_samples(
    ask: &Ask<'_>,
    subscription: u32,
    items: &[(u32, TagId)],
) -> Result<(), StatusCode> {
    if items.is_empty() {
        return Ok(());
    }
    let tags: Vec<TagId> = items.iter().map(|(_, tag)| *tag).collect();
    let samples = ask.shared.plant.last(ask.deadline, &ask.principal, &tags).await?;
    let arrival = Timestamp::from_system(std::time::SystemTime::now());
    let now = Instant::now();
    ask.session.publisher.with(subscription, |it| {
        for ((item, _), sample) in items.iter().zip(samples) {
            let sample = sample.unwrap_or_else(waiting);
            it.with(*item, |item| item.offer(sample, arrival, now));
        }
    })
}

/// Reads what new items watch beside tags. An item whose node does not exist is taken back.
async fn first_values(
    ask: &Ask<'_>,
    subscription: u32,
    results: &mut [MonitoredItemCreateResult],
    items: Vec<(u32, opcua::types::NodeId, AttributeId)>,
) {
    let wanted: Vec<_> = items.iter().map(|(_, node, attribute)| (node, *attribute)).collect();
    let values =
        read::attributes(ask.shared, ask.deadline, &ask.principal, &ask.locales, &wanted).await;
    let (publisher, now) = (&ask.session.publisher, Instant::now());
    for ((item, ..), value) in items.iter().zip(values) {
        let status = value.status.unwrap_or(StatusCode::Good);
        if matches!(status, StatusCode::BadNodeIdUnknown | StatusCode::BadAttributeIdInvalid) {
            let _ = publisher.delete_item(subscription, *item);
            if let Some(result) = results.iter_mut().find(|it| it.monitored_item_id == *item) {
                (result.status_code, result.monitored_item_id) = (status, 0);
            }
            continue;
        }
        let _ = publisher.with(subscription, |it| it.with(*item, |i| i.offer_value(value, now)));
    }
}

pub(super) async fn modify(
    ask: &Ask<'_>,
    request: ModifyMonitoredItemsRequest,
) -> Result<ResponseMessage, StatusCode> {
    let wanted = ask.bounded(request.items_to_modify)?;
    let timestamps = request.timestamps_to_return;
    check(timestamps)?;
    let subscription = request.subscription_id;
    let publishing = ask.session.publisher.with(subscription, |it| it.rhythm().interval)?;
    let one = |wanted: &MonitoredItemModifyRequest| {
        let id = wanted.monitored_item_id;
        let is_polled = ask
            .session
            .publisher
            .with(subscription, |it| it.item(id).map(|item| item.tag().is_none()))?
            .ok_or(StatusCode::BadMonitoredItemIdInvalid)?;
        let parameters = &wanted.requested_parameters;
        // The range of a tag is asked for at creation only: a deadband in percent cannot be changed
        // to another one.
        let wish = wish(ask, parameters, timestamps, publishing, is_polled, None)?;
        let wish = with_places(ask, wish);
        let places = wish.places();
        let result = MonitoredItemModifyResult {
            status_code: StatusCode::Good,
            revised_sampling_interval: wish.interval.as_secs_f64() * 1e3,
            revised_queue_size: wish.queue_size,
            filter_result: ExtensionObject::null(),
        };
        let modified = ask.session.publisher.with(subscription, |it| {
            it.with(id, |item| {
                let before = item.places();
                item.modify(wish, Instant::now());
                before
            })
        });
        // What the item had before is given back, or what it was to get.
        let (freed, modified) = match modified {
            Ok(Some(before)) => (before, Ok(result)),
            Ok(None) => (places, Err(StatusCode::BadMonitoredItemIdInvalid)),
            Err(status) => (places, Err(status)),
        };
        ask.shared.counts.places.subtract(freed);
        modified
    };
    let failed = |status_code| MonitoredItemModifyResult {
        status_code,
        filter_result: ExtensionObject::null(),
        ..MonitoredItemModifyResult::default()
    };
    let results = wanted.iter().map(|wanted| one(wanted).unwrap_or_else(failed)).collect();
    Ok(ModifyMonitoredItemsResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

pub(super) async fn set_mode(
    ask: &Ask<'_>,
    request: &SetMonitoringModeRequest,
) -> Result<ResponseMessage, StatusCode> {
    let ids = ask.bounded(request.monitored_item_ids.clone())?;
    let (subscription, mode) = (request.subscription_id, request.monitoring_mode);
    let mut awoken = Vec::new();
    let results = ask.session.publisher.with(subscription, |it| {
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let set = it.with(id, |item| {
                let woke = item.mode == MonitoringMode::Disabled && mode != item.mode;
                item.set_mode(mode);
                woke.then(|| item.tag()).flatten()
            });
            results.push(match set {
                Some(woken) => {
                    awoken.extend(woken.map(|tag| (id, tag)));
                    StatusCode::Good
                }
                None => StatusCode::BadMonitoredItemIdInvalid,
            });
        }
        results
    })?;
    first_samples(ask, subscription, &awoken).await?;
    Ok(SetMonitoringModeResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

pub(super) fn set_triggering(
    ask: &Ask<'_>,
    request: &SetTriggeringRequest,
) -> Result<ResponseMessage, StatusCode> {
    let add = request.links_to_add.clone().unwrap_or_default();
    let remove = request.links_to_remove.clone().unwrap_or_default();
    if add.is_empty() && remove.is_empty() {
        return Err(StatusCode::BadNothingToDo);
    }
    if add.len().max(remove.len()) > ask.shared.limits.nodes_per_request_max {
        return Err(StatusCode::BadTooManyOperations);
    }
    const UNKNOWN: StatusCode = StatusCode::BadMonitoredItemIdInvalid;
    let changed = ask.session.publisher.with(request.subscription_id, |subscription| {
        let known: Vec<bool> = add.iter().map(|id| subscription.item(*id).is_some()).collect();
        subscription.with(request.triggering_item_id, |item| {
            let removed = remove.iter().map(|id| {
                let before = item.links.len();
                item.links.retain(|link| link != id);
                if item.links.len() < before { StatusCode::Good } else { UNKNOWN }
            });
            let removed: Vec<_> = removed.collect();
            let added = add.iter().zip(known).map(|(id, known)| match known {
                false => UNKNOWN,
                true if item.links.contains(id) => StatusCode::Good,
                true if item.links.len() >= LINKS_MAX => StatusCode::BadTooManyMonitoredItems,
                true => {
                    item.links.push(*id);
                    StatusCode::Good
                }
            });
            let added: Vec<_> = added.collect();
            (added, removed)
        })
    })?;
    let (added, removed) = changed.ok_or(UNKNOWN)?;
    Ok(SetTriggeringResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        add_results: Some(added),
        add_diagnostic_infos: None,
        remove_results: Some(removed),
        remove_diagnostic_infos: None,
    }
    .into())
}

pub(super) fn delete(
    ask: &Ask<'_>,
    request: &DeleteMonitoredItemsRequest,
) -> Result<ResponseMessage, StatusCode> {
    let ids = ask.bounded(request.monitored_item_ids.clone())?;
    let publisher = &ask.session.publisher;
    let results: Result<Vec<_>, _> =
        ids.into_iter().map(|id| publisher.delete_item(request.subscription_id, id)).collect();
    Ok(DeleteMonitoredItemsResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results?),
        diagnostic_infos: None,
    }
    .into())
}
