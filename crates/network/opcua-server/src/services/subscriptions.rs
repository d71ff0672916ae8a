//! Subscriptions (OPC 10000-4, clause 5.14).

use std::sync::Arc;
use std::time::Instant;

use opcua::core::ResponseMessage;
use opcua::types::{
    CreateSubscriptionRequest, CreateSubscriptionResponse, DeleteSubscriptionsRequest,
    DeleteSubscriptionsResponse, ModifySubscriptionRequest, ModifySubscriptionResponse,
    RepublishRequest, RepublishResponse, ResponseHeader, SetPublishingModeRequest,
    SetPublishingModeResponse, StatusCode, TransferResult, TransferSubscriptionsRequest,
    TransferSubscriptionsResponse,
};

use super::Ask;
use crate::shared::next;
use crate::subscription::{Rhythm, Subscription};

pub(super) fn create(
    ask: &Ask<'_>,
    request: &CreateSubscriptionRequest,
) -> Result<ResponseMessage, StatusCode> {
    let limits = &ask.shared.limits;
    let publisher = &ask.session.publisher;
    let rhythm = Rhythm::revised(
        request.requested_publishing_interval,
        request.requested_lifetime_count,
        request.requested_max_keep_alive_count,
        request.max_notifications_per_publish,
        limits.publishing_interval_min,
    );
    if publisher.len() >= limits.subscriptions_per_session_max
        || !ask.shared.counts.subscriptions.add(1, limits.subscriptions_max)
    {
        return Err(StatusCode::BadTooManySubscriptions);
    }
    let id = next(&ask.shared.subscriptions);
    let (enabled, priority) = (request.publishing_enabled, request.priority);
    let subscription = Subscription::new(id, enabled, priority, rhythm, Instant::now());
    publisher.insert(subscription, ask.shared);
    ask.shared.publishers.set(id, publisher);
    Ok(CreateSubscriptionResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        subscription_id: id,
        revised_publishing_interval: rhythm.interval.as_secs_f64() * 1e3,
        revised_lifetime_count: rhythm.lifetime,
        revised_max_keep_alive_count: rhythm.keep_alive,
    }
    .into())
}

pub(super) fn modify(
    ask: &Ask<'_>,
    request: &ModifySubscriptionRequest,
) -> Result<ResponseMessage, StatusCode> {
    let rhythm = Rhythm::revised(
        request.requested_publishing_interval,
        request.requested_lifetime_count,
        request.requested_max_keep_alive_count,
        request.max_notifications_per_publish,
        ask.shared.limits.publishing_interval_min,
    );
    ask.session.publisher.with(request.subscription_id, |subscription| {
        subscription.set_rhythm(rhythm, request.priority, Instant::now());
    })?;
    Ok(ModifySubscriptionResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        revised_publishing_interval: rhythm.interval.as_secs_f64() * 1e3,
        revised_lifetime_count: rhythm.lifetime,
        revised_max_keep_alive_count: rhythm.keep_alive,
    }
    .into())
}

pub(super) fn set_publishing(
    ask: &Ask<'_>,
    request: &SetPublishingModeRequest,
) -> Result<ResponseMessage, StatusCode> {
    let ids = ask.bounded(request.subscription_ids.clone())?;
    let set = |subscription: &mut Subscription| subscription.enabled = request.publishing_enabled;
    let one = |id| match ask.session.publisher.with(id, set) {
        Ok(()) => StatusCode::Good,
        Err(status) => status,
    };
    Ok(SetPublishingModeResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(ids.into_iter().map(one).collect()),
        diagnostic_infos: None,
    }
    .into())
}

pub(super) fn delete(
    ask: &Ask<'_>,
    request: &DeleteSubscriptionsRequest,
) -> Result<ResponseMessage, StatusCode> {
    let ids = ask.bounded(request.subscription_ids.clone())?;
    let one = |id| {
        let status = ask.session.publisher.delete(id);
        if status == StatusCode::Good {
            ask.shared.publishers.forget(id);
        }
        status
    };
    let results = ids.into_iter().map(one).collect();
    if ask.session.publisher.len() == 0 {
        // Nothing will ever be told to those who still wait.
        ask.session.publisher.release(StatusCode::BadNoSubscription);
    }
    Ok(DeleteSubscriptionsResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    }
    .into())
}

/// Takes over subscriptions that the same user has left in another session.
pub(super) fn transfer(
    ask: &Ask<'_>,
    request: &TransferSubscriptionsRequest,
) -> Result<ResponseMessage, StatusCode> {
    let ids = ask.bounded(request.subscription_ids.clone())?;
    let results = ids.into_iter().map(|id| match take(ask, id, request.send_initial_values) {
        Ok(numbers) => TransferResult {
            status_code: StatusCode::Good,
            available_sequence_numbers: Some(numbers),
        },
        Err(status_code) => TransferResult { status_code, available_sequence_numbers: None },
    });
    Ok(TransferSubscriptionsResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    }
    .into())
}

fn take(ask: &Ask<'_>, id: u32, repeat: bool) -> Result<Vec<u32>, StatusCode> {
    const UNKNOWN: StatusCode = StatusCode::BadSubscriptionIdInvalid;
    let own = &ask.session.publisher;
    let from = ask.shared.publishers.get(id).filter(|it| it.contains(id)).ok_or(UNKNOWN)?;
    if !from.is_of(ask.principal.name()) {
        return Err(StatusCode::BadUserAccessDenied);
    }
    if !Arc::ptr_eq(&from, own) {
        if own.len() >= ask.shared.limits.subscriptions_per_session_max {
            return Err(StatusCode::BadTooManySubscriptions);
        }
        let subscription = from.remove(id).ok_or(UNKNOWN)?;
        from.farewell(&subscription, StatusCode::GoodSubscriptionTransferred);
        own.insert(subscription, ask.shared);
        ask.shared.publishers.set(id, own);
    }
    own.with(id, |subscription| {
        if repeat {
            subscription.repeat();
        }
        subscription.available()
    })
}

pub(super) fn republish(
    ask: &Ask<'_>,
    request: &RepublishRequest,
) -> Result<ResponseMessage, StatusCode> {
    let again = ask.session.publisher.with(request.subscription_id, |subscription| {
        subscription.again(request.retransmit_sequence_number)
    })?;
    Ok(RepublishResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        notification_message: again.ok_or(StatusCode::BadMessageNotAvailable)?,
    }
    .into())
}
