//! Who may connect.

use std::net::IpAddr;
use std::str::FromStr;

/// An address, or a network such as `192.168.3.0/24` or `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many of the highest bits count.
    bits: u8,
}

/// A text is neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address such as 192.168.3.40 or a network such as 192.168.3.0/24 is expected")]
pub struct NetworkError;

impl Network {
    /// Whether an address is in it. An IPv4 address that came over IPv6 is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, bits_max) = bits_of(self.address);
        let (theirs, bits) = bits_of(address.to_canonical());
        if bits_max != bits {
            return false;
        }
        let ignored = u32::from(bits_max - self.bits);
        // A shift by all bits, for a network of everything, has no result and leaves nothing to compare.
        let top = |bits: u128| bits.checked_shr(ignored).unwrap_or(0);
        top(ours) == top(theirs)
    }
}

fn bits_of(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| NetworkError)?.to_canonical();
        let (_, bits_max) = bits_of(address);
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|n| *n <= bits_max).ok_or(NetworkError)?,
            None => bits_max,
        };
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_own() {
        for (network, address, expected) in [
            ("192.168.3.40", "192.168.3.40", true),
            ("192.168.3.40", "192.168.3.41", false),
            ("192.168.3.0/24", "192.168.3.255", true),
            ("192.168.3.0/24", "192.168.4.0", false),
            ("192.168.3.7/24", "::ffff:192.168.3.9", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fd00::1", true),
            ("::/0", "127.0.0.1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::1", "::1", true),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{network} {address}");
        }
        for wrong in ["", "x", "192.168.3", "192.168.3.0/33", "::/129", "1.2.3.4/-1", "host"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }
}
