//! The sessions that are open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_handle::{Envelope, Error, Message, ReplayWindow, SessionKey};

use super::answer::{Now, User};
use crate::limit::Limiter;

/// Most sessions: some 400 bytes each, that any stranger can ask for.
const SESSIONS_MAX: usize = 16_384;

/// Most sessions of one address, so that none can fill the table for others.
const OF_ADDRESS_MAX: usize = 1_024;

/// Sessions that one network may begin in a second. Each costs two exponentiations, of some
/// milliseconds.
const SETUPS_PER_S: u32 = 20;

/// Most that wait for their turn at these; one at a time is computed, so that strangers occupy one
/// processor at most.
const WAITING_MAX: usize = 64;

/// How long a session may be unused, in milliseconds: what the client asks for, within these.
const IDLE_MS_MIN: u64 = 60_000;
const IDLE_MS_MAX: u64 = 3_600_000;

/// How long one may be unused in which nobody has proved who is there.
const UNPROVED_MS: u64 = 120_000;

/// How long a session may last at all: whoever lost the right to a key is not served for longer.
const LIFE_MS: u64 = 24 * 3_600_000;

/// How often a full table is looked through for sessions that have ended.
const SWEEP_MS: u64 = 1_000;

/// A session.
pub(super) struct Session {
    /// Its number.
    pub(super) number: u32,
    key: SessionKey,
    /// Who said to be at the other end.
    identity: User,
    address: IpAddr,
    begun_ms: u64,
    idle_ms: u64,
    /// Messages of ours that had a MAC.
    sent: AtomicU32,
    state: Mutex<State>,
}

struct State {
    window: ReplayWindow,
    /// Who proved to be at the other end.
    user: Option<User>,
    used_ms: u64,
}

impl Session {
    pub(super) fn new(
        number: u32,
        key: SessionKey,
        identity: User,
        address: IpAddr,
        now: Now,
        timeout_s: i32,
    ) -> Self {
        let wanted_ms = u64::try_from(timeout_s).unwrap_or(0) * 1_000;
        let begun_ms = now.steady_ms;
        Self {
            number,
            key,
            identity,
            address,
            begun_ms,
            idle_ms: wanted_ms.clamp(IDLE_MS_MIN, IDLE_MS_MAX),
            sent: AtomicU32::new(0),
            state: Mutex::new(State {
                window: ReplayWindow::default(),
                user: None,
                used_ms: begun_ms,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self, now_ms: u64) -> bool {
        let state = self.state();
        let idle_ms = match state.user {
            Some(_) => self.idle_ms,
            None => self.idle_ms.min(UNPROVED_MS),
        };
        now_ms > state.used_ms + idle_ms || now_ms > self.begun_ms + LIFE_MS
    }

    /// Whether a message has the right MAC, and a counter that did not come before.
    pub(super) fn check(&self, now_ms: u64, message: &Message<'_>) -> Result<(), Error> {
        let counter = self.key.verify(message)?;
        let mut state = self.state();
        state.window.accept(counter)?;
        state.used_ms = state.used_ms.max(now_ms);
        Ok(())
    }

    /// Who proved to be at the other end.
    pub(super) fn user(&self) -> Option<User> {
        self.state().user.clone()
    }

    /// Takes down that a key answered a challenge in this session, if it is whose session this was
    /// said to be: from then on, a MAC is enough.
    pub(super) fn prove(&self, user: &User) {
        let same = weir_handle::name::same(&user.handle, &self.identity.handle);
        if same && user.index == self.identity.index {
            self.state().user = Some(user.clone());
        }
    }

    /// Appends the MAC of an answer.
    pub(super) fn certify(
        &self,
        envelope: &Envelope,
        signed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let counter = self.sent.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.key.certify(envelope, signed, counter, out)
    }

    /// Encrypts the message that begins at a place; where that cannot be done, nothing is sent.
    pub(super) fn seal(&self, start: usize, out: &mut Vec<u8>) {
        let plain = out.split_off(start);
        let mut random = [0; 16];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::error!(%error, "there are no random bytes");
            return;
        }
        if let Err(error) = self.key.encrypt(&plain, &random, out) {
            out.truncate(start);
            tracing::error!(%error, "an answer could not be encrypted");
        }
    }

    /// The message that is in an encrypted one.
    pub(super) fn open(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut opened = Vec::new();
        self.key.decrypt(bytes, &mut opened)?;
        Ok(opened)
    }
}

/// The sessions that are open.
pub(super) struct Sessions {
    table: Mutex<Table>,
    setups: Limiter,
    waiting: AtomicUsize,
    computing: Mutex<()>,
}

#[derive(Default)]
struct Table {
    open: HashMap<u32, Arc<Session>>,
    of_address: HashMap<IpAddr, usize>,
    swept_ms: u64,
}

/// The turn at computing a session's key, for as long as it lives.
pub(super) struct Turn<'s> {
    _computing: MutexGuard<'s, ()>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self {
            table: Mutex::default(),
            setups: Limiter::new(SETUPS_PER_S),
            waiting: AtomicUsize::new(0),
            computing: Mutex::new(()),
        }
    }

    /// Waits for the turn to compute a key; none where this network begins too many, or too many
    /// wait.
    pub(super) fn turn(&self, now_ms: u64, address: IpAddr) -> Option<Turn<'_>> {
        if !self.setups.allows(address, 1, now_ms) {
            return None;
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = (before < WAITING_MAX).then(|| {
            let computing = self.computing.lock().unwrap_or_else(PoisonError::into_inner);
            Turn { _computing: computing }
        });
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        turn
    }

    /// Adds a session; false where there are too many.
    pub(super) fn put(&self, now_ms: u64, session: Session) -> bool {
        let mut table = self.table();
        if !table.has_room(session.address) && now_ms >= table.swept_ms + SWEEP_MS {
            table.sweep(now_ms);
        }
        if !table.has_room(session.address) || table.open.contains_key(&session.number) {
            return false;
        }
        *table.of_address.entry(session.address).or_default() += 1;
        table.open.insert(session.number, Arc::new(session));
        true
    }

    /// The session of a number.
    pub(super) fn get(&self, now_ms: u64, number: u32) -> Option<Arc<Session>> {
        let mut table = self.table();
        let session = Arc::clone(table.open.get(&number)?);
        if session.has_ended(now_ms) {
            table.remove(number);
            return None;
        }
        Some(session)
    }

    /// Whether a number is a session's.
    pub(super) fn has(&self, number: u32) -> bool {
        self.table().open.contains_key(&number)
    }

    /// Ends a session.
    pub(super) fn remove(&self, number: u32) {
        self.table().remove(number);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn has_room(&self, address: IpAddr) -> bool {
        let of_address = self.of_address.get(&address).copied().unwrap_or(0);
        self.open.len() < SESSIONS_MAX && of_address < OF_ADDRESS_MAX
    }

    fn sweep(&mut self, now_ms: u64) {
        self.swept_ms = now_ms;
        let ended = self.open.values().filter(|session| session.has_ended(now_ms));
        for number in ended.map(|session| session.number).collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u32) {
        let Some(session) = self.open.remove(&number) else { return };
        if let Some(count) = self.of_address.get_mut(&session.address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&session.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
