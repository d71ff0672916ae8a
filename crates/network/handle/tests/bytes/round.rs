use proptest::prelude::*;
use weir_handle::{
    Admin, AdminPermissions, Answer, Attribute, ChallengeResponse, Credential, Draft, Envelope,
    Flags, HashOption, Header, Interface, KeyExchange, List, Message, OpCode, Permissions,
    PublicKey, Reference, Request, RequestDigest, Response, ResponseCode, Server, SessionSetup,
    Site, Transport, Ttl, Value, Version,
};

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// The parts of a value that borrow nothing.
#[derive(Debug, Clone)]
struct Parts {
    numbers: (i32, i32, u8, i32, u8),
    kind: Vec<u8>,
    data: Vec<u8>,
    references: Vec<(Vec<u8>, i32)>,
}

fn parts() -> impl Strategy<Value = Vec<Parts>> {
    let references = prop::collection::vec((bytes(9), any::<i32>()), 0..3);
    let one = (any::<(i32, i32, u8, i32, u8)>(), bytes(9), bytes(40), references)
        .prop_map(|(numbers, kind, data, references)| Parts { numbers, kind, data, references });
    prop::collection::vec(one, 0..4)
}

/// Gives the values of the parts as a list.
fn with_values<R>(parts: &[Parts], then: impl FnOnce(List<'_, Value<'_>>) -> R) -> R {
    let mut buffers: Vec<Vec<u8>> = vec![Vec::new(); parts.len()];
    let values: Vec<_> = parts
        .iter()
        .zip(&mut buffers)
        .map(|(parts, buffer)| {
            let references: Vec<_> = parts
                .references
                .iter()
                .map(|(handle, index)| Reference::new(handle, *index))
                .collect();
            let (index, timestamp, ttl, number, permissions) = parts.numbers;
            Value {
                index,
                timestamp,
                ttl: match ttl {
                    0 => Ttl::Relative(number),
                    1 => Ttl::Absolute(number),
                    other => Ttl::Other(other, number),
                },
                permissions: Permissions(permissions),
                kind: &parts.kind,
                data: &parts.data,
                references: List::build(&references, buffer),
            }
        })
        .collect();
    let mut buffer = Vec::new();
    let list = List::build(&values, &mut buffer);
    assert_eq!(list.iter().collect::<Vec<_>>(), values);
    then(list)
}

fn request_comes_back(request: &Request<'_>) {
    let mut body = Vec::new();
    request.encode(&mut body);
    assert_eq!(&Request::decode(request.op(), &body).unwrap(), request);
    // Others send more, which changes nothing; and less is an error, not another request.
    if !matches!(request, Request::Other { .. }) {
        for cut in 0..body.len() {
            let read = Request::decode(request.op(), &body[..cut]);
            let rest = matches!(
                request,
                Request::SessionSetup(SessionSetup { exchange: KeyExchange::Other(..), .. })
            );
            let empty = matches!(request, Request::GetSiteInfo { .. }) && cut == 0;
            assert!(read.is_err() || rest || empty, "{request:?} cut at {cut}");
        }
        if !matches!(
            request,
            Request::SessionSetup(SessionSetup { exchange: KeyExchange::Other(..), .. })
        ) {
            body.extend_from_slice(&[0, 0]);
            assert_eq!(&Request::decode(request.op(), &body).unwrap(), request);
        }
    }
}

fn response_comes_back(op: OpCode, code: ResponseCode, digest: bool, answer: Answer<'_>) {
    for version in [Version::CURRENT, Version::DIGEST_FLAG] {
        let algorithm = weir_handle::DigestAlgorithm::of(version);
        let made = algorithm.digest(&[b"request"]);
        let request_digest: Option<RequestDigest<'_>> = digest.then(|| made.in_response());
        let response = Response { request_digest, answer };
        let mut body = Vec::new();
        response.encode(version, &mut body);
        let flags = Flags::default().with(Flags::RRDG, digest);
        let header = Header { response: code, ..Header::request(op, flags, 0) };
        assert_eq!(Response::decode(version, &header, &body).unwrap(), response);
    }
}

