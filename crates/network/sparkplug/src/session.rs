//! A live connection: what the edge node says becomes readings, writes become commands.

mod write;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message as _;
use tokio::time::{Instant, sleep_until, timeout_at};
use weir_connect::{
    Clock, Collected, DeviceSpec, DriverError, ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{Quality, Timestamp, Value};
use weir_mqtt::{Inside, Link, LinkError, Opening, Qos, probe_name};

use crate::PointAddress;
use crate::node::{EdgeNode, Event, Sample};
use crate::proto::{Metric, MetricValue, Payload};
use crate::settings::Settings;
use crate::state::HostState;
use crate::topic::{MessageKind, Topic, filters};
use crate::value::Type;

/// Messages that are taken at once. A birth has thousands of metrics.
const MESSAGES_MAX: usize = 100;

/// Readings of one piece of work.
const READINGS_MAX: usize = 1000;

/// Readings that may wait while births or the answer to a write are waited for.
const WAITING_MAX: usize = 100_000;

/// The edge node's own metrics, or a device's.
type Scope = Option<Arc<str>>;

pub(crate) struct SparkplugSession {
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    inside: Option<Inside>,
    addresses: Vec<PointAddress>,
    points: HashMap<Scope, HashMap<Arc<str>, Vec<usize>>>,
    link: Box<dyn Link>,
    stage: Stage,
    node: EdgeNode,
    /// What this host says of itself, where edge nodes wait for it.
    host: Option<HostState>,
    /// What the edge node has said, and is not collected yet.
    said: VecDeque<Reading>,
    /// The same, of the time when it was cut off.
    history: VecDeque<Reading>,
    /// The value that each point had last.
    last: Vec<Option<Value>>,
    /// When what was known of each scope was last lost; what a birth says holds later.
    lost: HashMap<Scope, Timestamp>,
    begun: Timestamp,
    /// Messages for the host's own STATE topic, or commands, that are to be published.
    outgoing: VecDeque<(String, Bytes, Qos, bool)>,
}

/// How far a session has come. A test must neither take a running device's name nor speak for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Connected under a name of its own, without a will.
    Probing,
    /// Connected as the device.
    Connected,
    /// Subscribed, too.
    Subscribed,
}

