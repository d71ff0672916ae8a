//! A subscription: monitored items whose news are published in a rhythm (OPC 10000-4, clause 5.14).
//! No clock and no connection here: time is passed in, messages are passed out.

pub(crate) mod item;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use opcua::types::{
    DataChangeNotification, DateTime, DiagnosticInfo, ExtensionObject, MonitoredItemNotification,
    MonitoringMode, NotificationMessage, StatusChangeNotification, StatusCode,
};

use item::Item;

/// Messages that are kept until the client says that it has them.
pub(crate) const UNACKNOWLEDGED_MAX: usize = 64;

/// About their bytes.
const UNACKNOWLEDGED_BYTES_MAX: usize = 2 << 20;

/// Most values in one message: a message stays well below what clients take.
pub(crate) const NOTIFICATIONS_MAX: usize = 10_000;

/// Bytes of values in one message.
const NOTIFICATION_BYTES_MAX: usize = 1 << 20;

/// Longest life of a subscription without a publish request: an hour. A client that comes back
/// later begins anew.
const LIFETIME_MAX: Duration = Duration::from_secs(3_600);

/// Longest silence: a lifetime is at least three of them (OPC 10000-4, clause 5.14.2).
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(LIFETIME_MAX.as_secs() / 3);

/// Longest publishing interval: a silence is at least one of them.
const INTERVAL_MAX: Duration = KEEP_ALIVE_MAX;

/// What a client asked a subscription to be, within bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rhythm {
    pub(crate) interval: Duration,
    pub(crate) lifetime: u32,
    pub(crate) keep_alive: u32,
    pub(crate) notifications_max: usize,
}

impl Rhythm {
    /// Brings wishes within bounds.
    pub(crate) fn revised(
        interval_ms: f64,
        lifetime: u32,
        keep_alive: u32,
        notifications_max: u32,
        interval_min: Duration,
    ) -> Self {
        let wished = Duration::try_from_secs_f64(interval_ms / 1e3).unwrap_or(interval_min);
        let interval = wished.clamp(interval_min, INTERVAL_MAX);
        let counts = |longest: Duration| {
            u32::try_from(longest.as_micros() / interval.as_micros().max(1)).unwrap_or(u32::MAX)
        };
        let keep_alive = match keep_alive {
            0 => 10,
            wished => wished,
        }
        .clamp(1, counts(KEEP_ALIVE_MAX).max(1));
        let lifetime = lifetime
            .min(counts(LIFETIME_MAX))
            // OPC 10000-4, clause 5.14.2: at least three times the keep-alive count.
            .max(keep_alive.saturating_mul(3));
        let notifications_max = match notifications_max as usize {
            0 => NOTIFICATIONS_MAX,
            wished => wished.min(NOTIFICATIONS_MAX),
        };
        Self { interval, lifetime, keep_alive, notifications_max }
    }
}

/// A subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) id: u32,
    pub(crate) enabled: bool,
    pub(crate) priority: u8,
    rhythm: Rhythm,
    items: BTreeMap<u32, Item>,
    /// Items with something to tell, the longest waiting first.
    ready: VecDeque<u32>,
    /// Items whose newest sample waits for their sampling.
    pending: Vec<u32>,
    /// Items whose attribute is read when they are sampled.
    polled: Vec<u32>,
    sequence: u32,
    next_cycle: Instant,
    /// Cycles without a message.
    silent: u32,
    /// Cycles without a publish request.
    lonely: u32,
    /// Whether a message is to be sent as soon as there is a publish request.
    late: bool,
    /// When it was served last, counted in messages of all subscriptions of the session.
    pub(crate) served: u64,
    /// Whether a message was sent at all.
    began: bool,
    /// Messages with about their bytes.
    unacknowledged: VecDeque<(NotificationMessage, usize)>,
    unacknowledged_bytes: usize,
}

