//! The process as a distributed control system serves it: an OPC UA server with a tree of the
//! equipment, whose variables are what is recorded.

mod signal;

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weir_model::{Identifier, Sample, TagId, Timestamp, Unit, Value};
use weir_opcua_server::{
    Asset, Client, Credentials, Limits, Listen, Live, LiveEvent, Node, OpcUaServer, Options, Plant,
    PlantError as Unanswered, Policy, Principal, Running, Span, Tag, WriteError,
};

use crate::PlantError;
use crate::assets;
use crate::devices::Source;
use crate::model::Names;
use crate::replay::Replay;

pub(crate) use signal::{SUFFIX, Signal, device, signals};

/// How often the system looks whether another row is due.
const TICK: Duration = Duration::from_millis(50);

/// Batches of changes that a slow client may be behind before it reads the newest values instead.
const LIVE_BATCHES_MAX: usize = 64;

/// The prefix of the system's own names: another program's, not the organisation's.
const PREFIX: &str = "dcs";

/// Bounds of a small control system.
const CONNECTIONS_MAX: usize = 32;
const MONITORED_ITEMS_MAX: usize = 5_000;

/// The system.
pub(crate) struct Dcs {
    replay: Arc<Replay>,
    signals: Vec<Signal>,
    nodes: BTreeMap<Identifier, Node>,
    last: Mutex<Vec<Sample>>,
    live: broadcast::Sender<Arc<[(TagId, Sample)]>>,
}

/// The name of a piece of equipment or of a signal in the system.
pub(crate) fn name(suffix: &str) -> String {
    format!("{PREFIX}/{suffix}")
}

impl Dcs {
    /// A system that knows what is recorded now.
    pub(crate) fn new(replay: Arc<Replay>) -> Result<Self, PlantError> {
        let signals = signals();
        let nodes = nodes(&signals).ok_or(PlantError::Names)?;
        let time = wall_clock();
        let moment = replay.moment(Instant::now());
        let sample = |signal: &Signal| Sample::good(time, signal.value(&moment));
        let last = Mutex::new(signals.iter().map(sample).collect());
        let (live, _) = broadcast::channel(LIVE_BATCHES_MAX);
        Ok(Self { replay, signals, nodes, last, live })
    }

    /// Follows the replay until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.refresh();
        }
    }

    /// Serves OPC UA on a bound port until `stop`. Its certificate is made in a folder at the first
    /// start.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        (host, pki_dir): (IpAddr, PathBuf),
        stop: CancellationToken,
    ) -> Result<Running, PlantError> {
        let options = Options {
            listen: vec![Listen::Bound(listener)],
            pki_dir,
            host_names: vec![host.to_string(), "localhost".to_owned()],
            application_uri: "urn:weir-plant:dcs".to_owned(),
            application_name: "Weir demo control system".to_owned(),
            policies: Policy::ALL.to_vec(),
            // On the machine's own loopback there is nobody on the way.
            allow_none: true,
            allow_anonymous: true,
            allow_user_certificates: false,
            limits: Limits {
                connections_max: CONNECTIONS_MAX,
                sessions_max: CONNECTIONS_MAX,
                monitored_items_max: MONITORED_ITEMS_MAX,
                ..Limits::default()
            },
        };
        let started = OpcUaServer::start(options, self, stop).await;
        started.map_err(|error| PlantError::OpcUa(Box::new(error)))
    }

    /// Tells what has changed since the last time.
    fn refresh(&self) {
        // The lock is held until it is told, so that two changes of a signal are told in their order.
        let mut last = self.newest();
        let moment = self.replay.moment(Instant::now());
        let time = wall_clock();
        let mut changes = Vec::new();
        for (index, (signal, known)) in self.signals.iter().zip(last.iter_mut()).enumerate() {
            let value = signal.value(&moment);
            if known.value.as_ref() != Some(&value) {
                *known = Sample::good(time, value);
                changes.push((tag(index), known.clone()));
            }
        }
        if !changes.is_empty() {
            // Nobody may be listening.
            let _ = self.live.send(changes.into());
        }
    }

    fn newest(&self) -> MutexGuard<'_, Vec<Sample>> {
        // The list is whole after any panic: every change is a store.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, source: Source, number: f64) -> Result<(), WriteError> {
        let now = Instant::now();
        match source {
            Source::Recorded(column) => self.replay.write(column, number as f32, now),
            // Within its limits, so a whole number of 16 bits.
            Source::Fault => self
                .replay
                .set_fault(number as u16, now)
                .map_err(|error| WriteError::Device(error.to_string()))?,
            _ => return Err(WriteError::NotWritable),
        }
        Ok(())
    }
}

fn wall_clock() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

