//! Whether a value fits its application identifier: characters, lengths and the rules of each component.

use std::fmt;

use crate::dictionary::{Ai, Charset, Component};
use crate::error::shown;
use crate::{Error, check};

pub(crate) mod calendar;
mod coupon;
mod list;
#[cfg(test)]
mod tests;

/// A rule that a component must keep, by the name that the syntax dictionary gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    CheckDigit,
    CheckPair,
    /// The GS1 company prefix begins at the first or second character: four digits at least.
    CompanyPrefix {
        at: usize,
    },
    Date {
        century: bool,
        day_zero: bool,
    },
    Hour,
    Minute,
    Second,
    HourMinute,
    Country,
    CountryOr999,
    CountryAlpha2,
    Currency,
    PackageType,
    MediaType,
    PercentEncoded,
    YesNo,
    NonZero,
    Zero,
    NoZeroPrefix,
    HasNonDigit,
    Winding,
    PieceOfTotal,
    PositionInSequence,
    Sex,
    Latitude,
    Longitude,
    Hyphen,
    Iban,
    ImporterIndex,
    Coupon,
    CouponOffer,
}

impl Rule {
    pub(crate) fn named(name: &str) -> Option<Rule> {
        Some(match name {
            "csum" => Rule::CheckDigit,
            "csumalpha" => Rule::CheckPair,
            "gcppos1" => Rule::CompanyPrefix { at: 0 },
            "gcppos2" => Rule::CompanyPrefix { at: 1 },
            "yymmdd" => Rule::Date { century: false, day_zero: false },
            "yymmd0" => Rule::Date { century: false, day_zero: true },
            "yyyymmdd" => Rule::Date { century: true, day_zero: false },
            "yyyymmd0" => Rule::Date { century: true, day_zero: true },
            "hh" => Rule::Hour,
            "mi" => Rule::Minute,
            "ss" => Rule::Second,
            "hhmi" => Rule::HourMinute,
            "iso3166" => Rule::Country,
            "iso3166999" => Rule::CountryOr999,
            "iso3166alpha2" => Rule::CountryAlpha2,
            "iso4217" => Rule::Currency,
            "packagetype" => Rule::PackageType,
            "mediatype" => Rule::MediaType,
            "pcenc" => Rule::PercentEncoded,
            "yesno" => Rule::YesNo,
            "nonzero" => Rule::NonZero,
            "zero" => Rule::Zero,
            "nozeroprefix" => Rule::NoZeroPrefix,
            "hasnondigit" => Rule::HasNonDigit,
            "winding" => Rule::Winding,
            "pieceoftotal" => Rule::PieceOfTotal,
            "posinseqslash" => Rule::PositionInSequence,
            "iso5218" => Rule::Sex,
            "latitude" => Rule::Latitude,
            "longitude" => Rule::Longitude,
            "hyphen" => Rule::Hyphen,
            "iban" => Rule::Iban,
            "importeridx" => Rule::ImporterIndex,
            "couponcode" => Rule::Coupon,
            "couponposoffer" => Rule::CouponOffer,
            _ => return None,
        })
    }
}

