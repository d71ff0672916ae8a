//! Secret collections at rest: the key file, sealing and keyed hashes of index values.
//!
//! `secret.key` lies beside the data, 64 hexadecimal digits, readable by its owner only. Three
//! keys are derived from it (HMAC-SHA-256 over a label): one seals records (ChaCha20-Poly1305,
//! RFC 8439), one hashes index values, one is a fingerprint that the data remembers, so that a
//! wrong key file is told when the store opens and not when the first secret is read.
//!
//! A nonce is 96 random bits: up to 2^32 sealed versions the chance of a repetition stays below
//! 2^-32. Tenant, collection, key and version are authenticated with the record, so that a sealed
//! value serves nowhere but in its place.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use weir_model::TenantId;

use crate::error::StoreError;

/// The name of the key file.
pub(crate) const KEY_FILE: &str = "secret.key";

const SECRET_BYTES: usize = 32;

pub(crate) const FINGERPRINT_BYTES: usize = 8;

pub(crate) struct Vault {
    seal: LessSafeKey,
    index: hmac::Key,
    fingerprint: [u8; FINGERPRINT_BYTES],
    random: SystemRandom,
}

/// The place that a sealed record belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) collection: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version: u64,
}

impl Vault {
    /// Reads the key file, or makes it where `create` says that no data was sealed with another.
    pub(crate) fn open(dir: &Path, create: bool) -> Result<Self, StoreError> {
        let path = dir.join(KEY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let secret = parse_hex(text.trim())
                    .ok_or_else(|| StoreError::SecretKeyWrong { path: path.clone() })?;
                Self::of(&secret).ok_or(StoreError::SecretKeyWrong { path })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && create => {
                Self::create(dir, &path)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(StoreError::SecretKeyMissing { path })
            }
            Err(error) => Err(StoreError::io("read", path)(error)),
        }
    }

    fn create(dir: &Path, path: &Path) -> Result<Self, StoreError> {
        let mut secret = [0; SECRET_BYTES];
        let no_random = |_| {
            StoreError::io("draw random bytes for", path)(std::io::Error::other("no random bytes"))
        };
        SystemRandom::new().fill(&mut secret).map_err(no_random)?;
        // It is complete and on the disk before it has its name: a crash leaves no half a key.
        let draft = dir.join("secret.key.new");
        write_private(&draft, hex(&secret).as_bytes())?;
        std::fs::rename(&draft, path).map_err(StoreError::io("name", path))?;
        sync_dir(dir)?;
        Self::of(&secret).ok_or_else(|| StoreError::SecretKeyWrong { path: path.into() })
    }

    fn of(secret: &[u8; SECRET_BYTES]) -> Option<Self> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |label: &[u8]| hmac::sign(&master, label);
        let seal = UnboundKey::new(&CHACHA20_POLY1305, derive(b"weir seal 1").as_ref()).ok()?;
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        fingerprint.copy_from_slice(&derive(b"weir fingerprint 1").as_ref()[..FINGERPRINT_BYTES]);
        Some(Self {
            seal: LessSafeKey::new(seal),
            index: hmac::Key::new(hmac::HMAC_SHA256, derive(b"weir index 1").as_ref()),
            fingerprint,
            random: SystemRandom::new(),
        })
    }

    pub(crate) fn fingerprint(&self) -> [u8; FINGERPRINT_BYTES] {
        self.fingerprint
    }

    /// Nonce, ciphertext and tag; none where the system has no random bytes.
    pub(crate) fn seal(&self, seat: Seat<'_>, record: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut text = record.to_vec();
        let tag = self
            .seal
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(seat.bytes()),
                &mut text,
            )
            .ok()?;
        Some([&nonce, text.as_slice(), tag.as_ref()].concat())
    }

    /// The record; none where the seal does not fit.
    pub(crate) fn unseal(&self, seat: Seat<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.seal.open_in_place(nonce, Aad::from(seat.bytes()), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    /// How an index value of a secret collection is filed.
    pub(crate) fn index_value(&self, place: &[u8], number: u8, value: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.index);
        context.update(place);
        context.update(&[number]);
        context.update(value.as_bytes());
        context.sign().as_ref().to_vec()
    }
}

impl Seat<'_> {
    /// Unambiguous, because everything before the last text has a known length.
    fn bytes(&self) -> Vec<u8> {
        [
            &self.tenant.0.to_be_bytes()[..],
            &self.version.to_be_bytes(),
            &(self.collection.len() as u64).to_be_bytes(),
            self.collection.as_bytes(),
            self.key.as_bytes(),
        ]
        .concat()
    }
}

/// Writes a file that only its owner can read, down to the disk.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(StoreError::io("create", path))?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.sync_all().map_err(StoreError::io("flush", path))
}

/// Makes names given in a folder survive a loss of power.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("flush", dir))?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    text
}

fn parse_hex(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let mut secret = [0; SECRET_BYTES];
    if text.len() != 2 * SECRET_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in secret.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests;
