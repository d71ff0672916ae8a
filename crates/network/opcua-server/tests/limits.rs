//! What requests of clients may cost that are not well-behaved.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "it/bench.rs"]
mod bench;
#[path = "it/plant.rs"]
mod plant;
#[path = "it/raw.rs"]
mod raw;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use opcua::core::{Message as _, RequestMessage, ResponseMessage};
use opcua::types::type_loader::ContextOwned;
use opcua::types::{
    ActivateSessionRequest, AttributeId, BinaryDecodable as _, BinaryEncodable as _,
    BrowseDescription, BrowseDirection, BrowsePath, BrowseRequest, BrowseResult,
    CreateSessionRequest, CreateSubscriptionRequest, DataValue, DateTime, DecodingOptions,
    NamespaceMap, NodeId, PublishRequest, QualifiedName, ReadRequest, ReadValueId, ReferenceTypeId,
    RelativePath, RelativePathElement, RequestHeader, StatusCode,
    TranslateBrowsePathsToNodeIdsRequest, VariableId, VariableTypeId, Variant, ViewDescription,
    WriteRequest, WriteValue,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use weir_opcua_server::WriteError;

use bench::Bench;
use raw::{PATIENCE, hello, next, opened, piece, request};

/// A client of a few lines.
struct Client {
    stream: TcpStream,
    names: [u8; 8],
    /// Of the last frame.
    number: u32,
    token: NodeId,
    context: ContextOwned,
}

impl Client {
    async fn open(bench: &Bench) -> Self {
        let (stream, names) = opened(bench).await;
        let options = DecodingOptions {
            max_array_length: 100_000,
            max_message_size: 64 << 20,
            ..DecodingOptions::default()
        };
        let context = ContextOwned::new_default(NamespaceMap::new(), options);
        Self { stream, names, number: 1, token: NodeId::null(), context }
    }

    async fn active(bench: &Bench) -> Self {
        let mut client = Self::open(bench).await;
        client.create(0).await;
        assert_eq!(client.activate().await, StatusCode::Good);
        client
    }

    fn header(&self, timeout_hint: u32) -> RequestHeader {
        let header = RequestHeader::new(&self.token, &DateTime::now(), 1);
        RequestHeader { timeout_hint, ..header }
    }

    async fn send(&mut self, message: impl Into<RequestMessage>) {
        let message = message.into();
        let mut body = Vec::new();
        {
            let context = self.context.context();
            message.type_id().encode(&mut body, &context).unwrap();
            message.encode(&mut body, &context).unwrap();
        }
        let pieces: Vec<&[u8]> = body.chunks(60_000).collect();
        let request = self.number + 1;
        for (at, part) in pieces.iter().enumerate() {
            self.number += 1;
            let kind = if at + 1 == pieces.len() { b"MSGF" } else { b"MSGC" };
            let frame = piece(kind, self.names, self.number, request, part);
            self.stream.write_all(&frame).await.unwrap();
        }
    }

    async fn ask(&mut self, message: impl Into<RequestMessage>) -> ResponseMessage {
        self.send(message).await;
        let mut whole = Vec::new();
        loop {
            let (kind, body) = next(&mut self.stream).await.expect("an answer");
            assert_eq!(kind, *b"MSG", "{body:?}");
            whole.extend_from_slice(&body[16..]);
            // An answer of one piece is shorter than the largest frame.
            if body.len() + 8 < 65_500 {
                break;
            }
        }
        let mut stream = std::io::Cursor::new(&whole);
        let context = self.context.context();
        let id = NodeId::decode(&mut stream, &context).unwrap().as_object_id().unwrap();
        ResponseMessage::decode_by_object_id(&mut stream, id, &context).unwrap()
    }

    async fn create(&mut self, timeout_hint: u32) -> StatusCode {
        let request = CreateSessionRequest {
            request_header: self.header(timeout_hint),
            requested_session_timeout: 60_000.0,
            ..CreateSessionRequest::default()
        };
        let answer = self.ask(request).await;
        if let ResponseMessage::CreateSession(created) = &answer {
            self.token = created.authentication_token.clone();
        }
        answer.response_header().service_result
    }

    async fn activate(&mut self) -> StatusCode {
        let request_header = self.header(0);
        let request = ActivateSessionRequest { request_header, ..Default::default() };
        self.ask(request).await.response_header().service_result
    }

    async fn read(&mut self, ids: Vec<NodeId>) -> Result<Vec<DataValue>, StatusCode> {
        let one = |node_id| ReadValueId {
            node_id,
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        };
        let request = ReadRequest {
            request_header: self.header(0),
            nodes_to_read: Some(ids.into_iter().map(one).collect()),
            ..ReadRequest::default()
        };
        match self.ask(request).await {
            ResponseMessage::Read(answer) => Ok(answer.results.unwrap()),
            other => Err(other.response_header().service_result),
        }
    }

    async fn browse(&mut self, id: NodeId, times: usize) -> Result<Vec<BrowseResult>, StatusCode> {
        let one = BrowseDescription {
            node_id: id,
            browse_direction: BrowseDirection::Both,
            reference_type_id: NodeId::null(),
            include_subtypes: true,
            node_class_mask: 0,
            result_mask: u32::MAX,
        };
        let request = BrowseRequest {
            request_header: self.header(0),
            view: ViewDescription::default(),
            requested_max_references_per_node: 0,
            nodes_to_browse: Some(vec![one; times]),
        };
        match self.ask(request).await {
            ResponseMessage::Browse(answer) => Ok(answer.results.unwrap()),
            other => Err(other.response_header().service_result),
        }
    }

    async fn translate(&mut self, paths: Vec<BrowsePath>) -> Result<Vec<usize>, StatusCode> {
        let request = TranslateBrowsePathsToNodeIdsRequest {
            request_header: self.header(0),
            browse_paths: Some(paths),
        };
        match self.ask(request).await {
            ResponseMessage::TranslateBrowsePathsToNodeIds(answer) => {
                let results = answer.results.unwrap().into_iter();
                Ok(results.map(|it| it.targets.map_or(0, |it| it.len())).collect())
            }
            other => Err(other.response_header().service_result),
        }
    }
}

/// Waits for something that must come.
async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect("in time");
}

