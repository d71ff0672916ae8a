//! Whether a session is alive, and how far the server's clock is from ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opcua::client::services::Read;
use opcua::client::{Session, UARequest};
use opcua::types::{
    DateTime, NodeId, ReadResponse, ReadValueId, TimestampsToReturn, VariableId, Variant,
};
use tokio::sync::watch;
use tokio::time::Instant;
use weir_connect::{Clock, ErrorKind};
use weir_model::Timestamp;

use crate::status::{Failure, plain};

/// A server's clock may be this far from ours before its times are corrected, in nanoseconds: five seconds.
/// Below it, the difference may as well be the network's.
pub(crate) const CLOCK_OFF_MAX_NS: i64 = 5_000_000_000;

/// A correction may be this far from the offset before it is changed, in nanoseconds.
const CORRECTION_OFF_MAX_NS: i64 = 2_000_000_000;

const NS_PER_SECOND: i64 = 1_000_000_000;

#[derive(Debug, Clone)]
enum Phase {
    Opening,
    Open,
    Ended(Failure),
}

/// What is known of a session's life.
pub(crate) struct Pulse {
    phase: watch::Sender<Phase>,
    /// Counts the signs of life.
    beats: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    /// What is subtracted from the server's times, in nanoseconds.
    correction_ns: AtomicI64,
    latency_us: AtomicU64,
}

impl Pulse {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Opening),
            beats: watch::Sender::new(0),
            clock,
            correction_ns: AtomicI64::new(0),
            latency_us: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn open(&self) {
        self.phase.send_if_modified(|phase| {
            let is_opening = matches!(phase, Phase::Opening);
            if is_opening {
                *phase = Phase::Open;
            }
            is_opening
        });
    }

    /// Ends the session; the first reason stays.
    pub(crate) fn end(&self, failure: Failure) {
        self.phase.send_if_modified(|phase| {
            let goes_on = !matches!(phase, Phase::Ended(_));
            if goes_on {
                *phase = Phase::Ended(failure);
            }
            goes_on
        });
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        match &*self.phase.borrow() {
            Phase::Ended(failure) => Some(failure.clone()),
            _ => None,
        }
    }

    /// Resolves when the session is open or has ended.
    pub(super) async fn opened(&self) {
        // The sender lives in self, so that waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|phase| !matches!(phase, Phase::Opening)).await;
    }

    /// Resolves when the session has ended.
    pub(crate) async fn ended(&self) {
        let _ = self.phase.subscribe().wait_for(|phase| matches!(phase, Phase::Ended(_))).await;
    }

    pub(crate) fn beats(&self) -> watch::Receiver<u64> {
        self.beats.subscribe()
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_us.load(Relaxed))
    }

    /// What is subtracted from the server's times: nothing while its clock is about right, else whole seconds,
    /// so that one time of the server always becomes the same time here.
    pub(crate) fn correction_ns(&self) -> i64 {
        self.correction_ns.load(Relaxed)
    }

    fn beat(&self, latency: Duration, server: Option<DateTime>, middle: Timestamp) {
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.store(latency_us, Relaxed);
        if let Some(server) = server.and_then(nanos) {
            let before = self.correction_ns();
            let after = correction_ns(server.saturating_sub(middle.nanos()), before);
            if before != after {
                self.correction_ns.store(after, Relaxed);
                let seconds = after / NS_PER_SECOND;
                tracing::warn!(
                    seconds,
                    "the clock of an OPC UA server is ahead by this; its times are corrected"
                );
            }
        }
        self.beats.send_modify(|beats| *beats = beats.wrapping_add(1));
    }
}

/// The correction for an offset. The one before stays while it is about right, because a wavering one would
/// put samples out of order.
fn correction_ns(offset_ns: i64, before_ns: i64) -> i64 {
    if offset_ns.saturating_abs() <= CLOCK_OFF_MAX_NS {
        return 0;
    }
    if offset_ns.saturating_sub(before_ns).saturating_abs() <= CORRECTION_OFF_MAX_NS {
        return before_ns;
    }
    let half = if offset_ns > 0 { NS_PER_SECOND / 2 } else { -NS_PER_SECOND / 2 };
    offset_ns.saturating_add(half) / NS_PER_SECOND * NS_PER_SECOND
}

