//! Messages from client to client.

use std::num::NonZeroU32;

use bytes::Bytes;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{
    Connect, Disconnect, DisconnectReasonCode, LastWill, PublishAckReason, PublishProperties,
    RetainHandling, Subscribe, SubscriptionOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Bench, connect_v3, kept, message, named, text, until};

const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[tokio::test]
async fn each_quality_arrives_as_the_lesser_of_both() {
    let bench = Bench::new();
    for (n, subscribed) in ALL.into_iter().enumerate() {
        let mut subscriber = bench.connect(named("subscriber")).await;
        subscriber.subscribe(&format!("温度/{n}/#"), subscribed).await;
        for published in ALL {
            let mut publisher = bench.connect(named("publisher")).await;
            let topic = format!("温度/{n}/🌡");
            let sent = message(&topic, published, b"21.5");
            if published == QoS::AtMostOnce {
                publisher.put(sent).await;
            } else {
                assert_eq!(publisher.put_acknowledged(sent).await, PublishAckReason::Success);
            }
            let received = subscriber.receive().await;
            assert_eq!((&*received.topic, &*text(&received)), (&*topic, "21.5"));
            assert_eq!(received.qos, published.less_value(subscribed));
        }
    }
}

#[tokio::test]
async fn a_client_of_3_1_1_speaks_with_one_of_5() {
    let bench = Bench::new();
    let mut new = bench.connect(named("new")).await;
    new.subscribe("a", QoS::AtLeastOnce).await;
    let mut old = bench.stream();
    old.write_all(&connect_v3("old")).await.unwrap();
    old.write_all(b"\x82\x06\x00\x01\x00\x01b\x01\x32\x06\x00\x01a\x00\x02x").await.unwrap();
    let mut answer = [0; 13];
    old.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[..9], b"\x20\x02\x00\x00\x90\x03\x00\x01\x01");
    assert_eq!(&answer[9..], b"\x40\x02\x00\x02");
    assert_eq!(text(&new.receive().await), "x");
    let with_properties = Publish {
        properties: Some(PublishProperties {
            user_properties: vec![("k".into(), "v".into())],
            ..PublishProperties::default()
        }),
        ..message("b", QoS::AtMostOnce, b"y")
    };
    new.put(with_properties).await;
    let mut publish = [0; 6];
    old.read_exact(&mut publish).await.unwrap();
    assert_eq!(&publish, b"\x30\x04\x00\x01by");
}

#[tokio::test]
async fn retained_messages_come_at_subscribing() {
    let bench = Bench::new();
    let mut publisher = bench.connect(named("publisher")).await;
    for (topic, payload) in [("r/1", "one"), ("r/2", "two"), ("r/2", "")] {
        let retained =
            Publish { retain: true, ..message(topic, QoS::AtLeastOnce, payload.as_bytes()) };
        publisher.put_acknowledged(retained).await;
    }
    let mut subscriber = bench.connect(named("subscriber")).await;
    subscriber.subscribe("r/+", QoS::AtMostOnce).await;
    let received = subscriber.receive().await;
    assert_eq!((received.retain, text(&received)), (true, "one".to_owned()));
    // Again, but only if the subscription were new.
    let options = SubscriptionOptions {
        retain_handling: RetainHandling::AtSubscribeNew,
        ..Default::default()
    };
    subscriber.subscribe_with("r/+", options, None).await;
    subscriber.ping().await;
    assert_eq!(bench.broker.status().retained, 1);
}

