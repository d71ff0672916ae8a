use std::fmt;

use crate::dictionary::{Ai, fits};
use crate::error::shown;
use crate::value::check_value;
use crate::{ELEMENTS_MAX, Error, TEXT_BYTES_MAX};

#[cfg(test)]
mod tests;

/// An application identifier with a value that fits it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Element {
    ai: Ai,
    value: Box<str>,
}

impl Element {
    /// An element, if the value has the characters, the length and the check digits that it needs.
    pub fn new(ai: Ai, value: &str) -> Result<Element, Error> {
        check_value(ai, value)?;
        Ok(Element { ai, value: value.into() })
    }

    /// Its application identifier.
    pub fn ai(&self) -> Ai {
        self.ai
    }

    /// Its value, as printed.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// A GS1 element string: what one or several carriers on an item say of it (General Specifications,
/// section 7.8).
///
/// Every value fits its application identifier; whether all of them fit each other,
/// [`ElementString::check`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementString {
    elements: Vec<Element>,
}

/// The separator that FNC1 becomes when a scanner transmits it.
const SEPARATOR: char = '\u{1d}';

/// How scanners announce a GS1 symbol before its data (ISO/IEC 15424): GS1-128, Data Matrix, QR,
/// DataBar, DotCode.
const SYMBOLOGIES: [&str; 5] = ["]C1", "]d2", "]Q3", "]e0", "]J1"];

impl ElementString {
    /// Reads an element string in brackets, `(01)09506000134352(21)A1`, or raw as a scanner sends it,
    /// with FNC1 as ASCII 29 or as `^`, with or without the symbology in front.
    ///
    /// In brackets a bracket that belongs to a value is written `\(`.
    pub fn parse(text: &str) -> Result<ElementString, Error> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::TooLong { bytes: text.len(), max: TEXT_BYTES_MAX });
        }
        let elements = if text.starts_with('(') { bracketed(text)? } else { raw(text)? };
        ElementString::of(elements)
    }

    /// An element string of elements, none of them twice.
    pub fn of(elements: Vec<Element>) -> Result<ElementString, Error> {
        if elements.is_empty() {
            return Err(Error::Empty);
        }
        if elements.len() > ELEMENTS_MAX {
            return Err(Error::TooManyElements(ELEMENTS_MAX));
        }
        none_twice(elements.iter())?;
        Ok(ElementString { elements })
    }

    /// The elements in the order in which they stood.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The value of an application identifier, by its digits.
    pub fn get(&self, digits: &str) -> Option<&str> {
        let element = self.elements.iter().find(|element| element.ai.digits() == digits);
        element.map(Element::value)
    }

    /// Whether the elements fit each other: what one needs is there, and none excludes another.
    ///
    /// GS1 asks this of all carriers of an item together, so a single barcode may well fail it.
    pub fn check(&self) -> Result<(), Error> {
        check_together(&self.elements.iter().collect::<Vec<_>>())
    }

    /// As a scanner would transmit it: elements of predefined length first, as the standard recommends,
    /// and ASCII 29 between the others.
    pub fn to_raw(&self) -> String {
        let (fixed, other): (Vec<_>, Vec<_>) =
            self.elements.iter().partition(|element| element.ai.has_predefined_length());
        let mut raw = String::new();
        for element in &fixed {
            raw.push_str(element.ai.digits());
            raw.push_str(&element.value);
        }
        for (at, element) in other.iter().enumerate() {
            if at > 0 {
                raw.push(SEPARATOR);
            }
            raw.push_str(element.ai.digits());
            raw.push_str(&element.value);
        }
        raw
    }
}

/// In brackets, as it is printed for people.
impl fmt::Display for ElementString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Element { ai, value } in &self.elements {
            write!(formatter, "({ai}){}", value.replace('(', "\\("))?;
        }
        Ok(())
    }
}

fn bracketed(text: &str) -> Result<Vec<Element>, Error> {
    let mut elements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = || Error::Brackets { at: text.len() - rest.len() + 1 };
        let (digits, after) = rest[1..].split_once(')').ok_or_else(at)?;
        if !(2..=4).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(at());
        }
        let end = next_bracket(after);
        elements.push(Element::new(Ai::parse(digits)?, &after[..end].replace("\\(", "("))?);
        if elements.len() > ELEMENTS_MAX {
            return Err(Error::TooManyElements(ELEMENTS_MAX));
        }
        rest = &after[end..];
    }
    Ok(elements)
}

