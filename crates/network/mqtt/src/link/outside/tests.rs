//! What no real broker does: brokers that lie, fall silent and send what is no MQTT.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_connect::tls::Trust;
use weir_connect::{ErrorKind, SystemClock};

use super::*;
use crate::link::probe_name;
use crate::settings::Transport;

const CONNACK_V3: &[u8] = &[0x20, 2, 0, 0];
const CONNACK_V5: &[u8] = &[0x20, 3, 0, 0, 0];

fn outside(port: u16, version: Version) -> Outside {
    Outside {
        host: "127.0.0.1".to_owned(),
        port,
        transport: Transport::Tcp,
        websocket_path: "/mqtt".to_owned(),
        version,
        login: None,
        trust: Trust::default(),
        keep_alive_s: 1,
        session_expiry_s: 60,
    }
}

fn opening() -> Opening {
    Opening {
        client_id: probe_name(),
        persistent: true,
        receipts: true,
        will: None,
        tenant: None,
        clock: Arc::new(SystemClock),
    }
}

/// A broker that reads a CONNECT, says some bytes, and goes on as told.
async fn broker<F: Future<Output = ()> + Send + 'static>(
    said: Vec<u8>,
    go_on: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(&said).await;
        go_on(stream).await;
    });
    port
}

async fn silence(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn open_error(said: Vec<u8>, version: Version) -> LinkError {
    let port = broker(said, async |stream| drop(stream)).await;
    match open(&outside(port, version), Duration::from_secs(5), opening()).await {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn refusals_are_told_in_words() {
    let refused = open_error(vec![0x20, 2, 0, 5], Version::V3).await;
    assert_eq!(refused.kind, ErrorKind::Rejected);
    assert!(refused.cause.contains("not authorised"), "{refused}");
    let refused = open_error(vec![0x20, 3, 0, 0x86, 0], Version::V5).await;
    assert!(refused.cause.contains("bad user name password"), "{refused}");
    let http = open_error(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Version::V3).await;
    assert!(matches!(http.kind, ErrorKind::Protocol | ErrorKind::Disconnected), "{http}");
}

#[tokio::test]
async fn a_silent_broker_is_noticed() {
    for version in [Version::V3, Version::V5] {
        let port = broker(Vec::new(), silence).await;
        let error =
            open(&outside(port, version), Duration::from_millis(100), opening()).await.err();
        assert_eq!(error.unwrap().kind, ErrorKind::Timeout);
    }
    let port = broker(CONNACK_V3.to_vec(), silence).await;
    let mut link =
        open(&outside(port, Version::V3), Duration::from_millis(100), opening()).await.unwrap();
    link.ready().await;
    let error = link.take(1).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert!(link.subscribe(&["a".to_owned()], Qos::AtLeastOnce).await.is_err());
}

#[tokio::test]
async fn the_reason_of_a_disconnect_is_told() {
    let said = [CONNACK_V5, &[0xE0, 2, 0x8E, 0]].concat();
    let port = broker(said, silence).await;
    let mut link =
        open(&outside(port, Version::V5), Duration::from_secs(5), opening()).await.unwrap();
    link.ready().await;
    let error = link.take(1).unwrap_err();
    assert!(error.cause.contains("session taken over"), "{error}");
}

#[tokio::test]
async fn dropping_a_link_ends_its_connection() {
    let (ended, end) = oneshot::channel();
    let port = broker(CONNACK_V3.to_vec(), async move |stream| {
        silence(stream).await;
        let _ = ended.send(());
    })
    .await;
    let link = open(&outside(port, Version::V3), Duration::from_secs(5), opening()).await.unwrap();
    drop(link);
    end.await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes after the CONNACK, the link tells of it and the process lives.
    #[test]
    fn no_bytes_end_more_than_the_connection(bytes in prop::collection::vec(any::<u8>(), 0..200), five in any::<bool>(), first in 0..16_u8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (version, connack) = if five { (Version::V5, CONNACK_V5) } else { (Version::V3, CONNACK_V3) };
            // Every kind of packet, with a length that is right.
            let length = bytes.len() as u8 & 0x7F;
            let said = [connack, &[first << 4, length], &bytes].concat();
            let port = broker(said, async |stream| drop(stream)).await;
            let Ok(mut link) = open(&outside(port, version), Duration::from_secs(5), opening()).await else { return };
            loop {
                link.ready().await;
                if link.take(100).is_err() {
                    break;
                }
            }
        });
    }
}
