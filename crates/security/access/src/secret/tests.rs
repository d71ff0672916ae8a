use super::*;

#[test]
fn secrets_are_long_and_differ() {
    let (one, other) = (random_secret().unwrap(), random_secret().unwrap());
    assert_eq!(one.len(), 43);
    assert_ne!(one, other);
    let key = key_of(&one).unwrap();
    assert_eq!(key.len(), 64);
    assert_ne!(key_of(&other).unwrap(), key);
    assert_eq!(key_of(""), None);
    assert_eq!(key_of(&"x".repeat(65)), None);
}

#[test]
fn the_key_is_the_sha_256() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(key_of("abc").unwrap(), expected);
}

#[test]
fn the_csrf_token_follows_from_the_secret() {
    assert_eq!(csrf_of("one"), csrf_of("one"));
    assert_ne!(csrf_of("one"), csrf_of("two"));
    assert!(same_secret(b"a", b"a"));
    assert!(!same_secret(b"a", b"b"));
    assert!(!same_secret(b"a", b"aa"));
}
