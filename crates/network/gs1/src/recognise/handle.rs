use crate::percent;
use crate::recognise::{Recognised, Scheme, Verdict};

/// The most digits of the industry's and the enterprise's part of a prefix below 88.
const PART_DIGITS_MAX: usize = 8;

/// The longest code of ISO/IEC 15459 (part 1, section 5).
const LICENCE_PLATE_CHARS_MAX: usize = 50;

/// Web addresses and schemes that announce a handle.
const ANNOUNCED: [(&str, bool); 8] = [
    ("hdl:", false),
    ("doi:", false),
    ("https://doi.org/", true),
    ("http://doi.org/", true),
    ("https://dx.doi.org/", true),
    ("http://dx.doi.org/", true),
    ("https://hdl.handle.net/", true),
    ("http://hdl.handle.net/", true),
];

/// A handle, announced or by its form: a prefix of digits in dots (or `0.NA`), a slash and a suffix.
pub(super) fn recognise(text: &str) -> Option<Recognised> {
    let announced = ANNOUNCED.iter().find_map(|(name, web)| {
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (&text[name.len()..], *web))
    });
    let handle = match announced {
        Some((rest, true)) => percent::decode(rest)?,
        Some((rest, false)) => rest.to_owned(),
        None => text.to_owned(),
    };
    if handle.chars().any(char::is_control) {
        return None;
    }
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let Some((prefix, suffix)) = handle.split_once('/') else {
        // A prefix alone is told from a number or an object identifier by its 88.
        let alone = handle.starts_with("88.") && digits(&handle);
        return (alone || announced.is_some()).then(|| bare_prefix(&handle));
    };
    let shaped = prefix.contains('.') && digits(prefix) && !prefix.starts_with('.');
    if announced.is_none() && !shaped && !prefix.eq_ignore_ascii_case("0.NA") {
        return None;
    }
    let scheme = match prefix.split('.').next() {
        Some("10") => Scheme::Doi,
        Some("88") => Scheme::Industrial,
        _ => Scheme::Handle,
    };
    if let Some(reason) = fault(scheme, prefix, suffix) {
        return Some(Recognised::wrong(scheme, &handle, reason));
    }
    let normal = match scheme {
        // ISO 26324: DOI names do not differ by the case of ASCII letters.
        Scheme::Doi => handle.to_ascii_lowercase(),
        _ => handle.clone(),
    };
    Some(Recognised::valid(scheme, normal).with_handle())
}

fn bare_prefix(handle: &str) -> Recognised {
    let scheme = if handle.starts_with("88.") { Scheme::Industrial } else { Scheme::Handle };
    match fault(scheme, handle, "-") {
        Some(reason) => Recognised::wrong(scheme, handle, reason),
        None => Recognised {
            scheme,
            normal: handle.to_owned(),
            verdict: Verdict::Plausible(
                "it is a prefix: nothing of it is named without a slash and a suffix".to_owned(),
            ),
            handle: Some(format!("0.NA/{handle}")),
        },
    }
}

fn fault(scheme: Scheme, prefix: &str, suffix: &str) -> Option<&'static str> {
    if prefix.is_empty() || prefix.split('.').any(str::is_empty) {
        return Some("a prefix is parts between dots, and none is empty");
    }
    if suffix.is_empty() {
        return Some("behind the slash a suffix is missing");
    }
    let mut parts = prefix.split('.').skip(1);
    match scheme {
        Scheme::Doi => {
            let registrant = parts.next().unwrap_or_default();
            let digits =
                registrant.len() >= 4 && registrant.bytes().all(|byte| byte.is_ascii_digit());
            (!digits)
                .then_some("the prefix of a DOI is 10. and a registrant of four digits or more")
        }
        Scheme::Industrial => {
            let parts: Vec<&str> = parts.collect();
            let digits = |part: &&str| {
                part.len() <= PART_DIGITS_MAX && part.bytes().all(|byte| byte.is_ascii_digit())
            };
            match parts.len() {
                1 if suffix != "-" => Some(
                    "88 and an industry are the prefix of a node; an enterprise's has a third part",
                ),
                _ if !parts.iter().all(digits) => {
                    Some("the parts of a prefix below 88 are eight digits at most")
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A code of the issuing agency VAA, and the handle that stands for it.
pub(super) fn vaa(text: &str) -> Option<Recognised> {
    let rest = text.strip_prefix("VAA").filter(|rest| !rest.is_empty())?;
    let Some((service, own)) = rest.split_once('/') else {
        return licence_plate(text);
    };
    let wrong = |reason| Some(Recognised::wrong(Scheme::Vaa, text, reason));
    if service.len() < 7 || !service.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(
            "behind VAA stand three digits for the country, three for the industry and the enterprise's",
        );
    }
    let (country, industry, enterprise) = (&service[..3], &service[3..6], &service[6..]);
    if country != "088" {
        return wrong("behind VAA stands the country as 088");
    }
    if enterprise.len() > PART_DIGITS_MAX {
        return wrong("the enterprise's part has eight digits at most");
    }
    if own.is_empty() {
        return wrong("behind the slash the enterprise's own code is missing");
    }
    let handle = Some(format!("88.{industry}.{enterprise}/{own}"));
    let verdict = Verdict::Plausible(
        "its structure is that of textbooks; the coding guide was not at hand".to_owned(),
    );
    Some(Recognised { scheme: Scheme::Vaa, normal: text.to_owned(), verdict, handle })
}

/// A code of ISO/IEC 15459: capitals and digits behind the agency's, and not too long. A word that only
/// begins like it is none: there must be a digit.
fn licence_plate(text: &str) -> Option<Recognised> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if !plain || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if text.len() > LICENCE_PLATE_CHARS_MAX {
        return Some(Recognised::wrong(
            Scheme::Vaa,
            text,
            "a code of ISO/IEC 15459 has 50 characters at most",
        ));
    }
    let verdict = Verdict::Plausible("where the enterprise's part ends was not checked".to_owned());
    Some(Recognised { scheme: Scheme::Vaa, normal: text.to_owned(), verdict, handle: None })
}
