//! An edge node as a host sees it: births, data, deaths, sequence numbers. No input and output here; messages
//! and time go in, events come out.

mod order;
mod samples;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tokio::time::Instant;
use weir_model::{Quality, Timestamp, Value};

use crate::catalogue::{Catalogue, Metric};
use crate::proto::{MetricValue, Payload};
use crate::topic::MessageKind;

use order::{Order, Placed};

/// Devices of one edge node.
const DEVICES_MAX: usize = 1000;

/// Between two requests for a rebirth. An edge node that is slow must not be asked ever more.
const REBIRTH_INTERVAL: Duration = Duration::from_secs(5);

/// A will may overtake a birth that was on its way when the connection broke: brokers keep order within a topic
/// only. A birth of the same session this short after its death does not count...
const OVERTAKEN_MAX: Duration = Duration::from_millis(250);

/// ...and if the edge node is there after all, it says so when it is asked this much later.
const OVERTAKEN_ASK: Duration = Duration::from_secs(2);

/// Times that the settings bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a message that is missing may take, while later ones wait for it.
    pub reorder: Duration,
    /// How long births may take to follow: of devices after their edge node's, and all after they were asked for.
    pub birth: Duration,
}

/// What an edge node says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A value.
    Sample(Sample),
    /// The edge node (none) or a device has said which metrics it has; samples of all follow.
    Born {
        /// Which device; none for the edge node itself.
        device: Option<Arc<str>>,
    },
    /// It is gone: what was known of its values no longer holds.
    Lost {
        /// Which device; none for the edge node with all its devices.
        device: Option<Arc<str>>,
        /// How that is known, for people.
        cause: String,
    },
    /// Ask the edge node for new births.
    Rebirth {
        /// Why, for people.
        cause: String,
    },
    /// A message that cannot be read or does not follow the standard, for the log.
    Odd {
        /// What is wrong, for people.
        cause: String,
    },
}

/// A value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The device; none for a metric of the edge node itself.
    pub device: Option<Arc<str>>,
    /// The metric; members of structures and columns of tables behind their names and a slash.
    pub metric: Arc<str>,
    /// When it was so, by our clock where the edge node's is off.
    pub time: Timestamp,
    /// The raw value, or the quality to store in its place and why.
    pub outcome: Result<Value, (Quality, String)>,
    /// The quality that was given with the value; good where none was.
    pub quality: Quality,
    /// Whether the edge node kept it from a time when it was cut off.
    pub historical: bool,
    /// Whether a birth said it: it holds now, whenever it came to be.
    pub of_birth: bool,
}

