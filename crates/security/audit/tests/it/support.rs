//! Entries for tests.
#![allow(dead_code, reason = "each test file uses some of them")]

use weir_audit::{Change, Entry, Event, Operation};
use weir_model::{Author, RequestId, TenantId, Timestamp};

pub(crate) fn author(tenant: u32) -> Author {
    Author {
        tenant: TenantId(tenant),
        principal: "88.100/user.ada".parse().unwrap(),
        cause: "test".to_owned(),
        request: RequestId(1),
    }
}

pub(crate) fn note(tenant: u32, text: &str) -> Entry {
    let event = Event::Note { text: text.to_owned() };
    Entry::new(Timestamp::from_nanos(0), author(tenant), event)
}

pub(crate) fn change(tenant: u32, position: u64) -> Entry {
    let change = Change {
        tenant: TenantId(tenant),
        collection: "tags".to_owned(),
        key: "88.100/t-1".to_owned(),
        version: position,
        op: Operation::Put,
    };
    let event = Event::Change { position, changes: vec![change] };
    Entry::new(Timestamp::from_nanos(0), author(tenant), event)
}

pub(crate) fn refusal(tenant: u32, action: &str) -> Entry {
    let event = Event::Refusal {
        action: action.to_owned(),
        reason: "not-permitted".to_owned(),
        status: 403,
    };
    Entry::new(Timestamp::from_nanos(0), author(tenant), event)
        .from_remote(Some("192.0.2.1".parse().unwrap()))
}