impl SparkplugSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        addresses: Vec<PointAddress>,
        inside: Option<Inside>,
    ) -> Result<Self, DriverError> {
        let mut points: HashMap<Scope, HashMap<Arc<str>, Vec<usize>>> = HashMap::new();
        for (index, address) in addresses.iter().enumerate() {
            let scope = points.entry(address.device.as_deref().map(Arc::from)).or_default();
            scope.entry(address.metric.as_str().into()).or_default().push(index);
        }
        let is_named = settings.link.client_id.is_some() || settings.primary.is_some();
        let stage = if is_named { Stage::Probing } else { Stage::Connected };
        let opening = Opening { tenant: Some(spec.tenant), ..Opening::probe(Arc::clone(&clock)) };
        let link = settings.link.open(opening, inside.as_ref()).await;
        let link = link.map_err(|error| error.at(spec.label(), settings.place()))?;
        let begun = clock.now();
        Ok(Self {
            node: EdgeNode::new(settings.timing),
            last: vec![None; addresses.len()],
            host: None,
            said: VecDeque::new(),
            history: VecDeque::new(),
            lost: HashMap::new(),
            outgoing: VecDeque::new(),
            spec,
            clock,
            settings,
            inside,
            addresses,
            points,
            link,
            stage,
            begun,
        })
    }

    fn failed(&self, error: LinkError) -> DriverError {
        error.at(self.spec.label(), self.settings.place())
    }

    /// Connects as the device where that is still to be done, subscribes, says that the host is there, asks for
    /// births, and waits for them.
    async fn begin(&mut self, as_device: bool) -> Result<(), DriverError> {
        if self.stage == Stage::Probing && as_device {
            self.open_as_device().await?;
        }
        let mut filters = filters(&self.settings.group, &self.settings.edge_node);
        filters.extend(self.host.as_ref().map(|host| host.topic.clone()));
        let answers = self.link.subscribe(&filters, Qos::AtLeastOnce).await;
        let answers = answers.map_err(|error| self.failed(error))?;
        for (filter, answer) in filters.iter().zip(answers) {
            if let Err(reason) = answer {
                let error =
                    LinkError::new(ErrorKind::Rejected, format!("subscribe to {filter}: {reason}"));
                return Err(self.failed(error));
            }
        }
        self.stage = Stage::Subscribed;
        if let Some(host) = &self.host {
            self.outgoing.push_back((
                host.topic.clone(),
                host.payload(true),
                Qos::AtLeastOnce,
                true,
            ));
        }
        let events = self.node.ask(Instant::now());
        self.take_events(events);
        self.await_births().await
    }

    async fn open_as_device(&mut self) -> Result<(), DriverError> {
        let now_ms = self.clock.now().nanos() / 1_000_000;
        let host = self.settings.primary.as_ref();
        self.host = host.map(|(host, style)| HostState::new(host, *style, now_ms));
        let opening = Opening {
            client_id: self.settings.link.client_id.clone().unwrap_or_else(probe_name),
            will: self.host.as_ref().map(HostState::will),
            tenant: Some(self.spec.tenant),
            ..Opening::probe(Arc::clone(&self.clock))
        };
        let link = self.settings.link.open(opening, self.inside.as_ref()).await;
        self.link = link.map_err(|error| self.failed(error))?;
        self.stage = Stage::Connected;
        Ok(())
    }

    /// Waits for births, until each point's metric is there or the time is over; then says who is missing.
    async fn await_births(&mut self) -> Result<(), DriverError> {
        let deadline = Instant::now() + self.settings.timing.birth;
        self.speak().await?;
        while !self.is_born() && self.waiting() < WAITING_MAX {
            if timeout_at(deadline, self.something()).await.is_err() {
                break;
            }
            self.advance().await?;
        }
        if self.node.is_online() {
            let scopes: Vec<Scope> = self.points.keys().cloned().collect();
            for scope in scopes {
                if scope
                    .as_deref()
                    .is_some_and(|device| !self.node.devices().any(|d| **d == *device))
                {
                    let cause = "the device is not there (no DBIRTH); is its name right?";
                    self.lose_scope(&scope, Quality::NO_COMMUNICATION, cause);
                }
            }
        } else {
            let time = self.settings.timing.birth.as_millis();
            let cause = format!(
                "the edge node is not there: it did not answer a request for a rebirth within {time} ms"
            );
            self.lose_all(Quality::NO_COMMUNICATION, &cause);
        }
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.said.len() + self.history.len()
    }

    /// Whether all that points need has been born.
    fn is_born(&self) -> bool {
        let there = |scope: &Scope| match scope {
            None => true,
            Some(device) => self.node.devices().any(|d| d == device),
        };
        self.node.is_online() && self.points.keys().all(there)
    }

    /// Waits until there is something to do. May be dropped at any time.
    async fn something(&mut self) {
        match self.node.deadline() {
            None => self.link.ready().await,
            Some(deadline) => {
                tokio::select! {
                    () = self.link.ready() => {}
                    () = sleep_until(deadline) => {}
                }
            }
        }
    }

    /// Takes what has arrived and what is due, and says what is to be said.
    async fn advance(&mut self) -> Result<(), DriverError> {
        let messages = self.link.take(MESSAGES_MAX).map_err(|error| self.failed(error))?;
        for message in messages {
            self.take_message(&message.topic, &message.payload, message.arrived);
        }
        let events = self.node.tick(Instant::now());
        self.take_events(events);
        self.speak().await
    }

    fn take_message(&mut self, topic: &str, payload: &[u8], arrived: Timestamp) {
        if let Some(host) = self.host.as_ref().filter(|host| host.topic == topic) {
            if host.is_denied_by(payload) {
                let again = (host.topic.clone(), host.payload(true), Qos::AtLeastOnce, true);
                self.outgoing.push_back(again);
            }
            return;
        }
        let Some(topic) = Topic::parse(topic) else { return };
        if topic.group != self.settings.group || topic.edge_node != self.settings.edge_node {
            return;
        }
        let events = self.node.take(topic.kind, topic.device, payload, arrived, Instant::now());
        self.take_events(events);
    }

    fn take_events(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Sample(sample) => self.take_sample(sample),
                Event::Born { device } => self.take_birth(device),
                Event::Lost { device: None, cause } => {
                    self.lose_all(Quality::NO_COMMUNICATION, &cause)
                }
                Event::Lost { device, cause } => {
                    self.lose_scope(&device, Quality::NO_COMMUNICATION, &cause)
                }
                Event::Rebirth { cause } => {
                    tracing::debug!(device = %self.spec.device, cause, "a rebirth is asked for");
                    self.outgoing.push_back(rebirth(&self.settings, self.clock.now()));
                }
                Event::Odd { cause } => {
                    tracing::warn!(device = %self.spec.device, cause, "an edge node sent what is not understood");
                }
            }
        }
    }

    /// Points whose metric a birth does not name have a wrong address.
    fn take_birth(&mut self, scope: Scope) {
        let now = self.clock.now();
        let Some(points) = self.points.get(&scope) else { return };
        for (metric, indexes) in points {
            if self.node.metric(scope.as_deref(), metric).is_none() {
                for index in indexes {
                    let told =
                        self.addresses.get(*index).map(PointAddress::told).unwrap_or_default();
                    let cause = format!("{told}: the birth names no such metric");
                    self.said.push_back(Reading::fault(
                        *index,
                        now,
                        Quality::ADDRESS_UNKNOWN,
                        cause,
                    ));
                }
            }
        }
    }

    fn take_sample(&mut self, sample: Sample) {
        let Some(indexes) =
            self.points.get(&sample.device).and_then(|points| points.get(&sample.metric))
        else {
            return;
        };
        let lost = self.lost.get(&sample.device).copied().unwrap_or(self.begun);
        let time =
            if sample.of_birth && !sample.historical { sample.time.max(lost) } else { sample.time };
        for index in indexes {
            let reading = match &sample.outcome {
                Ok(value) => Reading {
                    point: *index,
                    time,
                    outcome: Ok(value.clone()),
                    quality: sample.quality,
                },
                Err((quality, cause)) => {
                    let told =
                        self.addresses.get(*index).map(PointAddress::told).unwrap_or_default();
                    Reading::fault(*index, time, *quality, format!("{told}: {cause}"))
                }
            };
            if sample.historical {
                self.history.push_back(reading);
                continue;
            }
            if let (Ok(value), Some(last)) = (&sample.outcome, self.last.get_mut(*index)) {
                *last = Some(value.clone());
            }
            self.said.push_back(reading);
        }
    }

    fn lose_all(&mut self, quality: Quality, cause: &str) {
        let scopes: Vec<Scope> = self.points.keys().cloned().collect();
        for scope in scopes {
            self.lose_scope(&scope, quality, cause);
        }
    }

    fn lose_scope(&mut self, scope: &Scope, quality: Quality, cause: &str) {
        let now = self.clock.now();
        self.lost.insert(scope.clone(), now.saturating_add(1));
        let Some(points) = self.points.get(scope) else { return };
        for index in points.values().flatten() {
            if let Some(last) = self.last.get_mut(*index) {
                *last = None;
            }
            self.said.push_back(Reading::fault(*index, now, quality, cause.to_owned()));
        }
    }

    /// Publishes what is to be said.
    async fn speak(&mut self) -> Result<(), DriverError> {
        while let Some((topic, payload, qos, retain)) = self.outgoing.pop_front() {
            let said = self.link.publish(&topic, payload, qos, retain).await;
            said.map_err(|error| {
                let cause = format!("publish to {topic}: {}", error.cause);
                self.failed(LinkError { cause, ..error })
            })?;
        }
        Ok(())
    }

    /// What was said and is not collected yet; history and the present never share a batch.
    fn drain(&mut self) -> Collected {
        let backfill = self.said.is_empty() && !self.history.is_empty();
        let from = if backfill { &mut self.history } else { &mut self.said };
        let count = from.len().min(READINGS_MAX);
        let readings = from.drain(..count).collect();
        let more = !self.said.is_empty() || !self.history.is_empty() || self.link.is_waiting();
        let missed = u32::try_from(self.link.missed()).unwrap_or(u32::MAX);
        Collected { readings, backfill, more, missed, ..Collected::default() }
    }
}

