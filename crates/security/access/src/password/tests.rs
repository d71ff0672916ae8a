use super::*;

#[test]
fn weak_passwords_are_refused() {
    let check = |password: &str| check(password, "lovelace", PASSWORD_CHARS_MIN);
    check("correct horse battery staple").unwrap();
    check("都江堰水利工程始建于公元前二五六年").unwrap();
    check(&generate_password().unwrap()).unwrap();
    assert_eq!(check("eleven char"), Err(WeakPassword::TooShort { min: 12 }));
    assert_eq!(check(&"abcdefgh".repeat(33)), Err(WeakPassword::TooLong));
    for common in [
        "Password123456789",
        "passwordpassword",
        "123456789012345678",
        "aaaaaaaaaaaaaaaaaaaa",
        "lovelaceLOVELACE1",
        "weir-admin-welcome",
        "qwertyuiop123456",
    ] {
        assert_eq!(check(common), Err(WeakPassword::Common), "{common}");
    }
}

#[test]
fn generated_passwords_are_random_and_readable() {
    let (one, other) = (generate_password().unwrap(), generate_password().unwrap());
    assert_ne!(one, other);
    assert_eq!(one.len(), 23);
    assert!(one.split('-').all(|group| group.len() == 5));
}

#[tokio::test]
async fn a_hash_fits_its_password_only() {
    let hasher = Hasher::new();
    let hash = hasher.hash("correct horse battery staple").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(hasher.verify("correct horse battery staple", Some(&hash)).await.unwrap());
    assert!(!hasher.verify("correct horse battery stable", Some(&hash)).await.unwrap());
    assert!(!hasher.verify("", Some(&hash)).await.unwrap());
    assert!(!hasher.verify("correct horse battery staple", None).await.unwrap());
    let long = "x".repeat(100_000);
    assert!(!hasher.verify(&long, Some(&hash)).await.unwrap());
    // A hash made elsewhere, with other parameters and the reference implementation.
    let made_elsewhere =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert!(hasher.verify("password", Some(made_elsewhere)).await.unwrap());
}
