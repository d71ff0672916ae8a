use crate::recognise::{Recognised, Scheme};

/// The longest arc: 128 bits, as arcs below 2.25 have them (X.667).
const ARC_DIGITS_MAX: usize = 39;

/// The most arcs, far beyond any that is in use.
const ARCS_MAX: usize = 128;

/// An object identifier: `urn:oid:1.2.156`, `OID:1.2.156`, or three arcs and more in dots, the first of
/// which is 0, 1 or 2.
pub(super) fn recognise(text: &str) -> Option<Recognised> {
    let announced = ["urn:oid:", "oid:", "oid."].iter().find_map(|name| {
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| &text[name.len()..])
    });
    let arcs = announced.unwrap_or(text);
    let dotted = arcs.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let plausible = dotted
        && arcs.split('.').count() >= 3
        && matches!(arcs.split('.').next(), Some("0" | "1" | "2"));
    if announced.is_none() && !plausible {
        return None;
    }
    match fault(arcs) {
        Some(reason) => Some(Recognised::wrong(Scheme::Oid, arcs, reason)),
        None => Some(Recognised::valid(Scheme::Oid, arcs)),
    }
}

/// What is wrong with arcs (X.660, section 7.6; RFC 3061).
fn fault(arcs: &str) -> Option<&'static str> {
    let parts: Vec<&str> = arcs.split('.').take(ARCS_MAX + 1).collect();
    if parts.len() > ARCS_MAX {
        return Some("it has more arcs than any object identifier in use");
    }
    for arc in &parts {
        if arc.is_empty() || !arc.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some("an object identifier is digits between dots");
        }
        if arc.len() > 1 && arc.starts_with('0') {
            return Some("an arc has no zeros in front");
        }
        if arc.len() > ARC_DIGITS_MAX {
            return Some("an arc has more than 39 digits");
        }
    }
    match (parts[0], parts.get(1)) {
        (_, None) => Some("an object identifier has two arcs at least"),
        ("0" | "1", Some(second)) if second.parse::<u64>().map_or(true, |second| second > 39) => {
            Some("below 0 and 1 the second arc is 39 at most")
        }
        ("0" | "1" | "2", _) => None,
        _ => Some("the first arc is 0, 1 or 2"),
    }
}
