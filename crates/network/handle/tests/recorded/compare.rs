//! The fields of a message in the form that the recording has them in.

use serde_json::{Map, Value as Json, json};
use weir_handle::{
    AdminPermissions, Answer, Credential, DigestAlgorithm, Element, Envelope, Error, Header,
    KeyExchange, List, Message, Permissions, PublicKey, Reference, Request, Response, Site, Ttl,
    Value, ValueData,
};

use crate::capture::hex;

/// Text where it is text, as the recording has it.
pub(crate) fn text(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| c == '\n' || c == '\t' || c as u32 >= 32) => json!(text),
        _ => json!({"hex": hex(bytes)}),
    }
}

pub(crate) fn envelope(envelope: &Envelope) -> Json {
    json!({
        "version": envelope.version.to_string(), "suggest_version": envelope.suggested.to_string(),
        "compressed": envelope.compressed, "encrypted": envelope.encrypted,
        "truncated": envelope.truncated, "session_id": envelope.session_id as i32,
        "request_id": envelope.request_id, "sequence": envelope.sequence,
        "message_length": envelope.length,
    })
}

pub(crate) fn header(header: &Header, body_length: usize) -> Json {
    json!({
        "op": header.op.code() as i32, "rc": header.response.code() as i32,
        "flags": format!("0x{:08x}", header.flags.0),
        "flag_names": header.flags.names().collect::<Vec<_>>(),
        "site_serial": header.site_serial, "recursion": header.recursion, "reserved": 0,
        "expiration": header.expiration, "body_length": body_length,
    })
}

pub(crate) fn credential(credential: &Credential<'_>) -> Json {
    json!({
        "version": credential.version, "reserved": 0, "flags": credential.flags,
        "signer_handle": text(credential.signer), "session_counter": credential.counter,
        "type": text(credential.kind), "alg": text(credential.algorithm),
        "section_length": 8 + credential.algorithm.len() + credential.bytes.len(),
        "bytes_hex": hex(credential.bytes),
    })
}

fn reference(reference: &Reference<'_>) -> Json {
    json!({"handle": text(reference.handle), "index": reference.index})
}

fn list<'a, T: Element<'a>>(list: List<'a, T>, each: impl Fn(&T) -> Json) -> Json {
    list.iter().map(|item| each(&item)).collect()
}

pub(crate) fn value(value: &Value<'_>) -> Json {
    let permissions = value.permissions;
    let (kind, number) = match value.ttl {
        Ttl::Relative(seconds) => (0, seconds),
        Ttl::Absolute(second) => (1, second),
        Ttl::Other(kind, number) => (kind, number),
    };
    let mut made = json!({
        "index": value.index, "timestamp": value.timestamp, "ttl_type": kind, "ttl": number,
        "perms": {
            "byte": permissions.0,
            "admin_read": permissions.has(Permissions::ADMIN_READ),
            "admin_write": permissions.has(Permissions::ADMIN_WRITE),
            "public_read": permissions.has(Permissions::PUBLIC_READ),
            "public_write": permissions.has(Permissions::PUBLIC_WRITE),
        },
        "type": text(value.kind), "data_hex": hex(value.data),
        "refs": list(value.references, reference),
    });
    if let Some(meaning) = meaning(value) {
        made["data"] = meaning;
    }
    made
}

fn meaning(value: &Value<'_>) -> Option<Json> {
    let short = |bytes: &[u8]| match text(bytes) {
        Json::String(text) if text.chars().count() <= 400 => Some(json!(text)),
        _ => None,
    };
    match ValueData::of(value) {
        Err(_) => Some(json!({"undecodable": true})),
        Ok(ValueData::Admin(admin)) => {
            let names = AdminPermissions::NAMES
                .iter()
                .filter(|(bit, _)| admin.permissions.has(*bit))
                .map(|(_, name)| *name);
            let mut made = json!({
                "permissions": admin.permissions.0, "permission_names": names.collect::<Vec<_>>(),
                "handle": text(admin.user.handle), "index": admin.user.index,
            });
            let mut canonical = Vec::new();
            admin.encode(&mut canonical);
            if value.data.len() > canonical.len() {
                made["trailing_hex"] = json!(hex(&value.data[canonical.len()..]));
            }
            Some(made)
        }
        Ok(ValueData::ValueList(members)) => Some(list(members, reference)),
        Ok(ValueData::Site(found)) => Some(site(&found)),
        Ok(ValueData::PublicKey(key)) => Some(public_key(&key, value.data)),
        Ok(
            ValueData::SecretKey(bytes)
            | ValueData::Alias(bytes)
            | ValueData::Service(bytes)
            | ValueData::Signature(bytes)
            | ValueData::Certificate(bytes)
            | ValueData::Locations(bytes)
            | ValueData::Other(bytes),
        ) => short(bytes),
    }
}

