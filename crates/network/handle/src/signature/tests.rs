use super::*;

fn hex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// GM/T 0003.5-2012, A.2: the key, the message and the signature of the example.
#[test]
fn the_example_of_sm2_verifies() {
    let secret = hex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
    let point = hex("04 09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
            CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13");
    let key = SigningKey::sm2_from_secret(&secret.try_into().unwrap()).unwrap();
    let public = PublicKey::decode(key.public_key()).unwrap();
    assert_eq!(public, PublicKey::Sm2(&point));
    let signature = hex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
         B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA");
    public.verify(HashName::Sm3, b"message digest", &signature).unwrap();
    let der = der::write_pair(&signature[..32], &signature[32..]);
    public.verify(HashName::Sm3, b"message digest", &der).unwrap();
    assert_eq!(sm2_side_by_side(&der).unwrap(), signature);
    let mismatch = Err(Error::Mismatch { what: "a signature" });
    assert_eq!(public.verify(HashName::Sm3, b"message digesT", &signature), mismatch);
    assert_eq!(public.verify(HashName::Sm3, b"message digest", &der[1..]), mismatch);
    // Ours are of the same key, and of no other message.
    let ours = key.sign(HashName::Sm3, b"message digest").unwrap();
    public.verify(HashName::Sm3, b"message digest", &ours).unwrap();
    assert_eq!(public.verify(HashName::Sm3, b"message", &ours), mismatch);
}

/// GM/T 0004-2012, A.1.
#[test]
fn the_example_of_sm3_is_right() {
    use sm3::Digest as _;
    let digest = hex("66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0");
    assert_eq!(sm3::Sm3::digest(b"abc").to_vec(), digest);
}

/// RFC 8032, 7.1, test 2.
#[test]
fn the_example_of_ed25519_is_right() {
    let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let key = SigningKey::ed25519_from_seed(&seed.try_into().unwrap()).unwrap();
    let point = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_eq!(PublicKey::decode(key.public_key()).unwrap(), PublicKey::Ed25519(&point));
    let signature = hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_eq!(key.sign(HashName::Ed25519, &[0x72]).unwrap(), signature);
    PublicKey::Ed25519(&point).verify(HashName::Ed25519, &[0x72], &signature).unwrap();
}

#[test]
fn a_hash_goes_with_its_kind_of_key() {
    let key = SigningKey::ed25519_from_seed(&[1; 32]).unwrap();
    let public = PublicKey::decode(key.public_key()).unwrap();
    let wrong = Error::Algorithm { what: "a signature" };
    for hash in [HashName::Sha1, HashName::Sha256, HashName::Sm3] {
        assert_eq!(key.sign(hash, b""), Err(wrong.clone()));
        assert_eq!(public.verify(hash, b"", b""), Err(wrong.clone()));
    }
    assert_eq!(HashName::parse(b"MD5"), Err(wrong));
    assert!(SigningKey::sm2_from_secret(&[0; 32]).is_err());
    assert!(SigningKey::sm2_from_secret(&[0xff; 32]).is_err());
    assert!(SigningKey::rsa_from_pkcs8(b"").is_err());
}

#[test]
fn a_new_rsa_key_signs_at_every_version() {
    let mut state = 1_u64;
    let der = SigningKey::generate_rsa_pkcs8(|bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    });
    let key = SigningKey::rsa_from_pkcs8(&der.unwrap()).unwrap();
    let public = PublicKey::decode(key.public_key()).unwrap();
    for version in [Version::DIGEST_FLAG, Version::SHA256, Version::CURRENT] {
        let hash = key.hash_of(version);
        let signature = key.sign(hash, b"a message").unwrap();
        public.verify(hash, b"a message", &signature).unwrap();
        assert!(public.verify(hash, b"another", &signature).is_err());
    }
}

#[test]
fn numbers_of_any_size_are_no_keys() {
    for length in [0, 1, 128, 400, 5000] {
        let number = &vec![0xff; length][..];
        let keys = [
            PublicKey::Rsa { e: number, n: number },
            PublicKey::Dsa { q: number, p: number, g: number, y: number },
            PublicKey::Ed25519(number),
            PublicKey::Sm2(number),
        ];
        for (key, hash) in
            keys.iter().zip([HashName::Sha1, HashName::Sha256, HashName::Ed25519, HashName::Sm3])
        {
            assert!(key.verify(hash, b"", number).is_err(), "{length}");
        }
    }
}
