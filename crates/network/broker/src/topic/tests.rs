use super::*;

const LIMITS: TopicLimits = TopicLimits { bytes_max: 65_535, levels_max: 128 };

#[test]
fn names() {
    for good in ["a", "/", "a//b", "温度/1", "🌡/\u{7f}/\u{1}", "$SYS/x", " ", "a b"] {
        assert_eq!(check_name(good, LIMITS), Ok(()), "{good:?}");
    }
    assert_eq!(check_name("", LIMITS), Err(TopicError::Empty));
    assert_eq!(check_name("a\0b", LIMITS), Err(TopicError::Nul));
    assert_eq!(check_name("a/+", LIMITS), Err(TopicError::Wildcard));
    assert_eq!(check_name("a#", LIMITS), Err(TopicError::Wildcard));
    assert_eq!(check_name(&"a/".repeat(128), LIMITS), Err(TopicError::Levels));
    assert_eq!(check_name(&"a".repeat(65_535), LIMITS), Ok(()));
    let short = TopicLimits { bytes_max: 10, ..LIMITS };
    assert_eq!(check_name(&"a".repeat(11), short), Err(TopicError::Long));
}

#[test]
fn filters() {
    for good in ["#", "+", "a/+/b", "a/#", "/", "+/+/#", "温度/+", "$SYS/#", "$share"] {
        let parsed = parse_filter(good, LIMITS);
        if good == "$share" {
            assert_eq!(parsed, Err(TopicError::Share));
        } else {
            assert_eq!(parsed, Ok(Filter { group: None, filter: good }), "{good:?}");
        }
    }
    for bad in ["a#", "a/#/b", "a/b+", "#/", "+a", "##"] {
        assert_eq!(parse_filter(bad, LIMITS), Err(TopicError::Wildcard), "{bad:?}");
    }
    assert_eq!(parse_filter("", LIMITS), Err(TopicError::Empty));
    assert_eq!(parse_filter("a/\0", LIMITS), Err(TopicError::Nul));
    assert_eq!(
        parse_filter("$share/组/a/+", LIMITS),
        Ok(Filter { group: Some("组"), filter: "a/+" })
    );
    for bad in ["$share/", "$share/g", "$share/g/", "$share//a", "$share/g+/a", "$share/#/a"] {
        assert_eq!(parse_filter(bad, LIMITS), Err(TopicError::Share), "{bad:?}");
    }
}

#[test]
fn matching() {
    for (filter, name, expected) in [
        ("#", "a/b", true),
        ("#", "$SYS/a", false),
        ("+/a", "$SYS/a", false),
        ("$SYS/#", "$SYS/a", true),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("a/+", "a", false),
        ("a/+", "a/", true),
        ("+", "/", false),
        ("+/+", "/", true),
        ("/+", "/a", true),
        ("a/+/c", "a/b/c", true),
        ("a/b", "a/b/c", false),
        ("温度/+", "温度/1", true),
    ] {
        assert_eq!(matches(filter, name), expected, "{filter} {name}");
    }
}
