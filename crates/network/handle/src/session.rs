//! Sessions (RFC 3652, 3.6): a key that both sides compute by Diffie-Hellman, MACs and counters
//! for each message, and encryption. From version 2.7, with AES; older ciphers are refused.

use std::fmt;

use aes::cipher::{
    BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _, block_padding::Pkcs7,
};
use crypto_bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use crypto_bigint::{Encoding as _, U2048};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::certify::signed_bytes;
use crate::envelope::ENVELOPE_BYTES;
use crate::signature::unsigned;
use crate::wire::{Reader, put_u32};
use crate::{Credential, Envelope, Error, MESSAGE_BYTES_MAX, Message, PublicKey, Version};

/// Random bytes that one side should put into the exchange: an exponent of 320 bits.
pub const PRIVATE_BYTES: usize = 40;
/// Bytes of the largest modulus that is computed with: it is the client's choice, and costs the
/// server two exponentiations. The reference software uses 1024 bits.
const MODULUS_BYTES_MAX: usize = 2048 / 8;
/// Bits of the smallest modulus that is accepted.
const MODULUS_BITS_MIN: usize = 1024;
/// The cipher's number: AES.
const AES: u32 = 3;
/// Bytes of an initialisation vector.
const IV_BYTES: usize = 16;
/// Counters behind the newest that may still come, since datagrams overtake each other.
pub const WINDOW: u32 = 64;
const ALGORITHM: &[u8] = b"HMAC-SHA256";

/// The generator of the group.
const GENERATOR: u8 = 2;
/// The prime of 2048 bits of RFC 3526, 3.
const GROUP_14: &str = concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd",
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f",
    "83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b",
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510",
    "15728e5a8aacaa68ffffffffffffffff",
);

/// Powers modulo one number. Exponentiation takes the same time for all exponents and bases.
struct Group {
    modulus: DynResidueParams<{ U2048::LIMBS }>,
    bytes: usize,
}

impl Group {
    fn new(p: &[u8]) -> Result<Self, Error> {
        let p = unsigned(p);
        let odd = p.last().is_some_and(|last| last & 1 == 1);
        if p.len() > MODULUS_BYTES_MAX || p.len() * 8 < MODULUS_BITS_MIN || !odd {
            return Err(Error::Key { why: "its modulus is even, or not of 1024 to 2048 bits" });
        }
        Ok(Self { modulus: DynResidueParams::new(&number(p)), bytes: p.len() })
    }

    /// A public key of the other side, which may not be 0, 1 or the modulus less one.
    fn member(&self, y: &[u8]) -> Result<U2048, Error> {
        let none = Error::Key { why: "it is no member of its group" };
        let y = unsigned(y);
        if y.len() > MODULUS_BYTES_MAX {
            return Err(none);
        }
        let y = number(y);
        let last = self.modulus.modulus().wrapping_sub(&U2048::ONE);
        if y > U2048::ONE && y < last { Ok(y) } else { Err(none) }
    }

    fn power(&self, base: &U2048, private: &Private) -> Vec<u8> {
        let power = DynResidue::new(base, self.modulus)
            .pow_bounded_exp(&private.exponent, private.bits)
            .retrieve()
            .to_be_bytes();
        power[power.len() - self.bytes..].to_vec()
    }
}

/// An exponent; only its length shows in the time that it takes.
struct Private {
    exponent: U2048,
    bits: usize,
}

impl Private {
    fn new(random: &[u8]) -> Result<Self, Error> {
        if !(PRIVATE_BYTES..=MODULUS_BYTES_MAX).contains(&random.len()) {
            return Err(Error::Key { why: "it is made of too few random bytes, or of too many" });
        }
        Ok(Self { exponent: number(random), bits: 8 * random.len() })
    }
}

/// A number of at most 2048 bits.
fn number(bytes: &[u8]) -> U2048 {
    let mut fixed = [0; MODULUS_BYTES_MAX];
    fixed[MODULUS_BYTES_MAX - bytes.len()..].copy_from_slice(bytes);
    U2048::from_be_bytes(fixed)
}

/// A client's half of the exchange.
pub struct DhOffer {
    private: Private,
    group: Group,
    public: Vec<u8>,
}

impl fmt::Debug for DhOffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DhOffer")
    }
}

