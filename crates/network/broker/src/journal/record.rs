//! What is written into the journal: keys with values, and removals of keys.
//!
//! Numbers are little-endian, texts and bytes have a length of 32 bits before them. A record stands
//! in a frame: length, CRC32C, record.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use rmqtt_codec::v5::PublishProperties;

use crate::message::{Message, Qos};

/// Length and checksum.
pub(crate) const FRAME_HEADER_BYTES: usize = 8;

/// The largest record: a packet, and as much again for keys and lengths.
pub(crate) const RECORD_BYTES_MAX: usize = 2 * 268_435_460;

/// Names a session for ever.
pub(crate) type SessionId = u64;

/// What a kept session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionRecord {
    pub(crate) tenant: u32,
    pub(crate) client_id: String,
    pub(crate) owner: String,
    pub(crate) expiry_seconds: u32,
    /// Milliseconds since 1970; none while it is connected.
    pub(crate) offline_since_ms: Option<i64>,
}

/// Options of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubscriptionOptions {
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<u32>,
}

/// A message that waits for a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueuedRecord {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) identifiers: Vec<u32>,
    pub(crate) message: Message,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    Session(SessionId, SessionRecord),
    SessionRemoved(SessionId),
    Subscription(SessionId, String, SubscriptionOptions),
    SubscriptionRemoved(SessionId, String),
    Queued(SessionId, u64, QueuedRecord),
    /// PUBREC came: only PUBREL remains to be sent.
    Released(SessionId, u64),
    QueuedRemoved(SessionId, u64),
    /// A QoS 2 message with this identifier was taken from the client.
    Received(SessionId, u16),
    ReceivedRemoved(SessionId, u16),
    Retained(u32, Message),
    RetainedRemoved(u32, String),
}

impl Record {
    /// The session that it is about.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session(id, _)
            | Self::SessionRemoved(id)
            | Self::Subscription(id, ..)
            | Self::SubscriptionRemoved(id, _)
            | Self::Queued(id, ..)
            | Self::Released(id, _)
            | Self::QueuedRemoved(id, _)
            | Self::Received(id, _)
            | Self::ReceivedRemoved(id, _) => Some(*id),
            Self::Retained(..) | Self::RetainedRemoved(..) => None,
        }
    }
}

/// A record to write, which borrows what is large.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Session(SessionId, &'a SessionRecord),
    SessionRemoved(SessionId),
    Subscription(SessionId, &'a str, SubscriptionOptions),
    SubscriptionRemoved(SessionId, &'a str),
    Queued {
        session: SessionId,
        sequence: u64,
        qos: Qos,
        retain: bool,
        identifiers: &'a [u32],
        message: &'a Message,
    },
    Released(SessionId, u64),
    QueuedRemoved(SessionId, u64),
    Received(SessionId, u16),
    ReceivedRemoved(SessionId, u16),
    Retained(u32, &'a Message),
    RetainedRemoved(u32, &'a str),
}

impl Entry<'_> {
    /// Appends the record in its frame.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        self.body(into);
        let body = into.get(start + FRAME_HEADER_BYTES..).unwrap_or_default();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let crc = crc32c::crc32c(body);
        if let Some(header) = into.get_mut(start..start + FRAME_HEADER_BYTES) {
            header[..4].copy_from_slice(&length.to_le_bytes());
            header[4..].copy_from_slice(&crc.to_le_bytes());
        }
    }

    fn body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Session(id, record) => {
                head(out, 1, *id);
                out.extend_from_slice(&record.tenant.to_le_bytes());
                bytes(out, record.client_id.as_bytes());
                bytes(out, record.owner.as_bytes());
                out.extend_from_slice(&record.expiry_seconds.to_le_bytes());
                out.extend_from_slice(&record.offline_since_ms.unwrap_or(i64::MIN).to_le_bytes());
            }
            Self::SessionRemoved(id) => head(out, 2, *id),
            Self::Subscription(id, filter, options) => {
                head(out, 3, *id);
                bytes(out, filter.as_bytes());
                out.push(
                    options.qos.number()
                        | (u8::from(options.no_local) << 2)
                        | (u8::from(options.retain_as_published) << 3),
                );
                out.extend_from_slice(&options.identifier.unwrap_or(0).to_le_bytes());
            }
            Self::SubscriptionRemoved(id, filter) => {
                head(out, 4, *id);
                bytes(out, filter.as_bytes());
            }
            Self::Queued { session, sequence, qos, retain, identifiers, message: queued } => {
                head(out, 5, *session);
                out.extend_from_slice(&sequence.to_le_bytes());
                out.push(qos.number() | (u8::from(*retain) << 2));
                out.push(u8::try_from(identifiers.len()).unwrap_or(u8::MAX));
                for identifier in identifiers.iter().take(usize::from(u8::MAX)) {
                    out.extend_from_slice(&identifier.to_le_bytes());
                }
                message(out, queued);
            }
            Self::Released(id, sequence) => {
                head(out, 6, *id);
                out.extend_from_slice(&sequence.to_le_bytes());
            }
            Self::QueuedRemoved(id, sequence) => {
                head(out, 7, *id);
                out.extend_from_slice(&sequence.to_le_bytes());
            }
            Self::Received(id, packet_id) => {
                head(out, 8, *id);
                out.extend_from_slice(&packet_id.to_le_bytes());
            }
            Self::ReceivedRemoved(id, packet_id) => {
                head(out, 9, *id);
                out.extend_from_slice(&packet_id.to_le_bytes());
            }
            Self::Retained(tenant, retained) => {
                out.push(10);
                out.extend_from_slice(&tenant.to_le_bytes());
                message(out, retained);
            }
            Self::RetainedRemoved(tenant, topic) => {
                out.push(11);
                out.extend_from_slice(&tenant.to_le_bytes());
                bytes(out, topic.as_bytes());
            }
        }
    }
}