/// Where the next bracket without a backslash stands, or the end.
fn next_bracket(text: &str) -> usize {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .find(|at| bytes[*at] == b'(' && (*at == 0 || bytes[at - 1] != b'\\'))
        .unwrap_or(bytes.len())
}

fn raw(text: &str) -> Result<Vec<Element>, Error> {
    let is_separator = |character| character == SEPARATOR || character == '^';
    let mut rest = SYMBOLOGIES.iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    rest = rest.strip_prefix(is_separator).unwrap_or(rest);
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let start: String = rest.chars().take(4).collect();
        let ai = Ai::at_start(rest).ok_or(Error::UnknownAi(start))?;
        let body = &rest[ai.digits().len()..];
        let end = if ai.has_predefined_length() {
            let length = ai.lengths().1;
            let whole = body.get(..length).filter(|value| !value.contains(is_separator));
            let left = body.find(is_separator).unwrap_or(body.len()).min(length);
            whole.ok_or(Error::CutOff { ai: ai.digits(), length, left })?.len()
        } else {
            body.find(is_separator).unwrap_or(body.len())
        };
        elements.push(Element::new(ai, &body[..end])?);
        if elements.len() > ELEMENTS_MAX {
            return Err(Error::TooManyElements(ELEMENTS_MAX));
        }
        rest = &body[end..];
        rest = rest.strip_prefix(is_separator).unwrap_or(rest);
    }
    Ok(elements)
}

pub(crate) fn none_twice<'a>(elements: impl Iterator<Item = &'a Element>) -> Result<(), Error> {
    let mut codes: Vec<&str> = elements.map(|element| element.ai.digits()).collect();
    codes.sort_unstable();
    match codes.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => Err(Error::Twice(Ai::parse(two[0])?.digits())),
        None => Ok(()),
    }
}

/// Checks what elements require of each other and exclude (General Specifications, section 4.13).
pub(crate) fn check_together(elements: &[&Element]) -> Result<(), Error> {
    let has = |pattern: &str| elements.iter().find(|other| fits(pattern, other.ai.digits()));
    for element in elements {
        let ai = element.ai;
        if has("8030").is_some()
            && SERIAL_AT_WILL.contains(&ai.digits())
            && element.value.len() == ai.lengths().0
        {
            return Err(Error::Unsigned { ai: ai.digits(), title: ai.title() });
        }
        let excluded = elements
            .iter()
            .filter(|other| other.ai != ai)
            .find(|other| ai.excludes().iter().any(|pattern| fits(pattern, other.ai.digits())));
        if let Some(other) = excluded {
            return Err(Error::Excluded { ai: ai.digits(), other: other.ai.digits() });
        }
        for groups in ai.requires() {
            let met = |group: &Vec<String>| group.iter().all(|pattern| has(pattern).is_some());
            if !groups.iter().any(met) && !variant_of_piece(ai, elements) {
                let needs = groups.iter().map(|group| {
                    group.iter().map(|code| format!("({code})")).collect::<Vec<_>>().join(" with ")
                });
                let needs = needs.collect::<Vec<_>>().join(", or ");
                return Err(Error::Alone {
                    ai: ai.digits(),
                    title: ai.title(),
                    needs: shown(&needs),
                });
            }
        }
    }
    Ok(())
}

/// Keys whose last component is a serial number that may be left out: a digital signature is of one
/// thing and wants it (General Specifications, section 4.13.2).
const SERIAL_AT_WILL: [&str; 3] = ["253", "255", "8003"];

/// The dictionary lets (22) stand beside (01) only, while the URI syntax (4.9, `itip-path`) and the
/// resolver standard (2.5.10) let it qualify (8006) as well. What one of the standards allows is allowed.
fn variant_of_piece(ai: Ai, elements: &[&Element]) -> bool {
    ai.digits() == "22" && elements.iter().any(|other| other.ai.digits() == "8006")
}
