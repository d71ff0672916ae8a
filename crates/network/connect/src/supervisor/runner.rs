//! The task of one device: connect, read what is due, write what is asked, and start over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::FutureExt;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_model::{FieldError, Quality, Sample, Timestamp, Value};

use super::outlet::Outlet;
use super::{Options, check};
use crate::outbox::Parcel;
use crate::shown;
use crate::status::{Board, Meters};
use crate::{
    Backoff, Circumstances, Clock, Collected, DeviceSpec, Driver, DriverError, ErrorKind, Fault,
    Point, RawWrite, Reading, Session, State, WriteReport,
};

/// The longest that connecting may take, whatever the driver's own limits.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(60);

/// How much the newest poll counts in the share of polls that are skipped: about the last ten decide,
/// so that one hiccup of the network makes no state.
const SKIPPED_WEIGHT: f64 = 0.1;

/// A device is too slow when more than this share of polls is skipped...
const SKIPPED_SHARE_MAX: f64 = 0.2;

/// ...and fast enough again when it is less than this.
const SKIPPED_SHARE_FINE: f64 = 0.05;

/// What a running device can be asked.
pub(super) enum Command {
    Restart,
    Write {
        point: usize,
        requested: Value,
        raw: Value,
        reply: oneshot::Sender<Result<WriteReport, DriverError>>,
    },
    Call {
        method: Json,
        arguments: Vec<Json>,
        reply: oneshot::Sender<Result<Vec<Json>, DriverError>>,
    },
}

/// Why a session ended.
enum End {
    Stopped,
    Restarted,
    Failed(DriverError),
}

/// What was last told of a point.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Nothing,
    Good,
    /// It has a fault of its own.
    Fault(Fault),
    /// The device is lost (or off, or set up wrongly), and so is the point.
    Lost,
}

pub(super) struct Runner {
    spec: Arc<DeviceSpec>,
    driver: Result<Arc<dyn Driver>, Vec<FieldError>>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    board: Arc<Board>,
    meters: Arc<Meters>,
    commands: mpsc::Receiver<Command>,
    outlet: Outlet,
    stop: CancellationToken,
    told: Vec<Told>,
    points_bad: usize,
    /// The share of polls that were skipped lately.
    skipped_share: f64,
    too_slow: bool,
    /// Up to when the device was heard.
    heard: Option<Timestamp>,
}

impl Runner {
    #[expect(clippy::too_many_arguments, reason = "called in one place, with everything it owns")]
    pub(super) fn new(
        spec: Arc<DeviceSpec>,
        driver: Result<Arc<dyn Driver>, Vec<FieldError>>,
        options: &Options,
        board: Arc<Board>,
        meters: Arc<Meters>,
        commands: mpsc::Receiver<Command>,
        parcels: mpsc::Sender<Parcel>,
        stop: CancellationToken,
        heard: Option<Timestamp>,
    ) -> Self {
        let points = spec.points.len();
        Self {
            spec,
            driver,
            clock: Arc::clone(&options.clock),
            backoff: options.backoff,
            board,
            outlet: Outlet::new(parcels, Arc::clone(&meters), points),
            meters,
            commands,
            stop,
            told: vec![Told::Nothing; points],
            points_bad: 0,
            skipped_share: 0.0,
            too_slow: false,
            heard,
        }
    }

    pub(super) async fn run(mut self) {
        if !self.spec.enabled {
            self.rest(State::Disabled, "switched off", Quality::OUT_OF_SERVICE).await;
        } else {
            match self.driver.clone() {
                Ok(driver) => self.keep_connected(driver).await,
                Err(errors) => {
                    let reason = check::told(&errors);
                    let quality = Quality::CONFIGURATION_ERROR;
                    self.rest(State::Misconfigured, &reason, quality).await;
                }
            }
        }
        self.set(State::Stopped, None, None);
        self.outlet.finish().await;
    }

    /// Waits for a change of configuration.
    async fn rest(&mut self, state: State, reason: &str, quality: Quality) {
        self.set(state, Some(reason.to_owned()), None);
        self.lose_all(quality);
        // A restart of a device that rests changes nothing.
        while let Some(Asked::Restart) =
            self.attend(std::future::pending::<()>(), reason).await.err()
        {}
    }

