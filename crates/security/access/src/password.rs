//! Passwords: the rules for new ones, and their slow, memory-hard hashes.

use std::sync::Arc;

use argon2::password_hash::{Ident, Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::AccessError;
use crate::secret::{random_bytes, same_secret};

/// Fewest characters of a password. NIST SP 800-63B-4 asks for 8 beside a second factor and 15
/// without one; common passwords are refused and attempts are throttled here, and people on a shop
/// floor write longer ones on the monitor.
pub const PASSWORD_CHARS_MIN: usize = 12;

/// Longest password in UTF-8 bytes: it is hashed, and hashing must stay bounded.
pub const PASSWORD_BYTES_MAX: usize = 256;

/// Passwords hashed at a time. Each takes 19 MiB and one core for some 30 ms.
pub const HASHING_MAX: usize = 1;

/// Passwords that wait to be hashed: at most half a second's work.
pub const HASHING_WAITING_MAX: usize = 16;

/// Argon2id with 19 MiB, two passes, one lane (OWASP's first recommendation for servers).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// What the memory of a hash is reserved with, in blocks of 1 KiB. Allocations beyond 32 MiB are
/// always mapped from and returned to the system one by one, whatever was allocated before; only
/// the blocks that are used become resident. So a sign-in leaves no memory behind.
const RESERVED_KIB: usize = 33 << 10;

/// Beginnings that guessers try first; what remains of a password without them has to be long
/// enough by itself.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "admin",
    "administrator",
    "root",
    "weir",
    "welcome",
    "letmein",
    "iloveyou",
    "monkey",
    "dragon",
    "sunshine",
    "football",
    "changeme",
    "qwertyuiop",
    "qwerty",
    "asdfgh",
    "zxcvbn",
    "1q2w3e4r",
    "abc123",
    "abcdef",
    "1234567890",
    "123456789",
    "12345678",
    "123456",
    "654321",
    "111111",
    "000000",
    "5201314",
    "woaini",
];

/// Characters that must be left of a password when common words are taken out.
const REMAINDER_CHARS_MIN: usize = 6;

/// Different characters that a password must have.
const DISTINCT_CHARS_MIN: usize = 5;

/// Why a new password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakPassword {
    /// Too short.
    #[error("a password has at least {min} characters")]
    TooShort {
        /// The fewest characters that are taken.
        min: usize,
    },
    /// Too long.
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// Too easily guessed.
    #[error("the password is made of few characters, of common words or of the user's name")]
    Common,
}

/// Checks a new password.
pub(crate) fn check(password: &str, user: &str, chars_min: usize) -> Result<(), WeakPassword> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(WeakPassword::TooLong);
    }
    if password.chars().count() < chars_min {
        return Err(WeakPassword::TooShort { min: chars_min });
    }
    let mut rest = password.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = rest.chars().collect();
    let user = user.to_lowercase();
    let name = (user.chars().count() >= 3).then_some(user.as_str());
    for word in COMMON.iter().copied().chain(name) {
        rest = rest.replace(word, "");
    }
    if distinct.len() < DISTINCT_CHARS_MIN || rest.chars().count() < REMAINDER_CHARS_MIN {
        return Err(WeakPassword::Common);
    }
    Ok(())
}

/// A random password of 100 bits, in groups that can be read out and typed.
///
/// # Errors
/// [`AccessError::Random`].
pub fn generate_password() -> Result<String, AccessError> {
    // 32 letters that are not mistaken for one another, so that five bits make one.
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let letters = random_bytes::<20>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    Ok(letters
        .chunks(5)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-"))
}

/// Hashes passwords, a bounded number at a time.
#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(HASHING_MAX)),
            waiting: Arc::new(Semaphore::new(HASHING_MAX + HASHING_WAITING_MAX)),
        }
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, AccessError> {
        let salt = random_bytes::<SALT_BYTES>()?;
        let password = password.to_owned();
        let params = params()?;
        self.run(move || {
            let hash = argon2id(&password, &salt, params.clone())?;
            let salt = SaltString::encode_b64(&salt).map_err(|_| AccessError::Hashing)?;
            let phc = PasswordHash {
                algorithm: Ident::new_unwrap("argon2id"),
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&params).map_err(|_| AccessError::Hashing)?,
                salt: Some(salt.as_salt()),
                hash: Some(Output::new(&hash).map_err(|_| AccessError::Hashing)?),
            };
            Ok(phc.to_string())
        })
        .await
    }

    /// Whether a password has this hash. Without a hash it takes the same time, and it has not.
    pub(crate) async fn verify(
        &self,
        password: &str,
        phc: Option<&str>,
    ) -> Result<bool, AccessError> {
        let (password, phc) = (password.to_owned(), phc.map(str::to_owned));
        self.run(move || match phc {
            Some(phc) => verify(&password, &phc),
            None => argon2id(&password, &[0; SALT_BYTES], params()?).map(|_| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccessError> + Send + 'static,
    ) -> Result<T, AccessError> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let waiting = waiting.map_err(|_| AccessError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|_| AccessError::Busy)?;
        // The places are given back when the work is done, even if nobody waits for it any more.
        let places: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (waiting, running);
        let work = move || {
            let result = work();
            drop(places);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| AccessError::Hashing)?
    }
}

fn params() -> Result<Params, AccessError> {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(|_| AccessError::Hashing)
}

fn argon2id(password: &str, salt: &[u8], params: Params) -> Result<[u8; HASH_BYTES], AccessError> {
    let blocks = params.block_count();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    // Nothing that long has ever been set as a password; it is hashed to take the same time.
    let password = &password.as_bytes()[..password.len().min(PASSWORD_BYTES_MAX + 1)];
    let mut memory = Vec::with_capacity(RESERVED_KIB.max(blocks));
    memory.resize(blocks, Block::default());
    let mut hash = [0; HASH_BYTES];
    argon2
        .hash_password_into_with_memory(password, salt, &mut hash, &mut memory)
        .map_err(|_| AccessError::Hashing)?;
    Ok(hash)
}

fn verify(password: &str, phc: &str) -> Result<bool, AccessError> {
    let phc = PasswordHash::new(phc).map_err(|_| AccessError::Hashing)?;
    let params = Params::try_from(&phc).map_err(|_| AccessError::Hashing)?;
    let (Some(salt), Some(hash)) = (phc.salt, phc.hash) else { return Err(AccessError::Hashing) };
    let mut bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut bytes).map_err(|_| AccessError::Hashing)?;
    let computed = argon2id(password, salt, params)?;
    Ok(same_secret(&computed, hash.as_bytes()))
}

#[cfg(test)]
mod tests;
