//! Sessions: who speaks, over which channel, and what it left half read (OPC 10000-4, clause 5.7).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opcua::types::{BrowseDescription, ByteString, NodeId, StatusCode};
use tokio_util::sync::CancellationToken;
use weir_model::{Identifier, TagId, Timestamp};

use crate::pki::thumbprint;
use crate::plant::{Principal, Span};
use crate::publisher::Publisher;

/// Browses that a session may have begun and not ended.
pub(crate) const BROWSE_POINTS_MAX: usize = 100;

/// History reads that a session may have begun and not ended: as many as one request has nodes.
pub(crate) const HISTORY_POINTS_MAX: usize = 1_000;

/// Bytes of the secret by which a client names its session.
const TOKEN_BYTES: usize = 32;

/// A session.
pub(crate) struct Session {
    pub(crate) id: NodeId,
    token: Vec<u8>,
    pub(crate) name: String,
    pub(crate) application: String,
    /// The client's certificate in DER.
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
    pub(crate) publisher: Arc<Publisher>,
    state: Mutex<State>,
    points: Mutex<Points>,
}

/// What changes in a session.
pub(crate) struct State {
    pub(crate) principal: Option<Principal>,
    /// What the client signs next.
    pub(crate) nonce: Vec<u8>,
    pub(crate) locales: Arc<[String]>,
    pub(crate) channel: u32,
    pub(crate) seen: Instant,
    pub(crate) has_ended: bool,
    /// Closes the connection that the session is used over.
    pub(crate) connection: CancellationToken,
    /// Where that one comes from.
    pub(crate) address: SocketAddr,
    /// Whether it encrypts.
    pub(crate) encrypted: bool,
}

/// What was half read.
#[derive(Default)]
struct Points {
    next: u64,
    browses: HashMap<Vec<u8>, BrowsePoint>,
    histories: HashMap<Vec<u8>, HistoryPoint>,
}

/// Where a browse goes on.
pub(crate) struct BrowsePoint {
    pub(crate) description: BrowseDescription,
    pub(crate) references_max: usize,
    pub(crate) stage: Stage,
}

/// How far a browse has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// References that are not below a folder of the plant: so many are told.
    Fixed(usize),
    /// What is below, behind this one.
    Children(Option<Identifier>),
}

/// Where a history read goes on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistoryPoint {
    pub(crate) tag: TagId,
    pub(crate) id: Identifier,
    pub(crate) span: Span,
    /// Values that the client wants at all, where it has named no end.
    pub(crate) left: Option<usize>,
    /// Values that it wants in one answer.
    pub(crate) page: usize,
    /// The end of its range, if the value beyond it is to be told.
    pub(crate) bound: Option<Timestamp>,
}

impl Session {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn points(&self) -> MutexGuard<'_, Points> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who speaks, if the request came over the session's channel and the session lives.
    pub(crate) fn principal(
        &self,
        channel: u32,
        now: Instant,
    ) -> Result<(Principal, Arc<[String]>), StatusCode> {
        let mut state = self.state();
        if state.has_ended || now.duration_since(state.seen) > self.timeout {
            return Err(StatusCode::BadSessionClosed);
        }
        let principal = state.principal.clone().ok_or(StatusCode::BadSessionNotActivated)?;
        if state.channel != channel {
            return Err(StatusCode::BadSecureChannelIdInvalid);
        }
        state.seen = now;
        Ok((principal, Arc::clone(&state.locales)))
    }

    /// SHA-256 of the client's certificate in hexadecimal.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        self.certificate.as_deref().map(thumbprint)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    pub(crate) fn keep_browse(&self, point: BrowsePoint) -> Result<ByteString, StatusCode> {
        let points = &mut *self.points();
        keep(&mut points.next, &mut points.browses, point, BROWSE_POINTS_MAX)
    }

    pub(crate) fn take_browse(&self, id: &ByteString) -> Option<BrowsePoint> {
        self.points().browses.remove(id.as_ref())
    }

    pub(crate) fn keep_history(&self, point: HistoryPoint) -> Result<ByteString, StatusCode> {
        let points = &mut *self.points();
        keep(&mut points.next, &mut points.histories, point, HISTORY_POINTS_MAX)
    }

    pub(crate) fn take_history(&self, id: &ByteString) -> Option<HistoryPoint> {
        self.points().histories.remove(id.as_ref())
    }
}

