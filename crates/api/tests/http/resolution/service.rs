//! A service of identifiers without a listener.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value as Json;
use tower::ServiceExt;
use weir_api::{IdentifierParts, IdentifierState, identifier_router};
use weir_handle::{List, Reader, SigningKey, Value, json};
use weir_model::{Author, Identifier, Prefix, RequestId, TenantId, Timestamp};
use weir_resolver::{
    Authority, HomedPrefix, Identifiers, Identity, Now, Prefixes, Record, Registry, Values,
};
use weir_store::{Commit, Expect, Options, Schema, Store};

const TENANT: TenantId = TenantId(1);
pub(super) const ROOT: &str = "https://id.example.cn";

pub(super) struct Service {
    pub(super) router: Router,
    registry: Arc<Registry>,
    store: Store,
    _dir: tempfile::TempDir,
}

/// An answer with its body read.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What others wrote, beside the crate that reads it.
pub(super) fn recording(path: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../network").join(path);
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(super) fn keys() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../network/handle/tests/data/keys.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(super) fn pem(text: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = text.lines().filter(|line| !line.starts_with("---")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

fn now() -> Now {
    Now { time: Timestamp::parse("2026-11-23T16:44:22Z").unwrap(), steady_ms: 1 }
}

fn commit() -> Commit {
    let author = Author {
        tenant: TENANT,
        principal: "99.1000/test".parse().unwrap(),
        cause: "test.load".into(),
        request: RequestId(1),
    };
    Commit::new(author, now().time)
}

impl Service {
    /// A service with the key and the site of the recorded server, and without records.
    pub(super) async fn new() -> Self {
        Self::at(Some(ROOT)).await
    }

    /// The same under an address, or under whatever requests call it.
    pub(super) async fn at(root: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let schema = weir_resolver::schema(Schema::new());
        let store = Store::open(dir.path(), schema, Options::default()).unwrap();
        let mut homes = commit();
        for prefix in ["0.na", "99.1000", "99.2000", "99.3000", "99.4000", "88.100", "gs1"] {
            let homed = HomedPrefix::new(Prefix::parse(prefix).unwrap(), TENANT);
            homes.put_in::<Prefixes>(TenantId::NODE, prefix, &homed, Expect::Absent);
        }
        store.commit(homes).await.unwrap();
        let registry = Arc::new(Registry::open(store.clone()).unwrap());
        let records = recording("resolver/tests/data/records.json.gz");
        let site = wire(&records["0.NA/99.1000"]["values"][0]);
        let site = Value::decode(&site).unwrap().data.to_vec();
        let key = pem(keys()["server"]["private_key_pkcs8_pem"].as_str().unwrap());
        let identity = Identity {
            site,
            serial: 7,
            key: Some(SigningKey::rsa_from_pkcs8(&key).unwrap()),
            administrators: vec!["300:0.NA/99.1000".to_owned()],
        };
        let parts = IdentifierParts {
            authority: Arc::new(Authority::new(Arc::clone(&registry), identity)),
            root: root.map(str::to_owned),
            name: "Test node <一>".to_owned(),
            tls: false,
            clock: Arc::new(now),
        };
        let router = identifier_router(IdentifierState::new(parts));
        Self { router, registry, store, _dir: dir }
    }

    /// The same with the records of the recorded server.
    pub(super) async fn recorded() -> Self {
        let service = Self::new().await;
        let records = recording("resolver/tests/data/records.json.gz");
        for (name, record) in records.as_object().unwrap() {
            let values: Vec<Vec<u8>> =
                record["values"].as_array().unwrap().iter().map(wire).collect();
            service.put_wire(name, values).await;
        }
        service
    }

    /// Registers a record of texts by their types, all of them public.
    pub(super) async fn put(&self, name: &str, values: &[(&str, &str)]) {
        let values: Vec<_> = values.iter().map(|(kind, data)| (*kind, data.as_bytes())).collect();
        self.put_values(name, &values, "1110").await;
    }

    pub(super) async fn put_values(&self, name: &str, values: &[(&str, &[u8])], permissions: &str) {
        let bits = u8::from_str_radix(permissions, 2).unwrap();
        let value = |(at, (kind, data)): (usize, &(&str, &[u8]))| {
            let mut bytes = Vec::new();
            let value = Value {
                permissions: weir_handle::Permissions(bits),
                ..Value::new(at as i32 + 1, kind.as_bytes(), data, 1_704_164_645)
            };
            List::build(&[value], &mut bytes);
            bytes
        };
        self.put_wire(name, values.iter().enumerate().map(value).collect()).await;
    }

    async fn put_wire(&self, name: &str, values: Vec<Vec<u8>>) {
        let mut bytes = (values.len() as u32).to_be_bytes().to_vec();
        bytes.extend(values.concat());
        let values = Values::of_list(&Reader::new(&bytes).list().unwrap());
        let id: Identifier = name.parse().unwrap();
        let mut put = commit();
        self.store
            .read(|snap| {
                // The reference server takes values without a type.
                if self.registry.put(snap, &mut put, &id, values.clone()).is_err() {
                    let record = Record::handle(id.clone(), values.clone());
                    put.put_in::<Identifiers>(TENANT, &id.folded(), &record, Expect::Absent);
                }
                Ok::<_, weir_store::StoreError>(())
            })
            .unwrap();
        self.store.commit(put).await.unwrap();
    }

    pub(super) async fn withdraw(&self, name: &str) {
        let id: Identifier = name.parse().unwrap();
        let mut gone = commit();
        self.store
            .read(|snap| {
                assert!(self.registry.withdraw(snap, &mut gone, &id).unwrap());
                Ok::<_, weir_store::StoreError>(())
            })
            .unwrap();
        self.store.commit(gone).await.unwrap();
    }

    pub(super) async fn call(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Got {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Got { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, uri: &str, headers: &[(&str, &str)]) -> Got {
        self.call(Method::GET, uri, headers, Vec::new()).await
    }

    /// As a browser asks.
    pub(super) async fn page(&self, uri: &str, language: &str) -> Got {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        self.get(uri, &[("accept", accept), ("accept-language", language)]).await
    }
}

/// A value of the recorded records in the protocol's form. Their permissions have a digit more.
fn wire(value: &Json) -> Vec<u8> {
    let mut value = value.clone();
    let permissions = value["permissions"].as_str().unwrap()[1..].to_owned();
    value["permissions"] = permissions.into();
    let value: json::Value = serde_json::from_value(value).unwrap();
    let mut out = Vec::new();
    value.encode(&mut out).unwrap();
    out
}
