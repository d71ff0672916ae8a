//! UCUM codes as engineering units of OPC UA (OPC 10000-8, clause 5.6.3): the codes of UN/CEFACT
//! recommendation 20.

use opcua::types::{EUInformation, LocalizedText, UAString};
use weir_model::Unit;

/// The namespace of units that have a UN/CEFACT code.
const CEFACT: &str = "http://www.opcfoundation.org/UA/units/un/cefact";

/// The namespace of units that are known by their UCUM code only.
const UCUM: &str = "http://unitsofmeasure.org";

/// UCUM code and UN/CEFACT common code.
const CODES: &[(&str, &str)] = &[
    ("1", "C62"),
    ("%", "P1"),
    ("[ppm]", "59"),
    ("[ppb]", "61"),
    ("[pH]", "Q30"),
    ("m", "MTR"),
    ("mm", "MMT"),
    ("cm", "CMT"),
    ("km", "KMT"),
    ("um", "4H"),
    ("nm", "C45"),
    ("m2", "MTK"),
    ("mm2", "MMK"),
    ("cm2", "CMK"),
    ("m3", "MTQ"),
    ("L", "LTR"),
    ("mL", "MLT"),
    ("cm3", "CMQ"),
    ("g", "GRM"),
    ("mg", "MGM"),
    ("kg", "KGM"),
    ("t", "TNE"),
    ("s", "SEC"),
    ("ms", "C26"),
    ("us", "B98"),
    ("min", "MIN"),
    ("h", "HUR"),
    ("d", "DAY"),
    ("K", "KEL"),
    ("Cel", "CEL"),
    ("[degF]", "FAH"),
    ("Pa", "PAL"),
    ("hPa", "A97"),
    ("kPa", "KPA"),
    ("MPa", "MPA"),
    ("bar", "BAR"),
    ("mbar", "MBR"),
    ("[psi]", "PS"),
    ("atm", "ATM"),
    ("mm[Hg]", "HN"),
    ("m/s", "MTS"),
    ("mm/s", "C16"),
    ("m/min", "2X"),
    ("km/h", "KMH"),
    ("m/s2", "MSK"),
    ("{rpm}", "RPM"),
    ("Hz", "HTZ"),
    ("kHz", "KHZ"),
    ("MHz", "MHZ"),
    ("rad/s", "2A"),
    ("deg", "DD"),
    ("rad", "C81"),
    ("N", "NEW"),
    ("kN", "B47"),
    ("N.m", "NU"),
    ("kN.m", "B48"),
    ("J", "JOU"),
    ("kJ", "KJO"),
    ("MJ", "3B"),
    ("GJ", "GV"),
    ("W.h", "WHR"),
    ("kW.h", "KWH"),
    ("MW.h", "MWH"),
    ("W", "WTT"),
    ("kW", "KWT"),
    ("MW", "MAW"),
    ("V.A", "D46"),
    ("kV.A", "KVA"),
    ("V.A{reactive}", "D44"),
    ("kV.A{reactive}", "KVR"),
    ("V", "VLT"),
    ("mV", "2Z"),
    ("kV", "KVT"),
    ("A", "AMP"),
    ("mA", "4K"),
    ("kA", "B22"),
    ("A.h", "AMH"),
    ("Ohm", "OHM"),
    ("kOhm", "B49"),
    ("MOhm", "B75"),
    ("F", "FAR"),
    ("uF", "4O"),
    ("H", "81"),
    ("T", "D33"),
    ("mS/cm", "H61"),
    ("m3/h", "MQH"),
    ("m3/min", "G53"),
    ("m3/s", "MQS"),
    ("L/min", "L2"),
    ("L/h", "E32"),
    ("L/s", "G51"),
    ("kg/h", "E93"),
    ("kg/s", "KGS"),
    ("kg/min", "F31"),
    ("t/h", "E18"),
    ("kg/m3", "KMQ"),
    ("g/cm3", "23"),
    ("g/L", "GL"),
    ("mg/L", "M1"),
    ("mg/m3", "GP"),
    ("ug/m3", "GQ"),
    ("mol", "C34"),
    ("kmol", "B45"),
    ("mol/L", "C38"),
    ("kmol/h", "K58"),
    ("Pa.s", "C65"),
    ("mPa.s", "C24"),
    ("mm2/s", "C17"),
    ("cP", "C7"),
    ("cSt", "4C"),
    ("W/m2", "D54"),
    ("W/(m2.K)", "D55"),
    ("kJ/kg", "B42"),
    ("lm", "LUM"),
    ("lx", "LUX"),
    ("cd", "CDL"),
    ("dB", "2N"),
    ("bit", "A99"),
    ("By", "AD"),
    ("kBy", "2P"),
    ("MBy", "4L"),
    ("By/s", "P93"),
    ("bit/s", "B10"),
    ("[in_i]", "INH"),
    ("[ft_i]", "FOT"),
    ("[lb_av]", "LBR"),
    ("[gal_us]", "GLL"),
    ("[gal_us]/min", "G2"),
];

/// The unit: symbol as display name, UCUM code as description.
pub(crate) fn eu_information(unit: &Unit) -> EUInformation {
    let code = unit.to_string();
    let cefact = CODES.iter().find(|(ucum, _)| *ucum == code).map(|(_, cefact)| *cefact);
    EUInformation {
        namespace_uri: UAString::from(if cefact.is_some() { CEFACT } else { UCUM }),
        unit_id: cefact.map_or(-1, unit_id),
        display_name: LocalizedText { locale: UAString::null(), text: unit.symbol().into() },
        description: LocalizedText { locale: UAString::null(), text: code.as_str().into() },
    }
}

/// The code's characters as a number, the first the highest.
fn unit_id(code: &str) -> i32 {
    code.bytes().fold(0, |id, byte| (id << 8) | i32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_the_ids_of_the_standard() {
        // OPC 10000-8, clause 5.6.3, gives these two as its examples.
        assert_eq!(unit_id("C81"), 4_405_297);
        assert_eq!(unit_id("MMT"), 5_066_068);
        let celsius = eu_information(&Unit::parse("Cel").unwrap());
        assert_eq!(celsius.unit_id, 4_408_652);
        assert_eq!(celsius.display_name.text.as_ref(), "°C");
    }

    #[test]
    fn a_unit_without_a_code_keeps_its_name() {
        let pieces = eu_information(&Unit::parse("pieces").unwrap());
        assert_eq!((pieces.unit_id, pieces.display_name.text.as_ref()), (-1, "pieces"));
        assert_eq!(pieces.description.text.as_ref(), "{pieces}");
    }

    #[test]
    fn every_code_is_a_unit_that_weir_knows() {
        for (ucum, cefact) in CODES {
            assert!((1..=3).contains(&cefact.len()), "{cefact}");
            let parsed = Unit::parse(ucum).unwrap().to_string();
            assert_eq!(&parsed, ucum);
        }
    }
}
