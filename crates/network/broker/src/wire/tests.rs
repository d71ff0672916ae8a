use proptest::prelude::*;

use super::*;

const MAX: usize = 1024 * 1024;

fn decode_all(version: Version, bytes: &[u8]) -> Vec<Result<Packet, Violation>> {
    let mut wire = Wire::new(version);
    let mut input = BytesMut::from(bytes);
    let mut packets = Vec::new();
    loop {
        match wire.decode(&mut input, MAX) {
            Ok(Some(packet)) => packets.push(Ok(packet)),
            Ok(None) => return packets,
            Err(violation) => {
                packets.push(Err(violation));
                return packets;
            }
        }
    }
}

fn message(topic: &str, payload: &'static [u8]) -> Message {
    Message::new(topic.into(), Bytes::from_static(payload), Qos::AtLeastOnce, false)
}

fn outgoing(message: &Message) -> Outgoing<'_> {
    Outgoing {
        message,
        packet_id: 7,
        qos: message.qos,
        retain: message.retain,
        dup: false,
        identifiers: &[],
        alias: None,
        expiry_seconds: None,
    }
}

#[test]
fn what_is_written_by_hand_is_what_the_codec_reads() {
    for version in [Version::V3, Version::V5] {
        for topic in ["a", "温度/1", "🌡", "\u{1}\u{7f}"] {
            for payload in [&b""[..], &[0xFF; 20_000][..]] {
                let message = message(topic, payload);
                let mut out = BytesMut::new();
                assert!(outgoing(&message).encode(&mut Wire::new(version), &mut out, MAX));
                let packets = decode_all(version, &out);
                let [Ok(Packet::Publish(publish))] = packets.as_slice() else {
                    panic!("{packets:?}");
                };
                assert_eq!(&*publish.topic, topic);
                assert_eq!(publish.payload, payload);
                assert_eq!(publish.packet_id.map(NonZeroU16::get), Some(7));
            }
        }
    }
}