pub(crate) fn site(site: &Site<'_>) -> Json {
    json!({
        "format_version": site.format, "protocol_version": site.protocol.to_string(),
        "serial": site.serial, "primary": site.primary, "multi_primary": site.multi_primary,
        "hash_option": match site.hash_option {
            weir_handle::HashOption::Prefix => 0,
            weir_handle::HashOption::Suffix => 1,
            weir_handle::HashOption::Handle => 2,
            weir_handle::HashOption::Other(other) => other,
        },
        "hash_filter_hex": hex(site.hash_filter),
        "attributes": list(site.attributes, |each| json!([text(each.name), text(each.value)])),
        "servers": list(site.servers, |server| json!({
            "server_id": server.id, "address_hex": hex(&server.address),
            "public_key_hex": hex(server.public_key),
            "interfaces": list(server.interfaces, |each| json!({
                "type": each.kind, "port": each.port,
                "protocol": match each.transport {
                    weir_handle::Transport::Udp => 0,
                    weir_handle::Transport::Tcp => 1,
                    weir_handle::Transport::Http => 2,
                    weir_handle::Transport::Https => 3,
                    weir_handle::Transport::Other(other) => other,
                },
            })),
        })),
    })
}

fn public_key(key: &PublicKey<'_>, data: &[u8]) -> Json {
    let numbers: Vec<(&str, &[u8])> = match *key {
        PublicKey::Rsa { e, n } => vec![("e_hex", e), ("n_hex", n)],
        PublicKey::Dsa { q, p, g, y } => {
            vec![("q_hex", q), ("p_hex", p), ("g_hex", g), ("y_hex", y)]
        }
        PublicKey::DiffieHellman { y, p, g } => vec![("y_hex", y), ("p_hex", p), ("g_hex", g)],
        _ => panic!("no such key is recorded"),
    };
    let used = 4 + key.kind().len() + 2 + numbers.iter().map(|(_, n)| 4 + n.len()).sum::<usize>();
    let mut made = Map::new();
    made.insert("key_type".into(), text(key.kind()));
    made.insert("flags".into(), json!(0));
    made.extend(numbers.into_iter().map(|(name, n)| (name.to_owned(), json!(hex(n)))));
    made.insert("trailing_hex".into(), json!(hex(&data[used..])));
    Json::Object(made)
}

fn values(list: List<'_, Value<'_>>) -> Json {
    list.iter().map(|each| value(&each)).collect()
}

/// The body of a message, and what its canonical form leaves over.
pub(crate) fn body(message: &Message<'_>) -> Result<Json, Error> {
    let (mut made, canonical) = match message.header.response.code() {
        0 => {
            let asked = message.request()?;
            let mut canonical = Vec::new();
            asked.encode(&mut canonical);
            (request(message, &asked), canonical)
        }
        _ => {
            let answered = message.response()?;
            let mut canonical = Vec::new();
            answered.encode(message.envelope.version, &mut canonical);
            // The canonical form ends a session's setup with two zeros, which the recording
            // takes for trailing bytes.
            if let Answer::SessionSetup { .. } = answered.answer {
                canonical.truncate(canonical.len() - 2);
            }
            (response(&answered, message.envelope.version), canonical)
        }
    };
    let unknown = message.header.response.code() == 0
        && matches!(message.request()?, Request::Other { .. })
        && !message.body.is_empty();
    if unknown {
        made["trailing_hex"] = json!(hex(message.body));
    } else if !message.body.is_empty() {
        assert_eq!(canonical[..], message.body[..canonical.len()], "encodes differently");
        if message.body.len() > canonical.len() {
            made["trailing_hex"] = json!(hex(&message.body[canonical.len()..]));
        }
    }
    Ok(made)
}

