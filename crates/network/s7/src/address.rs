//! Addresses of points: area, place, type.

use std::fmt;

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

/// Most characters of a `STRING`: its length is one byte, and 255 is not used.
pub const STRING_LENGTH_MAX: u16 = 254;

/// Most characters of a `WSTRING` that is read. A CPU allows 16,382; with this many it takes ten requests at
/// the smallest message size, which is still one bounded piece of work.
pub const WSTRING_LENGTH_MAX: u16 = 1024;

/// Highest byte of an area, as far as absolute addresses are used.
pub(crate) const BYTE_MAX: u32 = 65_535;

/// Longest address as a text.
const TEXT_BYTES_MAX: usize = 100;

/// A memory area of a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Area {
    /// Data blocks.
    Db,
    /// The process image of the inputs (I, German E).
    Input,
    /// The process image of the outputs (Q, German A).
    Output,
    /// Merkers, the bit memory (M).
    Merker,
    /// S5 timers (T).
    Timer,
    /// S5 counters (C, German Z).
    Counter,
}

/// What stands at an address. Everything is big endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawType {
    /// One bit.
    Bool,
    /// 8 bits, unsigned: `BYTE` and `USINT`.
    Byte,
    /// 8 bits, signed.
    Sint,
    /// One character.
    Char,
    /// 16 bits, unsigned: `WORD` and `UINT`.
    Word,
    /// 16 bits, signed.
    Int,
    /// 32 bits, unsigned: `DWORD` and `UDINT`.
    Dword,
    /// 32 bits, signed.
    Dint,
    /// 64 bits, unsigned: `LWORD` and `ULINT`.
    Lword,
    /// 64 bits, signed.
    Lint,
    /// IEEE 754, 32 bits.
    Real,
    /// IEEE 754, 64 bits.
    Lreal,
    /// Capacity and length in a byte each, then characters of a byte each.
    String,
    /// Capacity and length in a word each, then UTF-16.
    Wstring,
    /// A duration in milliseconds, 32 bits, signed.
    Time,
    /// Days since 1990-01-01 in a word; a text such as `2026-11-26`.
    Date,
    /// Milliseconds since midnight in a double word; a text such as `06:30:00.000`.
    TimeOfDay,
    /// Eight bytes of binary coded decimals; a text such as `2026-11-26T06:30:00.000`.
    DateAndTime,
    /// Twelve bytes; a text such as `2026-11-26T06:30:00.000000000`.
    Dtl,
    /// Three decimals and a time base in a word; milliseconds.
    S5time,
    /// Three decimals in a word.
    Bcd,
}

/// Names of areas in addresses.
pub(crate) const AREAS: &[(&str, Area)] = &[
    ("db", Area::Db),
    ("input", Area::Input),
    ("output", Area::Output),
    ("merker", Area::Merker),
    ("timer", Area::Timer),
    ("counter", Area::Counter),
];

/// Names of types in addresses, the one to show first.
pub(crate) const TYPES: &[(&str, RawType)] = &[
    ("bool", RawType::Bool),
    ("byte", RawType::Byte),
    ("usint", RawType::Byte),
    ("sint", RawType::Sint),
    ("char", RawType::Char),
    ("word", RawType::Word),
    ("uint", RawType::Word),
    ("int", RawType::Int),
    ("dword", RawType::Dword),
    ("udint", RawType::Dword),
    ("dint", RawType::Dint),
    ("lword", RawType::Lword),
    ("ulint", RawType::Lword),
    ("lint", RawType::Lint),
    ("real", RawType::Real),
    ("lreal", RawType::Lreal),
    ("string", RawType::String),
    ("wstring", RawType::Wstring),
    ("time", RawType::Time),
    ("date", RawType::Date),
    ("time_of_day", RawType::TimeOfDay),
    ("date_and_time", RawType::DateAndTime),
    ("dtl", RawType::Dtl),
    ("s5time", RawType::S5time),
    ("bcd", RawType::Bcd),
];

/// Where a point's value is and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PointAddress {
    /// Which area.
    pub area: Area,
    /// Which data block; 0 elsewhere.
    pub db: u16,
    /// The first byte, or the number of the timer or counter.
    pub start: u32,
    /// Which bit of the byte, 0 the lowest; for a bool.
    pub bit: u8,
    /// What stands there.
    pub raw_type: RawType,
    /// How many characters a text has room for; 0 for other types.
    pub length: u16,
}

