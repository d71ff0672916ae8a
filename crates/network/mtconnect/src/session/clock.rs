//! The agent's clock, where it is not ours.

use std::time::Duration;

use weir_connect::DriverError;
use weir_model::Timestamp;

use super::AgentSession;
use crate::agent::Index;
use crate::streams::{Header, Observation};

/// An agent's clock is taken as it is up to this; beyond, times are corrected by whole such
/// steps, so that the same observation gets the same time whenever it is asked for.
const CLOCK_STEP: i64 = 10_000_000_000;

/// An answer that took longer than this says little of the agent's clock.
const CLOCK_LATENCY_MAX: Duration = Duration::from_secs(3);

impl AgentSession {
    /// How much later the agent's clock was than ours when it answered.
    fn ahead(&self, header: &Header) -> Option<i64> {
        Some(header.created?.nanos().saturating_sub(self.clock.now().nanos()))
    }

    pub(super) fn measure_clock(&mut self, header: &Header) {
        let Some(ahead) = self.ahead(header) else { return };
        if self.agent.http.latency > CLOCK_LATENCY_MAX {
            return;
        }
        if ahead.saturating_sub(self.shift).saturating_abs() > CLOCK_STEP {
            self.shift = ahead.saturating_add(CLOCK_STEP / 2).div_euclid(CLOCK_STEP) * CLOCK_STEP;
            let ahead_s = self.shift / 1_000_000_000;
            let device = self.spec.label();
            tracing::warn!(device, ahead_s, "the agent's clock is off; its times are corrected");
        }
    }

    /// Notices that the agent's clock was set while it streams. A document that waited to be read looks
    /// as if the clock were behind, so an answer to a question decides; it is asked again only when the
    /// difference changes.
    pub(super) async fn watch_clock(&mut self, header: &Header) -> Result<(), DriverError> {
        let Some(ahead) = self.ahead(header) else { return Ok(()) };
        let off = ahead.saturating_sub(self.shift);
        if off.saturating_sub(self.lag).saturating_abs() <= CLOCK_STEP {
            return Ok(());
        }
        match self.agent.current(None, Some(&Index::default())).await {
            Ok((header, _)) => self.measure_clock(&header),
            Err(failure) => return Err(self.failed(failure, "current")),
        }
        self.lag = ahead.saturating_sub(self.shift);
        Ok(())
    }

    /// When something was observed, by our clock. What claims to be from the future (of an adapter whose
    /// clock is ahead, or from before the agent's was set back) is from now.
    pub(crate) fn time(&self, observation: &Observation) -> Timestamp {
        let now = self.clock.now();
        let time = observation.time.map(|time| time.saturating_add(self.shift.saturating_neg()));
        time.filter(|time| *time <= now.saturating_add(CLOCK_STEP)).unwrap_or(now)
    }
}