/// Does something until it succeeds.
async fn until_async(mut succeeds: impl AsyncFnMut() -> bool) {
    let tries = async { while !succeeds().await {} };
    timeout(PATIENCE, tries).await.expect("in time");
}

#[tokio::test]
async fn what_a_client_does_not_wait_for_is_done_all_the_same() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::open(&bench).await;
    // The first session loads the standard's nodes, which takes more than a millisecond.
    assert_eq!(client.create(1).await, StatusCode::BadTimeout);
    until(|| bench.running.handle.statistics().sessions == 1).await;
}

#[tokio::test]
async fn sessions_that_nobody_activates_keep_nobody_out() {
    let bench = Bench::start(|options| options.limits.sessions_max = 2).await;
    let mut active = Client::active(&bench).await;
    let mut stranger = Client::open(&bench).await;
    assert_eq!(stranger.create(0).await, StatusCode::Good);
    let mut second = Client::active(&bench).await;
    assert_eq!(stranger.activate().await, StatusCode::BadSessionIdInvalid);
    let mut third = Client::open(&bench).await;
    assert_eq!(third.create(0).await, StatusCode::BadTooManySessions);
    for client in [&mut active, &mut second] {
        assert!(client.read(vec![VariableId::Server_ServiceLevel.into()]).await.is_ok());
    }
}

#[tokio::test]
async fn a_session_keeps_its_user() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::active(&bench).await;
    assert_eq!(client.activate().await, StatusCode::Good, "the same again");
    *bench.plant.anonymous.lock().unwrap() = "operator";
    assert_eq!(client.activate().await, StatusCode::BadIdentityChangeNotSupported);
    assert_eq!(bench.running.handle.sessions()[0].principal.as_deref(), Some("viewer"));
}

#[tokio::test]
async fn strangers_have_little_to_say() {
    let bench = Bench::start(|_| {}).await;
    let (mut stream, names) = opened(&bench).await;
    let mut body = request(631);
    body.resize(60_000, 0);
    stream.write_all(&piece(b"MSGC", names, 2, 2, &body)).await.unwrap();
    stream.write_all(&piece(b"MSGC", names, 3, 2, &body)).await.unwrap();
    let (kind, body) = next(&mut stream).await.unwrap();
    let too_large = StatusCode::BadTcpMessageTooLarge.bits().to_le_bytes();
    assert_eq!((kind, &body[..4]), (*b"ERR", &too_large[..]));
}

