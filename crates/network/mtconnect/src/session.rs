//! A connection to one agent: what it streams, and where it goes on after a gap.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::StatusCode;
use tokio::time::{Instant, sleep_until};
use weir_connect::dial::Lookups;
use weir_connect::{
    Circumstances, Clock, Collected, DeviceSpec, DriverError, ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{DataType, Quality, Timestamp, Value};

use crate::agent::{Agent, Failure, Index, document, observations};
use crate::devices::Model;
use crate::history::History;
use crate::multipart::boundary;
use crate::streams::{Document, Header, Observation};
use crate::value::Fold;
use crate::{Part, PointAddress, Settings};

mod clock;
mod stream;

use stream::{Arrived, Streaming};

/// Observations of one answer. The standard's own default is 100.
pub(crate) const COUNT: u64 = 1000;

/// Readings that one collect hands over.
const READINGS_MAX: usize = 1000;

/// So much longer than a loss takes to be noticed goes what is read of the buffer behind what is stored.
const MARGIN: Duration = Duration::from_secs(60);

/// How often it is begun anew without a document that fits in between.
const BEGINNINGS_MAX: u32 = 4;

/// What was observed longer ago than this and arrives after a gap is late, and raises no alarm.
const LATE: i64 = 60_000_000_000;

/// A point, and the data item that it is.
pub(crate) struct Slot {
    pub(crate) point: usize,
    pub(crate) data_type: DataType,
    pub(crate) part: Part,
    /// What it is and how its observations are folded, or why there is no such data item.
    pub(crate) fold: Result<Fold, String>,
    address: PointAddress,
}

pub(crate) struct AgentSession {
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
    pub(crate) agent: Agent,
    pub(crate) slots: Vec<Slot>,
    pub(crate) index: Index,
    /// Which run of the agent the sequences are of.
    instance: u64,
    /// Since when the agent's data items are as they are, and whether the agent writes that rightly.
    model: Option<String>,
    is_model_believed: bool,
    /// The sequence of the next observation.
    next: u64,
    /// How much later the agent's clock is than ours, in nanoseconds.
    shift: i64,
    /// How much later than that the last document of the stream looked, because it had to wait.
    lag: i64,
    /// The newest time of what was told.
    newest: Option<Timestamp>,
    /// Whether what comes was kept by the agent over a gap.
    is_catching_up: bool,
    /// How often the agent's buffer ran over.
    overruns: u32,
    /// How often it was begun anew since the last document that fitted.
    beginnings: u32,
    pub(crate) stage: Stage,
    pending: VecDeque<(Vec<Reading>, bool)>,
    /// What is, to be told when what was is told: were the session to end in between, what is left of the
    /// history would not be asked for again.
    held: Vec<Reading>,
    requests_told: u32,
}

/// What is done next.
pub(crate) enum Stage {
    /// The agent's buffer is read for what was missed.
    History(History),
    /// A stream is asked for, not before this.
    Open(Instant),
    Streaming(Box<Streaming>),
    /// The agent gives no streams; it is asked at intervals.
    Polling(Instant),
}

impl AgentSession {
    pub(crate) async fn connect(
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
        settings: Settings,
        addresses: Vec<PointAddress>,
        lookups: Lookups,
    ) -> Result<Self, DriverError> {
        let slot = |(point, address): (usize, PointAddress)| Slot {
            point,
            data_type: spec.points.get(point).map_or(DataType::Text, |p| p.data_type),
            part: address.part,
            fold: Err("not looked up yet".to_owned()),
            address,
        };
        let slots = addresses.into_iter().enumerate().map(slot).collect();
        let mut session = Self {
            clock: circumstances.clock,
            agent: Agent::new(Arc::new(settings), lookups),
            spec,
            slots,
            index: Index::default(),
            instance: 0,
            model: None,
            is_model_believed: true,
            next: 0,
            shift: 0,
            lag: 0,
            newest: circumstances.since,
            is_catching_up: false,
            overruns: 0,
            beginnings: 0,
            stage: Stage::Open(Instant::now()),
            pending: VecDeque::new(),
            held: Vec::new(),
            requests_told: 0,
        };
        session.learn().await?;
        // What a loss has told came after it, and adapters tell with a delay.
        let Settings { heartbeat, interval, timeout, .. } = *session.agent.settings;
        let margin = heartbeat.max(interval) + timeout + MARGIN;
        let margin = i64::try_from(margin.as_nanos()).unwrap_or(i64::MAX);
        session.begin(circumstances.since.map(|since| since.saturating_add(-margin))).await?;
        Ok(session)
    }

    pub(crate) fn failed(&self, failure: Failure, request: &str) -> DriverError {
        failure.error(&self.spec.label(), self.agent.place(request))
    }

    /// Asks which data items there are, and finds those of the points.
    async fn learn(&mut self) -> Result<(), DriverError> {
        let model: Model = match self.agent.probe().await {
            Ok(model) => model,
            Err(failure) => return Err(self.failed(failure, "probe")),
        };
        let mut index: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.fold = model.find(&slot.address).map(|item| {
                index.entry(item.id.clone()).or_default().push(at);
                Fold::new(item)
            });
        }
        self.index = Arc::new(index);
        Ok(())
    }

    /// Starts from what the data items are now. What the buffer holds since then is read after it.
    async fn begin(&mut self, since: Option<Timestamp>) -> Result<Header, DriverError> {
        let index = Arc::clone(&self.index);
        let (mut header, mut found) = match self.agent.current(None, Some(&index)).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.failed(failure, "current")),
        };
        if self.instance != 0 && !self.is_same(&header) {
            // The agent was restarted or set up anew, perhaps with other machines.
            self.learn().await?;
            let index = Arc::clone(&self.index);
            (header, found) = match self.agent.current(None, Some(&index)).await {
                Ok(answer) => answer,
                Err(failure) => return Err(self.failed(failure, "current")),
            };
        }
        self.beginnings += 1;
        // An agent whose model changes with each answer writes something else there.
        let is_same_run = header.instance == self.instance;
        self.is_model_believed &= !is_same_run || self.beginnings < BEGINNINGS_MAX;
        if self.beginnings > BEGINNINGS_MAX {
            let cause = "the agent refuses the sequences that it told, or counts anew, again and again; is it one agent, or several behind one address?";
            let (label, place) = (self.spec.label(), self.agent.place("sample"));
            return Err(DriverError::new(ErrorKind::Protocol, label, place, cause));
        }
        self.measure_clock(&header);
        self.instance = header.instance;
        self.model.clone_from(&header.model);
        self.next = header.next;
        self.tell_all(header.first, found, since);
        self.is_catching_up = false;
        match since {
            Some(since) => self.stage = Stage::History(History::since(&header, since)),
            None => self.go_live(),
        }
        Ok(header)
    }

    /// Whether an answer is of the run and of the data items that are known.
    fn is_same(&self, header: &Header) -> bool {
        header.instance == self.instance && (header.model == self.model || !self.is_model_believed)
    }

    /// Tells what every point is now: at a first connection as of when it was observed, later as of now,
    /// which ends what a loss has told. Changes that the buffer no longer holds are told besides.
    fn tell_all(&mut self, first: u64, mut found: Vec<Observation>, since: Option<Timestamp>) {
        let now = self.clock.now();
        found.sort_by_key(|observation| observation.sequence);
        self.slots.iter_mut().flat_map(|slot| slot.fold.as_mut()).for_each(Fold::clear);
        let mut outcomes: Vec<Option<(Reading, u64)>> = vec![None; self.slots.len()];
        for observation in &found {
            let time = self.time(observation);
            for (at, reading) in self.fold(observation, time) {
                if let Some(outcome) = outcomes.get_mut(at) {
                    *outcome = Some((reading, observation.sequence));
                }
            }
        }
        let (mut live, mut late) = (Vec::new(), Vec::new());
        for (slot, outcome) in self.slots.iter().zip(outcomes) {
            let (reading, sequence) = match (&slot.fold, outcome) {
                (Err(cause), _) => {
                    let quality = Quality::ADDRESS_UNKNOWN;
                    (Reading::fault(slot.point, now, quality, cause.clone()), first)
                }
                (Ok(_), None) => {
                    let cause = "the agent does not say what it is; look at its log".to_owned();
                    (Reading::fault(slot.point, now, Quality::WAITING, cause), first)
                }
                (Ok(_), Some(told)) => told,
            };
            let time = match since {
                None => reading.time,
                Some(_) => reading.time.max(now),
            };
            if sequence < first && since.is_some_and(|since| reading.time > since) {
                late.push(reading.clone());
            }
            live.push(Reading { time, ..reading });
        }
        self.newest = Some(self.newest.map_or(now, |newest| newest.max(now)));
        self.tell_late(late);
        self.held = live;
    }

    /// Ends the telling of what was: what is follows, and then what comes. An agent without points tells
    /// by it that it is there.
    pub(crate) fn go_live(&mut self) {
        self.pending.push_back((std::mem::take(&mut self.held), false));
        self.stage = Stage::Open(Instant::now());
    }

    /// Readings of all slots that an observation is for.
    fn fold(&mut self, observation: &Observation, time: Timestamp) -> Vec<(usize, Reading)> {
        let Some(slots) = self.index.get(&observation.item) else { return Vec::new() };
        let mut readings = Vec::with_capacity(slots.len());
        for at in slots {
            let Some(slot) = self.slots.get_mut(*at) else { continue };
            let Ok(fold) = &mut slot.fold else { continue };
            let outcome = fold.take(observation, slot.data_type, slot.part);
            readings.push((*at, reading(slot.point, time, outcome, &observation.item)));
        }
        readings
    }

    /// Tells what was observed.
    fn tell(&mut self, header: &Header, mut found: Vec<Observation>) {
        self.beginnings = 0;
        found.sort_by_key(|observation| observation.sequence);
        let late_before = self.clock.now().saturating_add(-LATE);
        let (mut live, mut late) = (Vec::new(), Vec::new());
        for observation in &found {
            // What was told already comes again from agents that count from the wrong end.
            if observation.sequence != 0 && observation.sequence < self.next {
                continue;
            }
            let time = self.time(observation);
            let is_late = self.is_catching_up && time < late_before;
            let readings = self.fold(observation, time).into_iter().map(|(_, reading)| reading);
            if is_late {
                late.extend(readings)
            } else {
                live.extend(readings)
            }
            self.newest = self.newest.max(Some(time));
        }
        self.next = self.next.max(header.next);
        if header.next > header.last {
            self.is_catching_up = false;
        }
        if !late.is_empty() {
            self.pending.push_back((late, true));
        }
        self.pending.push_back((live, false));
    }

    /// Takes a document of the stream or of a poll.
    async fn take(
        &mut self,
        answer: Result<(Header, Vec<Observation>), Failure>,
    ) -> Result<(), DriverError> {
        match answer {
            Ok((header, found)) if self.is_same(&header) => {
                self.watch_clock(&header).await?;
                self.tell(&header, found);
                Ok(())
            }
            // The agent was restarted and counts anew, or has other data items.
            Ok(_) => self.begin(self.newest).await.map(|_| ()),
            Err(failure) if failure.is_out_of_range() => self.overrun().await,
            Err(failure) => Err(self.failed(failure, "sample")),
        }
    }

    /// The buffer ran over, or the agent was restarted.
    async fn overrun(&mut self) -> Result<(), DriverError> {
        let (instance, next) = (self.instance, self.next);
        let is_polling = matches!(self.stage, Stage::Polling(_));
        let header = self.begin(self.newest).await?;
        if is_polling && (self.instance, self.next) == (instance, next) {
            // An agent that says so when there is nothing new.
            self.beginnings = 0;
            self.go_live();
            self.stage = Stage::Polling(Instant::now() + self.agent.settings.interval);
            return Ok(());
        }
        self.overruns = self.overruns.saturating_add(1);
        if self.instance == instance {
            let device = self.spec.label();
            tracing::warn!(
                device,
                from = next,
                "the agent's buffer ran over; observations are lost"
            );
            // What is left of it is known by its sequence, whatever its times are.
            self.stage = Stage::History(History::from(next.max(header.first), &header));
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<(), DriverError> {
        let Settings { interval, heartbeat, timeout, .. } = *self.agent.settings;
        let request = format!(
            "sample?from={}&count={COUNT}&interval={}&heartbeat={}",
            self.next,
            interval.as_millis(),
            heartbeat.as_millis(),
        );
        let opened = match self.agent.stream(&request).await {
            Ok(opened) => opened,
            Err(error) => return Err(self.failed(error.into(), &request)),
        };
        let boundary = boundary(&opened.content_type).filter(|_| opened.status == StatusCode::OK);
        if let Some(boundary) = boundary {
            let patience = heartbeat.max(interval) + timeout;
            self.stage = Stage::Streaming(Box::new(Streaming::new(opened, &boundary, patience)));
            return Ok(());
        }
        let answer = match self.agent.whole(opened).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.failed(failure, &request)),
        };
        let index = Arc::clone(&self.index);
        self.stage = Stage::Polling(Instant::now() + interval);
        match document(&answer, Some(&index)).await {
            Err(failure) if failure.is_refusal() && !failure.is_out_of_range() => {
                // It knows no streams; the poll that follows says whether it knows anything else.
                self.stage = Stage::Polling(Instant::now());
                Ok(())
            }
            answer => self.take(answer).await,
        }
    }

    async fn streamed(&mut self, mut streaming: Box<Streaming>) -> Result<(), DriverError> {
        let Some(arrived) = streaming.take() else {
            self.stage = Stage::Streaming(streaming);
            return Ok(());
        };
        let lost = |kind, cause: String| {
            Err(DriverError::new(kind, self.spec.label(), self.agent.place("sample"), cause))
        };
        match arrived {
            Arrived::Part(bytes) => {
                self.stage = Stage::Streaming(streaming);
                let index = Arc::clone(&self.index);
                let answer = match observations(bytes, Some(&index)).await {
                    Ok(Document::Streams(header, found)) => Ok((header, found)),
                    Ok(Document::Errors(errors)) => Err(Failure::Agent(errors)),
                    Err(error) => Err(Failure::Content(error.to_string())),
                };
                self.take(answer).await
            }
            Arrived::Ended if streaming.parts_read > 1 => {
                // An agent that ends each stream at once is asked no more often than one that is polled.
                self.is_catching_up = true;
                self.stage = Stage::Open(streaming.opened + self.agent.settings.interval);
                Ok(())
            }
            Arrived::Ended => lost(
                ErrorKind::Disconnected,
                "the agent ended the stream before its first document".into(),
            ),
            Arrived::Late => {
                let ms = streaming.patience.as_millis();
                let cause = format!(
                    "nothing came for {ms} ms, not even a heartbeat; is the agent there, and the network?"
                );
                lost(ErrorKind::Timeout, cause)
            }
            Arrived::Broken(cause) => lost(
                ErrorKind::Protocol,
                format!("the stream is not as the standard says: {cause}"),
            ),
        }
    }

    /// One question of a device that is polled.
    async fn poll(&mut self, at: Instant) -> Result<u32, DriverError> {
        let index = Arc::clone(&self.index);
        let answer = self.agent.sample(self.next, COUNT, Some(&index)).await;
        let is_behind = matches!(&answer, Ok((header, _)) if header.next <= header.last && header.next > self.next);
        let now = Instant::now();
        let (next, missed) = next_poll(at, now, self.agent.settings.interval);
        self.stage = Stage::Polling(if is_behind { now } else { next });
        self.take(answer).await?;
        Ok(if is_behind { 0 } else { missed })
    }

    /// The readings that wait, as many as one collect hands over.
    fn hand_over(&mut self) -> Collected {
        let mut collected = Collected::default();
        if let Some((readings, backfill)) = self.pending.front_mut() {
            collected.backfill = *backfill;
            let rest = readings.split_off(readings.len().min(READINGS_MAX));
            collected.readings = std::mem::replace(readings, rest);
            if readings.is_empty() {
                self.pending.pop_front();
            }
        }
        collected.more = !self.pending.is_empty();
        collected.requests = self.agent.http.requests.wrapping_sub(self.requests_told);
        self.requests_told = self.agent.http.requests;
        collected.latency = self.agent.http.latency;
        collected
    }

    /// Readings that an observation makes with folds that are not the session's own.
    pub(crate) fn readings(
        &self,
        folds: &mut [Option<Fold>],
        observation: &Observation,
    ) -> Vec<Reading> {
        let time = self.time(observation);
        let mut readings = Vec::new();
        for at in self.index.get(&observation.item).into_iter().flatten() {
            let (Some(slot), Some(Some(fold))) = (self.slots.get(*at), folds.get_mut(*at)) else {
                continue;
            };
            let outcome = fold.take(observation, slot.data_type, slot.part);
            readings.push(reading(slot.point, time, outcome, &observation.item));
        }
        readings
    }

    /// Folds of all slots that know nothing yet.
    pub(crate) fn empty_folds(&self) -> Vec<Option<Fold>> {
        let empty = |slot: &Slot| {
            let mut fold = slot.fold.clone().ok()?;
            fold.clear();
            Some(fold)
        };
        self.slots.iter().map(empty).collect()
    }

    pub(crate) fn tell_late(&mut self, readings: Vec<Reading>) {
        if !readings.is_empty() {
            self.pending.push_back((readings, true));
        }
    }
}

