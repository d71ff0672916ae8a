//! The wire: packets of both versions as one set of types, over the codec.
//!
//! The codec reads every packet and writes the rare ones. Acknowledgements, and PUBLISH without
//! properties, are written here: they are a few bytes, and they are most of the traffic.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::types::Publish;
use rmqtt_codec::v5::{self, PublishProperties, RetainHandling};
use rmqtt_codec::{v3, v5::DisconnectReasonCode};
use tokio_util::codec::{Decoder, Encoder};

use crate::message::{Message, Qos};

mod connect;
#[cfg(test)]
mod tests;

pub(crate) use connect::{Connect, Will};

/// Reason codes (MQTT 5, 2.4).
pub(crate) mod reason {
    pub(crate) const SUCCESS: u8 = 0x00;
    pub(crate) const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;
    pub(crate) const NO_SUBSCRIPTION: u8 = 0x11;
    pub(crate) const MALFORMED: u8 = 0x81;
    pub(crate) const PROTOCOL: u8 = 0x82;
    pub(crate) const IMPLEMENTATION: u8 = 0x83;
    pub(crate) const UNSUPPORTED_VERSION: u8 = 0x84;
    pub(crate) const CLIENT_ID: u8 = 0x85;
    pub(crate) const CREDENTIALS: u8 = 0x86;
    pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
    pub(crate) const UNAVAILABLE: u8 = 0x88;
    pub(crate) const SERVER_BUSY: u8 = 0x89;
    pub(crate) const BANNED: u8 = 0x8A;
    pub(crate) const SHUTTING_DOWN: u8 = 0x8B;
    pub(crate) const BAD_AUTHENTICATION_METHOD: u8 = 0x8C;
    pub(crate) const KEEP_ALIVE: u8 = 0x8D;
    pub(crate) const TAKEN_OVER: u8 = 0x8E;
    pub(crate) const FILTER_INVALID: u8 = 0x8F;
    pub(crate) const TOPIC_INVALID: u8 = 0x90;
    pub(crate) const ID_NOT_FOUND: u8 = 0x92;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x93;
    pub(crate) const ALIAS_INVALID: u8 = 0x94;
    pub(crate) const TOO_LARGE: u8 = 0x95;
    pub(crate) const QUOTA: u8 = 0x97;
    pub(crate) const ADMINISTRATIVE: u8 = 0x98;
}

/// Why a connection ends because of what it sent: a DISCONNECT reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) u8);

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) filter: ByteString,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// What a client sends after its CONNECT.
#[derive(Debug, PartialEq)]
pub(crate) enum Packet {
    Publish(Box<Publish>),
    PubAck(u16),
    PubRec { packet_id: u16, reason: u8 },
    PubRel(u16),
    PubComp(u16),
    Subscribe { packet_id: u16, identifier: Option<NonZeroU32>, wanted: Vec<Wanted> },
    Unsubscribe { packet_id: u16, filters: Vec<ByteString> },
    Ping,
    Disconnect { reason: u8, expiry_seconds: Option<u32> },
}

/// Reads and writes one connection's packets.
#[derive(Debug)]
pub(crate) enum Wire {
    V3(v3::Codec),
    V5(v5::Codec),
}

/// Fixed header: its length and that of the rest.
fn fixed_header(input: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let mut length = 0_usize;
    for (n, byte) in input.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * n);
        if byte & 0x80 == 0 {
            return Ok(Some((n + 2, length)));
        }
    }
    if input.len() >= 5 { Err(Violation(reason::MALFORMED)) } else { Ok(None) }
}

/// Whether a whole packet stands at the start of the input. Only then the codec sees it: it would
/// allocate what a header announces before it came.
pub(crate) fn is_whole(input: &[u8], bytes_max: usize) -> Result<bool, Violation> {
    let Some((header, length)) = fixed_header(input)? else { return Ok(false) };
    if header + length > bytes_max {
        return Err(Violation(reason::TOO_LARGE));
    }
    Ok(input.len() >= header + length)
}

