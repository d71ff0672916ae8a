//! A node without a listener: requests go into the router and answers come out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use weir_access::{Access, Bootstrap, By};
use weir_api::{ApiState, Limits, NodeInfo, Parts};
use weir_audit::Audit;
use weir_connect::{Refused, Sink, Supervisor};
use weir_historian::Historian;
use weir_model::{Author, Batch, Grade, Prefix, RequestId, TenantId, Timestamp};
use weir_resolver::{HomedPrefix, Prefixes};
use weir_store::{Commit, Expect, Schema, Store};
use weir_twin::{Directory, Draft, Names, Organisation};

use crate::fake::{FakeBroker, FakeDriver, FakeEngine, FakeOpcUa, Registers};

/// How long a test waits for something that happens by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Bench {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) historian: Historian,
    pub(crate) audit: Audit,
    pub(crate) supervisor: Supervisor,
    pub(crate) registers: Registers,
    pub(crate) shutdown: CancellationToken,
    pub(crate) admin: String,
    pub(crate) password: String,
    state_of: Box<dyn Fn(Limits, bool, bool) -> ApiState + Send + Sync>,
    now: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

struct ToHistorian(Historian);

#[async_trait]
impl Sink for ToHistorian {
    async fn deliver(&self, batch: Batch) -> Result<(), Refused> {
        self.0.append(batch).await.map(|_| ()).map_err(|error| Refused::Never(error.to_string()))
    }
}

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks the status and gives the JSON.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Json {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Json::Null } else { self.json() }
    }

    /// Checks that it is a problem of a code, and gives its first field.
    #[track_caller]
    pub(crate) fn problem(&self, code: &str) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request"], self.header("x-request-id"));
        problem["errors"][0]["field"].as_str().unwrap_or_default().to_owned()
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let schema = weir_connect::schema(Schema::new());
        let schema = Access::schema(weir_api::schema(schema));
        let store = Store::open(&dir.path().join("store"), schema, Default::default()).unwrap();
        let historian = Historian::open(&dir.path().join("historian"), Default::default()).unwrap();
        let audit = Audit::open(&dir.path().join("audit"), Default::default()).unwrap();
        let access = Access::open(store.clone(), Default::default()).unwrap();
        let registers = Registers::default();
        let drivers: Vec<Arc<dyn weir_connect::Driver>> =
            vec![Arc::new(FakeDriver(registers.clone()))];
        let options = weir_connect::Options::new(dir.path().join("spool"));
        let sink = Arc::new(ToHistorian(historian.clone()));
        let supervisor = Supervisor::new(drivers, sink, options).unwrap();
        let started = Timestamp::from_system(std::time::SystemTime::now());
        let now = Arc::new(AtomicI64::new(0));
        let shift = now.clone();
        let clock = Arc::new(move || {
            let now = Timestamp::from_system(std::time::SystemTime::now());
            now.saturating_add(shift.load(Ordering::Relaxed))
        });
        first_organisation(&store, started).await;
        let system = access.system("test", TenantId(1));
        let first = Bootstrap::administrator(TenantId(1), prefix(), "admin");
        let by = By::new(&system, RequestId(1), started);
        let made = access.bootstrap(by, first, |_, _| {}).await.unwrap().unwrap();
        let shutdown = CancellationToken::new();
        let backups = dir.path().join("backups");
        let state_of = {
            let (store, historian, audit) = (store.clone(), historian.clone(), audit.clone());
            let (supervisor, shutdown) = (supervisor.clone(), shutdown.clone());
            let (broker, opcua) = (Arc::new(FakeBroker::default()), Arc::new(FakeOpcUa::default()));
            move |limits, tls, sql: bool| {
                let parts = Parts {
                    store: store.clone(),
                    registry: Arc::new(weir_resolver::Registry::open(store.clone()).unwrap()),
                    directory: Directory::open(store.clone()).unwrap(),
                    historian: historian.clone(),
                    supervisor: Arc::new(supervisor.clone()),
                    mqtt: Some(broker.clone()),
                    opcua: Some(opcua.clone()),
                    lake: None,
                    query: sql.then(|| Arc::new(FakeEngine) as _),
                    flight: true,
                    access: access.clone(),
                    audit: audit.clone(),
                    clock: clock.clone(),
                    info: NodeInfo { version: "0.0.0-test".into(), tls },
                    limits,
                    shutdown: shutdown.clone(),
                    backups: backups.clone(),
                };
                ApiState::new(parts)
            }
        };
        let mut bench = Self {
            router: weir_api::router(state_of(limits, false, true)),
            store,
            historian,
            audit,
            supervisor,
            registers,
            shutdown,
            admin: String::new(),
            password: made.password,
            state_of: Box::new(state_of),
            now,
            _dir: dir,
        };
        bench.admin = bench.first_token().await;
        bench
    }

    /// Another router on the same rooms.
    pub(crate) fn router_with(&self, limits: Limits) -> Router {
        weir_api::router((self.state_of)(limits, false, true))
    }

    /// Another router on the same rooms, behind a listener that encrypts.
    pub(crate) fn router_with_tls(&self) -> Router {
        weir_api::router((self.state_of)(Limits::default(), true, true))
    }

    /// Another router on the same rooms, of a program without SQL.
    pub(crate) fn router_without_query(&self) -> Router {
        weir_api::router((self.state_of)(Limits::default(), false, false))
    }

    /// Moves the clock forward.
    pub(crate) fn pass(&self, time: Duration) {
        self.now.fetch_add(time.as_nanos() as i64, Ordering::Relaxed);
    }

    async fn first_token(&self) -> String {
        let (cookie, csrf) = self.sign_in("admin", &self.password).await;
        let scopes = self.get("/api/v1/session").cookie(&cookie).send().await.expect(200);
        // It outlives the tokens that are made with it, as a token's token must not outlive it.
        let body = json!({"name": "test", "scopes": scopes["permissions"], "expires": in_days(2)});
        let made = self.post("/api/v1/tokens", body).cookie(&cookie).header("x-weir-csrf", &csrf);
        made.send().await.expect(201)["token"].as_str().unwrap().to_owned()
    }

    /// The session cookie and the CSRF token.
    pub(crate) async fn sign_in(&self, user: &str, password: &str) -> (String, String) {
        let body = json!({"user": user, "password": password});
        let answer = self.post("/api/v1/session", body).send().await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let csrf = answer.expect(200)["csrf"].as_str().unwrap().to_owned();
        (cookie, csrf)
    }

    /// A new user of a role, with a token for all that the role may do.
    pub(crate) async fn token_of(&self, name: &str, role: &str, ceiling: Grade) -> String {
        self.token_in(&self.admin, name, role, ceiling, None).await
    }

    async fn token_in(
        &self,
        by: &str,
        name: &str,
        role: &str,
        ceiling: Grade,
        organisation: Option<&str>,
    ) -> String {
        let password = "a long enough password of its own";
        let user = json!({
            "name": name, "roles": [role], "ceiling": ceiling, "password": password,
            "organisation": organisation,
        });
        let user = self.post("/api/v1/users", user).bearer(by).send().await.expect(201);
        let (cookie, csrf) = self.sign_in(user["sign_in"].as_str().unwrap(), password).await;
        let session = self.get("/api/v1/session").cookie(&cookie).send().await.expect(200);
        let scopes = &session["permissions"];
        let made = if scopes.as_array().unwrap().contains(&json!("token:write")) {
            let body = json!({"name": name, "scopes": scopes, "expires": in_a_day()});
            self.post("/api/v1/tokens", body)
                .cookie(&cookie)
                .header("x-weir-csrf", &csrf)
                .send()
                .await
        } else {
            let body = json!({
                "name": name, "scopes": scopes, "expires": in_a_day(), "user": session["principal"],
            });
            self.post("/api/v1/tokens", body).bearer(by).send().await
        };
        made.expect(201)["token"].as_str().unwrap().to_owned()
    }

    /// A second organisation, `88.200`, and a token of its administrator.
    pub(crate) async fn second_organisation(&self) -> String {
        let body = json!({"prefix": "88.200", "name": "Second"});
        self.post("/api/v1/organisations", body).bearer(&self.admin).send().await.expect(201);
        self.token_in(&self.admin, "second", "administrator", Grade::Core, Some("88.200")).await
    }

    pub(crate) fn get(&self, uri: &str) -> Call<'_> {
        self.call(Method::GET, uri, None)
    }

    pub(crate) fn post(&self, uri: &str, body: Json) -> Call<'_> {
        self.call(Method::POST, uri, Some(body))
    }

    pub(crate) fn patch(&self, uri: &str, body: Json) -> Call<'_> {
        self.call(Method::PATCH, uri, Some(body))
    }

    pub(crate) fn put(&self, uri: &str, body: Json) -> Call<'_> {
        self.call(Method::PUT, uri, Some(body))
    }

    pub(crate) fn delete(&self, uri: &str) -> Call<'_> {
        self.call(Method::DELETE, uri, None)
    }

    pub(crate) fn call(&self, method: Method, uri: &str, body: Option<Json>) -> Call<'_> {
        let mut request = Request::builder().method(method).uri(uri);
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        Call { bench: self, request: request.body(body).unwrap() }
    }

    /// Creates a tag and gives its id.
    pub(crate) async fn tag(&self, document: Json) -> String {
        let made = self.post("/api/v1/tags", document).bearer(&self.admin).send().await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Stores samples and expects success.
    pub(crate) async fn store_samples(&self, samples: Json) {
        let body = json!({"samples": samples});
        self.post("/api/v1/samples", body).bearer(&self.admin).send().await.expect(200);
    }
}

