//! Numbers of few bytes where they are small.

use super::record::RecordError;

/// A signed number as an unsigned one that is small where it is near zero.
pub(crate) fn zigzag(x: i64) -> u64 {
    ((x << 1) ^ (x >> 63)) as u64
}

/// What [`zigzag`] was made of.
pub(crate) fn unzigzag(x: u64) -> i64 {
    (x >> 1) as i64 ^ -((x & 1) as i64)
}

/// Appends a number, seven bits a byte, the lowest first.
pub(crate) fn put_varint(mut x: u64, out: &mut Vec<u8>) {
    while x >= 0x80 {
        out.push(x as u8 | 0x80);
        x >>= 7;
    }
    out.push(x as u8);
}

/// Takes a number from the front.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Result<u64, RecordError> {
    let mut x = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        x |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Ok(x);
        }
    }
    Err(RecordError("a number is unreadable"))
}
