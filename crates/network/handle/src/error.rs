/// Why bytes are no Handle message, or why a check of one failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end inside a field.
    #[error("reading {field}: {want} bytes wanted, {have} left")]
    Short {
        /// The field that was read.
        field: &'static str,
        /// Bytes that it needs.
        want: usize,
        /// Bytes that were left.
        have: usize,
    },
    /// A list says that it has more items than its bytes could hold.
    #[error("reading {field}: {count} items cannot be in {left} bytes")]
    Count {
        /// The list that was read.
        field: &'static str,
        /// Items that it claims.
        count: u32,
        /// Bytes that were left.
        left: usize,
    },
    /// A length is above its bound.
    #[error("reading {field}: length {length} is above {most}")]
    TooLong {
        /// The field that was read.
        field: &'static str,
        /// The length that it claims.
        length: u32,
        /// The bound.
        most: u32,
    },
    /// A field has a value that the protocol does not know, and that nothing can be done with.
    #[error("reading {field}: {value} is not known")]
    Unknown {
        /// The field that was read.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A message that is encrypted must be opened with its session before it is read.
    #[error("reading a message: it is encrypted")]
    Encrypted,
    /// A fragment that fits no message.
    #[error("putting fragments together: {why}")]
    Fragment {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Bytes that should be text are not UTF-8.
    #[error("reading {field}: it is not UTF-8")]
    NotText {
        /// The field that was read.
        field: &'static str,
    },
    /// A key cannot be used: malformed, too small, too large, or of another kind.
    #[error("reading a key: {why}")]
    Key {
        /// What is wrong with it.
        why: &'static str,
    },
    /// An algorithm is not known, or does not go with the key.
    #[error("{what} has an algorithm that is not known")]
    Algorithm {
        /// What names the algorithm.
        what: &'static str,
    },
    /// A signature, MAC or answer is not of the key and the bytes.
    #[error("{what} does not verify")]
    Mismatch {
        /// What was checked.
        what: &'static str,
    },
    /// A counter of a session came again, or is too old to tell.
    #[error("message {counter} of the session came before")]
    Replayed {
        /// The counter.
        counter: u32,
    },
    /// A message of a session cannot be decrypted.
    #[error("decrypting a message of a session failed")]
    Decrypt,
    /// A JSON form says something that has no value.
    #[error("reading JSON: {why}")]
    Json {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A certificate or signature of records is not to be trusted.
    #[error("verifying a chain of trust: {why}")]
    Trust {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Signing failed inside the cryptographic library.
    #[error("signing failed")]
    Sign,
}