    async fn keep_connected(&mut self, driver: Arc<dyn Driver>) {
        let mut failures: u32 = 0;
        loop {
            self.set(State::Connecting, None, None);
            let circumstances = Circumstances { clock: Arc::clone(&self.clock), since: self.heard };
            let connect = connect(driver.as_ref(), Arc::clone(&self.spec), circumstances);
            let error = match self.attend(connect, "still connecting").await {
                Err(Asked::Stop) => return,
                Err(Asked::Restart) => continue,
                Ok(Err(error)) => error,
                Ok(Ok(session)) => {
                    self.meters.connections.fetch_add(1, Relaxed);
                    let since = Instant::now();
                    let end = self.hold(session).await;
                    if since.elapsed() >= self.backoff.stable_after {
                        failures = 0;
                    }
                    match end {
                        End::Stopped => return,
                        End::Restarted => continue,
                        End::Failed(error) => error,
                    }
                }
            };
            failures = failures.saturating_add(1);
            match self.back_off(&error, failures).await {
                Some(Asked::Stop) => return,
                Some(Asked::Restart) => failures = 0,
                None => {}
            }
        }
    }

    async fn back_off(&mut self, error: &DriverError, failures: u32) -> Option<Asked> {
        self.meters.errors.fetch_add(1, Relaxed);
        let wait = self.backoff.draw(failures);
        let reason = error.reason();
        let next = self.clock.now().saturating_add(wait.as_nanos().try_into().unwrap_or(i64::MAX));
        if failures == 1 {
            tracing::warn!(tenant = %self.spec.tenant, %error, "a device is lost");
        }
        self.set(State::BackingOff, Some(reason.clone()), Some(next));
        self.board.set_certificate(error.certificate.as_deref().cloned());
        self.lose_all(error.kind.quality());
        self.attend(tokio::time::sleep(wait), &reason).await.err()
    }

    /// Does some work that needs no session, while samples leave and requests are answered with
    /// why the device is not there.
    async fn attend<T>(&mut self, work: impl Future<Output = T>, reason: &str) -> Result<T, Asked> {
        tokio::pin!(work);
        loop {
            let ready = self.outlet.is_ready();
            tokio::select! {
                () = self.stop.cancelled() => return Err(Asked::Stop),
                done = &mut work => return Ok(done),
                () = self.outlet.send(), if ready => {}
                command = self.commands.recv() => match command {
                    None => return Err(Asked::Stop),
                    Some(Command::Restart) => return Err(Asked::Restart),
                    // Who no longer waits for the answer does not need it.
                    Some(Command::Write { reply, .. }) => {
                        let _ = reply.send(Err(not_connected(&self.spec, reason)));
                    }
                    Some(Command::Call { reply, .. }) => {
                        let _ = reply.send(Err(not_connected(&self.spec, reason)));
                    }
                },
            }
        }
    }

    /// Holds a session until it ends. A panic in a driver ends the session, not the device.
    async fn hold(&mut self, session: Box<dyn Session>) -> End {
        match AssertUnwindSafe(self.serve(session)).catch_unwind().await {
            Ok(end) => end,
            Err(_) => End::Failed(panicked(&self.spec)),
        }
    }

