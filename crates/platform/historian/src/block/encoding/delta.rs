//! `DELTA_BINARY_PACKED`.

use std::collections::HashSet;

use super::{aligned_width, put_packed, put_varint, put_zigzag};

/// How a page is cut: differences of a block share what is subtracted from them, those of a
/// miniblock are packed alike.
#[derive(Debug, Clone, Copy)]
struct Shape {
    block: usize,
    miniblock: usize,
    /// Whether all blocks subtract the same and pack whole bytes.
    even: bool,
}

/// For differences of a byte: as long as other writers' miniblocks, which readers are tuned to.
const ALIGNED: Shape = Shape { block: 256, miniblock: 64, even: false };

/// For few that repeat, however large: the compression finds what repeats.
const EVEN: Shape = Shape { even: true, ..ALIGNED };

/// For larger ones, where a single outlier widens all of its miniblock.
const TIGHT: Shape = Shape { block: 128, miniblock: 32, even: false };

/// Of so many differences, one at least has to be new for them not to be few that repeat.
const NEW_PER: usize = 8;

/// Appends integers. `differences` is scratch.
pub(crate) fn put_integers(out: &mut Vec<u8>, integers: &[i64], differences: &mut Vec<i64>) {
    differences.clear();
    differences.extend(integers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])));
    put(out, integers.first().copied(), integers.len(), differences);
}

/// Appends integers of 32 bits, the lower ones of those given. `differences` is scratch.
pub(crate) fn put_integers_32(out: &mut Vec<u8>, integers: &[i64], differences: &mut Vec<i64>) {
    let difference = |pair: &[i64]| i64::from((pair[1] as i32).wrapping_sub(pair[0] as i32));
    differences.clear();
    differences.extend(integers.windows(2).map(difference));
    let first = integers.first().map(|first| i64::from(*first as i32));
    put(out, first, integers.len(), differences);
}

fn put(out: &mut Vec<u8>, first: Option<i64>, count: usize, differences: &[i64]) {
    let usual = usual_least(differences);
    let parts = differences.chunks(ALIGNED.miniblock);
    let small = parts.clone().filter(|part| fits(part, usual)).count();
    let shape = match small * 2 >= parts.len() {
        true => ALIGNED,
        false if repeat(differences) => EVEN,
        false => TIGHT,
    };
    let usual = if shape.even { bounds(differences).0 } else { usual };
    put_varint(out, shape.block as u64);
    put_varint(out, (shape.block / shape.miniblock) as u64);
    put_varint(out, count as u64);
    put_zigzag(out, first.unwrap_or_default());
    for block in differences.chunks(shape.block) {
        put_block(out, block, usual, shape);
    }
}

/// Whether differences are few that repeat.
fn repeat(differences: &[i64]) -> bool {
    let few = differences.len() / NEW_PER;
    let mut seen = HashSet::with_capacity(few);
    for difference in differences {
        if seen.insert(*difference) && seen.len() > few {
            return false;
        }
    }
    true
}

/// Whether differences are a byte above what a page usually subtracts.
fn fits(differences: &[i64], usual: i64) -> bool {
    let (min, max) = bounds(differences);
    min >= usual && max.checked_sub(usual).is_some_and(|above| above < 256)
}

fn put_block(out: &mut Vec<u8>, block: &[i64], usual: i64, shape: Shape) {
    let (min, max) = bounds(block);
    // What the page usually subtracts, where a byte still does: the bytes of its blocks are then
    // alike. Blocks of one difference only are shortest by themselves.
    let parts = block.chunks(shape.miniblock);
    let near = min >= usual && parts.clone().any(|part| fits(part, usual));
    let least = if (near || shape.even) && min != max { usual } else { min };
    put_zigzag(out, least);
    let widths = out.len();
    out.resize(widths + shape.block / shape.miniblock, 0);
    for (index, part) in parts.enumerate() {
        let above = |difference: &i64| difference.wrapping_sub(least) as u64;
        let bits = part.iter().map(above).fold(0, |bits, number| bits | number);
        let width = 64 - bits.leading_zeros();
        let width = match width {
            0 => 0,
            _ if shape.even => width.next_multiple_of(8),
            _ => aligned_width(width),
        };
        out[widths + index] = width as u8;
        // The last one is padded to its full length.
        let padding = std::iter::repeat_n(0, shape.miniblock - part.len());
        put_packed(out, width, part.iter().map(above).chain(padding));
    }
}

/// What to subtract all over a page: the least difference of its blocks but for outliers.
fn usual_least(differences: &[i64]) -> i64 {
    let mut least: Vec<i64> =
        differences.chunks(ALIGNED.miniblock).map(|part| bounds(part).0).collect();
    let middle = least.len() / 2;
    if least.is_empty() {
        return 0;
    }
    let median = *least.select_nth_unstable(middle).1;
    let usual = least.iter().filter(|min| median.checked_sub(**min).is_some_and(|by| by < 64));
    usual.min().copied().unwrap_or(median)
}

fn bounds(differences: &[i64]) -> (i64, i64) {
    let all = differences.iter();
    all.fold((i64::MAX, i64::MIN), |(min, max), d| (min.min(*d), max.max(*d)))
}