proptest! {
    #[test]
    fn requests_come_back(
        handle in bytes(40), parts in parts(), indexes in prop::collection::vec(any::<i32>(), 0..5),
        types in prop::collection::vec(bytes(9), 0..4), blob in bytes(30), index: i32, mode in 5..9_u16,
        code in 2000..3000_u32,
    ) {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let indexes = List::build(&indexes, &mut one);
        let types: Vec<_> = types.iter().map(Vec::as_slice).collect();
        let types = List::build(&types, &mut two);
        let (handle, blob) = (&handle[..], &blob[..]);
        let user = Reference::new(handle, index);
        let setup = |exchange| Request::SessionSetup(SessionSetup { timeout: index, identity: user, exchange });
        with_values(&parts, |values| {
            for request in [
                Request::Resolution { handle, indexes, types },
                Request::GetSiteInfo { handle },
                Request::CreateHandle { handle, values },
                Request::DeleteHandle { handle },
                Request::AddValue { handle, values },
                Request::RemoveValue { handle, indexes },
                Request::ModifyValue { handle, values },
                Request::ListHandles { prefix: handle },
                Request::ChallengeResponse(ChallengeResponse { authentication: blob, user, answer: handle }),
                Request::VerifyResponse { user, nonce: blob, request_digest: handle, answer: blob },
                Request::HomePrefix { prefix: handle },
                Request::UnhomePrefix { prefix: handle },
                Request::ListHomedPrefixes { handle },
                setup(KeyExchange::ClientKey(blob)),
                setup(KeyExchange::ServerKey),
                setup(KeyExchange::HandleKey(user)),
                setup(KeyExchange::DiffieHellman(blob)),
                setup(KeyExchange::Other(mode, blob)),
                Request::SessionTerminate { handle },
                Request::SessionExchangeKey { encrypted_key: blob },
                Request::NextTransactionId { handle },
                Request::Backup { handle },
                Request::Other { op: OpCode::DumpHandles, body: blob },
                Request::Other { op: OpCode::Other(code), body: blob },
            ] {
                request_comes_back(&request);
            }
        });
    }

    #[test]
    fn responses_come_back(
        handle in bytes(40), parts in parts(), names in prop::collection::vec(bytes(9), 0..4),
        digest: bool, id: i64, site in sites(),
    ) {
        let names: Vec<_> = names.iter().map(Vec::as_slice).collect();
        let mut buffer = Vec::new();
        let handles = List::build(&names, &mut buffer);
        let handle = &handle[..];
        let done = ResponseCode::Success;
        with_values(&parts, |values| {
            for (op, code, answer) in [
                (OpCode::Resolution, done, Answer::Resolution { handle, values }),
                (OpCode::CreateHandle, done, Answer::Created(Some(handle))),
                (OpCode::CreateHandle, done, Answer::Created(None)),
                (OpCode::ListHandles, done, Answer::Handles(handles)),
                (OpCode::ListHomedPrefixes, done, Answer::Handles(handles)),
                (OpCode::VerifyResponse, done, Answer::Verified(digest)),
                (OpCode::SessionSetup, done, Answer::SessionSetup { mode: 4, data: handle }),
                (OpCode::NextTransactionId, done, Answer::NextTransactionId(id)),
                (OpCode::DeleteHandle, done, Answer::Done),
                (OpCode::DumpHandles, done, Answer::Other(b"dump")),
                (OpCode::Resolution, ResponseCode::AuthenticationNeeded, Answer::Challenge { nonce: handle }),
                (OpCode::Resolution, ResponseCode::PrefixReferral, Answer::Referral { handle, values: None }),
                (OpCode::Resolution, ResponseCode::ServiceReferral, Answer::Referral { handle, values: Some(values) }),
                (OpCode::Resolution, ResponseCode::HandleNotFound, Answer::Failed { message: None }),
                (OpCode::Resolution, ResponseCode::Error, Answer::Failed { message: Some(handle) }),
            ] {
                response_comes_back(op, code, digest, answer);
            }
        });
        site.with(|site| {
            response_comes_back(OpCode::GetSiteInfo, done, digest, Answer::SiteInfo(site));
        });
    }

    #[test]
    fn messages_come_back(
        numbers: (u32, u32, u32, u16, u8, u32), bits: (bool, bool, u8, u8), body in bytes(99),
        credential in prop::option::of((any::<u16>(), any::<u32>(), bytes(9), bytes(9))),
        before in bytes(9),
    ) {
        let (session_id, request_id, flags, site_serial, recursion, expiration) = numbers;
        let envelope = Envelope {
            version: Version::new(2, bits.2 % 12), suggested: Version::new(2, bits.3),
            compressed: bits.0, truncated: bits.1, session_id, ..Envelope::request(request_id)
        };
        let header = Header {
            site_serial, recursion, expiration, ..Header::request(OpCode::Resolution, Flags(flags), 0)
        };
        let made = credential.as_ref().map(|(flags, counter, signer, bytes)| Credential {
            version: 1, flags: *flags, signer, counter: *counter, kind: Credential::MAC,
            algorithm: b"a", bytes,
        });
        let mut out = before.clone();
        let mut draft = Draft::begin(&mut out, &envelope, &header);
        draft.body().extend_from_slice(&body);
        match made {
            None => draft.finish(),
            Some(made) => draft.finish_with(|_, _, out| { made.encode(out); Ok(()) }).unwrap(),
        }
        prop_assert!(out.starts_with(&before));
        let message = Message::decode(&out[before.len()..]).unwrap();
        prop_assert_eq!(Envelope { length: 0, ..message.envelope }, envelope);
        prop_assert_eq!(message.header, header);
        prop_assert_eq!(message.body, body);
        prop_assert_eq!(message.credential().unwrap(), made);
        // Nothing shorter is this message.
        for cut in 0..out.len() - before.len() {
            prop_assert!(Message::decode(&out[before.len()..before.len() + cut]).is_err());
        }
    }

    #[test]
    fn data_comes_back(handle in bytes(30), index: i32, bits: u16, number in bytes(70)) {
        let (mut out, number) = (Vec::new(), &number[..]);
        let admin = Admin { permissions: AdminPermissions(bits), user: Reference::new(&handle, index) };
        admin.encode(&mut out);
        prop_assert_eq!(Admin::decode(&out).unwrap(), admin);
        for key in [
            PublicKey::Rsa { e: &handle, n: number },
            PublicKey::Dsa { q: &handle, p: number, g: number, y: &handle },
            PublicKey::DiffieHellman { y: number, p: &handle, g: number },
            PublicKey::Ed25519(number),
            PublicKey::Sm2(number),
            PublicKey::Other { kind: b"NEW_PUB_KEY", rest: &[&[0, 0], number].concat() },
        ] {
            out.clear();
            key.encode(&mut out);
            prop_assert_eq!(PublicKey::decode(&out).unwrap(), key);
        }
    }
}

