//! A live connection: messages become readings, writes become messages.

mod history;
mod write;

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ring::digest::{SHA256, digest};
use tokio::time::{Instant, timeout_at};
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, RawWrite, Reading, Receipt, Session,
    Settled, hex,
};
use weir_model::{Quality, Value};

use crate::link::{Inside, Link, LinkError, Message, Opening, probe_name};
use crate::payload::Payload;
use crate::settings::{Place, Settings};
use crate::{PointAddress, topic};

use history::CatchUp;

/// Messages that are taken at once.
const MESSAGES_MAX: usize = 1000;

/// Readings of one piece of work; the points of one message more.
const READINGS_MAX: usize = 1000;

/// Payload of one piece of work in bytes, one message more. A number of an array takes about twelve times
/// the room of its text, and what the supervisor cannot hold it has to refuse.
const PAYLOAD_BYTES_MAX: usize = 512 * 1024;

/// Characters of a topic that are shown.
const TOPIC_CHARS_MAX: usize = 120;

pub(crate) struct MqttSession {
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    addresses: Vec<PointAddress>,
    by_topic: HashMap<String, Vec<usize>>,
    inside: Option<Inside>,
    link: Box<dyn Link>,
    stage: Stage,
    /// Messages that were taken and not yet collected.
    waiting: VecDeque<Message>,
    /// The value that each point had last.
    last: Vec<Option<Value>>,
    catch_up: CatchUp,
}

/// How far a session has come. It begins under a name of its own: were it a test of a device that is running,
/// the broker would disconnect the running one for having the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Connected under a name of its own.
    Probing,
    /// Connected as the device.
    Connected,
    /// Subscribed, too.
    Subscribed,
}

