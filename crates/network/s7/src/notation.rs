//! Addresses as texts, in the notations that engineers know.

use crate::address::BYTE_MAX;
use crate::{Area, PointAddress, RawType};

/// What is expected, for people.
const EXPECTED: &str = "expected is something like DB1.DBX10.3, DB1.DBD10:REAL, DB1,REAL10, DB1,STRING20.30, M10.3, MW10, T5 or C5";

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotationError {
    /// Not of any known form.
    #[error("{0:?} is not an address; {EXPECTED}")]
    Form(String),
    /// A type that does not exist.
    #[error(
        "there is no type {0}; known are bool, byte, word, int, dword, dint, real, lreal, string, dtl and others"
    )]
    Type(String),
    /// The letter of the address and the type say different sizes.
    #[error("a {name} has {bytes} bytes, but {place} names {named}; write it as {better}")]
    Size {
        /// The type.
        name: String,
        /// Its size.
        bytes: u16,
        /// The address without the type.
        place: String,
        /// The size that the address names.
        named: u16,
        /// A form that fits.
        better: String,
    },
    /// The type is given twice and differs.
    #[error("the address says {0} and the type says {1}")]
    Contradiction(&'static str, &'static str),
    /// What is wrong with the whole.
    #[error("{0}")]
    Whole(String),
}

/// The pieces of a text.
struct Pieces<'a> {
    area: Area,
    db: u16,
    /// What stands between the area and the first digit.
    size: &'a str,
    start: u32,
    /// What stands behind the first number and a dot: a bit, or a length.
    second: Option<u16>,
}

impl PointAddress {
    /// Reads an address in one of the notations that engineers know. Case, blanks and a leading `%` do not
    /// matter; E, A and Z are the German letters of I, Q and C.
    ///
    /// # Errors
    /// [`NotationError`], which says what is expected.
    pub fn of_text(text: &str) -> Result<Self, NotationError> {
        Self::of_text_and_type(text, None, None)
    }

    /// Reads an address whose type and length may be given beside it.
    pub(crate) fn of_text_and_type(
        text: &str,
        beside: Option<RawType>,
        beside_length: Option<u16>,
    ) -> Result<Self, NotationError> {
        let form = || NotationError::Form(text.to_owned());
        let compact: String =
            text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
        let compact = compact.strip_prefix('%').unwrap_or(&compact);
        let (place, suffix) = match compact.split_once(':') {
            Some((place, suffix)) => (place, Some(suffix)),
            None => (compact, None),
        };
        let pieces = pieces(place).ok_or_else(form)?;
        let (said, said_length) = match suffix {
            Some(suffix) => suffix_type(suffix).map(|(t, length)| (Some(t), length))?,
            None => (None, None),
        };
        if let (Some(said), Some(beside)) = (said, beside)
            && said != beside
        {
            return Err(NotationError::Contradiction(said.as_str(), beside.as_str()));
        }
        let mut length = said_length.or(beside_length);
        let (raw_type, bit) = pieces.typed(said.or(beside), place, &mut length)?;
        let Pieces { area, db, start, .. } = pieces;
        let (bit_value, room) = (bit.unwrap_or(0), raw_type.room(length));
        let address = Self { area, db, start, bit: bit_value, raw_type, length: room };
        address
            .check(bit.is_some(), length.is_some())
            .map_err(|(_, detail)| NotationError::Whole(detail))?;
        Ok(address)
    }
}

