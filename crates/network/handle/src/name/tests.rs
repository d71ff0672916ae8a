use std::collections::hash_map::DefaultHasher;

use proptest::prelude::*;

use super::*;

fn folded(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    fold(name, &mut out);
    out
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    Folded(name).hash(&mut hasher);
    hasher.finish()
}

proptest! {
    #[test]
    fn names_are_equal_ordered_and_hashed_as_their_upper_case(
        one in "[a-cA-C/.é]{0,4}", other in "[a-cA-C/.é]{0,4}",
    ) {
        let (one, other) = (one.as_bytes(), other.as_bytes());
        prop_assert_eq!(same(one, other), folded(one) == folded(other));
        prop_assert_eq!(compare(one, other), folded(one).cmp(&folded(other)));
        prop_assert_eq!(Folded(one).cmp(&Folded(other)), folded(one).cmp(&folded(other)));
        if same(one, other) {
            prop_assert_eq!(hash(one), hash(other));
        }
    }
}

#[test]
fn only_ascii_letters_have_no_case() {
    assert!(same("99.1000/AbC".as_bytes(), "99.1000/aBc".as_bytes()));
    assert!(!same("99.1000/Ä".as_bytes(), "99.1000/ä".as_bytes()));
    assert!(!same(b"99.1000/@[", b"99.1000/`{"));
}

#[test]
fn prefixes_are_told() {
    assert_eq!(split(b"88.1/a/b"), Some((&b"88.1"[..], &b"a/b"[..])));
    assert_eq!(split(b"88.1"), None);
    assert_eq!(prefix_named(b"0.na/88.1"), Some(&b"88.1"[..]));
    assert_eq!(prefix_named(b"88.1/0.NA/"), None);
    assert_eq!(parent(b"88.1.2"), Some(&b"88.1"[..]));
    assert_eq!(parent(b"88"), None);
    assert!(derived(b"88.1.2", b"88") && derived(b"88.1", b"88"));
    assert!(!derived(b"88", b"88") && !derived(b"881", b"88") && !derived(b"88", b"88.1"));
    let mut handle = Vec::new();
    prefix_handle(b"88.1/a", &mut handle);
    assert_eq!(handle, b"0.NA/88.1");
}

#[test]
fn types_match_as_recorded() {
    for kind in [&b"URL"[..], b"URL.SUB", b"url.other"] {
        assert!(type_matches(b"URL.", kind));
    }
    assert!(!type_matches(b"URL.", b"URLX") && !type_matches(b"URL.", b"UR"));
    assert!(type_matches(b"url", b"URL") && !type_matches(b"URL", b"URL.SUB"));
    assert!(!type_matches(b"", b"") && !type_matches(b"", b"URL"));
}
