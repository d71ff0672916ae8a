//! Collections and helpers for the tests of this crate.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use weir_model::{Author, RequestId, TenantId, Timestamp};

use crate::{BoxError, Collection, Commit, Expect, History, Index, Options, Schema, Store};

pub(crate) const ONE: TenantId = TenantId(1);
pub(crate) const TWO: TenantId = TenantId(2);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) labels: Vec<String>,
}

pub(crate) fn note(title: &str, labels: &[&str]) -> Note {
    Note { title: title.into(), labels: labels.iter().map(|label| (*label).to_owned()).collect() }
}

fn index_note(record: &Note, add: &mut dyn FnMut(&'static str, &str)) {
    add("title", &record.title);
    for label in &record.labels {
        add("label", label);
    }
}

const NOTE_INDEXES: &[Index] = &[Index::unique("title"), Index::shared("label")];

macro_rules! notes {
    ($name:ident, $stored:literal, $history:expr, $secret:literal) => {
        pub(crate) struct $name;
        impl Collection for $name {
            const NAME: &'static str = $stored;
            type Record = Note;
            const HISTORY: History = $history;
            const SECRET: bool = $secret;
            const INDEXES: &'static [Index] = NOTE_INDEXES;
            fn index(record: &Note, add: &mut dyn FnMut(&'static str, &str)) {
                index_note(record, add);
            }
        }
    };
}

notes!(Notes, "notes", History::All, false);
notes!(Recent, "recent", History::Versions(2), false);
notes!(Plain, "plain", History::None, false);
notes!(Secrets, "secrets", History::All, true);

/// A compact codec with a JSON view: eight bytes for a number.
pub(crate) struct Meters;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meter {
    pub(crate) reading: u64,
}

impl Collection for Meters {
    const NAME: &'static str = "meters";
    type Record = Meter;
    const HISTORY: History = History::None;

    fn encode(record: &Meter) -> Result<Vec<u8>, BoxError> {
        Ok(record.reading.to_le_bytes().to_vec())
    }

    fn decode(bytes: &[u8]) -> Result<Meter, BoxError> {
        Ok(Meter { reading: u64::from_le_bytes(bytes.try_into()?) })
    }
}

pub(crate) fn schema() -> Schema {
    Schema::new()
        .with::<Notes>()
        .with::<Recent>()
        .with::<Plain>()
        .with::<Secrets>()
        .with::<Meters>()
}

pub(crate) fn author(tenant: TenantId) -> Author {
    Author {
        tenant,
        principal: "88.100/ada".parse().unwrap(),
        cause: "test.run".into(),
        request: RequestId(7),
    }
}

/// A time so many seconds after some instant.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(1_700_000_000_000_000_000 + seconds * 1_000_000_000)
}

pub(crate) fn commit_at(seconds: i64) -> Commit {
    Commit::new(author(ONE), at(seconds))
}

pub(crate) fn put<C: Collection<Record = Note>>(key: &str, title: &str, expect: Expect) -> Commit {
    let mut commit = commit_at(0);
    commit.put::<C>(key, &note(title, &[]), expect);
    commit
}

pub(crate) fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), schema(), Options::default()).unwrap()
}

/// A text of so many bytes.
pub(crate) fn long(start: &str, bytes: usize) -> String {
    start.chars().chain(std::iter::repeat('x')).take(bytes).collect()
}

/// What a future says when it is asked once.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
