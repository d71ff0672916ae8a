use crate::recognise::{Recognised, Scheme, Verdict};

/// Version, number system identifier and main code by version: how many characters the identifier has,
/// how many the main code at most, and whether all are digits. Version 0 is binary and printed nowhere;
/// versions 5 to 9 are reserved (GB/T 31866-2015, table 1, as it is cited).
const VERSIONS: [(char, usize, usize, bool); 4] =
    [('1', 4, 20, true), ('2', 4, 28, true), ('3', 5, 39, false), ('4', 5, usize::MAX, false)];

/// An Ecode behind `ecode:` or `ecode=`.
pub(super) fn recognise(text: &str) -> Option<Recognised> {
    let start = text.get(..5).filter(|start| start.eq_ignore_ascii_case("ecode"))?;
    let code = text[start.len()..].strip_prefix([':', '='])?.trim();
    let wrong = |reason: String| Some(Recognised::wrong(Scheme::Ecode, code, reason));
    let version = code.chars().next().unwrap_or(' ');
    let Some((_, system, main_max, digits)) = VERSIONS.iter().find(|(known, ..)| *known == version)
    else {
        return wrong("the first character of an Ecode is its version, 1 to 4".to_owned());
    };
    let rest: Vec<char> = code.chars().skip(1).collect();
    if *digits && !rest.iter().all(char::is_ascii_digit) {
        return wrong(format!("an Ecode of version {version} has digits only"));
    }
    if version == '3' && !rest.iter().all(char::is_ascii_alphanumeric) {
        return wrong("an Ecode of version 3 has letters and digits only".to_owned());
    }
    if rest.len() <= *system {
        return wrong(format!(
            "an Ecode of version {version} has {system} characters for the number system and a main code behind them"
        ));
    }
    if rest.len() - system > *main_max {
        return wrong(format!(
            "the main code of version {version} has {main_max} characters at most"
        ));
    }
    let verdict =
        Verdict::Plausible("whether its number system is registered was not checked".to_owned());
    Some(Recognised {
        scheme: Scheme::Ecode,
        normal: format!("ecode:{code}"),
        verdict,
        handle: None,
    })
}
