use proptest::prelude::*;

use super::*;

fn canonical(uri: &str) -> String {
    match DigitalLink::parse(uri) {
        Ok(link) => link.canonical(),
        Err(error) => panic!("{uri}: {error}"),
    }
}

fn error(uri: &str) -> String {
    DigitalLink::parse(uri).expect_err(uri).to_string()
}

#[test]
fn examples_of_the_standard_and_of_its_syntax_engine() {
    for (uri, right) in [
        ("https://id.gs1.org/01/09520123456788", "https://id.gs1.org/01/09520123456788"),
        (
            "https://id.gs1.org/01/09520123456788/22/2A",
            "https://id.gs1.org/01/09520123456788/22/2A",
        ),
        (
            "https://id.gs1.org/01/09520123456788/10/ABC1/21/12345?17=180426",
            "https://id.gs1.org/01/09520123456788/10/ABC1/21/12345?17=180426",
        ),
        (
            "HTTPS://brand.example.com/some-extra/pathinfo/01/09520123456788/?3103=000195&3922=0299&17=201225#x",
            "https://id.gs1.org/01/09520123456788?17=201225&3103=000195&3922=0299",
        ),
        (
            "https://example.com/gtin/9506000134352/lot/A%2f1/ser/%22?linkType=gs1:pip",
            "https://id.gs1.org/01/09506000134352/10/A%2F1/21/%22",
        ),
        ("http://example.com/01/95060002/", "https://id.gs1.org/01/00000095060002"),
        (
            "https://example.com:8443/00/106141411234567897?02=00614141123452&37=25&10=ABC123",
            "https://id.gs1.org/00/106141411234567897?02=00614141123452&10=ABC123&37=25",
        ),
        (
            "https://example.com/414/9506000134369/254/32a%2Fb",
            "https://id.gs1.org/414/9506000134369/254/32a%2Fb",
        ),
        (
            "https://example.com/414/9506000134369/7040/1ABC",
            "https://id.gs1.org/414/9506000134369/7040/1ABC",
        ),
        (
            "https://example.com/01/09506000134352/235/5vBZIF%21!B",
            "https://id.gs1.org/01/09506000134352/235/5vBZIF%21%21B",
        ),
        ("https://example.com/01/01/01/09506000134352", "https://id.gs1.org/01/09506000134352"),
        (
            "https://example.com/8006/095060001343520102/22/A/21/B",
            "https://id.gs1.org/8006/095060001343520102/22/A/21/B",
        ),
        (
            "https://example.com/415/9506000134369/8020/A1",
            "https://id.gs1.org/415/9506000134369/8020/A1",
        ),
        ("https://example.com/410/9506000134369", "https://id.gs1.org/410/9506000134369"),
        (
            "https://example.com/01/09506000134352?17=261231;15=261201",
            "https://id.gs1.org/01/09506000134352?15=261201&17=261231",
        ),
    ] {
        assert_eq!(canonical(uri), right);
        assert_eq!(canonical(right), right);
    }
}

