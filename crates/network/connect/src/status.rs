//! What a device is doing and why, and its counters.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use weir_model::{Identifier, Timestamp};

use crate::PeerCertificate;

/// The states of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// An attempt is under way, or the connection stands and nothing was read yet.
    Connecting,
    /// Everything asked for is read.
    Online,
    /// Connected, but some points fail or polls are missed; the reason names them.
    Degraded,
    /// The last attempt failed; the next one is due at `next_attempt`.
    BackingOff,
    /// Settings or addresses are wrong; it waits for a change of them.
    Misconfigured,
    /// Switched off by intent.
    Disabled,
    /// The supervisor has stopped, or the device's task ended by a mistake of ours.
    Stopped,
}

impl State {
    /// The state as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Online => "online",
            Self::Degraded => "degraded",
            Self::BackingOff => "backing_off",
            Self::Misconfigured => "misconfigured",
            Self::Disabled => "disabled",
            Self::Stopped => "stopped",
        }
    }

    const fn level(self) -> LogLevel {
        match self {
            Self::Connecting | Self::Online | Self::Stopped => LogLevel::Info,
            Self::Degraded | Self::Disabled => LogLevel::Warning,
            Self::BackingOff | Self::Misconfigured => LogLevel::Error,
        }
    }
}

/// What a device is doing.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeviceStatus {
    /// Which device.
    #[schema(value_type = String)]
    pub device: Identifier,
    /// Which revision of its spec runs.
    pub revision: u64,
    /// What it is doing.
    pub state: State,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// Since when it is in this state.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it tries again, while backing off.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
    /// What the device presented, where it backs off because its certificate is not trusted.
    pub certificate: Option<PeerCertificate>,
    /// How many points have no usable value.
    pub points_bad: usize,
    /// How many points it has.
    pub points: usize,
    /// What it did since it was first applied; kept over changes of its configuration.
    pub counters: Counters,
}

/// What a device did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Counters {
    /// Requests answered.
    pub reads: u64,
    /// Writes carried out.
    pub writes: u64,
    /// Failed attempts, lost connections and faults of points.
    pub errors: u64,
    /// Samples produced.
    pub samples: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Polls skipped because the device is slower than its interval.
    pub missed: u64,
    /// Samples that went through the spool.
    pub spooled: u64,
    /// Samples lost because queue or spool were full, or because the historian never takes them.
    pub dropped: u64,
    /// How long the device took to answer last.
    pub last_latency_ms: f64,
}

/// How delivery to the historian goes, for all devices together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeliveryStatus {
    /// Why the historian refuses right now, if it does.
    pub refusing: Option<String>,
    /// Batches in the spool.
    pub spooled_batches: u64,
    /// Samples in the spool.
    pub spooled_samples: u64,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// The spool's limit.
    pub spool_bytes_max: u64,
    /// Samples lost since the start: the spool was full or broken, or the historian never takes them.
    pub dropped_samples: u64,
    /// Damaged places found in the spool since the start; what was in them is lost.
    pub damaged: u64,
}

/// The live counters behind [`Counters`].
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) samples: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) missed: AtomicU64,
    pub(crate) spooled: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) last_latency_us: AtomicU64,
}

impl Meters {
    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            reads: self.reads.load(Relaxed),
            writes: self.writes.load(Relaxed),
            errors: self.errors.load(Relaxed),
            samples: self.samples.load(Relaxed),
            reconnects: self.connections.load(Relaxed).saturating_sub(1),
            missed: self.missed.load(Relaxed),
            spooled: self.spooled.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            last_latency_ms: self.last_latency_us.load(Relaxed) as f64 / 1000.0,
        }
    }

    pub(crate) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Relaxed);
    }
}

/// State and reason, written by the device's task and read by everybody.
#[derive(Debug)]
pub(crate) struct Board {
    entry: Mutex<Entry>,
    log: Arc<Log>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    pub(crate) since: Timestamp,
    pub(crate) next_attempt: Option<Timestamp>,
    pub(crate) points_bad: usize,
    pub(crate) certificate: Option<PeerCertificate>,
}

/// One line of a device's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LogLine {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// How grave it is.
    pub level: LogLevel,
    /// What happened, for people.
    pub text: String,
}

/// How grave a line of a device's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// As it should be.
    Info,
    /// Some points fail, or the device is switched off.
    Warning,
    /// The device is lost or set up wrongly.
    Error,
}

/// Most lines of a device's log: a night of a device that comes and goes.
const LOG_LINES_MAX: usize = 100;

/// What a device did lately, the newest last; kept over changes of its configuration.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<VecDeque<LogLine>>);

impl Log {
    /// Adds a line; one that says what the last one said only moves its time.
    pub(crate) fn add(&self, time: Timestamp, level: LogLevel, text: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = lines.back_mut()
            && last.text == text
        {
            last.time = time;
            return;
        }
        if lines.len() >= LOG_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(LogLine { time, level, text });
    }

    /// The lines, the newest first.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().cloned().collect()
    }
}

impl Board {
    pub(crate) fn new(now: Timestamp, log: Arc<Log>) -> Self {
        let entry = Entry {
            state: State::Connecting,
            reason: None,
            since: now,
            next_attempt: None,
            points_bad: 0,
            certificate: None,
        };
        Self { entry: Mutex::new(entry), log }
    }

    /// What happened lately, the newest first.
    pub(crate) fn log(&self) -> Vec<LogLine> {
        self.log.lines()
    }

    /// What the next board of the device goes on with.
    pub(crate) fn share_log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    fn lock(&self) -> MutexGuard<'_, Entry> {
        // An entry is replaced field by field without panics between, so it is whole even if a
        // holder of the lock panicked.
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self) -> Entry {
        self.lock().clone()
    }

    /// Sets state and reason; `since` moves only when the state changes. Says whether it did.
    pub(crate) fn set(
        &self,
        state: State,
        reason: Option<String>,
        next_attempt: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let mut entry = self.lock();
        let changed = entry.state != state;
        if changed {
            entry.state = state;
            entry.since = now;
        }
        let told = state == State::Connecting || (!changed && entry.reason == reason);
        entry.reason = reason;
        entry.next_attempt = next_attempt;
        if !told {
            let text = match &entry.reason {
                Some(reason) => format!("{}: {reason}", state.as_str()),
                None => state.as_str().to_owned(),
            };
            self.log.add(now, state.level(), text);
        }
        changed
    }

    pub(crate) fn set_certificate(&self, certificate: Option<PeerCertificate>) {
        self.lock().certificate = certificate;
    }

    pub(crate) fn set_points_bad(&self, bad: usize) {
        self.lock().points_bad = bad;
    }
}
