//! A monitored item: what a client watches, how often it is sampled, what waits to be told
//! (OPC 10000-4, clause 5.13).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use opcua::types::{
    AttributeId, DataChangeFilter, DataChangeTrigger, DataValue, ExtensionObject,
    MonitoredItemNotification, MonitoringMode, NodeId, NumericRange, StatusCode,
    TimestampsToReturn,
};
use weir_model::{Sample, TagId, Timestamp, Value};

use crate::values::{data_value, ranged, stamped, value_bytes};

/// Most items that one item triggers: what a client needs that reads a whole machine at its signal.
pub(crate) const LINKS_MAX: usize = 1_000;

/// What an item watches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A tag's value: samples come as they are stored.
    Tag(TagId),
    /// Any other attribute: it is read when the item is sampled.
    Attribute(NodeId, AttributeId),
}

/// When a sample is told (OPC 10000-4, clause 7.22.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Filter {
    trigger: DataChangeTrigger,
    /// The change of a number that is not told.
    deadband: f64,
}

/// What a client asked an item to be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) client_handle: u32,
    pub(crate) timestamps: TimestampsToReturn,
    /// Zero: every sample.
    pub(crate) interval: Duration,
    pub(crate) filter: Filter,
    pub(crate) queue_size: u32,
    pub(crate) discard_oldest: bool,
}

impl Wish {
    /// Places in the queue, beyond the one that every item has.
    pub(crate) fn places(&self) -> usize {
        self.queue_size.saturating_sub(1) as usize
    }
}

/// A value that waits to be told.
#[derive(Debug, Clone, PartialEq)]
enum Waiting {
    Sample(Sample, Timestamp),
    Value(Box<DataValue>),
}

/// A monitored item.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: u32,
    pub(crate) source: Source,
    pub(crate) mode: MonitoringMode,
    range: NumericRange,
    wish: Wish,
    queue: VecDeque<Waiting>,
    /// Whether values were dropped since the client was told last.
    overflow: bool,
    /// What was queued last: the filter compares with it.
    last: Option<Waiting>,
    /// The newest sample that waits for the item's next sampling.
    pending: Option<(Sample, Timestamp)>,
    next_sampling: Instant,
    /// Items that are told when this one is.
    pub(crate) links: Vec<u32>,
    /// Whether the subscription lists it among those with something to tell.
    pub(crate) is_ready: bool,
    /// Whether the subscription lists it among those with a pending sample.
    pub(crate) is_pending: bool,
}

impl Filter {
    /// Changes of value or status, without a deadband.
    pub(crate) const DEFAULT: Self =
        Self { trigger: DataChangeTrigger::StatusValue, deadband: 0.0 };

    /// Reads a filter; the range is the tag's, for deadbands in percent.
    pub(crate) fn parse(
        filter: &ExtensionObject,
        range: Option<(f64, f64)>,
    ) -> Result<Self, StatusCode> {
        if filter.is_null() {
            return Ok(Self::DEFAULT);
        }
        let filter =
            filter.inner_as::<DataChangeFilter>().ok_or(StatusCode::BadFilterNotAllowed)?;
        let value = filter.deadband_value;
        let deadband = match filter.deadband_type {
            0 => 0.0,
            1 if value >= 0.0 && value.is_finite() => value,
            2 if (0.0..=100.0).contains(&value) => {
                let (low, high) = range.ok_or(StatusCode::BadMonitoredItemFilterUnsupported)?;
                (high - low).abs() * value / 100.0
            }
            _ => return Err(StatusCode::BadDeadbandFilterInvalid),
        };
        Ok(Self { trigger: filter.trigger, deadband })
    }

    fn passes(self, last: &Waiting, new: &Waiting) -> bool {
        match (last, new) {
            (Waiting::Sample(last, _), Waiting::Sample(new, _)) => {
                let status = last.quality != new.quality;
                match self.trigger {
                    DataChangeTrigger::Status => status,
                    DataChangeTrigger::StatusValue => status || self.differs(last, new),
                    DataChangeTrigger::StatusValueTimestamp => {
                        status || last.time != new.time || self.differs(last, new)
                    }
                }
            }
            (Waiting::Value(last), Waiting::Value(new)) => {
                last.status != new.status || last.value != new.value
            }
            _ => true,
        }
    }

    fn differs(self, last: &Sample, new: &Sample) -> bool {
        match (&last.value, &new.value) {
            (None, None) => false,
            (Some(last), Some(new)) => differ(last, new, self.deadband),
            _ => true,
        }
    }
}

fn differ(last: &Value, new: &Value, deadband: f64) -> bool {
    if last == new {
        return false;
    }
    if deadband == 0.0 {
        return true;
    }
    match (last, new) {
        (Value::Array(last), Value::Array(new)) => {
            last.len() != new.len()
                || last.iter().zip(new.iter()).any(|(last, new)| differ(last, new, deadband))
        }
        (last, new) => match (last.as_f64(), new.as_f64()) {
            // What is no number is outside of every deadband.
            (Some(last), Some(new)) => (last - new).abs() > deadband || (last - new).is_nan(),
            _ => true,
        },
    }
}