fn head(out: &mut Vec<u8>, tag: u8, session: SessionId) {
    out.push(tag);
    out.extend_from_slice(&session.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(value);
}

const HAS_EXPIRY: u8 = 8;
const HAS_PROPERTIES: u8 = 16;

fn message(out: &mut Vec<u8>, message: &Message) {
    let flags = message.qos.number()
        | (u8::from(message.retain) << 2)
        | if message.expires_ms.is_some() { HAS_EXPIRY } else { 0 }
        | if message.properties.is_some() { HAS_PROPERTIES } else { 0 };
    out.push(flags);
    bytes(out, message.topic.as_bytes());
    bytes(out, &message.payload);
    if let Some(expires) = message.expires_ms {
        out.extend_from_slice(&expires.to_le_bytes());
    }
    if let Some(properties) = &message.properties {
        out.push(
            u8::from(properties.is_utf8_payload)
                | (u8::from(properties.content_type.is_some()) << 1)
                | (u8::from(properties.response_topic.is_some()) << 2)
                | (u8::from(properties.correlation_data.is_some()) << 3),
        );
        let texts = [&properties.content_type, &properties.response_topic];
        for text in texts.into_iter().flatten() {
            bytes(out, text.as_bytes());
        }
        if let Some(data) = &properties.correlation_data {
            bytes(out, data);
        }
        let count = u32::try_from(properties.user_properties.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for (key, value) in &properties.user_properties {
            bytes(out, key.as_bytes());
            bytes(out, value.as_bytes());
        }
    }
}

/// Reads the frame at the start of `input`: the record's bytes and the frame's length. None when
/// what is there is not a whole frame with the right checksum.
pub(crate) fn frame(input: &[u8]) -> Option<(&[u8], usize)> {
    let (length, rest) = input.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > RECORD_BYTES_MAX {
        return None;
    }
    let body = rest.get(..length)?;
    (crc32c::crc32c(body) == u32::from_le_bytes(*crc))
        .then_some((body, length + FRAME_HEADER_BYTES))
}

/// Reads one record.
pub(crate) fn decode(body: &[u8]) -> Option<Record> {
    let mut input = Input(body);
    let record = match input.u8()? {
        1 => Record::Session(
            input.u64()?,
            SessionRecord {
                tenant: input.u32()?,
                client_id: input.text()?,
                owner: input.text()?,
                expiry_seconds: input.u32()?,
                offline_since_ms: Some(input.u64()?.cast_signed()).filter(|ms| *ms != i64::MIN),
            },
        ),
        2 => Record::SessionRemoved(input.u64()?),
        3 => {
            let (id, filter, flags) = (input.u64()?, input.text()?, input.u8()?);
            let identifier = Some(input.u32()?).filter(|i| *i != 0);
            let options = SubscriptionOptions {
                qos: Qos::from_number(flags & 3)?,
                no_local: flags & 4 != 0,
                retain_as_published: flags & 8 != 0,
                identifier,
            };
            Record::Subscription(id, filter, options)
        }
        4 => Record::SubscriptionRemoved(input.u64()?, input.text()?),
        5 => {
            let (id, sequence, flags) = (input.u64()?, input.u64()?, input.u8()?);
            let count = input.u8()?;
            let identifiers = (0..count).map(|_| input.u32()).collect::<Option<_>>()?;
            let message = input.message()?;
            let qos = Qos::from_number(flags & 3)?;
            Record::Queued(
                id,
                sequence,
                QueuedRecord { qos, retain: flags & 4 != 0, identifiers, message },
            )
        }
        6 => Record::Released(input.u64()?, input.u64()?),
        7 => Record::QueuedRemoved(input.u64()?, input.u64()?),
        8 => Record::Received(input.u64()?, input.u16()?),
        9 => Record::ReceivedRemoved(input.u64()?, input.u16()?),
        10 => Record::Retained(input.u32()?, input.message()?),
        11 => Record::RetainedRemoved(input.u32()?, input.text()?),
        _ => return None,
    };
    input.0.is_empty().then_some(record)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*value)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    fn message(&mut self) -> Option<Message> {
        let flags = self.u8()?;
        let topic: Arc<str> = std::str::from_utf8(self.bytes()?).ok()?.into();
        let payload = Bytes::copy_from_slice(self.bytes()?);
        let expires_ms =
            if flags & HAS_EXPIRY != 0 { Some(self.u64()?.cast_signed()) } else { None };
        let properties =
            if flags & HAS_PROPERTIES != 0 { Some(Box::new(self.properties()?)) } else { None };
        let qos = Qos::from_number(flags & 3)?;
        Some(Message { topic, payload, qos, retain: flags & 4 != 0, expires_ms, properties })
    }

    fn properties(&mut self) -> Option<PublishProperties> {
        let flags = self.u8()?;
        let mut properties =
            PublishProperties { is_utf8_payload: flags & 1 != 0, ..PublishProperties::default() };
        if flags & 2 != 0 {
            properties.content_type = Some(ByteString::from(self.text()?));
        }
        if flags & 4 != 0 {
            properties.response_topic = Some(ByteString::from(self.text()?));
        }
        if flags & 8 != 0 {
            properties.correlation_data = Some(Bytes::copy_from_slice(self.bytes()?));
        }
        for _ in 0..self.u32()? {
            let (key, value) = (self.text()?, self.text()?);
            properties.user_properties.push((ByteString::from(key), ByteString::from(value)));
        }
        Some(properties)
    }
}
