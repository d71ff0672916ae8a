//! Parquet's encodings of integers, written so that the compression after them finds whole symbols.
//!
//! Parquet leaves a writer free in how many bits it packs numbers into and what it subtracts from
//! them. Packed into one, two, four or eight bits, with the same number taken away all over a page,
//! equal differences become equal bytes, which an entropy coder shortens to what they are worth;
//! packed as tightly as each few dozen allow, they are noise to it.

pub(crate) mod delta;
pub(crate) mod hybrid;

/// The widths below nine bits at which numbers do not straddle bytes.
pub(crate) fn aligned_width(width: u32) -> u32 {
    if width <= 8 { width.next_power_of_two() } else { width }
}

/// Appends an unsigned LEB128 integer.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed integer in zigzag form.
pub(crate) fn put_zigzag(out: &mut Vec<u8>, number: i64) {
    put_varint(out, (number.wrapping_shl(1) ^ (number >> 63)) as u64);
}

/// Appends numbers of so many bits each, from the lowest bit of a byte to its highest, and pads
/// with zeros to a whole byte.
pub(crate) fn put_packed(out: &mut Vec<u8>, width: u32, numbers: impl Iterator<Item = u64>) {
    match width {
        0 => {}
        8 => out.extend(numbers.map(|number| number as u8)),
        _ => {
            let (mut bits, mut held) = (0u128, 0);
            for number in numbers {
                bits |= u128::from(number) << held;
                held += width;
                if held >= 64 {
                    out.extend_from_slice(&(bits as u64).to_le_bytes());
                    bits >>= 64;
                    held -= 64;
                }
            }
            out.extend_from_slice(&bits.to_le_bytes()[..held.div_ceil(8) as usize]);
        }
    }
}

#[cfg(test)]
mod tests;
