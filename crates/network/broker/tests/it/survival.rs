//! What is there after the broker was opened again.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{self, Packet, PublishProperties, SubscriptionOptions};

use crate::client::{Bench, Client, kept, message, named, text, until};

#[tokio::test]
async fn sessions_queues_and_retained_messages_survive() {
    let mut bench = Bench::new();
    let mut subscriber = bench.connect(kept("订阅")).await;
    subscriber.subscribe("q/#", QoS::ExactlyOnce).await;
    subscriber.disconnect().await;
    let mut publisher = bench.connect(named("publisher")).await;
    let properties = PublishProperties {
        user_properties: vec![("单位".into(), "°C".into())],
        content_type: Some("text/plain".into()),
        ..PublishProperties::default()
    };
    for n in 0..50_u8 {
        let qos = if n % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        let retained = Publish {
            retain: n == 49,
            properties: Some(properties.clone()),
            ..message("q/温度", qos, &[n])
        };
        publisher.put_acknowledged(retained).await;
    }
    bench.restart().await;
    let (mut subscriber, ack) = Client::connect(bench.stream(), kept("订阅")).await;
    assert!(ack.session_present);
    for n in 0..50_u8 {
        let received = subscriber.receive().await;
        assert_eq!(*received.payload, [n]);
        assert_eq!(received.properties.unwrap().user_properties, properties.user_properties);
    }
    subscriber.ping().await;
    let mut late = bench.connect(named("late")).await;
    late.subscribe("#", QoS::AtMostOnce).await;
    assert_eq!(*late.receive().await.payload, [49]);
    // What was delivered does not come again.
    subscriber.disconnect().await;
    bench.restart().await;
    let mut subscriber = bench.connect(kept("订阅")).await;
    subscriber.ping().await;
    let mut publisher = bench.connect(named("publisher")).await;
    publisher.put_acknowledged(message("q/1", QoS::AtLeastOnce, b"new")).await;
    assert_eq!(text(&subscriber.receive().await), "new");
}

#[tokio::test]
async fn exactly_once_goes_on_where_it_was() {
    let mut bench = Bench::new();
    let mut subscriber = bench.connect(kept("subscriber")).await;
    subscriber.subscribe("x", QoS::ExactlyOnce).await;
    let mut publisher = bench.connect(kept("publisher")).await;
    let id = publisher.put(message("x", QoS::ExactlyOnce, b"once")).await;
    assert!(matches!(publisher.next().await, Some(Packet::PublishReceived(_))));
    let first = subscriber.publish().await;
    let packet_id = first.packet_id.unwrap();
    bench.restart().await;
    // The publisher has not seen PUBREC and sends again: it is known.
    let mut publisher = bench.connect(kept("publisher")).await;
    let again = Publish {
        dup: true,
        packet_id: id.try_into().ok(),
        ..message("x", QoS::ExactlyOnce, b"once")
    };
    publisher.send(again).await;
    assert!(matches!(publisher.next().await, Some(Packet::PublishReceived(_))));
    publisher
        .send(Packet::PublishRelease(v5::PublishAck2 {
            packet_id: id.try_into().unwrap(),
            ..v5::PublishAck2::default()
        }))
        .await;
    assert!(matches!(publisher.next().await, Some(Packet::PublishComplete(_))));
    // The subscriber gets the same message under the same identifier.
    let mut subscriber = bench.connect(kept("subscriber")).await;
    let again = subscriber.publish().await;
    assert_eq!((again.packet_id, again.dup), (Some(packet_id), true));
    let ack = v5::PublishAck { packet_id, ..v5::PublishAck::default() };
    subscriber.send(Packet::PublishReceived(ack)).await;
    assert!(matches!(subscriber.next().await, Some(Packet::PublishRelease(_))));
    bench.restart().await;
    // PUBREC is remembered: PUBREL comes again, and no message.
    let mut subscriber = bench.connect(kept("subscriber")).await;
    match subscriber.next().await {
        Some(Packet::PublishRelease(release)) => {
            assert_eq!(release.packet_id, packet_id);
            subscriber.send(Packet::PublishComplete(release)).await;
        }
        other => panic!("{other:?}"),
    }
    subscriber.ping().await;
}

