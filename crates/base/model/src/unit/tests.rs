use std::collections::HashSet;

use super::*;

#[test]
fn codes_are_unique_and_survive_their_text() {
    let mut seen = HashSet::new();
    for known in KnownUnit::ALL {
        assert!(seen.insert(known.code), "{} twice", known.code);
        assert!(super::ucum::is_code(known.code), "{} is no UCUM code", known.code);
        let unit = Unit::parse(known.code).unwrap();
        assert_eq!(Unit::parse(&unit.to_string()), Ok(unit));
    }
}

#[test]
fn the_plants_own_text_stands_in_brackets() {
    let own = Unit::parse("件/班").unwrap();
    assert_eq!(own.to_string(), "{件/班}");
    assert_eq!(own.symbol(), "件/班");
    assert_eq!(Unit::parse("{件/班}"), Ok(own));
    assert_eq!(Unit::parse(""), Err(UnitError::Shape));
    assert_eq!(Unit::parse("a{b}c"), Err(UnitError::Shape));
    assert_eq!(Unit::parse("{}"), Err(UnitError::Shape));
}

#[test]
fn codes_are_told_from_other_texts() {
    for code in [
        "mol/m3",
        "kg.m2/s3",
        "m.s-2",
        "/min",
        "10*3.m3/h",
        "W/(m2.K)",
        "mmol/L",
        "k[IU]/mL",
        "GBq",
        "KiBy",
    ] {
        assert_eq!(Unit::parse(code), Ok(Unit::Ucum(code.into())), "{code}");
    }
    for text in ["pieces", "件", "m//s", "m.", "(m", "m3/", "kkg", "Bar", "m s", "kscmh", "m3 /h"]
    {
        assert_eq!(Unit::parse(text), Ok(Unit::Plant(text.into())), "{text}");
    }
    assert_eq!(Unit::parse("°C"), Ok(Unit::Ucum("Cel".into())));
    assert_eq!(Unit::parse("m³/h"), Ok(Unit::Ucum("m3/h".into())));
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_unit_or_refused(text in "[a-zA-Z0-9(){}./*%\\[\\]件 ]{0,80}") {
        if let Ok(unit) = Unit::parse(&text) {
            proptest::prop_assert_eq!(Unit::parse(&unit.to_string()), Ok(unit));
        }
    }
}