#[tokio::test]
async fn answers_stop_where_they_become_too_large() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::active(&bench).await;
    let schema = NodeId::from(VariableId::OpcUa_XmlSchema);
    let read = client.read(vec![schema; 10_000]).await.unwrap();
    let is_empty =
        |it: &DataValue| matches!(&it.value, Some(Variant::ByteString(it)) if it.value.is_none());
    assert!(read.iter().all(is_empty));

    let bench = Bench::start(|options| options.limits.message_bytes_max = 200_000).await;
    let mut client = Client::active(&bench).await;
    let namespaces = NodeId::from(VariableId::Server_NamespaceArray);
    assert_eq!(client.read(vec![namespaces.clone()]).await.unwrap().len(), 1);
    let many = client.read(vec![namespaces; 5_000]).await;
    assert_eq!(many, Err(StatusCode::BadResponseTooLarge));
    // What such a request began to browse does not stay begun.
    let property = NodeId::from(VariableTypeId::PropertyType);
    for _ in 0..60 {
        let many = client.browse(property.clone(), 10).await;
        assert_eq!(many.unwrap_err(), StatusCode::BadResponseTooLarge);
    }
    let one = client.browse(property, 1).await.unwrap();
    assert_eq!(one[0].status_code, StatusCode::Good);
    assert!(!one[0].continuation_point.is_null());
}

#[tokio::test]
async fn paths_back_and_forth_have_an_end() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::active(&bench).await;
    let element = |is_inverse, name: &str| RelativePathElement {
        reference_type_id: ReferenceTypeId::HasTypeDefinition.into(),
        is_inverse,
        include_subtypes: false,
        target_name: QualifiedName::new(0, name),
    };
    let elements: Vec<_> = (0..64)
        .map(|at| match at % 2 {
            0 => element(true, "InputArguments"),
            _ => element(false, "PropertyType"),
        })
        .collect();
    let path = BrowsePath {
        starting_node: VariableTypeId::PropertyType.into(),
        relative_path: RelativePath { elements: Some(elements) },
    };
    assert_eq!(client.translate(vec![path.clone()]).await, Ok(vec![1]));
    let many = client.translate(vec![path; 200]).await;
    assert_eq!(many, Err(StatusCode::BadTooManyOperations));
}

#[tokio::test]
async fn nothing_is_written_with_rights_that_are_gone() {
    let bench = Bench::start(|options| options.limits.connections_max = 1).await;
    *bench.plant.anonymous.lock().unwrap() = "operator";
    let pace = Arc::new(Semaphore::new(0));
    *bench.plant.pace.lock().unwrap() = Some(Arc::clone(&pace));
    let mut client = Client::active(&bench).await;
    let nodes_to_write = Some(vec![valve(); 100]);
    client.send(WriteRequest { request_header: client.header(0), nodes_to_write }).await;
    let writes = || bench.plant.writes.load(Ordering::Relaxed);
    until(|| writes() == 16).await;
    assert_eq!(bench.running.handle.end_sessions("operator"), 1);
    pace.add_permits(1_000);
    drop(client);
    // There is room for another connection once the first one's work has ended.
    let free = async {
        loop {
            let mut stream = TcpStream::connect(bench.running.address()).await.unwrap();
            let sent = stream.write_all(&hello()).await.is_ok();
            if sent && next(&mut stream).await.is_some() {
                break;
            }
        }
    };
    timeout(PATIENCE, free).await.unwrap();
    assert_eq!(writes(), 16);
}

fn valve() -> WriteValue {
    WriteValue {
        node_id: NodeId::new(2, "demo.tep/valve"),
        attribute_id: AttributeId::Value as u32,
        value: DataValue { value: Some(Variant::Double(7.0)), ..DataValue::default() },
        ..WriteValue::default()
    }
}

/// More requests than one connection may have in work.
const MANY_REQUESTS: usize = 40;

