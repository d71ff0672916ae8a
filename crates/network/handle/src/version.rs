use std::fmt;

/// A version of the protocol: major, minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 2 in everything that is spoken today.
    pub major: u8,
    /// 0 to 11.
    pub minor: u8,
}

impl Version {
    /// The version that this crate speaks by itself.
    pub const CURRENT: Self = Self::new(2, 11);
    /// The version of errors about messages that could not be read.
    pub const ANONYMOUS: Self = Self::new(2, 3);
    /// First with the flag RRDG, with algorithm bytes, and with SHA-1.
    pub const DIGEST_FLAG: Self = Self::new(2, 1);
    /// First whose reply to a key exchange names the cipher.
    pub const CIPHER_NAMED: Self = Self::new(2, 4);
    /// First that tells the response codes 7, 202 and 303 apart, and that counts session messages.
    pub const CODES_DISTINCT: Self = Self::new(2, 5);
    /// First that signs something of the envelope, though mangled.
    pub const ENVELOPE_SIGNED_MANGLED: Self = Self::new(2, 6);
    /// First with SHA-256, PBKDF2 and HMAC, and with the envelope signed as it should be.
    pub const SHA256: Self = Self::new(2, 7);
    /// First that signs the suggested version too.
    pub const SUGGESTED_SIGNED: Self = Self::new(2, 8);
    /// First whose clients follow prefix referrals themselves.
    pub const PREFIX_REFERRAL: Self = Self::new(2, 10);
    /// First that signs with SHA-256 under a DSA key.
    pub const SHA256_DSA: Self = Self::new(2, 11);

    /// A version.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// The version itself, or the one for which it is another name: major 5 is a historic alias
    /// of 2.0.
    #[must_use]
    pub const fn meaning(self) -> Self {
        if self.major == 5 { Self::new(2, 0) } else { self }
    }

    /// Whether messages of this version do what began with `first`.
    #[must_use]
    pub fn has(self, first: Self) -> bool {
        self.meaning() >= first
    }

    /// The version of an answer to a request of version `own` that suggests `suggested`: the
    /// smaller of what is suggested and [`Version::CURRENT`], where a suggested major of 0 is a
    /// client that suggests nothing. Bytes compare as signed, as the reference server does, so
    /// that clients see what they saw there.
    #[must_use]
    pub fn of_answer(own: Self, suggested: Self) -> Self {
        let wanted = if suggested.major == 0 { own } else { suggested };
        if wanted.major == 5 {
            return wanted;
        }
        let signed = |version: Self| (version.major as i8, version.minor as i8);
        if signed(wanted) > signed(Self::CURRENT) { Self::CURRENT } else { wanted }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests;
