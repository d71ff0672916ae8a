//! What is in the messages, and that they are written as they were read.

use serde_json::{Value as Json, json};
use weir_handle::{
    ChallengeResponse, Draft, ENVELOPE_BYTES, Envelope, HashOption, Message, Reader, Version,
    fragments, server_of,
};

use crate::capture::{Exchange, Side, all, hex, message, read};
use crate::compare;

/// Algorithm and parts of an answer to a challenge.
pub(crate) fn answer_parts(message: &Message<'_>, answer: &ChallengeResponse<'_>) -> Option<Json> {
    let mut reader = Reader::new(answer.answer);
    if answer.with_public_key() {
        let name = reader.blob("").unwrap();
        let signature = reader.blob("").unwrap();
        return Some(json!({"hash_alg": compare::text(name), "signature_hex": hex(signature)}));
    }
    let counts = message.envelope.version.has(Version::DIGEST_FLAG) && !reader.is_empty();
    if !counts || !answer.with_secret_key() {
        return None;
    }
    let id = reader.u8("").unwrap();
    Some(match id {
        0x22 => json!({
            "alg_id": id, "salt_hex": hex(reader.blob("").unwrap()),
            "iterations": reader.u32("").unwrap(), "key_bits": reader.u32("").unwrap(),
            "mac_hex": hex(reader.blob("").unwrap()),
        }),
        _ => json!({"alg_id": id, "mac_hex": hex(reader.rest())}),
    })
}

/// Compares what both have; the recording has names besides, which follow from the numbers.
fn same(found: &Json, recorded: &Json, place: &str) {
    let (Json::Object(found), Json::Object(recorded)) = (found, recorded) else {
        return assert_eq!(found, recorded, "{place}");
    };
    for (field, value) in recorded {
        match field.as_str() {
            "op_name" | "rc_name" | "fragments" => {}
            _ => {
                let place = format!("{place}.{field}");
                same(
                    found.get(field).unwrap_or_else(|| panic!("{place} is missing")),
                    value,
                    &place,
                );
            }
        }
    }
    for field in found.keys() {
        assert!(recorded.contains_key(field), "{place}.{field} is not in the recording");
    }
}

/// Reads one message, compares it, and writes it again; false if it is none.
fn check(bytes: &[u8], recorded: &Json, place: &str) -> bool {
    let envelope = match Envelope::decode(bytes) {
        Ok(envelope) => envelope,
        Err(error) => {
            // The recorder reads messages of any length.
            let long = matches!(error, weir_handle::Error::TooLong { .. });
            assert!(recorded.get("undecodable").is_some() || long, "{place}: {error}");
            return false;
        }
    };
    // The recording has the bit of the first fragment, which putting together clears.
    let mut wanted = recorded.clone();
    if wanted["envelope"].get("fragments").is_some() {
        wanted["envelope"]["truncated"] = json!(false);
        wanted["envelope"]["sequence"] = json!(0);
    }
    same(&compare::envelope(&envelope), &wanted["envelope"], place);
    if envelope.encrypted {
        assert_eq!(recorded["encrypted_payload_hex"], hex(&bytes[ENVELOPE_BYTES..]));
        return true;
    }
    let read = message(bytes).and_then(|message| {
        let body = compare::body(&message)?;
        Ok((message, body))
    });
    let (message, body) = match read {
        Ok(read) => read,
        Err(error) => {
            assert!(recorded.get("undecodable").is_some(), "{place}: {error}");
            return false;
        }
    };
    if recorded.get("undecodable").is_some() {
        // What we read though the recorder did not: a site is asked for with an empty body, and a
        // credential that is cut is looked at only where it is needed.
        assert!(place.contains("empty-body") || message.credential().is_err(), "{place}");
        return true;
    }
    same(&compare::header(&message.header, message.body.len()), &recorded["header"], place);
    same(&body, &recorded["body"], place);
    let credential = message.credential().unwrap();
    match (&credential, recorded.get("credential")) {
        (Some(credential), Some(recorded)) => {
            same(&compare::credential(credential), recorded, place);
        }
        (None, None) => {}
        _ => panic!("{place}: credential"),
    }
    write(&message, bytes, place);
    true
}

