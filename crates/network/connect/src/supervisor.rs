//! Runs devices: one task each, and nothing that happens to one touches another.

mod check;
mod outlet;
mod runner;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_model::{FieldError, Identifier, Quality, TagId, TenantId, Value};

use self::runner::{Command, Runner};
use crate::outbox::{Outbox, Parcel, producer_key};
use crate::shown;
use crate::spool::Key;
use crate::status::{Board, Meters};
use crate::{
    Backoff, BrowsePage, Circumstances, Clock, ConnectError, DeliveryStatus, DeviceSpec,
    DeviceStatus, Discovered, Driver, DriverError, ErrorKind, LogLine, Sink, SpoolFull, State,
    SystemClock, TestReport, TestValue, WriteReport,
};

/// Most devices of one node; each takes a task, a connection and some kilobytes.
pub const DEVICES_MAX: usize = 20_000;

/// Most commands that wait for one device; whoever comes then is told that it is busy.
const COMMANDS_MAX: usize = 16;

/// Most parcels that wait for one pump. A device that goes on while they wait puts its samples
/// into the next one.
const PARCELS_MAX: usize = 4;

/// Tests and browses at the same time: each is a connection to a place a person typed.
const PROBES_MAX: usize = 16;

/// The longest that a test, a browse or a write may take, whatever the driver's own limits.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// Most points that a test reads; the rest is reported as not read.
const TEST_POINTS_MAX: usize = 500;

/// How long a shutdown waits for the last samples to reach historian or spool.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(10);

