//! Rollups of one level in bytes: streams of small numbers, compressed together.
//!
//! See `docs/specs/block.md`, which defines every stream. Bounds: [`GROUP_ROWS`] rollups and
//! [`GROUP_BYTES_MAX`] bytes unpacked a group.

use std::io;

use serde::{Deserialize, Serialize};

use super::partial::{Class, Partial, Sum};
use super::{RollupLevel, Stored};
use crate::log::varint::{put_varint, take_varint, unzigzag, zigzag};

/// The key in a block's metadata of its [`Directory`], as JSON.
pub(crate) const METADATA_KEY: &str = "weir.rollups";

/// Rollups of a group at most.
pub(crate) const GROUP_ROWS: usize = 4096;

/// Bytes of a group once it is unpacked: no rollup takes more than 200.
const GROUP_BYTES_MAX: usize = GROUP_ROWS * 256;

/// The version of the encoding.
const VERSION: u32 = 1;

/// Compression of groups: few bytes, read often.
const ZSTD_LEVEL: i32 = 9;

/// Numbers of decimals that values are tried to be integers with.
const DECIMALS: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// In the place of a number of decimals: the values follow as they are.
const AS_THEY_ARE: u8 = 255;

/// Integers that doubles hold exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Units that times of a group may all be multiples of, in nanoseconds.
const UNITS: [u64; 4] = [1_000_000_000, 1_000_000, 1000, 1];

const STREAMS: usize = 9;

/// What a block has of rollups, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// The version of the groups' encoding.
    version: u32,
    /// By level, the finest first, and in each level by key.
    groups: Vec<Place>,
}

/// Where a group lies in the block's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// 0 minutes, 1 hours, 2 days.
    level: u8,
    /// Bytes before it in the file.
    pub(crate) offset: u64,
    /// Its length in bytes.
    pub(crate) bytes: u32,
    /// The first tag and index.
    first: (u32, i64),
    /// The last tag and index.
    last: (u32, i64),
}

impl Directory {
    /// Reads a block's metadata; none where there is nothing that this version understands.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let directory: Self = serde_json::from_str(text).ok()?;
        (directory.version == VERSION).then_some(directory)
    }

    /// The groups of a level with their numbers, from the one on that may have a key.
    pub(crate) fn groups_from(
        &self,
        level: RollupLevel,
        key: (u32, i64),
    ) -> impl Iterator<Item = (usize, &Place)> {
        let wanted = (level as u8, key);
        let first = self.groups.partition_point(|group| (group.level, group.last) < wanted);
        let groups = self.groups.iter().enumerate().skip(first);
        groups.take_while(move |(_, group)| group.level == level as u8)
    }
}

/// Groups on their way into a file.
#[derive(Default)]
pub(crate) struct Groups {
    packed: Vec<(Place, Vec<u8>)>,
}

impl Groups {
    /// Packs rollups of a level; those of one level come in the order of their keys.
    pub(crate) fn add(&mut self, level: RollupLevel, rows: &[Stored]) -> io::Result<()> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let packed = zstd::bulk::compress(&encode(level, rows), ZSTD_LEVEL)?;
        let bytes = packed.len() as u32;
        let (first, last) = (first.key(), last.key());
        self.packed.push((Place { level: level as u8, offset: 0, bytes, first, last }, packed));
        Ok(())
    }

    /// Writes all of them, from an offset on, and gives the directory as text.
    pub(crate) fn write(
        mut self,
        mut offset: u64,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<String> {
        self.packed.sort_by_key(|(place, _)| (place.level, place.first));
        let mut directory = Directory { version: VERSION, groups: Vec::new() };
        for (place, packed) in self.packed {
            write(&packed)?;
            directory.groups.push(Place { offset, ..place });
            offset += packed.len() as u64;
        }
        Ok(serde_json::to_string(&directory)?)
    }
}

/// Unpacks a group; none for bytes that are none.
pub(crate) fn unpack(level: RollupLevel, packed: &[u8]) -> Option<Vec<Stored>> {
    let bytes = zstd::bulk::decompress(packed, GROUP_BYTES_MAX).ok()?;
    decode(level, &bytes)
}

