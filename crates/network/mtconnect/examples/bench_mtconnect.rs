//! Measures how fast a stream of observations becomes readings, with an agent in the same process that
//! sends prepared documents as fast as they are taken:
//! `cargo run --release -p weir-mtconnect --example bench_mtconnect [DOCUMENTS]`.

#![expect(clippy::unwrap_used, reason = "a measurement fails by a panic")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weir_connect::{Circumstances, DeviceSpec, Driver, SystemClock};
use weir_mtconnect::MtconnectDriver;

const ITEMS: usize = 100;
const PER_DOCUMENT: u64 = 1000;

fn streams(from: u64, count: u64) -> String {
    let next = from + count;
    let last = next - 1;
    let mut text = format!(
        "<MTConnectStreams><Header instanceId='1' bufferSize='131072' firstSequence='1' lastSequence='{last}' nextSequence='{next}'/>\
         <Streams><DeviceStream name='d' uuid='u'><ComponentStream component='Linear' name='X' componentId='x'><Samples>"
    );
    for sequence in from..next {
        let item = sequence as usize % ITEMS;
        write!(
            text,
            "<Position dataItemId=\"i{item}\" timestamp=\"2026-11-26T06:30:00.123456Z\" sequence=\"{sequence}\" name=\"Xact\" subType=\"ACTUAL\">{sequence}.25</Position>"
        )
        .unwrap();
    }
    text.push_str("</Samples></ComponentStream></DeviceStream></Streams></MTConnectStreams>");
    text
}

fn probe() -> String {
    let mut text = "<MTConnectDevices><Header instanceId='1'/><Devices><Device id='d' name='d' uuid='u'><DataItems>".to_owned();
    for item in 0..ITEMS {
        write!(text, "<DataItem id='i{item}' type='POSITION' category='SAMPLE'/>").unwrap();
    }
    text.push_str("</DataItems></Device></Devices></MTConnectDevices>");
    text
}

async fn serve(documents: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read) = stream.read(&mut buffer).await {
                    let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    let body = if request.starts_with("GET /probe") {
                        probe()
                    } else if request.starts_with("GET /current") {
                        streams(1, ITEMS as u64)
                    } else if request.starts_with("GET /sample") {
                        let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n";
                        stream.write_all(head.as_bytes()).await.unwrap();
                        for document in 0..documents {
                            let body =
                                streams(ITEMS as u64 + 1 + document * PER_DOCUMENT, PER_DOCUMENT);
                            let part =
                                format!("--b\r\nContent-length: {}\r\n\r\n{body}\r\n", body.len());
                            stream.write_all(part.as_bytes()).await.unwrap();
                        }
                        return std::future::pending().await;
                    } else {
                        return;
                    };
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    port
}

#[tokio::main]
async fn main() {
    let documents: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let port = serve(documents).await;
    let points: Vec<_> = (0..ITEMS)
        .map(|i| {
            json!({"tag": i, "id": format!("88.100/d.p{i}"), "name": "p", "data_type": "f64", "address": {"data_item": format!("i{i}")}})
        })
        .collect();
    let spec: DeviceSpec = serde_json::from_value(json!({
        "tenant": 1, "device": "88.100/d", "name": "d", "protocol": "mtconnect", "points": points,
        "settings": {"url": format!("http://127.0.0.1:{port}")}, "enabled": true, "revision": 1,
    }))
    .unwrap();
    let circumstances = Circumstances::new(Arc::new(SystemClock));
    let mut session = MtconnectDriver::new().connect(Arc::new(spec), circumstances).await.unwrap();
    let wanted = documents * PER_DOCUMENT + ITEMS as u64;
    let since = Instant::now();
    let mut readings = 0;
    while readings < wanted {
        session.due().await;
        readings += session.collect().await.unwrap().readings.len() as u64;
    }
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"observations": readings, "seconds": seconds, "per_s": (readings as f64 / seconds).round()})
    );
}
