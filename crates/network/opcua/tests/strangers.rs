//! Peers that are no OPC UA servers, or bad ones.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weir_connect::{Circumstances, DeviceSpec, Driver, DriverError, ErrorKind, SystemClock};
use weir_model::TenantId;
use weir_opcua::OpcUaDriver;

/// A server that answers whatever comes with the same bytes.
async fn server(answers: Vec<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for answer in answers.into_iter().cycle() {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                    if stream.write_all(&answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

fn driver() -> (TempDir, OpcUaDriver) {
    let pki = tempfile::tempdir().unwrap();
    let driver = OpcUaDriver::new(pki.path().to_owned());
    (pki, driver)
}

async fn discover(driver: &OpcUaDriver, port: u16) -> DriverError {
    let settings = json!({"url": format!("127.0.0.1:{port}"), "timeout_ms": 300});
    driver.discover(&settings).await.unwrap_err()
}

fn frame(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + body.len()).unwrap();
    [kind, b"F", &size.to_le_bytes(), body].concat()
}

fn acknowledge() -> Vec<u8> {
    let sizes = [0_u32, 65536, 65536, 1 << 24, 4096];
    frame(b"ACK", &sizes.map(u32::to_le_bytes).concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_opc_ua_server_is_named_with_what_to_do() {
    let (_pki, driver) = driver();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = discover(&driver, silent.local_addr().unwrap().port()).await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.to_string().contains("does not answer as OPC UA; check the port"), "{error}");
    let web = server(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]).await;
    let error = discover(&driver, web).await;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.to_string().contains("not OPC UA"), "{error}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = discover(&driver, nobody).await;
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().contains(&nobody.to_string()), "{error}");
    let settings = json!({"url": "no-such-host.invalid", "timeout_ms": 3000});
    let error = driver.discover(&settings).await.unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
    let error = driver.discover(&json!({"url": "ftp://x"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.to_string().contains("/settings/url"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_frames_are_refused_before_they_are_awaited() {
    let (_pki, driver) = driver();
    let mut huge = frame(b"MSG", &[0; 64]);
    huge[4..8].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    let port = server(vec![[acknowledge(), huge].concat()]).await;
    let error = discover(&driver, port).await;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.to_string().contains("a frame of 4294967280 bytes"), "{error}");
}

/// Frames that begin rightly and go on at random: no panic, no endless wait, always an error.
#[tokio::test(flavor = "multi_thread")]
async fn random_answers_are_errors() {
    let (_pki, driver) = driver();
    let mut seed: u64 = 4711;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    let mut answers = Vec::new();
    for round in 0..40_usize {
        let body: Vec<u8> = (0..round * 7).map(|_| random()).collect();
        let kind: &[u8] = [b"OPN", b"MSG", b"ERR", b"CLO"][round % 4];
        answers.push([acknowledge(), frame(kind, &body)].concat());
    }
    let count = answers.len();
    let port = server(answers).await;
    for _ in 0..count {
        discover(&driver, port).await;
    }
    let spec = DeviceSpec {
        tenant: TenantId(1),
        device: "88.100/d1".parse().unwrap(),
        name: "stranger".to_owned(),
        protocol: "opcua".to_owned(),
        settings: json!({"url": format!("127.0.0.1:{port}"), "timeout_ms": 300}),
        points: Vec::new(),
        enabled: true,
        revision: 1,
    };
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    let error = driver.connect(Arc::new(spec), circumstances).await.err().unwrap();
    assert!(error.to_string().starts_with("stranger (88.100/d1)"), "{error}");
    assert!(!driver.certificate_path().exists(), "no server has asked for a certificate yet");
}
