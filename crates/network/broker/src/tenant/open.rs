//! Sessions begin, are taken over, lose their connection and end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::Inner;
use crate::journal::record::{Entry, SubscriptionOptions};
use crate::message::now_ms;
use crate::session::{Attached, Session, State};
use crate::signal::Signal;
use crate::status::ClientInfo;
use crate::tenant::{KeptWill, Tenant};
use crate::wire::reason;

/// What the journal's record of a session takes beside its names, and a little more.
const RECORD_BYTES: usize = 64;

/// A client that was let in.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) owner: Arc<str>,
    pub(crate) client_id: Arc<str>,
    pub(crate) clean_start: bool,
    pub(crate) expiry_seconds: u32,
    pub(crate) will: Option<KeptWill>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) info: Arc<ClientInfo>,
}

/// Its session.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Arc<Session>,
    pub(crate) epoch: u64,
    /// The session existed before.
    pub(crate) present: bool,
    /// Identifiers for which PUBREL is sent again.
    pub(crate) released: Vec<u16>,
    pub(crate) journaled: bool,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    pub(crate) publish_will: bool,
    /// From DISCONNECT.
    pub(crate) expiry_seconds: Option<u32>,
}

impl Tenant {
    /// Gives a client its session, an old or a new one; the reason code when it gets none.
    pub(crate) fn open(&self, broker: &Arc<Inner>, opening: Opening) -> Result<Opened, u8> {
        let mut wills = Vec::new();
        let mut over = None;
        let client_id = Arc::clone(&opening.client_id);
        let opened = {
            let mut sessions = self.sessions();
            let old = sessions.get(&opening.client_id).cloned();
            match old {
                // Somebody else's session, with its queue, is not for sale.
                Some(old) if old.owner != opening.owner => Err(reason::NOT_AUTHORIZED),
                Some(old) => match resume(broker, &old, opening, &mut wills) {
                    Ok(opened) => Ok(opened),
                    Err(opening) => {
                        over = Some(end(broker, &old, &mut wills));
                        let opened = self.begin(broker, *opening);
                        sessions.insert(Arc::clone(&old.client_id), Arc::clone(&opened.session));
                        Ok(opened)
                    }
                },
                None if sessions.len() >= broker.limits.sessions_max => Err(reason::QUOTA),
                None if !self.has_room_for(&opening) => Err(reason::QUOTA),
                None => {
                    let opened = self.begin(broker, opening);
                    sessions.insert(Arc::clone(&client_id), Arc::clone(&opened.session));
                    Ok(opened)
                }
            }
        };
        if let Some((id, filters)) = over {
            self.remove_filters(id, filters.keys().map(|filter| &**filter));
        }
        self.publish_wills(broker, &client_id, wills);
        opened
    }

    /// Whether the journal takes one more session of this tenant.
    fn has_room_for(&self, opening: &Opening) -> bool {
        let bytes = opening.client_id.len() + opening.owner.len() + RECORD_BYTES;
        let fits = opening.expiry_seconds == 0 || bytes as u64 <= self.journal.room();
        if !fits {
            self.journal.refused();
        }
        fits
    }

    fn begin(&self, broker: &Inner, opening: Opening) -> Opened {
        let id = broker.next_id();
        let session =
            Arc::new(Session::new(id, Arc::clone(&self.journal), opening.client_id, opening.owner));
        let durable = opening.expiry_seconds > 0;
        {
            let mut state = session.state();
            state.epoch = 1;
            state.durable = durable;
            state.expiry_seconds = opening.expiry_seconds;
            state.will = opening.will;
            state.connection = Some(Attached { signal: opening.signal, info: opening.info });
            if durable {
                let record = session.record(&state, None);
                broker.journal.append(&session.share, &Entry::Session(id, &record));
            }
        }
        Opened { session, epoch: 1, present: false, released: Vec::new(), journaled: durable }
    }

    /// The connection of this epoch has ended.
    pub(crate) fn close(
        &self,
        broker: &Arc<Inner>,
        session: &Arc<Session>,
        epoch: u64,
        closing: Closing,
    ) {
        let mut wills = Vec::new();
        {
            let mut state = session.state();
            if state.epoch != epoch || state.connection.is_none() {
                return;
            }
            state.connection = None;
            if let Some(seconds) = closing.expiry_seconds {
                state.expiry_seconds = seconds;
            }
            if !closing.publish_will {
                state.will = None;
            }
            let now = Instant::now();
            let life = Duration::from_secs(state.expiry_seconds.into());
            state.expires = Some(now + life);
            let delay = state.will.as_ref().map(|w| Duration::from_secs(w.delay_seconds().into()));
            state.will_due = delay.map(|delay| now + delay.min(life));
            if state.expiry_seconds > 0 {
                state.forget_unkept();
                if state.durable {
                    let record = session.record(&state, Some(now_ms()));
                    broker.journal.append(&session.share, &Entry::Session(session.id, &record));
                }
            }
            wills.extend(advance(broker, session, &mut state, now));
        }
        self.publish_wills(broker, &session.client_id, wills);
        self.reap(broker, session);
    }