/// The version that a whole CONNECT asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 3.1 and 3.1.1.
    V3,
    V5,
    /// It is a CONNECT of another version; the number is its protocol level.
    Unknown,
}

/// Looks at the first packet; an error when it is not a CONNECT.
pub(crate) fn version(input: &[u8]) -> Result<Version, Violation> {
    let malformed = Violation(reason::MALFORMED);
    if input.first() != Some(&0x10) {
        return Err(Violation(reason::PROTOCOL));
    }
    let (header, _) = fixed_header(input)?.ok_or(malformed)?;
    let rest = input.get(header..).ok_or(malformed)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(malformed)?;
    let (name, rest) =
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(malformed)?;
    match (name, rest.first().ok_or(malformed)?) {
        (b"MQTT", 4) | (b"MQIsdp", 3) => Ok(Version::V3),
        (b"MQTT", 5) => Ok(Version::V5),
        (b"MQTT" | b"MQIsdp", _) => Ok(Version::Unknown),
        _ => Err(Violation(reason::PROTOCOL)),
    }
}

fn violation(error: &DecodeError) -> Violation {
    Violation(match error {
        DecodeError::MaxSizeExceeded { .. } => reason::TOO_LARGE,
        DecodeError::InvalidTopicName => reason::TOPIC_INVALID,
        DecodeError::InvalidTopicFilter
        | DecodeError::InvalidProtocol
        | DecodeError::ConnectReservedFlagSet
        | DecodeError::InvalidConnectFlags
        | DecodeError::PacketIdRequired => reason::PROTOCOL,
        _ => reason::MALFORMED,
    })
}

impl Wire {
    pub(crate) fn new(version: Version) -> Self {
        match version {
            Version::V5 => Self::V5(v5::Codec::new(0, 0)),
            Version::V3 | Version::Unknown => Self::V3(v3::Codec::new(0)),
        }
    }

    pub(crate) fn is_v5(&self) -> bool {
        matches!(self, Self::V5(_))
    }

    /// Reads the CONNECT, which is whole.
    pub(crate) fn connect(&mut self, input: &mut BytesMut) -> Result<Connect, Violation> {
        match self {
            Self::V3(codec) => match codec.decode(input) {
                Ok(Some((v3::Packet::Connect(connect), _))) => Connect::from_v3(*connect),
                Err(DecodeError::InvalidClientId) => Err(Violation(reason::CLIENT_ID)),
                Err(error) => Err(violation(&error)),
                Ok(_) => Err(Violation(reason::PROTOCOL)),
            },
            Self::V5(codec) => {
                // The codec refuses an empty client identifier without Clean Start, which MQTT 5
                // allows (3.1.3-6). A client that is given a new identifier has no old session, so
                // that the flag makes no difference then: it is set, and the packet read again.
                let mut again = input.clone();
                let decoded = match codec.decode(input) {
                    Err(DecodeError::InvalidClientId) => {
                        let flags = fixed_header(&again)?.map_or(0, |(header, _)| header) + 7;
                        if let Some(flags) = again.get_mut(flags) {
                            *flags |= 0x02;
                        }
                        *codec = v5::Codec::new(0, 0);
                        let decoded = codec.decode(&mut again);
                        *input = again;
                        decoded
                    }
                    decoded => decoded,
                };
                match decoded {
                    Ok(Some((v5::Packet::Connect(connect), _))) => Connect::from_v5(*connect),
                    Err(error) => Err(violation(&error)),
                    Ok(_) => Err(Violation(reason::PROTOCOL)),
                }
            }
        }
    }

