//! MQTT 3.1.1.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event as Said, EventLoop, LastWill,
    MqttOptions, Outgoing, Packet as Wire, Publish, QoS, StateError, SubscribeReasonCode,
};
use weir_connect::ErrorKind;

use super::dial::{self, Dial};
use super::{
    Engine, Event, INFLIGHT_MAX, LinkError, Opening, Outside, PACKET_BYTES_MAX, Packet, Qos,
    REQUESTS_MAX,
};

pub(super) struct EngineV3(EventLoop);

pub(super) fn wire(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

/// A message that is acknowledged: of it, only quality and identifier count.
pub(super) fn acknowledged(packet: Packet) -> Publish {
    let qos = if packet.exactly_once { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
    let mut publish = Publish::new("", qos, Vec::new());
    publish.pkid = packet.identifier;
    publish
}

pub(super) fn engine(outside: &Outside, dial: &Dial, opening: &Opening) -> (AsyncClient, EngineV3) {
    let mut options = MqttOptions::new(&opening.client_id, &dial.target, outside.port);
    options
        .set_transport(dial.carrier.clone())
        .set_keep_alive(Duration::from_secs(outside.keep_alive_s.max(1).into()))
        .set_clean_session(!opening.persistent || opening.client_id.is_empty())
        .set_max_packet_size(PACKET_BYTES_MAX as usize, PACKET_BYTES_MAX as usize)
        .set_inflight(INFLIGHT_MAX)
        .set_manual_acks(true);
    if let Some((user, password)) = &outside.login {
        options.set_credentials(user, &password.0);
    }
    if let Some(will) = &opening.will {
        let (topic, payload) = (will.topic.as_str(), will.payload.to_vec());
        options.set_last_will(LastWill::new(topic, payload, wire(will.qos), will.retain));
    }
    let (client, mut events) = AsyncClient::new(options, REQUESTS_MAX);
    // Our own time-out is the shorter one.
    events.network_options.set_connection_timeout(61);
    events.network_options.set_tcp_nodelay(true);
    (client, EngineV3(events))
}

impl EngineV3 {
    /// Connects; says whether the broker had kept our session.
    pub(super) async fn connect(&mut self) -> Result<bool, LinkError> {
        match self.0.poll().await {
            Ok(Said::Incoming(Wire::ConnAck(answer))) => Ok(answer.session_present),
            Ok(_) => {
                Err(LinkError::new(ErrorKind::Protocol, "the broker did not answer the connection"))
            }
            Err(error) => Err(explained(error)),
        }
    }
}

impl Engine for EngineV3 {
    fn keep_alive(&self) -> Duration {
        self.0.mqtt_options.keep_alive()
    }

    async fn poll(&mut self) -> Result<Event, LinkError> {
        let said = self.0.poll().await.map_err(explained)?;
        Ok(match said {
            Said::Incoming(packet) => incoming(packet),
            Said::Outgoing(Outgoing::Publish(packet)) => Event::Publishing(packet),
            Said::Outgoing(Outgoing::Subscribe(packet)) => Event::Subscribing(packet),
            Said::Outgoing(Outgoing::PingReq) => Event::Ping,
            Said::Outgoing(_) => Event::Sent,
        })
    }
}

fn incoming(packet: Wire) -> Event {
    match packet {
        Wire::Publish(publish) => Event::Message {
            topic: publish.topic.into(),
            payload: detached(publish.payload),
            retained: publish.retain,
            packet: match publish.qos {
                QoS::AtMostOnce => None,
                qos => {
                    let exactly_once = qos == QoS::ExactlyOnce;
                    Some(Packet { identifier: publish.pkid, exactly_once })
                }
            },
        },
        Wire::SubAck(answer) => {
            let told = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(_) => Ok(()),
                SubscribeReasonCode::Failure => {
                    Err("the broker refuses the subscription (has the user the right to read it?)"
                        .to_owned())
                }
            };
            Event::Subscribed(answer.pkid, answer.return_codes.iter().map(told).collect())
        }
        Wire::PubAck(answer) => Event::Published(answer.pkid, Ok(())),
        _ => Event::Heard,
    }
}

/// A copy of a small payload, so that it does not keep the whole buffer it was read into.
pub(super) fn detached(payload: Bytes) -> Bytes {
    /// From here on, a payload fills the better part of its buffer.
    const LARGE: usize = 4096;
    if payload.len() < LARGE { Bytes::copy_from_slice(&payload) } else { payload }
}

fn explained(error: ConnectionError) -> LinkError {
    match error {
        ConnectionError::Io(error) => dial::told(&error),
        ConnectionError::MqttState(state) => match state {
            StateError::Io(error) => dial::told(&error),
            StateError::ConnectionAborted => dial::closed(),
            StateError::AwaitPingResp => {
                LinkError::new(ErrorKind::Timeout, "the broker did not answer a ping")
            }
            StateError::Deserialization(rumqttc::Error::Io(error)) => dial::told(&error),
            other => LinkError::new(
                ErrorKind::Protocol,
                format!("the broker does not keep to MQTT 3.1.1: {other}"),
            ),
        },
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            LinkError::new(ErrorKind::Timeout, "the broker does not answer")
        }
        ConnectionError::ConnectionRefused(code) => refused(code),
        ConnectionError::NotConnAck(_) => {
            LinkError::new(ErrorKind::Protocol, "what answers does not speak MQTT 3.1.1")
        }
        ConnectionError::Tls(rumqttc::TlsError::Io(error)) => dial::told(&error),
        other => LinkError::new(ErrorKind::Unreachable, other.to_string()),
    }
}

fn refused(code: ConnectReturnCode) -> LinkError {
    let (kind, cause) = match code {
        ConnectReturnCode::Success => (ErrorKind::Protocol, "success is no refusal"),
        ConnectReturnCode::RefusedProtocolVersion => (
            ErrorKind::Rejected,
            "the broker does not speak MQTT 3.1.1 (return code 1): try version 5",
        ),
        ConnectReturnCode::BadClientId => {
            (ErrorKind::Rejected, "the broker refuses the client identifier (return code 2)")
        }
        ConnectReturnCode::ServiceUnavailable => {
            (ErrorKind::Unreachable, "the broker is not available (return code 3)")
        }
        ConnectReturnCode::BadUserNamePassword => {
            (ErrorKind::Rejected, "user name or password are wrong (return code 4)")
        }
        ConnectReturnCode::NotAuthorized => (
            ErrorKind::Rejected,
            "not authorised (return code 5): check user, password and rights at the broker",
        ),
    };
    LinkError::new(kind, cause)
}