    /// A deadline of the session came.
    pub(crate) fn deadline(&self, broker: &Arc<Inner>, session: &Arc<Session>, epoch: u64) {
        let will = {
            let mut state = session.state();
            if state.epoch != epoch || state.connection.is_some() || state.ended {
                return;
            }
            state.timer = None;
            advance(broker, session, &mut state, Instant::now())
        };
        self.publish_wills(broker, &session.client_id, will.into_iter().collect());
        self.reap(broker, session);
    }

    /// Ends the session if its time is over.
    fn reap(&self, broker: &Arc<Inner>, session: &Arc<Session>) {
        let mut wills = Vec::new();
        let over = {
            let mut sessions = self.sessions();
            let over = {
                let state = session.state();
                state.connection.is_none()
                    && !state.ended
                    && state.expires.is_some_and(|at| at <= Instant::now())
            };
            if !over {
                return;
            }
            if sessions.get(&session.client_id).is_some_and(|s| Arc::ptr_eq(s, session)) {
                sessions.remove(&session.client_id);
            }
            end(broker, session, &mut wills)
        };
        self.remove_filters(over.0, over.1.keys().map(|filter| &**filter));
        self.publish_wills(broker, &session.client_id, wills);
    }
}

/// Continues a session with a new connection, or gives the opening back when it has to be a new one.
fn resume(
    broker: &Inner,
    session: &Arc<Session>,
    opening: Opening,
    wills: &mut Vec<KeptWill>,
) -> Result<Opened, Box<Opening>> {
    let mut state = session.state();
    let over = state.connection.is_none() && state.expires.is_some_and(|at| at <= Instant::now());
    if opening.clean_start || state.ended || state.expiry_seconds == 0 || over {
        return Err(Box::new(opening));
    }
    if let Some(old) = state.connection.take() {
        old.signal.close(reason::TAKEN_OVER);
        // Its network connection closes without DISCONNECT; a delayed will is taken back by the
        // new connection (MQTT 5, 3.1.3.2.2).
        wills.extend(state.will.take().filter(|will| will.delay_seconds() == 0));
        state.forget_unkept();
    }
    if let Some(timer) = state.timer.take() {
        broker.timers.cancel(timer);
    }
    state.epoch += 1;
    state.expires = None;
    state.will_due = None;
    state.will = opening.will;
    state.expiry_seconds = opening.expiry_seconds;
    state.connection = Some(Attached { signal: opening.signal, info: opening.info });
    let released = state.resume(&broker.limits);
    if state.durable {
        let record = session.record(&state, None);
        broker.journal.append(&session.share, &Entry::Session(session.id, &record));
    }
    Ok(Opened {
        session: Arc::clone(session),
        epoch: state.epoch,
        present: true,
        released,
        journaled: state.durable,
    })
}

type Over = (u64, HashMap<Arc<str>, SubscriptionOptions>);

/// Ends a session; the caller removes the returned subscriptions from the tree.
fn end(broker: &Inner, session: &Session, wills: &mut Vec<KeptWill>) -> Over {
    let mut state = session.state();
    if let Some(old) = state.connection.take() {
        old.signal.close(reason::TAKEN_OVER);
    }
    wills.extend(state.will.take());
    if let Some(timer) = state.timer.take() {
        broker.timers.cancel(timer);
    }
    state.epoch += 1;
    state.ended = true;
    state.clear();
    if state.durable {
        broker.journal.append(&session.share, &Entry::SessionRemoved(session.id));
    }
    (session.id, std::mem::take(&mut state.subscriptions))
}

/// Takes the will if it is due, and sets the timer for what comes next.
fn advance(
    broker: &Inner,
    session: &Arc<Session>,
    state: &mut State,
    now: Instant,
) -> Option<KeptWill> {
    let will = if state.will_due.is_some_and(|at| at <= now) {
        state.will_due = None;
        state.will.take()
    } else {
        None
    };
    let next = state.will_due.into_iter().chain(state.expires).min();
    if let Some(at) = next.filter(|at| *at > now) {
        state.timer = Some(broker.timers.set(at, session, state.epoch));
    }
    will
}

impl Tenant {
    /// Puts a recovered session back; it has no connection.
    pub(crate) fn restore_session(&self, broker: &Inner, session: &Arc<Session>, life: Duration) {
        {
            let mut state = session.state();
            let now = Instant::now();
            state.expires = Some(now + life);
            state.timer = Some(broker.timers.set(now + life, session, state.epoch));
        }
        self.sessions().insert(Arc::clone(&session.client_id), Arc::clone(session));
    }
}
