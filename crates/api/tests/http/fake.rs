//! A machine in memory, with registers by name which tests read and change; a broker and an OPC UA server
//! with clients; an engine for SQL that knows none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::{Value as Json, json};
use weir_api::{
    FlightAnswer, FlightCall, FlightFailure, FlightVisitor, MqttBroker, MqttClient, MqttConnection,
    OpcUaChange, OpcUaClient, OpcUaError, OpcUaServer, OpcUaSession, OpcUaStatus, QueryEngine,
    QueryError, QueryFormat, QuerySource,
};
use weir_connect::{
    BrowseItem, BrowsePage, Circumstances, Clock, Collected, DeviceSpec, Driver, DriverError,
    ErrorKind, PeerCertificate, RawWrite, Reading, Session,
};
use weir_model::{
    FieldError, SampleColumns, SamplesWanted, Severities, TenantId, Timestamp, Value,
};

pub(crate) type Registers = Arc<Mutex<BTreeMap<String, f64>>>;

pub(crate) struct FakeDriver(pub(crate) Registers);

struct FakeSession {
    registers: Registers,
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Driver for FakeDriver {
    fn protocol(&self) -> &'static str {
        "fake"
    }

    fn describe(&self) -> Json {
        json!({
            "settings": {"properties": {"password": {"x-secret": true}}},
            "address": {},
        })
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        let password = &spec.settings["password"];
        if !(password.is_null() || password.is_string()) {
            let detail = "a driver sees secrets, not markers".to_owned();
            return Err(vec![FieldError { field: "/settings/password".into(), detail }]);
        }
        let wrong = spec.points.iter().enumerate().filter(|(_, point)| !point.address.is_string());
        let errors: Vec<_> = wrong
            .map(|(number, _)| FieldError {
                field: format!("/points/{number}/address"),
                detail: "an address is a name".into(),
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    async fn browse(&self, _: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let name = at.unwrap_or("first").to_owned();
        let next = at.is_none().then(|| "second".to_owned());
        Ok(BrowsePage { items: vec![BrowseItem { name, ..Default::default() }], next })
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        if spec.settings["host"] == "nowhere" {
            return Err(DriverError::new(
                ErrorKind::Unreachable,
                &spec.name,
                "nowhere",
                "no route",
            ));
        }
        let clock = circumstances.clock;
        Ok(Box::new(FakeSession { registers: self.0.clone(), spec, clock }))
    }
}

impl FakeSession {
    fn register(&self, point: usize) -> &str {
        self.spec.points[point].address.as_str().unwrap()
    }
}

#[async_trait]
impl Session for FakeSession {
    fn peer(&self) -> String {
        "memory".into()
    }

    async fn due(&mut self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        let all: Vec<usize> = (0..self.spec.points.len()).collect();
        let readings = self.read(&all).await?;
        Ok(Collected { readings, requests: 1, ..Collected::default() })
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let now = self.clock.now();
        let registers = self.registers.lock().unwrap();
        let read = |point: &usize| {
            let value = registers.get(self.register(*point)).copied().unwrap_or(0.0);
            Reading::good(*point, now, Value::F64(value))
        };
        Ok(points.iter().map(read).collect())
    }

    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        let mut registers = self.registers.lock().unwrap();
        let name = self.register(point).to_owned();
        if name == "broken" {
            let cause = "it said no";
            return Err(DriverError::new(ErrorKind::Rejected, &self.spec.name, name, cause));
        }
        let before = registers.insert(name, raw.as_f64().unwrap());
        Ok(RawWrite {
            before: before.map(Value::F64),
            after: Some(raw.clone()),
            read_back: true,
            verified: true,
            requests: 3,
        })
    }
}

/// A broker of two hundred clients of the first organisation, `secret-000` and on, all connected.
#[derive(Default)]
pub(crate) struct FakeBroker {
    gone: Mutex<BTreeSet<String>>,
}

impl MqttBroker for FakeBroker {
    fn listens(&self) -> (SocketAddr, bool) {
        ((Ipv4Addr::LOCALHOST, 8883).into(), true)
    }

    fn counts(&self, tenant: TenantId) -> (usize, usize) {
        if tenant == TenantId(1) { (200, 7) } else { (0, 0) }
    }

    fn clients(&self, tenant: TenantId, after: Option<&str>, max: usize) -> Vec<MqttClient> {
        let gone = self.gone.lock().unwrap();
        let all = (0..200).filter(|_| tenant == TenantId(1)).map(|n| format!("secret-{n:03}"));
        let wanted = all.filter(|id| after.is_none_or(|after| id.as_str() > after)).take(max);
        wanted.map(|id| client(&id, !gone.contains(&id))).collect()
    }

    fn disconnect(&self, tenant: TenantId, client_id: &str) -> bool {
        let known = self.clients(tenant, None, usize::MAX);
        let is_connected = |c: &MqttClient| c.client_id == client_id && c.connection.is_some();
        known.iter().any(is_connected) && self.gone.lock().unwrap().insert(client_id.to_owned())
    }
}

fn client(id: &str, is_connected: bool) -> MqttClient {
    let connection = MqttConnection {
        address: Ipv4Addr::new(10, 0, 0, 7).into(),
        port: 40_000,
        version: 5,
        tls: true,
        since: Timestamp::MIN,
        keep_alive_s: 30,
        messages_in: 4711,
        messages_out: 2,
    };
    MqttClient {
        client_id: id.to_owned(),
        user: "88.100/user".to_owned(),
        connection: is_connected.then_some(connection),
        subscriptions: 1,
        filters: vec!["line/#".to_owned()],
        queued: 3,
        inflight: 0,
        session_expiry_s: 60,
    }
}

/// The thumbprint of a client of [`FakeOpcUa`].
pub(crate) fn thumbprint(name: &str) -> String {
    let digits = name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{digits:0<64}")
}

/// A server with two clients: `scada` is trusted, `secret` was turned away.
pub(crate) struct FakeOpcUa(Mutex<Vec<OpcUaClient>>);

impl Default for FakeOpcUa {
    fn default() -> Self {
        let client = |name: &str, trusted| OpcUaClient {
            certificate: PeerCertificate {
                thumbprint: thumbprint(name),
                subject: format!("CN={name}"),
                issuer: format!("CN={name}"),
                names: vec![format!("urn:{name}")],
                not_before: None,
                not_after: None,
            },
            application_uri: Some(format!("urn:{name}")),
            trusted,
            since: Timestamp::MIN,
        };
        Self(Mutex::new(vec![client("secret", false), client("scada", true)]))
    }
}

impl OpcUaServer for FakeOpcUa {
    fn status(&self) -> OpcUaStatus {
        let address = (Ipv4Addr::LOCALHOST, 4840).into();
        OpcUaStatus {
            address,
            url: "opc.tcp://plant-7:4840".to_owned(),
            application_uri: "urn:weir:1:opcua".to_owned(),
            certificate: PeerCertificate::of(b"none"),
            policies: vec!["Basic256Sha256".to_owned()],
            sessions: vec![OpcUaSession {
                name: "overview".to_owned(),
                user: Some("88.100/user".to_owned()),
                token: false,
                application_uri: "urn:scada".to_owned(),
                address,
                certificate: Some(thumbprint("scada")),
                encrypted: true,
                idle_s: 0.5,
            }],
            sessions_max: 100,
            subscriptions: 1,
            monitored_items: 2,
        }
    }

    fn clients(&self) -> BoxFuture<'_, Result<Vec<OpcUaClient>, OpcUaError>> {
        ready(Ok(self.0.lock().unwrap().clone())).boxed()
    }

    fn change<'a>(
        &'a self,
        thumbprint: &'a str,
        change: OpcUaChange,
    ) -> BoxFuture<'a, Result<PeerCertificate, OpcUaError>> {
        let mut clients = self.0.lock().unwrap();
        let at = clients.iter().position(|it| it.certificate.thumbprint == thumbprint);
        let changed = at.ok_or(OpcUaError::NotFound).map(|at| match change {
            OpcUaChange::Forget => clients.remove(at).certificate,
            change => {
                clients[at].trusted = change == OpcUaChange::Trust;
                clients[at].certificate.clone()
            }
        });
        ready(changed).boxed()
    }
}

