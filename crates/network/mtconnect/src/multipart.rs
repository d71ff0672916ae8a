//! The endless answer to `sample` with an interval: parts of `multipart/x-mixed-replace`
//! (MTConnect part 1, clause 8.3.3; RFC 2046, section 5.1).

/// Largest part. A document of a thousand observations has about 300 kB; a thousand time series, more.
const PART_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest head of a part.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Longest boundary (RFC 2046, section 5.1.1, says 70; agents of old used longer ones).
const BOUNDARY_BYTES_MAX: usize = 200;

/// Why the parts cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MultipartError {
    #[error("a part of more than {PART_BYTES_MAX} bytes")]
    Part,
    #[error("a part's head of more than {HEAD_BYTES_MAX} bytes")]
    Head,
    #[error("a part whose length is not a number")]
    Length,
    #[error("bytes where a boundary was expected")]
    Boundary,
}

/// The boundary in a `Content-Type`; none where it is not a multipart answer.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    // The reference agent of old wrote the boundary with its leading dashes.
    let boundary = boundary.strip_prefix("--").unwrap_or(boundary);
    (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()).then(|| boundary.to_owned())
}

/// Cuts a stream of bytes into parts.
#[derive(Debug)]
pub(crate) struct Multipart {
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
    /// How much of the buffer was searched for the next delimiter already.
    searched: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a delimiter, with nothing but white space allowed.
    Delimiter,
    Head,
    /// In a part of a known length.
    Sized(usize),
    /// In a part that ends where the next delimiter begins.
    Open,
    Ended,
}

impl Multipart {
    pub(crate) fn new(boundary: &str) -> Self {
        let delimiter = format!("--{boundary}").into_bytes();
        Self { delimiter, buffer: Vec::new(), state: State::Delimiter, searched: 0 }
    }

    /// Adds bytes that arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the peer has said that no more parts follow.
    pub(crate) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The next whole part; none until more bytes have arrived.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, MultipartError> {
        loop {
            match self.state {
                State::Ended => return Ok(None),
                State::Delimiter => {
                    if !self.delimiter()? {
                        return Ok(None);
                    }
                }
                State::Head => {
                    let Some((end, from)) = head_end(&self.buffer) else {
                        let fits = self.buffer.len() <= HEAD_BYTES_MAX;
                        return if fits { Ok(None) } else { Err(MultipartError::Head) };
                    };
                    let length = content_length(&self.buffer[..end])?;
                    self.cut(from);
                    self.state = length.map_or(State::Open, State::Sized);
                }
                State::Sized(length) => {
                    if self.buffer.len() < length {
                        return Ok(None);
                    }
                    let rest = self.buffer.split_off(length);
                    self.state = State::Delimiter;
                    return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
                }
                State::Open => {
                    let Some(at) = self.find_delimiter() else {
                        let fits = self.buffer.len() <= PART_BYTES_MAX;
                        return if fits { Ok(None) } else { Err(MultipartError::Part) };
                    };
                    let rest = self.buffer.split_off(at);
                    self.state = State::Delimiter;
                    self.searched = 0;
                    return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
                }
            }
        }
    }

    /// Takes a delimiter; says whether it was there.
    fn delimiter(&mut self) -> Result<bool, MultipartError> {
        let blank = self.buffer.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.cut(blank);
        let (have, want) = (self.buffer.len(), self.delimiter.len());
        let known = have.min(want);
        if self.buffer[..known] != self.delimiter[..known] {
            return Err(MultipartError::Boundary);
        }
        // The two bytes behind it say whether it is the last one.
        if have < want + 2 {
            return Ok(false);
        }
        let is_last = self.buffer[want..].starts_with(b"--");
        self.cut(want);
        self.state = if is_last { State::Ended } else { State::Head };
        Ok(true)
    }

    fn find_delimiter(&mut self) -> Option<usize> {
        let want = self.delimiter.len();
        let from = self.searched.saturating_sub(want);
        let found = self.buffer[from..].windows(want).position(|w| w == self.delimiter);
        self.searched = self.buffer.len();
        found.map(|at| from + at)
    }

    fn cut(&mut self, count: usize) {
        self.buffer.drain(..count);
    }
}

/// Where a head ends and where what follows it begins: behind an empty line, with or without carriage
/// returns. A head that starts with the end of the delimiter's line is the usual case.
fn head_end(buffer: &[u8]) -> Option<(usize, usize)> {
    let buffer = &buffer[..buffer.len().min(HEAD_BYTES_MAX + 4)];
    let crlf = buffer.windows(4).position(|w| w == b"\r\n\r\n").map(|at| (at, at + 4));
    let lf = buffer.windows(2).position(|w| w == b"\n\n").map(|at| (at, at + 2));
    match (crlf, lf) {
        (Some(a), Some(b)) => Some(if a.0 < b.0 { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// The length that a head tells; none where it tells nothing.
fn content_length(head: &[u8]) -> Result<Option<usize>, MultipartError> {
    for line in head.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if name.trim_ascii().eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value[1..].trim_ascii()).ok();
            let length: usize = value.and_then(|v| v.parse().ok()).ok_or(MultipartError::Length)?;
            return if length <= PART_BYTES_MAX {
                Ok(Some(length))
            } else {
                Err(MultipartError::Part)
            };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
