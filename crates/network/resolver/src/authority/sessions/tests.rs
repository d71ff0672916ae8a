use super::*;
use weir_model::Timestamp;

fn session(number: u32, address: [u8; 4], at_ms: u64, timeout_s: i32) -> Session {
    let now = Now { time: Timestamp::from_nanos(0), steady_ms: at_ms };
    let identity = User { handle: b"0.NA/99.1000".to_vec(), index: 301 };
    let key = SessionKey::from_bytes([7; 32]);
    Session::new(number, key, identity, address.into(), now, timeout_s)
}

#[test]
fn sessions_end_when_they_are_not_used() {
    let sessions = Sessions::new();
    assert!(sessions.put(0, session(1, [192, 0, 2, 1], 0, 3_600)));
    assert!(sessions.put(0, session(2, [192, 0, 2, 1], 0, 3_600)));
    assert!(sessions.put(0, session(3, [192, 0, 2, 1], 0, i32::MAX)));
    let found = sessions.get(UNPROVED_MS, 2).unwrap();
    found.prove(&User { handle: b"0.na/99.1000".to_vec(), index: 301 });
    // Somebody else does not become the one whose session this is.
    let other = User { handle: b"0.NA/99.1000".to_vec(), index: 300 };
    sessions.get(UNPROVED_MS, 3).unwrap().prove(&other);
    assert!(found.user().is_some());
    assert!(sessions.get(UNPROVED_MS + 1, 1).is_none());
    assert!(sessions.get(UNPROVED_MS + 1, 3).is_none());
    assert!(sessions.get(IDLE_MS_MAX, 2).is_some());
    assert!(sessions.get(IDLE_MS_MAX + 1, 2).is_none());
    assert!(sessions.table().open.is_empty() && sessions.table().of_address.is_empty());
}

#[test]
fn one_address_does_not_take_all_and_the_ended_make_room() {
    let sessions = Sessions::new();
    for number in 1..=OF_ADDRESS_MAX as u32 {
        assert!(sessions.put(5, session(number, [192, 0, 2, 1], 5, 60)));
    }
    assert!(!sessions.put(5, session(100_000, [192, 0, 2, 1], 5, 60)));
    assert!(sessions.put(5, session(100_001, [192, 0, 2, 2], 5, 60)));
    assert!(!sessions.put(5, session(100_001, [192, 0, 2, 3], 5, 60)));
    let later = 5 + IDLE_MS_MIN + 1;
    assert!(sessions.put(later, session(100_000, [192, 0, 2, 1], later, 60)));
    assert_eq!(sessions.table().open.len(), 1);
}

#[test]
fn a_network_begins_a_few_sessions_at_a_time() {
    let sessions = Sessions::new();
    let address = [192, 0, 2, 1].into();
    let begun = (0..1_000).filter(|_| sessions.turn(0, address).is_some()).count();
    assert_eq!(begun, 2 * SETUPS_PER_S as usize);
    assert!(sessions.turn(0, [198, 51, 100, 1].into()).is_some());
}
