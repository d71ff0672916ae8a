//! What a client may not do, and what that costs it and nobody else.

use std::time::Duration;

use proptest::prelude::*;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{Connect, ConnectAckReason, Packet, PublishAckReason, SubscribeAckReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_broker::{Limits, Qos};
use weir_model::TenantId;

use crate::client::{Bench, Client, connect_v3, kept, message, named, until};

#[tokio::test]
async fn topics_that_are_none_end_the_connection_with_a_reason() {
    let bench = Bench::new();
    for (topic, expected) in [("a/+", 0x90), ("#", 0x90), ("a\0b", 0x90), ("", 0x82)] {
        let mut client = bench.connect(named("client")).await;
        client.put(message(topic, QoS::AtLeastOnce, b"")).await;
        assert_eq!(client.reason().await, Some(expected), "{topic:?}");
    }
    // Bytes that are no UTF-8, in a topic and in a filter.
    for packet in
        [&b"\x30\x05\x00\x02\xC3\x28\x00"[..], b"\x82\x08\x00\x01\x00\x00\x02\xC3\x28\x00"]
    {
        let mut client = bench.connect(named("client")).await;
        client.stream.write_all(packet).await.unwrap();
        assert_eq!(client.reason().await, Some(0x81));
    }
    // 3.1.1 is just closed.
    let mut old = bench.stream();
    old.write_all(&connect_v3("old")).await.unwrap();
    old.write_all(b"\x30\x04\x00\x01#x").await.unwrap();
    let mut rest = Vec::new();
    old.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\x20\x02\x00\x00");
}

#[tokio::test]
async fn long_and_strange_topics_are_taken_or_refused_but_never_fatal() {
    let bench = Bench::new();
    let mut client = bench.connect(named("client")).await;
    client.subscribe("#", QoS::AtMostOnce).await;
    let long = "长".repeat(21_845); // 65,535 bytes
    for topic in [&long, "\u{1}\u{7f}\u{85}", "\u{feff}", "🏭/🌡", "////", "\u{fffe}"] {
        let code = client.put_acknowledged_after_echo(topic).await;
        assert_eq!(code, PublishAckReason::Success, "{}", topic.len());
    }
    let deep = "/".repeat(65_535);
    let refused = client.put_acknowledged(message(&deep, QoS::AtLeastOnce, b"")).await;
    assert_eq!(refused, PublishAckReason::TopicNameInvalid);
    let code = client.subscribe(&deep, QoS::AtMostOnce).await;
    assert_eq!(code, SubscribeAckReason::TopicFilterInvalid);
    client.ping().await;
}

impl<S: tokio::io::AsyncRead + AsyncWriteExt + Unpin> Client<S> {
    /// Publishes to what it has subscribed itself: the message and its acknowledgement come.
    async fn put_acknowledged_after_echo(&mut self, topic: &str) -> PublishAckReason {
        self.put(message(topic, QoS::AtLeastOnce, b"x")).await;
        let mut code = None;
        let mut echoed = false;
        while code.is_none() || !echoed {
            match self.next().await {
                Some(Packet::PublishAck(ack)) => code = Some(ack.reason_code),
                Some(Packet::Publish(publish)) => {
                    assert_eq!(&*publish.topic, topic);
                    echoed = true;
                }
                other => panic!("{other:?}"),
            }
        }
        code.unwrap()
    }
}

#[tokio::test]
async fn sizes_and_numbers_are_bounded() {
    let limits = Limits {
        packet_bytes_max: 1000,
        subscriptions_max: 2,
        sessions_max: 3,
        retained_messages_max: 1,
        receive_max: 2,
        ..Limits::default()
    };
    let bench = Bench::with(limits);
    let (mut client, ack) = Client::connect(bench.stream(), named("client")).await;
    assert_eq!((ack.max_packet_size, ack.receive_max.get()), (Some(1000), 2));
    client.put(message("a", QoS::AtMostOnce, &[0; 1000])).await;
    assert_eq!(client.reason().await, Some(0x95));

    let mut client = bench.connect(named("client")).await;
    for (filter, expected) in [
        ("a", SubscribeAckReason::GrantedQos1),
        ("b", SubscribeAckReason::GrantedQos1),
        ("c", SubscribeAckReason::QuotaExceeded),
        ("a", SubscribeAckReason::GrantedQos1),
    ] {
        assert_eq!(client.subscribe(filter, QoS::AtLeastOnce).await, expected, "{filter}");
    }
    let retained = |topic: &str| Publish { retain: true, ..message(topic, QoS::AtLeastOnce, b"1") };
    let nobody = PublishAckReason::NoMatchingSubscribers;
    assert_eq!(client.put_acknowledged(retained("r/1")).await, nobody);
    assert_eq!(client.put_acknowledged(retained("r/2")).await, PublishAckReason::QuotaExceeded);

    // Three messages whose receipts do not come.
    let local = bench.broker.local(TenantId(1), "driver");
    local.subscribe("wait", Qos::AtLeastOnce, true).unwrap();
    for _ in 0..3 {
        client.put(message("wait", QoS::AtLeastOnce, b"")).await;
    }
    assert_eq!(client.reason().await, Some(0x93));

    let mut held = Vec::new();
    for n in 0..3 {
        held.push(bench.connect(named(&format!("held{n}"))).await);
    }
    let (_, ack) = Client::connect(bench.stream(), named("one more")).await;
    assert_eq!(ack.reason_code, ConnectAckReason::QuotaExceeded);
}

#[tokio::test]
async fn connections_are_bounded_and_silent_ones_end() {
    let limits = Limits {
        connections_max: 1,
        connect_time_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let bench = Bench::with(limits);
    let mut silent = bench.stream();
    until(|| bench.broker.status().connections == 1).await;
    let mut surplus = bench.stream();
    assert_eq!(surplus.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    until(|| bench.broker.status().connections == 0).await;
    assert_eq!(bench.broker.status().rejected_connections, 2);
    let mut quiet = bench.connect(Connect { keep_alive: 1, ..named("quiet") }).await;
    assert_eq!(quiet.reason().await, Some(0x8D));
}

#[tokio::test]
async fn versions_that_are_unknown_are_told() {
    let bench = Bench::new();
    let mut stream = bench.stream();
    stream.write_all(b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"\x20\x02\x00\x01");
    let mut stream = bench.stream();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty());
    let method = Connect { auth_method: Some("SCRAM".into()), ..named("client") };
    let (_, ack) = Client::connect(bench.stream(), method).await;
    assert_eq!(ack.reason_code, ConnectAckReason::BadAuthenticationMethod);
    // An empty identifier, with and without Clean Start.
    for clean_start in [true, false] {
        let stream = bench.stream();
        let mut out = b"\x10\x0d\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00".to_vec();
        out[9] = u8::from(clean_start) << 1;
        let mut client = Client::new(stream);
        client.stream.write_all(&out).await.unwrap();
        match client.next().await {
            Some(Packet::ConnectAck(ack)) => assert!(ack.assigned_client_id.is_some()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_kept_session_that_is_slow_loses_nothing() {
    let bench = Bench::with(Limits { queue_messages_max: 100, ..Limits::default() });
    let mut slow = bench.connect(Connect { receive_max: 3.try_into().ok(), ..kept("slow") }).await;
    slow.subscribe("s", QoS::AtLeastOnce).await;
    let mut publisher = bench.connect(named("publisher")).await;
    let sending = async {
        for n in 0..500_u32 {
            let code =
                publisher.put_acknowledged(message("s", QoS::AtLeastOnce, &n.to_be_bytes())).await;
            assert_eq!(code, PublishAckReason::Success);
        }
    };
    let receiving = async {
        for n in 0..500_u32 {
            assert_eq!(*slow.receive().await.payload, n.to_be_bytes());
        }
    };
    tokio::join!(sending, receiving);
    assert_eq!(bench.broker.status().dropped, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes after CONNECT, or instead of it, others are served.
    #[test]
    fn no_bytes_harm(
        connected in any::<bool>(),
        packets in proptest::collection::vec(
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..100)), 1..10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut other = bench.connect(kept("other")).await;
            other.subscribe("#", QoS::AtMostOnce).await;
            let mut stream = bench.stream();
            if connected {
                let (client, _) = Client::connect(stream, named("fuzz")).await;
                stream = client.stream;
            }
            let (mut reading, mut writing) = tokio::io::split(stream);
            let drain = tokio::spawn(async move {
                let mut sink = [0; 1024];
                while reading.read(&mut sink).await.is_ok_and(|count| count > 0) {}
            });
            for (first, body) in packets {
                let mut packet = vec![first, u8::try_from(body.len()).unwrap()];
                packet.extend_from_slice(&body);
                if writing.write_all(&packet).await.is_err() {
                    break;
                }
            }
            let _ = writing.shutdown().await;
            drain.await.unwrap();
            // Messages of the other one may have passed; it still gets an answer.
            other.send(Packet::PingRequest).await;
            while other.next().await.unwrap() != Packet::PingResponse {}
        });
    }
}