    /// Reads the next packet, or none when it is not whole.
    pub(crate) fn decode(
        &mut self,
        input: &mut BytesMut,
        bytes_max: usize,
    ) -> Result<Option<Packet>, Violation> {
        if !is_whole(input, bytes_max)? {
            return Ok(None);
        }
        match self {
            Self::V3(codec) => match codec.decode(input).map_err(|e| violation(&e))? {
                Some((packet, _)) => packet_v3(packet).map(Some),
                None => Err(Violation(reason::MALFORMED)),
            },
            Self::V5(codec) => match codec.decode(input).map_err(|e| violation(&e))? {
                Some((packet, _)) => packet_v5(packet).map(Some),
                None => Err(Violation(reason::MALFORMED)),
            },
        }
    }

    /// Writes a packet of four bytes, or of five with a reason (MQTT 5). PUBREL has flag bits.
    fn short(&self, out: &mut BytesMut, first: u8, packet_id: u16, code: u8) {
        if self.is_v5() && code != reason::SUCCESS {
            out.put_slice(&[first, 3]);
            out.put_u16(packet_id);
            out.put_u8(code);
        } else {
            out.put_slice(&[first, 2]);
            out.put_u16(packet_id);
        }
    }

    pub(crate) fn puback(&self, out: &mut BytesMut, packet_id: u16, code: u8) {
        self.short(out, 0x40, packet_id, code);
    }

    pub(crate) fn pubrec(&self, out: &mut BytesMut, packet_id: u16, code: u8) {
        self.short(out, 0x50, packet_id, code);
    }

    pub(crate) fn pubrel(&self, out: &mut BytesMut, packet_id: u16, code: u8) {
        self.short(out, 0x62, packet_id, code);
    }

    pub(crate) fn pubcomp(&self, out: &mut BytesMut, packet_id: u16, code: u8) {
        self.short(out, 0x70, packet_id, code);
    }

    pub(crate) fn pingresp(out: &mut BytesMut) {
        out.put_slice(&[0xD0, 0]);
    }

    /// SUBACK. Before MQTT 5 there is one code for every failure.
    pub(crate) fn suback(&self, packet_id: u16, codes: &[u8]) -> Bytes {
        let mut body = BytesMut::with_capacity(codes.len() + 8);
        body.put_u16(packet_id);
        if self.is_v5() {
            body.put_u8(0); // no properties
            body.put_slice(codes);
        } else {
            body.extend(codes.iter().map(|code| if *code >= 0x80 { 0x80 } else { *code }));
        }
        packet(0x90, &body)
    }

    /// UNSUBACK.
    pub(crate) fn unsuback(&self, packet_id: u16, codes: &[u8]) -> Bytes {
        let mut body = BytesMut::with_capacity(codes.len() + 8);
        body.put_u16(packet_id);
        if self.is_v5() {
            body.put_u8(0);
            body.put_slice(codes);
        }
        packet(0xB0, &body)
    }

    /// DISCONNECT from the server exists in MQTT 5 only; 3.1.1 is just closed.
    pub(crate) fn disconnect(&mut self, out: &mut BytesMut, code: u8) {
        if let Self::V5(codec) = self {
            let code = DisconnectReasonCode::try_from(code);
            let code = code.unwrap_or(DisconnectReasonCode::UnspecifiedError);
            let _ = codec.encode(v5::Packet::Disconnect(v5::Disconnect::new(code)), out);
        }
    }

    /// Refuses a CONNECT.
    pub(crate) fn refuse(&mut self, out: &mut BytesMut, code: u8) {
        match self {
            // 3.1.1 knows five reasons (3.2.2.3); for others the connection is just closed.
            Self::V3(_) => {
                let code = match code {
                    reason::UNSUPPORTED_VERSION => 1,
                    reason::CLIENT_ID => 2,
                    reason::UNAVAILABLE | reason::SERVER_BUSY | reason::QUOTA => 3,
                    reason::CREDENTIALS => 4,
                    reason::NOT_AUTHORIZED | reason::BANNED => 5,
                    _ => return,
                };
                out.put_slice(&[0x20, 2, 0, code]);
            }
            Self::V5(codec) => {
                let reason_code = v5::ConnectAckReason::try_from(code)
                    .unwrap_or(v5::ConnectAckReason::UnspecifiedError);
                let ack = v5::ConnectAck { reason_code, ..v5::ConnectAck::default() };
                let _ = codec.encode(v5::Packet::ConnectAck(Box::new(ack)), out);
            }
        }
    }

