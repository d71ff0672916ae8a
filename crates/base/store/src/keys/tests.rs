use proptest::prelude::*;
use weir_model::TenantId;

use super::*;
use crate::fixtures::long;

const PLACE: Place = Place { tenant: TenantId(7), collection: 3 };

#[test]
fn keys_come_apart_as_they_were_put_together() {
    let record = PLACE.record(b"part");
    assert_eq!(PLACE.record_key(b"part")[..], record);
    assert_eq!(PLACE.record_key(&[7; 500])[PLACE_BYTES..], [7; KEY_PLAIN_BYTES_MAX]);
    assert_eq!(Place::split(&record), Some((PLACE, &b"part"[..])));
    let history = PLACE.history(b"part", 9);
    let (_, rest) = Place::split(&history).unwrap();
    assert_eq!(Place::split_history(rest), Some((&b"part"[..], 9)));
    let index = PLACE.index(2, b"value", b"part");
    let (_, rest) = Place::split(&index).unwrap();
    assert_eq!(Place::split_index(rest), Some((2, &b"value"[..], &b"part"[..])));
}

#[test]
fn no_key_passes_what_lmdb_allows() {
    let key = part(&long("", KEY_BYTES_MAX)).into_owned();
    let value = value_part(&long("", 5000)).into_owned();
    assert_eq!((key.len(), value.len()), (240, 200));
    assert!(PLACE.index(0, &value, &key).len() <= 511);
    assert!(PLACE.history(&key, u64::MAX).len() <= 511);
}

#[test]
fn long_keys_are_hashed_and_stay_searchable() {
    let plain = long("tag/", KEY_PLAIN_BYTES_MAX);
    let hashed = long("tag/", KEY_PLAIN_BYTES_MAX + 1);
    assert!(!is_hashed(&part(&plain)) && is_hashed(&part(&hashed)));
    assert!(part(&hashed).starts_with(searchable("tag/")));
    assert!(part(&hashed).starts_with(searchable(&hashed)));
    assert!(part(&plain) < part(&hashed));
}

proptest! {
    #[test]
    fn parts_tell_keys_apart_and_keep_their_order(a in ".{0,300}", b in ".{0,300}") {
        let (x, y) = (part(&a), part(&b));
        prop_assert_eq!(a == b, x == y);
        if !is_hashed(&x) && !is_hashed(&y) {
            prop_assert_eq!(a.as_bytes().cmp(b.as_bytes()), x.cmp(&y));
        }
        for key in [PLACE.record(&x), PLACE.history(&x, u64::MAX), PLACE.index(253, &y, &x)] {
            prop_assert!(key < PLACE.end());
        }
    }
}
