//! Endpoints, certificates, users.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use weir_connect::{DeviceSpec, Driver, ErrorKind, State};
use weir_model::{DataType, Quality};

use crate::plant::{Plant, node};

fn device(plant: &Plant, more: &Json) -> DeviceSpec {
    let mut spec = plant.device(1, vec![(node("Double"), DataType::F64)]);
    for (key, value) in more.as_object().unwrap() {
        spec.settings[key] = value.clone();
    }
    spec
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn endpoints_are_found_the_best_first_and_used_at_the_address_that_was_typed() {
    let plant = Plant::new(&["--announce", "plc-that-does-not-resolve"]);
    let typed = json!({"url": format!("127.0.0.1:{}", plant.peer.port), "publishing_ms": 50});
    let found = plant.driver.discover(&typed).await.unwrap();
    let names: Vec<_> = found.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    assert_eq!(names[0], "Weir's peer: Aes256-Sha256-RsaPss, signed and encrypted");
    assert_eq!(names[10], "Weir's peer: no security");
    assert!(found[0].detail.contains("plc-that-does-not-resolve"), "{}", found[0].detail);
    assert!(found[0].detail.contains("user name and password"), "{}", found[0].detail);
    assert!(found.iter().any(|f| f.detail.contains("deprecated")));
    let certificate = found[0].certificate.clone().unwrap();
    assert_eq!(json!([certificate.thumbprint]), plant.peer.settings["trusted"]);
    assert!(certificate.subject.contains("Weir's peer"), "{}", certificate.subject);
    assert!(certificate.names.contains(&"urn:weir:peer:server".to_owned()));
    for choice in found {
        let mut spec = device(&plant, &json!({}));
        spec.settings = choice.settings;
        spec.settings["trusted"] = json!([certificate.thumbprint]);
        let report = plant.bench().supervisor.test(&spec).await;
        let report = report.unwrap_or_else(|error| panic!("{}: {error}", choice.name));
        assert_eq!(
            report.values[0].value.as_ref().and_then(|v| v.as_f64()),
            Some(1.5),
            "{}",
            choice.name
        );
    }
}

/// A certificate of a user and its key, both in PEM.
fn user_certificate(folder: &Path) -> (String, String) {
    let script = r#"
import sys, datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "operator")])
now = datetime.datetime.now(datetime.timezone.utc)
made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(7).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9)).sign(key, hashes.SHA256()))
open(sys.argv[1] + "/user.crt", "wb").write(made.public_bytes(s.Encoding.PEM))
open(sys.argv[1] + "/user.key", "wb").write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
"#;
    let venv = std::env::var_os("WEIR_VENV").unwrap();
    let made = Command::new(Path::new(&venv).join("bin/python"))
        .arg("-c")
        .arg(script)
        .arg(folder)
        .status()
        .unwrap();
    assert!(made.success());
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    (read("user.crt"), read("user.key"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn policies_modes_and_users_go_together() {
    let plant = Plant::new(&[]);
    let (certificate, key) = user_certificate(plant.server.path());
    let users = [
        json!({"auth": "anonymous"}),
        json!({"auth": "user", "user": "operator", "password": "s3cret"}),
        json!({"auth": "certificate", "certificate": certificate, "key": key}),
    ];
    for policy in [
        "Basic256Sha256",
        "Aes128-Sha256-RsaOaep",
        "Aes256-Sha256-RsaPss",
        "Basic256",
        "Basic128Rsa15",
    ] {
        for mode in ["Sign", "SignAndEncrypt"] {
            for user in &users {
                let mut settings = user.clone();
                settings["security_policy"] = json!(policy);
                settings["security_mode"] = json!(mode);
                let what = format!("{policy} {mode} {}", user["auth"]);
                let report = plant.bench().supervisor.test(&device(&plant, &settings)).await;
                let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(report.values[0].value.is_some(), "{what}: {:?}", report.values);
            }
        }
    }
    let wrong = json!({"auth": "user", "user": "operator", "password": "wr0ng"});
    let error = plant.bench().supervisor.test(&device(&plant, &wrong)).await.unwrap_err();
    assert!(error.to_string().contains("check user name, password"), "{error}");
    assert!(!error.to_string().contains("wr0ng"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn another_certificate_than_the_reviewed_one_is_refused() {
    let mut plant = Plant::new(&[]);
    let bench = plant.bench();
    let spec = device(&plant, &json!({}));
    bench.apply(spec.clone()).await;
    bench.until("a value", |b| b.value(1, 0).is_some()).await;
    // Somebody else answers at the same address.
    plant.peer.kill();
    for name in ["server.der", "server.pem"] {
        fs::remove_file(plant.server.path().join(name)).unwrap();
    }
    plant.peer.restart();
    bench.until("refused", |b| b.status(1).certificate.is_some()).await;
    let status = bench.status(1);
    assert_eq!(json!([status.certificate.unwrap().thumbprint]), plant.peer.settings["trusted"]);
    assert!(bench.reason(1).contains("is not trusted; compare it"), "{}", bench.reason(1));
    let error = bench.supervisor.test(&spec).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Untrusted);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn an_expired_certificate_is_refused_unless_that_is_wanted() {
    let server = tempfile::tempdir().unwrap();
    fs::write(server.path().join("expired"), "").unwrap();
    let plant = Plant::with(server, &[]);
    let bench = plant.bench();
    let error = bench.supervisor.test(&device(&plant, &json!({}))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Untrusted);
    assert!(error.to_string().contains("has expired") && error.certificate.is_some(), "{error}");
    let report =
        bench.supervisor.test(&device(&plant, &json!({"accept_expired": true}))).await.unwrap();
    assert!(report.values[0].value.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_key_is_made_when_a_policy_needs_it() {
    let plant = Plant::new(&[]);
    let typed = json!({"url": format!("127.0.0.1:{}", plant.peer.port)});
    let found = plant.driver.discover(&typed).await.unwrap();
    let bench = plant.bench();
    for (choice, has_key) in [(found.last().unwrap(), false), (&found[0], true)] {
        let mut spec = device(&plant, &json!({}));
        spec.settings = choice.settings.clone();
        spec.settings["trusted"] = plant.peer.settings["trusted"].clone();
        let report = bench.supervisor.test(&spec).await.unwrap();
        assert!(report.values[0].value.is_some(), "{}", choice.name);
        assert_eq!(plant.own_certificate().exists(), has_key, "{}", choice.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn a_server_that_does_not_trust_us_is_told_what_to_do() {
    let mut plant = Plant::new(&["--strict"]);
    let bench = plant.bench();
    let error = bench.supervisor.test(&device(&plant, &json!({}))).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind, ErrorKind::Rejected, "{text}");
    assert!(text.contains("BadCertificateUntrusted"), "{text}");
    assert!(text.contains("import") && text.contains("cert.der"), "{text}");
    let path = plant.own_certificate();
    plant.peer.ask(&json!({"do": "trust", "path": path}));
    let report = bench.supervisor.test(&device(&plant, &json!({}))).await.unwrap();
    assert!(report.values[0].value.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn what_the_server_does_not_offer_is_told_with_what_it_offers() {
    let plant = Plant::new(&["--only", "Aes128Sha256RsaOaep_Sign"]);
    let error = plant.bench().supervisor.test(&device(&plant, &json!({}))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.to_string().contains("it offers Aes128-Sha256-RsaOaep Sign"), "{error}");
    let right = json!({"security_policy": "Aes128-Sha256-RsaOaep", "security_mode": "Sign"});
    assert!(plant.bench().supervisor.test(&device(&plant, &right)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn ipv6_alone_suffices() {
    let plant = Plant::new(&["--bind", "::1"]);
    let url = format!("opc.tcp://[::1]:{}", plant.peer.port);
    let found = plant.driver.discover(&json!({"url": url})).await.unwrap();
    assert_eq!(found[0].settings["url"], format!("{url}/weir"));
    let bench = plant.bench();
    bench.apply(device(&plant, &json!({"url": url}))).await;
    bench.until("a value", |b| b.value(1, 0).is_some()).await;
}

/// Relays to a port and, when it is told to, puts a frame among what the server sends.
async fn man_in_the_middle(port: u16, frame: Vec<u8>) -> (u16, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let attack = Arc::new(Notify::new());
    let told = Arc::clone(&attack);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (frame, told) = (frame.clone(), Arc::clone(&told));
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 65536];
                loop {
                    tokio::select! {
                        read = from_server.read(&mut bytes) => match read {
                            Ok(read) if read > 0 => to_client.write_all(&bytes[..read]).await.unwrap(),
                            _ => return,
                        },
                        () = told.notified() => to_client.write_all(&frame).await.unwrap(),
                    }
                }
            });
        }
    });
    (own, attack)
}

/// The library would take what follows for an answer, since it claims to need no protection.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Python peers: cargo xtask test"]
async fn an_unprotected_handshake_within_a_session_ends_it() {
    let plant = Plant::new(&[]);
    let counted = |text: &[u8]| [&(text.len() as u32).to_le_bytes(), text].concat();
    let policy = counted(b"http://opcfoundation.org/UA/SecurityPolicy#None");
    let body = [vec![0; 4], policy, vec![0xFF; 8], vec![0; 60]].concat();
    let size = (8 + body.len()) as u32;
    let frame = [b"OPNF".as_slice(), &size.to_le_bytes(), &body].concat();
    let (port, attack) = man_in_the_middle(plant.peer.port, frame).await;
    let bench = plant.bench();
    bench.apply(device(&plant, &json!({"url": format!("127.0.0.1:{port}/weir")}))).await;
    bench.until("a value", |b| b.value(1, 0).is_some()).await;
    bench.until_state(1, State::Online).await;
    attack.notify_one();
    bench.until("the end", |b| b.status(1).counters.errors > 0).await;
    let told = bench.supervisor.test(&device(&plant, &json!({}))).await;
    assert!(told.is_ok(), "the server itself is well: {told:?}");
    // It is told as a breach of the protocol.
    let breach = Quality::COMMUNICATION_ERROR;
    bench.until("told", |b| b.samples(1, 0).iter().any(|s| s.quality == breach)).await;
    bench.until_state(1, State::Online).await;
}
