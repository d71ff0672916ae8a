//! RLE / bit-packing hybrid, for dictionary indexes and definition levels.

use super::{put_packed, put_varint};

/// Numbers a bit-packed group has.
const GROUP: usize = 8;

/// Appends runs of (number, how often), each number of so many bits. `literals` is scratch.
pub(crate) fn put_runs(
    out: &mut Vec<u8>,
    width: u32,
    runs: &[(u32, u32)],
    literals: &mut Vec<u32>,
) {
    // A run takes two bytes at least, and begins a new row of literals, two more.
    let repeats_min = (32 / width.max(1)).max(GROUP as u32);
    literals.clear();
    for &(number, count) in runs {
        let to_group = literals.len().next_multiple_of(GROUP) - literals.len();
        let ahead = count.min(to_group as u32);
        let rest = count - ahead;
        if rest < repeats_min {
            literals.extend(std::iter::repeat_n(number, count as usize));
            continue;
        }
        literals.extend(std::iter::repeat_n(number, ahead as usize));
        put_literals(out, width, literals);
        put_varint(out, u64::from(rest) << 1);
        out.extend_from_slice(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
    }
    literals.resize(literals.len().next_multiple_of(GROUP), 0);
    put_literals(out, width, literals);
}

fn put_literals(out: &mut Vec<u8>, width: u32, literals: &mut Vec<u32>) {
    if !literals.is_empty() {
        put_varint(out, (literals.len() / GROUP) as u64 * 2 + 1);
        put_packed(out, width, literals.iter().map(|number| u64::from(*number)));
        literals.clear();
    }
}
