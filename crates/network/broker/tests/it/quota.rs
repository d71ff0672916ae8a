//! What the bounds on the journal, on filters and on answers are good for.

use bytes::{Bytes, BytesMut};
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{self, Packet, PublishAckReason, SubscribeAckReason};
use rmqtt_codec::{MqttCodec, MqttPacket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::Encoder;
use weir_broker::{Limits, Qos, Settled};
use weir_model::TenantId;

use crate::client::{Bench, Client, connect_v3, kept, message, named, until};

fn encode(packets: &[Packet]) -> Bytes {
    let mut codec = MqttCodec::V5(v5::Codec::new(0, 0));
    let mut out = BytesMut::new();
    for packet in packets {
        codec.encode(MqttPacket::V5(packet.clone()), &mut out).unwrap();
    }
    out.freeze()
}

#[tokio::test]
async fn copies_for_all_kept_sessions_have_to_fit() {
    let bench = Bench::with(Limits { journal_bytes_max: 500_000, ..Limits::default() });
    let mut publisher = bench.connect(named("publisher")).await;
    let large = vec![7; 100_000];
    // Sessions that are not kept need nothing of the journal, however many they are.
    let mut clean = Vec::new();
    for n in 0..10 {
        let mut client = bench.connect(named(&format!("clean{n}"))).await;
        client.subscribe("clean", QoS::AtLeastOnce).await;
        clean.push(client);
        let mut client = bench.connect(kept(&format!("kept{n}"))).await;
        client.subscribe("kept", QoS::AtLeastOnce).await;
        if n < 3 {
            client.subscribe("few", QoS::AtLeastOnce).await;
        }
        client.disconnect().await;
    }
    let mut put = async |topic: &str| {
        publisher.put_acknowledged(message(topic, QoS::AtLeastOnce, &large)).await
    };
    assert_eq!(put("clean").await, PublishAckReason::Success);
    let held = bench.broker.status().journal_live_bytes;
    assert_eq!(put("kept").await, PublishAckReason::QuotaExceeded);
    // Nobody has got a part of it.
    assert_eq!(bench.broker.status().journal_live_bytes, held);
    assert!(bench.broker.clients(TenantId(1), None, 100).iter().all(|c| c.queued == 0));
    assert_eq!(put("few").await, PublishAckReason::Success);
    assert_eq!(put("few").await, PublishAckReason::QuotaExceeded);
    assert_eq!(put("clean").await, PublishAckReason::Success);
}

#[tokio::test]
async fn filters_of_a_session_are_bounded_in_bytes() {
    let bench = Bench::new();
    let mut client = bench.connect(named("client")).await;
    let granted = SubscribeAckReason::GrantedQos0;
    let quota = SubscribeAckReason::QuotaExceeded;
    for n in 10..40 {
        let filter = format!("{n}{}", "f".repeat(998));
        assert_eq!(client.subscribe(&filter, QoS::AtMostOnce).await, granted);
    }
    // The name of a group counts, too.
    let group = format!("$share/{}/a", "g".repeat(35_000));
    assert_eq!(client.subscribe(&group, QoS::AtMostOnce).await, granted);
    let filter = format!("40{}", "f".repeat(998));
    assert_eq!(client.subscribe(&filter, QoS::AtMostOnce).await, quota);
    // What it has it may ask for again, and something short still fits.
    assert_eq!(client.subscribe(&group, QoS::AtMostOnce).await, granted);
    assert_eq!(client.subscribe("short", QoS::AtMostOnce).await, granted);
    let status = bench.broker.clients(TenantId(1), None, 1).remove(0);
    assert_eq!((status.subscriptions.len(), status.subscriptions_count), (20, 32));
    assert!(status.subscriptions[0].starts_with("$share/g"));
    assert!(status.subscriptions[19].starts_with("28f"));

    // 3.1.1 has one code for every failure.
    let mut old = bench.stream();
    old.write_all(&connect_v3("old")).await.unwrap();
    let mut packet = b"\x82".to_vec();
    let filter = vec![b'f'; 40_000];
    let mut rest = 2 + 2 * (2 + filter.len() + 1); // the remaining length
    while rest > 0 {
        packet.push(u8::try_from(rest % 128).unwrap() | if rest >= 128 { 0x80 } else { 0 });
        rest /= 128;
    }
    packet.extend([0, 1]);
    for last in [b'a', b'b'] {
        packet.extend(u16::try_from(filter.len()).unwrap().to_be_bytes());
        packet.extend(&filter[1..]);
        packet.extend([last, 0]);
    }
    old.write_all(&packet).await.unwrap();
    let mut answer = [0; 10];
    old.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"\x20\x02\x00\x00\x90\x04\x00\x01\x00\x80");
}