/// A site whose parts borrow nothing.
#[derive(Debug, Clone)]
struct Owned {
    numbers: (u16, u8, u8, u16, u8),
    bits: (bool, bool),
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    servers: Vec<OwnedServer>,
}

/// Its number, address and key, and its interfaces.
type OwnedServer = (i32, [u8; 16], Vec<u8>, Vec<(u8, u8, u32)>);

fn sites() -> impl Strategy<Value = Owned> {
    let interfaces = prop::collection::vec(any::<(u8, u8, u32)>(), 0..3);
    let server = (any::<i32>(), any::<[u8; 16]>(), bytes(9), interfaces);
    let attributes = prop::collection::vec((bytes(9), bytes(9)), 0..3);
    (
        any::<(u16, u8, u8, u16, u8)>(),
        any::<(bool, bool)>(),
        attributes,
        prop::collection::vec(server, 0..3),
    )
        .prop_map(|(numbers, bits, attributes, servers)| Owned {
            numbers,
            bits,
            attributes,
            servers,
        })
}

impl Owned {
    fn with(&self, then: impl FnOnce(Site<'_>)) {
        let attributes: Vec<_> =
            self.attributes.iter().map(|(name, value)| Attribute { name, value }).collect();
        let mut buffers = vec![Vec::new(); self.servers.len()];
        let servers: Vec<_> = self
            .servers
            .iter()
            .zip(&mut buffers)
            .map(|((id, address, public_key, interfaces), buffer)| {
                let interfaces: Vec<_> = interfaces
                    .iter()
                    .map(|(kind, transport, port)| Interface {
                        kind: *kind,
                        transport: Transport::from(*transport),
                        port: *port,
                    })
                    .collect();
                let interfaces = List::build(&interfaces, buffer);
                Server { id: *id, address: *address, public_key, interfaces }
            })
            .collect();
        let (format, major, minor, serial, option) = self.numbers;
        let (mut one, mut two) = (Vec::new(), Vec::new());
        then(Site {
            format,
            protocol: Version::new(major, minor),
            serial,
            primary: self.bits.0,
            multi_primary: self.bits.1,
            hash_option: HashOption::from(option),
            hash_filter: b"",
            attributes: List::build(&attributes, &mut one),
            servers: List::build(&servers, &mut two),
        });
    }
}
