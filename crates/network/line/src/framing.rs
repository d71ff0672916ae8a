//! Bytes to lines.

use crate::settings::Delimiter;

/// A line that has no delimiter within the bytes that a line may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Cuts what arrives into lines. It never holds more than one line's bytes and what was pushed last.
#[derive(Debug)]
pub(crate) struct Splitter {
    delimiter: Delimiter,
    line_bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the line begins that is not complete yet.
    start: usize,
    /// Up to where there is no delimiter that begins.
    searched: usize,
}

impl Splitter {
    pub(crate) fn new(delimiter: Delimiter, line_bytes_max: usize) -> Self {
        Self { delimiter, line_bytes_max, buffer: Vec::new(), start: 0, searched: 0 }
    }

    /// Takes bytes that arrived. Call [`Splitter::next_line`] until there is none before the next ones.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line that is not empty, without its delimiter and what belongs to that.
    pub(crate) fn next_line(&mut self) -> Option<Result<Vec<u8>, TooLong>> {
        loop {
            let delimiter = self.delimiter.bytes();
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let found = unseen.windows(delimiter.len()).position(|window| window == delimiter);
            let Some(found) = found else {
                let overlap = delimiter.len() - 1;
                self.searched = self.buffer.len().saturating_sub(overlap).max(self.start);
                let waiting = self.buffer.len() - self.start;
                // The delimiter itself, or a part of it, may have arrived already.
                let is_too_long = waiting > self.line_bytes_max + overlap;
                return is_too_long.then_some(Err(TooLong));
            };
            let end = self.searched + found;
            let line = self.buffer.get(self.start..end).unwrap_or_default();
            let line = self.delimiter.strip(line).to_vec();
            self.start = end + delimiter.len();
            self.searched = self.start;
            if line.len() > self.line_bytes_max {
                return Some(Err(TooLong));
            }
            if !line.is_empty() {
                return Some(Ok(line));
            }
        }
    }

    /// How many bytes wait for their delimiter.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len() - self.start
    }
}

#[cfg(test)]
mod tests;
