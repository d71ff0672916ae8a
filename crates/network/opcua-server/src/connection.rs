//! One connection: hello, secure channel, requests and answers.

mod open;
mod session;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use opcua::core::{RequestMessage, ResponseMessage};
use opcua::crypto::SecurityPolicy;
use opcua::types::{
    FindServersResponse, GetEndpointsResponse, ObjectId, ResponseHeader, ServiceFault, StatusCode,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::endpoints;
use crate::services;
use crate::shared::Shared;
use crate::wire::channel::{Assembly, Channel, Piece};
use crate::wire::frame::{self, Frame, Hello, Kind, Last, ReadError};
use crate::wire::message;

/// Answers that wait for the client to take them. Each may be as large as a message.
const ANSWERS_MAX: usize = 16;

/// Requests of one connection that are worked on at a time. The next one is read when one ends.
const REQUESTS_MAX: usize = 16;

/// Bytes of a request before a session is active: openings and sign-ins are small, even with chains
/// of certificates, and whoever has shown nothing holds no more of the server's memory.
const STRANGERS_MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Times the connect time-out that a channel may be without an active session: clients look around
/// first, and people choose an endpoint.
const WITHOUT_SESSION: u32 = 6;

/// An answer to a request.
pub(crate) struct Answer {
    pub(crate) request: u32,
    pub(crate) message: ResponseMessage,
}

/// What is written to the connection.
pub(crate) enum Out {
    /// An answer, to be secured.
    Answer(Answer),
    /// The answer to the opening of a channel, to be signed and encrypted for the client's key. As
    /// frames are numbered in the order in which they are sent, that happens when its turn comes.
    Opened { request: u32, body: Vec<u8> },
    /// The last bytes.
    End(Vec<u8>),
}

/// Where answers go.
#[derive(Clone)]
pub(crate) struct Outgoing(mpsc::Sender<Out>);

/// Room for one answer.
pub(crate) struct Place<'a>(mpsc::Permit<'a, Out>);

impl Place<'_> {
    pub(crate) fn send(self, answer: Answer) {
        self.0.send(Out::Answer(answer));
    }
}

impl Outgoing {
    /// Room for an answer; none if the client is slow.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn reserve(&self) -> Result<Option<Place<'_>>, ()> {
        match self.0.try_reserve() {
            Ok(permit) => Ok(Some(Place(permit))),
            Err(mpsc::error::TrySendError::Full(())) => Ok(None),
            Err(mpsc::error::TrySendError::Closed(())) => Err(()),
        }
    }

    /// Answers if there is room.
    pub(crate) fn try_answer(&self, request: u32, message: ResponseMessage) {
        if let Ok(Some(place)) = self.reserve() {
            place.send(Answer { request, message });
        }
    }

    async fn answer(&self, request: u32, message: ResponseMessage) {
        // Nobody reads the answer to a connection that is gone.
        let _ = self.0.send(Out::Answer(Answer { request, message })).await;
    }

    async fn send(&self, out: Out) {
        let _ = self.0.send(out).await;
    }
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
    pub(crate) outgoing: Outgoing,
    hello: Hello,
    /// Closes it from elsewhere.
    pub(crate) close: CancellationToken,
    channel: Mutex<Option<Channel>>,
    /// Bytes of the largest answer that its client takes.
    pub(crate) answer_bytes_max: AtomicUsize,
    /// Whether a session was activated over it and has not been closed.
    is_active: AtomicBool,
    /// Since when it is not.
    since: Mutex<Instant>,
    requests: Arc<Semaphore>,
    /// Its place among all connections. Work that goes on when the client has left still takes it:
    /// nobody piles work up by coming and going.
    _place: OwnedSemaphorePermit,
    _secured: Secured,
}

/// Forgets a connection's certificate, however the connection ends: when nothing works on it any
/// more, as the opening of its channel may still be under way when its client has gone.
struct Secured(Arc<Shared>, u64);

impl Drop for Secured {
    fn drop(&mut self) {
        self.0.secured().remove(&self.1);
    }
}

/// Why a connection ends by the server's will.
struct End {
    status: StatusCode,
    reason: &'static str,
}

