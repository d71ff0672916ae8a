//! A small client, which shows each packet as it came, and a broker to connect it to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, FutureExt, ready};
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{self, Connect, Packet, PublishProperties, SubscriptionOptions};
use rmqtt_codec::{MqttCodec, MqttPacket, v3};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;
use tokio_util::codec::{Decoder, Encoder};
use weir_broker::{Act, Broker, BrokerOptions, Denied, Gate, Limits, Login, Peer, Principal};
use weir_model::TenantId;

/// No answer takes so long, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets everybody in. The user name is `tenant/name`; without one, it is tenant 1. What is forbidden
/// is in a list.
#[derive(Default)]
pub(crate) struct TestGate {
    pub(crate) forbidden: Mutex<Vec<(Act, String)>>,
}

impl Gate for TestGate {
    fn authenticate<'a>(&'a self, login: Login<'a>) -> BoxFuture<'a, Result<Principal, Denied>> {
        let (tenant, name) = login.user.unwrap_or("1/anybody").split_once('/').unwrap();
        let denied = login.password == Some(b"wrong");
        let principal = match login.certificate {
            Some(certificate) => format!("certificate of {} bytes", certificate.len()),
            None => name.to_owned(),
        };
        let principal = Principal::new(TenantId(tenant.parse().unwrap()), principal);
        ready(if denied { Err(Denied::Credentials) } else { Ok(principal) }).boxed()
    }

    fn may(&self, _: &Principal, act: Act, topic: &str) -> bool {
        !self.forbidden.lock().unwrap().iter().any(|(a, t)| *a == act && t == topic)
    }
}

pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) gate: Arc<TestGate>,
    pub(crate) dir: TempDir,
    limits: Limits,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gate = Arc::new(TestGate::default());
        let options = BrokerOptions { limits: limits.clone(), ..BrokerOptions::new(dir.path()) };
        let broker = Broker::open(options, Arc::clone(&gate) as Arc<dyn Gate>).unwrap();
        Self { broker, gate, dir, limits }
    }

    /// Stops the broker and opens it again with what is on disk.
    pub(crate) async fn restart(&mut self) {
        self.broker.shutdown().await;
        let options =
            BrokerOptions { limits: self.limits.clone(), ..BrokerOptions::new(self.dir.path()) };
        self.broker = Broker::open(options, Arc::clone(&self.gate) as Arc<dyn Gate>).unwrap();
    }

    /// A stream that the broker serves.
    pub(crate) fn stream(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let broker = self.broker.clone();
        let peer = Peer::new("[::1]:1883".parse().unwrap());
        tokio::spawn(async move { broker.serve(theirs, peer).await });
        ours
    }

    pub(crate) async fn connect(&self, connect: Connect) -> Client<DuplexStream> {
        let (client, ack) = Client::connect(self.stream(), connect).await;
        assert_eq!(ack.reason_code, v5::ConnectAckReason::Success, "{ack:?}");
        client
    }
}

pub(crate) fn named(client_id: &str) -> Connect {
    Connect { client_id: client_id.to_owned().into(), clean_start: true, ..Connect::default() }
}

/// With a session that is kept.
pub(crate) fn kept(client_id: &str) -> Connect {
    Connect { clean_start: false, session_expiry_interval_secs: 3600, ..named(client_id) }
}

pub(crate) fn message(topic: &str, qos: QoS, payload: &[u8]) -> Publish {
    Publish {
        dup: false,
        retain: false,
        qos,
        topic: topic.to_owned().into(),
        packet_id: None,
        payload: Bytes::copy_from_slice(payload),
        properties: Some(PublishProperties::default()),
    }
}

