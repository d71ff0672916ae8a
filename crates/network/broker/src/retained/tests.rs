use bytes::Bytes;

use super::*;
use crate::message::Qos;

fn message(topic: &str, payload: &'static [u8]) -> Arc<Message> {
    let payload = Bytes::from_static(payload);
    Arc::new(Message::new(topic.into(), payload, Qos::AtMostOnce, true))
}

fn topics(retained: &Retained, filter: &str) -> Vec<String> {
    retained.matching(filter, 0).0.iter().map(|m| m.topic.to_string()).collect()
}

#[test]
fn filters_find_what_is_retained() {
    let mut retained = Retained::default();
    for topic in ["a", "a/b", "a/b/c", "ab", "$x/a", "温度/1"] {
        assert_eq!(retained.put(message(topic, b"1"), 100, 10_000), Kept::Stored);
    }
    assert_eq!(topics(&retained, "a/#"), ["a", "a/b", "a/b/c"]);
    assert_eq!(topics(&retained, "a/+"), ["a/b"]);
    assert_eq!(topics(&retained, "a"), ["a"]);
    assert_eq!(topics(&retained, "#"), ["a", "a/b", "a/b/c", "ab", "温度/1"]);
    assert_eq!(topics(&retained, "$x/+"), ["$x/a"]);
    assert_eq!(topics(&retained, "+/1"), ["温度/1"]);
}

#[test]
fn limits_hold_and_removal_makes_room() {
    let mut retained = Retained::default();
    assert_eq!(retained.put(message("a", b"1"), 1, 10_000), Kept::Stored);
    assert_eq!(retained.put(message("b", b"1"), 1, 10_000), Kept::Full);
    assert_eq!(retained.put(message("a", b"22"), 1, 10_000), Kept::Stored);
    assert_eq!(retained.put(message("a", b""), 1, 10_000), Kept::Removed { existed: true });
    assert_eq!(retained.put(message("a", b""), 1, 10_000), Kept::Removed { existed: false });
    assert_eq!((retained.len(), retained.bytes), (0, 0));
    assert_eq!(retained.put(message("b", &[1; 50]), 9, 60), Kept::Full);
}

#[test]
fn what_has_expired_is_not_sent() {
    let mut retained = Retained::default();
    let mut old = (*message("a", b"1")).clone();
    old.expires_ms = Some(1000);
    retained.put(Arc::new(old), 10, 10_000);
    assert_eq!(retained.matching("#", 999).0.len(), 1);
    assert!(retained.matching("#", 1000).0.is_empty());
    assert_eq!(retained.expired(1000, 10), [Arc::from("a")]);
    assert!(!retained.remove_expired("a", 999));
    assert!(retained.remove_expired("a", 1000));
    assert_eq!(retained.len(), 0);
}