/// What a cycle asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cycle {
    /// Nothing.
    Quiet,
    /// A message, by [`Subscription::message`], as soon as there is a publish request.
    Message,
    /// The subscription has outlived its client.
    Expired,
}

impl Subscription {
    pub(crate) fn new(id: u32, enabled: bool, priority: u8, rhythm: Rhythm, now: Instant) -> Self {
        Self {
            id,
            enabled,
            priority,
            rhythm,
            items: BTreeMap::new(),
            ready: VecDeque::new(),
            pending: Vec::new(),
            polled: Vec::new(),
            sequence: 1,
            next_cycle: now + rhythm.interval,
            silent: 0,
            lonely: 0,
            late: false,
            served: 0,
            began: false,
            unacknowledged: VecDeque::new(),
            unacknowledged_bytes: 0,
        }
    }

    pub(crate) fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    pub(crate) fn set_rhythm(&mut self, rhythm: Rhythm, priority: u8, now: Instant) {
        self.next_cycle = self.next_cycle.min(now + rhythm.interval);
        (self.rhythm, self.priority) = (rhythm, priority);
        self.touch();
    }

    /// A request named this subscription: its client lives.
    pub(crate) fn touch(&mut self) {
        self.lonely = 0;
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    pub(crate) fn item(&self, id: u32) -> Option<&Item> {
        self.items.get(&id)
    }

    pub(crate) fn add(&mut self, item: Item) {
        if item.tag().is_none() {
            self.polled.push(item.id);
        }
        self.items.insert(item.id, item);
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Item> {
        let item = self.items.remove(&id)?;
        // Most items are in none of the lists, and deleting many must not search them each time.
        if item.is_ready {
            self.ready.retain(|ready| *ready != id);
        }
        if item.is_pending {
            self.pending.retain(|pending| *pending != id);
        }
        if item.tag().is_none() {
            self.polled.retain(|polled| *polled != id);
        }
        Some(item)
    }

    /// Does something with an item, and lists it where it belongs afterwards.
    pub(crate) fn with<T>(&mut self, id: u32, act: impl FnOnce(&mut Item) -> T) -> Option<T> {
        let item = self.items.get_mut(&id)?;
        let result = act(item);
        if item.has_pending() && !item.is_pending {
            item.is_pending = true;
            self.pending.push(id);
        }
        let news = item.has_news() && item.mode == MonitoringMode::Reporting;
        if news && !item.is_ready {
            item.is_ready = true;
            self.ready.push_back(id);
            let links = item.links.clone();
            for link in links {
                self.triggered(link);
            }
        }
        Some(result)
    }

    /// An item is told because another one is.
    fn triggered(&mut self, id: u32) {
        if let Some(item) = self.items.get_mut(&id)
            && item.has_news()
            && !item.is_ready
        {
            item.is_ready = true;
            self.ready.push_back(id);
        }
    }

    /// Items whose attributes are to be read now.
    pub(crate) fn due(&self, now: Instant) -> Vec<u32> {
        let due = |id: &&u32| self.items.get(id).is_some_and(|item| item.is_due(now));
        self.polled.iter().filter(due).copied().collect()
    }

    pub(crate) fn next_cycle(&self) -> Instant {
        self.next_cycle
    }

    /// Whether a message is due.
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }

    /// The publishing interval has passed. `requested` says whether a publish request waits.
    pub(crate) fn cycle(&mut self, now: Instant, requested: bool) -> Cycle {
        self.next_cycle += self.rhythm.interval;
        if self.next_cycle <= now {
            self.next_cycle = now + self.rhythm.interval;
        }
        for id in std::mem::take(&mut self.pending) {
            self.with(id, |item| {
                item.is_pending = false;
                item.flush(now);
            });
        }
        if requested {
            self.lonely = 0;
        } else {
            self.lonely += 1;
            if self.lonely >= self.rhythm.lifetime {
                return Cycle::Expired;
            }
        }
        self.silent += 1;
        let news = self.enabled && !self.ready.is_empty();
        let silence_is_long = self.silent >= self.rhythm.keep_alive || !self.began;
        if news || silence_is_long || self.late {
            self.late = true;
            return Cycle::Message;
        }
        Cycle::Quiet
    }

    /// The next message: news, or that there are none. Whether more news wait.
    pub(crate) fn message(&mut self, time: DateTime) -> (NotificationMessage, bool) {
        (self.silent, self.late, self.began) = (0, false, true);
        let (values, bytes) = if self.enabled { self.news() } else { (Vec::new(), 0) };
        let more = self.enabled && !self.ready.is_empty();
        if values.is_empty() {
            let message = NotificationMessage {
                sequence_number: self.sequence,
                publish_time: time,
                notification_data: None,
            };
            return (message, false);
        }
        let data = DataChangeNotification { monitored_items: Some(values), diagnostic_infos: None };
        let message = NotificationMessage {
            sequence_number: self.sequence,
            publish_time: time,
            notification_data: Some(vec![ExtensionObject::from_message(data)]),
        };
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.unacknowledged.push_back((message.clone(), bytes));
        self.unacknowledged_bytes += bytes;
        while self.unacknowledged.len() > UNACKNOWLEDGED_MAX
            || self.unacknowledged_bytes > UNACKNOWLEDGED_BYTES_MAX
        {
            let Some((_, bytes)) = self.unacknowledged.pop_front() else { break };
            self.unacknowledged_bytes -= bytes;
        }
        // What did not fit follows with the next publish request, not with the next cycle.
        self.late = more;
        (message, more)
    }

    /// What there is to tell, with about its bytes.
    fn news(&mut self) -> (Vec<MonitoredItemNotification>, usize) {
        let (mut values, mut bytes) = (Vec::new(), 0);
        while let Some(id) = self.ready.front().copied() {
            let Some(item) = self.items.get_mut(&id) else {
                self.ready.pop_front();
                continue;
            };
            while values.len() < self.rhythm.notifications_max && bytes < NOTIFICATION_BYTES_MAX {
                let Some((value, size)) = item.tell() else { break };
                values.push(value);
                bytes += size;
            }
            if item.has_news() {
                break;
            }
            item.is_ready = false;
            self.ready.pop_front();
        }
        (values, bytes)
    }

    /// What a client is told whose subscription ended.
    pub(crate) fn farewell(&self, status: StatusCode, time: DateTime) -> NotificationMessage {
        let data = StatusChangeNotification { status, diagnostic_info: DiagnosticInfo::default() };
        NotificationMessage {
            sequence_number: self.sequence,
            publish_time: time,
            notification_data: Some(vec![ExtensionObject::from_message(data)]),
        }
    }

    /// The client has a message.
    pub(crate) fn acknowledge(&mut self, sequence: u32) -> StatusCode {
        let is_it =
            |(message, _): &(NotificationMessage, usize)| message.sequence_number == sequence;
        let known = self.unacknowledged.iter().position(is_it);
        match known.and_then(|at| self.unacknowledged.remove(at)) {
            Some((_, bytes)) => {
                self.unacknowledged_bytes -= bytes;
                StatusCode::Good
            }
            None => StatusCode::BadSequenceNumberUnknown,
        }
    }

    /// A message once more.
    pub(crate) fn again(&self, sequence: u32) -> Option<NotificationMessage> {
        self.messages().find(|message| message.sequence_number == sequence).cloned()
    }

    pub(crate) fn available(&self) -> Vec<u32> {
        self.messages().map(|message| message.sequence_number).collect()
    }

    fn messages(&self) -> impl Iterator<Item = &NotificationMessage> {
        self.unacknowledged.iter().map(|(message, _)| message)
    }

    /// Tells every item's newest value again.
    pub(crate) fn repeat(&mut self) {
        let ids: Vec<u32> = self.items.keys().copied().collect();
        for id in ids {
            self.with(id, Item::repeat);
        }
    }
}

#[cfg(test)]
mod tests;
