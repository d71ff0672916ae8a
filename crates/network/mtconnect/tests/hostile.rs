//! Servers that are no agents, or bad ones: everything that they may do ends within bounds and is told.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use weir_connect::{
    Circumstances, DeviceSpec, Driver, DriverError, ErrorKind, Session, SystemClock,
};
use weir_model::{TenantId, Value};
use weir_mtconnect::MtconnectDriver;

const DEVICES: &str = "<MTConnectDevices><Header instanceId='1' version='1.3'/><Devices>\
    <Device id='d' name='d' uuid='u'><DataItems><DataItem id='a' type='POSITION' category='SAMPLE'/></DataItems></Device>\
    </Devices></MTConnectDevices>";

fn streams(next: u64, inner: &str) -> String {
    let last = next - 1;
    format!(
        "<MTConnectStreams><Header instanceId='1' firstSequence='1' lastSequence='{last}' nextSequence='{next}'/>\
         <Streams><DeviceStream><ComponentStream><Samples>{inner}</Samples></ComponentStream></DeviceStream></Streams></MTConnectStreams>"
    )
}

fn plain(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// What a server does with a connection, after it has read a request for some path.
type Serve = Arc<dyn Fn(TcpStream, String) -> Task + Send + Sync>;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An agent that answers `probe` and `current` well, and everything else by a function.
async fn server(sample: Serve, everything: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sample = Arc::clone(&sample);
            tokio::spawn(async move {
                loop {
                    let mut request = Vec::new();
                    let mut byte = [0];
                    while !request.ends_with(b"\r\n\r\n") {
                        match stream.read(&mut byte).await {
                            Ok(1) => request.push(byte[0]),
                            _ => return,
                        }
                    }
                    let request = String::from_utf8(request).unwrap();
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    let good = match path.as_str() {
                        _ if everything => None,
                        "/probe" => Some(plain(DEVICES)),
                        "/current" => Some(plain(&streams(
                            2,
                            "<Position dataItemId='a' sequence='1' timestamp='2026-01-01T00:00:00Z'>1</Position>",
                        ))),
                        _ => None,
                    };
                    match good {
                        Some(answer) => stream.write_all(&answer).await.unwrap(),
                        None => return sample(stream, path).await,
                    }
                }
            });
        }
    });
    port
}

fn spec(port: u16) -> DeviceSpec {
    let point = json!({
        "tag": 1, "id": "88.100/d.p", "name": "p", "address": {"data_item": "a"}, "data_type": "f64",
    });
    serde_json::from_value(json!({
        "tenant": TenantId(1), "device": "88.100/d", "name": "d", "protocol": "mtconnect",
        "settings": {"url": format!("http://localhost:{port}"), "timeout_ms": 500, "heartbeat_ms": 200, "interval_ms": 10},
        "points": [point], "enabled": true, "revision": 1,
    }))
    .unwrap()
}

async fn connect(port: u16) -> Result<Box<dyn Session>, DriverError> {
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    MtconnectDriver::new().connect(Arc::new(spec(port)), circumstances).await
}

/// What a session ends with.
async fn end(session: &mut dyn Session) -> DriverError {
    let ending = async {
        loop {
            session.due().await;
            if let Err(error) = session.collect().await {
                return error;
            }
        }
    };
    timeout(Duration::from_secs(30), ending).await.unwrap()
}

