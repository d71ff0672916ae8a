//! What messages and signatures take by themselves, in time of one processor.

use std::hint::black_box;

use weir_handle::{
    Access, Challenge, DhOffer, DigestAlgorithm, Draft, Element, Envelope, Flags, HashName, Header,
    Message, OpCode, PRIVATE_BYTES, PublicKey, Reader, Record, Request, ResponseCode,
    SecretKeyAnswer, Selection, SessionKey, SigningKey, Value, ValueData, Version, put_blob,
    server_of, set_request_id,
};

const HANDLE: &[u8] = b"88.101.2/pump-000123";
const NOW: u32 = 1_800_000_000;

fn main() {
    let request = request();
    let stored = stored();
    println!("request {} bytes, stored record {} bytes", request.len(), stored.len());
    codec(&request, &stored);
    signatures(&request, &stored);
}

fn codec(request: &[u8], stored: &[u8]) {
    report("decode a resolution request", 2_000_000, || {
        let message = Message::decode(black_box(request))?;
        black_box(message.request())?;
        Ok(())
    });
    let message = Message::decode(request).ok();
    let Some(message) = message else { return };
    let mut out = Vec::with_capacity(4096);
    report("decode, select 4 of 5 values, encode the answer", 1_000_000, || {
        out.clear();
        let message = Message::decode(black_box(request))?;
        if let Request::Resolution { handle, indexes, types } = message.request()? {
            let mut draft = answer(&message, &mut out);
            put_blob(draft.body(), handle);
            let values = Reader::new(black_box(stored)).list()?;
            let access = Access::PublicOnly;
            let selected = Selection { indexes, types, access }.write(&values, draft.body());
            assert_eq!(selected.written, 4);
            draft.finish();
        }
        Ok(())
    });
    let mut packed = Vec::new();
    if let Ok(values) = Reader::new(stored).list::<Value<'_>>() {
        Record::pack(values.iter(), &mut packed);
    }
    println!("compact record {} bytes", packed.len());
    report("the same from the compact record", 1_000_000, || {
        out.clear();
        let message = Message::decode(black_box(request))?;
        if let Request::Resolution { handle, indexes, types } = message.request()? {
            let mut draft = answer(&message, &mut out);
            put_blob(draft.body(), handle);
            let record = Record::read(black_box(&packed))?;
            let access = Access::PublicOnly;
            let selection = Selection { indexes, types, access };
            assert_eq!(selection.write_record(&record, draft.body()).written, 4);
            draft.finish();
        }
        Ok(())
    });
    let ready = out.clone();
    println!("answer {} bytes", ready.len());
    report("copy a ready answer and put the request id in", 5_000_000, || {
        out.clear();
        out.extend_from_slice(black_box(&ready));
        set_request_id(&mut out, black_box(7));
        Ok(())
    });
    report("decode an answer and walk its values", 1_000_000, || {
        let message = Message::decode(black_box(&ready))?;
        if let weir_handle::Answer::Resolution { values, .. } = message.response()?.answer {
            values.iter().for_each(|value| {
                black_box(value);
            });
        }
        Ok(())
    });
    report("which of 3 servers", 1_000_000, || {
        black_box(server_of(weir_handle::HashOption::Handle, black_box(HANDLE), 3));
        Ok(())
    });
    report("SHA-256 digest of a request", 500_000, || {
        black_box(DigestAlgorithm::Sha256.digest(&[message.signed_part()]));
        Ok(())
    });
}