impl Pieces<'_> {
    /// Type and bit: what the letters say, what is said beside them, and whether the two agree.
    fn typed(
        &self,
        said: Option<RawType>,
        place: &str,
        length: &mut Option<u16>,
    ) -> Result<(RawType, Option<u8>), NotationError> {
        let form = || NotationError::Form(place.to_owned());
        let named = match (self.area, self.size) {
            (Area::Timer | Area::Counter, "") if self.second.is_some() => return Err(form()),
            (Area::Timer, "") => return Ok((said.unwrap_or(RawType::S5time), None)),
            (Area::Counter, "") => return Ok((said.unwrap_or(RawType::Bcd), None)),
            (Area::Timer | Area::Counter, _) => return Err(form()),
            // Without letters only a bit is clear.
            (_, "" | "X") => RawType::Bool,
            (_, name) => {
                RawType::parse(name).ok_or_else(|| NotationError::Type(name.to_owned()))?
            }
        };
        if named == RawType::Bool {
            let bit = self.second.filter(|bit| *bit <= 7).ok_or_else(form)?;
            return match said {
                None | Some(RawType::Bool) => Ok((RawType::Bool, Some(bit as u8))),
                Some(said) => Err(NotationError::Contradiction("bool", said.as_str())),
            };
        }
        if let Some(second) = self.second {
            // Behind a text it is the length; nothing else has a second number.
            if named.length_max().is_none() || length.is_some() {
                return Err(form());
            }
            *length = Some(second);
        }
        let is_letter = matches!(self.size, "B" | "W" | "D");
        let Some(said) = said else { return Ok((named, None)) };
        if !is_letter {
            return if said == named {
                Ok((named, None))
            } else {
                Err(NotationError::Contradiction(named.as_str(), said.as_str()))
            };
        }
        let (bytes, named_bytes) = (said.bytes(length.unwrap_or(1)), named.bytes(0));
        // A byte names where something begins; a word and a double word also name how long it is.
        if said == RawType::Bool || (named != RawType::Byte && bytes != named_bytes) {
            let name = said.as_str().to_ascii_uppercase();
            let area = place.split_once('.').map_or(&place[..1], |(db, _)| db);
            let better = match said {
                RawType::Bool => format!("{area}.DBX{}.0", self.start),
                _ => format!("{area},{name}{}", self.start),
            };
            let place = place.to_owned();
            return Err(NotationError::Size { name, bytes, place, named: named_bytes, better });
        }
        Ok((said, None))
    }
}

/// The pieces of an address without its type.
fn pieces(place: &str) -> Option<Pieces<'_>> {
    if let Some(rest) = place.strip_prefix("DB") {
        let (db, rest) = number(rest)?;
        let db = u16::try_from(db).ok().filter(|db| *db > 0)?;
        let (size, start, second) = match rest.strip_prefix(".DB") {
            Some(rest) => {
                sized(rest).filter(|(size, ..)| matches!(*size, "X" | "B" | "W" | "D"))?
            }
            None => sized(rest.strip_prefix(',')?).filter(|(size, ..)| !size.is_empty())?,
        };
        return Some(Pieces { area: Area::Db, db, size, start, second });
    }
    let mut letters = place.chars();
    let area = match letters.next()? {
        'I' | 'E' => Area::Input,
        'Q' | 'A' => Area::Output,
        'M' => Area::Merker,
        'T' => Area::Timer,
        'C' | 'Z' => Area::Counter,
        _ => return None,
    };
    let rest = letters.as_str();
    let (size, start, second) = match rest.strip_prefix(',') {
        Some(rest) => sized(rest).filter(|(size, ..)| !size.is_empty())?,
        None => sized(rest).filter(|(size, ..)| matches!(*size, "" | "X" | "B" | "W" | "D"))?,
    };
    Some(Pieces { area, db: 0, size, start, second })
}

/// Letters, a number, and a second number behind a dot.
fn sized(text: &str) -> Option<(&str, u32, Option<u16>)> {
    // `S5TIME` is the one name with a digit inside.
    let letters = match text.strip_prefix("S5TIME") {
        Some(_) => "S5TIME".len(),
        None => text.find(|c: char| c.is_ascii_digit())?,
    };
    let (size, rest) = text.split_at_checked(letters)?;
    let (start, rest) = number(rest)?;
    let second = match rest.strip_prefix('.') {
        Some(rest) => {
            let (second, rest) = number(rest)?;
            rest.is_empty().then_some(())?;
            Some(u16::try_from(second).ok()?)
        }
        None => rest.is_empty().then_some(None)?,
    };
    Some((size, start, second))
}

/// A decimal number and what stands behind it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let number = digits.parse().ok().filter(|n| *n <= BYTE_MAX)?;
    Some((number, rest))
}

/// `REAL`, `STRING[20]`.
fn suffix_type(suffix: &str) -> Result<(RawType, Option<u16>), NotationError> {
    let unknown = || NotationError::Type(suffix.to_owned());
    let (name, length) = match suffix.split_once('[') {
        Some((name, rest)) => {
            let length = rest.strip_suffix(']').and_then(|n| n.parse().ok()).ok_or_else(unknown)?;
            (name, Some(length))
        }
        None => (suffix, None),
    };
    Ok((RawType::parse(name).ok_or_else(unknown)?, length))
}

#[cfg(test)]
mod tests;