impl MqttSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        settings: Settings,
        addresses: Vec<PointAddress>,
        inside: Option<Inside>,
    ) -> Result<Self, DriverError> {
        let clock = circumstances.clock;
        let mut by_topic: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, address) in addresses.iter().enumerate() {
            by_topic.entry(address.topic.clone()).or_default().push(index);
        }
        let named = settings.link.client_id.is_some() || settings.link.persistent;
        let is_outside = matches!(settings.link.place, Place::Outside(_));
        let (opening, stage) = if named && is_outside {
            let probe = Opening { tenant: Some(spec.tenant), ..Opening::probe(Arc::clone(&clock)) };
            (probe, Stage::Probing)
        } else {
            (device_opening(&spec, &settings, &clock), Stage::Connected)
        };
        let link = settings.link.open(opening, inside.as_ref()).await;
        let link = link.map_err(|error| error.at(spec.label(), settings.link.endpoint()))?;
        let last = vec![None; addresses.len()];
        let catch_up = CatchUp::default();
        let waiting = VecDeque::new();
        Ok(Self {
            spec,
            clock,
            settings,
            addresses,
            by_topic,
            inside,
            link,
            stage,
            waiting,
            last,
            catch_up,
        })
    }

    fn failed(&self, error: LinkError) -> DriverError {
        error.at(self.spec.label(), self.settings.link.endpoint())
    }

    /// Connects as the device and subscribes; what the broker refuses is a fault of its points.
    async fn begin(&mut self) -> Result<Collected, DriverError> {
        let since = Instant::now();
        if self.stage == Stage::Probing {
            let opening = device_opening(&self.spec, &self.settings, &self.clock);
            let link = self.settings.link.open(opening, self.inside.as_ref()).await;
            self.link = link.map_err(|error| self.failed(error))?;
            self.stage = Stage::Connected;
        }
        let points: Vec<usize> = (0..self.addresses.len()).collect();
        let readings = self.subscribe(&points).await?;
        self.catch_up = CatchUp::begin(self.link.resumed());
        self.stage = Stage::Subscribed;
        let more = self.link.is_waiting();
        Ok(Collected {
            readings,
            requests: 1,
            latency: since.elapsed(),
            more,
            ..Collected::default()
        })
    }

    /// Subscribes to the topics of points; faults are those of points that the broker refuses.
    async fn subscribe(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let filters = if self.settings.topics.is_empty() {
            let topics: HashSet<&str> = points
                .iter()
                .filter_map(|i| Some(self.addresses.get(*i)?.topic.as_str()))
                .collect();
            topics.into_iter().map(str::to_owned).collect()
        } else {
            self.settings.topics.clone()
        };
        let answers = self.link.subscribe(&filters, self.settings.qos).await;
        let answers = answers.map_err(|error| self.failed(error))?;
        let mut taken: Vec<&str> = Vec::new();
        let mut refused: Vec<(&str, String)> = Vec::new();
        for (filter, answer) in filters.iter().zip(answers) {
            match answer {
                Ok(()) => taken.push(filter),
                Err(reason) => refused.push((filter, reason)),
            }
        }
        Ok(self.refused(points, &taken, &refused))
    }

    fn refused(
        &self,
        points: &[usize],
        taken: &[&str],
        refused: &[(&str, String)],
    ) -> Vec<Reading> {
        if refused.is_empty() {
            return Vec::new();
        }
        let exact: HashSet<&str> = taken.iter().copied().collect();
        let wild: Vec<&str> =
            taken.iter().filter(|f| f.contains(['+', '#', '$'])).copied().collect();
        let reasons: HashMap<&str, &String> = refused.iter().map(|(f, r)| (*f, r)).collect();
        let now = self.clock.now();
        let fault = |index: &usize| {
            let topic = self.addresses.get(*index)?.topic.as_str();
            if exact.contains(topic)
                || wild.iter().any(|f| topic::matches(topic::unshared(f), topic))
            {
                return None;
            }
            let wild = || refused.iter().find(|(f, _)| topic::matches(topic::unshared(f), topic));
            let reason =
                reasons.get(topic).copied().or_else(|| wild().map(|(_, reason)| reason))?;
            let cause = format!("topic {}: {reason}", shown(topic));
            Some(Reading::fault(*index, now, Quality::CONFIGURATION_ERROR, cause))
        };
        points.iter().filter_map(fault).collect()
    }

    /// What has arrived, as readings.
    fn gather(&mut self) -> Result<Collected, DriverError> {
        if self.waiting.is_empty() {
            let taken = self.link.take(MESSAGES_MAX).map_err(|error| self.failed(error))?;
            self.waiting.extend(taken);
        }
        let mut collected = Collected::default();
        let mut receipts = Vec::new();
        let mut bytes = 0;
        while collected.readings.len() < READINGS_MAX && bytes < PAYLOAD_BYTES_MAX {
            let Some(mut message) = self.waiting.pop_front() else { break };
            bytes += message.payload.len();
            let readings = self.readings(&message);
            let late = self.catch_up.is_late(message.arrived, &readings);
            let begun = !collected.readings.is_empty();
            if begun && late != collected.backfill && !readings.is_empty() {
                // History and the present never share a batch.
                self.waiting.push_front(message);
                break;
            }
            match message.receipt.take() {
                Some(receipt) if readings.is_empty() => receipt.settle(Settled::Stored),
                Some(receipt) => receipts.push(receipt),
                None => {}
            }
            if !readings.is_empty() {
                collected.backfill = late;
            }
            for reading in readings {
                self.remember(&reading);
                collected.readings.push(reading);
            }
        }
        if !receipts.is_empty() {
            collected.receipt = Some(Receipt::new(move |settled| {
                receipts.into_iter().for_each(|receipt| receipt.settle(settled));
            }));
        }
        collected.more = !self.waiting.is_empty() || self.link.is_waiting();
        collected.missed = u32::try_from(self.link.missed()).unwrap_or(u32::MAX);
        Ok(collected)
    }

    /// What a message says of the points of its topic.
    fn readings(&self, message: &Message) -> Vec<Reading> {
        let Some(points) = self.by_topic.get(&*message.topic) else { return Vec::new() };
        let mut payload = Payload::new(&message.payload, message.arrived);
        let read = |index: &usize| {
            let (address, point) = (self.addresses.get(*index)?, self.spec.points.get(*index)?);
            Some(match payload.decode(address, point.data_type) {
                Ok(None) => return None,
                Ok(Some(decoded)) => Reading {
                    point: *index,
                    time: decoded.time,
                    outcome: Ok(decoded.value),
                    quality: decoded.quality,
                },
                Err(error) => {
                    let cause = format!("topic {}: {}", shown(&message.topic), error.cause);
                    Reading::fault(*index, message.arrived, error.quality, cause)
                }
            })
        };
        points.iter().filter_map(read).collect()
    }

    fn remember(&mut self, reading: &Reading) {
        if let (Ok(value), Some(last)) = (&reading.outcome, self.last.get_mut(reading.point)) {
            *last = Some(value.clone());
        }
    }
}