    async fn serve(&mut self, mut session: Box<dyn Session>) -> End {
        loop {
            let (ready, full) = (self.outlet.is_ready(), self.outlet.is_full());
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Stopped,
                command = self.commands.recv() => {
                    let result = match command {
                        None => return End::Stopped,
                        Some(Command::Restart) => return End::Restarted,
                        Some(Command::Write { point, requested, raw, reply }) => {
                            self.write(&mut *session, point, requested, &raw, reply).await
                        }
                        Some(Command::Call { method, arguments, reply }) => {
                            self.call(&mut *session, &method, &arguments, reply).await
                        }
                    };
                    if let Err(end) = result {
                        return end;
                    }
                }
                () = self.outlet.send(), if ready => {}
                () = session.due(), if !full => {
                    let collected = tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return End::Stopped,
                        collected = session.collect() => collected,
                    };
                    match collected {
                        Ok(collected) => self.take_in(collected),
                        Err(error) => return End::Failed(error),
                    }
                }
            }
        }
    }

    async fn write(
        &mut self,
        session: &mut dyn Session,
        index: usize,
        requested: Value,
        raw: &Value,
        reply: oneshot::Sender<Result<WriteReport, DriverError>>,
    ) -> Result<(), End> {
        if reply.is_closed() {
            // Whoever asked was told that it took too long, or has gone away: a valve that moves
            // long after that surprises everybody.
            return Ok(());
        }
        let written = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(End::Stopped),
            written = session.write(index, raw) => written,
        };
        let answer = match written {
            Ok(written) => {
                self.meters.writes.fetch_add(1, Relaxed);
                self.meters.reads.fetch_add(u64::from(written.requests), Relaxed);
                Ok(self.report(index, requested, written))
            }
            Err(error) => {
                self.meters.errors.fetch_add(1, Relaxed);
                Err(error)
            }
        };
        let end = match &answer {
            Err(error) if error.kind.ends_session() => Err(End::Failed(error.clone())),
            _ => Ok(()),
        };
        // Who no longer waits for the answer does not need it.
        let _ = reply.send(answer);
        end
    }

    async fn call(
        &mut self,
        session: &mut dyn Session,
        method: &Json,
        arguments: &[Json],
        reply: oneshot::Sender<Result<Vec<Json>, DriverError>>,
    ) -> Result<(), End> {
        if reply.is_closed() {
            return Ok(());
        }
        let answer = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(End::Stopped),
            answer = session.call(method, arguments) => answer,
        };
        let meter = if answer.is_ok() { &self.meters.writes } else { &self.meters.errors };
        meter.fetch_add(1, Relaxed);
        let end = match &answer {
            Err(error) if error.kind.ends_session() => Err(End::Failed(error.clone())),
            _ => Ok(()),
        };
        // Who no longer waits for the answer does not need it.
        let _ = reply.send(answer);
        end
    }

    /// What a write did, in engineering values; the value read back is a sample like any other.
    fn report(&mut self, index: usize, requested: Value, written: RawWrite) -> WriteReport {
        let time = self.clock.now();
        let point = &self.spec.points[index];
        let scaled = |raw: &Option<Value>| point.engineering(raw.as_ref()?, time).ok();
        let report = WriteReport {
            before: scaled(&written.before),
            requested,
            after: scaled(&written.after),
            read_back: written.read_back,
            verified: written.verified,
            time,
        };
        if let Some(raw) = written.after {
            self.take_in(Collected {
                readings: vec![Reading::good(index, time, raw)],
                ..Collected::default()
            });
        }
        report
    }

    fn take_in(&mut self, collected: Collected) {
        let now = self.clock.now();
        self.meters.reads.fetch_add(u64::from(collected.requests), Relaxed);
        self.meters.missed.fetch_add(u64::from(collected.missed), Relaxed);
        if collected.requests > 0 {
            let latency_us = u64::try_from(collected.latency.as_micros()).unwrap_or(u64::MAX);
            self.meters.last_latency_us.store(latency_us, Relaxed);
        }
        let mut changed = false;
        self.outlet.begin();
        for reading in collected.readings {
            if collected.backfill {
                self.take_history(reading, now);
            } else {
                changed |= self.take_reading(reading, now);
            }
        }
        if let Some(receipt) = collected.receipt {
            self.outlet.receipt(receipt, now, collected.backfill);
        }
        if !collected.backfill {
            self.heard = Some(now);
        }
        self.outlet.expect_more(collected.more);
        changed |= self.weigh_skipped(collected.missed);
        if changed || !matches!(self.board.get().state, State::Online | State::Degraded) {
            self.judge();
        }
    }

    /// Takes note of skipped polls; says whether the device has become too slow or fast enough.
    fn weigh_skipped(&mut self, missed: u32) -> bool {
        let share = f64::from(missed) / (f64::from(missed) + 1.0);
        self.skipped_share += SKIPPED_WEIGHT * (share - self.skipped_share);
        let before = self.too_slow;
        self.too_slow = if before {
            self.skipped_share >= SKIPPED_SHARE_FINE
        } else {
            self.skipped_share > SKIPPED_SHARE_MAX
        };
        before != self.too_slow
    }

    /// Takes a reading of the device's own history, which says nothing of how the point is now.
    fn take_history(&mut self, reading: Reading, now: Timestamp) {
        if let Some(point) = self.spec.points.get(reading.point) {
            let (sample, _) = to_sample(point, reading);
            self.outlet.push(point.tag, sample, now, true);
        }
    }

    /// Takes one reading; says whether the point's condition has changed.
    fn take_reading(&mut self, reading: Reading, now: Timestamp) -> bool {
        let index = reading.point;
        let (Some(point), Some(told)) = (self.spec.points.get(index), self.told.get_mut(index))
        else {
            return false;
        };
        let (sample, cause) = to_sample(point, reading);
        let next = match cause {
            None => Told::Good,
            Some(cause) => Told::Fault(Fault { quality: sample.quality, cause }),
        };
        let changed = *told != next;
        let was_bad = matches!(told, Told::Fault(_));
        let is_bad = matches!(next, Told::Fault(_));
        // A fault is told once, not at every poll.
        let tell = match (&*told, &next) {
            (Told::Fault(before), Told::Fault(after)) => before.quality != after.quality,
            _ => true,
        };
        if is_bad && !was_bad {
            self.points_bad += 1;
            self.meters.errors.fetch_add(1, Relaxed);
        }
        if was_bad && !is_bad {
            self.points_bad -= 1;
        }
        *told = next;
        if tell {
            self.outlet.push(point.tag, sample, now, false);
        }
        changed
    }

    /// Online or degraded, and why.
    fn judge(&mut self) {
        self.board.set_points_bad(self.points_bad);
        let mut reasons = Vec::new();
        if self.points_bad > 0 {
            let first = self.told.iter().zip(&self.spec.points).find_map(|(told, point)| {
                let Told::Fault(fault) = told else { return None };
                Some(format!("{}: {}", point.name, fault.cause))
            });
            let all = self.spec.points.len();
            reasons.push(format!("{} of {all} points fail", self.points_bad));
            reasons.extend(first);
        }
        if self.too_slow {
            reasons.push("the device is slower than its interval; polls are skipped".to_owned());
        }
        if reasons.is_empty() {
            self.set(State::Online, None, None);
        } else {
            self.set(State::Degraded, Some(reasons.join(": ")), None);
        }
    }

    fn set(&self, state: State, reason: Option<String>, next_attempt: Option<Timestamp>) {
        let now = self.clock.now();
        // Between attempts, people go on reviewing what the last one showed.
        if !matches!(state, State::BackingOff | State::Connecting) {
            self.board.set_certificate(None);
        }
        if self.board.set(state, reason.clone(), next_attempt, now) {
            tracing::debug!(device = %self.spec.device, state = state.as_str(), reason, "state");
        }
    }

    /// Tells of every point, once, that the device is lost.
    fn lose_all(&mut self, quality: Quality) {
        let now = self.clock.now();
        for (told, point) in self.told.iter_mut().zip(&self.spec.points) {
            if *told != Told::Lost {
                *told = Told::Lost;
                self.outlet.push(point.tag, Sample::without_value(now, quality), now, false);
            }
        }
        self.points_bad = 0;
        self.skipped_share = 0.0;
        self.too_slow = false;
        self.outlet.expect_more(false);
        self.board.set_points_bad(self.spec.points.len());
    }
}

