//! The node as an OPC UA server: SCADA packages read, watch and write the plant through it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use weir_it::{Api, Peer, Weir, encode, from_now};

const PASSWORD: &str = "a long enough secret 1";

/// The client is asked again so often while something is on its way.
const LOOK: Duration = Duration::from_millis(50);

/// Wrong passwords that are tried at most until the right one has to wait.
const GUESSES_MAX: usize = 18;

fn start(data: &Path, listen: &str, policies: &str) -> (Weir, SocketAddr) {
    let settings = format!("[opcua]\npolicies = {policies}\n");
    let weir = Weir::serve_set(data, listen, &settings, &["--opcua", listen]).unwrap();
    let address = weir.ready_text("opcua").parse().unwrap();
    (weir, address)
}

/// `Hello` of OPC 10000-6, clause 7.1.2.3, and what comes back.
fn greet(address: SocketAddr) -> (Vec<u8>, TcpStream) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let url = format!("opc.tcp://{address}");
    let mut hello = b"HELF".to_vec();
    hello.extend_from_slice(&(32 + url.len() as u32).to_le_bytes());
    for number in [0, 65_536, 65_536, 0, 0, url.len() as u32] {
        hello.extend_from_slice(&number.to_le_bytes());
    }
    hello.extend_from_slice(url.as_bytes());
    stream.write_all(&hello).unwrap();
    let mut answer = vec![0; 28];
    stream.read_exact(&mut answer).unwrap();
    (answer, stream)
}

#[test]
fn the_server_answers_and_ends_with_the_node() {
    let data = tempfile::tempdir().unwrap();
    let (weir, address) = start(data.path(), "127.0.0.1:0", "[\"Basic256Sha256\"]");
    let (answer, mut stream) = greet(address);
    assert_eq!((&answer[..4], &answer[4..8]), (&b"ACKF"[..], &28_u32.to_le_bytes()[..]));
    let server = data.path().join("data/opcua/server");
    let uri = std::fs::read_to_string(server.join("application-uri")).unwrap();
    assert!(uri.starts_with("urn:weir:") && uri.ends_with(":opcua"), "{uri}");
    assert!(server.join("own/certificate.der").exists());
    // Somebody's certificate, as a person brings it.
    std::fs::copy(server.join("own/certificate.der"), server.join("trusted/scada.der")).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(Weir::binary().unwrap());
        command.arg("opcua").args(words).arg("--data").arg(data.path().join("data"));
        command.output().unwrap()
    };
    let listed = run(&["clients", "--json"]);
    let listed: Json = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["trusted"], &listed[0]["application_uri"]), (&json!(true), &json!(uri)));
    let thumbprint = listed[0]["certificate"]["thumbprint"].as_str().unwrap().to_uppercase();
    for (act, ends) in
        [("distrust", 0), ("distrust", 3), ("trust", 0), ("forget", 0), ("forget", 3)]
    {
        assert_eq!(run(&[act, &thumbprint]).status.code(), Some(ends), "{act}");
    }
    weir.stop().unwrap();
    // Whatever is said at last, the connection ends.
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(TcpStream::connect(address).is_err());
    // The second start finds the certificate and the name of the first.
    let (weir, address) = start(data.path(), "127.0.0.1:0", "[\"Basic256Sha256\"]");
    assert_eq!(&greet(address).0[..4], b"ACKF");
    assert_eq!(std::fs::read_to_string(server.join("application-uri")).unwrap(), uri);
    weir.stop().unwrap();
}

#[test]
fn ipv6_alone_is_enough() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6 loopback; nothing tested");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let (weir, address) = start(data.path(), "[::1]:0", "[\"Basic256Sha256\"]");
    assert!(address.is_ipv6());
    assert_eq!(&greet(address).0[..4], b"ACKF");
    weir.stop().unwrap();
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_written() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    let ended = Command::new(Weir::binary().unwrap())
        .args(["serve", "--listen", "127.0.0.1:0", "--opcua", &address, "--data"])
        .arg(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(said.contains(&format!("could not listen for OPC UA on {address}")), "{said}");
    assert!(said.contains("--opcua") && !folder.exists(), "{said}");
}

/// An OPC UA client of others.
struct Client(Peer);

impl Client {
    fn start() -> Self {
        Self(Peer::start("opcua-server/client.py", &["--dir", "DIR"]).unwrap())
    }

    fn ask(&mut self, command: Json) -> Json {
        self.0.ask(&command).unwrap()
    }

    /// The answer to a command that must not fail.
    fn good(&mut self, command: Json) -> Json {
        self.0.good(&command).unwrap()
    }

