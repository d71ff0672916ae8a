use proptest::prelude::*;

use super::*;

/// Scheme, normal form and verdict on one line.
fn told(text: &str) -> String {
    match recognise(text) {
        None => "unknown".to_owned(),
        Some(Recognised { scheme, normal, verdict, .. }) => match verdict {
            Verdict::Valid => format!("{} {normal}", scheme.name()),
            Verdict::Plausible(_) => format!("{}? {normal}", scheme.name()),
            Verdict::Wrong(reason) => format!("{}! {reason}", scheme.name()),
        },
    }
}

#[test]
fn schemes_are_told_by_their_form() {
    for (text, right) in [
        (" 6901234567892 ", "GS1 https://id.gs1.org/01/06901234567892"),
        (
            "6901234567893",
            "GS1! the value “06901234567893” of (01) GTIN has the check digit 3, and 2 would be right",
        ),
        ("95060002", "GS1 https://id.gs1.org/01/00000095060002"),
        ("20261127", "unknown"),
        ("106141411234567897", "GS1 https://id.gs1.org/00/106141411234567897"),
        ("11010519491231002X", "unknown"),
        ("(01)09506000134352(21)A", "GS1 https://id.gs1.org/01/09506000134352/21/A"),
        ("]C10109506000134352", "GS1 https://id.gs1.org/01/09506000134352"),
        ("(99)x", "GS1 (99)x"),
        ("(01)1", "GS1! the value “1” of (01) GTIN is shorter than 14 characters"),
        (
            "(10)A",
            "GS1! (10) BATCH/LOT says something about another identifier that is missing: (01), or (02), or (03), or (8006), or (8026)",
        ),
        ("(see below)", "unknown"),
        ("https://a.cn/x/gtin/9506000134352?y=1", "GS1 https://id.gs1.org/01/09506000134352"),
        (
            "https://a.cn/01/09506000134352/9",
            "GS1! after /01/ the path must go on in pairs of identifier and value; “9” is left over",
        ),
        ("https://a.cn/", "unknown"),
        ("88.118.1000/pump 7", "88 88.118.1000/pump 7"),
        ("hdl:88.118.1000/a/b", "88 88.118.1000/a/b"),
        (
            "88.118/x",
            "88! 88 and an industry are the prefix of a node; an enterprise's has a third part",
        ),
        ("88.118.1000/", "88! behind the slash a suffix is missing"),
        ("88.118.1234567890/x", "88! the parts of a prefix below 88 are eight digits at most"),
        ("88.118..1/x", "88! a prefix is parts between dots, and none is empty"),
        ("88.118.1000", "88? 88.118.1000"),
        ("88.118", "88? 88.118"),
        ("20.500.12345/Ab", "Handle 20.500.12345/Ab"),
        ("0.NA/88.118", "Handle 0.NA/88.118"),
        ("https://hdl.handle.net/20.500.12345/a%2Fb", "Handle 20.500.12345/a/b"),
        ("hdl:cnri.dlib/july95", "Handle cnri.dlib/july95"),
        ("doi:10.1000/ABC", "DOI 10.1000/abc"),
        ("https://doi.org/10.1000/182", "DOI 10.1000/182"),
        ("10.1/x", "DOI! the prefix of a DOI is 10. and a registrant of four digits or more"),
        ("VAA08810012345678/abc", "VAA? VAA08810012345678/abc"),
        ("VAA15610012345678/abc", "VAA! behind VAA stands the country as 088"),
        (
            "VAA088/abc",
            "VAA! behind VAA stand three digits for the country, three for the industry and the enterprise's",
        ),
        ("VAA088100123456789/abc", "VAA! the enterprise's part has eight digits at most"),
        ("VAA0881001/", "VAA! behind the slash the enterprise's own code is missing"),
        ("VAA088100ABC1", "VAA? VAA088100ABC1"),
        ("VAAR", "unknown"),
        ("1.2.156.10001", "OID 1.2.156.10001"),
        (
            "URN:OID:2.25.329800735698586629295641978511506172918",
            "OID 2.25.329800735698586629295641978511506172918",
        ),
        ("oid:2.999", "OID 2.999"),
        ("1.40.1", "OID! below 0 and 1 the second arc is 39 at most"),
        ("1.2.0156", "OID! an arc has no zeros in front"),
        ("oid:3.1.2", "OID! the first arc is 0, 1 or 2"),
        ("oid:1", "OID! an object identifier has two arcs at least"),
        ("oid:1.2.", "OID! an object identifier is digits between dots"),
        ("1.5", "unknown"),
        ("192.168.1.1", "unknown"),
        ("Ecode:1000312345678", "Ecode? ecode:1000312345678"),
        ("ecode=30001AB12", "Ecode? ecode:30001AB12"),
        (
            "ecode:100031234567890123456789012",
            "Ecode! the main code of version 1 has 20 characters at most",
        ),
        (
            "ecode:1000",
            "Ecode! an Ecode of version 1 has 4 characters for the number system and a main code behind them",
        ),
        ("ecode:10003ABC", "Ecode! an Ecode of version 1 has digits only"),
        ("ecode:90003", "Ecode! the first character of an Ecode is its version, 1 to 4"),
        (
            "did:bid:ef24NBA7au48UTZrUNRHj2p3bnRzF3YCH",
            "DID did:bid:ef24NBA7au48UTZrUNRHj2p3bnRzF3YCH",
        ),
        ("did:web:example.com:user:alice#key-1", "DID did:web:example.com:user:alice#key-1"),
        ("did:example:", "DID! a DID ends in a part of its method's own after the last colon"),
        ("did:example:a:", "DID! a DID ends in a part of its method's own after the last colon"),
        ("did:Example:a", "DID! the method of a DID has small letters and digits only"),
        ("DID:example:a", "DID! a DID begins with did: in small letters"),
        (
            "did:example:a%4",
            "DID! the part of the method's own has letters, digits, . - _ : and %XX only",
        ),
        (
            "did:example:a b",
            "DID! the part of the method's own has letters, digits, . - _ : and %XX only",
        ),
        ("", "unknown"),
        ("pump 7", "unknown"),
    ] {
        assert_eq!(told(text), right, "{text}");
    }
    assert_eq!(recognise(&"1".repeat(3000)), None);
}

#[test]
fn handles_stand_for_what_has_one() {
    for (text, handle) in [
        ("VAA08810012345678/abc", Some("88.100.12345678/abc")),
        ("88.118.1000/x", Some("88.118.1000/x")),
        ("88.118", Some("0.NA/88.118")),
        ("doi:10.1000/182", Some("10.1000/182")),
        ("6901234567892", None),
    ] {
        assert_eq!(recognise(text).unwrap().handle.as_deref(), handle, "{text}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_and_what_is_right_stays_what_it_is(text in ".{0,120}") {
        settle(&text);
    }

    #[test]
    fn text_that_looks_right_settles(text in "(did:|ecode:|oid:|hdl:|doi:|https://doi.org/|https://a.cn/01/|VAA|88\\.|10\\.|1\\.2\\.|\\(01\\)|\\]C1)[0-9a-zA-Z./:%()-]{0,40}") {
        settle(&text);
    }
}

/// A normal form that is right is recognised as itself; a handle may need to be announced.
fn settle(text: &str) {
    if let Some(seen) = recognise(text)
        && !matches!(seen.verdict, Verdict::Wrong(_))
    {
        let announce = if seen.scheme == Scheme::Handle { "hdl:" } else { "" };
        let again = recognise(&format!("{announce}{}", seen.normal)).unwrap();
        assert_eq!((again.scheme, &again.normal), (seen.scheme, &seen.normal));
    }
}
