use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[test]
fn the_first_slash_ends_the_prefix() {
    let id: Identifier = "88.100/反应器/压力 #2".parse().unwrap();
    assert_eq!(id.prefix(), "88.100");
    assert_eq!(id.suffix(), "反应器/压力 #2");
}

#[test]
fn ascii_case_does_not_distinguish_but_other_case_does() {
    let a: Identifier = "Plant.A/Pump-7".parse().unwrap();
    let b: Identifier = "plant.a/PUMP-7".parse().unwrap();
    assert_eq!(a, b);
    assert_eq!(HashSet::from([a.clone()]).get(&b).unwrap().as_str(), "Plant.A/Pump-7");
    assert_ne!(Identifier::parse("a/É").unwrap(), Identifier::parse("a/é").unwrap());
}

#[test]
fn what_is_not_an_identifier_is_refused_with_the_reason() {
    for (text, error) in [
        ("", IdentifierError::NoSlash),
        ("abc", IdentifierError::NoSlash),
        ("/x", IdentifierError::EmptySegment),
        ("a./x", IdentifierError::EmptySegment),
        (".a/x", IdentifierError::EmptySegment),
        ("a..b/x", IdentifierError::EmptySegment),
        ("a/", IdentifierError::EmptySuffix),
        ("a/b\u{7}", IdentifierError::Unprintable(7)),
        ("a\0/b", IdentifierError::Unprintable(0)),
    ] {
        assert_eq!(Identifier::parse(text), Err(error), "{text:?}");
    }
    let long = format!("a/{}", "x".repeat(IDENTIFIER_BYTES_MAX));
    assert_eq!(
        Identifier::parse(&long),
        Err(IdentifierError::TooLong { max: IDENTIFIER_BYTES_MAX })
    );
}

proptest! {
    #[test]
    fn parsing_never_panics_and_display_returns_the_text(text in "\\PC{0,40}/?\\PC{0,40}") {
        if let Ok(id) = Identifier::parse(&text) {
            prop_assert_eq!(id.to_string(), text.clone());
            prop_assert_eq!(format!("{}/{}", id.prefix(), id.suffix()), text);
            prop_assert_eq!(Identifier::parse(&id.folded()).unwrap(), id);
        }
    }
}