fn signatures(request: &[u8], stored: &[u8]) {
    let mut state = 1_u64;
    let mut random = move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    };
    let keys = [
        (
            "RSA-2048",
            SigningKey::generate_rsa_pkcs8(&mut random)
                .and_then(|der| SigningKey::rsa_from_pkcs8(&der)),
        ),
        ("Ed25519", SigningKey::ed25519_from_seed(&[7; 32])),
        ("SM2", SigningKey::sm2_from_secret(&[7; 32])),
    ];
    let mut out = Vec::with_capacity(4096);
    for (name, key) in keys {
        let Ok(key) = key else { continue };
        report(&format!("{name}: certified answer"), 5_000, || {
            out.clear();
            let message = Message::decode(request)?;
            let mut draft = answer(&message, &mut out);
            put_blob(draft.body(), HANDLE);
            draft.body().extend_from_slice(stored);
            draft.finish_with(|envelope, signed, out| key.certify(envelope, signed, out))
        });
        let public = PublicKey::decode(key.public_key());
        let hash = key.hash_of(Version::CURRENT);
        let signature = key.sign(hash, request);
        if let (Ok(public), Ok(signature)) = (public, signature) {
            report(&format!("{name}: verification"), 5_000, || {
                public.verify(hash, request, &signature)
            });
        }
        if hash == HashName::Sha256 {
            report("RSA-2048: signature with SHA-1, for versions below 2.7", 500, || {
                key.sign(HashName::Sha1, request).map(|_| ())
            });
        }
    }
    let challenge = Challenge { nonce: &[1; 16], request_digest: &[2; 32] };
    let mut made = Vec::new();
    SecretKeyAnswer::make(Version::CURRENT, b"a secret", &challenge, &[3; 16], &mut made);
    report("secret key: PBKDF2 answer verified", 200, || {
        SecretKeyAnswer::decode(Version::CURRENT, &made)?.verify(b"a secret", &challenge)
    });
    let mut private = [0; PRIVATE_BYTES];
    random(&mut private);
    if let Ok(offer) = DhOffer::new(&private) {
        report("session: Diffie-Hellman of 2048 bits accepted", 50, || {
            SessionKey::accept(&PublicKey::decode(offer.public_key())?, &private).map(|_| ())
        });
    }
    let session = SessionKey::from_bytes([5; 32]);
    report("session: MAC of an answer", 200_000, || {
        out.clear();
        let message = Message::decode(request)?;
        let mut draft = answer(&message, &mut out);
        put_blob(draft.body(), HANDLE);
        draft.body().extend_from_slice(stored);
        draft.finish_with(|envelope, signed, out| session.certify(envelope, signed, 1, out))
    });
}

fn request() -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header::request(OpCode::Resolution, Flags::PUBL, NOW);
    let mut draft = Draft::begin(&mut out, &Envelope::request(7), &header);
    Request::resolution(HANDLE).encode(draft.body());
    draft.finish();
    out
}

fn answer<'v>(message: &Message<'_>, out: &'v mut Vec<u8>) -> Draft<'v> {
    let header = message.header.answer(ResponseCode::Success, true, 7, NOW);
    Draft::begin(out, &message.envelope.answer(), &header)
}

/// A record of about 300 bytes: four values for all, and a key that nobody may read.
fn stored() -> Vec<u8> {
    let admin = b"\x0f\xf3\0\0\0\x0a0.NA/88.10\0\0\x01\x2c";
    let mut values = [
        Value::new(1, b"URL", b"https://example.org/pumps/000123", 1_700_000_000),
        Value::new(2, b"EMAIL", b"keeper@example.org", 1_700_000_000),
        Value::new(3, b"DESC", b"a pump of the second line", 1_700_000_000),
        Value::new(100, ValueData::ADMIN, admin, 1_700_000_000),
        Value::new(301, ValueData::SECKEY, b"a secret", 1_700_000_000),
    ];
    values[4].permissions = weir_handle::Permissions(0x0c);
    let mut out = (values.len() as u32).to_be_bytes().to_vec();
    values.iter().for_each(|value| value.write(&mut out));
    assert!(Reader::new(&out).list::<Value<'_>>().is_ok());
    out
}

/// Nanoseconds that this thread was on a processor.
fn processor_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn report(what: &str, rounds: u32, mut each: impl FnMut() -> Result<(), weir_handle::Error>) {
    let mut run = |rounds: u32| {
        let (before, started) = (processor_ns(), std::time::Instant::now());
        for _ in 0..rounds {
            each()?;
        }
        let wall = started.elapsed().as_nanos() as u64;
        let on_processor = before.and_then(|before| Some(processor_ns()? - before));
        Ok::<u64, weir_handle::Error>(on_processor.unwrap_or(wall))
    };
    // Once for the caches, then the middle of five.
    let mut taken = Vec::new();
    for round in 0..6 {
        match run((rounds / 5).max(1)) {
            Ok(ns) if round > 0 => taken.push(ns as f64 / f64::from((rounds / 5).max(1))),
            Ok(_) => {}
            Err(error) => return println!("{what}: {error}"),
        }
    }
    taken.sort_by(f64::total_cmp);
    let ns = taken[taken.len() / 2];
    println!("{what}: {ns:.1} ns, {:.0} /s", 1e9 / ns);
}
