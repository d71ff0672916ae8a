use crate::recognise::{Recognised, Scheme};

/// `did:method:id`, with a path, query or fragment behind it (W3C DID 1.0, section 3.1 and 3.2).
pub(super) fn recognise(text: &str) -> Option<Recognised> {
    let scheme = text.get(..4).filter(|start| start.eq_ignore_ascii_case("did:"))?;
    let wrong = |reason: &str| Some(Recognised::wrong(Scheme::Did, text, reason));
    if scheme != "did:" {
        return wrong("a DID begins with did: in small letters");
    }
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (subject, rest) = text.split_at(end);
    let (method, id) = subject[4..].split_once(':').unwrap_or((&subject[4..], ""));
    if method.is_empty()
        || !method.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    {
        return wrong("the method of a DID has small letters and digits only");
    }
    if id.is_empty() || id.ends_with(':') {
        return wrong("a DID ends in a part of its method's own after the last colon");
    }
    if !encoded(id, |byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte)) {
        return wrong("the part of the method's own has letters, digits, . - _ : and %XX only");
    }
    if !encoded(rest, |byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
        return wrong("what follows the DID has characters that a URI does not take");
    }
    Some(Recognised::valid(Scheme::Did, text))
}

/// Whether a text has bytes of a set and whole percent sequences only.
fn encoded(text: &str, set: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let holds = match byte {
            b'%' => bytes.by_ref().take(2).filter(u8::is_ascii_hexdigit).count() == 2,
            byte => set(byte),
        };
        if !holds {
            return false;
        }
    }
    true
}
