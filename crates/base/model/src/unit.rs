//! Units of measure: UCUM codes, and the plant's own text where UCUM has none.

mod atoms;
mod conversion;
mod measure;
mod ratio;
mod ucum;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use conversion::{Conversion, ConversionError};

/// Longest unit in UTF-8 bytes.
pub const UNIT_BYTES_MAX: usize = 64;

/// A unit of measure.
///
/// Written as its UCUM code (`kPa`, `Cel`, `kg/h`), else as the plant's own text in UCUM's curly
/// brackets (`{pieces}`), which UCUM reads as dimensionless.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A UCUM code, case sensitive.
    Ucum(Arc<str>),
    /// The plant's own text, without brackets.
    Plant(Arc<str>),
}

/// A UCUM unit with the symbol that people write.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KnownUnit {
    /// The UCUM code, case sensitive (`c/s`).
    pub code: &'static str,
    /// The printed symbol.
    pub symbol: &'static str,
}

/// A text is not a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Empty, overlong, or with control characters or brackets.
    #[error("a unit has 1 to {UNIT_BYTES_MAX} bytes, no control characters and no brackets inside")]
    Shape,
}

const fn unit(code: &'static str, symbol: &'static str) -> KnownUnit {
    KnownUnit { code, symbol }
}

impl KnownUnit {
    /// The units whose symbol Weir knows. Codes from the UCUM specification 2.2.
    pub const ALL: &'static [Self] = &[
        unit("1", ""),
        unit("%", "%"),
        unit("[ppm]", "ppm"),
        unit("[ppb]", "ppb"),
        unit("[pH]", "pH"),
        unit("m", "m"),
        unit("mm", "mm"),
        unit("cm", "cm"),
        unit("km", "km"),
        unit("um", "µm"),
        unit("nm", "nm"),
        unit("m2", "m²"),
        unit("mm2", "mm²"),
        unit("cm2", "cm²"),
        unit("m3", "m³"),
        unit("L", "L"),
        unit("mL", "mL"),
        unit("cm3", "cm³"),
        unit("g", "g"),
        unit("mg", "mg"),
        unit("kg", "kg"),
        unit("t", "t"),
        unit("s", "s"),
        unit("ms", "ms"),
        unit("us", "µs"),
        unit("min", "min"),
        unit("h", "h"),
        unit("d", "d"),
        unit("K", "K"),
        unit("Cel", "°C"),
        unit("[degF]", "°F"),
        unit("Pa", "Pa"),
        unit("hPa", "hPa"),
        unit("kPa", "kPa"),
        unit("MPa", "MPa"),
        unit("bar", "bar"),
        unit("mbar", "mbar"),
        unit("[psi]", "psi"),
        unit("atm", "atm"),
        unit("mm[Hg]", "mmHg"),
        unit("kPa{gauge}", "kPa(g)"),
        unit("bar{gauge}", "bar(g)"),
        unit("MPa{gauge}", "MPa(g)"),
        unit("m/s", "m/s"),
        unit("mm/s", "mm/s"),
        unit("m/min", "m/min"),
        unit("mm/min", "mm/min"),
        unit("km/h", "km/h"),
        unit("m/s2", "m/s²"),
        unit("[g]", "g"),
        unit("mm/s2", "mm/s²"),
        unit("{rpm}", "rpm"),
        unit("/min", "1/min"),
        unit("Hz", "Hz"),
        unit("kHz", "kHz"),
        unit("MHz", "MHz"),
        unit("rad/s", "rad/s"),
        unit("deg", "°"),
        unit("rad", "rad"),
        unit("N", "N"),
        unit("kN", "kN"),
        unit("N.m", "N·m"),
        unit("kN.m", "kN·m"),
        unit("J", "J"),
        unit("kJ", "kJ"),
        unit("MJ", "MJ"),
        unit("GJ", "GJ"),
        unit("W.h", "Wh"),
        unit("kW.h", "kWh"),
        unit("MW.h", "MWh"),
        unit("W", "W"),
        unit("kW", "kW"),
        unit("MW", "MW"),
        unit("V.A", "VA"),
        unit("kV.A", "kVA"),
        unit("V.A{reactive}", "var"),
        unit("kV.A{reactive}", "kvar"),
        unit("V", "V"),
        unit("mV", "mV"),
        unit("kV", "kV"),
        unit("A", "A"),
        unit("mA", "mA"),
        unit("kA", "kA"),
        unit("A.h", "Ah"),
        unit("Ohm", "Ω"),
        unit("kOhm", "kΩ"),
        unit("MOhm", "MΩ"),
        unit("F", "F"),
        unit("uF", "µF"),
        unit("H", "H"),
        unit("T", "T"),
        unit("uS/cm", "µS/cm"),
        unit("mS/cm", "mS/cm"),
        unit("m3/h", "m³/h"),
        unit("m3/min", "m³/min"),
        unit("m3/s", "m³/s"),
        unit("L/min", "L/min"),
        unit("L/h", "L/h"),
        unit("L/s", "L/s"),
        unit("10*3.m3/h", "km³/h"),
        unit("kg/h", "kg/h"),
        unit("kg/s", "kg/s"),
        unit("kg/min", "kg/min"),
        unit("g/s", "g/s"),
        unit("t/h", "t/h"),
        unit("t/d", "t/d"),
        unit("kg/m3", "kg/m³"),
        unit("g/cm3", "g/cm³"),
        unit("g/L", "g/L"),
        unit("mg/L", "mg/L"),
        unit("mg/m3", "mg/m³"),
        unit("ug/m3", "µg/m³"),
        unit("mol", "mol"),
        unit("kmol", "kmol"),
        unit("mol/L", "mol/L"),
        unit("kmol/h", "kmol/h"),
        unit("%{mol}", "mol %"),
        unit("%{vol}", "vol %"),
        unit("%{mass}", "wt %"),
        unit("%{RH}", "%RH"),
        unit("%{open}", "% open"),
        unit("Pa.s", "Pa·s"),
        unit("mPa.s", "mPa·s"),
        unit("mm2/s", "mm²/s"),
        unit("cP", "cP"),
        unit("cSt", "cSt"),
        unit("W/m2", "W/m²"),
        unit("W/(m2.K)", "W/(m²·K)"),
        unit("kJ/kg", "kJ/kg"),
        unit("lm", "lm"),
        unit("lx", "lx"),
        unit("cd", "cd"),
        unit("dB", "dB"),
        unit("dB[SPL]", "dB(SPL)"),
        unit("{NTU}", "NTU"),
        unit("bit", "bit"),
        unit("By", "B"),
        unit("kBy", "kB"),
        unit("MBy", "MB"),
        unit("By/s", "B/s"),
        unit("bit/s", "bit/s"),
        unit("[in_i]", "in"),
        unit("[ft_i]", "ft"),
        unit("[lb_av]", "lb"),
        unit("[gal_us]", "gal"),
        unit("[gal_us]/min", "gpm"),
        unit("[HP]", "hp"),
    ];
}