impl DhOffer {
    /// An offer in the group of 2048 bits of RFC 3526, of [`PRIVATE_BYTES`] random bytes or more.
    ///
    /// # Errors
    /// [`Error::Key`] if there are fewer, or more than 256.
    pub fn new(private: &[u8]) -> Result<Self, Error> {
        let p = U2048::from_be_hex(GROUP_14).to_be_bytes();
        Self::in_group(private, &p, &[GENERATOR])
    }

    /// An offer in another group.
    ///
    /// # Errors
    /// [`Error::Key`] if the group cannot be used.
    pub fn in_group(private: &[u8], p: &[u8], g: &[u8]) -> Result<Self, Error> {
        let group = Group::new(p)?;
        let private = Private::new(private)?;
        let y = group.power(&group.member(g)?, &private);
        let (y, p) = (crate::signature::signed(&y), crate::signature::signed(p));
        let mut public = Vec::new();
        PublicKey::DiffieHellman { y: &y, p: &p, g }.encode(&mut public);
        Ok(Self { private, group, public })
    }

    /// The key for [`crate::KeyExchange::DiffieHellman`].
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// The session's key, from what the server answered ([`crate::Answer::SessionSetup`]).
    ///
    /// # Errors
    /// [`Error::Algorithm`] for a cipher other than AES; [`Error::Key`]; [`Error::Short`].
    pub fn finish(&self, data: &[u8]) -> Result<SessionKey, Error> {
        let mut reader = Reader::new(data);
        if reader.u32("a session's cipher")? != AES {
            return Err(Error::Algorithm { what: "a session" });
        }
        let PublicKey::DiffieHellman { y, .. } = PublicKey::decode(reader.rest())? else {
            return Err(Error::Key { why: "it is none of Diffie-Hellman" });
        };
        let shared = self.group.power(&self.group.member(y)?, &self.private);
        Ok(SessionKey::of_shared(&shared))
    }
}

/// The key of a session. Comparing takes the same time wherever two differ.
#[derive(Clone)]
pub struct SessionKey([u8; 32]);

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKey")
    }
}

impl SessionKey {
    /// A key that is known otherwise.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The server's half of the exchange: the key, and the data of
    /// [`crate::Answer::SessionSetup`]. `private` is random, as in [`DhOffer::new`]. It costs two exponentiations, of some
    /// milliseconds; do it off the path of other requests, and not for anyone without bound.
    ///
    /// # Errors
    /// [`Error::Key`] if the client's key is not of Diffie-Hellman with 1024 to 2048 bits.
    pub fn accept(client: &PublicKey<'_>, private: &[u8]) -> Result<(Self, Vec<u8>), Error> {
        let PublicKey::DiffieHellman { y, p, g } = *client else {
            return Err(Error::Key { why: "it is none of Diffie-Hellman" });
        };
        let ours = DhOffer::in_group(private, p, g)?;
        let shared = ours.group.power(&ours.group.member(y)?, &ours.private);
        let mut data = Vec::with_capacity(4 + ours.public.len());
        put_u32(&mut data, AES);
        data.extend_from_slice(&ours.public);
        Ok((Self::of_shared(&shared), data))
    }

    /// The first 32 bytes of the shared number, whose zeros in front are left out as long as more
    /// than 32 bytes remain.
    fn of_shared(shared: &[u8]) -> Self {
        let zeros = shared.iter().take_while(|byte| **byte == 0).count();
        let from = zeros.min(shared.len() - 32);
        let mut key = [0; 32];
        key.copy_from_slice(&shared[from..from + 32]);
        Self(key)
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }

    /// Appends the credential of a message of the session, with its length in front, for
    /// [`crate::Draft::finish_with`]. Each side counts its messages from 1.
    ///
    /// # Errors
    /// [`Error::Algorithm`] below version 2.7.
    pub fn certify(
        &self,
        envelope: &Envelope,
        header_and_body: &[u8],
        counter: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if !envelope.version.has(Version::SHA256) {
            return Err(Error::Algorithm { what: "a session" });
        }
        let mac = hmac::sign(&self.hmac(), &signed_bytes(envelope, counter, header_and_body));
        let credential = Credential {
            version: 0,
            flags: 0,
            signer: b"",
            counter,
            kind: Credential::MAC,
            algorithm: ALGORITHM,
            bytes: mac.as_ref(),
        };
        credential.encode(out);
        Ok(())
    }

