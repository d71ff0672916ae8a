//! Which code system a text belongs to, and whether it keeps that system's rules.
//!
//! Whoever scans a code or types an identifier does not say what it is. [`recognise`] looks at its form:
//! GS1 in all its spellings, handles and DOIs, the two forms of China's industrial identifier system,
//! object identifiers, Ecode and decentralised identifiers.
//!
//! Sources: GS1 General Specifications; RFC 3650 and 3651 (handles); ISO 26324 (DOI); ITU-T X.660 and
//! RFC 3061 (object identifiers); W3C Decentralized Identifiers 1.0; ISO/IEC 15459 for the agency code
//! `VAA` of CAICT. The texts of GB/T 31866 (Ecode) and of the VAA coding guide were not at hand: what is
//! assumed of them stands at [`Scheme::Ecode`] and [`Scheme::Vaa`], and an identifier that only such an
//! assumption speaks for is [`Verdict::Plausible`].

use crate::{DigitalLink, ElementString, check_digit};

mod decentralised;
mod ecode;
mod handle;
mod oid;
#[cfg(test)]
mod tests;

/// The longest text that is looked at.
pub const RECOGNISED_BYTES_MAX: usize = 2048;

/// A system that gives out codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// A GTIN or SSCC as bare digits, an element string or a Digital Link URI of GS1. The normal form is
    /// the canonical Digital Link URI, or the element string in brackets where it has no primary key.
    Gs1,
    /// `88.<industry>.<enterprise>/<suffix>`: China's industrial identifier system on handles. Assumed:
    /// the parts of the prefix are digits, eight at most each.
    Industrial,
    /// `VAA` and three digits for the country (`088`), three for the industry, then the enterprise's, a
    /// slash and its own code: the same system as an ISO/IEC 15459 code of CAICT. Assumed: this
    /// structure, which textbooks give; an ISO/IEC 15459 code without a slash is taken as well.
    Vaa,
    /// An object identifier in dots or as `urn:oid:`; `1.2.156` is China's.
    Oid,
    /// An Ecode: version, number system and main code. Assumed: the lengths of the 2015 edition, and
    /// that an Ecode is announced by `ecode:` or `ecode=`, because digits alone could be anything.
    Ecode,
    /// A decentralised identifier.
    Did,
    /// A DOI, which is a handle below `10.`.
    Doi,
    /// Any other handle.
    Handle,
}

impl Scheme {
    /// Its name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Gs1 => "GS1",
            Scheme::Industrial => "88",
            Scheme::Vaa => "VAA",
            Scheme::Oid => "OID",
            Scheme::Ecode => "Ecode",
            Scheme::Did => "DID",
            Scheme::Doi => "DOI",
            Scheme::Handle => "Handle",
        }
    }
}

/// Whether an identifier keeps the rules of its system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has the form, and its check digits are right where there are any.
    Valid,
    /// It looks right, but not everything could be checked; the sentence says what.
    Plausible(String),
    /// It breaks a rule; the sentence says which.
    Wrong(String),
}

/// A text whose code system is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The system.
    pub scheme: Scheme,
    /// The one spelling under which it is looked up; of a wrong one what was read.
    pub normal: String,
    /// Whether it keeps the rules.
    pub verdict: Verdict,
    /// The handle that stands for it, if it is one or has one.
    pub handle: Option<String>,
}

impl Recognised {
    fn valid(scheme: Scheme, normal: impl Into<String>) -> Recognised {
        Recognised { scheme, normal: normal.into(), verdict: Verdict::Valid, handle: None }
    }

    fn wrong(scheme: Scheme, text: &str, reason: impl Into<String>) -> Recognised {
        let verdict = Verdict::Wrong(reason.into());
        Recognised { scheme, normal: text.to_owned(), verdict, handle: None }
    }

    fn with_handle(mut self) -> Recognised {
        self.handle = Some(self.normal.clone());
        self
    }
}

/// Recognises a text; white space around it is no part of it. `None` if it belongs to no system that is
/// known here, or is longer than [`RECOGNISED_BYTES_MAX`].
///
/// ```
/// use weir_gs1::{Scheme, Verdict, recognise};
///
/// let seen = recognise("6901234567892").ok_or("unknown")?;
/// assert_eq!((seen.scheme, seen.verdict), (Scheme::Gs1, Verdict::Valid));
/// assert_eq!(seen.normal, "https://id.gs1.org/01/06901234567892");
/// let seen = recognise("VAA08810012345678/pump-7").ok_or("unknown")?;
/// assert_eq!(seen.handle.as_deref(), Some("88.100.12345678/pump-7"));
/// # Ok::<(), &str>(())
/// ```
pub fn recognise(text: &str) -> Option<Recognised> {
    let text = text.trim();
    if text.is_empty() || text.len() > RECOGNISED_BYTES_MAX {
        return None;
    }
    if let Some(elements) = element_string(text) {
        return Some(elements);
    }
    if text.chars().any(char::is_control) {
        return None;
    }
    decentralised::recognise(text)
        .or_else(|| ecode::recognise(text))
        .or_else(|| oid::recognise(text))
        .or_else(|| handle::vaa(text))
        .or_else(|| handle::recognise(text))
        .or_else(|| digital_link(text))
        .or_else(|| bare_digits(text))
}

/// An element string that is announced by a bracket, a symbology or a separator.
fn element_string(text: &str) -> Option<Recognised> {
    let bracket = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let bracket =
        bracket.is_some_and(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let symbology = ["]C1", "]d2", "]Q3", "]e0", "]J1"].iter().any(|name| text.starts_with(name));
    if !bracket && !symbology && !text.contains('\u{1d}') {
        return None;
    }
    Some(match ElementString::parse(text) {
        Ok(elements) => gs1(&elements),
        Err(error) => Recognised::wrong(Scheme::Gs1, text, error.to_string()),
    })
}

fn gs1(elements: &ElementString) -> Recognised {
    if let Err(error) = elements.check() {
        return Recognised::wrong(Scheme::Gs1, &elements.to_string(), error.to_string());
    }
    let normal =
        DigitalLink::of(elements).map_or_else(|_| elements.to_string(), |link| link.canonical());
    Recognised::valid(Scheme::Gs1, normal)
}

/// A URI whose path has a primary key of GS1.
fn digital_link(text: &str) -> Option<Recognised> {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return None;
    }
    match DigitalLink::parse(text) {
        Ok(link) => Some(Recognised::valid(Scheme::Gs1, link.canonical())),
        // Any web address without a key is no Digital Link, and nobody's mistake.
        Err(crate::Error::NoKey | crate::Error::NotHttp | crate::Error::UriCharacter(_)) => None,
        Err(error) => Some(Recognised::wrong(Scheme::Gs1, text, error.to_string())),
    }
}

/// A GTIN or SSCC as it stands below a barcode. Thirteen or fourteen digits are taken for a GTIN even
/// when the check digit is wrong; other lengths could be a date, a telephone or a person's number.
fn bare_digits(text: &str) -> Option<Recognised> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let code = match text.len() {
        8 | 12 | 13 | 14 => "01",
        18 => "00",
        _ => return None,
    };
    let path = format!("/{code}/{text}");
    match DigitalLink::parse_path(&path) {
        Ok(link) => Some(Recognised::valid(Scheme::Gs1, link.canonical())),
        Err(error) if matches!(text.len(), 13 | 14) && check_digit(text).is_some() => {
            Some(Recognised::wrong(Scheme::Gs1, text, error.to_string()))
        }
        Err(_) => None,
    }
}
