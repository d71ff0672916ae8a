//! Setting up: learning what the points are, then having the server watch them, a batch at a time.

use std::collections::VecDeque;
use std::time::Duration;

use opcua::client::UARequest;
use opcua::client::services::{CreateMonitoredItems, CreateSubscription};
use opcua::types::{
    AttributeId, DataChangeFilter, DataChangeTrigger, DeadbandType, ExtensionObject,
    MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters, StatusCode,
    TimestampsToReturn, VariantScalarTypeId,
};
use tokio::time::Instant;
use weir_connect::{Collected, Reading};
use weir_model::Quality;

use super::OpcUaSession;
use crate::Deadband;
use crate::kinds::Kind;
use crate::status::{Failure, plain};

/// Most items of one subscription. Servers look after several smaller ones better than after a huge one.
const ITEMS_PER_SUBSCRIPTION_MAX: usize = 10_000;

/// Most values that the server puts into one report, so that a report has a bounded size.
const NOTIFICATIONS_PER_REPORT_MAX: u32 = 1000;

/// When what the server refused to watch is asked for again: its program may have been loaded meanwhile.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// How long a subscription lives at the server when nobody asks for its reports.
const LIFETIME_MIN: Duration = Duration::from_secs(60);

/// What is still to be set up.
pub(super) struct Setup {
    /// Points whose types are still to be learnt; they are learnt in order.
    described: usize,
    points: usize,
    /// Points that the server is still to be asked to watch.
    waiting: VecDeque<usize>,
    /// Points that it refused, to be asked for again.
    refused: Vec<usize>,
    retry: Option<Instant>,
    subscription: Option<Subscription>,
    /// The server has no subscriptions, or no more of them: all else is read.
    only_polls: bool,
    /// A first answer is owed even for a device without points.
    has_told: bool,
}

struct Subscription {
    id: u32,
    items: usize,
}

impl Setup {
    pub(super) fn new(points: usize) -> Self {
        Self {
            described: 0,
            points,
            waiting: (0..points).collect(),
            refused: Vec::new(),
            retry: None,
            subscription: None,
            only_polls: false,
            has_told: false,
        }
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.has_told && self.waiting.is_empty() && self.retry.is_none_or(|at| at > now)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.retry
    }

    fn refuse(&mut self, point: usize) {
        self.refused.push(point);
        self.retry.get_or_insert_with(|| Instant::now() + RETRY_INTERVAL);
    }
}

impl OpcUaSession {
    /// One request, or a few small ones, of the setting up.
    pub(super) async fn set_up(&mut self) -> Result<Collected, Failure> {
        self.setup.has_told = true;
        if self.setup.described < self.setup.points {
            // Two attributes of each are read.
            let count = (self.link.limits.read / 2).max(1);
            let from = self.setup.described;
            let to = self.setup.points.min(from + count);
            let indexes: Vec<_> = (from..to).collect();
            self.describe(&indexes).await?;
            self.setup.described = to;
            let (points, now) = (&self.points, self.clock.now());
            let unknown = |index: usize| {
                let cause = points.get(index)?.node.as_ref().err()?;
                Some(Reading::fault(index, now, Quality::ADDRESS_UNKNOWN, cause.clone()))
            };
            let readings = indexes.into_iter().filter_map(unknown).collect();
            self.want_history(from..to);
            return Ok(self.collected(readings));
        }
        if self.setup.retry.is_some_and(|at| at <= Instant::now()) {
            self.setup.retry = None;
            self.setup.waiting.extend(std::mem::take(&mut self.setup.refused));
        }
        if self.setup.waiting.is_empty() {
            return Ok(self.collected(Vec::new()));
        }
        if self.setup.only_polls {
            self.poll_the_rest();
            return Ok(self.collected(Vec::new()));
        }
        let has_room = |s: &Subscription| s.items < ITEMS_PER_SUBSCRIPTION_MAX;
        if !self.setup.subscription.as_ref().is_some_and(has_room) {
            self.create_subscription().await?;
            return Ok(self.collected(Vec::new()));
        }
        let readings = self.create_items().await?;
        Ok(self.collected(readings))
    }

