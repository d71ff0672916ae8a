//! Arrays as bytes of a block: numbers of one kind as small integers or whole, byte by byte.
//!
//! A waveform is a run of numbers like any other, so that it is written as steps of a [`Scale`] where it has
//! a good one, or as multiples of some grain (a converter's counts times its sensitivity), else as doubles, or
//! as singles where all are. The
//! first bytes of all numbers come first, then the second ones and so on: high bytes are nearly the same
//! everywhere, which the page's Zstandard makes nearly nothing of. Of steps, the differences are written where
//! those are smaller. See `docs/specs/block.md`.

mod grid;

use weir_model::{ARRAY_LENGTH_MAX, Kind, Value};

use super::scale::{Scale, double, scale_doubles, steps};

/// The first byte of what is written here; [`Value::encode`] never begins with it.
const PACKED: u8 = 16;

/// The kind of doubles among which integers are: programs that write JSON write 3.0 as 3.
const MIXED: u8 = 32;

/// Of steps: numbers are rounded to singles.
const ROUNDED: u8 = 1;
/// Of steps: integers are multiplied, not divided.
const MULTIPLIED: u8 = 2;

/// Bits of steps up to which no other way is tried.
const BITS_FINE: u32 = 24;

/// Integers up to this magnitude are doubles as well.
const EXACT_MAX: u64 = 1 << 53;

/// Elements below which splitting them costs more than it saves.
const PACKED_MIN: usize = 16;

/// Numbers as they are.
const WHOLE: u8 = 0;
/// Doubles that are singles.
const SINGLES: u8 = 1;
/// Steps.
const STEPS: u8 = 2;
/// Differences between steps, the sign in the lowest bit.
const DIFFERENCES: u8 = 3;

/// Appends the bytes of an array.
pub(crate) fn encode(value: &Value, out: &mut Vec<u8>) {
    put(value, true, out);
}

/// The same at a tenth of the time, doubles as they are: for what is kept in memory for a while.
pub(crate) fn encode_quickly(value: &Value, out: &mut Vec<u8>) {
    put(value, false, out);
}

fn put(value: &Value, thorough: bool, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) if items.len() >= PACKED_MIN => {
            let kind = items[0].word().0;
            let packs = matches!(kind, Kind::F64 | Kind::I64 | Kind::U64 | Kind::Bool);
            if packs && items.iter().all(|item| item.word().0 == kind) {
                put_head(kind as u8, items.len(), out);
                let words = items.iter().map(|item| item.word().1).collect();
                put_numbers(kind, words, thorough, out);
            } else if let Some(doubles) = mixed(items) {
                put_head(MIXED, items.len(), out);
                put_flags(items.iter().map(|item| matches!(item, Value::I64(_))), out);
                put_numbers(Kind::F64, doubles, thorough, out);
            } else {
                value.encode(out);
            }
        }
        _ => value.encode(out),
    }
}

/// The bits of doubles and integers as doubles; none where one is neither or too large.
fn mixed(items: &[Value]) -> Option<Vec<u64>> {
    let one = |item: &Value| match item {
        Value::F64(x) => Some(x.to_bits()),
        Value::I64(x) if x.unsigned_abs() <= EXACT_MAX => Some((*x as f64).to_bits()),
        _ => None,
    };
    items.iter().map(one).collect()
}

fn put_head(kind: u8, count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[PACKED, kind]);
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

/// Eight in a byte, the first in its lowest bit.
fn put_flags(flags: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    let flags: Vec<bool> = flags.collect();
    let byte =
        |flags: &[bool]| flags.iter().rev().fold(0u8, |byte, flag| byte << 1 | u8::from(*flag));
    out.extend(flags.chunks(8).map(byte));
}

