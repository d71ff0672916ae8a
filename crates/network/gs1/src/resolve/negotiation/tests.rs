use proptest::prelude::*;

use super::*;

#[test]
fn media_ranges_of_rfc_9110() {
    // The example of section 12.5.1.
    let accept =
        Accept::parse("text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, */*;q=0.5");
    assert_eq!(accept.quality("text/html"), 300);
    assert_eq!(accept.quality("text/plain"), 1000);
    assert_eq!(accept.quality("image/jpeg"), 500);
    let accept =
        Accept::parse("text/html, application/json;q=0, undefined, ;q=1, x/y;q=2, a/b;q=0.1234");
    assert_eq!(accept.quality("text/html"), 1000);
    assert_eq!(accept.quality("application/json"), 0);
    assert_eq!(accept.quality("x/y"), 0);
    assert_eq!(accept.quality("a/b"), 0);
    assert!(Accept::parse("undefined").is_silent());
    assert_eq!(Accept::default().quality("a/b"), 1000);
}

#[test]
fn languages_come_as_close_as_they_can() {
    let languages = AcceptLanguage::parse("pt-BR, en;q=0.9, zh-Hant-TW;q=0.8, fr;q=0, *;q=0.1");
    let order = ["pt-BR", "pt", "en", "en-GB", "zh-Hant-TW", "zh-Hant", "zh", "ja"];
    let marks: Vec<_> = order.iter().map(|tag| languages.closeness(tag).unwrap()).collect();
    assert!(marks[0] > marks[1] && marks[1] > marks[2] && marks[2] > marks[3]);
    assert!(marks[4] > marks[5] && marks[5] == marks[6] && marks[6] > marks[7]);
    assert_eq!(languages.closeness("fr"), None);
    assert_eq!(AcceptLanguage::parse("de").closeness("fr"), None);
    assert_eq!(AcceptLanguage::parse("d").closeness("de"), None);
    assert_eq!(
        AcceptLanguage::parse("ZH-cn").closeness("zh-CN"),
        AcceptLanguage::parse("zh-CN").closeness("zh-cn")
    );
}

#[test]
fn qualities_have_three_decimals_at_most() {
    for (weight, right) in [
        ("1", Some(1000)),
        ("0.5", Some(500)),
        ("1.000", Some(1000)),
        ("0.001", Some(1)),
        ("0", Some(0)),
        ("1.1", None),
        ("2", None),
        ("-1", None),
        ("0.0001", None),
        ("", None),
        (".5", None),
    ] {
        assert_eq!(thousandths(weight), right, "{weight}");
    }
}

proptest! {
    #[test]
    fn arbitrary_headers_never_panic_and_are_read_within_bounds(header in ".{0,300}", tag in ".{0,20}", times in 1..40_usize) {
        let long = header.repeat(times);
        let accept = Accept::parse(&long);
        prop_assert!(accept.ranges.len() <= HEADER_ITEMS_MAX);
        prop_assert!(accept.quality(&tag) <= 1000);
        let languages = AcceptLanguage::parse(&long);
        prop_assert!(languages.ranges.len() <= HEADER_ITEMS_MAX);
        let _ = languages.closeness(&tag);
    }
}
