//! A connection to one device: what is asked, when, and what comes back.

mod call;
mod history;
mod points;
mod polls;
mod reports;
mod stamp;
mod subscribe;
mod write;

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use opcua::types::{DataValue, StatusCode, TimestampsToReturn};
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, ErrorKind, Fault, RawWrite, Reading,
    Session,
};
use weir_model::{Quality, Timestamp, Value};

use self::history::History;
use self::points::PointState;
use self::polls::Polls;
use self::reports::{Change, Reports};
use self::subscribe::Setup;
use crate::identity::Identities;
use crate::kinds::Kinds;
use crate::link::Link;
use crate::status::{Failure, told};
use crate::structures::Structures;
use crate::value::{Unusable, Want, to_value};
use crate::{PointAddress, Settings};

/// Most readings of one piece of work.
const READINGS_MAX: usize = 1000;

/// A live connection to one server.
pub(crate) struct OpcUaSession {
    spec: Arc<DeviceSpec>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    link: Link,
    points: Vec<PointState>,
    kinds: Kinds,
    structures: Option<Arc<Structures>>,
    structures_asked: bool,
    /// When the session began: an older time of a first value says that the value still holds.
    opened: Timestamp,
    setup: Setup,
    reports: Reports,
    /// What the server has reported and nobody has collected.
    held: VecDeque<Change>,
    polls: Polls,
    history: History,
    beats: watch::Receiver<u64>,
    /// Reports and all other work take turns.
    turn: bool,
}

impl OpcUaSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        settings: Settings,
        addresses: Vec<PointAddress>,
        identities: &Identities,
    ) -> Result<Self, DriverError> {
        let Circumstances { clock, since } = circumstances;
        let opened = Link::open(&settings, identities, Arc::clone(&clock)).await;
        let link = opened.map_err(|refused| refused.told(&spec.label(), &settings))?;
        let points: Vec<_> = addresses
            .into_iter()
            .map(|address| PointState::new(address, &link.namespaces))
            .collect();
        let opened = clock.now();
        Ok(Self {
            setup: Setup::new(points.len()),
            reports: Reports::new(Arc::clone(&link.pulse)),
            history: History::new(since, opened),
            beats: link.pulse.beats(),
            spec,
            settings,
            clock,
            link,
            points,
            kinds: Kinds::default(),
            structures: None,
            structures_asked: false,
            opened,
            held: VecDeque::new(),
            polls: Polls::default(),
            turn: false,
        })
    }

    /// One piece of work.
    async fn step(&mut self) -> Result<Collected, Failure> {
        if let Some(report) = self.reports.take() {
            self.held.extend(report);
        }
        if self.held.is_empty()
            && let Some(failure) = self.link.failure()
        {
            return Err(failure);
        }
        self.turn = !self.turn;
        let due = Instant::now();
        let has_chore =
            !self.setup.is_idle(due) || self.polls.is_due(due) || self.history.is_wanted();
        if !self.held.is_empty() && (self.turn || !has_chore) {
            return Ok(self.drain());
        }
        if !self.setup.is_idle(due) {
            self.set_up().await
        } else if self.polls.is_due(due) {
            self.poll().await
        } else if self.history.is_wanted() {
            self.fetch_history().await
        } else {
            Ok(self.collected(Vec::new()))
        }
    }

    /// The next of what the server has reported.
    fn drain(&mut self) -> Collected {
        let count = self.held.len().min(READINGS_MAX);
        let changes: Vec<_> = self.held.drain(..count).collect();
        let readings = changes.into_iter().filter_map(|change| self.reported(change)).collect();
        self.collected(readings)
    }

    fn collected(&self, readings: Vec<Reading>) -> Collected {
        Collected {
            readings,
            requests: 1,
            latency: self.link.pulse.latency(),
            more: !self.held.is_empty() || self.reports.is_waiting(),
            ..Collected::default()
        }
    }

    fn reported(&mut self, change: Change) -> Option<Reading> {
        // The handle is one more than the point's index, because zero stands for none.
        let index = usize::try_from(change.handle).ok()?.checked_sub(1)?;
        self.points.get(index)?;
        Some(self.live(index, &change.value, change.arrival))
    }

    /// A value as it is now. The first one of a session may be older than the session: that it is so again is
    /// news, which a sample of its own time could not tell after one that says that the device was lost.
    fn live(&mut self, index: usize, value: &DataValue, arrival: Timestamp) -> Reading {
        let mut reading = self.reading(index, value, arrival);
        let Some(point) = self.points.get_mut(index) else { return reading };
        let is_old = reading.time < self.opened;
        let is_again = point.is_polled && point.newest.is_some_and(|newest| reading.time <= newest);
        if is_again || (is_old && point.newest.is_none()) {
            reading.time = arrival;
            point.moved_to = Some(arrival);
        } else if let Some(moved_to) = point.moved_to.filter(|at| !is_old && reading.time <= *at) {
            // It came after one whose time was moved, and must not seem older than that.
            reading.time = moved_to.saturating_add(1);
            point.moved_to = Some(reading.time);
        }
        point.newest = point.newest.max(Some(reading.time));
        reading
    }

    /// A value with the time and the quality that the source gave.
    fn reading(&self, index: usize, value: &DataValue, arrival: Timestamp) -> Reading {
        let time = stamp::time_of(value, arrival, self.link.pulse.correction_ns());
        let status = value.status.unwrap_or(StatusCode::Good);
        let quality = Quality::from_code(status.bits());
        let outcome = if quality.is_bad() {
            Err(Unusable { quality, cause: told(status) })
        } else {
            self.value_of(index, value)
        };
        match outcome {
            Ok(value) => Reading { point: index, time, outcome: Ok(value), quality },
            Err(Unusable { quality, cause }) => {
                let cause = format!("{}: {cause}", self.place(index));
                Reading { point: index, time, outcome: Err(Fault { quality, cause }), quality }
            }
        }
    }

    fn value_of(&self, index: usize, value: &DataValue) -> Result<Value, Unusable> {
        let (Some(point), Some(tag)) = (self.points.get(index), self.spec.points.get(index)) else {
            return Err(Unusable {
                quality: Quality::BAD,
                cause: "there is no such point".to_owned(),
            });
        };
        let Some(variant) = &value.value else {
            let cause = "the server has no value yet (null)".to_owned();
            return Err(Unusable { quality: Quality::WAITING, cause });
        };
        to_value(variant, point.want(tag.data_type), self.structures.as_deref())
    }

    /// What a point's own failure is, as a reading.
    fn fault(&self, index: usize, time: Timestamp, status: StatusCode) -> Reading {
        let cause = format!("{}: {}", self.place(index), told(status));
        Reading::fault(index, time, Quality::from_code(status.bits()), cause)
    }

    fn place(&self, index: usize) -> String {
        self.points.get(index).map_or_else(String::new, |point| point.address.place())
    }

    /// Reads points in as few requests as the server takes; each gets a reading.
    async fn read_now(&mut self, indexes: &[usize]) -> Result<Vec<(usize, DataValue)>, Failure> {
        self.describe(indexes).await?;
        let known: Vec<_> = indexes
            .iter()
            .copied()
            .filter(|i| self.points.get(*i).is_some_and(|p| p.node.is_ok()))
            .collect();
        let wanted: Vec<_> = known.iter().filter_map(|i| self.points.get(*i)?.read_id()).collect();
        let values = self.link.read(&wanted, TimestampsToReturn::Both).await?;
        Ok(known.into_iter().zip(values).collect())
    }

    /// A failure of the session as an error, with the reason for its end where there is a better one.
    fn lost(&self, failure: Failure) -> DriverError {
        let failure = match self.link.failure() {
            Some(better) if failure.kind.ends_session() => better,
            _ => failure,
        };
        DriverError::new(
            failure.kind,
            self.spec.label(),
            self.settings.url.to_string(),
            failure.cause,
        )
    }
}