    fn poll_the_rest(&mut self) {
        let now = Instant::now();
        for index in std::mem::take(&mut self.setup.waiting) {
            self.poll_point(index, now);
        }
    }

    fn poll_point(&mut self, index: usize, now: Instant) {
        let interval = self.sampling(index);
        let interval = if interval.is_zero() { self.settings.publishing } else { interval };
        let Some(point) = self.points.get_mut(index) else { return };
        if point.node.is_ok() && !point.is_polled {
            point.is_polled = true;
            self.polls.add(index, interval, now);
        }
    }

    /// How often the server is to look at a point.
    fn sampling(&self, index: usize) -> Duration {
        let own = self.points.get(index).and_then(|point| point.address.sampling);
        let poll = || {
            let poll_ms = self.spec.points.get(index).and_then(|point| point.poll_ms);
            poll_ms.map(|ms| Duration::from_millis(ms.into()))
        };
        own.or_else(poll).unwrap_or(self.settings.sampling)
    }

    async fn create_subscription(&mut self) -> Result<(), Failure> {
        let interval = self.settings.publishing;
        let per = |time: Duration| {
            let count = time.as_nanos().div_ceil(interval.as_nanos().max(1));
            u32::try_from(count).unwrap_or(u32::MAX).max(1)
        };
        let keep_alive = per(self.settings.keep_alive);
        let lifetime = per(LIFETIME_MIN).max(keep_alive.saturating_mul(4));
        let request = CreateSubscription::new(&self.link.session)
            .publishing_interval(interval)
            .max_keep_alive_count(keep_alive)
            .max_lifetime_count(lifetime)
            .max_notifications_per_publish(NOTIFICATIONS_PER_REPORT_MAX);
        let created = match request.send(self.link.session.channel()).await {
            Ok(created) => created,
            Err(error) => {
                let failure = Failure::of("the server makes no subscription", &error);
                if failure.kind.ends_session() {
                    return Err(failure);
                }
                tracing::info!(device = %self.spec.device, cause = failure.cause, "values are read instead");
                self.setup.only_polls = true;
                return Ok(());
            }
        };
        let interval = Duration::try_from_secs_f64(created.revised_publishing_interval / 1000.0);
        let interval = interval.unwrap_or(self.settings.publishing);
        let silence = interval.saturating_mul(created.revised_max_keep_alive_count.max(1));
        self.setup.subscription = Some(Subscription { id: created.subscription_id, items: 0 });
        self.reports.expect(&self.link.session, silence, self.settings.timeout);
        Ok(())
    }