#[test]
fn every_primary_key_has_a_path() {
    for (key, value, qualifiers) in [
        ("01", "09506000134352", "/22/A/10/B/21/C"),
        ("8006", "095060001343520102", "/22/A/10/B/21/C"),
        ("8013", "1987654Ad4X4bL5ttr2310c2K", ""),
        ("8010", "9506000%23A", "/8011/17"),
        ("410", "9506000134369", ""),
        ("411", "9506000134369", ""),
        ("412", "9506000134369", ""),
        ("413", "9506000134369", ""),
        ("414", "9506000134369", "/254/A"),
        ("415", "9506000134369", "/8020/A"),
        ("416", "9506000134369", ""),
        ("417", "9506000134369", "/7040/1ABC"),
        ("8017", "950600013430000009", "/8019/7"),
        ("8018", "950600013430000009", "/8019/7"),
        ("255", "9506000134369", ""),
        ("00", "106141411234567897", ""),
        ("253", "9506000134369ABC", ""),
        ("401", "9506000ABC", ""),
        ("402", "95060001343000003", ""),
        ("8003", "09506000134352ABC", ""),
        ("8004", "9506000ABC", "/7040/1ABC"),
    ] {
        let digits: String = value.chars().take(value.len() - 1).collect();
        let value = match crate::check_digit(&digits) {
            Some(last)
                if value.len() > 13
                    && value.bytes().all(|byte| byte.is_ascii_digit())
                    && key.len() >= 3
                    && key != "8006" =>
            {
                format!("{digits}{last}")
            }
            _ => value.to_owned(),
        };
        let path = format!("/{key}/{value}{qualifiers}");
        let link = DigitalLink::parse_path(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(link.path(), path);
        assert!(Ai::find(key).unwrap().is_key());
        assert_eq!(DigitalLink::of(&link.elements()).unwrap().path(), path);
    }
}

#[test]
fn messages() {
    for (uri, message) in [
        (
            "ftp://example.com/01/09506000134352",
            "a Digital Link URI begins with https:// or http:// and a host name",
        ),
        (
            "https:///01/09506000134352",
            "a Digital Link URI begins with https:// or http:// and a host name",
        ),
        (
            "https://a@b/01/09506000134352",
            "a Digital Link URI begins with https:// or http:// and a host name",
        ),
        (
            "https://example.com/",
            "the path has no pair /key/value whose key is a GS1 primary key such as /01/",
        ),
        (
            "https://example.com/10/A",
            "the path has no pair /key/value whose key is a GS1 primary key such as /01/",
        ),
        (
            "https://example.com/01/09506000134352/foo",
            "after /01/ the path must go on in pairs of identifier and value; “foo” is left over",
        ),
        (
            "https://example.com/01/09506000134352/foo/bar",
            "(foo) does not qualify (01); the path after it takes (22) (10) (21), or (235)",
        ),
        (
            "https://example.com/01/09506000134352/17/261231",
            "(17) does not qualify (01); the path after it takes (22) (10) (21), or (235)",
        ),
        (
            "https://example.com/00/106141411234567897/10/A",
            "(10) does not qualify (00); the path after it takes nothing more",
        ),
        (
            "https://example.com/01/09506000134352/21/A/10/B",
            "the qualifiers of (01) stand in the order (21) (10); allowed is (22) (10) (21), or (235)",
        ),
        (
            "https://example.com/01/09506000134352/10/A/235/B",
            "the qualifiers of (01) stand in the order (10) (235); allowed is (22) (10) (21), or (235)",
        ),
        ("https://example.com/01/09506000134352/10/A/10/B", "(10) stands twice"),
        (
            "https://example.com/01/09506000134352?10=A",
            "(10) qualifies the key and belongs into the path, not into the query",
        ),
        (
            "https://example.com/01/09506000134352?8020=A",
            "(8020) cannot be a data attribute of a Digital Link URI",
        ),
        ("https://example.com/01/09506000134352?05=A", "there is no application identifier (05)"),
        ("https://example.com/01/09506000134352?17=", "the value of (17) is empty"),
        ("https://example.com/01", "the value of (01) is empty"),
        ("https://example.com/01//10/A", "the value of (01) is empty"),
        ("https://example.com/01/09506000134352/10/%4", "“%4” is not well percent-encoded"),
        (
            "https://example.com/01/09506000134352/10/a b",
            "the character “ ” cannot stand in a URI and must be percent-encoded",
        ),
        (
            "https://example.com/01/09506000134353",
            "the value “09506000134353” of (01) GTIN has the check digit 3, and 2 would be right",
        ),
        (
            "https://example.com/415/9506000134369",
            "(415) PAY TO says something about another identifier that is missing: (8020)",
        ),
        (
            "https://example.com/8003/09506000134352?17=261231",
            "(17) USE BY or EXPIRY says something about another identifier that is missing: (01), or (02), or (03), or (255), or (8006), or (8026)",
        ),
    ] {
        assert_eq!(error(uri), message, "{uri}");
    }
    let long = format!("https://example.com/01/09506000134352?a={}", "x".repeat(9000));
    assert_eq!(error(&long), "the text has 9040 bytes, more than the 8192 that are read");
}

#[test]
fn the_longer_sequence_wins_and_the_rest_are_attributes() {
    let elements = ElementString::parse("(01)09506000134352(17)261231(21)S(10)B(99)x").unwrap();
    let link = DigitalLink::of(&elements).unwrap();
    assert_eq!(link.canonical(), "https://id.gs1.org/01/09506000134352/10/B/21/S?17=261231&99=x");
    assert_eq!(
        link.to_uri("https://a.cn/x/").unwrap(),
        "https://a.cn/x/01/09506000134352/10/B/21/S?17=261231&99=x"
    );
    assert!(link.to_uri("a.cn").is_err());
    assert!(link.to_uri("https://a.cn/?").is_err());
    assert_eq!(DigitalLink::of(&ElementString::parse("(10)B").unwrap()), Err(Error::NoKey));
}

#[test]
fn what_is_no_identifier_is_kept() {
    let uri = "https://example.cn/a/b/01/09506000134352/21/%25?linkType=gs1%3Apip&17=261231&flag&8123&x=%E4%B8%AD";
    let link = DigitalLink::parse(uri).unwrap();
    assert_eq!(link.stem(), "https://example.cn/a/b");
    assert_eq!(link.others()[0], ("linkType".to_owned(), "gs1:pip".to_owned()));
    assert_eq!(
        link.to_string(),
        "https://example.cn/a/b/01/09506000134352/21/%25?17=261231&linkType=gs1%3Apip&flag&8123&x=%E4%B8%AD"
    );
}

fn value() -> impl Strategy<Value = String> {
    "[!-\"%-?A-Z_a-z]{1,20}"
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(number in 0..9_999_999_999_u64, lot in prop::option::of(value()), serial in prop::option::of(value()), own in prop::option::of(value())) {
        let body = format!("095{number:010}");
        let mut elements = vec![Element::new(Ai::find("01").unwrap(), &format!("{body}{}", crate::check_digit(&body).unwrap())).unwrap()];
        for (code, value) in [("10", &lot), ("21", &serial), ("99", &own)] {
            elements.extend(value.as_ref().map(|value| Element::new(Ai::find(code).unwrap(), value).unwrap()));
        }
        let elements = ElementString::of(elements).unwrap();
        let link = DigitalLink::of(&elements).unwrap();
        let uri = link.to_uri("https://example.cn/x").unwrap();
        let read = DigitalLink::parse(&uri).unwrap();
        prop_assert_eq!(read.to_string(), uri);
        prop_assert_eq!(read.elements(), elements);
        prop_assert_eq!(DigitalLink::parse(&read.canonical()).unwrap().canonical(), link.canonical());
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}") {
        let _ = DigitalLink::parse(&text);
        let _ = DigitalLink::parse_path(&text);
        let _ = DigitalLink::parse(&format!("https://example.com/{text}"));
    }

    #[test]
    fn text_that_looks_right_never_panics(text in "(/(01|gtin|lot|10|21|235|00|8006|414|254|x|%2F|%)?){0,9}(/09506000134352)?(/(10|21|22)/[A-Z%0-9]{0,4}){0,3}[?&;=0-9a-z%#]{0,20}") {
        if let Ok(link) = DigitalLink::parse_path(&text) {
            prop_assert_eq!(DigitalLink::parse(&link.canonical()).unwrap().canonical(), link.canonical());
        }
    }
}
