//! Tenants and rights.

use rmqtt_codec::types::QoS;
use rmqtt_codec::v5::{
    Connect, ConnectAckReason, Disconnect, Packet, PublishAckReason, SubscribeAckReason,
};
use weir_broker::{Act, Qos};
use weir_model::TenantId;

use crate::client::{Bench, Client, kept, message, named};

fn of(connect: Connect, user: &str) -> Connect {
    Connect { username: Some(user.to_owned().into()), ..connect }
}

#[tokio::test]
async fn trees_of_tenants_never_meet() {
    let bench = Bench::new();
    let mut one = bench.connect(of(kept("same name"), "1/a")).await;
    let mut two = bench.connect(of(kept("same name"), "2/a")).await;
    let local = bench.broker.local(TenantId(2), "driver");
    local.subscribe("#", Qos::AtLeastOnce, false).unwrap();
    for client in [&mut one, &mut two] {
        client.subscribe("#", QoS::AtLeastOnce).await;
    }
    let retained =
        rmqtt_codec::types::Publish { retain: true, ..message("t", QoS::AtLeastOnce, b"1") };
    let mut publisher = bench.connect(of(named("publisher"), "1/b")).await;
    publisher.put_acknowledged(retained).await;
    assert_eq!(&*one.receive().await.payload, b"1");
    two.ping().await;
    assert_eq!(local.waiting(), 0);
    let mut late = bench.connect(of(named("late"), "2/b")).await;
    late.subscribe("#", QoS::AtLeastOnce).await;
    late.ping().await;
    assert_eq!(bench.broker.tenant_counts(TenantId(1)), (2, 1));
    assert_eq!(bench.broker.tenant_counts(TenantId(2)), (2, 0));
}

#[tokio::test]
async fn a_session_belongs_to_its_principal() {
    let bench = Bench::new();
    bench.connect(of(kept("client"), "1/alice")).await.disconnect().await;
    let (_, ack) = Client::connect(bench.stream(), of(kept("client"), "1/bob")).await;
    assert_eq!(ack.reason_code, ConnectAckReason::NotAuthorized);
    let (_, ack) = Client::connect(bench.stream(), of(kept("client"), "1/alice")).await;
    assert!(ack.session_present);
    let wrong = Connect { password: Some("wrong".into()), ..of(kept("client"), "1/alice") };
    let (_, ack) = Client::connect(bench.stream(), wrong).await;
    assert_eq!(ack.reason_code, ConnectAckReason::BadUserNameOrPassword);
}

#[tokio::test]
async fn what_is_forbidden_is_refused_and_rights_can_change() {
    let bench = Bench::new();
    let forbid = |act, topic: &str| bench.gate.forbidden.lock().unwrap().push((act, topic.into()));
    forbid(Act::Subscribe, "secret/#");
    forbid(Act::Publish, "read/only");
    let mut client = bench.connect(kept("client")).await;
    for filter in ["secret/#", "$share/g/secret/#"] {
        let code = client.subscribe(filter, QoS::AtMostOnce).await;
        assert_eq!(code, SubscribeAckReason::NotAuthorized);
    }
    assert_eq!(client.subscribe("#", QoS::AtMostOnce).await, SubscribeAckReason::GrantedQos0);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let code = client.put_acknowledged(message("read/only", qos, b"")).await;
        assert_eq!(code, PublishAckReason::NotAuthorized);
    }
    client.put(message("read/only", QoS::AtMostOnce, b"")).await;
    client.put(message("a", QoS::AtMostOnce, b"")).await;
    assert_eq!(&*client.receive().await.topic, "a");
    // From now on.
    forbid(Act::Publish, "a");
    forbid(Act::Subscribe, "#");
    bench.broker.rights_changed(TenantId(1));
    let code = client.put_acknowledged(message("a", QoS::AtLeastOnce, b"")).await;
    assert_eq!(code, PublishAckReason::NotAuthorized);
    assert_eq!(bench.broker.close_principal(TenantId(1), "anybody"), 1);
    assert_eq!(client.reason().await, Some(0x87));
    let mut client = bench.connect(kept("client")).await;
    client.put(message("b", QoS::AtMostOnce, b"")).await;
    client.ping().await; // the subscription to everything is gone
    assert!(bench.broker.disconnect(TenantId(1), "client"));
    assert_eq!(client.reason().await, Some(0x98));
    assert!(!bench.broker.disconnect(TenantId(1), "client"));
}

/// Otherwise a token that may only publish would get the messages of its user's subscriber, by
/// naming itself as that does.
#[tokio::test]
async fn a_kept_session_gives_nothing_to_who_may_not_subscribe() {
    let mut bench = Bench::new();
    for name in ["narrowed", "as before"] {
        let mut client = bench.connect(kept(name)).await;
        client.subscribe(&format!("{name}/core/#"), QoS::ExactlyOnce).await;
        client.subscribe("own", QoS::AtLeastOnce).await;
        let mut publisher = bench.connect(named("publisher")).await;
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            publisher.put_acknowledged(message(&format!("{name}/core/1"), qos, b"1")).await;
            client.publish().await; // and not acknowledged
        }
        client.send(Disconnect::default()).await;
        assert_eq!(client.next().await, None);
        publisher
            .put_acknowledged(message(&format!("{name}/core/2"), QoS::AtLeastOnce, b"2"))
            .await;
    }
    let held = bench.broker.status().journal_live_bytes;
    bench.gate.forbidden.lock().unwrap().push((Act::Subscribe, "narrowed/core/#".into()));
    let (mut narrowed, ack) = Client::connect(bench.stream(), kept("narrowed")).await;
    assert!(ack.session_present);
    narrowed.ping().await;
    // What it may have comes.
    let mut publisher = bench.connect(named("publisher")).await;
    publisher.put_acknowledged(message("own", QoS::AtLeastOnce, b"")).await;
    assert_eq!(&*narrowed.receive().await.topic, "own");
    narrowed.disconnect().await;
    // Nor does anything come back from the journal.
    bench.gate.forbidden.lock().unwrap().clear();
    bench.restart().await;
    assert!(bench.broker.status().journal_live_bytes < held);
    let mut narrowed = bench.connect(kept("narrowed")).await;
    narrowed.ping().await;
    let mut other = bench.connect(kept("as before")).await;
    for expected in ["as before/core/1", "as before/core/1", "as before/core/2", "own"] {
        match other.next().await {
            Some(Packet::Publish(publish)) => assert_eq!(&*publish.topic, expected),
            other => panic!("{other:?}"),
        }
    }
}
