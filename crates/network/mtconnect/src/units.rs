//! Units of MTConnect (part 2, clause 7.2.2.5) as UCUM codes.

/// Each of the standard's units that has a UCUM code.
const UNITS: &[(&str, &str)] = &[
    ("AMPERE", "A"),
    ("AMPERE_HOUR", "A.h"),
    ("CELSIUS", "Cel"),
    ("COULOMB", "C"),
    ("COUNT", "{count}"),
    ("COUNT/SECOND", "/s"),
    ("CUBIC_MILLIMETER", "mm3"),
    ("CUBIC_MILLIMETER/SECOND", "mm3/s"),
    ("CUBIC_MILLIMETER/SECOND^2", "mm3/s2"),
    ("CUBIC_METER", "m3"),
    ("DAY", "d"),
    ("DECIBEL", "dB"),
    ("DEGREE", "deg"),
    ("DEGREE/SECOND", "deg/s"),
    ("DEGREE/SECOND^2", "deg/s2"),
    ("FARAD", "F"),
    ("GRAM", "g"),
    ("GRAM/CUBIC_METER", "g/m3"),
    ("HENRY", "H"),
    ("HERTZ", "Hz"),
    ("HOUR", "h"),
    ("JOULE", "J"),
    ("KELVIN", "K"),
    ("KILOGRAM", "kg"),
    ("KILOGRAM/CUBIC_METER", "kg/m3"),
    ("KILOWATT", "kW"),
    ("KILOWATT_HOUR", "kW.h"),
    ("LITER", "L"),
    ("LITER/SECOND", "L/s"),
    ("LITER/MINUTE", "L/min"),
    ("LUMEN", "lm"),
    ("METER", "m"),
    ("METER/SECOND", "m/s"),
    ("METER/SECOND^2", "m/s2"),
    ("MICRO_RADIAN", "urad"),
    ("MICROSECOND", "us"),
    ("MILLIGRAM", "mg"),
    ("MILLIGRAM/CUBIC_MILLIMETER", "mg/mm3"),
    ("MILLIGRAM/LITER", "mg/L"),
    ("MILLILITER", "mL"),
    ("MILLIMETER", "mm"),
    ("MILLIMETER/SECOND", "mm/s"),
    ("MILLIMETER/SECOND^2", "mm/s2"),
    ("MILLIMETER/REVOLUTION", "mm/{rev}"),
    ("MILLIMETER/DEGREE", "mm/deg"),
    ("MILLISECOND", "ms"),
    ("MINUTE", "min"),
    ("MOLE", "mol"),
    ("NEWTON", "N"),
    ("NEWTON_METER", "N.m"),
    ("OHM", "Ohm"),
    ("OHM_METER", "Ohm.m"),
    ("PASCAL", "Pa"),
    ("PASCAL/SECOND", "Pa/s"),
    ("PASCAL_SECOND", "Pa.s"),
    ("PERCENT", "%"),
    ("PH", "[pH]"),
    ("RADIAN", "rad"),
    ("RADIAN/SECOND", "rad/s"),
    ("REVOLUTION/MINUTE", "{rpm}"),
    ("REVOLUTION/SECOND", "{rev}/s"),
    ("REVOLUTION/SECOND^2", "{rev}/s2"),
    ("SECOND", "s"),
    ("SIEMENS/METER", "S/m"),
    ("SQUARE_MILLIMETER", "mm2"),
    ("TESLA", "T"),
    ("VOLT", "V"),
    ("VOLT_AMPERE", "V.A"),
    ("VOLT_AMPERE_REACTIVE", "V.A{reactive}"),
    ("WATT", "W"),
    ("WATT_SECOND", "W.s"),
];

/// The UCUM code of a unit; that of one axis for units of space (`MILLIMETER_3D`). None for those that
/// are no units of measure, and for a vendor's own.
pub fn ucum(units: &str) -> Option<String> {
    let units = units.strip_suffix("_3D").unwrap_or(units);
    UNITS.iter().find(|(name, _)| *name == units).map(|(_, code)| (*code).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Unit;

    #[test]
    fn every_code_is_a_unit() {
        for (name, code) in UNITS {
            let unit = Unit::parse(code).unwrap();
            let is_ucum = matches!(unit, Unit::Ucum(_)) || *code == "{count}";
            assert!(is_ucum, "{name}: {code} is {unit:?}");
            assert_eq!(ucum(name).as_deref(), Some(*code), "{name} stands here twice");
        }
        assert_eq!(ucum("MILLIMETER_3D").as_deref(), Some("mm"));
        assert_eq!(ucum("COUNT/SEC"), None);
    }
}
