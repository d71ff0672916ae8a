use proptest::prelude::*;

use super::*;
use crate::KnownUnit;
use crate::unit::atoms::ATOMS;
use crate::unit::ucum::is_code;

fn unit(code: &str) -> Unit {
    assert!(is_code(code), "{code}");
    Unit::Ucum(code.into())
}

fn convert(x: f64, from: &str, to: &str) -> f64 {
    Conversion::new(&unit(from), &unit(to)).unwrap().apply(x)
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs())
}

/// Exact ones follow from definitions: the SI Brochure (9th edition, tables 4, 7 and 8), the international
/// yard and pound of 1959, and NIST SP 811 (2008), appendix B, which marks exact factors in bold.
#[test]
fn known_values() {
    for (x, from, to, y) in [
        (0.0, "Cel", "[degF]", 32.0),
        (100.0, "Cel", "[degF]", 212.0),
        (-40.0, "[degF]", "Cel", -40.0),
        (100.0, "Cel", "K", 373.15),
        (491.67, "[degR]", "K", 273.15),
        (1.0, "atm", "kPa", 101.325),
        (1.0, "bar", "kPa", 100.0),
        (2500.0, "mbar", "bar", 2.5),
        (1.0, "[in_i]", "mm", 25.4),
        (1.0, "[ft_i]", "m", 0.3048),
        (1.0, "[lb_av]", "kg", 0.453_592_37),
        (1.0, "t/h", "kg/min", 1000.0 / 60.0),
        (6.0, "m3/h", "L/min", 100.0),
        (1.0, "L/s", "m3/h", 3.6),
        (1.0, "10*3.m3/h", "m3/h", 1000.0),
        (1.0, "kW.h", "MJ", 3.6),
        (1.0, "W.h", "J", 3600.0),
        (36.0, "km/h", "m/s", 10.0),
        (1.0, "[g]", "m/s2", 9.80665),
        (1.0, "m/s2", "mm/s2", 1000.0),
        (1.0, "cSt", "mm2/s", 1.0),
        (1.0, "cP", "mPa.s", 1.0),
        (1.0, "/min", "Hz", 1.0 / 60.0),
        (1.0, "%", "[ppm]", 10_000.0),
        (1.0, "mg/L", "g/m3", 1.0),
        (1.0, "uS/cm", "mS/m", 0.1),
        (1.0, "W/(m2.K)", "W/(m2.Cel)", 1.0),
        (1.0, "W/(m2.K)", "kW/m2/K", 0.001),
        (9.0, "K/min", "[degF]/min", 16.2),
        (1.0, "By/s", "bit/s", 8.0),
        (1.0, "MiBy", "KiBy", 1024.0),
        (1.0, "kPa{gauge}", "bar{gauge}", 0.01),
        (1.0, "kV.A{reactive}", "V.A{reactive}", 1000.0),
        (1.0, "dB", "B", 0.1),
        (1.0, "mm[Hg]", "Pa", 133.322),
        (1.0, "gon", "deg", 0.9),
    ] {
        assert!(close(convert(x, from, to), y), "{x} {from} in {to}: {}", convert(x, from, to));
    }
    // Rounded to seven digits in NIST SP 811.
    for (from, to, y) in [
        ("[psi]", "kPa", 6.894_757),
        ("[gal_us]", "L", 3.785_412),
        ("[gal_us]/min", "m3/s", 6.309_020e-5),
        ("[HP]", "W", 745.6999),
        ("[Btu_IT]", "J", 1055.056),
        ("[Btu_th]", "J", 1054.350),
        ("[lbf_av]", "N", 4.448_222),
        ("[in_i'H2O]", "Pa", 249.0889),
        ("deg", "rad", 1.745_329e-2),
        ("circ/min", "rad/s", 0.104_719_8),
        ("Oe", "A/m", 79.577_47),
    ] {
        let found = convert(1.0, from, to);
        assert!((found - y).abs() < 5.1e-7 * y, "1 {from} in {to}: {found}");
    }
}

#[test]
fn what_is_a_whole_number_of_the_other_is_one() {
    for (x, from, to, y) in [
        (6.0, "m3/h", "L/min", 100.0),
        (2705.0, "kPa", "Pa", 2_705_000.0),
        (2705.5, "kPa{gauge}", "bar{gauge}", 27.055),
        (212.0, "[degF]", "Cel", 100.0),
        (25.4, "mm", "[in_i]", 1.0),
        (7.2, "MJ", "kW.h", 2.0),
    ] {
        assert_eq!(convert(x, from, to), y, "{x} {from} in {to}");
    }
}

#[test]
fn what_differs_is_refused_by_name() {
    let refused = |from: &str, to: &str| {
        Conversion::new(&Unit::parse(from).unwrap(), &Unit::parse(to).unwrap()).unwrap_err()
    };
    let text = refused("kPa", "Cel").to_string();
    assert_eq!(text, "kPa is pressure (g.m-1.s-2), Cel is temperature (K)");
    let text = refused("mol/L", "/L").to_string();
    assert_eq!(text, "mol/L is concentration (m-3.mol), /L is a quantity of m-3");
    for (from, to) in [("kPa", "kPa{gauge}"), ("%{vol}", "%{mass}"), ("V.A", "V.A{reactive}")] {
        assert!(matches!(refused(from, to), ConversionError::Annotation { .. }), "{from} {to}");
    }
    for (from, to) in
        [("rad/s", "Hz"), ("{rpm}", "/min"), ("[pH]", "mol/L"), ("dB", "1"), ("By", "1")]
    {
        let error = refused(from, to);
        let apart = matches!(error, ConversionError::Dimension { .. });
        assert!(apart || matches!(error, ConversionError::Plant(_)), "{from} {to}: {error}");
    }
    assert!(matches!(refused("件", "kg"), ConversionError::Plant(_)));
    assert!(matches!(refused("m99", "km99"), ConversionError::Beyond(_)));
    assert!(matches!(refused("m999999999999", "m"), ConversionError::Beyond(_)));
}