    fn value(&mut self, id: &str) -> Json {
        self.good(json!({"do": "read", "ids": [id]}))["values"][0].clone()
    }

    /// The identifiers below `Objects/Weir`.
    fn tree(&mut self) -> Vec<String> {
        let found = self.good(json!({"do": "tree"}));
        let nodes = found["nodes"].as_array().unwrap().iter();
        let ids = nodes.filter_map(|node| node[0].as_str()?.strip_prefix("ns=2;s="));
        ids.map(str::to_owned).collect()
    }
}

fn connect(address: SocketAddr, user: &str, password: &str) -> Json {
    let url = format!("opc.tcp://{address}");
    json!({"do": "connect", "url": url, "user": user, "password": password})
}

/// A node with a machine of two points (one that may be written, one that takes a person's
/// confirmation), a person of each kind, and another organisation.
struct Plant {
    weir: Weir,
    api: Api,
    address: SocketAddr,
    machine: Peer,
    port: u64,
    _data: tempfile::TempDir,
}

/// The application URI of `client.py`.
const CLIENT: &str = "urn:weir:interop:asyncua";

const VALVE: &str = "local/valve";
const LEVEL: &str = "local/level";

impl Plant {
    fn start(listen: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let policies = "[\"None\", \"Basic256Sha256\"]";
        let (weir, address) = start(data.path(), listen, policies);
        let api = weir.administrator().unwrap();
        let mut machine = Peer::start("modbus/device.py", &[]).unwrap();
        let port = machine.line().unwrap()["port"].as_u64().unwrap();
        let mut plant = Self { weir, api, address, machine, port, _data: data };
        plant.furnish();
        plant
    }

    fn furnish(&mut self) {
        let api = &self.api;
        for (id, parent, level) in
            [("local/site", Json::Null, "site"), ("local/reactor", json!("local/site"), "area")]
        {
            let asset = json!({"id": id, "name": id, "level": level, "parent": parent,
                               "grade": "general"});
            api.post("/api/v1/assets", &asset).unwrap();
        }
        let point = |id: &str, address: u16, write: Json| {
            json!({"id": id, "name": id, "data_type": "u64", "asset": "local/reactor",
                   "range": {"low": 0.0, "high": 100.0}, "write": write,
                   "address": {"table": "holding", "address": address, "type": "u16"}})
        };
        let device = json!({
            "id": "local/plc", "name": "PLC", "protocol": "modbus",
            "settings": {"host": "127.0.0.1", "port": self.port, "poll_ms": 50},
            "points": [
                point(VALVE, 490, json!({"min": 0.0, "max": 100.0})),
                point("local/critical", 491, json!({"confirm": true})),
            ],
        });
        api.post("/api/v1/devices", &device).unwrap();
        let tag = |id: &str, grade: &str| {
            let tag = json!({"id": id, "name": id, "data_type": "f64", "grade": grade});
            api.post("/api/v1/tags", &tag).unwrap();
        };
        tag(LEVEL, "general");
        tag("local/recipe", "core");
        let samples: Vec<Json> = (0..20)
            .map(|n| json!({"tag": LEVEL, "time": format!("2026-01-01T00:00:{n:02}Z"), "value": n}))
            .collect();
        api.post("/api/v1/samples", &json!({"samples": samples})).unwrap();
        api.post("/api/v1/organisations", &json!({"prefix": "other", "name": "Other"})).unwrap();
        let user = |name: &str, role: &str, ceiling: &str, organisation: &str| {
            let user = json!({"name": name, "password": PASSWORD, "roles": [role],
                              "ceiling": ceiling, "organisation": organisation});
            api.post("/api/v1/users", &user).unwrap();
        };
        user("ole", "operator", "general", "local");
        user("vera", "viewer", "general", "local");
        user("nemo", "nothing", "core", "local");
        user("eve", "administrator", "core", "other");
        let path = format!("/api/v1/tags/{}", encode(VALVE));
        let is_read = |tag: &Json| tag["last"]["quality"] == "good";
        api.until(&path, Duration::from_secs(60), is_read).unwrap();
    }

    fn client(&self, user: &str) -> Client {
        let mut client = Client::start();
        client.good(connect(self.address, user, PASSWORD));
        client
    }