/// The streams, in the order in which they lie.
struct Streams<T>([T; STREAMS]);

impl<T> Streams<T> {
    fn all(&mut self) -> [&mut T; STREAMS] {
        self.0.each_mut()
    }
}

pub(super) fn encode(level: RollupLevel, rows: &[Stored]) -> Vec<u8> {
    let mut streams: Streams<Vec<u8>> = Streams(Default::default());
    let [keys, counts, firsts, lasts, qualities, numbers, values, doubles, holds] = streams.all();
    let offsets = |stored: &Stored| offsets(level, stored);
    let unit_first = unit(rows.iter().map(|stored| offsets(stored).0));
    let unit_last = unit(rows.iter().map(|stored| offsets(stored).1));
    put_varint(unit_first, firsts);
    put_varint(unit_last, lasts);
    let (mut tag, mut index) = (0, 0);
    let mut words = Vec::new();
    for stored in rows {
        let partial = &stored.partial;
        put_varint(u64::from(stored.tag.wrapping_sub(tag)), keys);
        put_varint(zigzag(stored.index.wrapping_sub(index)), keys);
        (tag, index) = (stored.tag, stored.index);
        put_varint(partial.samples, counts);
        let (first, last) = offsets(stored);
        put_varint(first / unit_first, firsts);
        put_varint(last / unit_last, lasts);
        counts.push(form(stored));
        if !stored.is_whole {
            continue;
        }
        put_varint(partial.samples - partial.usable, counts);
        put_varint(partial.first.1.into(), qualities);
        put_varint(partial.last.1.into(), qualities);
        qualities.push(partial.last_class as u8);
        let held = partial.last.0.abs_diff(partial.first.0);
        put_varint(held - partial.good_ns - partial.uncertain_ns, holds);
        put_varint(partial.uncertain_ns, holds);
        if partial.numbers > 0 {
            put_varint(partial.first_number.0.abs_diff(partial.first.0), numbers);
            put_varint(partial.last.0.abs_diff(partial.last_number.0), numbers);
            put_values(partial, values, &mut words);
            words.push(partial.sum.value().to_bits());
            words.push(partial.area.value().to_bits());
        }
    }
    for byte in 0..8 {
        doubles.extend(words.iter().map(|word| word.to_le_bytes()[byte]));
    }
    let mut out = Vec::new();
    put_varint(rows.len() as u64, &mut out);
    streams.0.iter().for_each(|stream| put_varint(stream.len() as u64, &mut out));
    streams.0.iter().for_each(|stream| out.extend_from_slice(stream));
    out
}

/// 0 what has no numbers, 1 what has, 2 what is not whole.
fn form(stored: &Stored) -> u8 {
    if stored.is_whole { u8::from(stored.partial.numbers > 0) } else { 2 }
}

/// From the beginning to the first sample, and from the last one to the end.
fn offsets(level: RollupLevel, stored: &Stored) -> (u64, u64) {
    let start = level.start(stored.index);
    let end = start.saturating_add(level.nanos());
    (stored.partial.first.0.abs_diff(start), end.abs_diff(stored.partial.last.0))
}

fn unit(times: impl Iterator<Item = u64> + Clone) -> u64 {
    let fits = |unit: &u64| times.clone().all(|time| time.is_multiple_of(*unit));
    UNITS.into_iter().find(fits).unwrap_or(1)
}

/// Least, greatest, first and last number: mostly integers over a power of ten.
fn put_values(partial: &Partial, out: &mut Vec<u8>, words: &mut Vec<u64>) {
    let values = [partial.min, partial.max, partial.first_number.1, partial.last_number.1];
    for (decimals, power) in DECIMALS.iter().enumerate() {
        let integers = values.map(|value| (value * power).round());
        let exact = integers.iter().zip(values).all(|(integer, value)| {
            // By way of the integer, which has no negative zero.
            let back = *integer as i64 as f64 / power;
            integer.abs() < EXACT_MAX && back.to_bits() == value.to_bits()
        });
        if exact {
            let [min, max, first, last] = integers.map(|integer| integer as i64);
            out.push(decimals as u8);
            put_varint(zigzag(min), out);
            [max, first, last].iter().for_each(|k| put_varint(k.abs_diff(min), out));
            return;
        }
    }
    out.push(AS_THEY_ARE);
    words.extend(values.map(f64::to_bits));
}