enum Asked {
    Stop,
    Restart,
}

async fn connect(
    driver: &dyn Driver,
    spec: Arc<DeviceSpec>,
    circumstances: Circumstances,
) -> Result<Box<dyn Session>, DriverError> {
    let attempt = AssertUnwindSafe(driver.connect(Arc::clone(&spec), circumstances));
    match tokio::time::timeout(CONNECT_TIME_MAX, attempt.catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(panicked(&spec)),
        Err(_) => {
            let cause = format!("not connected within {} s", CONNECT_TIME_MAX.as_secs());
            Err(DriverError::new(ErrorKind::Timeout, spec.label(), "", cause))
        }
    }
}

fn not_connected(spec: &DeviceSpec, reason: &str) -> DriverError {
    let cause = format!("not connected: {reason}");
    DriverError::new(ErrorKind::NotConnected, spec.label(), "", cause)
}

fn panicked(spec: &DeviceSpec) -> DriverError {
    let cause = "the driver failed by a mistake of ours; the log has the details";
    DriverError::new(ErrorKind::Protocol, spec.label(), "", cause)
}

/// The sample to store for a reading and, where it has no good value, why.
pub(super) fn to_sample(point: &Point, reading: Reading) -> (Sample, Option<String>) {
    let Reading { time, outcome, quality, .. } = reading;
    match outcome {
        Ok(raw) => match point.engineering(&raw, time) {
            Ok(value) => {
                let cause = quality.is_bad().then(|| format!("the source says {quality}"));
                let value = (!quality.is_bad()).then_some(value);
                (Sample { time, value, quality }, cause)
            }
            Err(quality) => {
                let told = shown::value(&raw);
                let data_type = point.data_type;
                let cause = format!("the value {told} is not a finite number of type {data_type}");
                (Sample::without_value(time, quality), Some(cause))
            }
        },
        Err(fault) => {
            let cause = shown::line(fault.cause.into(), shown::TEXT_CHARS_MAX);
            (Sample::without_value(time, fault.quality), Some(cause))
        }
    }
}
