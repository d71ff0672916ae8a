use super::*;

const SEAT: Seat<'_> = Seat { tenant: TenantId(1), collection: "tokens", key: "k", version: 2 };

#[test]
fn a_seal_opens_in_its_seat_only() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(dir.path(), true).unwrap();
    let sealed = vault.seal(SEAT, b"secret").unwrap();
    assert_eq!(vault.unseal(SEAT, &sealed).unwrap(), b"secret");
    assert_ne!(sealed, vault.seal(SEAT, b"secret").unwrap());
    for other in [
        Seat { tenant: TenantId(2), ..SEAT },
        Seat { collection: "token", key: "sk", ..SEAT },
        Seat { key: "l", ..SEAT },
        Seat { version: 3, ..SEAT },
    ] {
        assert_eq!(vault.unseal(other, &sealed), None);
    }
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert_eq!(vault.unseal(SEAT, &damaged), None);
        assert_eq!(vault.unseal(SEAT, &sealed[..at]), None);
    }
}

#[test]
fn the_key_file_is_private_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = Vault::open(dir.path(), true).unwrap();
    let again = Vault::open(dir.path(), false).unwrap();
    assert_eq!(first.fingerprint(), again.fingerprint());
    assert_eq!(again.unseal(SEAT, &first.seal(SEAT, b"x").unwrap()).unwrap(), b"x");
    assert_eq!(first.index_value(b"p", 0, "v"), again.index_value(b"p", 0, "v"));
    assert_ne!(first.index_value(b"p", 0, "v"), again.index_value(b"p", 1, "v"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_missing_or_broken_key_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Vault::open(dir.path(), false);
    assert!(matches!(missing, Err(StoreError::SecretKeyMissing { .. })));
    for text in ["", "abc", &"g".repeat(64), &"é".repeat(32), &"+f".repeat(32)] {
        std::fs::write(dir.path().join(KEY_FILE), text).unwrap();
        let broken = Vault::open(dir.path(), true);
        assert!(matches!(broken, Err(StoreError::SecretKeyWrong { .. })), "{text}");
    }
}
