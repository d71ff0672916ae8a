//! The one form of DER that signatures have: a sequence of two integers.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// The two integers, with whatever zeros stand in front of them.
pub(crate) fn read_pair(bytes: &[u8]) -> Option<[&[u8]; 2]> {
    let (content, rest) = read(SEQUENCE, bytes)?;
    let (first, content) = read(INTEGER, content)?;
    let (second, content) = read(INTEGER, content)?;
    (rest.is_empty() && content.is_empty()).then_some([first, second])
}

/// One element of this kind, and what follows it; lengths below 256.
fn read(kind: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes {
        [first, 0x81, length, rest @ ..] if *first == kind && *length >= 0x80 => (*length, rest),
        [first, length, rest @ ..] if *first == kind && *length < 0x80 => (*length, rest),
        _ => return None,
    };
    rest.split_at_checked(length.into())
}

/// A sequence of two unsigned numbers of 32 bytes or fewer.
pub(crate) fn write_pair(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(80);
    for number in [first, second] {
        let number = crate::signature::signed(number);
        content.extend_from_slice(&[INTEGER, number.len() as u8]);
        content.extend_from_slice(&number);
    }
    let mut bytes = vec![SEQUENCE, content.len() as u8];
    bytes.append(&mut content);
    bytes
}