fn reading(
    point: usize,
    time: Timestamp,
    outcome: Result<Value, weir_connect::Fault>,
    item: &str,
) -> Reading {
    match outcome {
        Ok(value) => Reading::good(point, time, value),
        Err(fault) => {
            Reading::fault(point, time, fault.quality, format!("data item {item}: {}", fault.cause))
        }
    }
}

#[async_trait]
impl Session for AgentSession {
    fn peer(&self) -> String {
        let mut peer = self.agent.settings.endpoint();
        if let Some(device) = &self.agent.settings.device {
            peer.push_str(&format!(", device {device}"));
        }
        if self.shift != 0 {
            let seconds = self.shift / 1_000_000_000;
            peer.push_str(&format!(", clock {seconds} s ahead (times are corrected)"));
        }
        if self.overruns > 0 {
            peer.push_str(&format!(", buffer ran over {} times", self.overruns));
        }
        peer
    }

    async fn due(&mut self) {
        if !self.pending.is_empty() {
            return;
        }
        match &mut self.stage {
            Stage::History(_) => {}
            Stage::Streaming(streaming) => streaming.wait().await,
            Stage::Open(at) | Stage::Polling(at) => sleep_until(*at).await,
        }
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        let mut missed = 0;
        if self.pending.is_empty() {
            let now = Instant::now();
            match std::mem::replace(&mut self.stage, Stage::Open(now)) {
                Stage::History(history) => self.read_history(history).await?,
                Stage::Open(at) if now >= at => self.open().await?,
                Stage::Streaming(streaming) => self.streamed(streaming).await?,
                Stage::Polling(at) if now >= at => missed = self.poll(at).await?,
                early => self.stage = early,
            }
        }
        Ok(Collected { missed, ..self.hand_over() })
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let index = Arc::clone(&self.index);
        let mut found = match self.agent.current(None, Some(&index)).await {
            Ok((_, found)) => found,
            Err(failure) => return Err(self.failed(failure, "current")),
        };
        found.sort_by_key(|observation| observation.sequence);
        let mut folds = self.empty_folds();
        let mut last: HashMap<usize, Reading> = HashMap::new();
        for observation in &found {
            for reading in self.readings(&mut folds, observation) {
                last.insert(reading.point, reading);
            }
        }
        let now = self.clock.now();
        let reading = |point: &usize| {
            last.remove(point).unwrap_or_else(|| {
                let slot = self.slots.iter().find(|slot| slot.point == *point);
                match slot.map(|slot| &slot.fold) {
                    Some(Err(cause)) => {
                        Reading::fault(*point, now, Quality::ADDRESS_UNKNOWN, cause.clone())
                    }
                    _ => {
                        let cause = "the agent does not say what it is".to_owned();
                        Reading::fault(*point, now, Quality::WAITING, cause)
                    }
                }
            })
        };
        Ok(points.iter().map(reading).collect())
    }

    async fn write(&mut self, point: usize, _raw: &Value) -> Result<RawWrite, DriverError> {
        let name = self.spec.points.get(point).map_or("", |p| p.name.as_str());
        let cause = format!(
            "{name} cannot be written: the MTConnect standard only lets machines be read; write over the controller's own protocol"
        );
        let endpoint = self.agent.settings.endpoint();
        Err(DriverError::new(ErrorKind::Unsupported, self.spec.label(), endpoint, cause))
    }
}

/// The next poll on the grid that the first one started, and how many were skipped.
fn next_poll(at: Instant, now: Instant, interval: Duration) -> (Instant, u32) {
    let late = now.saturating_duration_since(at);
    let skipped = late.as_nanos() / interval.as_nanos().max(1);
    let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
    (at + interval.saturating_mul(skipped.saturating_add(1)), skipped)
}