impl Area {
    /// The area's name in addresses.
    pub fn as_str(self) -> &'static str {
        AREAS.iter().find(|(_, area)| *area == self).map_or("", |(name, _)| name)
    }

    /// The area's number on the wire.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Counter => 0x1C,
            Self::Timer => 0x1D,
            Self::Input => 0x81,
            Self::Output => 0x82,
            Self::Merker => 0x83,
            Self::Db => 0x84,
        }
    }

    /// Whether its places are numbers of timers or counters rather than bytes.
    pub fn is_numbered(self) -> bool {
        matches!(self, Self::Timer | Self::Counter)
    }

    /// Bytes of one addressed unit.
    pub(crate) fn unit_bytes(self) -> u16 {
        if self.is_numbered() { 2 } else { 1 }
    }

    /// Whether values are written to it. Inputs are overwritten by the periphery in the next cycle; timers
    /// and counters belong to the program.
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Db | Self::Output | Self::Merker)
    }

    fn letter(self) -> char {
        match self {
            Self::Db => 'D',
            Self::Input => 'I',
            Self::Output => 'Q',
            Self::Merker => 'M',
            Self::Timer => 'T',
            Self::Counter => 'C',
        }
    }
}

impl RawType {
    /// The type of a name as addresses have it, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = match name.as_str() {
            "x" => "bool",
            "dt" => "date_and_time",
            "tod" => "time_of_day",
            "b" => "byte",
            "w" => "word",
            "d" => "dword",
            name => name,
        };
        TYPES.iter().find(|(known, _)| *known == name).map(|(_, raw_type)| *raw_type)
    }

    /// The type's name in addresses.
    pub fn as_str(self) -> &'static str {
        TYPES.iter().find(|(_, raw_type)| *raw_type == self).map_or("", |(name, _)| name)
    }

    /// How many bytes it takes with room for so many characters.
    pub fn bytes(self, length: u16) -> u16 {
        match self {
            Self::Bool | Self::Byte | Self::Sint | Self::Char => 1,
            Self::Word | Self::Int | Self::Date | Self::S5time | Self::Bcd => 2,
            Self::Dword | Self::Dint | Self::Real | Self::Time | Self::TimeOfDay => 4,
            Self::Lword | Self::Lint | Self::Lreal | Self::DateAndTime => 8,
            Self::Dtl => 12,
            Self::String => 2 + length.min(STRING_LENGTH_MAX),
            Self::Wstring => 4 + 2 * length.min(WSTRING_LENGTH_MAX),
        }
    }

    /// Most characters, for a text with a length.
    pub(crate) fn length_max(self) -> Option<u16> {
        match self {
            Self::String => Some(STRING_LENGTH_MAX),
            Self::Wstring => Some(WSTRING_LENGTH_MAX),
            _ => None,
        }
    }

    /// How many characters there is room for: what is said, or 254, which is what a text has without a length
    /// of its own.
    pub(crate) fn room(self, length: Option<u16>) -> u16 {
        self.length_max().map_or(0, |_| length.unwrap_or(STRING_LENGTH_MAX))
    }

    /// Whether values are texts.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::Char
                | Self::String
                | Self::Wstring
                | Self::Date
                | Self::TimeOfDay
                | Self::DateAndTime
                | Self::Dtl
        )
    }
}

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer: an object, or an object with the address as
    /// a text. None where something is wrong, which is added to the errors.
    pub fn parse(json: &Json, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let text = fields.text("address", TEXT_BYTES_MAX);
        let found = if json.get("address").is_some_and(|a| !a.is_null()) {
            Self::of_fields_with_text(&mut fields, text)
        } else {
            Self::of_fields(&mut fields)
        };
        fields.finish();
        found.filter(|_| errors.len() == before)
    }

    /// A text, which the type and the length may stand beside.
    fn of_fields_with_text(fields: &mut Fields<'_>, text: Option<&str>) -> Option<Self> {
        let raw_type = fields.choice("type", TYPES);
        let length = length(fields);
        for name in ["area", "db", "byte", "bit", "number"] {
            if fields.get(name).is_some() {
                fields.wrong(name, "the address is given as a text already");
            }
        }
        match Self::of_text_and_type(text?, raw_type, length) {
            Ok(address) => Some(address),
            Err(error) => {
                fields.wrong("address", error.to_string());
                None
            }
        }
    }

    fn of_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let area = fields.choice("area", AREAS);
        let area = fields.require("area", area);
        let db = fields.number("db", 1..=65535);
        let byte = fields.number("byte", 0..=BYTE_MAX.into());
        let number = fields.number("number", 0..=BYTE_MAX.into());
        let bit = fields.number("bit", 0..=7);
        let raw_type = fields.choice("type", TYPES);
        let length = length(fields);
        let area = area?;
        let db = if area == Area::Db { fields.require("db", db)? as u16 } else { 0 };
        let start = if area.is_numbered() {
            fields.require("number", number)
        } else {
            fields.require("byte", byte)
        };
        let default = match area {
            Area::Timer => RawType::S5time,
            Area::Counter => RawType::Bcd,
            _ if bit.is_some() => RawType::Bool,
            _ => RawType::Byte,
        };
        let raw_type = raw_type.unwrap_or(default);
        if area != Area::Db && fields.get("db").is_some() {
            fields.wrong("db", "only data blocks have this number");
        }
        let (other, is_given) = if area.is_numbered() {
            ("byte", byte.is_some())
        } else {
            ("number", number.is_some())
        };
        if is_given {
            fields.wrong(other, "timers and counters have a number, everything else a byte");
        }
        let address = Self {
            area,
            db,
            start: start? as u32,
            bit: bit.unwrap_or(0) as u8,
            raw_type,
            length: raw_type.room(length),
        };
        match address.check(bit.is_some(), length.is_some()) {
            Ok(()) => Some(address),
            Err((name, detail)) => {
                fields.wrong(name, detail);
                None
            }
        }
    }

    /// What is wrong with the whole: a field and what is expected there.
    pub(crate) fn check(
        &self,
        has_bit: bool,
        has_length: bool,
    ) -> Result<(), (&'static str, String)> {
        let wrong = |name, detail: &str| Err((name, detail.to_owned()));
        if self.area.is_numbered()
            && !matches!(self.raw_type, RawType::S5time | RawType::Bcd | RawType::Word)
        {
            return wrong("type", "timers are s5time or word, counters are bcd or word");
        }
        if has_bit && self.raw_type != RawType::Bool {
            return wrong("bit", "only a bool has a bit");
        }
        if !has_bit && self.raw_type == RawType::Bool {
            return wrong("bit", "a bool needs a bit from 0 to 7");
        }
        match self.raw_type.length_max() {
            None if has_length => return wrong("length", "only string and wstring have a length"),
            Some(max) if self.length == 0 || self.length > max => {
                return Err((
                    "length",
                    format!("a number of characters from 1 to {max} is expected"),
                ));
            }
            _ => {}
        }
        if self.end() > BYTE_MAX + 1 {
            let name = if self.area.is_numbered() { "number" } else { "byte" };
            return wrong(name, "the value would reach beyond byte 65535");
        }
        Ok(())
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u16 {
        self.raw_type.bytes(self.length)
    }

    /// Units that it takes: bytes, or one timer or counter.
    pub(crate) fn units(&self) -> u16 {
        if self.area.is_numbered() { 1 } else { self.bytes() }
    }

    /// The first byte or number behind the value.
    pub(crate) fn end(&self) -> u32 {
        self.start + u32::from(self.units())
    }
}

fn length(fields: &mut Fields<'_>) -> Option<u16> {
    fields.number("length", 1..=WSTRING_LENGTH_MAX.into()).map(|n| n as u16)
}

/// As engineers write it: `DB1.DBX10.3`, `DB1,REAL10`, `M10.3`, `MW10`, `T5`.
impl fmt::Display for PointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { area, db, start, bit, raw_type, length } = self;
        let letter = area.letter();
        match (area, raw_type) {
            (Area::Timer | Area::Counter, _) => write!(f, "{letter}{start}"),
            (Area::Db, RawType::Bool) => write!(f, "DB{db}.DBX{start}.{bit}"),
            (_, RawType::Bool) => write!(f, "{letter}{start}.{bit}"),
            _ => {
                match area {
                    Area::Db => write!(f, "DB{db},")?,
                    _ => write!(f, "{letter},")?,
                }
                write!(f, "{}{start}", raw_type.as_str().to_ascii_uppercase())?;
                if *length > 0 { write!(f, ".{length}") } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
