//! Where records end, in bytes: so that a place in a file can be remembered, whatever its encoding.
//!
//! A newline, a quote and a separator are single bytes that are part of no other character in UTF-8 and
//! GB 18030, and single code units in UTF-16; so records are cut before they are decoded.

/// Largest record. Machines write lines of a few kilobytes at the most.
pub(crate) const RECORD_BYTES_MAX: usize = 256 * 1024;

/// Most lines within quotes of one record. More mean a quote that nobody closes.
const QUOTED_LINES_MAX: u64 = 100;

/// How the text of a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of a code unit: 2 in UTF-16, else 1.
    pub(crate) width: usize,
    pub(crate) is_big_endian: bool,
    pub(crate) separator: u8,
}

/// What stands at the front of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A record of some bytes, and as many with its newline.
    Record { length: usize, taken: usize, lines: u64 },
    /// Something that is no record, up to the end of its first line.
    Bad { taken: usize, cause: &'static str },
    /// The beginning of a line that is too long; its end is not among the bytes.
    Endless,
    /// Not known before more bytes are there.
    More,
}

impl Layout {
    fn unit(self, bytes: &[u8], at: usize) -> Option<u16> {
        let unit = bytes.get(at..at + self.width)?;
        Some(match *unit {
            [byte] => byte.into(),
            [a, b] if self.is_big_endian => u16::from_be_bytes([a, b]),
            [a, b] => u16::from_le_bytes([a, b]),
            _ => return None,
        })
    }

    /// How many bytes the first line has, with its newline; none where it has none.
    pub(crate) fn line(self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(unit) = self.unit(bytes, at) {
            at += self.width;
            if unit == u16::from(b'\n') {
                return Some(at);
            }
        }
        None
    }

    /// The record at the front of some bytes; the last one may lack its newline where nothing follows.
    pub(crate) fn record(self, bytes: &[u8], is_end: bool) -> Next {
        let (newline, quote) = (u16::from(b'\n'), u16::from(b'"'));
        let separator = u16::from(self.separator);
        let (mut at, mut lines) = (0, 0);
        let mut first_line = None;
        let (mut is_field_start, mut is_quoted) = (true, false);
        while let Some(unit) = self.unit(bytes, at) {
            let from = at;
            at += self.width;
            if is_quoted {
                if unit == quote && self.unit(bytes, at) == Some(quote) {
                    at += self.width;
                } else if unit == quote {
                    is_quoted = false;
                } else if unit == newline {
                    lines += 1;
                    first_line.get_or_insert(at);
                }
            } else if unit == newline {
                return Next::Record { length: from, taken: at, lines: lines + 1 };
            } else {
                is_quoted = unit == quote && is_field_start;
                is_field_start = unit == separator;
            }
            if at > RECORD_BYTES_MAX || lines > QUOTED_LINES_MAX {
                return self.unfit(bytes, first_line);
            }
        }
        if !is_end || bytes.is_empty() {
            return Next::More;
        }
        if is_quoted {
            let taken = first_line.unwrap_or(bytes.len());
            return Next::Bad { taken, cause: "a quote that is never closed" };
        }
        Next::Record { length: at, taken: bytes.len(), lines: lines + 1 }
    }

    fn unfit(self, bytes: &[u8], first_line: Option<usize>) -> Next {
        if let Some(taken) = first_line {
            return Next::Bad { taken, cause: "a quote that is never closed" };
        }
        match self.line(bytes) {
            Some(taken) => Next::Bad { taken, cause: "a line of more than 256 KiB" },
            None => Next::Endless,
        }
    }
}

#[cfg(test)]
mod tests;