#[test]
fn an_alias_replaces_the_topic() {
    let message = message("a/b", b"x");
    let mut out = BytesMut::new();
    let mut wire = Wire::new(Version::V5);
    for known in [false, true] {
        let publish = Outgoing { alias: Some((3, known)), ..outgoing(&message) };
        assert!(publish.encode(&mut wire, &mut out, MAX));
    }
    let packets = decode_all(Version::V5, &out);
    let topics: Vec<_> = packets
        .iter()
        .map(|p| match p {
            Ok(Packet::Publish(p)) => {
                (p.topic.to_string(), p.properties.as_ref().unwrap().topic_alias.unwrap().get())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(topics, [("a/b".to_owned(), 3), (String::new(), 3)]);
}

#[test]
fn a_message_too_large_for_the_client_is_not_written() {
    let message = message("a", &[1; 100]);
    let mut out = BytesMut::from(&b"before"[..]);
    for version in [Version::V3, Version::V5] {
        assert!(!outgoing(&message).encode(&mut Wire::new(version), &mut out, 100));
        assert_eq!(out, &b"before"[..]);
    }
}

#[test]
fn acknowledgements_have_a_reason_only_when_there_is_one() {
    let mut out = BytesMut::new();
    let v5 = Wire::new(Version::V5);
    v5.puback(&mut out, 258, reason::SUCCESS);
    v5.pubrel(&mut out, 258, reason::ID_NOT_FOUND);
    Wire::new(Version::V3).pubrec(&mut out, 258, reason::NOT_AUTHORIZED);
    assert_eq!(&out[..], [0x40, 2, 1, 2, 0x62, 3, 1, 2, 0x92, 0x50, 2, 1, 2]);
    assert_eq!(&v5.suback(1, &[1, 0x87])[..], [0x90, 5, 0, 1, 0, 1, 0x87]);
    assert_eq!(&Wire::new(Version::V3).suback(1, &[1, 0x87])[..], [0x90, 4, 0, 1, 1, 0x80]);
}

#[test]
fn versions() {
    let connect = |name: &[u8], level: u8| {
        let mut packet = vec![0x10, 0, 0, u8::try_from(name.len()).unwrap()];
        packet.extend_from_slice(name);
        packet.extend_from_slice(&[level, 2, 0, 0, 0, 0]);
        packet[1] = u8::try_from(packet.len() - 2).unwrap();
        packet
    };
    assert_eq!(version(&connect(b"MQTT", 4)), Ok(Version::V3));
    assert_eq!(version(&connect(b"MQIsdp", 3)), Ok(Version::V3));
    assert_eq!(version(&connect(b"MQTT", 5)), Ok(Version::V5));
    assert_eq!(version(&connect(b"MQTT", 6)), Ok(Version::Unknown));
    assert_eq!(version(&connect(b"HTTP", 4)), Err(Violation(reason::PROTOCOL)));
    assert_eq!(version(b"GET / HTTP/1.1\r\n"), Err(Violation(reason::PROTOCOL)));
}

#[test]
fn a_header_announces_more_than_is_taken() {
    assert_eq!(is_whole(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], MAX), Err(Violation(reason::TOO_LARGE)));
    let endless = [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    assert_eq!(is_whole(&endless, MAX), Err(Violation(reason::MALFORMED)));
    assert_eq!(is_whole(&[0x30, 0xFF], MAX), Ok(false));
    assert_eq!(is_whole(&[0xC0, 0], MAX), Ok(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for version in [Version::V3, Version::V5] {
            decode_all(version, &bytes);
            let mut wire = Wire::new(version);
            if is_whole(&bytes, MAX) == Ok(true) {
                let _ = wire.connect(&mut BytesMut::from(&bytes[..]));
            }
        }
        let _ = super::version(&bytes);
    }

    /// Packets that begin right and go wrong somewhere inside.
    #[test]
    fn no_body_panics(
        first in any::<u8>(),
        body in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
        bytes.extend_from_slice(&body);
        for version in [Version::V3, Version::V5] {
            decode_all(version, &bytes);
        }
    }

    #[test]
    fn no_connect_panics(
        level in 3_u8..7,
        flags in any::<u8>(),
        body in proptest::collection::vec(any::<u8>(), 0..110),
    ) {
        let mut bytes = vec![0x10, u8::try_from(8 + body.len()).unwrap()];
        bytes.extend_from_slice(b"\x00\x04MQTT");
        bytes.extend_from_slice(&[level, flags]);
        bytes.extend_from_slice(&body);
        let version = super::version(&bytes).unwrap();
        let _ = Wire::new(version).connect(&mut BytesMut::from(&bytes[..]));
    }

    /// Whatever properties a message has, what is written is read back the same.
    #[test]
    fn properties_survive(
        topic in "[a-z温/]{1,20}",
        keys in proptest::collection::vec(("[a-z🌡]{0,5}", ".{0,9}"), 0..4),
        data in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        response in proptest::option::of("[a-z/]{1,9}"),
        identifiers in proptest::collection::vec(1_u32..268_435_455, 0..3),
        expiry in proptest::option::of(1_u32..u32::MAX),
    ) {
        let mut message = message(&topic, b"payload");
        message.properties = pass_on(PublishProperties {
            user_properties:
                keys.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect(),
            correlation_data: data.map(Bytes::from),
            response_topic: response.map(ByteString::from),
            ..PublishProperties::default()
        });
        let publish =
            Outgoing { identifiers: &identifiers, expiry_seconds: expiry, ..outgoing(&message) };
        let mut out = BytesMut::new();
        prop_assert!(publish.encode(&mut Wire::new(Version::V5), &mut out, MAX));
        let packets = decode_all(Version::V5, &out);
        let [Ok(Packet::Publish(read))] = packets.as_slice() else {
            panic!("{packets:?}");
        };
        let properties = read.properties.clone().unwrap();
        let read_identifiers: Vec<u32> =
            properties.subscription_ids.iter().map(|i| i.get()).collect();
        prop_assert_eq!(read_identifiers, identifiers);
        prop_assert_eq!(properties.message_expiry_interval.map(NonZeroU32::get), expiry);
        prop_assert_eq!(pass_on(properties), message.properties);
    }
}
