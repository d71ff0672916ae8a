use proptest::prelude::*;

use super::*;

fn error(text: &str) -> String {
    ElementString::parse(text).and_then(|elements| elements.check()).unwrap_err().to_string()
}

#[test]
fn both_forms_say_the_same() {
    let bracketed = "(01)09506000134352(10)A1(17)261231(21)S(9";
    let text = "(01)09506000134352(10)A1(17)261231(21)S\\(9";
    let printed = ElementString::parse(text).unwrap();
    assert_eq!(printed.get("21"), Some("S(9"));
    assert_eq!(printed.to_string(), text);
    assert!(ElementString::parse(bracketed).is_err());
    let raw = printed.to_raw();
    assert_eq!(raw, "01095060001343521726123110A1\u{1d}21S(9");
    for spelling in
        [raw.clone(), format!("]C1{raw}"), format!("\u{1d}{raw}"), raw.replace('\u{1d}', "^")]
    {
        let scanned = ElementString::parse(&spelling).unwrap();
        assert_eq!(scanned.get("21"), Some("S(9"));
        assert_eq!(scanned.get("17"), Some("261231"));
        assert_eq!(scanned.to_raw(), raw);
    }
    printed.check().unwrap();
}

#[test]
fn messages() {
    for (text, message) in [
        ("", "there is no application identifier in it"),
        ("(1)2", "at character 1, two to four digits in round brackets are expected, such as (01)"),
        (
            "(01)09506000134352(1x)2",
            "at character 19, two to four digits in round brackets are expected, such as (01)",
        ),
        ("(05)1", "there is no application identifier (05)"),
        ("0195060001", "(01) has 14 characters, and only 8 are left"),
        ("0109506000134\u{1d}10A", "(01) has 14 characters, and only 11 are left"),
        (
            "(10)A",
            "(10) BATCH/LOT says something about another identifier that is missing: (01), or (02), or (03), or (8006), or (8026)",
        ),
        ("(01)09506000134352(37)5", "(01) cannot stand together with (37)"),
        ("(01)09506000134352(01)09506000134352", "(01) stands twice"),
        (
            "(00)106141411234567897(403)1(3103)000189",
            "(3103) NET WEIGHT (kg) says something about another identifier that is missing: (01), or (02)",
        ),
        ("(01)09506000134352(3103)000189(3104)000189", "(3103) cannot stand together with (3104)"),
        (
            "(8003)09506000134352(8030)AAAA",
            "(8003) GRAI needs its serial component beside the digital signature of (8030)",
        ),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn associations_with_patterns_hold() {
    for text in [
        "(01)09506000134352(3103)000189(3922)1250",
        "(01)09506000134352(21)1(8030)AAAA",
        "(01)09506000134352(422)156(427)BJ",
        "(8003)09506000134352A(8030)AAAA",
        "(8006)095060001343520102(22)A",
        "(415)9506000134369(8020)A1(3900)10",
    ] {
        ElementString::parse(text).unwrap().check().unwrap();
    }
}

/// A value for an identifier, made right where it has a check digit.
fn element() -> impl Strategy<Value = Element> {
    let codes = ["10", "21", "240", "3103", "37", "400", "403", "4308", "8012", "90", "91", "99"];
    (prop::sample::select(codes.to_vec()), "[!-~]{1,20}").prop_filter_map(
        "fits",
        |(code, value)| {
            let ai = Ai::find(code).unwrap();
            let digits: String = value.bytes().map(|byte| char::from(b'0' + byte % 10)).collect();
            let six = format!("{digits:0>6}")[..6].to_owned();
            [value, digits, six].iter().find_map(|value| Element::new(ai, value).ok())
        },
    )
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(elements in prop::collection::vec(element(), 1..10)) {
        if let Ok(elements) = ElementString::of(elements) {
            prop_assert_eq!(&ElementString::parse(&elements.to_string()).unwrap(), &elements);
            let scanned = ElementString::parse(&elements.to_raw()).unwrap();
            prop_assert_eq!(scanned.elements().len(), elements.elements().len());
            for element in elements.elements() {
                prop_assert_eq!(scanned.get(element.ai().digits()), Some(element.value()));
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}") {
        let _ = ElementString::parse(&text).map(|elements| elements.check());
    }

    #[test]
    fn text_that_looks_right_never_panics(text in r"(\(?(01|10|21|17|253|3103|8006|8003|8013|423|8008|7040|8110)\)?[0-9A-Z(\\)\x1d^é]{0,24}){1,6}") {
        let _ = ElementString::parse(&text).map(|elements| elements.check());
    }
}
