//! What one tenant takes, others still have.

use std::time::Duration;

use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{Connect, ConnectAckReason, PublishAckReason, SubscribeAckReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_broker::{Limits, PublishError, Qos};
use weir_model::TenantId;

use crate::client::{Bench, Client, connect_v3, kept, message, named, until};

fn of(connect: Connect, user: &str) -> Connect {
    Connect { username: Some(user.to_owned().into()), ..connect }
}

/// Fills a tenant's share through a session that is kept and away. Says how many messages were taken.
async fn fill(bench: &Bench, user: &str) -> (usize, Client<tokio::io::DuplexStream>) {
    let mut away = bench.connect(of(kept("away"), user)).await;
    away.subscribe("q", QoS::AtLeastOnce).await;
    away.disconnect().await;
    let mut publisher = bench.connect(of(named("publisher"), user)).await;
    let mut taken = 0;
    loop {
        match publisher.put_acknowledged(message("q", QoS::AtLeastOnce, &[7; 10_000])).await {
            PublishAckReason::Success => taken += 1,
            PublishAckReason::QuotaExceeded => return (taken, publisher),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_journal_has_room_for_a_tenant_that_comes_late() {
    let mut bench = Bench::with(Limits { journal_bytes_max: 1_000_000, ..Limits::default() });
    let (first, mut publisher) = fill(&bench, "1/greedy").await;
    assert!((70..=75).contains(&first), "three quarters of 100: {first}");
    let (second, _other) = fill(&bench, "2/modest").await;
    assert!((17..=20).contains(&second), "three quarters of the rest: {second}");
    // What is refused is refused in every way, and nothing of it is kept.
    let mut put = async |sent: Publish| publisher.put_acknowledged(sent).await;
    let large = message("r", QoS::ExactlyOnce, &[7; 10_000]);
    let retained = Publish { retain: true, ..large.clone() };
    assert_eq!(put(retained).await, PublishAckReason::QuotaExceeded);
    let nobody = PublishAckReason::NoMatchingSubscribers;
    assert_eq!(put(large).await, nobody, "what needs no room is taken");
    assert_eq!(bench.broker.tenant_counts(TenantId(1)).1, 0);
    let local = bench.broker.local(TenantId(1), "driver");
    let full = local.try_publish("q", vec![7; 10_000].into(), Qos::AtLeastOnce, false);
    assert_eq!(full, Err(PublishError::Quota));
    // 3.1.1 has no way to say it.
    let mut old = bench.stream();
    old.write_all(&connect_v3("old")).await.unwrap();
    old.read_exact(&mut [0; 4]).await.unwrap();
    let mut packet = b"\x32\x95\x4E\x00\x01q\x00\x02".to_vec();
    packet.resize(3 + 10_005, 7);
    old.write_all(&packet).await.unwrap();
    assert_eq!(old.read(&mut [0; 1]).await.unwrap(), 0, "not acknowledged, and closed");
    // A restart changes nothing of that.
    bench.restart().await;
    let mut publisher = bench.connect(of(named("publisher"), "1/greedy")).await;
    let again = publisher.put_acknowledged(message("q", QoS::AtLeastOnce, &[7; 10_000])).await;
    assert_eq!(again, PublishAckReason::QuotaExceeded);
    let mut publisher = bench.connect(of(named("publisher"), "3/late")).await;
    let retained = Publish { retain: true, ..message("r", QoS::AtLeastOnce, &[7; 10_000]) };
    assert_eq!(publisher.put_acknowledged(retained).await, nobody);
    // Who takes what waits makes room.
    let mut away = bench.connect(of(kept("away"), "1/greedy")).await;
    for _ in 0..first {
        away.receive().await;
    }
    away.ping().await;
    let mut publisher = bench.connect(of(named("publisher"), "1/greedy")).await;
    loop {
        let sent = message("q", QoS::AtLeastOnce, &[7; 10_000]);
        match publisher.put_acknowledged(sent).await {
            PublishAckReason::Success => break,
            // The records of what was done are on their way to the disk.
            PublishAckReason::QuotaExceeded => tokio::time::sleep(Duration::from_millis(5)).await,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn sessions_and_identifiers_take_room_too() {
    let bench = Bench::with(Limits { journal_bytes_max: 10_000, ..Limits::default() });
    let mut sender = bench.connect(of(kept("sender"), "1/a")).await;
    let mut refused = None;
    for n in 0..200 {
        let connect = of(kept(&format!("{n}{}", "i".repeat(200))), "1/a");
        let (client, ack) = Client::connect(bench.stream(), connect).await;
        if ack.reason_code == ConnectAckReason::QuotaExceeded {
            refused = Some(n);
            break;
        }
        assert_eq!(ack.reason_code, ConnectAckReason::Success);
        client.disconnect().await;
    }
    assert!(refused.is_some_and(|n| n > 10), "{refused:?}");
    // The rest goes to filters, then to identifiers of QoS 2.
    let mut codes = Vec::new();
    while codes.last() != Some(&SubscribeAckReason::QuotaExceeded) {
        codes.push(
            sender.subscribe(&format!("{}{}", codes.len(), "f".repeat(100)), QoS::AtMostOnce).await,
        );
    }
    let mut reasons = Vec::new();
    while reasons.last() != Some(&PublishAckReason::QuotaExceeded) {
        let id = sender.put(message("nobody", QoS::ExactlyOnce, b"")).await;
        match sender.next().await {
            Some(rmqtt_codec::v5::Packet::PublishReceived(ack)) => {
                assert_eq!(ack.packet_id.get(), id);
                reasons.push(ack.reason_code);
            }
            other => panic!("{other:?}"),
        }
        assert!(reasons.len() < 1000);
    }
    // A session that is not kept needs nothing of it, and others have their share.
    bench.connect(of(named("clean"), "1/a")).await.disconnect().await;
    bench.connect(of(kept("other"), "2/a")).await.disconnect().await;
}

#[tokio::test]
async fn one_tenant_cannot_have_all_connections() {
    let bench = Bench::with(Limits { connections_max: 8, ..Limits::default() });
    let mut held = Vec::new();
    for n in 0..6 {
        held.push(bench.connect(of(named(&n.to_string()), "1/a")).await);
    }
    let (_, ack) = Client::connect(bench.stream(), of(named("7"), "1/a")).await;
    assert_eq!(ack.reason_code, ConnectAckReason::QuotaExceeded);
    let other = bench.connect(of(named("1"), "2/a")).await;
    // What ends is free again.
    other.disconnect().await;
    held.pop().unwrap().disconnect().await;
    until(|| bench.broker.status().connections == 5).await;
    bench.connect(of(named("8"), "1/a")).await;
}
