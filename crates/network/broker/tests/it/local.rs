//! Local subscribers, their receipts, and the pressure that they exert.

use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{Packet, PublishAckReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_broker::{Limits, Qos, Settled};
use weir_model::TenantId;

use crate::client::{Bench, connect_v3, kept, message, named, until};

const TENANT: TenantId = TenantId(1);

#[tokio::test]
async fn a_publisher_waits_for_receipts_and_is_read_meanwhile() {
    let bench = Bench::new();
    let mut local = bench.broker.local(TENANT, "driver");
    local.subscribe("线/#", Qos::ExactlyOnce, true).unwrap();
    let mut client = bench.connect(named("client")).await;
    client.put(message("线/1", QoS::AtLeastOnce, b"1")).await;
    client.put(message("线/2", QoS::ExactlyOnce, b"2")).await;
    client.ping().await; // answered before both
    let mut batch = Vec::new();
    while batch.len() < 2 {
        local.next_batch(&mut batch, 10).await;
    }
    let second = batch.pop().unwrap();
    second.receipt.unwrap().settle(Settled::Stored);
    client.ping().await; // still nothing: acknowledgements keep the order
    let first = batch.pop().unwrap();
    assert_eq!((&*first.topic, &*first.payload, first.qos), ("线/1", &b"1"[..], Qos::AtLeastOnce));
    first.receipt.unwrap().settle(Settled::Stored);
    assert!(matches!(client.next().await, Some(Packet::PublishAck(_))));
    assert!(matches!(client.next().await, Some(Packet::PublishReceived(_))));
}

#[tokio::test]
async fn refused_is_said_and_dropped_ends_the_connection() {
    let bench = Bench::new();
    let mut local = bench.broker.local(TENANT, "driver");
    local.subscribe("#", Qos::AtLeastOnce, true).unwrap();
    let mut client = bench.connect(named("client")).await;
    let mut batch = Vec::new();
    client.put(message("a", QoS::AtLeastOnce, b"1")).await;
    local.next_batch(&mut batch, 10).await;
    batch.pop().unwrap().receipt.unwrap().settle(Settled::Refused);
    match client.next().await {
        Some(Packet::PublishAck(ack)) => {
            assert_eq!(ack.reason_code, PublishAckReason::ImplementationSpecificError);
        }
        other => panic!("{other:?}"),
    }
    // 3.1.1 has no way to say it.
    let mut old = bench.stream();
    old.write_all(&connect_v3("old")).await.unwrap();
    old.write_all(b"\x32\x06\x00\x01a\x00\x02x").await.unwrap();
    local.next_batch(&mut batch, 10).await;
    batch.pop().unwrap().receipt.unwrap().settle(Settled::Refused);
    let mut answer = [0; 8];
    old.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[4..], b"\x40\x02\x00\x02");
    assert_eq!(bench.broker.status().refused, 2);
    client.put(message("a", QoS::AtLeastOnce, b"2")).await;
    local.next_batch(&mut batch, 10).await;
    drop(batch.pop());
    assert_eq!(client.reason().await, Some(0x89));
    assert_eq!(bench.broker.status().unacknowledged, 1);
}

#[tokio::test]
async fn a_full_queue_stops_publishers_and_nothing_is_lost() {
    let limits = Limits { local_messages_max: 4, ..Limits::default() };
    let bench = Bench::with(limits);
    let mut local = bench.broker.local(TENANT, "driver");
    local.subscribe("#", Qos::AtLeastOnce, true).unwrap();
    let mut client = bench.connect(named("client")).await;
    for n in 0..200_u8 {
        client.put(message("a", QoS::AtLeastOnce, &[n])).await;
    }
    until(|| local.waiting() >= 4).await;
    assert_eq!(local.waiting(), 4);
    let mut all = Vec::new();
    let mut batch = Vec::new();
    while all.len() < 200 {
        local.next_batch(&mut batch, 3).await;
        for incoming in batch.drain(..) {
            all.push(incoming.payload[0]);
            incoming.receipt.unwrap().settle(Settled::Stored);
        }
    }
    assert_eq!(all, (0..200).collect::<Vec<u8>>());
    for _ in 0..200 {
        assert!(matches!(client.next().await, Some(Packet::PublishAck(_))));
    }
}