/// What is wrong with a value, as the end of a sentence that begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Shorter than the application identifier takes.
    TooShort(usize),
    /// Longer than the application identifier takes.
    TooLong(usize),
    /// A character outside the component's set.
    Character(char, &'static str),
    /// A check digit that does not fit.
    CheckDigit {
        /// What stands there.
        found: char,
        /// What the digits before it give.
        right: char,
    },
    /// A pair of check characters that does not fit.
    CheckPair {
        /// What the characters before it give.
        right: String,
    },
    /// A field inside a coupon that has a value it cannot have.
    Field(&'static str),
    /// A coupon that ends inside a field.
    FieldCutOff(&'static str),
    /// Another rule, in words.
    Rule(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooShort(least) => write!(formatter, "is shorter than {least} characters"),
            Fault::TooLong(most) => write!(formatter, "is longer than {most} characters"),
            Fault::Character(found, set) => {
                write!(formatter, "has the character “{found}” where only {set} may stand")
            }
            Fault::CheckDigit { found, right } => {
                write!(formatter, "has the check digit {found}, and {right} would be right")
            }
            Fault::CheckPair { right } => {
                write!(formatter, "does not end in its check characters, which are {right}")
            }
            Fault::Field(field) => write!(formatter, "has {field} out of its range"),
            Fault::FieldCutOff(field) => write!(formatter, "ends within {field}"),
            Fault::Rule(words) => formatter.write_str(words),
        }
    }
}

/// Checks a value against its application identifier.
pub(crate) fn check_value(ai: Ai, value: &str) -> Result<(), Error> {
    fault_in(ai, value).map_err(|fault| Error::Value {
        ai: ai.digits(),
        title: ai.title(),
        value: shown(value),
        fault,
    })
}

fn fault_in(ai: Ai, value: &str) -> Result<(), Fault> {
    let (least, most) = ai.lengths();
    if let Some(other) = value.chars().find(|character| !character.is_ascii()) {
        return Err(Fault::Character(other, "plain ASCII characters"));
    }
    if value.len() < least {
        return Err(Fault::TooShort(least));
    }
    if value.len() > most {
        return Err(Fault::TooLong(most));
    }
    let mut rest = value;
    for component in ai.components() {
        if rest.is_empty() && component.optional {
            break;
        }
        let length = rest.len().min(component.length_max);
        if length < component.length_min {
            return Err(Fault::TooShort(value.len() - rest.len() + component.length_min));
        }
        let part;
        (part, rest) = rest.split_at(length);
        check_component(component, part)?;
    }
    Ok(())
}

fn check_component(component: &Component, part: &str) -> Result<(), Fault> {
    characters(component.charset, part)?;
    component.rules.iter().try_for_each(|rule| keep(*rule, part))
}

fn characters(charset: Charset, part: &str) -> Result<(), Fault> {
    let body = match charset {
        Charset::Set64 => {
            part.strip_suffix("==").or_else(|| part.strip_suffix('=')).unwrap_or(part)
        }
        _ => part,
    };
    let (allowed, named): (fn(u8) -> bool, _) = match charset {
        Charset::Digits => (|byte| byte.is_ascii_digit(), "digits"),
        Charset::Set82 => {
            (check::in_set82, "the 82 characters of GS1 (no space, no #, $, @, [, \\ or the like)")
        }
        Charset::Set39 => (
            |byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"#-/".contains(&byte),
            "digits, capitals, #, - and /",
        ),
        Charset::Set64 => (
            |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
            "characters of URI-safe base64",
        ),
    };
    match body.chars().find(|character| !allowed(*character as u8)) {
        Some(other) => Err(Fault::Character(other, named)),
        None => Ok(()),
    }
}

/// Whether a part keeps one rule. The part has the characters of its set.
fn keep(rule: Rule, part: &str) -> Result<(), Fault> {
    let hold = |holds: bool, words| if holds { Ok(()) } else { Err(Fault::Rule(words)) };
    let number = || part.parse::<u64>().unwrap_or(u64::MAX);
    match rule {
        Rule::CheckDigit => check_digit(part),
        Rule::CheckPair => check_pair(part),
        Rule::CompanyPrefix { at } => {
            let prefix = part.as_bytes().get(at..at + COMPANY_PREFIX_MIN);
            let digits = prefix.is_some_and(|bytes| bytes.iter().all(u8::is_ascii_digit));
            hold(digits, "does not begin with a GS1 company prefix of four digits or more")
        }
        Rule::Date { century, day_zero } => hold(
            calendar::is_date(part, century, day_zero),
            if day_zero {
                "has no such day; 00 stands for the month's last"
            } else {
                "has no such day"
            },
        ),
        Rule::Hour => hold(number() < 24, "has an hour beyond 23"),
        Rule::Minute => hold(number() < 60, "has a minute beyond 59"),
        Rule::Second => hold(number() < 60, "has a second beyond 59"),
        Rule::HourMinute => {
            hold(number() / 100 < 24 && number() % 100 < 60, "has no such time of day")
        }
        Rule::Country => hold(list::has("country", part), "has no such country code of ISO 3166"),
        Rule::CountryOr999 => hold(
            part == "999" || list::has("country", part),
            "has no such country code of ISO 3166",
        ),
        Rule::CountryAlpha2 => {
            hold(list::has("country-alpha2", part), "is no two-letter country code of ISO 3166")
        }
        Rule::Currency => {
            hold(list::has("currency", part), "has no such currency code of ISO 4217")
        }
        Rule::PackageType => {
            hold(list::has("package-type", part), "is no package type code of GS1")
        }
        Rule::MediaType => hold(
            matches!(number(), 1..=10 | 80..=99),
            "is no assigned AIDC media type (01-10, 80-99)",
        ),
        Rule::PercentEncoded => {
            hold(percent_encoded(part), "has a % without two hexadecimal digits")
        }
        Rule::YesNo => hold(matches!(part, "0" | "1"), "is neither 0 nor 1"),
        Rule::NonZero => hold(number() != 0, "has a part that is zero"),
        Rule::Zero => hold(number() == 0, "does not begin with the filler 0"),
        Rule::NoZeroPrefix => hold(!part.starts_with('0'), "begins with a zero"),
        Rule::HasNonDigit => hold(
            part.bytes().any(|byte| !byte.is_ascii_digit()),
            "needs a character that is no digit",
        ),
        Rule::Winding => {
            hold(matches!(part, "0" | "1" | "9"), "has a winding direction other than 0, 1 or 9")
        }
        Rule::PieceOfTotal => piece_of_total(part),
        Rule::PositionInSequence => position_in_sequence(part),
        Rule::Sex => {
            hold(matches!(part, "0" | "1" | "2" | "9"), "is no code of ISO 5218 (0, 1, 2, 9)")
        }
        Rule::Latitude => {
            hold(number() <= 1_800_000_000, "has a latitude beyond 180 degrees from the south pole")
        }
        Rule::Longitude => hold(number() <= 3_600_000_000, "has a longitude beyond 360 degrees"),
        Rule::Hyphen => {
            hold(part.bytes().all(|byte| byte == b'-'), "ends in something other than a minus sign")
        }
        Rule::Iban => hold(
            check::iban_holds(part) && list::has("country-alpha2", &part[..2]),
            "is no IBAN, or its check digits are wrong",
        ),
        Rule::ImporterIndex => hold(
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "has an importer index other than a letter, digit, - or _",
        ),
        Rule::Coupon => coupon::is_coupon(part),
        Rule::CouponOffer => coupon::is_offer(part),
    }
}

/// The shortest GS1 company prefix.
const COMPANY_PREFIX_MIN: usize = 4;

fn check_digit(part: &str) -> Result<(), Fault> {
    let Some((body, found)) = part.split_at_checked(part.len().saturating_sub(1)) else {
        return Err(Fault::TooShort(1));
    };
    let right = check::digit(body);
    match (right, found.chars().next()) {
        (Some(right), Some(found)) if right == found => Ok(()),
        (Some(right), Some(found)) => Err(Fault::CheckDigit { found, right }),
        _ => Err(Fault::TooShort(2)),
    }
}

fn check_pair(part: &str) -> Result<(), Fault> {
    let Some((body, found)) = part.split_at_checked(part.len().saturating_sub(2)) else {
        return Err(Fault::TooShort(2));
    };
    match check::pair(body) {
        Some(right) if right == found => Ok(()),
        Some(right) => Err(Fault::CheckPair { right }),
        None => Err(Fault::Rule("is too long for check characters")),
    }
}

fn percent_encoded(part: &str) -> bool {
    part.split('%').skip(1).all(|after| {
        after.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

fn piece_of_total(part: &str) -> Result<(), Fault> {
    let (piece, total) = part.split_at(part.len() / 2);
    let zero = |digits: &str| digits.bytes().all(|byte| byte == b'0');
    match (zero(piece) || zero(total), piece > total) {
        (true, _) => Err(Fault::Rule("counts a piece or a total of zero")),
        (_, true) => Err(Fault::Rule("counts more pieces than the total")),
        _ => Ok(()),
    }
}

fn position_in_sequence(part: &str) -> Result<(), Fault> {
    let malformed = Fault::Rule("is not position/total, such as 1/2");
    let numbers = part.split_once('/').and_then(|(one, total)| {
        let number = |digits: &str| {
            let plain =
                digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            plain.then(|| digits.parse::<u64>().ok()).flatten()
        };
        Some((number(one)?, number(total)?))
    });
    match numbers {
        Some((one, total)) if one <= total => Ok(()),
        Some(_) => Err(Fault::Rule("has a position beyond the total")),
        None => Err(malformed),
    }
}