/// The connection that is the device: with its name, its session and its receipts.
fn device_opening(spec: &DeviceSpec, settings: &Settings, clock: &Arc<dyn Clock>) -> Opening {
    let named = || {
        let name = format!("{}:{}", spec.tenant, spec.device.to_string().to_ascii_lowercase());
        let hash = digest(&SHA256, name.as_bytes());
        format!("weir{}", hex(hash.as_ref().get(..8).unwrap_or_default()))
    };
    let client_id = match &settings.link.client_id {
        Some(client_id) => client_id.clone(),
        None if settings.link.persistent => named(),
        None => probe_name(),
    };
    Opening {
        client_id,
        persistent: settings.link.persistent,
        receipts: true,
        will: None,
        tenant: Some(spec.tenant),
        clock: Arc::clone(clock),
    }
}

/// A topic for people, its beginning where it is long.
pub(crate) fn shown(topic: &str) -> String {
    match topic.char_indices().nth(TOPIC_CHARS_MAX) {
        None => topic.to_owned(),
        Some((end, _)) => {
            format!("{}… ({} bytes)", topic.get(..end).unwrap_or_default(), topic.len())
        }
    }
}

/// A time-out for people.
fn within(time: Duration) -> String {
    format!("within {} ms", time.as_millis())
}

#[async_trait]
impl Session for MqttSession {
    fn peer(&self) -> String {
        self.settings.link.endpoint()
    }

    async fn due(&mut self) {
        if self.stage == Stage::Subscribed && self.waiting.is_empty() {
            self.link.ready().await;
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        if self.stage == Stage::Subscribed { self.gather() } else { self.begin().await }
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let deadline = Instant::now() + self.settings.link.timeout;
        let mut found: HashMap<usize, Reading> = HashMap::new();
        if self.stage != Stage::Subscribed {
            let refused = self.subscribe(points).await?;
            found.extend(refused.into_iter().map(|reading| (reading.point, reading)));
        }
        while !points.iter().all(|index| found.contains_key(index)) {
            if timeout_at(deadline, self.link.ready()).await.is_err() {
                break;
            }
            let taken = self.link.take(MESSAGES_MAX).map_err(|error| self.failed(error))?;
            for message in taken {
                for reading in self.readings(&message) {
                    self.remember(&reading);
                    found.insert(reading.point, reading);
                }
                if self.stage == Stage::Subscribed {
                    self.waiting.push_back(message);
                }
            }
        }
        let now = self.clock.now();
        let missing = |index: usize| {
            let topic = self.addresses.get(index).map(|a| shown(&a.topic)).unwrap_or_default();
            let time = within(self.settings.link.timeout);
            let cause = format!("topic {topic}: no message {time}, and none is retained");
            Reading::fault(index, now, Quality::WAITING, cause)
        };
        Ok(points.iter().map(|i| found.remove(i).unwrap_or_else(|| missing(*i))).collect())
    }

    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        self.write_point(point, raw).await
    }
}

impl Drop for MqttSession {
    fn drop(&mut self) {
        // Receipts of what was not collected say so to the link while it still stands.
        drop(mem::take(&mut self.waiting));
    }
}