/// Writes a message from its parts.
fn write(message: &Message<'_>, bytes: &[u8], place: &str) {
    let credential = message.credential().unwrap();
    let mut out = vec![1, 2, 3];
    let mut draft = Draft::begin(&mut out, &message.envelope, &message.header);
    draft.body().extend_from_slice(message.body);
    match credential {
        None => draft.finish(),
        Some(credential) => draft
            .finish_with(|envelope, signed, out| {
                assert_eq!(envelope, &message.envelope);
                assert_eq!(signed, message.signed_part());
                credential.encode(out);
                Ok(())
            })
            .unwrap(),
    }
    let out = &out[3..];
    let odd = message.after_body().is_empty()
        || ["trailing", "junk", "real-262144", "big-datagram", "length-"]
            .iter()
            .any(|word| place.contains(word));
    if !odd {
        assert_eq!(hex(out), hex(bytes), "{place} is written differently");
    }
}

fn check_side(side: &Side, place: &str) -> (usize, usize) {
    if let [one] = &side.decoded[..]
        && one.get("undecodable").is_some()
        && one.get("envelope").is_none()
    {
        return (0, 1);
    }
    let messages = side.messages();
    assert_eq!(messages.len(), side.decoded.len(), "{place}");
    let read = messages
        .iter()
        .zip(&side.decoded)
        .filter(|(bytes, recorded)| check(bytes, recorded, place))
        .count();
    (read, messages.len() - read)
}

#[test]
fn every_message_is_read_and_written() {
    let (mut read, mut not) = (0, 0);
    for capture in all() {
        for exchange in &capture.exchanges {
            for (which, side) in [("request", &exchange.request), ("response", &exchange.response)]
            {
                let place = format!("{}: {}: {which}", capture.name, exchange.name);
                let (more_read, more_not) = check_side(side, &place);
                read += more_read;
                not += more_not;
            }
        }
    }
    println!("{read} messages read and written, {not} are none");
    assert!(read > 1400, "{read}");
    assert!(not < 40, "{not}");
}

#[test]
fn answers_have_the_version_that_the_reference_server_gave() {
    let mut compared = 0;
    for capture in all().iter().filter(|capture| !capture.name.starts_with("18")) {
        for exchange in &capture.exchanges {
            let (Some(asked), Some(answered)) =
                (exchange.request.packets.first(), exchange.response.packets.first())
            else {
                continue;
            };
            let (Ok(asked), Ok(answered)) = (Envelope::decode(asked), Envelope::decode(answered))
            else {
                continue;
            };
            if answered.request_id == u32::MAX {
                continue;
            }
            assert_eq!(asked.answer().version, answered.version, "{}", exchange.name);
            assert_eq!(asked.answer().suggested, answered.suggested, "{}", exchange.name);
            compared += 1;
        }
    }
    assert!(compared > 600, "{compared}");
}

#[test]
fn datagrams_are_cut_as_recorded() {
    let mut cut = 0;
    for capture in all() {
        let udp = |exchange: &&Exchange| exchange.json["transport"] == "udp";
        for exchange in capture.exchanges.iter().filter(udp) {
            let packets = &exchange.response.packets;
            let [message] = &exchange.response.messages()[..] else { continue };
            if packets.len() < 2 {
                continue;
            }
            let made: Vec<_> = fragments(message)
                .unwrap()
                .map(|(head, piece)| [&head[..], piece].concat())
                .collect();
            assert_eq!(&made, packets, "{}", exchange.name);
            cut += 1;
        }
    }
    assert!(cut > 20, "{cut}");
}

#[test]
fn handles_are_on_the_server_that_says_so() {
    let exchanges = read("16_hashing.json.gz").exchanges;
    for exchange in &exchanges {
        let json = &exchange.json;
        let handle = json["handle"].as_str().unwrap().as_bytes();
        let option = HashOption::from(json["hash_option"].as_u64().unwrap() as u8);
        let servers = json["num_servers"].as_u64().unwrap() as usize;
        let server = server_of(option, handle, servers).unwrap();
        assert_eq!(json["computed_server_number"], server, "{}", exchange.name);
        assert_eq!(json["server_says_mine"], server == 0, "{}", exchange.name);
    }
    assert_eq!(exchanges.len(), 108);
}