impl Unit {
    /// Reads a UCUM code, the symbol of a [`KnownUnit`] (`°C`), `{plant text}`, or any other text,
    /// which then is the plant's own.
    ///
    /// # Errors
    /// [`UnitError::Shape`].
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let known = |unit: &&KnownUnit| unit.code == text;
        let written = |unit: &&KnownUnit| unit.symbol == text && !text.is_empty();
        let all = KnownUnit::ALL.iter();
        if let Some(known) = all.clone().find(known).or_else(|| all.clone().find(written)) {
            return Ok(Self::Ucum(known.code.into()));
        }
        let bracketed = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
        let own = bracketed.unwrap_or(text);
        let fits = (1..=UNIT_BYTES_MAX).contains(&own.len());
        if fits && bracketed.is_none() && ucum::is_code(text) {
            return Ok(Self::Ucum(text.into()));
        }
        if !fits || own.chars().any(|c| c.is_control() || matches!(c, '{' | '}')) {
            return Err(UnitError::Shape);
        }
        Ok(Self::Plant(own.into()))
    }

    /// The symbol for people: `°C`, `m³/h`; the code where no other is known; or the plant's own
    /// text.
    pub fn symbol(&self) -> &str {
        match self {
            Self::Ucum(code) => KnownUnit::ALL
                .iter()
                .find(|known| known.code == code.as_ref())
                .map_or(code.as_ref(), |known| known.symbol),
            Self::Plant(text) => text,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ucum(code) => f.write_str(code),
            Self::Plant(text) => write!(f, "{{{text}}}"),
        }
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({self})")
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