impl PointState {
    fn want(&self, data_type: weir_model::DataType) -> Want<'_> {
        Want {
            data_type,
            is_enumeration: self.kind == crate::kinds::Kind::Enumeration,
            index: self.address.index.as_ref(),
            field: &self.address.field,
        }
    }
}

#[async_trait]
impl Session for OpcUaSession {
    fn peer(&self) -> String {
        format!("{}, {}", self.settings.url, self.settings.security())
    }

    async fn due(&mut self) {
        let now = Instant::now();
        let is_busy = !self.held.is_empty()
            || self.reports.is_waiting()
            || !self.setup.is_idle(now)
            || self.history.is_wanted();
        if is_busy {
            return;
        }
        let timers = [self.setup.next(), self.polls.next()];
        let timer = timers.into_iter().flatten().min();
        let timed = async {
            match timer {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.reports.arrive() => {}
            () = self.link.pulse.ended() => {}
            // The pulse outlives the wait, so this is a beat.
            _ = self.beats.changed() => {}
            () = timed => {}
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        match self.step().await {
            Ok(collected) => Ok(collected),
            // Whatever fails here is of the session; what is of a point is told in its reading.
            Err(failure) if !failure.kind.ends_session() => {
                Err(self.lost(Failure { kind: ErrorKind::Protocol, ..failure }))
            }
            Err(failure) => Err(self.lost(failure)),
        }
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let values = self.read_now(points).await.map_err(|failure| self.lost(failure))?;
        let now = self.clock.now();
        let mut readings: Vec<_> =
            values.iter().map(|(index, value)| self.reading(*index, value, now)).collect();
        for index in points {
            if let Some(Err(cause)) = self.points.get(*index).map(|point| &point.node) {
                readings.push(Reading::fault(*index, now, Quality::ADDRESS_UNKNOWN, cause.clone()));
            }
        }
        Ok(readings)
    }

    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        self.write_point(point, raw).await
    }

    async fn call(&mut self, method: &Json, arguments: &[Json]) -> Result<Vec<Json>, DriverError> {
        self.call_method(method, arguments).await
    }
}