impl End {
    fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    mut stream: TcpStream,
    address: SocketAddr,
    number: u64,
    place: OwnedSemaphorePermit,
) {
    // Answers are small, and clients wait for them.
    let _ = stream.set_nodelay(true);
    let limit = shared.limits.connect_timeout;
    let hello = match timeout(limit, greet(&shared, &mut stream)).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(Some(status))) => {
            let error = frame::error(status, "the hello cannot be used");
            let _ = timeout(limit, stream.write_all(&error)).await;
            return;
        }
        Ok(Err(None)) | Err(_) => return,
    };
    let (sender, receiver) = mpsc::channel(ANSWERS_MAX);
    let connection = Arc::new(Connection {
        close: shared.stop.child_token(),
        _secured: Secured(Arc::clone(&shared), number),
        shared,
        address,
        outgoing: Outgoing(sender),
        answer_bytes_max: AtomicUsize::new(hello.message),
        hello,
        channel: Mutex::default(),
        is_active: AtomicBool::new(false),
        since: Mutex::new(Instant::now()),
        requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
        _place: place,
    });
    let (mut read, mut write) = stream.split();
    let reader = async {
        if let Some(End { status, reason }) = connection.read(&mut read, number).await {
            tracing::debug!(%address, %status, reason, "an OPC UA connection is closed");
            connection.outgoing.send(Out::End(frame::error(status, reason))).await;
            // The writer ends the connection once this is out, or its time-out does.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = reader => {}
        () = write_all(&connection, receiver, &mut write) => {}
        () = stopped(&connection) => {}
    }
}

