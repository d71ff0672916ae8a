use super::*;
use crate::hash::leaf_hash;

fn key(name: &str) -> (tempfile::TempDir, SigningKey) {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::open(dir.path(), name, true).unwrap();
    (dir, key)
}

#[test]
fn a_checkpoint_is_a_signed_note() {
    let (_dir, key) = key("weir.test");
    let root = leaf_hash(b"x");
    let signed = SignedCheckpoint::sign(&key, 42, root);
    let body = format!("weir.test\n42\n{root}\n\n\u{2014} weir.test ");
    assert!(signed.as_str().starts_with(&body), "{signed}");
    let read = SignedCheckpoint::parse(signed.as_str(), key.public()).unwrap();
    assert_eq!(read, signed);
}

#[test]
fn no_other_checkpoint_is_taken() {
    let (_dir, ours) = key("weir.test");
    let (_other_dir, theirs) = key("weir.test");
    let signed = SignedCheckpoint::sign(&ours, 42, leaf_hash(b"x"));
    let text = signed.as_str();
    let parse = |text: &str| SignedCheckpoint::parse(text, ours.public());
    assert!(parse(&text.replace("\n42\n", "\n43\n")).is_err());
    assert!(parse(&text.replace("\n42\n", "\n042\n")).is_err());
    assert!(parse(text.split_once("\n\n").unwrap().0).is_err());
    assert!(parse(SignedCheckpoint::sign(&theirs, 42, leaf_hash(b"x")).as_str()).is_err());
    assert!(parse("").is_err());
    // Others may put their signatures below ours.
    let witnessed = format!("{text}\u{2014} witness.example {}\n", STANDARD.encode([7; 68]));
    assert_eq!(parse(&witnessed).unwrap().checkpoint(), signed.checkpoint());
}

#[test]
fn a_key_is_kept_and_read_back() {
    let (dir, key) = key("weir.test");
    let again = SigningKey::open(dir.path(), "ignored", false).unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), *key.public());
    assert!("weir.test+00000000+AAAA".parse::<PublicKey>().is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join("log.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::remove_file(dir.path().join("log.key")).unwrap();
    assert!(SigningKey::open(dir.path(), "weir.test", false).is_err());
}