/// A time of the protocol in nanoseconds since 1970; none for none, and outside of 1677 to 2262.
pub(crate) fn nanos(time: DateTime) -> Option<i64> {
    if time.is_null() { None } else { time.as_chrono().timestamp_nanos_opt() }
}

/// Ends the session when the task that reads and writes for it is gone, for whatever reason.
pub(super) struct EndOnDrop(pub(super) Arc<Pulse>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let cause = "the connection was ended by a mistake of ours; the log has the details";
        self.0.end(Failure::new(ErrorKind::Protocol, cause));
    }
}

/// Asks the server at its interval whether it is there and what time it is.
pub(super) async fn watch(session: Arc<Session>, pulse: Arc<Pulse>, interval: Duration) {
    pulse.opened().await;
    loop {
        if let Err(failure) = ask(&session, &pulse).await {
            pulse.end(failure);
            return;
        }
        tokio::time::sleep(interval).await;
    }
}

/// One question; an answer of any kind is a sign of life.
pub(super) async fn ask(session: &Session, pulse: &Pulse) -> Result<(), Failure> {
    let question =
        [VariableId::Server_ServerStatus_State, VariableId::Server_ServerStatus_CurrentTime];
    let question = question.map(|id| ReadValueId::from(NodeId::from(id)));
    let (sent, at) = (pulse.now(), Instant::now());
    let request = Read::new(session)
        .nodes_to_read(question.to_vec())
        .timestamps_to_return(TimestampsToReturn::Neither);
    let answer = request.send(session.channel()).await;
    let latency = at.elapsed();
    let time = match answer {
        Ok(answer) => server_time(&answer),
        Err(error) => {
            let failure = Failure::of("the server does not answer", &error);
            let kinds = [ErrorKind::Timeout, ErrorKind::Disconnected, ErrorKind::Protocol];
            if kinds.contains(&failure.kind) {
                return Err(failure);
            }
            tracing::debug!(status = %plain(error.status()), "an OPC UA server does not tell its state");
            None
        }
    };
    let half = i64::try_from(latency.as_nanos() / 2).unwrap_or(0);
    pulse.beat(latency, time, sent.saturating_add(half));
    Ok(())
}

/// When the answer was sent, by the server's clock; else what the server says that the time is.
fn server_time(answer: &ReadResponse) -> Option<DateTime> {
    let sent = Some(answer.response_header.timestamp).filter(|time| !time.is_null());
    let told = || match answer.results.as_ref()?.get(1)?.value.as_ref()? {
        Variant::DateTime(time) => Some(**time),
        _ => None,
    };
    sent.or_else(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_corrected_by_whole_seconds() {
        const HOUR: i64 = 3_600_000_000_000;
        assert_eq!(correction_ns(0, 0), 0);
        assert_eq!(correction_ns(-4_900_000_000, 0), 0);
        assert_eq!(correction_ns(HOUR + 400_000, 0), HOUR);
        assert_eq!(correction_ns(HOUR - 400_000, 0), HOUR);
        assert_eq!(correction_ns(-HOUR - 400_000, 0), -HOUR);
        assert_eq!(correction_ns(HOUR - 900_000_000, HOUR), HOUR, "it does not waver");
        assert_eq!(correction_ns(HOUR - 3_000_000_000, HOUR), HOUR - 3_000_000_000);
        assert_eq!(correction_ns(1, HOUR), 0, "the clock was set right");
        for extreme in [i64::MIN, i64::MAX] {
            let _ = (correction_ns(extreme, 0), correction_ns(extreme, -extreme.saturating_neg()));
        }
    }

    #[tokio::test]
    async fn the_first_reason_for_an_end_stays() {
        let pulse = Pulse::new(Arc::new(weir_connect::SystemClock));
        assert!(pulse.failure().is_none());
        pulse.end(Failure::new(ErrorKind::Timeout, "first"));
        pulse.end(Failure::new(ErrorKind::Protocol, "second"));
        pulse.open();
        pulse.ended().await;
        assert_eq!(pulse.failure().unwrap().cause, "first");
    }
}