    async fn create_items(&mut self) -> Result<Vec<Reading>, Failure> {
        let Some(subscription) = &self.setup.subscription else { return Ok(Vec::new()) };
        let room = ITEMS_PER_SUBSCRIPTION_MAX - subscription.items.min(ITEMS_PER_SUBSCRIPTION_MAX);
        let count = self.link.limits.monitor.min(room).min(self.setup.waiting.len()).max(1);
        let id = subscription.id;
        let asked: Vec<usize> = self
            .setup
            .waiting
            .drain(..count)
            .filter(|i| self.points.get(*i).is_some_and(|p| p.node.is_ok()))
            .collect();
        let items: Vec<_> = asked.iter().filter_map(|index| self.item(*index)).collect();
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let request = CreateMonitoredItems::new(id, &self.link.session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .items_to_create(items);
        let created = match request.send(self.link.session.channel()).await {
            Ok(created) => created,
            Err(error) => return self.items_refused(&asked, &error).map(|()| Vec::new()),
        };
        let (now, instant) = (self.clock.now(), Instant::now());
        let mut readings = Vec::new();
        for (index, item) in asked.into_iter().zip(created.results) {
            let status = item.result.status_code;
            if !status.is_bad() {
                if let Some(subscription) = &mut self.setup.subscription {
                    subscription.items += 1;
                }
            } else if is_full(status) {
                self.poll_point(index, instant);
            } else if is_of_filter(status) && self.drop_deadband(index) {
                self.setup.waiting.push_back(index);
            } else {
                self.setup.refuse(index);
                readings.push(self.fault(index, now, status));
            }
        }
        Ok(readings)
    }

    /// The whole request was refused.
    fn items_refused(
        &mut self,
        asked: &[usize],
        error: &opcua::types::Error,
    ) -> Result<(), Failure> {
        let status = plain(error.status());
        if status == StatusCode::BadTooManyOperations && asked.len() > 1 {
            self.link.limits.monitor = asked.len() / 2;
            self.setup.waiting.extend(asked);
            return Ok(());
        }
        let failure = Failure::of("the server watches nothing", error);
        if failure.kind.ends_session() {
            return Err(failure);
        }
        let now = Instant::now();
        for index in asked {
            self.poll_point(*index, now);
        }
        Ok(())
    }

    fn item(&self, index: usize) -> Option<MonitoredItemCreateRequest> {
        let point = self.points.get(index)?;
        Some(MonitoredItemCreateRequest {
            item_to_monitor: point.read_id()?,
            monitoring_mode: MonitoringMode::Reporting,
            requested_parameters: MonitoringParameters {
                client_handle: u32::try_from(index).ok()?.checked_add(1)?,
                sampling_interval: self.sampling(index).as_secs_f64() * 1000.0,
                filter: self.filter(index),
                queue_size: point.address.queue_size.unwrap_or(self.settings.queue_size),
                discard_oldest: true,
            },
        })
    }

    fn filter(&self, index: usize) -> ExtensionObject {
        let Some(point) = self.points.get(index) else { return ExtensionObject::null() };
        let default = || {
            let suits = is_number(point.kind) && !point.without_deadband;
            if suits { self.settings.deadband } else { Deadband::None }
        };
        let deadband = point.address.deadband.unwrap_or_else(default);
        let (kind, value) = match deadband {
            Deadband::Absolute(value) => (DeadbandType::Absolute, value),
            Deadband::Percent(value) => (DeadbandType::Percent, value),
            Deadband::None => return ExtensionObject::null(),
        };
        if point.address.attribute != AttributeId::Value {
            return ExtensionObject::null();
        }
        ExtensionObject::from_message(DataChangeFilter {
            trigger: DataChangeTrigger::StatusValue,
            deadband_type: kind as u32,
            deadband_value: value,
        })
    }

    /// Leaves out a deadband that the point has from its device; says whether it had one.
    fn drop_deadband(&mut self, index: usize) -> bool {
        let Some(point) = self.points.get_mut(index) else { return false };
        let is_default =
            point.address.deadband.is_none() && self.settings.deadband != Deadband::None;
        is_default && !std::mem::replace(&mut point.without_deadband, true)
    }
}

fn is_number(kind: Kind) -> bool {
    use VariantScalarTypeId as Id;
    let Kind::Scalar(id) = kind else { return false };
    matches!(
        id,
        Id::SByte
            | Id::Byte
            | Id::Int16
            | Id::UInt16
            | Id::Int32
            | Id::UInt32
            | Id::Int64
            | Id::UInt64
            | Id::Float
            | Id::Double
    )
}

/// Whether the server has no room to watch a value that it would let be read.
fn is_full(status: StatusCode) -> bool {
    matches!(
        plain(status),
        StatusCode::BadTooManyMonitoredItems
            | StatusCode::BadTooManySubscriptions
            | StatusCode::BadMonitoringModeInvalid
            | StatusCode::BadServiceUnsupported
            | StatusCode::BadNotSupported
            | StatusCode::BadNotImplemented
            | StatusCode::BadOutOfMemory
            | StatusCode::BadResourceUnavailable
    )
}

fn is_of_filter(status: StatusCode) -> bool {
    matches!(
        plain(status),
        StatusCode::BadFilterNotAllowed
            | StatusCode::BadMonitoredItemFilterInvalid
            | StatusCode::BadMonitoredItemFilterUnsupported
            | StatusCode::BadDeadbandFilterInvalid
    )
}