fn put_numbers(kind: Kind, words: Vec<u64>, thorough: bool, out: &mut Vec<u8>) {
    let mut integers = Vec::with_capacity(words.len());
    let scale = match kind {
        Kind::F64 => {
            let doubles: Vec<f64> = words.iter().map(|word| f64::from_bits(*word)).collect();
            if !thorough {
                return put_doubles(&doubles, out);
            }
            let scale = match scale_doubles(&doubles, &mut integers, &mut Vec::new()) {
                (Some(scale), false) => Some(scale),
                _ => None,
            };
            if let Some(scale) = scale.filter(|_| bits(&integers) <= BITS_FINE) {
                return put_steps(&scale, false, &integers, out);
            }
            if let Some(mut grid) = grid::find(&doubles) {
                let (origin, grain) = steps(&mut grid.multiples, None);
                let scale = Scale { origin, grain, divisor: grid.grain, single: grid.single };
                return put_steps(&scale, true, &grid.multiples, out);
            }
            match scale {
                Some(scale) if bits(&integers) < u32::BITS => scale,
                _ => return put_doubles(&doubles, out),
            }
        }
        _ => {
            integers.extend(words.iter().map(|word| word.cast_signed()));
            let (origin, grain) = steps(&mut integers, None);
            Scale { origin, grain, ..Scale::ONE }
        }
    };
    put_steps(&scale, false, &integers, out);
}

/// Bits of the largest of some steps, none of which is negative.
fn bits(steps: &[i64]) -> u32 {
    let all = steps.iter().fold(0, |all, step| all | step);
    i64::BITS - all.leading_zeros()
}

fn put_doubles(doubles: &[f64], out: &mut Vec<u8>) {
    let single = |x: &f64| f64::from(*x as f32).to_bits() == x.to_bits();
    if doubles.iter().all(single) {
        out.push(SINGLES);
        put_split(doubles.iter().map(|x| u64::from((*x as f32).to_bits())), 4, out);
    } else {
        out.push(WHOLE);
        put_split(doubles.iter().map(|x| x.to_bits()), 8, out);
    }
}

fn put_steps(scale: &Scale, multiplied: bool, steps: &[i64], out: &mut Vec<u8>) {
    let plain = || steps.iter().map(|step| step.cast_unsigned());
    let differences = || {
        std::iter::once(steps[0].cast_unsigned())
            .chain(steps.windows(2).map(|pair| zigzag(pair[1].wrapping_sub(pair[0]))))
    };
    let width = |numbers: &mut dyn Iterator<Item = u64>| {
        let all = numbers.fold(0, |all, number| all | number);
        (u64::BITS - all.leading_zeros()).div_ceil(8) as usize
    };
    let widths = (width(&mut plain()), width(&mut differences()));
    let differs = entropy(differences(), widths.1) < entropy(plain(), widths.0);
    let bytes = if differs { widths.1 } else { widths.0 };
    out.push(if differs { DIFFERENCES } else { STEPS });
    out.push(bytes as u8);
    let rounded = if scale.single { ROUNDED } else { 0 };
    out.push(rounded | if multiplied { MULTIPLIED } else { 0 });
    out.extend_from_slice(&scale.origin.to_le_bytes());
    out.extend_from_slice(&scale.grain.to_le_bytes());
    out.extend_from_slice(&scale.divisor.to_le_bytes());
    match differs {
        true => put_split(differences(), bytes, out),
        false => put_split(plain(), bytes, out),
    }
}

/// Bits that numbers take where each of their bytes is coded by how often it comes: about what is left of
/// them on the disk.
fn entropy(numbers: impl Iterator<Item = u64> + Clone, bytes: usize) -> f64 {
    let plane = |byte: usize| {
        let (mut counts, mut all) = ([0u32; 256], 0);
        numbers.clone().for_each(|number| {
            counts[(number >> (8 * byte)) as u8 as usize] += 1;
            all += 1;
        });
        let bits = |count: &u32| f64::from(*count) * (f64::from(all) / f64::from(*count)).log2();
        counts.iter().filter(|count| **count > 0).map(bits).sum::<f64>()
    };
    (0..bytes).map(plane).sum()
}