/// How a supervisor works.
#[derive(Clone)]
pub struct Options {
    /// The folder for what the sink refuses, and for the reservation of sequence numbers.
    pub spool_dir: PathBuf,
    /// Most bytes of the spool.
    pub spool_bytes_max: u64,
    /// What happens when it is full.
    pub spool_full: SpoolFull,
    /// How long the sink may take for one batch before the batch goes to the spool.
    pub deliver_timeout: Duration,
    /// Batches from the spool that arrived longer ago are marked as backfill.
    pub backfill_after: Duration,
    /// Between attempts to connect.
    pub backoff: Backoff,
    /// Where timestamps come from.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults, with a spool of 256 MiB in the folder.
    pub fn new(spool_dir: impl Into<PathBuf>) -> Self {
        Self {
            spool_dir: spool_dir.into(),
            spool_bytes_max: 256 << 20,
            spool_full: SpoolFull::default(),
            deliver_timeout: Duration::from_secs(2),
            backfill_after: Duration::from_secs(60),
            backoff: Backoff::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// What [`Supervisor::apply`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The device is new and was started.
    Started,
    /// The device ran with another configuration and was restarted.
    Restarted,
    /// The device runs with this very configuration and was left alone.
    Unchanged,
}

/// Runs devices. Cloning is cheap; all clones are the same supervisor.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    drivers: HashMap<&'static str, Arc<dyn Driver>>,
    options: Options,
    outbox: Arc<Outbox>,
    devices: Mutex<HashMap<DeviceKey, Device>>,
    /// One change at a time, so that a device never runs twice.
    change: tokio::sync::Mutex<Running>,
    probes: Semaphore,
    stop: CancellationToken,
}

type DeviceKey = (TenantId, Identifier);

/// What only changes touch.
struct Running {
    stopped: bool,
    tasks: HashMap<DeviceKey, Tasks>,
    drain: Option<JoinHandle<()>>,
}

struct Tasks {
    runner: JoinHandle<()>,
    stop: CancellationToken,
    parcels: mpsc::Sender<Parcel>,
    pump: JoinHandle<()>,
    producer: Key,
}

/// What status, writes and restarts need.
#[derive(Clone)]
struct Device {
    spec: Arc<DeviceSpec>,
    board: Arc<Board>,
    meters: Arc<Meters>,
    commands: mpsc::Sender<Command>,
}

impl Supervisor {
    /// A supervisor without devices. It opens the spool, which reads files, and starts the task
    /// that empties it; call it within a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError::Spool`].
    pub fn new(
        drivers: Vec<Arc<dyn Driver>>,
        sink: Arc<dyn Sink>,
        options: Options,
    ) -> Result<Self, ConnectError> {
        let outbox = Arc::new(Outbox::open(sink, &options)?);
        let stop = CancellationToken::new();
        let drain = tokio::spawn(Arc::clone(&outbox).drain(stop.clone()));
        let running = Running { stopped: false, tasks: HashMap::new(), drain: Some(drain) };
        let inner = Inner {
            drivers: drivers.into_iter().map(|d| (d.protocol(), d)).collect(),
            options,
            outbox,
            devices: Mutex::default(),
            change: tokio::sync::Mutex::new(running),
            probes: Semaphore::new(PROBES_MAX),
            stop,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many more devices there is room for.
    pub fn room(&self) -> usize {
        DEVICES_MAX.saturating_sub(self.inner.devices().len())
    }

    /// The drivers, by the names of their protocols.
    pub fn drivers(&self) -> Vec<&dyn Driver> {
        let mut all: Vec<&dyn Driver> = self.inner.drivers.values().map(|d| &**d).collect();
        all.sort_by_key(|driver| driver.protocol());
        all
    }

    /// The driver of a protocol.
    pub fn driver(&self, protocol: &str) -> Option<&dyn Driver> {
        self.inner.drivers.get(protocol).map(|driver| &**driver)
    }

    /// Whether a spec is valid, without touching the network.
    ///
    /// # Errors
    /// Each wrong field, as a JSON pointer into the spec.
    pub fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        self.inner.check(spec).map(|_| ())
    }

    /// Starts the device, or restarts it where its configuration differs from what runs. Wrong
    /// settings are no error here: the device is then `misconfigured` and says why.
    ///
    /// # Errors
    /// [`ConnectError::TooManyDevices`], [`ConnectError::Stopped`].
    pub async fn apply(&self, spec: DeviceSpec) -> Result<Applied, ConnectError> {
        let inner = &self.inner;
        let mut running = inner.change.lock().await;
        if running.stopped {
            return Err(ConnectError::Stopped);
        }
        let key = (spec.tenant, spec.device.clone());
        let known = inner.devices().get(&key).cloned();
        if let Some(known) = known
            && same_but_revision(&known.spec, &spec)
        {
            return Ok(Applied::Unchanged);
        }
        if !running.tasks.contains_key(&key) && running.tasks.len() >= DEVICES_MAX {
            return Err(ConnectError::TooManyDevices { max: DEVICES_MAX });
        }
        let applied = match running.tasks.get_mut(&key) {
            Some(tasks) => {
                tasks.stop_runner().await;
                Applied::Restarted
            }
            None => Applied::Started,
        };
        inner.start(&mut running, key, Arc::new(spec));
        Ok(applied)
    }

    /// Stops the device and forgets it. Says whether it was there.
    pub async fn remove(&self, tenant: TenantId, device: &Identifier) -> bool {
        let key = (tenant, device.clone());
        let mut running = self.inner.change.lock().await;
        let Some(mut tasks) = running.tasks.remove(&key) else { return false };
        tasks.stop_runner().await;
        self.inner.devices().remove(&key);
        // The pump ends when the last sender is gone; waited for, so that the same device applied
        // again never has two.
        drop(tasks.parcels);
        let _ = tasks.pump.await;
        self.inner.outbox.unregister(&tasks.producer);
        true
    }

    /// Ends the device's connection and connects anew at once, without waiting for a back-off.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`], [`ErrorKind::Busy`].
    pub fn restart(&self, tenant: TenantId, device: &Identifier) -> Result<(), DriverError> {
        let known = self.inner.device(tenant, device)?;
        known.commands.try_send(Command::Restart).map_err(|_| busy(device))
    }

    /// What a device is doing; none for one that was never applied.
    pub fn status(&self, tenant: TenantId, device: &Identifier) -> Option<DeviceStatus> {
        self.inner.devices().get(&(tenant, device.clone())).map(Device::status)
    }

    /// What all devices of a tenant are doing, by identifier.
    pub fn statuses(&self, tenant: TenantId) -> Vec<DeviceStatus> {
        let devices = self.inner.devices();
        let mut all: Vec<_> =
            devices.iter().filter(|(key, _)| key.0 == tenant).map(|(_, d)| d.status()).collect();
        drop(devices);
        all.sort_by(|a, b| a.device.cmp(&b.device));
        all
    }

    /// How delivery to the sink goes.
    pub fn delivery(&self) -> DeliveryStatus {
        self.inner.outbox.status()
    }

    /// Connects to a device that need not run, reads its points once and says what came. Nothing
    /// is stored. The device may refuse a second connection while it runs here already.
    ///
    /// # Errors
    /// [`DriverError`] where not even a connection was possible; faults of single points are in
    /// the report.
    pub async fn test(&self, spec: &DeviceSpec) -> Result<TestReport, DriverError> {
        let name = spec.name.as_str();
        let driver = self.inner.check(spec).map_err(|errors| misconfigured(name, &errors))?;
        let _permit = self.inner.probes.try_acquire().map_err(|_| too_many_probes(name))?;
        let attempt = self.inner.probe(&driver, spec);
        in_time(name, attempt).await
    }

    /// Lists what a device offers below a place, the root without one.
    ///
    /// # Errors
    /// [`DriverError`]; [`ErrorKind::Unsupported`] where the protocol has no such thing.
    pub async fn browse(
        &self,
        tenant: TenantId,
        protocol: &str,
        settings: &Json,
        at: Option<&str>,
    ) -> Result<BrowsePage, DriverError> {
        let (driver, _permit) = self.inner.ask(tenant, protocol)?;
        in_time(protocol, driver.browse(settings, at)).await.map(shown::page)
    }

    /// Lists the ways in which what stands at an address can be spoken to, the best one first.
    ///
    /// # Errors
    /// [`DriverError`]; [`ErrorKind::Unsupported`] where the protocol has no such thing.
    pub async fn discover(
        &self,
        tenant: TenantId,
        protocol: &str,
        settings: &Json,
    ) -> Result<Vec<Discovered>, DriverError> {
        let (driver, _permit) = self.inner.ask(tenant, protocol)?;
        in_time(protocol, driver.discover(settings)).await.map(shown::found)
    }

    /// What happened to a device lately, the newest first; none for one that was never applied.
    pub fn log(&self, tenant: TenantId, device: &Identifier) -> Option<Vec<LogLine>> {
        self.inner.devices().get(&(tenant, device.clone())).map(|device| device.board.log())
    }

    /// Calls a method of a running device, once.
    ///
    /// # Errors
    /// [`DriverError`]. After [`ErrorKind::Timeout`] or [`ErrorKind::Disconnected`] it is not known
    /// whether the device carried it out.
    pub async fn call(
        &self,
        tenant: TenantId,
        device: &Identifier,
        method: Json,
        arguments: Vec<Json>,
    ) -> Result<Vec<Json>, DriverError> {
        let known = self.inner.device(tenant, device)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Call { method, arguments, reply };
        known.commands.try_send(command).map_err(|_| busy(device))?;
        answered(device, answer).await
    }

    /// Writes an engineering value to a point of a running device: checked against limits and
    /// confirmation, written once, read back.
    ///
    /// # Errors
    /// [`DriverError`]. After [`ErrorKind::Timeout`] or [`ErrorKind::Disconnected`] it is not known
    /// whether the device carried it out.
    pub async fn write(
        &self,
        tenant: TenantId,
        device: &Identifier,
        tag: TagId,
        value: Value,
        confirmed: bool,
    ) -> Result<WriteReport, DriverError> {
        let known = self.inner.device(tenant, device)?;
        let (index, raw) =
            known.prepare_write(tag, &value, confirmed, &*self.inner.options.clock)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Write { point: index, requested: value, raw, reply };
        known.commands.try_send(command).map_err(|_| busy(device))?;
        answered(device, answer).await
    }

    /// Stops all devices, lets what they read reach the sink or the spool, and makes the spool
    /// durable. Statuses stay readable and say `stopped`.
    pub async fn shutdown(&self) {
        let mut running = self.inner.change.lock().await;
        if std::mem::replace(&mut running.stopped, true) {
            return;
        }
        for tasks in running.tasks.values() {
            tasks.stop.cancel();
        }
        let deadline = tokio::time::Instant::now() + SHUTDOWN_TIME_MAX;
        for (_, tasks) in running.tasks.drain() {
            drop(tasks.parcels);
            let _ = tokio::time::timeout_at(deadline, tasks.runner).await;
            let _ = tokio::time::timeout_at(deadline, tasks.pump).await;
        }
        self.inner.stop.cancel();
        if let Some(drain) = running.drain.take() {
            let _ = drain.await;
        }
        let now = self.inner.options.clock.now();
        for device in self.inner.devices().values() {
            device.board.set(State::Stopped, Some("the node has stopped".to_owned()), None, now);
        }
    }
}

impl Drop for Inner {
    /// Ends the tasks of a supervisor that was dropped without a shutdown.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Inner {
    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceKey, Device>> {
        // Entries are put and taken whole, so the map is whole after a panic elsewhere.
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn device(&self, tenant: TenantId, device: &Identifier) -> Result<Device, DriverError> {
        self.devices().get(&(tenant, device.clone())).cloned().ok_or_else(|| {
            DriverError::new(ErrorKind::Unknown, device.as_str(), "", "there is no such device")
        })
    }

    fn check(&self, spec: &DeviceSpec) -> Result<Arc<dyn Driver>, Vec<FieldError>> {
        let mut errors = check::spec(spec);
        let Some(driver) = self.drivers.get(spec.protocol.as_str()) else {
            let detail = format!("there is no protocol \"{}\" here", spec.protocol);
            errors.push(FieldError { field: "/protocol".to_owned(), detail });
            return Err(errors);
        };
        if spec.points.len() <= crate::POINTS_MAX {
            errors.extend(driver.check(spec).err().unwrap_or_default());
        }
        if errors.is_empty() { Ok(Arc::clone(driver)) } else { Err(errors) }
    }

    /// Starts the task of a device whose task does not run; pump and counters are kept.
    fn start(self: &Arc<Self>, running: &mut Running, key: DeviceKey, spec: Arc<DeviceSpec>) {
        let now = self.options.clock.now();
        let producer = producer_key(key.0, &key.1.folded());
        let known = self.devices().get(&key).cloned();
        let meters = known.as_ref().map_or_else(Arc::<Meters>::default, |d| Arc::clone(&d.meters));
        let log = known.as_ref().map_or_else(Arc::default, |d| d.board.share_log());
        let board = Arc::new(Board::new(now, log));
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (parcels, pump) = match running.tasks.remove(&key) {
            Some(tasks) => (tasks.parcels, tasks.pump),
            None => {
                let (sender, receiver) = mpsc::channel(PARCELS_MAX);
                self.outbox.register(producer.clone(), Arc::clone(&meters));
                let pump = Arc::clone(&self.outbox).pump(producer.clone(), receiver);
                (sender, tokio::spawn(pump))
            }
        };
        let stop = self.stop.child_token();
        let runner = Runner::new(
            Arc::clone(&spec),
            self.check(&spec),
            &self.options,
            Arc::clone(&board),
            Arc::clone(&meters),
            received,
            parcels.clone(),
            stop.clone(),
            self.outbox.newest(&spec),
        );
        let runner = tokio::spawn(runner.run());
        running.tasks.insert(key.clone(), Tasks { runner, stop, parcels, pump, producer });
        self.devices().insert(key, Device { spec, board, meters, commands });
    }

    /// The driver to be asked something that needs no device, and the permit to do so.
    fn ask(
        &self,
        tenant: TenantId,
        protocol: &str,
    ) -> Result<(Arc<dyn Driver>, SemaphorePermit<'_>), DriverError> {
        let driver = self.drivers.get(protocol).ok_or_else(|| {
            DriverError::new(ErrorKind::Unsupported, protocol, "", "there is no such protocol")
        })?;
        let permit = self.probes.try_acquire().map_err(|_| too_many_probes(protocol))?;
        Ok((driver.within(tenant).unwrap_or_else(|| Arc::clone(driver)), permit))
    }

    async fn probe(
        &self,
        driver: &Arc<dyn Driver>,
        spec: &DeviceSpec,
    ) -> Result<TestReport, DriverError> {
        let started = Instant::now();
        let circumstances = Circumstances::new(Arc::clone(&self.options.clock));
        let mut session = driver.connect(Arc::new(spec.clone()), circumstances).await?;
        let indexes: Vec<usize> = (0..spec.points.len().min(TEST_POINTS_MAX)).collect();
        let readings = session.read(&indexes).await?;
        let latency_ms = started.elapsed().as_secs_f64() * 1000.0;
        let mut values: Vec<TestValue> = spec
            .points
            .iter()
            .enumerate()
            .map(|(index, point)| TestValue {
                index,
                id: point.id.clone(),
                name: point.name.clone(),
                value: None,
                quality: Quality::WAITING,
                error: Some(format!("not read: a test reads {TEST_POINTS_MAX} points")),
            })
            .collect();
        for reading in readings {
            let (Some(point), Some(value)) =
                (spec.points.get(reading.point), values.get_mut(reading.point))
            else {
                continue;
            };
            let (sample, error) = runner::to_sample(point, reading);
            (value.value, value.quality, value.error) = (sample.value, sample.quality, error);
        }
        let good = values.iter().filter(|v| v.error.is_none()).count();
        let all = values.len();
        let peer = session.peer();
        let message = if all == 0 {
            format!("connected to {peer}; it has no points yet")
        } else {
            format!("connected to {peer}; {good} of {all} points answered")
        };
        Ok(TestReport { message, latency_ms, values })
    }
}

impl Tasks {
    async fn stop_runner(&mut self) {
        self.stop.cancel();
        // A panic of the task is told by the runtime's own message; there is nothing to add.
        let _ = (&mut self.runner).await;
    }
}

impl Device {
    fn status(&self) -> DeviceStatus {
        let entry = self.board.get();
        DeviceStatus {
            device: self.spec.device.clone(),
            revision: self.spec.revision,
            state: entry.state,
            reason: entry.reason,
            since: entry.since,
            next_attempt: entry.next_attempt,
            certificate: entry.certificate,
            points_bad: entry.points_bad,
            points: self.spec.points.len(),
            counters: self.meters.snapshot(),
        }
    }