#[tokio::test]
async fn a_plant_that_never_answers_holds_nothing_up() {
    let limit = Duration::from_secs(1);
    let bench = Bench::start(|options| options.limits.request_timeout = limit).await;
    *bench.plant.anonymous.lock().unwrap() = "operator";
    let mut client = Client::open(&bench).await;
    // On a busy machine, what is answered takes longer than it may now and then.
    until_async(async || client.create(0).await == StatusCode::Good).await;
    until_async(async || client.activate().await == StatusCode::Good).await;
    let pressure = NodeId::new(2, "demo.tep/reactor-pressure");
    bench.plant.is_silent.store(true, Ordering::Relaxed);
    // The server's own nodes are none of the plant's.
    let own = VariableId::Server_ServiceLevel;
    until_async(async || client.read(vec![own.into()]).await.is_ok()).await;
    let timed_out = Err(StatusCode::BadTimeout);
    assert_eq!(client.read(vec![pressure.clone()]).await, timed_out);
    assert_eq!(
        client.browse(NodeId::new(2, "weir"), 1).await.map(drop),
        timed_out.clone().map(drop)
    );
    let patience = Instant::now() + PATIENCE;
    for _ in 0..MANY_REQUESTS {
        let one = ReadValueId {
            node_id: pressure.clone(),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        };
        // As long as the client waits, and no longer.
        let request_header = client.header(1);
        let nodes_to_read = Some(vec![one]);
        let request = ReadRequest { request_header, nodes_to_read, ..ReadRequest::default() };
        let answer = client.ask(request).await;
        assert_eq!(answer.response_header().service_result, StatusCode::BadTimeout);
        assert!(Instant::now() < patience, "requests are worked on one after the other");
    }
    // A write may be told as a whole or by itself to have taken too long.
    for _ in 0..MANY_REQUESTS / 20 {
        let request =
            WriteRequest { request_header: client.header(0), nodes_to_write: Some(vec![valve()]) };
        let told = match client.ask(request).await {
            ResponseMessage::Write(answer) => answer.results.unwrap()[0],
            other => other.response_header().service_result,
        };
        assert_eq!(told, StatusCode::BadTimeout);
    }
    bench.plant.is_silent.store(false, Ordering::Relaxed);
    until_async(async || client.read(vec![pressure.clone()]).await.is_ok()).await;
}

#[tokio::test]
async fn users_whom_the_plant_never_knows_make_room_for_others() {
    let limit = Duration::from_secs(1);
    let bench = Bench::start(|options| options.limits.request_timeout = limit).await;
    let mut clients = Vec::new();
    for _ in 0..2 * weir_opcua_server::AUTHENTICATIONS_MAX {
        let mut client = Client::open(&bench).await;
        // The standard's nodes may take their time to load at first.
        until_async(async || client.create(0).await == StatusCode::Good).await;
        clients.push(client);
    }
    bench.plant.is_silent.store(true, Ordering::Relaxed);
    for client in &mut clients {
        let request_header = client.header(0);
        let request = ActivateSessionRequest { request_header, ..Default::default() };
        client.send(request).await;
    }
    for client in &mut clients {
        let (kind, _) = next(&mut client.stream).await.expect("an answer");
        assert_eq!(kind, *b"MSG");
    }
    bench.plant.is_silent.store(false, Ordering::Relaxed);
    let mut last = clients.pop().unwrap();
    until_async(async || last.activate().await == StatusCode::Good).await;
}

#[tokio::test]
async fn subscriptions_say_that_they_live_whatever_the_plant_does() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::active(&bench).await;
    bench.plant.is_silent.store(true, Ordering::Relaxed);
    let request = CreateSubscriptionRequest {
        request_header: client.header(0),
        requested_publishing_interval: 50.0,
        requested_lifetime_count: 1_000,
        requested_max_keep_alive_count: 1,
        publishing_enabled: true,
        ..CreateSubscriptionRequest::default()
    };
    assert_eq!(client.ask(request).await.response_header().service_result, StatusCode::Good);
    for _ in 0..3 {
        let request = PublishRequest { request_header: client.header(0), ..Default::default() };
        let answer = client.ask(request).await;
        assert!(matches!(answer, ResponseMessage::Publish(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn what_became_of_a_write_is_told_as_it_is() {
    let bench = Bench::start(|_| {}).await;
    *bench.plant.anonymous.lock().unwrap() = "operator";
    let mut client = Client::active(&bench).await;
    for (error, wanted) in [
        (WriteError::Unconfirmed, StatusCode::BadRequestNotAllowed),
        (WriteError::Unavailable("no room".to_owned()), StatusCode::BadResourceUnavailable),
        (WriteError::Stopped, StatusCode::BadShutdown),
        (WriteError::Unsure("who knows".to_owned()), StatusCode::Uncertain),
        (WriteError::Timeout, StatusCode::BadTimeout),
        (WriteError::Device("no".to_owned()), StatusCode::BadDeviceFailure),
    ] {
        *bench.plant.refuses.lock().unwrap() = Some(error);
        let nodes_to_write = Some(vec![valve()]);
        let request = WriteRequest { request_header: client.header(0), nodes_to_write };
        let ResponseMessage::Write(answer) = client.ask(request).await else { panic!("{wanted}") };
        assert_eq!(answer.results.unwrap(), [wanted]);
    }
}