#[tokio::test]
async fn quality_0_beyond_the_bound_is_dropped_and_counted() {
    let bench = Bench::with(Limits { local_messages_max: 4, ..Limits::default() });
    let mut local = bench.broker.local(TENANT, "driver");
    local.subscribe("#", Qos::AtLeastOnce, true).unwrap();
    let publisher = bench.broker.local(TENANT, "other");
    for _ in 0..10 {
        publisher.try_publish("a", "x".into(), Qos::AtMostOnce, false).unwrap();
    }
    assert_eq!((local.waiting(), local.dropped()), (4, 6));
    let full = publisher.try_publish("a", "x".into(), Qos::AtLeastOnce, false);
    assert_eq!(full, Err(weir_broker::PublishError::Full));
    let mut batch = Vec::new();
    assert_eq!(local.try_next_batch(&mut batch, 100), 4);
    assert!(batch.iter().all(|incoming| incoming.receipt.is_none()));
}

#[tokio::test]
async fn a_local_publisher_reaches_clients_and_not_itself() {
    let bench = Bench::new();
    let local = bench.broker.local(TENANT, "driver");
    local.subscribe("#", Qos::AtLeastOnce, false).unwrap();
    let mut client = bench.connect(kept("client")).await;
    client.subscribe("cmd/#", QoS::ExactlyOnce).await;
    local.publish("cmd/温", "go".into(), Qos::ExactlyOnce, true).await.unwrap();
    assert_eq!(&*client.receive().await.payload, b"go");
    assert_eq!(local.waiting(), 0);
    for bad in ["", "a/+", "#", "a\0"] {
        assert!(local.try_publish(bad, "".into(), Qos::AtMostOnce, false).is_err(), "{bad:?}");
    }
    // Retained ones come at subscribing, without a receipt.
    let mut late = bench.broker.local(TENANT, "late");
    late.subscribe("cmd/+", Qos::AtLeastOnce, true).unwrap();
    let mut batch = Vec::new();
    late.next_batch(&mut batch, 10).await;
    assert!(batch[0].retained && batch[0].receipt.is_none());
    assert!(late.unsubscribe("cmd/+"));
    assert!(!late.unsubscribe("cmd/+"));
}

#[tokio::test]
async fn an_exactly_once_message_sent_again_is_taken_once() {
    let bench = Bench::new();
    let mut local = bench.broker.local(TENANT, "driver");
    local.subscribe("#", Qos::ExactlyOnce, true).unwrap();
    let mut client = bench.connect(kept("client")).await;
    let id = client.put(message("a", QoS::ExactlyOnce, b"1")).await;
    let mut batch = Vec::new();
    local.next_batch(&mut batch, 10).await;
    drop(client); // before the receipt
    let mut client = bench.connect(kept("client")).await;
    let again = Publish {
        dup: true,
        packet_id: id.try_into().ok(),
        ..message("a", QoS::ExactlyOnce, b"1")
    };
    client.send(again).await;
    client.ping().await;
    assert_eq!(local.waiting(), 0, "it is the same message");
    batch.pop().unwrap().receipt.unwrap().settle(Settled::Stored);
    assert!(matches!(client.next().await, Some(Packet::PublishReceived(_))));
}

#[tokio::test]
async fn a_shutdown_ends_local_subscribers() {
    let bench = Bench::new();
    let mut local = bench.broker.local(TENANT, "driver");
    local.subscribe("#", Qos::AtLeastOnce, true).unwrap();
    let mut client = bench.connect(named("client")).await;
    bench.broker.shutdown().await;
    assert_eq!(client.reason().await, Some(0x8B));
    assert_eq!(local.next_batch(&mut Vec::new(), 10).await, 0);
    let closed = local.try_publish("a", "".into(), Qos::AtMostOnce, false);
    assert_eq!(closed, Err(weir_broker::PublishError::Closed));
}