impl Item {
    pub(crate) fn new(
        id: u32,
        source: Source,
        range: NumericRange,
        mode: MonitoringMode,
        wish: Wish,
        now: Instant,
    ) -> Self {
        Self {
            id,
            source,
            mode,
            range,
            wish,
            queue: VecDeque::new(),
            overflow: false,
            last: None,
            pending: None,
            next_sampling: now,
            links: Vec::new(),
            is_ready: false,
            is_pending: false,
        }
    }

    /// Takes a sample that was stored. Samples before the newest one are history, not news.
    pub(crate) fn offer(&mut self, sample: Sample, arrival: Timestamp, now: Instant) {
        if self.mode == MonitoringMode::Disabled {
            return;
        }
        let newest = match (&self.pending, &self.last) {
            (Some((pending, _)), _) => Some(pending.time),
            (None, Some(Waiting::Sample(last, _))) => Some(last.time),
            _ => None,
        };
        if newest.is_some_and(|newest| sample.time < newest) {
            return;
        }
        // What was pending when the sampling was due is what a sampling would have seen.
        self.flush(now);
        if now >= self.next_sampling {
            self.take(Waiting::Sample(sample, arrival), now);
        } else {
            self.pending = Some((sample, arrival));
        }
    }

    /// Takes the pending sample if the item's sampling is due.
    pub(crate) fn flush(&mut self, now: Instant) {
        if now >= self.next_sampling
            && let Some((sample, arrival)) = self.pending.take()
        {
            self.take(Waiting::Sample(sample, arrival), now);
        }
    }

    /// Takes what a read of the attribute gave.
    pub(crate) fn offer_value(&mut self, value: DataValue, now: Instant) {
        if self.mode != MonitoringMode::Disabled {
            self.take(Waiting::Value(Box::new(value)), now);
        }
    }

    /// Whether an attribute is to be read now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.mode != MonitoringMode::Disabled && now >= self.next_sampling
    }

    fn take(&mut self, new: Waiting, now: Instant) {
        // Samplings keep their rhythm unless they fell behind.
        self.next_sampling += self.wish.interval;
        if self.next_sampling < now {
            self.next_sampling = now + self.wish.interval;
        }
        if self.last.as_ref().is_some_and(|last| !self.wish.filter.passes(last, &new)) {
            return;
        }
        self.last = Some(new.clone());
        self.enqueue(new);
    }

    fn enqueue(&mut self, new: Waiting) {
        if self.queue.len() >= self.wish.queue_size as usize {
            // A queue of one holds the newest value; nothing is said to be lost.
            self.overflow |= self.wish.queue_size > 1;
            if self.wish.discard_oldest {
                self.queue.pop_front();
            } else {
                self.queue.pop_back();
            }
        }
        self.queue.push_back(new);
    }

    /// Whether something waits to be told.
    pub(crate) fn has_news(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Places in its queue, beyond the one that every item has.
    pub(crate) fn places(&self) -> usize {
        self.wish.places()
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The next value to tell, with about the bytes that it takes.
    pub(crate) fn tell(&mut self) -> Option<(MonitoredItemNotification, usize)> {
        /// Info type `DataValue` with the overflow bit (OPC 10000-4, clause 7.39.1).
        const OVERFLOW: u32 = 0x480;
        // The mark is on the value beside the gap: the oldest, or the one that replaced others.
        let at_gap = self.wish.discard_oldest || self.queue.len() == 1;
        let waiting = self.queue.pop_front()?;
        let bytes = match &waiting {
            Waiting::Sample(sample, _) => value_bytes(sample.value.as_ref()),
            Waiting::Value(_) => 1_024,
        };
        let timestamps = self.wish.timestamps;
        let mut value = match waiting {
            Waiting::Sample(sample, arrival) => data_value(&sample, arrival, timestamps),
            Waiting::Value(value) => {
                let now = Timestamp::from_system(std::time::SystemTime::now());
                stamped(*value, timestamps, now)
            }
        };
        value = ranged(value, &self.range);
        if self.overflow && at_gap {
            self.overflow = false;
            let status = value.status.unwrap_or(StatusCode::Good).bits();
            value.status = Some(StatusCode::from(status | OVERFLOW));
        }
        Some((MonitoredItemNotification { client_handle: self.wish.client_handle, value }, bytes))
    }

    /// Changes what the client asked for.
    pub(crate) fn modify(&mut self, wish: Wish, now: Instant) {
        self.next_sampling = self.next_sampling.min(now + wish.interval);
        self.wish = wish;
        while self.queue.len() > self.wish.queue_size as usize {
            if self.wish.discard_oldest {
                self.queue.pop_front();
            } else {
                self.queue.pop_back();
            }
            self.overflow = self.wish.queue_size > 1;
        }
    }

    /// Switches it on or off. What waited is dropped with the switch to off; whoever switches it on
    /// again is told the newest value.
    pub(crate) fn set_mode(&mut self, mode: MonitoringMode) {
        self.mode = mode;
        if mode == MonitoringMode::Disabled {
            (self.last, self.pending, self.overflow) = (None, None, false);
            self.queue.clear();
        }
    }

    /// Tells the newest value again, to a client that has taken the subscription over.
    pub(crate) fn repeat(&mut self) {
        if self.queue.is_empty()
            && let Some(last) = self.last.clone()
        {
            self.queue.push_back(last);
        }
    }

    pub(crate) fn tag(&self) -> Option<TagId> {
        match self.source {
            Source::Tag(tag) => Some(tag),
            Source::Attribute(..) => None,
        }
    }
}
