//! CONNECT of both versions as one.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;
use rmqtt_codec::v3;
use rmqtt_codec::v5::{self, PublishProperties};

use crate::message::Message;
use crate::wire::{Violation, pass_on, reason};

/// A CONNECT of either version.
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) clean_start: bool,
    pub(crate) keep_alive: u16,
    pub(crate) client_id: ByteString,
    pub(crate) user: Option<ByteString>,
    pub(crate) password: Option<Bytes>,
    pub(crate) expiry_seconds: u32,
    pub(crate) receive_max: u16,
    pub(crate) packet_bytes_max: usize,
    pub(crate) topic_alias_max: u16,
    pub(crate) authentication_method: bool,
    pub(crate) will: Option<Will>,
}

/// A will, and how long it waits.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    pub(crate) message: Message,
    pub(crate) expiry_seconds: Option<u32>,
    pub(crate) delay_seconds: u32,
}

impl Connect {
    pub(super) fn from_v3(connect: v3::Connect) -> Result<Self, Violation> {
        if connect.username.is_none() && connect.password.is_some() {
            return Err(Violation(reason::PROTOCOL)); // MQTT 3.1.1, 3.1.2-22
        }
        let will = connect.last_will.map(|will| Will {
            message: Message::new(
                will.topic.to_string().into(),
                Bytes::copy_from_slice(&will.message),
                will.qos.into(),
                will.retain,
            ),
            expiry_seconds: None,
            delay_seconds: 0,
        });
        Ok(Self {
            clean_start: connect.clean_session,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id,
            user: connect.username,
            password: connect.password,
            expiry_seconds: if connect.clean_session { 0 } else { u32::MAX },
            receive_max: u16::MAX,
            packet_bytes_max: usize::MAX,
            topic_alias_max: 0,
            authentication_method: false,
            will,
        })
    }

    pub(super) fn from_v5(connect: v5::Connect) -> Result<Self, Violation> {
        if connect.auth_data.is_some() && connect.auth_method.is_none() {
            return Err(Violation(reason::PROTOCOL)); // MQTT 5, 3.1.2.11.10
        }
        let will = connect.last_will.map(|will| {
            let mut message = Message::new(
                will.topic.to_string().into(),
                will.message,
                will.qos.into(),
                will.retain,
            );
            message.properties = pass_on(PublishProperties {
                correlation_data: will.correlation_data,
                content_type: will.content_type,
                user_properties: will.user_properties,
                is_utf8_payload: will.is_utf8_payload.unwrap_or_default(),
                response_topic: will.response_topic,
                ..PublishProperties::default()
            });
            Will {
                message: message.detached(),
                expiry_seconds: will.message_expiry_interval.map(NonZeroU32::get),
                delay_seconds: will.will_delay_interval_sec.unwrap_or_default(),
            }
        });
        Ok(Self {
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id,
            user: connect.username,
            password: connect.password,
            expiry_seconds: connect.session_expiry_interval_secs,
            receive_max: connect.receive_max.map_or(u16::MAX, NonZeroU16::get),
            packet_bytes_max: connect.max_packet_size.map_or(usize::MAX, |n| n.get() as usize),
            topic_alias_max: connect.topic_alias_max,
            authentication_method: connect.auth_method.is_some(),
            will,
        })
    }
}