fn keep<T>(
    next: &mut u64,
    points: &mut HashMap<Vec<u8>, T>,
    point: T,
    max: usize,
) -> Result<ByteString, StatusCode> {
    if points.len() >= max {
        return Err(StatusCode::BadNoContinuationPoints);
    }
    *next += 1;
    let id = next.to_le_bytes().to_vec();
    points.insert(id.clone(), point);
    Ok(ByteString { value: Some(id) })
}

/// What a session is made of.
pub(crate) struct Opening {
    pub(crate) name: String,
    pub(crate) application: String,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
    pub(crate) nonce: Vec<u8>,
    pub(crate) channel: u32,
    pub(crate) connection: CancellationToken,
    pub(crate) address: SocketAddr,
    pub(crate) encrypted: bool,
    pub(crate) publisher: Arc<Publisher>,
}

/// All sessions, by the secret that names them.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Vec<u8>, Arc<Session>>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session; gives it and its secret.
    pub(crate) fn open(
        &self,
        opening: Opening,
        max: usize,
        now: Instant,
    ) -> Result<(Arc<Session>, NodeId), StatusCode> {
        let token = random(TOKEN_BYTES)?;
        let id = random(8)?;
        let session = Arc::new(Session {
            id: NodeId::new(1, ByteString { value: Some(id) }),
            token: token.clone(),
            name: opening.name,
            application: opening.application,
            certificate: opening.certificate,
            timeout: opening.timeout,
            publisher: opening.publisher,
            state: Mutex::new(State {
                principal: None,
                nonce: opening.nonce,
                locales: Arc::new([]),
                channel: opening.channel,
                seen: now,
                has_ended: false,
                connection: opening.connection,
                address: opening.address,
                encrypted: opening.encrypted,
            }),
            points: Mutex::default(),
        });
        let mut sessions = self.lock();
        if sessions.len() >= max && !make_room(&mut sessions) {
            return Err(StatusCode::BadTooManySessions);
        }
        sessions.insert(token.clone(), Arc::clone(&session));
        Ok((session, NodeId::new(0, ByteString { value: Some(token) })))
    }

    /// The session that a request names.
    pub(crate) fn get(&self, token: &NodeId) -> Option<Arc<Session>> {
        let opcua::types::Identifier::ByteString(token) = &token.identifier else { return None };
        self.lock().get(token.as_ref()).cloned()
    }

    /// Whether a session is active over a channel.
    pub(crate) fn is_active_over(&self, channel: u32) -> bool {
        self.all().iter().any(|session| {
            let state = session.state();
            state.channel == channel && state.principal.is_some()
        })
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    /// Ends a session. Its subscriptions end with it, or go on without it.
    pub(crate) fn end(&self, session: &Session, delete_subscriptions: bool) {
        self.lock().remove(&session.token);
        session.state().has_ended = true;
        if delete_subscriptions {
            session.publisher.close();
        } else {
            session.publisher.release(StatusCode::BadSessionClosed);
        }
    }

    /// Ends what nobody has used for too long.
    pub(crate) fn expire(&self, now: Instant, unactivated: Duration) {
        for session in self.all() {
            let (idle, active) = {
                let state = session.state();
                (now.saturating_duration_since(state.seen), state.principal.is_some())
            };
            if idle > if active { session.timeout } else { unactivated.min(session.timeout) } {
                tracing::info!(session = session.name, "an OPC UA session was idle for too long");
                self.end(&session, false);
            }
        }
    }
}

/// Closes the oldest session that was never activated, for a new one (OPC 10000-4, clause 5.6.2): who
/// opens sessions without showing who it is keeps nobody out.
fn make_room(sessions: &mut HashMap<Vec<u8>, Arc<Session>>) -> bool {
    let oldest = sessions
        .values()
        .filter_map(|session| {
            let state = session.state();
            state.principal.is_none().then_some((state.seen, session))
        })
        .min_by_key(|(seen, _)| *seen)
        .map(|(_, session)| Arc::clone(session));
    let Some(oldest) = oldest else { return false };
    {
        let mut state = oldest.state();
        if state.principal.is_some() {
            return false;
        }
        state.has_ended = true;
    }
    sessions.remove(&oldest.token);
    oldest.publisher.close();
    true
}

/// Unguessable bytes.
pub(crate) fn random(length: usize) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_| StatusCode::BadInternalError)?;
    Ok(bytes)
}
