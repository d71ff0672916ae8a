//! Which of several targets fits what a client accepts (RFC 9110, section 12; RFC 4647).

use std::cmp::Ordering;

#[cfg(test)]
mod tests;

/// The longest header that is read; the rest is as if it were not there.
pub const HEADER_BYTES_MAX: usize = 4096;

/// The most ranges of one header that are read.
pub const HEADER_ITEMS_MAX: usize = 64;

/// Thousandths of a quality value.
type Quality = u16;

/// The media types that a client accepts, from the header `Accept`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accept {
    ranges: Vec<(String, String, Quality)>,
}

impl Accept {
    /// Reads the header; what is malformed in it is skipped.
    pub fn parse(header: &str) -> Accept {
        let range = |(range, quality): (&str, Quality)| {
            let (kind, subtype) = range.split_once('/')?;
            Some((kind.trim().to_ascii_lowercase(), subtype.trim().to_ascii_lowercase(), quality))
        };
        Accept { ranges: items(header).filter_map(range).collect() }
    }

    /// Whether nothing was said.
    pub fn is_silent(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How much a media type is wanted, in thousandths; the most specific range decides (RFC 9110,
    /// section 12.5.1). 0 is not at all. A client that says nothing wants everything.
    pub fn quality(&self, media_type: &str) -> u16 {
        if self.is_silent() {
            return 1000;
        }
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        let fit = |(wanted, sub, quality): &(String, String, Quality)| match (
            wanted.as_str(),
            sub.as_str(),
        ) {
            ("*", "*") => Some((0, *quality)),
            (wanted, "*") if wanted == kind => Some((1, *quality)),
            (wanted, sub) if wanted == kind && sub == subtype => Some((2, *quality)),
            _ => None,
        };
        self.ranges.iter().filter_map(fit).max().map_or(0, |(_, quality)| quality)
    }

    /// How much a media type is wanted that is named as it is, without a star; 0 if it is not named.
    pub(super) fn named(&self, media_type: &str) -> u16 {
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        let named = self.ranges.iter().filter(|(wanted, sub, _)| wanted == kind && sub == subtype);
        named.map(|(_, _, quality)| *quality).max().unwrap_or(0)
    }

    /// The highest quality of any range.
    pub(super) fn highest(&self) -> u16 {
        self.ranges.iter().map(|(_, _, quality)| *quality).max().unwrap_or(0)
    }
}

/// The languages that a client accepts, from the header `Accept-Language`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptLanguage {
    ranges: Vec<(String, Quality)>,
}

/// How well a language fits: how much its range is wanted, and how close the range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Closeness(Quality, Near);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    /// The star.
    Any,
    /// The range is a beginning of the tag: `zh` and a text in `zh-CN`.
    Narrower,
    /// The tag is a beginning of the range: `zh-CN` and a text in `zh` (RFC 4647, section 3.4).
    Wider,
    Same,
}

impl AcceptLanguage {
    /// Reads the header; what is malformed in it is skipped.
    pub fn parse(header: &str) -> AcceptLanguage {
        let plain = |range: &str| {
            range.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-*".contains(&byte))
        };
        let ranges = items(header).filter(|(range, _)| plain(range));
        AcceptLanguage {
            ranges: ranges.map(|(range, quality)| (range.to_ascii_lowercase(), quality)).collect(),
        }
    }

    /// Whether nothing was said.
    pub fn is_silent(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether one language fits better than another.
    pub fn prefers(&self, tag: &str, other: &str) -> bool {
        self.closeness(tag) > self.closeness(other)
    }

    /// How well a language fits; `None` if it is not wanted.
    pub(super) fn closeness(&self, tag: &str) -> Option<Closeness> {
        let tag = tag.to_ascii_lowercase();
        let begins = |long: &str, short: &str| {
            long.strip_prefix(short).is_some_and(|rest| rest.starts_with('-'))
        };
        let fit = |(range, quality): &(String, Quality)| {
            let near = match range.as_str() {
                "*" => Near::Any,
                range if range == tag => Near::Same,
                range if begins(range, &tag) => Near::Wider,
                range if begins(&tag, range) => Near::Narrower,
                _ => return None,
            };
            Some(Closeness(*quality, near))
        };
        let fits: Vec<Closeness> = self.ranges.iter().filter_map(fit).collect();
        let refused =
            fits.iter().any(|Closeness(quality, near)| *quality == 0 && *near == Near::Same);
        let best = fits.into_iter().filter(|Closeness(quality, _)| *quality > 0).max();
        if refused { None } else { best }
    }

    /// The better of two sets of languages for the client, by their best.
    pub(super) fn best(&self, languages: &[String]) -> Option<Closeness> {
        languages.iter().filter_map(|tag| self.closeness(tag)).max()
    }
}

/// The items of a header, each with its quality.
fn items(header: &str) -> impl Iterator<Item = (&str, Quality)> {
    let within = &header[..header.floor_char_boundary(HEADER_BYTES_MAX)];
    let items = within.split(',').take(HEADER_ITEMS_MAX);
    items.filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let range = parts.next().filter(|range| !range.is_empty())?;
        let weight =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((range, weight.map_or(Some(1000), thousandths)?))
    })
}

/// A quality value of up to three decimals (RFC 9110, section 12.4.2).
fn thousandths(weight: &str) -> Option<Quality> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: Quality = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals.cmp(&0)) {
        ("1", Ordering::Equal) => Some(1000),
        ("0", _) => Some(decimals),
        _ => None,
    }
}