#[tokio::test]
async fn what_has_ended_is_gone() {
    let mut bench = Bench::new();
    let mut client = bench.connect(kept("client")).await;
    client.subscribe("a", QoS::AtLeastOnce).await;
    client.subscribe("b", QoS::AtLeastOnce).await;
    client
        .send(v5::Unsubscribe {
            packet_id: 99.try_into().unwrap(),
            user_properties: Vec::new(),
            topic_filters: vec!["b".into()],
        })
        .await;
    assert!(matches!(client.next().await, Some(Packet::UnsubscribeAck(_))));
    client.disconnect().await;
    bench
        .connect(v5::Connect { session_expiry_interval_secs: 0, ..kept("short") })
        .await
        .disconnect()
        .await;
    bench.restart().await;
    let clients = bench.broker.clients(weir_model::TenantId(1), None, 10);
    assert_eq!(clients.len(), 1);
    assert_eq!(clients[0].subscriptions, ["a"]);
    bench.connect(named("client")).await.disconnect().await;
    bench.restart().await;
    assert_eq!(bench.broker.status().sessions, 0);
    assert_eq!(bench.broker.status().journal_live_bytes, 0);
}

/// What expires does so by the clock, whoever runs meanwhile; options of subscriptions are kept.
#[tokio::test]
async fn expiry_and_identifiers_survive() {
    let mut bench = Bench::new();
    let mut subscriber = bench.connect(kept("subscriber")).await;
    let options = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        ..SubscriptionOptions::default()
    };
    subscriber.subscribe_with("e/+", options, Some(7)).await;
    subscriber.subscribe_with("$share/组/s", SubscriptionOptions::default(), Some(8)).await;
    subscriber.disconnect().await;
    let expiring = |topic: &str, seconds, payload: &str| {
        let properties = PublishProperties {
            message_expiry_interval: NonZeroU32::new(seconds),
            ..PublishProperties::default()
        };
        let sent = message(topic, QoS::ExactlyOnce, payload.as_bytes());
        Publish { retain: true, properties: Some(properties), ..sent }
    };
    let mut publisher = bench.connect(named("publisher")).await;
    let started = Instant::now();
    for (topic, seconds, payload) in [("e/1", 1, "short"), ("e/2", 3000, "long")] {
        publisher.put_acknowledged(expiring(topic, seconds, payload)).await;
    }
    bench.restart().await;
    until(|| started.elapsed() > Duration::from_millis(1100)).await;
    let mut subscriber = bench.connect(kept("subscriber")).await;
    let received = subscriber.receive().await;
    assert_eq!((text(&received), received.retain), ("long".to_owned(), true));
    let properties = received.properties.unwrap();
    assert_eq!(properties.subscription_ids, [NonZeroU32::new(7).unwrap()]);
    assert!((2000..3000).contains(&properties.message_expiry_interval.unwrap().get()));
    let mut late = bench.connect(named("late")).await;
    late.subscribe("e/#", QoS::AtMostOnce).await;
    let received = late.receive().await;
    assert_eq!(text(&received), "long");
    assert!(received.properties.unwrap().message_expiry_interval.unwrap().get() < 3000);
    late.ping().await;
    // Its own messages it still does not get, and those of its group it does.
    subscriber.put(message("e/3", QoS::AtMostOnce, b"own")).await;
    late.put(message("s", QoS::AtMostOnce, b"shared")).await;
    let received = subscriber.receive().await;
    assert_eq!(text(&received), "shared");
    assert_eq!(received.properties.unwrap().subscription_ids, [NonZeroU32::new(8).unwrap()]);
}