#[test]
fn values_are_converted_where_they_are_numbers() {
    let km = Conversion::new(&unit("m"), &unit("km")).unwrap();
    assert_eq!(km.apply_value(&Value::I64(1500)), Some(Value::F64(1.5)));
    let array = Value::array(vec![Value::I64(1000), Value::F64(2500.0)]).unwrap();
    let wanted = Value::array(vec![Value::F64(1.0), Value::F64(2.5)]).unwrap();
    assert_eq!(km.apply_value(&array), Some(wanted));
    let mixed = Value::array(vec![Value::I64(1), Value::Bool(true)]).unwrap();
    assert_eq!(km.apply_value(&mixed), None);
    assert_eq!(km.apply_value(&Value::Bool(true)), None);
    assert_eq!(Conversion::IDENTITY.apply_value(&Value::I64(3)), Some(Value::I64(3)));
    assert!(km.apply(f64::NAN).is_nan());
    assert_eq!(km.apply(f64::INFINITY), f64::INFINITY);
    assert!(convert(1e306, "km", "m").is_infinite());
    assert!(
        close(convert(1e307, "Mm", "km") / 1e307, 1000.0)
            || convert(1e307, "Mm", "km").is_infinite()
    );
    assert!(close(convert(1e305, "h", "d"), 1e305 / 24.0));
}

#[test]
fn every_unit_that_is_known_can_be_converted() {
    for atom in ATOMS {
        assert!(Measure::of(atom.code).is_some(), "{}", atom.code);
    }
    for known in KnownUnit::ALL.iter().filter(|known| known.code != "1") {
        if matches!(Unit::parse(known.code), Ok(Unit::Ucum(_))) {
            assert!(Measure::of(known.code).is_some(), "{}", known.code);
        }
    }
}

/// Codes that measure the same, at least two of each.
fn alike() -> Vec<Vec<String>> {
    let mut codes: Vec<String> = ATOMS.iter().map(|atom| atom.code.to_owned()).collect();
    codes.extend(ATOMS.iter().filter(|atom| atom.metric).map(|atom| format!("k{}", atom.code)));
    codes.extend(KnownUnit::ALL.iter().map(|known| known.code.to_owned()));
    codes.extend(
        ["[in_i].[lbf_av]/min", "mg/(cm2.s)", "[lb_av]/[ft_i]3", "Cel/(W/m2)"].map(str::to_owned),
    );
    let mut alike: Vec<(Measure, Vec<String>)> = Vec::new();
    for code in codes.into_iter().filter(|code| is_code(code)) {
        let Some(measure) = Measure::of(&code) else { continue };
        let same = |(other, _): &&mut (Measure, Vec<String>)| {
            other.dimension == measure.dimension && other.notes == measure.notes
        };
        match alike.iter_mut().find(same) {
            Some((_, codes)) => codes.push(code),
            None => alike.push((measure, vec![code])),
        }
    }
    alike.into_iter().map(|(_, codes)| codes).filter(|codes| codes.len() > 1).collect()
}

fn three_alike() -> impl Strategy<Value = [String; 3]> {
    let alike = alike();
    assert!(alike.len() > 30);
    proptest::sample::select(alike)
        .prop_flat_map(|codes| proptest::array::uniform3(proptest::sample::select(codes)))
}

proptest! {
    /// There and back again is where it began, and a detour arrives where the straight way does.
    #[test]
    fn conversions_are_a_group(codes in three_alike(), x in -1e6..1e6f64) {
        let [a, b, c] = codes.map(|code| unit(&code));
        let way = |from, to| Conversion::new(from, to).unwrap();
        let (there, back) = (way(&a, &b), way(&b, &a));
        // An offset takes away digits that the number itself does not have.
        let least = there.offset.abs().max(back.offset.abs());
        prop_assert!((back.apply(there.apply(x)) - x).abs() <= 1e-12 * x.abs().max(least));
        let (second, straight) = (way(&b, &c), way(&a, &c));
        let (detour, y) = (second.apply(there.apply(x)), straight.apply(x));
        let least = second.offset.abs().max(straight.offset.abs());
        prop_assert!((detour - y).abs() <= 1e-12 * y.abs().max(least), "{detour} {y}");
    }

    #[test]
    fn any_code_is_converted_or_refused(text in "[a-zA-Z0-9(){}./*%\\[\\]-]{0,40}", x in any::<f64>()) {
        if let Ok(unit) = Unit::parse(&text) {
            let same = Conversion::new(&unit, &unit).unwrap();
            prop_assert_eq!(same.apply(x).to_bits(), x.to_bits());
            let _ = Conversion::new(&unit, &Unit::Ucum("kPa".into()));
        }
    }
}
