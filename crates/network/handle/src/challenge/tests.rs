use super::*;

const CHALLENGE: Challenge<'static> =
    Challenge { nonce: b"0123456789abcdef", request_digest: b"digest" };

#[test]
fn answers_of_every_version_verify_and_only_with_their_secret() {
    for minor in 0..=11 {
        let version = Version::new(2, minor);
        let mut answer = Vec::new();
        SecretKeyAnswer::make(version, b"secret", &CHALLENGE, &[1; 16], &mut answer);
        let read = SecretKeyAnswer::decode(version, &answer).unwrap();
        read.verify(b"secret", &CHALLENGE).unwrap();
        let wrong = Err(Error::Mismatch { what: "an answer to a challenge" });
        assert_eq!(read.verify(b"Secret", &CHALLENGE), wrong);
        let other = Challenge { request_digest: b"other", ..CHALLENGE };
        assert_eq!(read.verify(b"secret", &other), wrong);
    }
}

#[test]
fn nobody_makes_us_compute_for_long() {
    let read = |iterations, key_bits| SecretKeyAnswer::Pbkdf2 {
        salt: b"salt",
        iterations,
        key_bits,
        mac: b"",
    };
    for (iterations, bits) in
        [(0, 160), (ITERATIONS_MAX + 1, 160), (u32::MAX, 160), (1, 0), (1, 520)]
    {
        let refused = read(iterations, bits).verify(b"secret", &CHALLENGE);
        assert_eq!(refused, Err(Error::Algorithm { what: "an answer to a challenge" }));
    }
    let wrong = read(1, 160).verify(b"secret", &CHALLENGE);
    assert_eq!(wrong, Err(Error::Mismatch { what: "an answer to a challenge" }));
}

#[test]
fn what_is_no_answer_is_refused() {
    for answer in [&[][..], &[0], &[4], &[0x22], &[0x22, 0, 0, 0, 9], &[0xff, 1, 2]] {
        assert!(SecretKeyAnswer::decode(Version::CURRENT, answer).is_err(), "{answer:?}");
    }
    assert!(PublicKeyAnswer::decode(b"\0\0\0\x04SHA").is_err());
}
