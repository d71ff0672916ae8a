//! Addresses of points: table, number, type.

use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::Settings;

/// The four tables of a Modbus device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Bits that can be written (functions 01, 05, 15).
    Coil,
    /// Bits that can be read (function 02).
    Discrete,
    /// Registers that can be read (function 04).
    Input,
    /// Registers that can be written (functions 03, 06, 16, 22).
    Holding,
}

/// What stands in one or more registers, or in one bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawType {
    /// A coil, a discrete input, a bit of a register, or a register that is not zero.
    Bool,
    /// One register.
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers.
    U32,
    /// Two registers, two's complement.
    I32,
    /// Four registers.
    U64,
    /// Four registers, two's complement.
    I64,
    /// Two registers, IEEE 754.
    F32,
    /// Four registers, IEEE 754.
    F64,
}

/// In which order the bytes of a 32-bit value `ABCD` come. 64-bit values follow the same rule over
/// four registers. One register alone is always big endian, as the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WordOrder {
    /// Highest register first, big endian (`ABCDEFGH`).
    #[default]
    Abcd,
    /// Lowest register first (`CDAB`, `GHEFCDAB`).
    Cdab,
    /// Highest register first, bytes swapped in each (`BADC`, `BADCFEHG`).
    Badc,
    /// Little endian throughout (`DCBA`, `HGFEDCBA`).
    Dcba,
}

pub(crate) const WORD_ORDERS: &[(&str, WordOrder)] = &[
    ("ABCD", WordOrder::Abcd),
    ("CDAB", WordOrder::Cdab),
    ("BADC", WordOrder::Badc),
    ("DCBA", WordOrder::Dcba),
];

const TABLES: &[(&str, Table)] = &[
    ("coil", Table::Coil),
    ("discrete", Table::Discrete),
    ("input", Table::Input),
    ("holding", Table::Holding),
];

const TYPES: &[(&str, RawType)] = &[
    ("bool", RawType::Bool),
    ("u16", RawType::U16),
    ("i16", RawType::I16),
    ("u32", RawType::U32),
    ("i32", RawType::I32),
    ("u64", RawType::U64),
    ("i64", RawType::I64),
    ("f32", RawType::F32),
    ("f64", RawType::F64),
];

/// Where a point's value is and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointAddress {
    /// Which unit behind the connection.
    pub unit: u8,
    /// Which table.
    pub table: Table,
    /// The protocol's address, from 0 (a manual's 40001 is holding 0).
    pub address: u16,
    /// What stands there.
    pub raw_type: RawType,
    /// Which bit of a register, 0 the lowest.
    pub bit: Option<u8>,
    /// In which order the bytes come.
    pub word_order: WordOrder,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 4] = [Self::Coil, Self::Discrete, Self::Input, Self::Holding];

    /// The table's name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }

    /// The table of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }

    /// Whether it holds bits rather than registers.
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Whether it can be written.
    pub fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }
}

impl RawType {
    /// How many registers it takes; 1 for a bit of a bit table too.
    pub fn width(self) -> u16 {
        match self {
            Self::Bool | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }
}

impl PointAddress {
    /// Reads an address from JSON that stands at a JSON pointer; none where something is wrong,
    /// which is added to the errors. Unit and word order come from the settings where not given.
    pub fn parse(
        json: &Json,
        settings: &Settings,
        pointer: &str,
        errors: &mut Vec<FieldError>,
    ) -> Option<Self> {
        let before = errors.len();
        let mut fields = Fields::of(json, pointer.to_owned(), errors);
        let table = fields.choice("table", TABLES);
        let table = fields.require("table", table);
        let address = fields.number("address", 0..=65535);
        let address = fields.require("address", address);
        let raw_type = fields.choice("type", TYPES);
        let bit = fields.number("bit", 0..=15).map(|n| n as u8);
        let word_order = fields.choice("word_order", WORD_ORDERS).unwrap_or(settings.word_order);
        let unit = fields.number("unit", 0..=255).map_or(settings.unit, |n| n as u8);
        let is_bits = table.is_some_and(Table::is_bits);
        let default = if is_bits || bit.is_some() { RawType::Bool } else { RawType::U16 };
        let raw_type = raw_type.unwrap_or(default);
        if is_bits && raw_type != RawType::Bool {
            fields.wrong("type", "this table holds bits: the type is bool");
        }
        if bit.is_some() && (is_bits || raw_type != RawType::Bool) {
            fields.wrong("bit", "only a bool in a register has a bit");
        }
        if address.is_some_and(|a| a + u64::from(raw_type.width()) > 65536) {
            fields.wrong("address", "the value would reach beyond address 65535");
        }
        fields.finish();
        let (table, address) = (table?, address? as u16);
        (errors.len() == before).then_some(Self { unit, table, address, raw_type, bit, word_order })
    }

    /// The first address behind the value.
    pub(crate) fn end(&self) -> u32 {
        u32::from(self.address) + u32::from(self.raw_type.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
        let settings = Settings::parse(&json!({"host": "h", "unit": 3, "word_order": "CDAB"}));
        let mut errors = Vec::new();
        PointAddress::parse(&json, &settings.unwrap(), "/points/0/address", &mut errors)
            .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
    }

    #[test]
    fn fills_in_what_the_settings_say() {
        let address = parse(json!({"table": "holding", "address": 7, "type": "f32"})).unwrap();
        assert_eq!((address.unit, address.word_order), (3, WordOrder::Cdab));
        let address = parse(json!({"table": "coil", "address": 65535})).unwrap();
        assert_eq!(address.raw_type, RawType::Bool);
        let address = parse(json!({"table": "input", "address": 1, "bit": 15, "unit": 0}));
        assert_eq!(address.map(|a| (a.bit, a.unit)), Ok((Some(15), 0)));
    }

    #[test]
    fn names_what_is_wrong() {
        let wrong = |json, field: &str| {
            assert_eq!(parse(json), Err(vec![format!("/points/0/address{field}")]));
        };
        wrong(json!({"address": 7}), "/table");
        wrong(json!({"table": "holding"}), "/address");
        wrong(json!({"table": "holding", "address": 65533, "type": "f64"}), "/address");
        wrong(json!({"table": "coil", "address": 1, "type": "u16"}), "/type");
        wrong(json!({"table": "coil", "address": 1, "bit": 1}), "/bit");
        wrong(json!({"table": "input", "address": 1, "type": "u16", "bit": 1}), "/bit");
        wrong(json!({"table": "input", "address": 1, "bits": 1}), "/bits");
        wrong(json!("40001"), "");
    }
}