pub(crate) fn text(publish: &Publish) -> String {
    String::from_utf8_lossy(&publish.payload).into_owned()
}

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    codec: MqttCodec,
    input: BytesMut,
    id: u16,
    /// Messages that came while something else was waited for.
    early: VecDeque<Publish>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        let codec = MqttCodec::V5(v5::Codec::new(0, 0));
        Self { stream, codec, input: BytesMut::new(), id: 0, early: VecDeque::new() }
    }

    pub(crate) async fn connect(stream: S, connect: Connect) -> (Self, v5::ConnectAck) {
        let mut client = Self::new(stream);
        client.send(connect).await;
        match client.next().await {
            Some(Packet::ConnectAck(ack)) => (client, *ack),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, packet: impl Into<Packet>) {
        let mut out = BytesMut::new();
        self.codec.encode(MqttPacket::V5(packet.into()), &mut out).unwrap();
        self.stream.write_all(&out).await.unwrap();
    }

    /// The next packet; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        loop {
            match self.codec.decode(&mut self.input).unwrap() {
                Some((MqttPacket::V5(packet), _)) => return Some(packet),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
            let read = self.stream.read_buf(&mut self.input);
            match timeout(PATIENCE, read).await.expect("the broker is silent") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next packet, which is a message.
    pub(crate) async fn publish(&mut self) -> Publish {
        if let Some(early) = self.early.pop_front() {
            return early;
        }
        match self.next().await {
            Some(Packet::Publish(publish)) => *publish,
            other => panic!("{other:?}"),
        }
    }

    /// The next message, which is acknowledged.
    pub(crate) async fn receive(&mut self) -> Publish {
        let publish = self.publish().await;
        if let Some(packet_id) = publish.packet_id {
            let ack = v5::PublishAck { packet_id, ..v5::PublishAck::default() };
            if publish.qos == QoS::AtLeastOnce {
                self.send(ack).await;
            } else {
                self.send(Packet::PublishReceived(ack)).await;
                loop {
                    match self.next().await {
                        Some(Packet::PublishRelease(release)) => {
                            self.send(Packet::PublishComplete(release)).await;
                            break;
                        }
                        Some(Packet::Publish(early)) => self.early.push_back(*early),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        publish
    }

    /// Subscribes and says the reason code.
    pub(crate) async fn subscribe(&mut self, filter: &str, qos: QoS) -> v5::SubscribeAckReason {
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        self.subscribe_with(filter, options, None).await
    }

    pub(crate) async fn subscribe_with(
        &mut self,
        filter: &str,
        options: SubscriptionOptions,
        id: Option<u32>,
    ) -> v5::SubscribeAckReason {
        self.id += 1;
        self.send(v5::Subscribe {
            packet_id: self.id.try_into().unwrap(),
            id: id.map(|id| id.try_into().unwrap()),
            user_properties: Vec::new(),
            topic_filters: vec![(filter.to_owned().into(), options)],
        })
        .await;
        match self.next().await {
            Some(Packet::SubscribeAck(ack)) => ack.status[0],
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message and says its identifier.
    pub(crate) async fn put(&mut self, mut publish: Publish) -> u16 {
        if publish.qos != QoS::AtMostOnce {
            self.id += 1;
            publish.packet_id = Some(self.id.try_into().unwrap());
        }
        self.send(publish).await;
        self.id
    }

    /// Sends a message and waits until it is acknowledged; says the reason.
    pub(crate) async fn put_acknowledged(&mut self, publish: Publish) -> v5::PublishAckReason {
        let qos = publish.qos;
        self.put(publish).await;
        match self.next().await {
            Some(Packet::PublishAck(ack)) if qos == QoS::AtLeastOnce => ack.reason_code,
            Some(Packet::PublishReceived(ack)) if qos == QoS::ExactlyOnce => {
                if u8::from(ack.reason_code) < 0x80 {
                    let packet_id = ack.packet_id;
                    self.send(Packet::PublishRelease(v5::PublishAck2 {
                        packet_id,
                        ..v5::PublishAck2::default()
                    }))
                    .await;
                    match self.next().await {
                        Some(Packet::PublishComplete(_)) => {}
                        other => panic!("{other:?}"),
                    }
                }
                ack.reason_code
            }
            other => panic!("{other:?}"),
        }
    }

    /// The answer to a PINGREQ: the broker has read everything before it.
    pub(crate) async fn ping(&mut self) {
        self.send(Packet::PingRequest).await;
        assert_eq!(self.next().await, Some(Packet::PingResponse));
    }

    /// Reads until the end and says the reason of DISCONNECT, if one came.
    pub(crate) async fn reason(&mut self) -> Option<u8> {
        let mut reason = None;
        while let Some(packet) = self.next().await {
            if let Packet::Disconnect(disconnect) = packet {
                reason = Some(disconnect.reason_code.into());
            }
        }
        reason
    }

    pub(crate) async fn disconnect(mut self) {
        self.send(v5::Disconnect::default()).await;
        assert_eq!(self.next().await, None);
    }
}

/// A CONNECT of 3.1.1, encoded.
pub(crate) fn connect_v3(client_id: &str) -> Bytes {
    let mut out = BytesMut::new();
    let connect = v3::Connect {
        client_id: client_id.to_owned().into(),
        clean_session: true,
        ..v3::Connect::default()
    };
    v3::Codec::default().encode(connect.into(), &mut out).unwrap();
    out.freeze()
}

/// Waits until something is true.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("it did not come true");
}
