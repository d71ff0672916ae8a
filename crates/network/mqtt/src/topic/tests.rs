use proptest::prelude::*;

use super::*;

#[test]
fn names_are_accepted_or_refused_with_a_reason() {
    for name in
        ["a", "/", "a//b", "温度/一号炉", "🏭/line 1/🌡", "$SYS/x", "a b", &"x".repeat(65_535)]
    {
        assert_eq!(check_name(name), Ok(()), "{name:.20}");
    }
    for name in [
        "",
        "a/+",
        "#",
        "a\0b",
        "a\u{7}b",
        "a\u{7f}",
        "a\u{fffe}",
        &"x".repeat(65_536),
        &"/".repeat(128),
    ] {
        assert!(check_name(name).is_err(), "{name:.20}");
    }
}

#[test]
fn filters_are_those_of_the_standard() {
    for filter in ["#", "+", "a/#", "+/b/+", "$share/g/a/+", "$share/组/#", "/+"] {
        assert_eq!(check_filter(filter), Ok(()), "{filter}");
    }
    for filter in ["", "a#", "a/#/b", "a+/b", "$share/g", "$share//a", "$share/+/a", "$share/g/"] {
        assert!(check_filter(filter).is_err(), "{filter}");
    }
    assert_eq!(unshared("$share/g/a/+"), "a/+");
    assert_eq!(unshared("a/+"), "a/+");
}

#[test]
fn filters_match() {
    let matching = [
        ("#", "a/b"),
        ("a/#", "a"),
        ("a/+", "a/"),
        ("+/+", "/a"),
        ("温/+", "温/度"),
        ("$SYS/#", "$SYS/a"),
    ];
    for (filter, name) in matching {
        assert!(matches(filter, name), "{filter} {name}");
    }
    for (filter, name) in
        [("+", "a/b"), ("a/+", "a"), ("#", "$SYS/a"), ("+/a", "$SYS/a"), ("a", "b"), ("a/b", "a")]
    {
        assert!(!matches(filter, name), "{filter} {name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_judged(text in ".{0,80}") {
        let (name, filter) = (check_name(&text), check_filter(&text));
        if name.is_ok() {
            prop_assert!(matches(&text, &text));
        }
        if filter.is_ok() {
            matches(unshared(&text), "a/b");
        }
    }
}