    /// Entries of the audit that hold a text, when they are as they shall be: the audit follows the
    /// store's feed and does not hold up who changes something.
    fn audited(&self, text: &str, are_there: impl Fn(&[Json]) -> bool) -> Vec<Json> {
        let path = format!("/api/v1/audit?q={}", encode(text));
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let entries = self.api.list(&path).unwrap();
            if are_there(&entries) {
                return entries;
            }
            assert!(Instant::now() < deadline, "of {text:?} the audit has {entries:?}");
            std::thread::sleep(LOOK);
        }
    }
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn an_operator_reads_watches_and_writes_the_plant() {
    let mut plant = Plant::start("127.0.0.1:0");
    let mut client = plant.client("ole");
    // What is graded above the ceiling is not there, and what belongs to no asset stands at the top.
    let tree = client.tree();
    for id in ["local/site", "local/reactor", VALVE, "local/critical", LEVEL] {
        assert!(tree.contains(&id.to_owned()), "{id} is missing: {tree:?}");
    }
    assert!(!tree.iter().any(|id| id.contains("recipe")), "{tree:?}");
    assert_eq!(client.value("local/recipe")["status"], 0x8034_0000_u32);
    let path = client.good(json!({"do": "parents", "id": VALVE}));
    let path: Vec<&str> =
        path["path"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert_eq!(path[1..4], ["2:local/reactor", "2:local/site", "2:Weir"], "{path:?}");
    let value = client.value(LEVEL);
    assert_eq!((&value["value"], &value["status"]), (&json!(19.0), &json!(0)));
    assert_eq!(value["time"], "2026-01-01T00:00:19+00:00");

    let history = client.good(json!({"do": "history", "id": LEVEL,
        "start": "2026-01-01T00:00:05+00:00", "end": "2026-01-01T00:00:08+00:00"}));
    let values = |answer: &Json| -> Vec<Json> {
        answer["values"].as_array().unwrap().iter().map(|one| one["value"].clone()).collect()
    };
    assert_eq!(values(&history), [5.0, 6.0, 7.0]);
    let newest = client.good(json!({"do": "history", "id": LEVEL, "number": 3,
        "end": "2026-02-01T00:00:00+00:00"}));
    assert_eq!(values(&newest), [19.0, 18.0, 17.0]);

    client.good(json!({"do": "subscribe", "ids": [LEVEL, VALVE]}));
    client.good(json!({"do": "notifications", "count": 2}));
    plant
        .api
        .post("/api/v1/samples", &json!({"samples": [{"tag": LEVEL, "value": 4711.5}]}))
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut told = Vec::new();
    while !told.iter().any(|one: &Json| one[0] == LEVEL && one[1]["value"] == 4711.5) {
        assert!(Instant::now() < deadline, "{told:?}");
        let more = client.good(json!({"do": "notifications", "count": 1, "seconds": 5}));
        told.extend(more["values"].as_array().unwrap().iter().cloned());
    }

    // Good says that the device was asked and holds the value.
    let write =
        |id: &str, value: u32| json!({"do": "write", "id": id, "value": value, "type": "UInt64"});
    client.good(write(VALVE, 42));
    let held = plant.machine.ask(&json!({"do": "registers", "address": 490, "count": 1})).unwrap();
    assert_eq!(held["registers"][0], 42, "{held}");
    let is_verified = |entry: &&Json| entry["detail"]["outcome"]["verified"] == true;
    let audited =
        plant.audited("device.write", |entries| entries.iter().any(|entry| is_verified(&entry)));
    let outcome = audited.iter().find(is_verified).unwrap();
    assert_eq!(
        (&outcome["principal"], &outcome["detail"]["requested"]),
        (&json!("local/user.ole"), &json!(42))
    );
    assert_eq!(client.ask(write(VALVE, 101))["error"], "BadOutOfRange");
    assert_eq!(client.ask(write("local/critical", 1))["error"], "BadRequestNotAllowed");
    assert_eq!(client.ask(write(LEVEL, 1))["error"], "BadTypeMismatch");

    // Who may look may not write, and it is written down who tried.
    let mut viewer = plant.client("vera");
    assert_eq!(viewer.value(LEVEL)["value"], 4711.5);
    assert_eq!(viewer.ask(write(VALVE, 1))["error"], "BadUserAccessDenied");
    let refused = plant
        .audited("opcua.write", |entries| entries.iter().any(|entry| entry["kind"] == "refusal"));
    assert_eq!(refused[0]["principal"], "local/user.vera", "{refused:?}");
    plant.weir.stop().unwrap();
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn nobody_sees_more_than_their_rights_and_they_end_at_once() {
    let plant = Plant::start("[::1]:0");
    // Without rights and in another organisation, the plant is empty.
    for user in ["nemo", "eve@other"] {
        let mut client = plant.client(user);
        let tree = client.tree();
        assert!(tree.is_empty(), "{user} sees {tree:?}");
        for id in [LEVEL, VALVE, "local/site"] {
            assert_eq!(client.value(id)["status"], 0x8034_0000_u32, "{user} reads {id}");
        }
        let subscribed = client.good(json!({"do": "subscribe", "ids": [LEVEL]}));
        assert_eq!(subscribed["failed"], json!(["0x80340000"]), "{user}");
    }
    // A token shows itself as the password, and does no more than it is made for.
    let expires = from_now(Duration::from_secs(3600));
    let token = json!({"name": "scada", "scopes": ["tag:read", "asset:read"], "expires": expires});
    let token = plant.api.post("/api/v1/tokens", &token).unwrap();
    let mut client = Client::start();
    client.good(connect(plant.address, "scada", token["token"].as_str().unwrap()));
    assert!(client.tree().contains(&LEVEL.to_owned()));
    assert_eq!(client.value(LEVEL)["status"], 0x801F_0000_u32);
    let history = client.ask(json!({"do": "history", "id": LEVEL, "number": 3,
        "end": "2026-02-01T00:00:00+00:00"}));
    assert_eq!(history["error"], "BadUserAccessDenied");
    let path = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    assert_eq!(plant.api.send("DELETE", &path, &[], &[]).unwrap().status, 204);
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.ask(json!({"do": "namespaces"})).get("error").is_none() {
        assert!(Instant::now() < deadline, "the session outlives its token");
        std::thread::sleep(LOOK);
    }
    plant.audited("opcua.session", |entries| entries.len() >= 3);
    plant.weir.stop().unwrap();
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn guessing_is_refused_and_slowed_down_and_strangers_wait_for_trust() {
    let plant = Plant::start("127.0.0.1:0");
    let mut client = Client::start();
    // Each failure makes the next wait longer, so that however slow this machine is, the right password
    // has to wait as well at last, at this door and at that of the HTTP interface.
    let body = json!({"user": "ole", "password": PASSWORD});
    let is_slowed = (0..GUESSES_MAX).any(|_| {
        let answer = client.ask(connect(plant.address, "ole", "guess"));
        assert_eq!(answer["error"], "BadUserAccessDenied");
        let right = client.ask(connect(plant.address, "ole", PASSWORD));
        if right.get("error").is_none() {
            client.good(json!({"do": "disconnect"}));
            return false;
        }
        plant.weir.api().json("POST", "/api/v1/session", &body).unwrap().status == 429
    });
    assert!(is_slowed);
    plant.audited("opcua.session", |entries| {
        ["\"wrong\"", "\"throttled\""]
            .iter()
            .all(|reason| entries.iter().any(|entry| entry.to_string().contains(reason)))
    });
    let anonymous = json!({"do": "connect", "url": format!("opc.tcp://{}", plant.address)});
    assert_eq!(client.ask(anonymous)["error"], "BadIdentityTokenRejected");

    // A client with a certificate that nobody has looked at yet.
    let mut secure = connect(plant.address, "vera", PASSWORD);
    secure["policy"] = json!("Basic256Sha256");
    secure["mode"] = json!("SignAndEncrypt");
    let mut stranger = Client::start();
    assert!(stranger.ask(secure.clone())["error"].is_string());
    let clients = || plant.api.fetch("/api/v1/opcua/clients").unwrap();
    let refused = clients()["items"][0].clone();
    assert_eq!((&refused["trusted"], &refused["application_uri"]), (&json!(false), &json!(CLIENT)));
    let thumbprint = refused["certificate"]["thumbprint"].as_str().unwrap();
    let act = |act: &str| {
        let path = format!("/api/v1/opcua/clients/{thumbprint}/{act}");
        let answer = plant.api.send("POST", &path, &[], &[]).unwrap();
        assert_eq!(answer.status, 204, "{act}");
    };
    act("trust");
    stranger.good(secure.clone());
    assert_eq!(stranger.value(LEVEL)["value"], 19.0);
    let server = clients()["server"].clone();
    assert_eq!(server["sessions"][0]["certificate"], thumbprint, "{server}");
    assert_eq!(server["sessions"][0]["encrypted"], true, "{server}");
    // What it has open ends with the trust.
    act("distrust");
    assert!(stranger.ask(json!({"do": "read", "ids": [LEVEL]}))["error"].is_string());
    assert!(Client::start().ask(secure)["error"].is_string());
    assert_eq!(clients()["server"]["sessions"], json!([]));
    plant.audited("opcua.client", |entries| entries.len() == 2);
    plant.weir.stop().unwrap();
}
