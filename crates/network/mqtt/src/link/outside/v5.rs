//! MQTT 5.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, ConnectReturnCode, DisconnectReasonCode, LastWill, Packet as Wire,
    PubAckReason, Publish, SubscribeReasonCode,
};
use rumqttc::v5::{
    AsyncClient, ConnectionError, Event as Said, EventLoop, MqttOptions, StateError,
};
use rumqttc::{NetworkOptions, Outgoing};
use weir_connect::ErrorKind;

use super::dial::{self, Dial};
use super::v3::detached;
use super::{
    Engine, Event, INFLIGHT_MAX, LinkError, Opening, Outside, PACKET_BYTES_MAX, Packet, Qos,
    RECEIVE_MAX, REQUESTS_MAX,
};

/// The shortest interval of pings that the library takes.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(5);

pub(super) struct EngineV5(EventLoop);

pub(super) fn wire(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

/// A message that is acknowledged: of it, only quality and identifier count.
pub(super) fn acknowledged(packet: Packet) -> Publish {
    let qos = if packet.exactly_once { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
    Publish { qos, pkid: packet.identifier, ..Publish::default() }
}

pub(super) fn engine(outside: &Outside, dial: &Dial, opening: &Opening) -> (AsyncClient, EngineV5) {
    let mut options = MqttOptions::new(&opening.client_id, &dial.target, outside.port);
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval =
        Some(if opening.persistent { outside.session_expiry_s } else { 0 });
    properties.receive_maximum = Some(RECEIVE_MAX);
    properties.max_packet_size = Some(PACKET_BYTES_MAX);
    // The library resolves aliases too late, so we take none.
    properties.topic_alias_max = Some(0);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_transport(dial.carrier.clone())
        .set_keep_alive(Duration::from_secs(outside.keep_alive_s.into()).max(KEEP_ALIVE_MIN))
        .set_clean_start(!opening.persistent || opening.client_id.is_empty())
        .set_connect_properties(properties)
        .set_outgoing_inflight_upper_limit(INFLIGHT_MAX)
        // Our own time-out is the shorter one.
        .set_connection_timeout(61)
        .set_manual_acks(true);
    options.set_network_options(network);
    if let Some((user, password)) = &outside.login {
        options.set_credentials(user, &password.0);
    }
    if let Some(will) = &opening.will {
        let (topic, payload) = (will.topic.as_str(), will.payload.to_vec());
        options.set_last_will(LastWill::new(topic, payload, wire(will.qos), will.retain, None));
    }
    let (client, events) = AsyncClient::new(options, REQUESTS_MAX);
    (client, EngineV5(events))
}

impl EngineV5 {
    /// Connects; says whether the broker had kept our session.
    pub(super) async fn connect(&mut self) -> Result<bool, LinkError> {
        let ours = self.0.options.keep_alive();
        match self.0.poll().await {
            Ok(Said::Incoming(Wire::ConnAck(answer))) => {
                // A broker may switch pings off; the library would then send them without a pause.
                if self.0.options.keep_alive() < KEEP_ALIVE_MIN {
                    self.0.options.set_keep_alive(ours);
                }
                Ok(answer.session_present)
            }
            Ok(_) => {
                Err(LinkError::new(ErrorKind::Protocol, "the broker did not answer the connection"))
            }
            Err(error) => Err(explained(error)),
        }
    }
}

impl Engine for EngineV5 {
    fn keep_alive(&self) -> Duration {
        self.0.options.keep_alive()
    }

    async fn poll(&mut self) -> Result<Event, LinkError> {
        let said = self.0.poll().await.map_err(explained)?;
        match said {
            Said::Incoming(packet) => incoming(packet),
            Said::Outgoing(Outgoing::Publish(packet)) => Ok(Event::Publishing(packet)),
            Said::Outgoing(Outgoing::Subscribe(packet)) => Ok(Event::Subscribing(packet)),
            Said::Outgoing(Outgoing::PingReq) => Ok(Event::Ping),
            Said::Outgoing(_) => Ok(Event::Sent),
        }
    }
}

fn incoming(packet: Wire) -> Result<Event, LinkError> {
    Ok(match packet {
        Wire::Publish(publish) => {
            let topic = std::str::from_utf8(&publish.topic).ok().filter(|topic| !topic.is_empty());
            let topic = topic.ok_or_else(|| {
                LinkError::new(
                    ErrorKind::Protocol,
                    "the broker sent a message whose topic is empty or not UTF-8",
                )
            })?;
            let packet = match publish.qos {
                QoS::AtMostOnce => None,
                qos => {
                    let exactly_once = qos == QoS::ExactlyOnce;
                    Some(Packet { identifier: publish.pkid, exactly_once })
                }
            };
            Event::Message {
                topic: topic.into(),
                payload: detached(publish.payload),
                retained: publish.retain,
                packet,
            }
        }
        Wire::SubAck(answer) => {
            let told = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(_) => Ok(()),
                code => Err(format!(
                    "the broker refuses the subscription: {}",
                    words(&format!("{code:?}"))
                )),
            };
            Event::Subscribed(answer.pkid, answer.return_codes.iter().map(told).collect())
        }
        Wire::PubAck(answer) => {
            let told = match answer.reason {
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
                reason => {
                    let said = answer.properties.and_then(|p| p.reason_string);
                    let said = said.map(|said| format!(" ({said:.200})")).unwrap_or_default();
                    Err(format!("{}{said}", words(&format!("{reason:?}"))))
                }
            };
            Event::Published(answer.pkid, told)
        }
        _ => Event::Heard,
    })
}

/// A reason code's name as words: `NotAuthorized` is "not authorized".
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

fn explained(error: ConnectionError) -> LinkError {
    match error {
        ConnectionError::Io(error) => dial::told(&error),
        ConnectionError::MqttState(state) => of_state(state),
        ConnectionError::Timeout(_) => {
            LinkError::new(ErrorKind::Timeout, "the broker does not answer")
        }
        ConnectionError::ConnectionRefused(code) => refused(code),
        ConnectionError::NotConnAck(_) => LinkError::new(
            ErrorKind::Protocol,
            "what answers does not speak MQTT 5: try version 3.1.1",
        ),
        ConnectionError::Tls(rumqttc::TlsError::Io(error)) => dial::told(&error),
        other => LinkError::new(ErrorKind::Unreachable, other.to_string()),
    }
}

fn of_state(state: StateError) -> LinkError {
    match state {
        StateError::Io(error) => dial::told(&error),
        StateError::ConnectionAborted => dial::closed(),
        StateError::AwaitPingResp => {
            LinkError::new(ErrorKind::Timeout, "the broker did not answer a ping")
        }
        StateError::Deserialization(rumqttc::v5::mqttbytes::Error::Io(error)) => dial::told(&error),
        StateError::ServerDisconnect { reason_code, reason_string } => {
            let said = reason_string.map(|said| format!(" ({said:.200})")).unwrap_or_default();
            let reason = words(&format!("{reason_code:?}"));
            let advice = match reason_code {
                DisconnectReasonCode::SessionTakenOver => {
                    ": another client connects with the same client identifier"
                }
                _ => "",
            };
            LinkError::new(
                ErrorKind::Disconnected,
                format!("the broker disconnects: {reason}{said}{advice}"),
            )
        }
        other => LinkError::new(
            ErrorKind::Protocol,
            format!("the broker does not keep to MQTT 5: {other}"),
        ),
    }
}

fn refused(code: ConnectReturnCode) -> LinkError {
    use ConnectReturnCode as Code;
    let reason = words(&format!("{code:?}"));
    let (kind, advice) = match code {
        Code::BadUserNamePassword => (ErrorKind::Rejected, ": check user and password"),
        Code::NotAuthorized | Code::Banned => {
            (ErrorKind::Rejected, ": check user, password and rights at the broker")
        }
        Code::UnsupportedProtocolVersion | Code::RefusedProtocolVersion => {
            (ErrorKind::Rejected, ": try version 3.1.1")
        }
        Code::ServerUnavailable | Code::ServiceUnavailable | Code::ServerBusy => {
            (ErrorKind::Unreachable, "")
        }
        _ => (ErrorKind::Rejected, ""),
    };
    LinkError::new(kind, format!("the broker refuses the connection: {reason}{advice}"))
}