pub(super) fn decode(level: RollupLevel, bytes: &[u8]) -> Option<Vec<Stored>> {
    let mut rest = bytes;
    let rest = &mut rest;
    let rows = number(rest)? as usize;
    if rows > GROUP_ROWS {
        return None;
    }
    let mut lengths = [0; STREAMS];
    for length in &mut lengths {
        *length = number(rest)? as usize;
    }
    let mut streams = Streams([&[][..]; STREAMS]);
    for (stream, length) in streams.0.iter_mut().zip(lengths) {
        (*stream, *rest) = rest.split_at_checked(length)?;
    }
    let [keys, counts, firsts, lasts, qualities, numbers, values, doubles, holds] = streams.all();
    let mut words = Words::of(doubles);
    let (unit_first, unit_last) = (number(firsts)?, number(lasts)?);
    let mut decoded = Vec::with_capacity(rows);
    let (mut tag, mut index) = (0u32, 0i64);
    for _ in 0..rows {
        tag = tag.wrapping_add(number(keys)? as u32);
        index = index.wrapping_add(unzigzag(number(keys)?));
        let samples = number(counts)?;
        let start = level.start(index);
        let end = start.saturating_add(level.nanos());
        let first = start.wrapping_add_unsigned(number(firsts)?.wrapping_mul(unit_first));
        let last = end.wrapping_sub_unsigned(number(lasts)?.wrapping_mul(unit_last));
        let mut partial = Partial::stub(samples, first, last);
        let form = byte(counts)?;
        if form > 2 || last < first {
            return None;
        }
        if form < 2 {
            partial.usable = samples.checked_sub(number(counts)?)?;
            partial.first.1 = u32::try_from(number(qualities)?).ok()?;
            partial.last.1 = u32::try_from(number(qualities)?).ok()?;
            partial.last_class = class(byte(qualities)?)?;
            let usable = last.abs_diff(first).checked_sub(number(holds)?)?;
            partial.uncertain_ns = number(holds)?;
            partial.good_ns = usable.checked_sub(partial.uncertain_ns)?;
            if form == 1 {
                partial.numbers = partial.usable;
                partial.number_ns = usable;
                partial.first_number.0 = first.wrapping_add_unsigned(number(numbers)?);
                partial.last_number.0 = last.wrapping_sub_unsigned(number(numbers)?);
                take_values(&mut partial, values, &mut words)?;
                partial.sum = Sum::of(words.next()?);
                partial.area = Sum::of(words.next()?);
            }
        }
        decoded.push(Stored { tag, index, is_whole: form < 2, partial });
    }
    Some(decoded)
}

fn take_values(partial: &mut Partial, values: &mut &[u8], words: &mut Words<'_>) -> Option<()> {
    let decimals = byte(values)?;
    let [min, max, first, last] = if decimals == AS_THEY_ARE {
        [words.next()?, words.next()?, words.next()?, words.next()?]
    } else {
        let power = DECIMALS.get(usize::from(decimals))?;
        let min = unzigzag(number(values)?);
        let mut above = || Some(min.wrapping_add_unsigned(number(values)?) as f64 / power);
        [min as f64 / power, above()?, above()?, above()?]
    };
    (partial.min, partial.max) = (min, max);
    (partial.first_number.1, partial.last_number.1) = (first, last);
    Some(())
}

/// Doubles whose first bytes come first, then their second bytes, and so on.
struct Words<'a> {
    bytes: &'a [u8],
    count: usize,
    at: usize,
}

impl<'a> Words<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, count: bytes.len() / 8, at: 0 }
    }

    fn next(&mut self) -> Option<f64> {
        if self.at == self.count {
            return None;
        }
        let word = std::array::from_fn(|byte| self.bytes[byte * self.count + self.at]);
        self.at += 1;
        Some(f64::from_le_bytes(word))
    }
}

fn class(byte: u8) -> Option<Class> {
    [Class::Good, Class::Uncertain, Class::Bad].get(usize::from(byte)).copied()
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    take_varint(bytes).ok()
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}