/// An edge node as a host sees it.
#[derive(Debug)]
pub struct EdgeNode {
    timing: Timing,
    /// The session, by its number where the edge node gives one; none before a birth and after a death.
    born: Option<Session>,
    own: Catalogue,
    devices: HashMap<Arc<str>, Device>,
    order: Order<Waiting>,
    /// When a rebirth was asked for last.
    asked: Option<Instant>,
    /// When to ask for one, and why.
    to_ask: Option<(Instant, String)>,
    /// Until when a birth must come, or the edge node counts as gone.
    suspect: Option<Instant>,
    died: Option<(Instant, Option<u64>)>,
    /// What our clock is ahead of the edge node's, in nanoseconds; 0 where they nearly agree.
    correction_ns: i64,
    /// Whether it was seen to write negative numbers of less than four bytes in their own width.
    narrow: bool,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    bd_seq: Option<u64>,
    /// When the edge node sent its birth, by its own clock.
    sent_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Device {
    online: bool,
    /// Until when its birth must follow the edge node's.
    expected: Option<Instant>,
    metrics: Catalogue,
}

#[derive(Debug)]
struct Waiting {
    kind: MessageKind,
    device: Option<Arc<str>>,
    payload: Payload,
    arrived: Timestamp,
}

impl EdgeNode {
    /// An edge node of which nothing is known.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            born: None,
            own: Catalogue::default(),
            devices: HashMap::new(),
            order: Order::default(),
            asked: None,
            to_ask: None,
            suspect: None,
            died: None,
            correction_ns: 0,
            narrow: false,
        }
    }

    /// Whether it has been born and has not died since.
    pub fn is_online(&self) -> bool {
        self.born.is_some()
    }

    /// What a birth said of a metric, of a device or of the edge node itself; none where it is not known, or
    /// not there at the moment.
    pub fn metric(&self, device: Option<&str>, name: &str) -> Option<&Metric> {
        self.catalogue(device)?.get(name)
    }

    /// The devices that are there.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<str>> {
        self.devices.iter().filter(|(_, device)| device.online).map(|(name, _)| name)
    }

    /// Names and metrics of a device or of the edge node itself, in no order.
    pub fn metrics(&self, device: Option<&str>) -> impl Iterator<Item = (&Arc<str>, &Metric)> {
        self.catalogue(device).into_iter().flat_map(Catalogue::iter)
    }

    /// Whether it writes negative numbers of less than four bytes in their own width.
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow
    }

    fn catalogue(&self, device: Option<&str>) -> Option<&Catalogue> {
        match device {
            None => self.born.map(|_| &self.own),
            Some(name) => self.devices.get(name).filter(|d| d.online).map(|device| &device.metrics),
        }
    }

    /// Takes a message about this edge node.
    pub fn take(
        &mut self,
        kind: MessageKind,
        device: Option<&str>,
        payload: &[u8],
        arrived: Timestamp,
        now: Instant,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let payload = match Payload::decode(payload) {
            Ok(payload) => payload,
            Err(error) => {
                let cause =
                    format!("a payload of {} bytes is not of Sparkplug B ({error})", payload.len());
                return vec![Event::Odd { cause }];
            }
        };
        let device: Option<Arc<str>> = device.map(Arc::from);
        match kind {
            MessageKind::NodeBirth => self.birth(&payload, arrived, now, &mut events),
            MessageKind::NodeDeath => self.death(&payload, now, &mut events),
            MessageKind::NodeCommand | MessageKind::DeviceCommand => {}
            kind => self.numbered(Waiting { kind, device, payload, arrived }, now, &mut events),
        }
        events
    }

    /// A host that has connected knows nothing and asks.
    pub fn ask(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        self.want_rebirth(now, "this host has just connected", &mut events);
        events
    }

    /// What is due by now.
    pub fn tick(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        if self.order.deadline(self.timing.reorder).is_some_and(|deadline| now >= deadline) {
            for waiting in self.order.give_up() {
                self.process(waiting, now, &mut events);
            }
            self.want_rebirth(now, "a message is missing", &mut events);
        }
        if self.suspect.is_some_and(|deadline| now >= deadline) {
            self.lose(
                "its death was announced, and it did not answer a request for a rebirth",
                now,
                &mut events,
            );
        }
        let overdue: Vec<_> = self
            .devices
            .iter_mut()
            .filter(|(_, device)| device.expected.is_some_and(|deadline| now >= deadline))
            .map(|(name, device)| {
                device.expected = None;
                device.online = false;
                Arc::clone(name)
            })
            .collect();
        for device in overdue {
            let cause = "its edge node was born anew, and it was not (no DBIRTH)".to_owned();
            events.push(Event::Lost { device: Some(device), cause });
        }
        if let Some((at, _)) = &self.to_ask
            && now >= *at
            && let Some((_, cause)) = self.to_ask.take()
        {
            self.asked = Some(now);
            events.push(Event::Rebirth { cause });
        }
        events
    }

    /// When [`EdgeNode::tick`] has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let devices = self.devices.values().filter_map(|device| device.expected);
        let others = [
            self.order.deadline(self.timing.reorder),
            self.suspect,
            self.to_ask.as_ref().map(|(at, _)| *at),
        ];
        devices.chain(others.into_iter().flatten()).min()
    }

    fn want_rebirth(&mut self, now: Instant, cause: &str, events: &mut Vec<Event>) {
        if self.to_ask.is_some() {
            return;
        }
        let earliest = self.asked.map_or(now, |asked| asked + REBIRTH_INTERVAL);
        if earliest > now {
            self.to_ask = Some((earliest, cause.to_owned()));
        } else {
            self.asked = Some(now);
            events.push(Event::Rebirth { cause: cause.to_owned() });
        }
    }

    fn birth(
        &mut self,
        payload: &Payload,
        arrived: Timestamp,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let bd_seq = bd_seq(payload);
        let overtaken = |(at, of): (Instant, Option<u64>)| {
            bd_seq.is_some() && of == bd_seq && now.saturating_duration_since(at) < OVERTAKEN_MAX
        };
        if self.born.is_none() && self.died.is_some_and(overtaken) {
            let cause = "a birth came behind the death of its session".to_owned();
            let allowed = self.asked.map_or(now, |asked| asked + REBIRTH_INTERVAL);
            self.to_ask.get_or_insert((allowed.max(now + OVERTAKEN_ASK), cause));
            return;
        }
        let Some(number) = number(payload) else {
            events.push(Event::Odd {
                cause: "an NBIRTH has no sequence number from 0 to 255".to_owned(),
            });
            return;
        };
        self.died = None;
        self.suspect = None;
        self.to_ask = None;
        self.born = Some(Session { bd_seq, sent_ms: payload.timestamp });
        self.own = Catalogue::of_birth(&payload.metrics);
        let expected = now + self.timing.birth;
        for device in self.devices.values_mut().filter(|device| device.online) {
            device.expected = Some(expected);
        }
        self.correct(payload, arrived);
        let sent_ms = payload.timestamp;
        self.order.begin(number, now, |waiting| waiting.payload.timestamp >= sent_ms);
        events.push(Event::Born { device: None });
        self.say(None, payload, arrived, true, now, events);
        self.follow(now, events);
    }

    fn death(&mut self, payload: &Payload, now: Instant, events: &mut Vec<Event>) {
        let of = bd_seq(payload);
        let Some(session) = self.born else {
            // Nothing is known of it, so there is nothing to lose; but a birth may be on its way.
            self.died = Some((now, of));
            return;
        };
        match (session.bd_seq, of) {
            (Some(ours), Some(of)) if ours != of => {
                // The will of a session before this one says nothing of this one. The will of a later one
                // says that we have missed its birth.
                let is_later = (1..128).contains(&(of.wrapping_sub(ours) & 0xFF));
                if is_later {
                    self.suspect.get_or_insert(now + self.timing.birth);
                    self.want_rebirth(now, "the death of another session was announced", events);
                }
            }
            _ => {
                self.lose("the edge node is offline (NDEATH)", now, events);
                self.died = Some((now, of));
            }
        }
    }

    fn lose(&mut self, cause: &str, now: Instant, events: &mut Vec<Event>) {
        let bd_seq = self.born.take().and_then(|session| session.bd_seq);
        self.died = Some((now, bd_seq));
        self.suspect = None;
        self.to_ask = None;
        self.order.end();
        for device in self.devices.values_mut() {
            device.online = false;
            device.expected = None;
        }
        events.push(Event::Lost { device: None, cause: cause.to_owned() });
    }

    fn numbered(&mut self, waiting: Waiting, now: Instant, events: &mut Vec<Event>) {
        let Some(number) = number(&waiting.payload) else {
            events.push(Event::Odd {
                cause: "a message has no sequence number from 0 to 255".to_owned(),
            });
            return;
        };
        if let (Some(Session { sent_ms: Some(born), .. }), Some(sent)) =
            (self.born, waiting.payload.timestamp)
            && sent < born
            && !self.order.is_next(number)
        {
            // It belongs to the count before the birth, which said all that holds now. (What is next in the
            // count may be old: history that the edge node had kept.)
            return;
        }
        match self.order.place(number, waiting, now) {
            Placed::Next(waiting) => {
                self.process(waiting, now, events);
                self.follow(now, events);
            }
            Placed::Held if self.born.is_none() => {
                self.want_rebirth(now, "a message came without a birth", events);
            }
            Placed::Held => {}
            Placed::Lost(_) => self.want_rebirth(now, "a message is out of order", events),
        }
    }

    fn follow(&mut self, now: Instant, events: &mut Vec<Event>) {
        while let Some(waiting) = self.order.follow(now) {
            self.process(waiting, now, events);
        }
    }

    fn process(&mut self, waiting: Waiting, now: Instant, events: &mut Vec<Event>) {
        let Waiting { kind, device, payload, arrived } = waiting;
        match (kind, device) {
            (MessageKind::NodeData, _) => self.say(None, &payload, arrived, false, now, events),
            (MessageKind::DeviceBirth, Some(name)) => {
                self.device_birth(name, &payload, arrived, now, events)
            }
            (MessageKind::DeviceData, Some(name)) => {
                if self.devices.get(&name).is_some_and(|device| device.online) {
                    self.say(Some(&name), &payload, arrived, false, now, events);
                } else {
                    self.want_rebirth(now, "data of a device came without its birth", events);
                }
            }
            (MessageKind::DeviceDeath, Some(name)) => {
                if let Some(device) = self.devices.get_mut(&name) {
                    device.online = false;
                    device.expected = None;
                }
                let cause = "the device is offline (DDEATH)".to_owned();
                events.push(Event::Lost { device: Some(name), cause });
            }
            _ => {}
        }
    }

    fn device_birth(
        &mut self,
        name: Arc<str>,
        payload: &Payload,
        arrived: Timestamp,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        if self.devices.len() >= DEVICES_MAX && !self.devices.contains_key(&name) {
            events.push(Event::Odd {
                cause: format!("more than {DEVICES_MAX} devices; {name} is left out"),
            });
            return;
        }
        let metrics = Catalogue::of_birth(&payload.metrics);
        self.devices.insert(Arc::clone(&name), Device { online: true, expected: None, metrics });
        events.push(Event::Born { device: Some(Arc::clone(&name)) });
        self.say(Some(&name), payload, arrived, true, now, events);
    }
}

/// The sequence number, 0 to 255.
fn number(payload: &Payload) -> Option<u8> {
    payload.seq.and_then(|number| u8::try_from(number).ok())
}

/// The number of a session, which its birth and its death name.
fn bd_seq(payload: &Payload) -> Option<u64> {
    let metric = payload.metrics.iter().find(|metric| metric.name.as_deref() == Some("bdSeq"))?;
    match metric.value {
        Some(MetricValue::Long(number)) => Some(number),
        Some(MetricValue::Int(number)) => Some(number.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