    fn prepare_write(
        &self,
        tag: TagId,
        value: &Value,
        confirmed: bool,
        clock: &dyn Clock,
    ) -> Result<(usize, Value), DriverError> {
        let label = self.spec.label();
        let fail =
            |kind, place: &str, cause: String| DriverError::new(kind, label.as_str(), place, cause);
        let found = self.spec.points.iter().enumerate().find(|(_, p)| p.tag == tag);
        let Some((index, point)) = found else {
            return Err(fail(ErrorKind::Unknown, "", format!("it has no point of tag {tag}")));
        };
        let name = point.name.as_str();
        let Some(limits) = &point.write else {
            let cause = "this point may not be written".to_owned();
            return Err(fail(ErrorKind::NotWritable, name, cause));
        };
        if limits.confirm && !confirmed {
            let cause = "a write to this point must be confirmed".to_owned();
            return Err(fail(ErrorKind::Unconfirmed, name, cause));
        }
        point
            .within_limits(limits, value)
            .map_err(|cause| fail(ErrorKind::OutOfLimits, name, cause))?;
        let raw = point
            .raw(value, clock.now())
            .map_err(|cause| fail(ErrorKind::OutOfLimits, name, cause))?;
        Ok((index, raw))
    }
}

/// Does what a person waits for within [`REQUEST_TIME_MAX`].
async fn in_time<T>(
    whose: &str,
    work: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, DriverError> {
    timeout(REQUEST_TIME_MAX, work).await.unwrap_or_else(|_| Err(out_of_time(whose)))
}

/// Waits for a device's answer to a command.
async fn answered<T>(
    device: &Identifier,
    answer: oneshot::Receiver<Result<T, DriverError>>,
) -> Result<T, DriverError> {
    match timeout(REQUEST_TIME_MAX, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(DriverError::new(
            ErrorKind::Stopped,
            device.as_str(),
            "",
            "the device was stopped before it answered; whether it was carried out is not known",
        )),
        Err(_) => Err(out_of_time(device.as_str())),
    }
}

fn same_but_revision(a: &DeviceSpec, b: &DeviceSpec) -> bool {
    a.tenant == b.tenant
        && a.device == b.device
        && a.name == b.name
        && a.protocol == b.protocol
        && a.settings == b.settings
        && a.points == b.points
        && a.enabled == b.enabled
}

fn misconfigured(device: &str, errors: &[FieldError]) -> DriverError {
    DriverError::new(ErrorKind::Misconfigured, device, "", check::told(errors))
}

fn busy(device: &Identifier) -> DriverError {
    let cause = "too many requests wait for this device; try again in a moment";
    DriverError::new(ErrorKind::Busy, device.as_str(), "", cause)
}

fn too_many_probes(device: &str) -> DriverError {
    let cause = "too many tests run at the same time; try again in a moment";
    DriverError::new(ErrorKind::Busy, device, "", cause)
}

fn out_of_time(device: &str) -> DriverError {
    let cause = format!("not finished within {} s", REQUEST_TIME_MAX.as_secs());
    DriverError::new(ErrorKind::Timeout, device, "", cause)
}

#[cfg(test)]
mod tests;