#[tokio::test]
async fn options_of_subscriptions_hold() {
    let bench = Bench::new();
    let mut client = bench.connect(named("client")).await;
    let quiet = SubscriptionOptions { no_local: true, ..Default::default() };
    client.subscribe_with("quiet", quiet, None).await;
    let options = SubscriptionOptions { retain_as_published: true, ..Default::default() };
    client.subscribe_with("a/#", options, Some(7)).await;
    client.subscribe_with("a/b", options, Some(268_435_455)).await;
    client.put(message("quiet", QoS::AtMostOnce, b"")).await;
    client.put(Publish { retain: true, ..message("a/b", QoS::AtMostOnce, b"1") }).await;
    let received = client.receive().await;
    assert!(received.retain);
    let mut ids = received.properties.unwrap().subscription_ids;
    ids.sort_unstable();
    assert_eq!(ids, [7, 268_435_455].map(|id| NonZeroU32::new(id).unwrap()));
    // A shared subscription cannot exclude its own messages (MQTT 5, 3.8.3-4).
    client
        .send(Subscribe {
            packet_id: 99.try_into().unwrap(),
            id: None,
            user_properties: Vec::new(),
            topic_filters: vec![("$share/g/x".into(), quiet)],
        })
        .await;
    assert_eq!(client.reason().await, Some(0x82));
}

#[tokio::test]
async fn shared_subscriptions_share() {
    let bench = Bench::new();
    let mut members = Vec::new();
    for n in 0..3 {
        let mut member = bench.connect(named(&format!("member{n}"))).await;
        member.subscribe("$share/组/s/+", QoS::AtLeastOnce).await;
        members.push(member);
    }
    let mut publisher = bench.connect(named("publisher")).await;
    for n in 0..9_u8 {
        publisher.put_acknowledged(message("s/1", QoS::AtLeastOnce, &[n])).await;
    }
    let mut all = Vec::new();
    for member in &mut members {
        for _ in 0..3 {
            all.push(member.receive().await.payload[0]);
        }
    }
    all.sort_unstable();
    assert_eq!(all, (0..9).collect::<Vec<u8>>());
}

#[tokio::test]
async fn aliases_work_in_both_directions() {
    let bench = Bench::new();
    let mut client = bench.connect(Connect { topic_alias_max: 1, ..named("client") }).await;
    client.subscribe("long/+", QoS::AtMostOnce).await;
    let alias = |topic: &str, alias: u16| Publish {
        properties: Some(PublishProperties {
            topic_alias: alias.try_into().ok(),
            ..PublishProperties::default()
        }),
        ..message(topic, QoS::AtMostOnce, b"x")
    };
    client.put(alias("long/topic", 16)).await;
    client.put(alias("", 16)).await;
    let first = client.receive().await;
    let second = client.receive().await;
    assert_eq!((&*first.topic, &*second.topic), ("long/topic", ""));
    assert_eq!(first.properties.unwrap().topic_alias, second.properties.unwrap().topic_alias);
    client.put(alias("long/other", 0)).await;
    assert_eq!(&*client.receive().await.topic, "long/other", "there is one alias only");
    client.put(alias("long/topic", 17)).await;
    assert_eq!(client.reason().await, Some(0x94));
}

/// An alias keeps its topic in memory: a few of the greatest length are enough.
#[tokio::test]
async fn topics_of_aliases_are_bounded_in_bytes() {
    let bench = Bench::new();
    let mut client = bench.connect(Connect { topic_alias_max: 9, ..named("client") }).await;
    client.subscribe("#", QoS::AtMostOnce).await;
    let alias = |n: u16| {
        let topic = format!("{n}{}", "长".repeat(21_000));
        let topic_alias = n.try_into().ok();
        let properties = PublishProperties { topic_alias, ..PublishProperties::default() };
        Publish { properties: Some(properties), ..message(&topic, QoS::AtMostOnce, b"") }
    };
    for n in [1, 2, 2, 1] {
        client.put(alias(n)).await;
        let received = client.receive().await;
        assert_eq!(received.properties.unwrap().topic_alias, None, "so long a one gets none");
    }
    client.put(alias(3)).await;
    assert_eq!(client.reason().await, Some(0x97));
}

