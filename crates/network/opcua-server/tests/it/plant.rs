//! A small plant in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use tokio::sync::broadcast;
use weir_model::{DataType, Identifier, Level, Quality, Sample, TagId, Timestamp, Unit, Value};
use weir_opcua_server::{
    Asset, Client, Credentials, Live, LiveEvent, Node, Plant, PlantError, Principal, Span, Tag,
    WriteError,
};

/// Tags of the flat folder that many items are watched in.
pub(crate) const MANY: u32 = 12_000;

/// What `operator` may see and `viewer` may not.
pub(crate) const SECRET: &str = "demo.tep/recipe";

/// The plant.
pub(crate) struct Memory {
    nodes: BTreeMap<Identifier, Node>,
    state: Mutex<BTreeMap<TagId, BTreeMap<Timestamp, Sample>>>,
    live: broadcast::Sender<Arc<[(TagId, Sample)]>>,
    /// Whom the next authentications let in.
    pub(crate) locked: Mutex<Vec<String>>,
    /// Who comes without credentials.
    pub(crate) anonymous: Mutex<&'static str>,
    /// If there is one, every write takes a permit of it.
    pub(crate) pace: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
    /// Whether nothing is answered any more.
    pub(crate) is_silent: std::sync::atomic::AtomicBool,
    /// What every write comes to, if there is something.
    pub(crate) refuses: Mutex<Option<WriteError>>,
    /// Writes that were begun.
    pub(crate) writes: std::sync::atomic::AtomicUsize,
    /// User certificates that are `operator`'s.
    pub(crate) certificate: Mutex<Option<Vec<u8>>>,
}

pub(crate) fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

/// Nanoseconds of a whole second.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_nanos(second * 1_000_000_000)
}

fn names(en: &str, zh: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("en".to_owned(), en.to_owned()), ("zh-CN".to_owned(), zh.to_owned())])
}

fn asset(name: &str, parent: Option<&str>, level: Level, en: &str, zh: &str) -> Node {
    Node::Asset(Asset {
        id: id(name),
        parent: parent.map(id),
        name: en.to_owned(),
        names: names(en, zh),
        description: format!("The {en}"),
        level,
    })
}