    /// Accepts a CONNECT; `ack` is what MQTT 5 says more.
    pub(crate) fn accept(&mut self, out: &mut BytesMut, ack: v5::ConnectAck) {
        match self {
            Self::V3(_) => out.put_slice(&[0x20, 2, u8::from(ack.session_present), 0]),
            Self::V5(codec) => {
                let _ = codec.encode(v5::Packet::ConnectAck(Box::new(ack)), out);
            }
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len() + 5);
    out.put_u8(first);
    put_length(&mut out, body.len());
    out.put_slice(body);
    out.freeze()
}

/// A variable byte integer (MQTT 5, 1.5.5); the caller keeps packets below 2^28 bytes.
fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7F).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}

/// A PUBLISH to a client.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) message: &'a Message,
    pub(crate) packet_id: u16,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) identifiers: &'a [u32],
    /// The alias, and whether the client knows it already, so that the topic is left out.
    pub(crate) alias: Option<(u16, bool)>,
    /// Seconds that are left.
    pub(crate) expiry_seconds: Option<u32>,
}

impl Outgoing<'_> {
    /// Appends the packet, unless it is larger than the client takes; says whether.
    pub(crate) fn encode(&self, wire: &mut Wire, out: &mut BytesMut, bytes_max: usize) -> bool {
        let start = out.len();
        match wire {
            Wire::V3(_) => self.plain(out, false),
            Wire::V5(codec) => {
                let plain = self.message.properties.is_none()
                    && self.identifiers.is_empty()
                    && self.expiry_seconds.is_none();
                if plain {
                    self.plain(out, true);
                } else if codec.encode(v5::Packet::Publish(Box::new(self.publish())), out).is_err()
                {
                    out.truncate(start);
                    return false;
                }
            }
        }
        if out.len() - start > bytes_max {
            out.truncate(start);
            return false;
        }
        true
    }

    fn topic(&self) -> &str {
        if self.alias.is_some_and(|(_, known)| known) { "" } else { &self.message.topic }
    }

    fn plain(&self, out: &mut BytesMut, v5: bool) {
        let topic = self.topic().as_bytes();
        let identifier = if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        let properties = match (v5, self.alias) {
            (false, _) => 0,
            (true, None) => 1,
            (true, Some(_)) => 4,
        };
        let length = 2 + topic.len() + identifier + properties + self.message.payload.len();
        out.reserve(length + 5);
        out.put_u8(
            0x30 | (u8::from(self.dup) << 3) | (self.qos.number() << 1) | u8::from(self.retain),
        );
        put_length(out, length);
        out.put_u16(u16::try_from(topic.len()).unwrap_or_default());
        out.put_slice(topic);
        if identifier > 0 {
            out.put_u16(self.packet_id);
        }
        if let (true, Some((alias, _))) = (v5, self.alias) {
            out.put_slice(&[3, 0x23]);
            out.put_u16(alias);
        } else if v5 {
            out.put_u8(0);
        }
        out.put_slice(&self.message.payload);
    }

    fn publish(&self) -> Publish {
        let mut properties =
            self.message.properties.as_deref().cloned().unwrap_or_else(PublishProperties::default);
        properties.topic_alias = self.alias.and_then(|(alias, _)| NonZeroU16::new(alias));
        properties.message_expiry_interval = self.expiry_seconds.and_then(NonZeroU32::new);
        properties.subscription_ids =
            self.identifiers.iter().filter_map(|i| NonZeroU32::new(*i)).collect();
        let packet_id =
            if self.qos == Qos::AtMostOnce { None } else { NonZeroU16::new(self.packet_id) };
        Publish {
            dup: self.dup,
            retain: self.retain,
            qos: self.qos.into(),
            topic: ByteString::from(self.topic()),
            packet_id,
            payload: self.message.payload.clone(),
            properties: Some(properties),
        }
    }
}

