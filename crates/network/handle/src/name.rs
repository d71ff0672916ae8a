//! Handles and types as names: what is the same name, and what is under what (RFC 3651, 2).
//!
//! ASCII letters compare without case, all other bytes as they are.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// Longest handle in bytes, as clients of the reference software have it.
pub const HANDLE_BYTES_MAX: usize = 2048;

/// The prefix of handles that stand for prefixes, with its slash.
pub const PREFIX_OF_PREFIXES: &[u8] = b"0.NA/";

/// Whether two names are one but for the case of ASCII letters.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The order of names without case.
#[must_use]
pub fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let folded = |name: &'_ [u8], at: usize| name[at].to_ascii_uppercase();
    let shorter = one.len().min(other.len());
    match (0..shorter).find(|at| folded(one, *at) != folded(other, *at)) {
        Some(at) => folded(one, at).cmp(&folded(other, at)),
        None => one.len().cmp(&other.len()),
    }
}

/// Appends the name with its ASCII letters in upper case, as the reference server stores it.
pub fn fold(name: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_uppercase));
}

/// A name that is equal, ordered and hashed without the case of ASCII letters.
#[derive(Debug, Clone, Copy)]
pub struct Folded<'a>(pub &'a [u8]);

impl PartialEq for Folded<'_> {
    fn eq(&self, other: &Self) -> bool {
        same(self.0, other.0)
    }
}

impl Eq for Folded<'_> {}

impl PartialOrd for Folded<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Folded<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0 {
            state.write_u8(byte.to_ascii_uppercase());
        }
        state.write_u8(0xff);
    }
}

/// Prefix and suffix, before and after the first slash; none if there is no slash.
#[must_use]
pub fn split(handle: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = handle.iter().position(|byte| *byte == b'/')?;
    Some((&handle[..slash], &handle[slash + 1..]))
}

/// The prefix that a prefix handle (`0.NA/…`) stands for; none for other handles.
#[must_use]
pub fn prefix_named(handle: &[u8]) -> Option<&[u8]> {
    let (front, prefix) = handle.split_at_checked(PREFIX_OF_PREFIXES.len())?;
    same(front, PREFIX_OF_PREFIXES).then_some(prefix)
}

/// Appends the handle that stands for the prefix of `handle`: `0.NA/…`. A handle without a slash
/// is looked up as a prefix itself.
pub fn prefix_handle(handle: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX_OF_PREFIXES);
    out.extend_from_slice(split(handle).map_or(handle, |(prefix, _)| prefix));
}

/// The prefix that `prefix` is derived from: all before its last dot.
#[must_use]
pub fn parent(prefix: &[u8]) -> Option<&[u8]> {
    let dot = prefix.iter().rposition(|byte| *byte == b'.')?;
    Some(&prefix[..dot])
}

/// Whether `prefix` is derived from `ancestor`, directly or not.
#[must_use]
pub fn derived(prefix: &[u8], ancestor: &[u8]) -> bool {
    prefix.len() > ancestor.len()
        && prefix[ancestor.len()] == b'.'
        && same(&prefix[..ancestor.len()], ancestor)
}

/// Whether a type that is asked for means `kind`: the same name, or one that ends in a dot and
/// means itself without the dot and everything below. An empty one means nothing.
#[must_use]
pub fn type_matches(asked: &[u8], kind: &[u8]) -> bool {
    match asked {
        [] => false,
        [front @ .., b'.'] => {
            same(front, kind) || (kind.len() >= asked.len() && same(&kind[..asked.len()], asked))
        }
        asked => same(asked, kind),
    }
}

#[cfg(test)]
mod tests;