#[tokio::test]
async fn what_expires_while_it_waits_is_not_sent() {
    let bench = Bench::new();
    let mut subscriber = bench.connect(kept("subscriber")).await;
    subscriber.subscribe("e", QoS::AtLeastOnce).await;
    subscriber.disconnect().await;
    let mut publisher = bench.connect(named("publisher")).await;
    for (seconds, payload) in [(1, "short"), (3000, "long")] {
        let properties = PublishProperties {
            message_expiry_interval: NonZeroU32::new(seconds),
            ..PublishProperties::default()
        };
        let expiring = Publish {
            properties: Some(properties),
            ..message("e", QoS::AtLeastOnce, payload.as_bytes())
        };
        publisher.put_acknowledged(expiring).await;
    }
    let started = std::time::Instant::now();
    until(|| started.elapsed().as_millis() > 1100).await;
    let mut subscriber = bench.connect(kept("subscriber")).await;
    let received = subscriber.receive().await;
    assert_eq!(text(&received), "long");
    let left = received.properties.unwrap().message_expiry_interval.unwrap().get();
    assert!((2900..3000).contains(&left), "{left}");
    assert_eq!(bench.broker.status().dropped, 1);
}

fn with_will(client_id: &str, delay: u32) -> Connect {
    Connect {
        last_will: Some(LastWill {
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "will".into(),
            message: Bytes::from_static(b"gone"),
            will_delay_interval_sec: Some(delay),
            correlation_data: None,
            message_expiry_interval: None,
            content_type: None,
            user_properties: Vec::new(),
            is_utf8_payload: None,
            response_topic: None,
        }),
        ..kept(client_id)
    }
}

#[tokio::test]
async fn wills() {
    let bench = Bench::new();
    let mut watcher = bench.connect(named("watcher")).await;
    watcher.subscribe("will", QoS::AtMostOnce).await;
    // Said good-bye: none.
    bench.connect(with_will("1", 0)).await.disconnect().await;
    // With the reason that asks for it.
    let mut client = bench.connect(with_will("2", 0)).await;
    client.send(Disconnect::new(DisconnectReasonCode::DisconnectWithWillMessage)).await;
    assert_eq!(text(&watcher.receive().await), "gone");
    // The stream ends.
    drop(bench.connect(with_will("3", 0)).await);
    assert_eq!(text(&watcher.receive().await), "gone");
    // Back before the delay is over: none.
    drop(bench.connect(with_will("4", 1)).await);
    until(|| bench.broker.status().connections == 1).await;
    bench.connect(kept("4")).await.disconnect().await;
    // The delay passes.
    drop(bench.connect(with_will("5", 1)).await);
    assert_eq!(text(&watcher.receive().await), "gone");
    // A new session ends the old one, and with it the delay.
    drop(bench.connect(with_will("6", 1000)).await);
    until(|| bench.broker.status().connections == 1).await;
    let _again = bench.connect(named("6")).await;
    assert_eq!(text(&watcher.receive().await), "gone");
    watcher.ping().await;
}

#[tokio::test]
async fn a_second_connection_takes_over() {
    let bench = Bench::new();
    let mut first = bench.connect(kept("client")).await;
    first.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = bench.connect(named("publisher")).await;
    publisher.put_acknowledged(message("t", QoS::AtLeastOnce, b"1")).await;
    assert!(!first.publish().await.dup);
    let (mut second, ack) = crate::client::Client::connect(bench.stream(), kept("client")).await;
    assert!(ack.session_present);
    assert_eq!(first.reason().await, Some(0x8E));
    let again = second.receive().await;
    assert!(again.dup);
    assert_eq!(text(&again), "1");
    second.ping().await;
    let clients = bench.broker.clients(weir_model::TenantId(1), None, 10);
    assert_eq!(clients.len(), 2);
    assert_eq!(clients[0].subscriptions, ["t"]);
    assert_eq!((clients[0].queued, clients[0].inflight), (0, 0));
}