/// An engine that knows a few statements and asks the source for them.
pub(crate) struct FakeEngine;

impl QueryEngine for FakeEngine {
    fn run(
        &self,
        sql: String,
        format: QueryFormat,
        source: Arc<dyn QuerySource>,
    ) -> BoxFuture<'_, Result<Bytes, QueryError>> {
        async move {
            let (word, rest) = sql.split_once(' ').unwrap_or((&sql, ""));
            let wanted: BTreeSet<String> = rest.split_whitespace().map(str::to_owned).collect();
            let wanted = (!wanted.is_empty()).then_some(&wanted);
            let found = match word {
                "numbers" => source.numbers(wanted).map(|found| format!("{found:?}")),
                "tags" => source.tags(wanted).map(|found| format!("{found:?}")),
                "assets" => source.assets().map(|found| format!("{found:?}")),
                "samples" => {
                    let tags = source.numbers(wanted).map_err(QueryError::Failed)?;
                    let tags = tags.into_iter().map(|(tag, _)| tag).collect();
                    let wanted = SamplesWanted {
                        tags,
                        from: Timestamp::MIN,
                        to: Timestamp::MAX,
                        numbers: None,
                        severities: Severities::ALL,
                        columns: SampleColumns { times: true, ..SampleColumns::default() },
                        sums: None,
                    };
                    let pages: Result<Vec<_>, _> = source.samples(wanted).try_collect().await;
                    pages.map(|pages| {
                        let sizes =
                            pages.iter().flat_map(|page| page.tags.iter().map(|(_, rows)| rows));
                        let sizes: Vec<&u32> = sizes.collect();
                        let first = pages.first().map(|page| page.times[0]);
                        format!("{sizes:?} {first:?}")
                    })
                }
                "format" => Ok(format!("{format:?}")),
                "limit" => {
                    return Err(QueryError::Limit("the answer has too many rows".to_owned()));
                }
                "time" => return Err(QueryError::Time("it took long".to_owned())),
                "busy" => return Err(QueryError::Busy("too many run".to_owned())),
                "fail" => return Err(QueryError::Failed("the disk is gone".into())),
                _ => return Err(QueryError::Statement(format!("what is {word}?"))),
            };
            found.map(Bytes::from).map_err(QueryError::Failed)
        }
        .boxed()
    }

    /// Does what the header `x-do` says.
    fn flight(&self, call: FlightCall, visitor: FlightVisitor) -> BoxFuture<'_, FlightAnswer> {
        async move {
            let asked = call.headers().get("x-do").and_then(|value| value.to_str().ok());
            let (word, rest) = asked.and_then(|asked| asked.split_once(' ')).unwrap_or_default();
            let told = |failure: FlightFailure| format!("{} {}", failure.code, failure.text);
            let text = match word {
                "caller" => visitor.caller(),
                "tags" => match visitor.source().tags(None) {
                    Ok(found) => format!("{found:?}"),
                    Err(error) => told(visitor.failed(QueryError::Failed(error))),
                },
                "statement" => told(visitor.failed(QueryError::Statement(rest.to_owned()))),
                "limit" => told(visitor.failed(QueryError::Limit(rest.to_owned()))),
                "ended" => told(visitor.ended().await),
                _ => {
                    let (user, password) = rest.split_once(' ').unwrap_or_default();
                    visitor.sign_in(user, password).await.unwrap_or_else(told)
                }
            };
            FlightAnswer::new(text.into())
        }
        .boxed()
    }
}