/// One request on its way.
pub(crate) struct Call<'b> {
    bench: &'b Bench,
    request: Request<Body>,
}

impl Call<'_> {
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: http::HeaderName = name.parse().unwrap();
        self.request.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self.header("content-type", kind)
    }

    /// The same as a request of HTTP/2.
    pub(crate) fn over_http_2(mut self) -> Self {
        *self.request.version_mut() = http::Version::HTTP_2;
        self
    }

    /// Sends it and leaves the body to be read.
    pub(crate) async fn open(self) -> Response {
        let router = self.bench.router.clone();
        self.open_through(router).await
    }

    pub(crate) async fn open_through(mut self, router: Router) -> Response {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        self.request.extensions_mut().insert(ConnectInfo(peer));
        router.oneshot(self.request).await.unwrap()
    }

    pub(crate) async fn send(self) -> Answer {
        let router = self.bench.router.clone();
        self.through(router).await
    }

    /// Sends it to another router.
    pub(crate) async fn through(self, router: Router) -> Answer {
        let (parts, body) = self.open_through(router).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

async fn first_organisation(store: &Store, now: Timestamp) {
    let author = Author {
        tenant: TenantId(1),
        principal: "weir/test".parse().unwrap(),
        cause: "organisation.create".into(),
        request: RequestId(1),
    };
    let commit = store.read(|snap| {
        let mut draft = Draft::new(snap, Commit::new(author, now));
        assert_eq!(draft.next_tenant()?, TenantId(1));
        draft.create_organisation(&Organisation {
            id: prefix().child("organisation").unwrap(),
            tenant: TenantId(1),
            prefix: prefix(),
            name: "First".into(),
            names: Names::new(),
            grade: None,
        })?;
        let homed = HomedPrefix::new(prefix(), TenantId(1));
        let (node, key) = (TenantId::NODE, prefix().as_str().to_owned());
        draft.commit_mut().put_in::<Prefixes>(node, key, &homed, Expect::Absent);
        draft.finish()
    });
    let commit = commit.map_err(|error: weir_twin::TwinError| error.to_string()).unwrap();
    store.commit(commit).await.unwrap();
}

fn prefix() -> Prefix {
    Prefix::parse("88.100").unwrap()
}

pub(crate) fn in_a_day() -> String {
    in_days(1)
}

fn in_days(days: i64) -> String {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    now.saturating_add(days * 86_400_000_000_000).to_string()
}

/// An identifier as one segment.
pub(crate) fn segment(id: &str) -> String {
    id.replace('%', "%25").replace('/', "%2F")
}
