//! Between which numbers the values of every page lie, as doubles, so that whoever looks for some
//! numbers passes over the pages that have none of them.
//!
//! The bounds of `k` alone would not tell: what a step means is in other columns, whose pages are of
//! other rows. They are kept under [`METADATA_KEY`] in the file's metadata instead.

use weir_model::NumberRange;

use super::schema::kind;

/// The key in the file's metadata of the list: 32 hexadecimal digits for each page of `k`, in order.
pub(crate) const METADATA_KEY: &str = "weir.numbers";

/// The range of a page's numbers.
///
/// `kinds` are runs of kinds with their rows, `numbers` the 64 bits of each row's number.
pub(crate) fn of(kinds: &[(u32, u32)], numbers: &[u64]) -> NumberRange {
    let mut rest = numbers;
    let mut range = NumberRange::NONE;
    for (kind, rows) in kinds {
        let (here, after) = rest.split_at((*rows as usize).min(rest.len()));
        rest = after;
        range = match *kind as u8 {
            kind::F64 => here.iter().fold(range, |range, x| range.with(f64::from_bits(*x))),
            kind::U64 => here.iter().fold(range, |range, x| range.with(*x as f64)),
            kind::I64 | kind::ENUMERATION | kind::BOOL => {
                here.iter().fold(range, |range, x| range.with(x.cast_signed() as f64))
            }
            _ => range,
        };
    }
    range
}

/// The list as text.
pub(crate) fn to_text(pages: &[NumberRange]) -> String {
    let words = pages.iter().flat_map(|range| range.words());
    words.map(|word| format!("{word:016x}")).collect()
}

/// Reads the list.
pub(crate) fn parse(text: &str) -> Option<Vec<NumberRange>> {
    let word = |digits: &[u8]| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let pages = text.as_bytes().chunks(32);
    let page = |digits: &[u8]| {
        let (least, most) = digits.split_at_checked(16)?;
        Some(NumberRange::from_words([word(least)?, word(most)?]))
    };
    pages.map(page).collect()
}

#[cfg(test)]
mod tests;