/// A request for new births (6.4.24): the command `Node Control/Rebirth`.
pub(crate) fn rebirth(settings: &Settings, now: Timestamp) -> (String, Bytes, Qos, bool) {
    let timestamp = u64::try_from(now.nanos() / 1_000_000).ok();
    let metric = Metric {
        name: Some("Node Control/Rebirth".to_owned()),
        timestamp,
        datatype: Some(Type::Boolean.code()),
        value: Some(MetricValue::Boolean(true)),
        ..Metric::default()
    };
    let payload = Payload { timestamp, metrics: vec![metric], ..Payload::default() };
    let topic = Topic {
        group: &settings.group,
        kind: MessageKind::NodeCommand,
        edge_node: &settings.edge_node,
        device: None,
    };
    (topic.to_string(), Bytes::from(payload.encode_to_vec()), Qos::AtMostOnce, false)
}

#[async_trait]
impl Session for SparkplugSession {
    fn peer(&self) -> String {
        self.settings.place()
    }

    async fn due(&mut self) {
        if self.stage == Stage::Subscribed && self.said.is_empty() && self.history.is_empty() {
            self.something().await;
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        if self.stage != Stage::Subscribed {
            let since = Instant::now();
            self.begin(true).await?;
            return Ok(Collected { requests: 1, latency: since.elapsed(), ..self.drain() });
        }
        if self.said.is_empty() && self.history.is_empty() {
            self.advance().await?;
        }
        Ok(self.drain())
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        if self.stage != Stage::Subscribed {
            self.begin(false).await?;
        }
        let mut found: HashMap<usize, Reading> = HashMap::new();
        for reading in &self.said {
            found.insert(reading.point, reading.clone());
        }
        let now = self.clock.now();
        let missing = |index: usize| {
            let told = self.addresses.get(index).map(PointAddress::told).unwrap_or_default();
            Reading::fault(
                index,
                now,
                Quality::WAITING,
                format!("{told}: the edge node said nothing of it"),
            )
        };
        Ok(points.iter().map(|i| found.remove(i).unwrap_or_else(|| missing(*i))).collect())
    }

    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        self.write_point(point, raw).await
    }
}