    /// The counter of a message whose MAC is right; then ask [`ReplayWindow::accept`].
    ///
    /// # Errors
    /// [`Error::Algorithm`] if there is no MAC of an algorithm that is known
    /// ([`crate::ResponseCode::InvalidCredential`]), [`Error::Mismatch`] if it is wrong
    /// ([`crate::ResponseCode::InvalidSessionKey`]).
    pub fn verify(&self, message: &Message<'_>) -> Result<u32, Error> {
        let credential = message
            .credential()?
            .filter(|found| found.kind == Credential::MAC && found.algorithm == ALGORITHM)
            .filter(|_| message.envelope.version.has(Version::SHA256))
            .ok_or(Error::Algorithm { what: "a message of a session" })?;
        let signed = signed_bytes(&message.envelope, credential.counter, message.signed_part());
        hmac::verify(&self.hmac(), &signed, credential.bytes)
            .map_err(|_| Error::Mismatch { what: "a message of a session" })?;
        Ok(credential.counter)
    }

    /// Appends an encoded message, encrypted: AES-128 in CBC mode with PKCS #7 padding, behind its
    /// random vector, in an envelope with the bit.
    ///
    /// # Errors
    /// As [`Envelope::decode`]; [`Error::TooLong`] if it would be larger than a message may be.
    pub fn encrypt(
        &self,
        packet: &[u8],
        iv: &[u8; IV_BYTES],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let envelope = Envelope::decode(packet)?;
        let message = &packet[ENVELOPE_BYTES..];
        // Padding is one byte at least.
        let length = (IV_BYTES + (message.len() / IV_BYTES + 1) * IV_BYTES) as u32;
        if length > MESSAGE_BYTES_MAX {
            let most = MESSAGE_BYTES_MAX;
            return Err(Error::TooLong { field: "an encrypted message", length, most });
        }
        Envelope { encrypted: true, length, ..envelope }.encode(out);
        out.extend_from_slice(iv);
        let cipher = cbc::Encryptor::<aes::Aes128>::new((&self.cipher_key()).into(), iv.into());
        let from = out.len();
        out.resize(from + length as usize - IV_BYTES, 0);
        cipher
            .encrypt_padded_b2b_mut::<Pkcs7>(message, &mut out[from..])
            .map_err(|_| Error::Sign)?;
        Ok(())
    }

    /// Appends the message that is in an encrypted one, for [`Message::decode`]. Every failure is
    /// the same error; whether the message is the session's is for its MAC to say, so a server
    /// answers both failures alike.
    ///
    /// # Errors
    /// [`Error::Decrypt`]; as [`Envelope::decode`].
    pub fn decrypt(&self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let envelope = Envelope::decode(packet)?;
        let payload = packet.get(ENVELOPE_BYTES..ENVELOPE_BYTES + envelope.length as usize);
        let (iv, sealed) = payload
            .and_then(|payload| payload.split_first_chunk::<IV_BYTES>())
            .ok_or(Error::Decrypt)?;
        let cipher = cbc::Decryptor::<aes::Aes128>::new((&self.cipher_key()).into(), iv.into());
        let mut message = sealed.to_vec();
        let message =
            cipher.decrypt_padded_mut::<Pkcs7>(&mut message).map_err(|_| Error::Decrypt)?;
        let length = message.len() as u32;
        Envelope { encrypted: false, length, ..envelope }.encode(out);
        out.extend_from_slice(message);
        Ok(())
    }

    fn cipher_key(&self) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&self.0[..16]);
        key
    }
}

/// Which counters of a session came already.
#[derive(Debug, Clone, Default)]
pub struct ReplayWindow {
    newest: u32,
    /// Bit n is the counter n before the newest.
    seen: u64,
}

impl ReplayWindow {
    /// Takes a counter whose message has the right MAC.
    ///
    /// # Errors
    /// [`Error::Replayed`] if it came before, is 0, or is [`WINDOW`] or more behind the newest
    /// ([`crate::ResponseCode::SessionMessageRejected`]).
    pub fn accept(&mut self, counter: u32) -> Result<(), Error> {
        let replayed = Error::Replayed { counter };
        if counter == 0 {
            return Err(replayed);
        }
        if counter > self.newest {
            let ahead = counter - self.newest;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = counter;
            return Ok(());
        }
        let behind = self.newest - counter;
        if behind >= WINDOW || self.seen >> behind & 1 == 1 {
            return Err(replayed);
        }
        self.seen |= 1 << behind;
        Ok(())
    }
}