/// The properties that go on to subscribers, boxed; none when there are none.
pub(crate) fn pass_on(mut properties: PublishProperties) -> Option<Box<PublishProperties>> {
    properties.topic_alias = None;
    properties.message_expiry_interval = None;
    properties.subscription_ids = Vec::new();
    let none = properties.correlation_data.is_none()
        && properties.content_type.is_none()
        && properties.user_properties.is_empty()
        && !properties.is_utf8_payload
        && properties.response_topic.is_none();
    if none { None } else { Some(Box::new(properties)) }
}

fn packet_v3(packet: v3::Packet) -> Result<Packet, Violation> {
    Ok(match packet {
        v3::Packet::Publish(publish) => Packet::Publish(publish),
        v3::Packet::PublishAck { packet_id } => Packet::PubAck(packet_id.get()),
        v3::Packet::PublishReceived { packet_id } => {
            Packet::PubRec { packet_id: packet_id.get(), reason: reason::SUCCESS }
        }
        v3::Packet::PublishRelease { packet_id } => Packet::PubRel(packet_id.get()),
        v3::Packet::PublishComplete { packet_id } => Packet::PubComp(packet_id.get()),
        v3::Packet::Subscribe { packet_id, topic_filters } => Packet::Subscribe {
            packet_id: packet_id.get(),
            identifier: None,
            wanted: topic_filters
                .into_iter()
                .map(|(filter, qos)| Wanted {
                    filter,
                    qos: qos.into(),
                    no_local: false,
                    retain_as_published: false,
                    retain_handling: RetainHandling::AtSubscribe,
                })
                .collect(),
        },
        v3::Packet::Unsubscribe { packet_id, topic_filters } => {
            Packet::Unsubscribe { packet_id: packet_id.get(), filters: topic_filters }
        }
        v3::Packet::PingRequest => Packet::Ping,
        v3::Packet::Disconnect => {
            Packet::Disconnect { reason: reason::SUCCESS, expiry_seconds: None }
        }
        _ => return Err(Violation(reason::PROTOCOL)),
    })
}

fn packet_v5(packet: v5::Packet) -> Result<Packet, Violation> {
    Ok(match packet {
        v5::Packet::Publish(publish) => Packet::Publish(publish),
        v5::Packet::PublishAck(ack) => Packet::PubAck(ack.packet_id.get()),
        v5::Packet::PublishReceived(ack) => {
            Packet::PubRec { packet_id: ack.packet_id.get(), reason: ack.reason_code.into() }
        }
        v5::Packet::PublishRelease(ack) => Packet::PubRel(ack.packet_id.get()),
        v5::Packet::PublishComplete(ack) => Packet::PubComp(ack.packet_id.get()),
        v5::Packet::Subscribe(subscribe) => Packet::Subscribe {
            packet_id: subscribe.packet_id.get(),
            identifier: subscribe.id,
            wanted: subscribe
                .topic_filters
                .into_iter()
                .map(|(filter, options)| Wanted {
                    filter,
                    qos: options.qos.into(),
                    no_local: options.no_local,
                    retain_as_published: options.retain_as_published,
                    retain_handling: options.retain_handling,
                })
                .collect(),
        },
        v5::Packet::Unsubscribe(unsubscribe) => Packet::Unsubscribe {
            packet_id: unsubscribe.packet_id.get(),
            filters: unsubscribe.topic_filters,
        },
        v5::Packet::PingRequest => Packet::Ping,
        v5::Packet::Disconnect(disconnect) => Packet::Disconnect {
            reason: disconnect.reason_code.into(),
            expiry_seconds: disconnect.session_expiry_interval_secs,
        },
        _ => return Err(Violation(reason::PROTOCOL)),
    })
}
