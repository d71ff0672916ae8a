//! Subscribers that do not read, and who pays for it.

use std::time::Duration;

use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{Connect, Packet, PublishAck, PublishAckReason};
use tokio::io::DuplexStream;
use weir_broker::{ClientStatus, Limits};
use weir_model::TenantId;

use crate::client::{Bench, Client, kept, message, named, until};

const MESSAGES: u32 = 1500;

fn limits() -> Limits {
    Limits { queue_messages_max: 200, slow_time_max: Duration::from_secs(1), ..Limits::default() }
}

fn number(publish: &Publish) -> u32 {
    u32::from_be_bytes(publish.payload[..4].try_into().unwrap())
}

fn numbered(topic: &str, n: u32) -> Publish {
    let mut payload = n.to_be_bytes().to_vec();
    payload.resize(1000, 0);
    message(topic, QoS::AtLeastOnce, &payload)
}

fn status(bench: &Bench, client_id: &str) -> Option<ClientStatus> {
    let clients = bench.broker.clients(TenantId(1), None, 100);
    clients.into_iter().find(|client| client.client_id == client_id)
}

/// One that reads and one that does not; the publisher ends, and the one that reads has all.
async fn publish_past(bench: &Bench, slow: Connect) -> Client<DuplexStream> {
    let mut slow = bench.connect(Connect { receive_max: 8.try_into().ok(), ..slow }).await;
    slow.subscribe("t", QoS::AtLeastOnce).await;
    let mut good = bench.connect(kept("good")).await;
    good.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = bench.connect(named("publisher")).await;
    let sending = async {
        for n in 0..MESSAGES {
            let code = publisher.put_acknowledged(numbered("t", n)).await;
            assert_eq!(code, PublishAckReason::Success);
        }
    };
    let receiving = async {
        for n in 0..MESSAGES {
            assert_eq!(number(&good.receive().await), n);
        }
    };
    tokio::join!(sending, receiving);
    slow
}

#[tokio::test]
async fn who_does_not_read_is_disconnected_and_keeps_its_queue() {
    let bench = Bench::with(limits());
    let mut slow = publish_past(&bench, kept("slow")).await;
    // The good-bye comes when there is somebody who reads it.
    assert!(matches!(slow.reason().await, Some(0x97) | None));
    until(|| status(&bench, "slow").is_some_and(|slow| slow.connection.is_none())).await;
    let slow = status(&bench, "slow").unwrap();
    let kept_messages = u32::try_from(slow.queued + slow.inflight).unwrap();
    assert!((200..=208).contains(&kept_messages), "{kept_messages}");
    let (mut slow, ack) = Client::connect(bench.stream(), kept("slow")).await;
    assert!(ack.session_present);
    for n in 0..kept_messages {
        assert_eq!(number(&slow.receive().await), n, "the oldest, without a gap");
    }
    assert!(bench.broker.status().dropped >= u64::from(MESSAGES - kept_messages));
    // It has caught up and is a subscriber as any other.
    slow.ping().await;
    let mut publisher = bench.connect(named("publisher")).await;
    publisher.put_acknowledged(numbered("t", 7)).await;
    assert_eq!(number(&slow.receive().await), 7);
}

#[tokio::test]
async fn a_clean_session_that_does_not_read_ends() {
    let bench = Bench::with(limits());
    let mut slow = publish_past(&bench, named("slow")).await;
    assert!(matches!(slow.reason().await, Some(0x97) | None));
    until(|| status(&bench, "slow").is_none()).await;
}

/// Messages that may be lost are, the oldest first, and cost nobody a connection.
#[tokio::test]
async fn what_may_be_lost_is_lost_first() {
    let bench = Bench::with(limits());
    let mut slow = bench.connect(named("slow")).await;
    slow.subscribe("t", QoS::AtMostOnce).await;
    let mut publisher = bench.connect(named("publisher")).await;
    for n in 0..MESSAGES {
        publisher.put_acknowledged(numbered("t", n)).await;
    }
    let mut last = None;
    while last != Some(MESSAGES - 1) {
        let now = number(&slow.receive().await);
        assert!(last.is_none_or(|last| last < now));
        last = Some(now);
    }
    let dropped = bench.broker.status().dropped;
    assert!(dropped > 0 && dropped < u64::from(MESSAGES) - 200, "{dropped}");
    slow.ping().await;
}

/// Two that talk to each other much are not held for each other.
#[tokio::test]
async fn a_dialogue_does_not_stand_still() {
    let bench = Bench::with(Limits { slow_time_max: Duration::from_secs(3600), ..limits() });
    let mut pair = Vec::new();
    for (own, other) in [("a", "b"), ("b", "a")] {
        let connect = Connect { receive_max: 4.try_into().ok(), ..kept(own) };
        let mut client = bench.connect(connect).await;
        client.subscribe(own, QoS::AtLeastOnce).await;
        pair.push((client, other));
    }
    let talk = async |(mut client, other): (Client<DuplexStream>, &'static str)| {
        let (mut acknowledged, mut received) = (0, 0);
        for round in 1..=5 {
            for n in 0..120 {
                client.put(message(other, QoS::AtLeastOnce, &[n])).await;
            }
            while acknowledged < 120 * round || received < 120 * round {
                match client.next().await {
                    Some(Packet::PublishAck(_)) => acknowledged += 1,
                    Some(Packet::Publish(publish)) => {
                        received += 1;
                        let packet_id = publish.packet_id.unwrap();
                        client.send(PublishAck { packet_id, ..PublishAck::default() }).await;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    let (two, one) = (pair.pop().unwrap(), pair.pop().unwrap());
    tokio::join!(talk(one), talk(two));
    assert_eq!(bench.broker.status().dropped, 0);
}