fn tag(number: u32, name: &str, parent: &str, data_type: DataType, en: &str, zh: &str) -> Tag {
    Tag {
        id: id(name),
        tag: TagId(number),
        parent: Some(id(parent)),
        name: en.to_owned(),
        names: names(en, zh),
        description: format!("{en} as measured"),
        unit: None,
        data_type,
        range: None,
        labels: BTreeMap::new(),
        writable: false,
    }
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        let mut nodes = vec![
            asset("demo.tep/plant", None, Level::Enterprise, "Demo plant", "示范工厂"),
            asset("demo.tep/area", Some("demo.tep/plant"), Level::Area, "Area 1", "一号车间"),
            asset("demo.tep/reactor", Some("demo.tep/area"), Level::WorkUnit, "Reactor", "反应器"),
            asset("demo.tep/many", Some("demo.tep/plant"), Level::Area, "Many", "许多"),
        ];
        let reactor = "demo.tep/reactor";
        let tags = [
            Tag {
                unit: Unit::parse("kPa").ok(),
                range: Some((0.0, 3000.0)),
                ..tag(1, "demo.tep/reactor-pressure", reactor, DataType::F64, "Pressure", "压力")
            },
            Tag {
                unit: Unit::parse("%").ok(),
                range: Some((0.0, 100.0)),
                writable: true,
                ..tag(2, "demo.tep/valve", reactor, DataType::F64, "Valve", "阀门")
            },
            tag(3, "demo.tep/running", reactor, DataType::Bool, "Running", "运行"),
            tag(4, "demo.tep/batch", reactor, DataType::Text, "Batch", "批次"),
            tag(5, "demo.tep/spectrum", reactor, DataType::Array, "Spectrum", "频谱"),
            Tag {
                labels: BTreeMap::from([(0, "stopped".to_owned()), (1, "running".to_owned())]),
                ..tag(6, "demo.tep/mode", reactor, DataType::Enumeration, "Mode", "模式")
            },
            tag(7, SECRET, reactor, DataType::F64, "Recipe", "配方"),
            Tag {
                unit: Unit::parse("m3/h").ok(),
                ..tag(8, "demo.tep/flow", reactor, DataType::F64, "Flow", "流量")
            },
            tag(9, "demo.tep/silent", reactor, DataType::F64, "Silent", "无数据"),
            tag(10, "demo.tep/count", reactor, DataType::U64, "Count", "计数"),
        ];
        nodes.extend(tags.into_iter().map(Node::Tag));
        nodes.extend((0..MANY).map(|n| {
            let name = format!("demo.tep/many-{n:05}");
            Node::Tag(tag(1000 + n, &name, "demo.tep/many", DataType::F64, &format!("T{n}"), "多"))
        }));
        let nodes = nodes.into_iter().map(|node| (node.id().clone(), node)).collect();
        let (live, _) = broadcast::channel(64);
        let memory = Self {
            nodes,
            state: Mutex::default(),
            live,
            locked: Mutex::default(),
            anonymous: Mutex::new("viewer"),
            pace: Mutex::default(),
            is_silent: std::sync::atomic::AtomicBool::new(false),
            refuses: Mutex::default(),
            writes: std::sync::atomic::AtomicUsize::new(0),
            certificate: Mutex::default(),
        };
        let pressure = (0..1_000).map(|n| (TagId(1), sample(n, n as f64)));
        memory.store(pressure);
        memory.store([
            (TagId(2), sample(1, 40.0)),
            (TagId(3), Sample::good(at(1), Value::Bool(true))),
            (TagId(4), Sample::good(at(1), Value::text("B-7 批").unwrap())),
            (TagId(5), Sample::good(at(1), array(&[1.0, 2.0, 3.0]))),
            (TagId(6), Sample::good(at(1), Value::Enumeration(1))),
            (TagId(7), sample(1, 7.0)),
            (TagId(8), Sample { quality: Quality::LAST_USABLE, ..sample(1, 8.5) }),
            (TagId(10), Sample::good(at(1), Value::U64(1 << 60))),
        ]);
        memory.store((0..MANY).map(|n| (TagId(1000 + n), sample(1, f64::from(n)))));
        Arc::new(memory)
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<TagId, BTreeMap<Timestamp, Sample>>> {
        self.state.lock().unwrap()
    }

    fn store(&self, samples: impl IntoIterator<Item = (TagId, Sample)>) {
        let mut state = self.state();
        for (tag, sample) in samples {
            state.entry(tag).or_default().insert(sample.time, sample);
        }
    }

    /// Stores samples and tells the live stream.
    pub(crate) fn measure(&self, samples: Vec<(TagId, Sample)>) {
        self.store(samples.clone());
        // Nobody may be listening.
        let _ = self.live.send(samples.into());
    }

    /// Ends where something is answered.
    async fn speaks(&self) {
        if self.is_silent.load(std::sync::atomic::Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn sees(&self, principal: &Principal, node: &Node) -> bool {
        principal.name() != "viewer" || node.id() != &id(SECRET)
    }
}

fn array(items: &[f64]) -> Value {
    Value::array(items.iter().map(|x| Value::F64(*x)).collect()).unwrap()
}

pub(crate) fn sample(second: i64, x: f64) -> Sample {
    Sample::good(at(second), Value::F64(x))
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
impl Plant for Memory {
    async fn authenticate(
        &self,
        credentials: Credentials<'_>,
        _client: &Client,
    ) -> Option<Principal> {
        self.speaks().await;
        let name = match credentials {
            Credentials::Anonymous => *self.anonymous.lock().unwrap(),
            Credentials::Password { user: "operator", password: "valves 开" } => "operator",
            Credentials::Password { user: "viewer", password: "look" } => "viewer",
            Credentials::Certificate { der } => {
                let known = self.certificate.lock().unwrap();
                (known.as_deref() == Some(der)).then_some("operator")?
            }
            Credentials::Password { .. } => return None,
        };
        let locked = self.locked.lock().unwrap().iter().any(|locked| locked == name);
        (!locked).then(|| Principal::new(name, ()))
    }

    async fn children(
        &self,
        principal: &Principal,
        parent: Option<&Identifier>,
        after: Option<&Identifier>,
        max: usize,
    ) -> Result<Vec<Node>, PlantError> {
        self.speaks().await;
        let children = self.nodes.values().filter(|node| node.parent() == parent);
        let behind = children.filter(|node| after.is_none_or(|after| node.id() > after));
        Ok(behind.filter(|node| self.sees(principal, node)).take(max).cloned().collect())
    }

    async fn nodes(
        &self,
        principal: &Principal,
        ids: &[Identifier],
    ) -> Result<Vec<Option<Node>>, PlantError> {
        self.speaks().await;
        let visible = |id| self.nodes.get(id).filter(|node| self.sees(principal, node)).cloned();
        Ok(ids.iter().map(visible).collect())
    }

    async fn last(
        &self,
        _principal: &Principal,
        tags: &[TagId],
    ) -> Result<Vec<Option<Sample>>, PlantError> {
        self.speaks().await;
        let state = self.state();
        let newest = |tag| state.get(tag)?.values().next_back().cloned();
        Ok(tags.iter().map(newest).collect())
    }

    async fn live(&self, _principal: &Principal) -> Box<dyn Live> {
        self.speaks().await;
        Box::new(Stream(self.live.subscribe()))
    }

    async fn history(
        &self,
        _principal: &Principal,
        tag: TagId,
        span: Span,
        max: usize,
    ) -> Result<Vec<Sample>, PlantError> {
        self.speaks().await;
        let state = self.state();
        let Some(stored) = state.get(&tag).filter(|_| span.from <= span.to) else {
            return Ok(Vec::new());
        };
        let range = stored.range(span.from..=span.to).map(|(_, sample)| sample.clone());
        Ok(if span.newest_first {
            range.rev().take(max).collect()
        } else {
            range.take(max).collect()
        })
    }

    async fn write(
        &self,
        principal: &Principal,
        tag: &Identifier,
        value: Value,
    ) -> Result<(), WriteError> {
        self.writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.speaks().await;
        let pace = self.pace.lock().unwrap().clone();
        if let Some(pace) = pace {
            pace.acquire().await.unwrap().forget();
        }
        if let Some(error) = self.refuses.lock().unwrap().clone() {
            return Err(error);
        }
        let Some(Node::Tag(tag)) = self.nodes.get(tag) else { return Err(WriteError::Unknown) };
        if principal.name() != "operator" {
            return Err(WriteError::Denied);
        }
        if !tag.writable {
            return Err(WriteError::NotWritable);
        }
        if value.as_f64().is_some_and(|x| x > 100.0) {
            return Err(WriteError::OutOfRange);
        }
        let time = self.state().get(&tag.tag).and_then(|it| it.keys().next_back().copied());
        let time = time.unwrap_or(at(0)).saturating_add(1_000_000);
        self.measure(vec![(tag.tag, Sample::good(time, value))]);
        Ok(())
    }
}
