//! Wills: their bounds, and whose rights count when they are published.

use bytes::Bytes;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v5::{Connect, ConnectAckReason, LastWill};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_broker::{Act, Limits};

use crate::client::{Bench, Client, kept, named, text, until};

fn with_will(connect: Connect, topic: &str, payload: &[u8], delay: u32) -> Connect {
    Connect {
        last_will: Some(LastWill {
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: topic.to_owned().into(),
            message: Bytes::copy_from_slice(payload),
            will_delay_interval_sec: Some(delay),
            correlation_data: None,
            message_expiry_interval: None,
            content_type: None,
            user_properties: Vec::new(),
            is_utf8_payload: None,
            response_topic: None,
        }),
        ..connect
    }
}

#[tokio::test]
async fn a_will_of_who_may_not_publish_any_more_is_not_published() {
    let bench = Bench::new();
    let mut watcher = bench.connect(named("watcher")).await;
    watcher.subscribe("will/#", QoS::AtLeastOnce).await;
    let revoked = bench.connect(with_will(kept("revoked"), "will/revoked", b"1", 0)).await;
    let delayed = bench.connect(with_will(kept("delayed"), "will/delayed", b"2", 1000)).await;
    let other = bench.connect(with_will(kept("other"), "will/other", b"3", 0)).await;
    drop(delayed);
    until(|| bench.broker.status().connections == 3).await;
    for topic in ["will/revoked", "will/delayed"] {
        bench.gate.forbidden.lock().unwrap().push((Act::Publish, topic.to_owned()));
    }
    drop(revoked);
    until(|| bench.broker.status().refused == 1).await;
    // Its session ends with the new one, and the delay with it.
    bench.connect(named("delayed")).await.disconnect().await;
    assert_eq!(bench.broker.status().refused, 2);
    drop(other);
    assert_eq!(text(&watcher.receive().await), "3");
    watcher.ping().await;
}

#[tokio::test]
async fn wills_are_bounded() {
    let limits = Limits { will_bytes_max: 2000, wills_bytes_max: 8000, ..Limits::default() };
    let bench = Bench::with(limits);
    let connect = async |client_id: &str, user: &str, bytes: usize, delay: u32| {
        let connect = Connect { username: Some(user.to_owned().into()), ..kept(client_id) };
        let connect = with_will(connect, "w", &vec![7; bytes], delay);
        Client::connect(bench.stream(), connect).await
    };
    let quota = ConnectAckReason::QuotaExceeded;
    let (_, ack) = connect("large", "1/a", 2000, 0).await;
    assert_eq!(ack.reason_code, quota);
    // Three quarters of all, whether the client is there or its will waits.
    for n in 0..4 {
        let (client, ack) = connect(&format!("client{n}"), "1/a", 1400, 1000).await;
        assert_eq!(ack.reason_code, ConnectAckReason::Success);
        drop(client);
    }
    let (_, ack) = connect("one more", "1/a", 1400, 0).await;
    assert_eq!(ack.reason_code, quota);
    let (_other, ack) = connect("other", "2/a", 1000, 0).await;
    assert_eq!(ack.reason_code, ConnectAckReason::Success);
    // Without a will it may come, and who takes a will back makes room.
    bench.connect(named("none")).await.disconnect().await;
    until(|| bench.broker.status().connections <= 1).await;
    let back = Connect { username: Some("1/a".into()), ..kept("client0") };
    bench.connect(back).await.disconnect().await;
    let (_client, ack) = connect("one more", "1/a", 500, 0).await;
    assert_eq!(ack.reason_code, ConnectAckReason::Success);
    // 3.1.1 is told that the server is not available to it.
    let mut old = bench.stream();
    let mut packet =
        b"\x10\xA3\x0B\x00\x04MQTT\x04\x06\x00\x00\x00\x03old\x00\x01w\x05\x8d".to_vec();
    packet.resize(packet.len() + 1421, 7);
    let rest = packet.len() - 3;
    packet[1] = u8::try_from(rest % 128).unwrap() | 0x80;
    packet[2] = u8::try_from(rest / 128).unwrap();
    old.write_all(&packet).await.unwrap();
    let mut answer = Vec::new();
    old.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"\x20\x02\x00\x03");
}