#[tokio::test]
async fn retained_messages_for_a_kept_session_have_to_fit() {
    let bench = Bench::with(Limits { journal_bytes_max: 450_000, ..Limits::default() });
    let mut publisher = bench.connect(named("publisher")).await;
    for topic in ["r/1", "r/2"] {
        let large = message(topic, QoS::AtLeastOnce, &[7; 100_000]);
        publisher.put_acknowledged(Publish { retain: true, ..large }).await;
    }
    let mut client = bench.connect(kept("client")).await;
    let refused = client.subscribe("r/+", QoS::AtLeastOnce).await;
    assert_eq!(refused, SubscribeAckReason::QuotaExceeded);
    client.ping().await; // nothing came
    assert_eq!(bench.broker.clients(TenantId(1), None, 1)[0].subscriptions_count, 0);
    let nobody = publisher.put_acknowledged(message("r/3", QoS::AtLeastOnce, b"")).await;
    assert_eq!(nobody, PublishAckReason::NoMatchingSubscribers);
    // One has room, and without a copy in the journal there is no bound.
    let options = v5::SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() };
    client
        .send(v5::Subscribe {
            packet_id: 9.try_into().unwrap(),
            id: None,
            user_properties: Vec::new(),
            topic_filters: vec![("r/1".into(), options)],
        })
        .await;
    // SUBACK waits for the disk, and the message need not.
    for _ in 0..2 {
        match client.next().await {
            Some(Packet::Publish(publish)) => assert_eq!(&*publish.topic, "r/1"),
            Some(Packet::SubscribeAck(ack)) => {
                assert_eq!(ack.status, [SubscribeAckReason::GrantedQos1]);
            }
            other => panic!("{other:?}"),
        }
    }
    let mut clean = bench.connect(named("clean")).await;
    let code = clean.subscribe("r/+", QoS::AtLeastOnce).await;
    assert_eq!(code, SubscribeAckReason::GrantedQos1);
    assert_eq!(&*clean.receive().await.topic, "r/1");
    assert_eq!(&*clean.receive().await.topic, "r/2");
}

#[tokio::test]
async fn a_client_that_repeats_itself_is_not_read_until_it_is_answered() {
    const REPEATED: usize = 100;
    let bench = Bench::with(Limits { receive_max: 2, ..Limits::default() });
    let mut local = bench.broker.local(TenantId(1), "driver");
    local.subscribe("wait", Qos::ExactlyOnce, true).unwrap();
    let mut client = bench.connect(named("client")).await;
    let first = Publish { packet_id: 1.try_into().ok(), ..message("wait", QoS::ExactlyOnce, b"") };
    let again = Publish { dup: true, ..first.clone() };
    let mut packets: Vec<Packet> = vec![first.into()];
    packets.extend((1..REPEATED).map(|_| Packet::from(again.clone())));
    packets.push(Packet::PingRequest);
    client.stream.write_all(&encode(&packets)).await.unwrap();
    until(|| bench.broker.status().messages_in >= 4).await;
    let mut other = bench.connect(named("other")).await;
    for _ in 0..10 {
        other.ping().await; // everybody has had a turn since
    }
    assert!(bench.broker.status().messages_in <= 5);
    let mut batch = Vec::new();
    local.next_batch(&mut batch, 10).await;
    assert_eq!(batch.len(), 1);
    batch.remove(0).receipt.unwrap().settle(Settled::Stored);
    for n in 0..REPEATED {
        match client.next().await {
            Some(Packet::PublishReceived(ack)) => assert_eq!(ack.packet_id.get(), 1),
            other => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(client.next().await, Some(Packet::PingResponse));
}

#[tokio::test]
async fn a_repeated_pubrel_is_answered_after_the_first() {
    let bench = Bench::new();
    let mut client: Client<_> = bench.connect(kept("client")).await;
    let id = client.put(message("a", QoS::ExactlyOnce, b"")).await;
    assert!(matches!(client.next().await, Some(Packet::PublishReceived(_))));
    let release = v5::PublishAck2 { packet_id: id.try_into().unwrap(), ..Default::default() };
    let release = Packet::PublishRelease(release);
    client.stream.write_all(&encode(&vec![release; 2])).await.unwrap();
    for expected in [v5::PublishAck2Reason::Success, v5::PublishAck2Reason::PacketIdNotFound] {
        match client.next().await {
            Some(Packet::PublishComplete(ack)) => assert_eq!(ack.reason_code, expected),
            other => panic!("{other:?}"),
        }
    }
}
