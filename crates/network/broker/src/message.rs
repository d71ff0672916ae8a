//! Messages as the broker holds them, between the wire and the queues.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v5::PublishProperties;
use weir_model::Timestamp;

/// Quality of service (MQTT 5, 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// 0: may be lost.
    AtMostOnce,
    /// 1: may come twice.
    AtLeastOnce,
    /// 2: comes once.
    ExactlyOnce,
}

impl Qos {
    /// From its number, 0 to 2.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// Its number, 0 to 2.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<QoS> for Qos {
    fn from(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::AtMostOnce,
            QoS::AtLeastOnce => Self::AtLeastOnce,
            QoS::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<Qos> for QoS {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::AtMostOnce => Self::AtMostOnce,
            Qos::AtLeastOnce => Self::AtLeastOnce,
            Qos::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

/// One application message. Properties are boxed, because most messages have none.
#[derive(Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Milliseconds since 1970 after which nobody gets it.
    pub(crate) expires_ms: Option<i64>,
    /// Properties that are passed on: neither alias nor subscription identifiers nor expiry.
    pub(crate) properties: Option<Box<PublishProperties>>,
}

impl Message {
    pub(crate) fn new(topic: Arc<str>, payload: Bytes, qos: Qos, retain: bool) -> Self {
        Self { topic, payload, qos, retain, expires_ms: None, properties: None }
    }

    /// What it counts for in bounds on bytes: topic, payload, properties, and what holds them.
    pub(crate) fn weight(&self) -> usize {
        let properties = self.properties.as_ref().map_or(0, |p| {
            p.user_properties.iter().map(|(k, v)| k.len() + v.len() + 64).sum::<usize>()
                + p.correlation_data.as_ref().map_or(0, Bytes::len)
                + p.content_type.as_ref().map_or(0, |text| text.len())
                + p.response_topic.as_ref().map_or(0, |text| text.len())
        });
        64 + self.topic.len() + self.payload.len() + properties
    }

    pub(crate) fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|at| at <= now_ms)
    }

    /// A copy that shares no buffer with what a socket delivered: a message that is kept long must
    /// not keep 64 KiB of its neighbours alive.
    pub(crate) fn detached(&self) -> Self {
        let own = |text: &ByteString| ByteString::from(text.to_string());
        let properties = self.properties.as_ref().map(|p| {
            Box::new(PublishProperties {
                topic_alias: None,
                correlation_data: p.correlation_data.as_deref().map(Bytes::copy_from_slice),
                message_expiry_interval: p.message_expiry_interval,
                content_type: p.content_type.as_ref().map(own),
                user_properties: p.user_properties.iter().map(|(k, v)| (own(k), own(v))).collect(),
                is_utf8_payload: p.is_utf8_payload,
                response_topic: p.response_topic.as_ref().map(own),
                subscription_ids: Vec::new(),
            })
        });
        Self {
            topic: Arc::clone(&self.topic),
            payload: Bytes::copy_from_slice(&self.payload),
            qos: self.qos,
            retain: self.retain,
            expires_ms: self.expires_ms,
            properties,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("payload_bytes", &self.payload.len())
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .finish_non_exhaustive()
    }
}

/// The system clock, in the unit of stored deadlines.
pub(crate) fn now_ms() -> i64 {
    now().nanos() / 1_000_000
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}
