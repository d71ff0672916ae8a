//! What the routes share: the rooms they open onto, the clock, and the bounds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use weir_access::Access;
use weir_audit::Audit;
use weir_connect::Supervisor;
use weir_historian::Historian;
use weir_model::Timestamp;
use weir_resolver::Registry;
use weir_store::{Schema, Store};
use weir_twin::Directory;

use crate::ingest::series::Caches;
use crate::lake::LakeView;
use crate::mqtt::MqttBroker;
use crate::opcua::OpcUaServer;
use crate::query::QueryEngine;
use crate::routes::flight::Sessions;

/// What [`ApiState::new`] is made of. The caller opened each part and closes it after the listener
/// has drained.
pub struct Parts {
    /// The documents. Its schema holds at least [`schema`]'s collections, access's and connect's.
    pub store: Store,
    /// The same documents in memory: tags by identifier and number, assets, organisations. Always as new as
    /// the store, since it catches up with the change feed when it is asked.
    pub directory: Directory,
    /// The identifiers that stand for themselves, and the prefixes that are homed here.
    pub registry: Arc<Registry>,
    /// The samples.
    pub historian: Historian,
    /// The devices.
    pub supervisor: Arc<Supervisor>,
    /// The MQTT broker, where it runs.
    pub mqtt: Option<Arc<dyn MqttBroker>>,
    /// The OPC UA server, where it runs.
    pub opcua: Option<Arc<dyn OpcUaServer>>,
    /// The lake that follows the historian, where one is set.
    pub lake: Option<Arc<dyn LakeView>>,
    /// What runs SQL, where the program has it.
    pub query: Option<Arc<dyn QueryEngine>>,
    /// Whether Arrow Flight SQL is answered, where the program has SQL.
    pub flight: bool,
    /// Who may do what.
    pub access: Access,
    /// Where refusals are written. (Changes reach the audit through the store's feed.)
    pub audit: Audit,
    /// The wall clock, passed in so that tests can set it.
    pub clock: Clock,
    /// What this node is.
    pub info: NodeInfo,
    /// The bounds.
    pub limits: Limits,
    /// Ends every open stream when cancelled: cancel it first, then drain the listener.
    pub shutdown: CancellationToken,
    /// The folder that `POST /api/v1/backup` writes dated copies into.
    pub backups: PathBuf,
}

/// Reads the time of day.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| Timestamp::from_system(std::time::SystemTime::now()))
}

/// What a node says of itself.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// The program's version.
    pub version: String,
    /// Whether the listener speaks TLS: cookies become `Secure` and answers carry HSTS.
    pub tls: bool,
}

/// Bounds of the HTTP surface; each has a default that suits one node on two cores.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest body of an ingest or import as it arrives, in bytes: an hour of a thousand tags at
    /// one sample a second, packed.
    pub body_packed_bytes_max: usize,
    /// Largest body of an ingest or import once unpacked, in bytes.
    pub body_unpacked_bytes_max: usize,
    /// Bytes of all ingest requests at one time, as received, unpacked and in columns: the memory that
    /// overload may take.
    pub ingest_bytes_max: usize,
    /// Most tags an organisation may have with those that series make by themselves: where somebody
    /// sends names that never end, it ends here.
    pub series_tags_max: usize,
    /// Requests in progress at one time, streams not counted; more are answered 503.
    pub requests_max: usize,
    /// Open live streams at one time.
    pub streams_max: usize,
    /// Bytes that long answers hold at one time while they are read: more are answered 503.
    pub answers_bytes_max: usize,
    /// Longest time a request may take, streams not counted.
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_packed_bytes_max: 8 << 20,
            body_unpacked_bytes_max: 64 << 20,
            ingest_bytes_max: 128 << 20,
            series_tags_max: 100_000,
            requests_max: 256,
            streams_max: 256,
            answers_bytes_max: 256 << 20,
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Adds the collections of the documents that the routes write: twin's, the resolver's and the
/// commands to devices. Access and connect add their own.
pub fn schema(schema: Schema) -> Schema {
    weir_resolver::schema(weir_twin::schema(schema)).with::<crate::Commands>()
}

/// Everything a route can reach. Cloning is cheap.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The inside of [`ApiState`].
pub struct Shared {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) historian: Historian,
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) mqtt: Option<Arc<dyn MqttBroker>>,
    pub(crate) opcua: Option<Arc<dyn OpcUaServer>>,
    pub(crate) lake: Option<Arc<dyn LakeView>>,
    pub(crate) query: Option<Arc<dyn QueryEngine>>,
    pub(crate) flight: bool,
    /// Who signed in over Arrow Flight.
    pub(crate) flights: Sessions,
    pub(crate) access: Access,
    pub(crate) audit: Audit,
    pub(crate) directory: Directory,
    pub(crate) clock: Clock,
    pub(crate) info: NodeInfo,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    pub(crate) backups: PathBuf,
    pub(crate) started: Instant,
    pub(crate) started_at: Timestamp,
    /// Creations take turns, so that counters and the shape of the asset tree conflict only where
    /// another node writes too.
    pub(crate) shaping: Mutex<()>,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) answers: Arc<Semaphore>,
    pub(crate) ingest: Arc<Semaphore>,
    pub(crate) series: Caches,
    pub(crate) rate: Rate,
}

impl ApiState {
    /// Puts the parts together. Starts no task.
    pub fn new(parts: Parts) -> Self {
        let started_at = (parts.clock)();
        let limits = parts.limits;
        Self(Arc::new(Shared {
            store: parts.store,
            registry: parts.registry,
            historian: parts.historian,
            supervisor: parts.supervisor,
            mqtt: parts.mqtt,
            opcua: parts.opcua,
            lake: parts.lake,
            query: parts.query,
            flight: parts.flight,
            flights: Sessions::default(),
            access: parts.access,
            audit: parts.audit,
            directory: parts.directory,
            clock: parts.clock,
            info: parts.info,
            shutdown: parts.shutdown,
            backups: parts.backups,
            started: Instant::now(),
            started_at,
            shaping: Mutex::new(()),
            requests: Arc::new(Semaphore::new(limits.requests_max)),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            answers: Arc::new(Semaphore::new(limits.answers_bytes_max / ANSWER_PERMIT_BYTES)),
            ingest: Arc::new(Semaphore::new(limits.ingest_bytes_max / INGEST_PERMIT_BYTES)),
            series: Caches::default(),
            rate: Rate::default(),
            limits,
        }))
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// What one permit of [`Shared::ingest`] stands for, in bytes: fine enough to be fair, coarse
/// enough for a semaphore's counter.
pub(crate) const INGEST_PERMIT_BYTES: usize = 64 << 10;

/// What one permit of [`Shared::answers`] stands for, in bytes.
pub(crate) const ANSWER_PERMIT_BYTES: usize = 64 << 10;

impl std::ops::Deref for ApiState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// How fast a counter grows, measured between two looks at least a second apart.
#[derive(Default)]
pub(crate) struct Rate(std::sync::Mutex<Option<(Instant, u64, f64)>>);

impl Rate {
    /// The rate a second at this total.
    pub(crate) fn measure(&self, total: u64) -> f64 {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some((then, before, rate)) = *last else {
            *last = Some((now, total, 0.0));
            return 0.0;
        };
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds < 1.0 {
            return rate;
        }
        let rate = total.saturating_sub(before) as f64 / seconds;
        *last = Some((now, total, rate));
        rate
    }
}
