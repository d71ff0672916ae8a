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

/// As [`put_varint`] of each, some dozens at a time.
pub(crate) fn put_varints(numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    const FULL: usize = 512;
    let mut buffer = [0; FULL + 16];
    let mut at = 0;
    for number in numbers {
        if at >= FULL {
            out.extend_from_slice(&buffer[..at]);
            at = 0;
        }
        if number < 0x80 {
            buffer[at] = number as u8;
            at += 1;
        } else if number < 1 << 56 {
            let bytes = 1 + number.ilog2() as usize / 7;
            let more = 0x8080_8080_8080_8080 & ((1 << (8 * (bytes - 1))) - 1);
            let word: u64 = spread(number) | more;
            buffer[at..at + 8].copy_from_slice(&word.to_le_bytes());
            at += bytes;
        } else {
            let mut rest = number;
            while rest >= 0x80 {
                buffer[at] = rest as u8 | 0x80;
                rest >>= 7;
                at += 1;
            }
            buffer[at] = rest as u8;
            at += 1;
        }
    }
    out.extend_from_slice(&buffer[..at]);
}

/// A number of 56 bits with a zero before every seven of them.
fn spread(x: u64) -> u64 {
    let x = (x & 0x0FFF_FFFF) | ((x >> 28) << 32);
    let x = (x & 0x0000_3FFF_0000_3FFF) | ((x & 0x0FFF_C000_0FFF_C000) << 2);
    (x & 0x007F_007F_007F_007F) | ((x & 0x3F80_3F80_3F80_3F80) << 1)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_are_written_as_one_by_one(
            numbers in prop::collection::vec((any::<u64>(), 0u32..64).prop_map(|(x, bits)| x >> bits), 0..400),
        ) {
            let mut many = Vec::new();
            put_varints(numbers.iter().copied(), &mut many);
            let mut single = Vec::new();
            numbers.iter().for_each(|number| put_varint(*number, &mut single));
            prop_assert_eq!(&many, &single);
            let mut rest = single.as_slice();
            for number in numbers {
                prop_assert_eq!(take_varint(&mut rest), Ok(number));
            }
        }
    }
}