/// A connection that is closed from elsewhere has a moment to say so.
async fn stopped(connection: &Connection) {
    const GRACE: std::time::Duration = std::time::Duration::from_millis(300);
    connection.close.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

async fn greet(shared: &Shared, stream: &mut TcpStream) -> Result<Hello, Option<StatusCode>> {
    let frame = match frame::read(stream).await {
        Ok(frame) => frame,
        Err(ReadError::Gone) => return Err(None),
        Err(ReadError::Wrong(status)) => return Err(Some(status)),
    };
    if frame.kind != Kind::Hello {
        return Err(Some(StatusCode::BadTcpMessageTypeInvalid));
    }
    let hello = frame::hello(&frame).map_err(Some)?;
    let answer = frame::acknowledge(&hello, shared.limits.message_bytes_max);
    stream.write_all(&answer).await.map_err(|_| None)?;
    Ok(hello)
}

impl Connection {
    pub(crate) fn channel(&self) -> MutexGuard<'_, Option<Channel>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Policy, mode and number of the channel.
    pub(crate) fn security(
        &self,
    ) -> Option<(SecurityPolicy, opcua::types::MessageSecurityMode, u32)> {
        self.channel().as_ref().map(|channel| (channel.policy(), channel.mode(), channel.id()))
    }

    /// A session over it was activated, or the last one closed.
    pub(crate) fn set_active(&self, active: bool) {
        self.is_active.store(active, Ordering::Relaxed);
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Until when something must have happened.
    fn deadline(&self) -> Instant {
        let limit = self.shared.limits.connect_timeout;
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match &*self.channel() {
            None => since + limit,
            Some(channel) if self.is_active.load(Ordering::Relaxed) => channel.expires(),
            Some(channel) => channel.expires().min(since + limit * WITHOUT_SESSION),
        }
    }

    /// Reads until the client goes, or says why it has to.
    async fn read(
        self: &Arc<Self>,
        stream: &mut (impl tokio::io::AsyncRead + Unpin),
        number: u64,
    ) -> Option<End> {
        let mut assembly = Assembly::default();
        loop {
            let frame = tokio::select! {
                frame = read_frame(self, stream) => frame,
                () = self.close.cancelled() => {
                    return Some(End::new(StatusCode::BadSecureChannelClosed, "closed by the server"));
                }
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(end) => return end,
            };
            let taken = match frame.kind {
                Kind::Open => self.open(frame, number).await,
                Kind::Message => self.take(&frame, &mut assembly).await,
                Kind::Close => return None,
                Kind::Hello => {
                    Err(End::new(StatusCode::BadTcpMessageTypeInvalid, "a second hello"))
                }
            };
            if let Err(end) = taken {
                return Some(end);
            }
        }
    }

    /// Takes a frame of a request, and the request once it is whole.
    async fn take(self: &Arc<Self>, frame: &Frame, assembly: &mut Assembly) -> Result<(), End> {
        let refused = |status| End::new(status, "a message was not accepted");
        let mut bytes_max = self.shared.limits.message_bytes_max;
        if !self.is_active.load(Ordering::Relaxed) {
            bytes_max = bytes_max.min(STRANGERS_MESSAGE_BYTES_MAX);
        }
        let piece = match &mut *self.channel() {
            Some(channel) => channel.receive(frame, Instant::now()).map_err(refused)?,
            None => return Err(refused(StatusCode::BadTcpSecureChannelUnknown)),
        };
        let whole = assembly.add(piece, frame.last, bytes_max).map_err(refused)?;
        match whole {
            Some(whole) => self.request(whole).await,
            None => Ok(()),
        }
    }

    async fn request(self: &Arc<Self>, whole: Piece) -> Result<(), End> {
        let Some((policy, mode, channel)) = self.security() else {
            return Err(End::new(StatusCode::BadTcpSecureChannelUnknown, "no channel"));
        };
        // Looked at before the body is read, which may become much larger than its bytes.
        if !endpoints::is_offered(&self.shared, policy, mode)
            && !message::service(&whole.body, &self.shared.context).is_some_and(is_for_all)
        {
            // Without security one may look around, and nothing else.
            return Err(End::new(
                StatusCode::BadSecurityPolicyRejected,
                "this server wants signed messages",
            ));
        }
        let request = match message::decode(&whole.body, &self.shared.context) {
            Ok(request) => request,
            Err(unreadable) => {
                let fault = ServiceFault::new(unreadable.handle, unreadable.status);
                self.outgoing.answer(whole.request, fault.into()).await;
                return Ok(());
            }
        };
        let (number, handle) = (whole.request, request.request_header().request_handle);
        match request {
            RequestMessage::GetEndpoints(request) => {
                let header = ResponseHeader::new_good(&request.request_header);
                let url = request.endpoint_url.as_ref();
                let endpoints = Some(endpoints::endpoints(&self.shared, url));
                let answer = GetEndpointsResponse { response_header: header, endpoints };
                self.outgoing.answer(number, answer.into()).await;
            }
            RequestMessage::FindServers(request) => {
                let header = ResponseHeader::new_good(&request.request_header);
                let own = endpoints::application(&self.shared, request.endpoint_url.as_ref());
                let uris = request.server_uris.unwrap_or_default();
                let wanted = uris.is_empty() || uris.contains(&own.application_uri);
                let servers = Some(Vec::from_iter(wanted.then_some(own)));
                let answer = FindServersResponse { response_header: header, servers };
                self.outgoing.answer(number, answer.into()).await;
            }
            request => self.dispatch(request, number, handle, channel).await,
        }
        Ok(())
    }

    /// Starts to work on a request of a session, or to open one.
    async fn dispatch(
        self: &Arc<Self>,
        request: RequestMessage,
        number: u32,
        handle: u32,
        channel: u32,
    ) {
        let request = match request {
            RequestMessage::Publish(publish) => {
                return session::publish(self, *publish, number, channel).await;
            }
            request => request,
        };
        let Ok(permit) = Arc::clone(&self.requests).acquire_owned().await else { return };
        let permit = Arc::new(permit);
        let deadline = self.shared.plant.deadline(request.request_header().timeout_hint);
        // The work has a task of its own, with the permit: a client that waits for less than it takes
        // is answered early, but what it has asked for is neither piled up nor left half done.
        let (connection, held) = (Arc::clone(self), Arc::clone(&permit));
        let work = tokio::spawn(async move {
            let _held = held;
            tokio::select! {
                answer = connection.work(request, channel, deadline) => answer,
                () = connection.shared.stop.cancelled() => Err(StatusCode::BadShutdown),
            }
        });
        let connection = Arc::clone(self);
        tokio::spawn(async move {
            let answer = match timeout_at(deadline.into(), work).await {
                Ok(worked) => worked.unwrap_or(Err(StatusCode::BadInternalError)),
                Err(_) => Err(StatusCode::BadTimeout),
            };
            let answer = answer.unwrap_or_else(|status| ServiceFault::new(handle, status).into());
            connection.outgoing.answer(number, answer).await;
            drop(permit);
        });
    }

    async fn work(
        self: &Arc<Self>,
        request: RequestMessage,
        channel: u32,
        deadline: Instant,
    ) -> Result<ResponseMessage, StatusCode> {
        match request {
            RequestMessage::CreateSession(request) => session::create(self, *request).await,
            RequestMessage::ActivateSession(request) => session::activate(self, *request).await,
            RequestMessage::CloseSession(request) => session::close(self, &request),
            request => services::serve(self, request, channel, deadline).await,
        }
    }
}

/// Whether a service is for those as well who have shown nothing.
fn is_for_all(service: ObjectId) -> bool {
    matches!(
        service,
        ObjectId::GetEndpointsRequest_Encoding_DefaultBinary
            | ObjectId::FindServersRequest_Encoding_DefaultBinary
    )
}

/// The next frame; the deadline may move while it is waited for.
async fn read_frame(
    connection: &Connection,
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
) -> Result<Frame, Option<End>> {
    let read = frame::read(stream);
    tokio::pin!(read);
    loop {
        let deadline = connection.deadline();
        tokio::select! {
            frame = &mut read => return frame.map_err(|error| match error {
                ReadError::Gone => None,
                ReadError::Wrong(status) => Some(End::new(status, "what came is no message")),
            }),
            () = sleep_until(deadline.into()) => {
                if connection.deadline() <= Instant::now() {
                    return Err(Some(End::new(StatusCode::BadTimeout, "nothing came in time")));
                }
            }
        }
    }
}

/// Writes what there is to write, until there is nothing any more.
async fn write_all(
    connection: &Arc<Connection>,
    mut receiver: mpsc::Receiver<Out>,
    stream: &mut (impl AsyncWrite + Unpin),
) {
    let limit = connection.shared.limits.request_timeout;
    while let Some(out) = receiver.recv().await {
        let (frames, last) = match out {
            Out::Answer(answer) => (secured(connection, &answer), false),
            Out::Opened { request, body } => {
                let connection = Arc::clone(connection);
                let sealed =
                    tokio::task::spawn_blocking(move || open::seal(&connection, request, &body));
                let Ok(Ok(bytes)) = sealed.await else { return };
                (vec![bytes], false)
            }
            Out::End(bytes) => (vec![bytes], true),
        };
        for frame in frames {
            if !matches!(timeout(limit, stream.write_all(&frame)).await, Ok(Ok(()))) {
                return;
            }
        }
        if last {
            let _ = timeout(limit, stream.shutdown()).await;
            return;
        }
    }
}

/// An answer as frames, or a fault in its place if it is too large or cannot be written.
fn secured(connection: &Connection, answer: &Answer) -> Vec<Vec<u8>> {
    let shared = &connection.shared;
    let bytes_max = connection.answer_bytes_max.load(Ordering::Relaxed);
    let bytes_max = bytes_max.min(shared.limits.message_bytes_max);
    let encoded = message::encode(&answer.message, bytes_max, &shared.context);
    let body = encoded.and_then(|body| frames(connection, answer.request, &body));
    body.or_else(|status| {
        let handle = answer.message.response_header().request_handle;
        let fault = ServiceFault::new(handle, status).into();
        let body = message::encode(&fault, usize::MAX, &shared.context)?;
        frames(connection, answer.request, &body)
    })
    .unwrap_or_default()
}

fn frames(connection: &Connection, request: u32, body: &[u8]) -> Result<Vec<Vec<u8>>, StatusCode> {
    let mut channel = connection.channel();
    let channel = channel.as_mut().ok_or(StatusCode::BadTcpSecureChannelUnknown)?;
    let frame_bytes_max = connection.hello.receive.min(frame::FRAME_BYTES_MAX);
    let pieces: Vec<&[u8]> = body.chunks(channel.body_max(frame_bytes_max).max(1)).collect();
    if pieces.len() > connection.hello.chunks {
        return Err(StatusCode::BadResponseTooLarge);
    }
    let count = pieces.len();
    let last = |at| if at + 1 == count { Last::Final } else { Last::Intermediate };
    pieces
        .into_iter()
        .enumerate()
        .map(|(at, piece)| channel.send(last(at), request, piece))
        .collect()
}