/// The highest bytes of all numbers, then the next lower ones, and so on.
fn put_split(numbers: impl Iterator<Item = u64> + Clone, bytes: usize, out: &mut Vec<u8>) {
    for byte in (0..bytes).rev() {
        out.extend(numbers.clone().map(|number| (number >> (8 * byte)) as u8));
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Reads an array's bytes, all of them; none for what [`encode`] never writes.
pub(crate) fn decode(bytes: &[u8]) -> Option<Value> {
    let Some(packed) = bytes.strip_prefix(&[PACKED]) else {
        let mut rest = bytes;
        let value = Value::decode(&mut rest).ok()?;
        return (rest.is_empty() && matches!(value, Value::Array(_))).then_some(value);
    };
    let (kind, rest) = packed.split_first()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count) as usize;
    if !(1..=ARRAY_LENGTH_MAX).contains(&count) {
        return None;
    }
    if *kind != MIXED {
        let kind = Kind::from_byte(*kind).filter(|kind| !kind.is_apart() && *kind != Kind::None)?;
        return take_numbers(kind, count, rest);
    }
    let (flags, rest) = rest.split_at_checked(count.div_ceil(8))?;
    let Value::Array(numbers) = take_numbers(Kind::F64, count, rest)? else { return None };
    let one = |(place, number): (usize, &Value)| match (number, flags[place / 8] >> (place % 8) & 1)
    {
        (Value::F64(x), 1) => Value::I64(*x as i64),
        (number, _) => number.clone(),
    };
    Some(numbers.iter().enumerate().map(one).collect())
}

fn take_numbers(kind: Kind, count: usize, rest: &[u8]) -> Option<Value> {
    let (form, rest) = rest.split_first()?;
    let value = |word: u64| kind.value(word);
    match *form {
        WHOLE => take_split(rest, count, 8)?.into_iter().map(value).collect(),
        SINGLES if kind == Kind::F64 => {
            let singles = take_split(rest, count, 4)?.into_iter();
            singles.map(|bits| Some(Value::F64(f32::from_bits(bits as u32).into()))).collect()
        }
        STEPS | DIFFERENCES => take_steps(kind, *form == DIFFERENCES, count, rest),
        _ => None,
    }
}

fn take_steps(kind: Kind, differs: bool, count: usize, rest: &[u8]) -> Option<Value> {
    let ([bytes, flags], rest) = rest.split_first_chunk::<2>()?;
    let (origin, rest) = rest.split_first_chunk::<8>()?;
    let (grain, rest) = rest.split_first_chunk::<8>()?;
    let (divisor, rest) = rest.split_first_chunk::<8>()?;
    let scale = Scale {
        origin: i64::from_le_bytes(*origin),
        grain: i64::from_le_bytes(*grain),
        divisor: f64::from_le_bytes(*divisor),
        single: flags & ROUNDED > 0,
    };
    let numbers = take_split(rest, count, usize::from(*bytes))?;
    let mut last = 0i64;
    let step = |(place, number): (usize, u64)| {
        last = match differs && place > 0 {
            true => last.wrapping_add(unzigzag(number)),
            false => number.cast_signed(),
        };
        let integer = scale.integer(last);
        match kind {
            Kind::F64 if flags & MULTIPLIED > 0 => {
                Some(Value::F64(grid::multiple(integer, scale.divisor, scale.single)))
            }
            Kind::F64 => Some(Value::F64(double(integer, scale.divisor, scale.single))),
            kind => kind.value(integer.cast_unsigned()),
        }
    };
    numbers.into_iter().enumerate().map(step).collect()
}

/// The numbers that [`put_split`] wrote, where there are as many bytes as they take.
fn take_split(bytes: &[u8], count: usize, width: usize) -> Option<Vec<u64>> {
    if width > 8 || bytes.len() != count * width {
        return None;
    }
    let mut numbers = vec![0u64; count];
    for plane in bytes.chunks_exact(count) {
        numbers.iter_mut().zip(plane).for_each(|(number, byte)| {
            *number = *number << 8 | u64::from(*byte);
        });
    }
    Some(numbers)
}

#[cfg(test)]
mod tests;
