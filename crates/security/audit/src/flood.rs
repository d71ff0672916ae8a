//! Floods: refusals that are alike are copied a few times and then only counted, so that nobody
//! can fill the disk by being refused.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use weir_model::{Author, Identifier, RequestId, TenantId, Timestamp};

use crate::entry::{Entry, Event};
use crate::error::AuditError;

/// Refusals of one kind that are copied in full within one window.
pub const FLOOD_COPIES: u32 = 10;

/// How long a window is, after which what was only counted is written as one leaf.
pub const FLOOD_WINDOW_SECONDS: i64 = 60;

/// Kinds of refusal that are told apart at a time. Beyond these, all further kinds are counted
/// together, so that changing addresses does not help to fill memory or disk.
pub const FLOOD_KEYS_MAX: usize = 256;

/// Refusals of all kinds that are copied in full within a minute: some 100 KB a minute at most.
pub const FLOOD_COPIES_A_MINUTE_MAX: u32 = 256;

/// Longest action and reason that are kept, in bytes: ours are shorter, others' are cut.
const WORD_BYTES_MAX: usize = 128;

const WINDOW_NANOS: i64 = FLOOD_WINDOW_SECONDS * 1_000_000_000;

/// What makes two refusals alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    tenant: TenantId,
    principal: Identifier,
    action: String,
    reason: String,
    remote: Option<IpAddr>,
}

#[derive(Debug)]
struct Window {
    start: Timestamp,
    copied: u32,
    counted: u64,
    first: Timestamp,
    last: Timestamp,
    request: RequestId,
}

/// What is to be done with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Copy,
    Count,
}

/// The windows that are open.
#[derive(Debug, Default)]
pub(crate) struct Floods {
    windows: HashMap<Kind, Window>,
    /// What found no room among the windows, with the author of the latest.
    others: Option<(Author, Window)>,
    copies_since: Option<Timestamp>,
    copies: u32,
}

impl Floods {
    /// Takes note of a refusal.
    pub(crate) fn meet(&mut self, entry: &Entry) -> Result<Verdict, AuditError> {
        let kind = Kind::of(entry)?;
        let now = entry.time;
        if self.copies_since.is_none_or(|since| is_over(since, now)) {
            self.copies_since = Some(now);
            self.copies = 0;
        }
        let room = self.copies < FLOOD_COPIES_A_MINUTE_MAX;
        let fresh = || Window::new(now, entry.author.request);
        let known = self.windows.contains_key(&kind);
        if !known && self.windows.len() >= FLOOD_KEYS_MAX {
            let author = entry.author.clone();
            let (latest, window) = self.others.get_or_insert_with(|| (author.clone(), fresh()));
            *latest = author;
            window.count(now, entry.author.request);
            return Ok(Verdict::Count);
        }
        let window = self.windows.entry(kind).or_insert_with(fresh);
        if room && window.copied < FLOOD_COPIES {
            window.copied += 1;
            self.copies += 1;
            return Ok(Verdict::Copy);
        }
        window.count(now, entry.author.request);
        Ok(Verdict::Count)
    }

    /// A copy could not be written after all: it is counted instead.
    pub(crate) fn not_copied(&mut self, entry: &Entry) {
        if let Ok(kind) = Kind::of(entry) {
            let fresh = || Window::new(entry.time, entry.author.request);
            self.windows.entry(kind).or_insert_with(fresh).count(entry.time, entry.author.request);
        }
    }

    /// Closes the windows that are over (or all) and says what was only counted in them.
    pub(crate) fn close(&mut self, now: Timestamp, all: bool) -> Vec<Entry> {
        let mut floods = Vec::new();
        self.windows.retain(|kind, window| {
            let over = all || is_over(window.start, now);
            if over && window.counted > 0 {
                floods.push(flood(kind, window, now));
            }
            !over
        });
        if self.others.as_ref().is_some_and(|(_, window)| all || is_over(window.start, now))
            && let Some((author, window)) = self.others.take()
        {
            let kind = Kind {
                tenant: TenantId::NODE,
                principal: author.principal,
                action: "*".to_owned(),
                reason: "*".to_owned(),
                remote: None,
            };
            floods.push(flood(&kind, &window, now));
        }
        floods
    }
}

impl Window {
    fn new(now: Timestamp, request: RequestId) -> Self {
        Self { start: now, copied: 0, counted: 0, first: now, last: now, request }
    }

    fn count(&mut self, now: Timestamp, request: RequestId) {
        if self.counted == 0 {
            self.first = now;
        }
        self.counted += 1;
        self.last = now;
        self.request = request;
    }
}

impl Kind {
    /// Failed sign-ins are alike whatever the name, or else guessing names would be a way around.
    fn of(entry: &Entry) -> Result<Self, AuditError> {
        let (action, reason) = match &entry.event {
            Event::Refusal { action, reason, .. } => (action.as_str(), reason.as_str()),
            Event::SignIn { ok: false, reason, .. } => {
                ("sign-in", reason.as_deref().unwrap_or("wrong"))
            }
            _ => return Err(AuditError::NotARefusal),
        };
        Ok(Self {
            tenant: entry.author.tenant,
            principal: entry.author.principal.clone(),
            action: cut(action),
            reason: cut(reason),
            remote: entry.remote.map(network),
        })
    }
}

/// An IPv6 host commands a whole /64, so its addresses count as one.
fn network(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

fn cut(word: &str) -> String {
    word[..word.floor_char_boundary(WORD_BYTES_MAX)].to_owned()
}

/// A clock that was set back must not keep a window open for ever.
fn is_over(start: Timestamp, now: Timestamp) -> bool {
    now.nanos().abs_diff(start.nanos()) >= WINDOW_NANOS.unsigned_abs()
}

fn flood(kind: &Kind, window: &Window, now: Timestamp) -> Entry {
    let author = Author {
        tenant: kind.tenant,
        principal: kind.principal.clone(),
        cause: "audit.flood".to_owned(),
        request: window.request,
    };
    let event = Event::Flood {
        action: kind.action.clone(),
        reason: kind.reason.clone(),
        count: window.counted,
        first: window.first,
        last: window.last,
    };
    Entry::new(now, author, event).from_remote(kind.remote)
}

#[cfg(test)]
mod tests;
