//! Percent-encoding (RFC 3986, section 2).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Whether a character may stand in a URI (RFC 3986, section 2: reserved, unreserved and the percent sign).
pub(crate) fn in_uri(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(character)
}

/// What the canonical form encodes: everything but unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends a text with everything but unreserved characters encoded, in capitals as the canonical form
/// wants them.
pub(crate) fn encode(text: &str, into: &mut String) {
    into.extend(utf8_percent_encode(text, ENCODED));
}

/// The text that percent-encoding stands for; `None` for half a sequence or bytes that are no UTF-8. A
/// plus sign is itself: no value of GS1 has a space.
pub(crate) fn decode(text: &str) -> Option<String> {
    let whole = |behind: &str| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(whole) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}
