//! Check digits and check characters.

#[cfg(test)]
mod tests;

/// The 82 characters in the order that gives them their values (General Specifications, 7.11 and 7.9.5).
const SET82: &[u8; 82] =
    b"!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// The 32 characters of which pairs of check characters are made.
const SET32: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// The longest text that gets a pair: what all values of a length that any application identifier has
/// need.
const PAIR_BYTES_MAX: usize = 97;

pub(crate) fn in_set82(byte: u8) -> bool {
    SET82.contains(&byte)
}

/// The check digit for digits: weights 3 and 1 by turns from the right, modulo 10 (General
/// Specifications, section 7.9.1). `None` for what is no digits, or nothing.
pub fn digit(digits: &str) -> Option<char> {
    let mut sum = 0;
    for (at, byte) in digits.bytes().rev().enumerate() {
        let value = u32::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        sum += if at % 2 == 0 { 3 * value } else { value };
        sum %= 10;
    }
    (!digits.is_empty()).then(|| char::from_digit((10 - sum) % 10, 10)).flatten()
}

/// The pair of check characters for a text of the 82 characters: weights of growing primes from the
/// right, modulo 1021, in two characters of five bits (General Specifications, section 7.9.5). `None`
/// for other characters, and for more than 97.
pub fn pair(text: &str) -> Option<String> {
    if text.len() > PAIR_BYTES_MAX {
        return None;
    }
    let mut sum = 0;
    for (byte, prime) in text.bytes().rev().zip(primes()) {
        let value = SET82.iter().position(|known| *known == byte)?;
        sum = (sum + value * prime) % 1021;
    }
    Some([SET32[sum >> 5], SET32[sum & 31]].iter().map(|byte| char::from(*byte)).collect())
}

fn primes() -> impl Iterator<Item = usize> {
    (2_usize..).filter(|number| (2..*number).all(|divisor| number % divisor != 0))
}

/// Whether an IBAN's remainder modulo 97 is one (ISO 13616, with ISO 7064 MOD 97-10). Which lengths
/// countries use is not checked.
pub(crate) fn iban_holds(iban: &str) -> bool {
    let bytes = iban.as_bytes();
    let shaped = bytes.len() > 4
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes[4..].iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if !shaped {
        return false;
    }
    let turned = bytes[4..].iter().chain(&bytes[..4]);
    let remainder = turned.fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}