fn sends(parts: Vec<Vec<u8>>, then: Option<Vec<u8>>) -> Serve {
    let parts = Arc::new(parts);
    Arc::new(move |mut stream: TcpStream, _| {
        let (parts, then) = (Arc::clone(&parts), then.clone());
        Box::pin(async move {
            for part in parts.iter() {
                if stream.write_all(part).await.is_err() {
                    return;
                }
            }
            // For ever, or until the other side has had enough.
            while let Some(more) = &then {
                if stream.write_all(more).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(if more.len() < 100 { 5 } else { 0 })).await;
            }
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_the_first_question() {
    let ok = b"HTTP/1.1 200 OK\r\n".to_vec();
    let cases: Vec<(&str, Serve, &[ErrorKind])> = vec![
        ("silence", sends(vec![], Some(Vec::new())), &[ErrorKind::Timeout]),
        ("at once gone", sends(vec![], None), &[ErrorKind::Disconnected]),
        (
            "not HTTP",
            sends(vec![b"220 mail.example ESMTP\r\n".to_vec()], None),
            &[ErrorKind::Protocol],
        ),
        ("a head that drips", sends(vec![ok.clone()], Some(b"X".to_vec())), &[ErrorKind::Timeout]),
        (
            "a head without end",
            sends(vec![ok.clone()], Some(format!("X: {}\r\n", "y".repeat(2000)).into_bytes())),
            &[ErrorKind::Protocol, ErrorKind::Disconnected],
        ),
        (
            "a body without end",
            sends(
                vec![b"HTTP/1.1 200 OK\r\n\r\n<MTConnectDevices>".to_vec()],
                Some(b" ".repeat(4000)),
            ),
            &[ErrorKind::Timeout, ErrorKind::Protocol],
        ),
        (
            "another length",
            sends(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<a/>".to_vec()], None),
            &[ErrorKind::Disconnected],
        ),
        ("another document", sends(vec![plain(&streams(2, ""))], None), &[ErrorKind::Protocol]),
        (
            "elsewhere",
            sends(
                vec![
                    b"HTTP/1.1 301 Moved\r\nLocation: http://a/\r\nContent-Length: 0\r\n\r\n"
                        .to_vec(),
                ],
                None,
            ),
            &[ErrorKind::Protocol],
        ),
        (
            "entities",
            sends(vec![plain("<!DOCTYPE a [<!ENTITY b 'c'>]><MTConnectDevices/>")], None),
            &[ErrorKind::Protocol],
        ),
    ];
    for (what, serve, kinds) in cases {
        let port = server(serve, true).await;
        let error = timeout(Duration::from_secs(20), connect(port)).await.unwrap().err().unwrap();
        assert!(kinds.contains(&error.kind), "{what}: {:?} {error}", error.kind);
        assert!(error.to_string().contains(&port.to_string()), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_none() {
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n".to_vec();
    let part = |body: &str| {
        format!("--b\r\nContent-type: text/xml\r\nContent-length: {}\r\n\r\n{body}\r\n", body.len())
            .into_bytes()
    };
    let cases: Vec<(&str, Serve, &[ErrorKind])> = vec![
        (
            "no heartbeat",
            sends(vec![head.clone(), part(&streams(2, ""))], Some(Vec::new())),
            &[ErrorKind::Timeout],
        ),
        (
            "a part that drips",
            sends(vec![head.clone(), b"--b\r\n\r\n".to_vec()], Some(b" ".to_vec())),
            &[ErrorKind::Timeout],
        ),
        (
            "a part without end",
            sends(vec![head.clone(), b"--b\r\nX: y\r\n\r\n".to_vec()], Some(b" ".repeat(65_536))),
            &[ErrorKind::Protocol, ErrorKind::Timeout],
        ),
        (
            "a part that claims much",
            sends(
                vec![head.clone(), b"--b\r\nContent-length: 99999999999\r\n\r\n".to_vec()],
                Some(Vec::new()),
            ),
            &[ErrorKind::Protocol],
        ),
        (
            "no boundary",
            sends(vec![head.clone(), b"<MTConnectStreams/>".repeat(9)], Some(Vec::new())),
            &[ErrorKind::Protocol],
        ),
        (
            "garbage",
            sends(vec![head.clone(), part("\u{1}\u{2}")], Some(Vec::new())),
            &[ErrorKind::Protocol],
        ),
        ("ends at once", sends(vec![head.clone()], None), &[ErrorKind::Disconnected]),
        (
            "a document without end",
            sends(vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], Some(b" ".repeat(65_536))),
            &[ErrorKind::Protocol, ErrorKind::Timeout],
        ),
    ];
    for (what, serve, kinds) in cases {
        let port = server(serve, false).await;
        let mut session = connect(port).await.unwrap();
        let error = end(&mut *session).await;
        assert!(kinds.contains(&error.kind), "{what}: {:?} {error}", error.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_after_each_part_is_followed() {
    // Each answer tells what its question asks for, and ends.
    let serve: Serve = Arc::new(|mut stream: TcpStream, path: String| {
        Box::pin(async move {
            let from: u64 =
                path.split("from=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
            let inner = format!(
                "<Position dataItemId='a' sequence='{from}' timestamp='2026-01-01T00:00:00Z'>{from}</Position>"
            );
            let body = streams(from + 1, &inner);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\nConnection: close\r\n\r\n\
                 --b\r\nContent-type: text/xml\r\nContent-length: {}\r\n\r\n{body}\r\n--b--\r\n",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        })
    });
    let port = server(serve, false).await;
    let mut session = connect(port).await.unwrap();
    let mut found = Vec::new();
    while found.len() < 10 {
        session.due().await;
        let collected = session.collect().await.unwrap();
        found.extend(collected.readings.into_iter().map(|reading| reading.outcome.unwrap()));
    }
    assert_eq!(found, (1..=10).map(|n| Value::F64(f64::from(n))).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_agents_behind_one_address_are_told() {
    let other = streams(2, "").replace("instanceId='1'", "instanceId='2'");
    let port = server(sends(vec![plain(&other)], None), false).await;
    let mut session = connect(port).await.unwrap();
    let error = end(&mut *session).await;
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
    assert!(error.cause.contains("again and again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_model_changes_with_each_answer_is_borne() {
    let serve: Serve = Arc::new(|mut stream: TcpStream, path: String| {
        Box::pin(async move {
            let from: u64 =
                path.split("from=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
            let inner = format!(
                "<Position dataItemId='a' sequence='{from}' timestamp='2026-01-01T00:00:00Z'>{from}</Position>"
            );
            let body = streams(from + 1, &inner);
            let body =
                body.replace("instanceId", &format!("deviceModelChangeTime='{from}' instanceId"));
            let _ = stream.write_all(&plain(&body)).await;
        })
    });
    let port = server(serve, false).await;
    let mut session = connect(port).await.unwrap();
    let mut last = 0.0;
    while last < 5.0 {
        session.due().await;
        let collected = session.collect().await.unwrap();
        let live = collected.readings.last().filter(|_| !collected.backfill);
        last = live.map_or(last, |r| r.outcome.as_ref().unwrap().as_f64().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_has_nothing_but_current_is_polled() {
    let refusal = "<MTConnectError><Errors><Error errorCode='OUT_OF_RANGE'>no</Error></Errors></MTConnectError>";
    let port = server(sends(vec![plain(refusal)], None), false).await;
    let mut session = connect(port).await.unwrap();
    let mut found = 0;
    while found < 5 {
        session.due().await;
        let collected = session.collect().await.unwrap();
        found += collected.readings.iter().filter(|r| r.outcome == Ok(Value::F64(1.0))).count();
    }
}