fn request(message: &Message<'_>, request: &Request<'_>) -> Json {
    match *request {
        Request::Resolution { handle, indexes, types } => json!({
            "handle": text(handle), "indexes": indexes.iter().collect::<Vec<_>>(),
            "types": list(types, |each| text(each)),
        }),
        Request::CreateHandle { handle, values: list }
        | Request::AddValue { handle, values: list }
        | Request::ModifyValue { handle, values: list } => {
            json!({"handle": text(handle), "values": values(list)})
        }
        Request::RemoveValue { handle, indexes } => {
            json!({"handle": text(handle), "indexes": indexes.iter().collect::<Vec<_>>()})
        }
        Request::ChallengeResponse(answer) => {
            let mut made = json!({
                "auth_type": text(answer.authentication), "user_handle": text(answer.user.handle),
                "user_index": answer.user.index, "answer_hex": hex(answer.answer),
            });
            if let Some(parts) = crate::codec::answer_parts(message, &answer) {
                made["answer"] = parts;
            }
            made
        }
        Request::VerifyResponse { user, nonce, request_digest, answer } => json!({
            "handle": text(user.handle), "index": user.index, "nonce_hex": hex(nonce),
            "request_digest_hex": hex(request_digest), "answer_hex": hex(answer),
        }),
        Request::SessionSetup(setup) => {
            let mut made = json!({
                "mode": setup.exchange.mode(), "timeout": setup.timeout,
                "identity_handle": text(setup.identity.handle),
                "identity_index": setup.identity.index,
            });
            match setup.exchange {
                KeyExchange::ClientKey(key) | KeyExchange::DiffieHellman(key) => {
                    made["public_key_hex"] = json!(hex(key));
                    made["public_key"] = public_key(&PublicKey::decode(key).unwrap(), key);
                }
                KeyExchange::HandleKey(key) => {
                    made["exchange_handle"] = text(key.handle);
                    made["exchange_index"] = json!(key.index);
                }
                KeyExchange::ServerKey => {}
                KeyExchange::Other(_, rest) => assert!(rest.is_empty()),
            }
            made
        }
        Request::SessionExchangeKey { encrypted_key } => {
            json!({"encrypted_key_hex": hex(encrypted_key)})
        }
        Request::Other { .. } => json!({}),
        Request::GetSiteInfo { handle }
        | Request::DeleteHandle { handle }
        | Request::ListHandles { prefix: handle }
        | Request::HomePrefix { prefix: handle }
        | Request::UnhomePrefix { prefix: handle }
        | Request::ListHomedPrefixes { handle }
        | Request::SessionTerminate { handle }
        | Request::NextTransactionId { handle }
        | Request::Backup { handle } => json!({"handle": text(handle)}),
    }
}

fn response(response: &Response<'_>, version: weir_handle::Version) -> Json {
    let mut made = match response.answer {
        Answer::Resolution { handle, values: list } => {
            json!({"handle": text(handle), "values": values(list)})
        }
        Answer::SiteInfo(found) => json!({"site": site(&found)}),
        Answer::Created(Some(handle)) => json!({"handle": text(handle)}),
        Answer::Handles(handles) => json!({"handles": list(handles, |each| text(each))}),
        Answer::Verified(valid) => json!({"valid": valid}),
        Answer::SessionSetup { mode, data } => json!({"mode": mode, "data_hex": hex(data)}),
        Answer::NextTransactionId(id) => json!({"next_txn_id": id}),
        Answer::Challenge { nonce } => json!({"nonce_hex": hex(nonce)}),
        Answer::Referral { handle, values: Some(list) } => {
            json!({"referral_handle": text(handle), "values": values(list)})
        }
        Answer::Referral { handle, values: None } => json!({"referral_handle": text(handle)}),
        Answer::Failed { message: Some(message) } => json!({"message": text(message)}),
        Answer::Failed { message: None } | Answer::Created(None) | Answer::Done => json!({}),
        Answer::Other(_) => panic!("no such answer is recorded"),
    };
    if let Some(digest) = &response.request_digest {
        // Before version 2.1 the digest has no byte of its algorithm.
        let alg = if version.has(weir_handle::Version::DIGEST_FLAG) {
            digest.algorithm.byte()
        } else {
            0
        };
        assert!(alg > 0 || digest.algorithm == DigestAlgorithm::Md5);
        made["request_digest"] = json!({"alg_id": alg, "hex": hex(digest.bytes)});
    }
    made
}