fn tag(index: usize) -> TagId {
    TagId(index as u32 + 1)
}

/// The equipment that has signals, with all that it stands in, and the signals.
fn nodes(signals: &[Signal]) -> Option<BTreeMap<Identifier, Node>> {
    let id = |suffix: &str| Identifier::parse(&name(suffix)).ok();
    let told = |names: &Names| {
        [("en", &names.en), ("zh-CN", &names.zh)]
            .map(|(language, name)| (language.to_owned(), name.to_string()))
            .into_iter()
            .collect()
    };
    let mut nodes = BTreeMap::new();
    let mut wanted: Vec<&str> = signals.iter().map(|signal| signal.asset).collect();
    // Each parent stands before its children, so that the way up is found backwards.
    for asset in assets::ALL.iter().rev() {
        if !wanted.contains(&asset.suffix.as_ref()) {
            continue;
        }
        let parent = asset.parent.as_deref().filter(|parent| *parent != "site");
        wanted.extend(parent);
        let node = Asset {
            id: id(&asset.suffix)?,
            parent: parent.map(id).map_or(Some(None), |id| id.map(Some))?,
            name: asset.names.en.to_string(),
            names: told(&asset.names),
            description: String::new(),
            level: asset.level,
        };
        nodes.insert(node.id.clone(), Node::Asset(node));
    }
    for (index, signal) in signals.iter().enumerate() {
        let node = Tag {
            id: id(signal.suffix)?,
            tag: tag(index),
            parent: Some(id(signal.asset)?),
            name: signal.names.en.to_string(),
            names: told(&signal.names),
            description: signal.source.describe(),
            unit: signal.unit.and_then(|code| Unit::parse(code).ok()),
            data_type: signal.data_type(),
            range: signal.range.map(|range| (range.low, range.high)),
            labels: signal.source.labels(),
            writable: signal.write.is_some(),
        };
        nodes.insert(node.id.clone(), Node::Tag(node));
    }
    Some(nodes)
}

struct Stream(broadcast::Receiver<Arc<[(TagId, Sample)]>>);

#[async_trait]
impl Live for Stream {
    async fn next(&mut self) -> Option<LiveEvent> {
        match self.0.recv().await {
            Ok(samples) => Some(LiveEvent::Samples(samples)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(LiveEvent::Lagged),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[async_trait]
impl Plant for Dcs {
    async fn authenticate(&self, shown: Credentials<'_>, _client: &Client) -> Option<Principal> {
        matches!(shown, Credentials::Anonymous).then(|| Principal::new("anybody", ()))
    }

    async fn children(
        &self,
        _principal: &Principal,
        parent: Option<&Identifier>,
        after: Option<&Identifier>,
        max: usize,
    ) -> Result<Vec<Node>, Unanswered> {
        let children = self.nodes.values().filter(|node| node.parent() == parent);
        let behind = children.filter(|node| after.is_none_or(|after| node.id() > after));
        Ok(behind.take(max).cloned().collect())
    }

    async fn nodes(
        &self,
        _principal: &Principal,
        ids: &[Identifier],
    ) -> Result<Vec<Option<Node>>, Unanswered> {
        Ok(ids.iter().map(|id| self.nodes.get(id).cloned()).collect())
    }

    async fn last(
        &self,
        _principal: &Principal,
        tags: &[TagId],
    ) -> Result<Vec<Option<Sample>>, Unanswered> {
        let last = self.newest();
        let sample = |tag: &TagId| last.get((tag.0 as usize).checked_sub(1)?).cloned();
        Ok(tags.iter().map(sample).collect())
    }

    async fn live(&self, _principal: &Principal) -> Box<dyn Live> {
        Box::new(Stream(self.live.subscribe()))
    }

    /// The system keeps no history.
    async fn history(
        &self,
        _principal: &Principal,
        _tag: TagId,
        _span: Span,
        _max: usize,
    ) -> Result<Vec<Sample>, Unanswered> {
        Ok(Vec::new())
    }

    async fn write(
        &self,
        _principal: &Principal,
        id: &Identifier,
        value: Value,
    ) -> Result<(), WriteError> {
        let Some(Node::Tag(found)) = self.nodes.get(id) else { return Err(WriteError::Unknown) };
        let index = (found.tag.0 as usize).checked_sub(1).ok_or(WriteError::Unknown)?;
        let signal = self.signals.get(index).ok_or(WriteError::Unknown)?;
        let limits = signal.write.ok_or(WriteError::NotWritable)?;
        let number = value.as_f64().ok_or(WriteError::Mismatch)?;
        // A NaN is within no limits.
        if !(limits.min..=limits.max).contains(&number) {
            return Err(WriteError::OutOfRange);
        }
        self.apply(signal.source, number)?;
        self.refresh();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
