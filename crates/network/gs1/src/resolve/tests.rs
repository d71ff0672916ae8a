use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::DigitalLink;

mod rules;

const ROOT: &str = "https://id.example.cn";

fn link(kind: &str, href: &str, title: &str) -> Link {
    Link::new(LinkType::parse(kind).unwrap(), href, title).unwrap()
}

fn standing(path: &str, links: Vec<Link>) -> Standing {
    let level = Level::of(&DigitalLink::parse_path(path).unwrap());
    Standing { level, description: format!("what {path} is"), links }
}

/// The model linkset of GS1's test suite for resolvers (Apache-2.0), shortened.
fn shirt() -> Vec<Standing> {
    let demo = "https://ref.gs1.org/tools/demo/2024retail/";
    let key = standing(
        "/01/09506000164908",
        vec![
            link("gs1:certificationInfo", &format!("{demo}certificates"), "Certificates")
                .with_media_type("text/html")
                .unwrap(),
            link("gs1:certificationInfo", "https://www.oeko-tex.com/v/07.BH.52767", "OEKO-TEX")
                .with_media_type("text/html")
                .unwrap()
                .in_language("fr")
                .unwrap(),
            link("gs1:certificationInfo", "https://supplier.example/1", "Roadmap to Zero")
                .with_media_type("text/html")
                .unwrap(),
            link("gs1:certificationInfo", "https://certificate.example/001", "Another")
                .with_media_type("application/pdf")
                .unwrap(),
            link("gs1:certificationInfo", "https://certificate.example/002", "Another")
                .with_media_type("application/pdf")
                .unwrap()
                .in_language("en")
                .unwrap(),
            link("gs1:certificationInfo", "https://certificate.example/003", "Another")
                .with_media_type("application/pdf")
                .unwrap()
                .in_language("en")
                .unwrap()
                .in_context("LK")
                .unwrap(),
            link("gs1:homepage", demo, "Menu")
                .with_media_type("text/html")
                .unwrap()
                .in_language("en")
                .unwrap(),
            link("gs1:pip", &format!("{demo}pip"), "Product Info")
                .with_media_type("text/html")
                .unwrap()
                .in_language("en")
                .unwrap(),
            link("gs1:sustainabilityInfo", &format!("{demo}en/sustainability"), "Sustainability")
                .with_media_type("text/html")
                .unwrap()
                .in_language("en")
                .unwrap(),
            link("gs1:sustainabilityInfo", &format!("{demo}fr/sustainability"), "Durabilité")
                .with_media_type("text/html")
                .unwrap()
                .in_language("fr")
                .unwrap(),
            link("gs1:traceability", &format!("{demo}track"), "Track and Trace")
                .with_media_type("text/html")
                .unwrap(),
            link("gs1:traceability", &format!("{demo}track"), "Track and Trace")
                .with_media_type("text/html")
                .unwrap(),
            link("gs1:defaultLink", demo, "Menu"),
        ],
    );
    let serial = standing(
        "/01/09506000164908/21/1234",
        vec![
            link("gs1:dpp", "https://example.com/dpp/7132mlkG", "DPP")
                .with_media_type("application/vc")
                .unwrap(),
        ],
    );
    vec![key, serial]
}

fn ask(path: &str, query: &str, accept: &str, languages: &str, standings: &[Standing]) -> Answer {
    let thing = DigitalLink::parse_path(&format!("{path}?{query}")).unwrap();
    answer(ROOT, &thing, &Request::new(query, accept, languages), standings).unwrap()
}

/// Status, and where to.
fn told(answer: &Answer) -> String {
    let to =
        answer.headers().into_iter().find(|(name, _)| *name == "location").map(|(_, value)| value);
    format!("{} {}", answer.status(), to.unwrap_or_default())
}

#[test]
fn what_the_test_suite_asks() {
    let shirt = shirt();
    let demo = "https://ref.gs1.org/tools/demo/2024retail/";
    let path = "/01/09506000164908";
    for (path, query, accept, languages, right) in [
        (path, "", "", "", format!("307 {demo}")),
        (path, "", "text/html,*/*;q=0.8", "de", format!("307 {demo}")),
        (path, "foo=bar", "", "", format!("307 {demo}?foo=bar")),
        (path, "linkType=gs1:pip", "", "", format!("307 {demo}pip?linkType=gs1:pip")),
        (path, "linkType=gs1%3Apip", "", "", format!("307 {demo}pip?linkType=gs1%3Apip")),
        (
            path,
            "linkType=https://gs1.org/voc/pip",
            "",
            "",
            format!("307 {demo}pip?linkType=https://gs1.org/voc/pip"),
        ),
        (path, "linkType=gs1:nosuchlt", "", "", "404 ".to_owned()),
        (path, "linkType=all", "", "", "200 ".to_owned()),
        (path, "linkType=linkset", "", "", "200 ".to_owned()),
        (path, "", "application/linkset+json", "", "200 ".to_owned()),
        (
            path,
            "linkType=gs1:sustainabilityInfo",
            "text/html",
            "fr",
            format!("307 {demo}fr/sustainability?linkType=gs1:sustainabilityInfo"),
        ),
        (
            path,
            "linkType=gs1:sustainabilityInfo",
            "text/html",
            "de, fr-CH;q=0.5",
            format!("307 {demo}fr/sustainability?linkType=gs1:sustainabilityInfo"),
        ),
        (path, "linkType=gs1:sustainabilityInfo", "text/html", "de", "300 ".to_owned()),
        (path, "linkType=gs1:traceability", "text/html", "", "300 ".to_owned()),
        (path, "linkType=gs1:certificationInfo", "text/html", "", "300 ".to_owned()),
        (
            path,
            "linkType=gs1:certificationInfo",
            "text/html",
            "fr",
            "307 https://www.oeko-tex.com/v/07.BH.52767?linkType=gs1:certificationInfo".to_owned(),
        ),
        (
            path,
            "linkType=gs1:certificationInfo",
            "application/pdf",
            "",
            "307 https://certificate.example/001?linkType=gs1:certificationInfo".to_owned(),
        ),
        (
            path,
            "linkType=gs1:certificationInfo",
            "application/pdf",
            "en",
            "307 https://certificate.example/002?linkType=gs1:certificationInfo".to_owned(),
        ),
        (
            path,
            "linkType=gs1:certificationInfo&context=LK",
            "application/pdf",
            "en",
            "307 https://certificate.example/003?linkType=gs1:certificationInfo&context=LK"
                .to_owned(),
        ),
        // Up the tree: unknown batches and serials are answered by what is above them.
        ("/01/09506000164908/10/KL8G", "", "", "", format!("307 {demo}")),
        (
            "/01/09506000164908/10/KL8G/21/1234",
            "linkType=gs1:dpp",
            "",
            "",
            "307 https://example.com/dpp/7132mlkG?linkType=gs1:dpp".to_owned(),
        ),
        ("/01/09506000164908/21/1234", "", "", "", format!("307 {demo}")),
        ("/01/09506000164908/21/9", "linkType=gs1:dpp", "", "", "404 ".to_owned()),
        ("/01/09506000134352", "", "", "", "404 ".to_owned()),
        ("/01/09506000134352", "linkType=linkset", "", "", "404 ".to_owned()),
    ] {
        assert_eq!(
            told(&ask(path, query, accept, languages, &shirt)),
            right,
            "{path}?{query} {accept} {languages}"
        );
    }
}

#[test]
fn headers_are_those_of_the_standard() {
    let shirt = shirt();
    let headers = ask("/01/09506000164908/21/1234", "", "", "", &shirt).headers();
    assert_eq!(headers[0], ("vary", "Accept, Accept-Language".to_owned()));
    assert_eq!(headers[2], ("link", "<https://id.example.cn/01/09506000164908/21/1234?linkType=linkset>; rel=\"linkset\"; type=\"application/linkset+json\"".to_owned()));
    let answer = ask("/01/09506000164908", "linkType=linkset", "", "", &shirt);
    assert_eq!(answer.headers()[1], ("content-type", "application/linkset+json".to_owned()));
    assert_eq!(
        answer.headers()[2].1,
        "<https://ref.gs1.org/standards/resolver/linkset-context>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\""
    );
    for (accept, content) in [
        ("", "application/linkset+json"),
        ("*/*", "application/linkset+json"),
        ("application/json", "application/linkset+json"),
        ("application/ld+json", "application/ld+json"),
        ("application/linkset", "application/linkset"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/html;q=0.5,application/linkset+json", "application/linkset+json"),
    ] {
        let answer = ask("/01/09506000164908", "linkType=linkset", accept, "", &shirt);
        assert_eq!(answer.headers()[1].1, content, "{accept}");
        assert_eq!(answer.body().is_none(), content.starts_with("text/html"));
    }
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    assert_eq!(ask("/01/09506000164908", "", browser, "zh-CN", &shirt).status(), 307);
}

#[test]
fn one_of_several_defaults_is_chosen_only_by_what_the_request_says() {
    let multi = |href: &str, language: &str| {
        link("gs1:defaultLinkMulti", href, "Seite").in_language(language).unwrap()
    };
    let standings = [standing(
        "/01/09506000164908",
        vec![
            link("gs1:defaultLink", "https://a.cn/", "default"),
            multi("https://a.cn/zh", "zh"),
            multi("https://a.cn/en", "en"),
            link("gs1:pip", "https://a.cn/", "default"),
            link("gs1:pip", "https://a.cn/zh", "default"),
            link("gs1:pip", "https://a.cn/en", "default"),
        ],
    )];
    standings[0].check().unwrap();
    for (languages, right) in [
        ("", "307 https://a.cn/"),
        ("de", "307 https://a.cn/"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "307 https://a.cn/zh"),
        ("en-GB", "307 https://a.cn/en"),
        ("*", "307 https://a.cn/"),
    ] {
        assert_eq!(
            told(&ask("/01/09506000164908", "", "", languages, &standings)),
            right,
            "{languages}"
        );
    }
}

#[test]
fn a_serial_number_comes_before_a_batch_and_a_batch_before_a_variant() {
    let at = |path: &str| {
        standing(path, vec![link("gs1:defaultLink", &format!("https://a.cn{path}"), "x")])
    };
    let path = "/01/09506000164908/22/V/10/B/21/S";
    let mut standings: Vec<Standing> = ["/22/V", "", "/21/S", "/10/B", "/22/V/10/B", "/10/C"]
        .iter()
        .map(|qualifiers| at(&format!("/01/09506000164908{qualifiers}")))
        .collect();
    for next in ["/21/S", "/22/V/10/B", "/10/B", "/22/V", ""] {
        let right = format!("/01/09506000164908{next}");
        assert_eq!(told(&ask(path, "", "", "", &standings)), format!("307 https://a.cn{right}"));
        let linkset = ask(path, "linkType=linkset", "", "", &standings);
        let anchors: Vec<_> =
            linkset.links().unwrap().links().map(|(anchor, _)| anchor.to_owned()).collect();
        assert_eq!(anchors.len(), standings.len() - 1);
        assert_eq!(anchors[0], format!("{ROOT}{right}"));
        standings.retain(|standing| standing.level.path() != right);
    }
    assert_eq!(ask(path, "", "", "", &standings).status(), 404);
    let levels: Vec<String> = levels(&DigitalLink::parse_path(path).unwrap())
        .iter()
        .map(|level| level.path().to_owned())
        .collect();
    assert_eq!(levels.len(), 8);
    assert_eq!(levels[0], path);
    assert_eq!(levels[7], "/01/09506000164908");
}

#[test]
fn what_has_no_default_gets_the_first_link() {
    let standings = [standing(
        "/00/106141411234567897",
        vec![
            link("gs1:epcis", "https://a.cn/epcis", "Events"),
            link("gs1:pip", "https://a.cn/pip", "Page"),
        ],
    )];
    assert_eq!(
        told(&ask("/00/106141411234567897", "", "", "", &standings)),
        "307 https://a.cn/epcis"
    );
    let linkset = ask("/00/106141411234567897", "linkType=linkset", "", "", &standings);
    let json: Value = serde_json::from_str(&linkset.body().unwrap()).unwrap();
    assert_eq!(
        json["linkset"][0]["https://ref.gs1.org/voc/defaultLink"][0]["href"],
        "https://a.cn/epcis"
    );
}

#[test]
fn a_whole_key_can_be_handled_by_another_resolver() {
    let standings = [standing(
        "/01/09506000164908",
        vec![link("gs1:handledBy", "https://brand.example/id/", "Brand")],
    )];
    let answer = ask("/01/09506000164908/21/A%2F1", "linkType=gs1:handledBy", "", "", &standings);
    assert_eq!(
        told(&answer),
        "307 https://brand.example/id/01/09506000164908/21/A%2F1?linkType=gs1:handledBy"
    );
    let answer = ask("/01/09506000164908/21/A%2F1", "a=b", "", "", &standings);
    assert_eq!(told(&answer), "307 https://brand.example/id/01/09506000164908/21/A%2F1?a=b");
    assert_eq!(
        answer.headers()[2].1,
        "<https://brand.example/id/01/09506000164908/21/A%2F1?a=b>; rel=\"https://ref.gs1.org/voc/handledBy\""
    );
}

#[test]
fn queries_are_passed_on_as_they_were_sent() {
    let to =
        |href: &str| [standing("/01/09506000164908", vec![link("gs1:defaultLink", href, "x")])];
    let query = "17=261231;3103=000189&flag&x=%e4";
    for (href, right) in [
        ("https://a.cn/", "https://a.cn/?17=261231;3103=000189&flag&x=%e4"),
        ("https://a.cn/?a=1#top", "https://a.cn/?a=1&17=261231;3103=000189&flag&x=%e4#top"),
        ("https://a.cn/#top", "https://a.cn/?17=261231;3103=000189&flag&x=%e4#top"),
        ("https://a.cn/?", "https://a.cn/?17=261231;3103=000189&flag&x=%e4"),
    ] {
        let thing = DigitalLink::parse_path("/01/09506000164908").unwrap();
        let answer = answer(ROOT, &thing, &Request::new(query, "", ""), &to(href)).unwrap();
        assert_eq!(told(&answer), format!("307 {right}"));
    }
    let quiet = [standing(
        "/01/09506000164908",
        vec![link("gs1:defaultLink", "https://a.cn/", "x").without_query()],
    )];
    assert_eq!(told(&ask("/01/09506000164908", "a=b", "", "", &quiet)), "307 https://a.cn/");
}

#[test]
fn choices_and_what_is_missing_are_linksets_too() {
    let shirt = shirt();
    let choices = ask("/01/09506000164908", "linkType=gs1:sustainabilityInfo", "", "", &shirt);
    let json: Value = serde_json::from_str(&choices.body().unwrap()).unwrap();
    rules::check(&json);
    assert_eq!(
        json["linkset"][0]["https://ref.gs1.org/voc/sustainabilityInfo"].as_array().unwrap().len(),
        2
    );
    let missing = ask("/01/09506000164908", "linkType=gs1:recipeInfo", "", "", &shirt);
    rules::check(&serde_json::from_str(&missing.body().unwrap()).unwrap());
    assert_eq!(ask("/01/09506000134352", "", "", "", &shirt).body(), None);
}

#[test]
fn linksets_keep_the_rules_of_rfc_9264_and_of_gs1() {
    let shirt = shirt();
    let answer = ask("/01/09506000164908/21/1234", "linkType=linkset", "", "", &shirt);
    let json: Value = serde_json::from_str(&answer.body().unwrap()).unwrap();
    rules::check(&json);
    assert_eq!(json["linkset"][0]["anchor"], "https://id.example.cn/01/09506000164908/21/1234");
    assert_eq!(json["linkset"][1]["anchor"], "https://id.example.cn/01/09506000164908");
    assert_eq!(
        json["linkset"][1]["https://ref.gs1.org/voc/certificationInfo"][5]["context"][0],
        "LK"
    );
    let long = standing(
        "/8004/9506000A",
        vec![
            link("gs1:pip", "https://a.cn/", "产品")
                .in_language("zh-Hans-CN")
                .unwrap()
                .in_language("fil")
                .unwrap()
                .in_language("es-419")
                .unwrap(),
        ],
    );
    let answer = ask("/8004/9506000A", "linkType=linkset", "", "", std::slice::from_ref(&long));
    let json: Value = serde_json::from_str(&answer.body().unwrap()).unwrap();
    rules::check(&json);
    assert_eq!(
        json["linkset"][0]["https://ref.gs1.org/voc/pip"][0]["hreflang"],
        serde_json::json!(["zh-CN", "es"])
    );
    let text = ask("/8004/9506000A", "linkType=linkset", "application/linkset", "", &[long])
        .body()
        .unwrap();
    assert_eq!(
        text,
        "<https://a.cn/>; rel=\"https://ref.gs1.org/voc/pip\"; anchor=\"https://id.example.cn/8004/9506000A\"; title*=UTF-8''%E4%BA%A7%E5%93%81; hreflang=\"zh-Hans-CN\"; hreflang=\"fil\"; hreflang=\"es-419\",\n<https://a.cn/>; rel=\"https://ref.gs1.org/voc/defaultLink\"; anchor=\"https://id.example.cn/8004/9506000A\"; title*=UTF-8''%E4%BA%A7%E5%93%81"
    );
}

#[test]
fn the_description_keeps_its_schema() {
    let description = Description {
        root: "https://id.example.cn/".to_owned(),
        name: "Weir".to_owned(),
        keys: Vec::new(),
        contexts: vec!["CN".to_owned()],
        contact: Some("Example".to_owned()),
    };
    let json = description.json().unwrap();
    assert_eq!(json["resolverRoot"], "https://id.example.cn");
    assert_eq!(json["supportedPrimaryKeys"], serde_json::json!(["all"]));
    assert_eq!(json["supportedLinkType"][0]["prefix"], "gs1:");
    let keys = ["01", "8004"].iter().map(|code| crate::Ai::find(code).unwrap()).collect();
    let some = Description { keys, ..description.clone() }.json().unwrap();
    assert_eq!(some["supportedPrimaryKeys"], serde_json::json!(["01", "8004"]));
    assert!(Description { root: "id.example.cn".to_owned(), ..description }.json().is_err());
}

#[test]
fn links_that_cannot_be_registered() {
    for text in
        ["", "pip x", "gs1:", "gs1:a/b", "https://", "https://a.cn/voc#pip", "PIP", "ftp://a"]
    {
        assert!(LinkType::parse(text).is_err(), "{text}");
    }
    let pip = LinkType::parse("https://www.gs1.org/voc/pip").unwrap();
    assert_eq!((pip.as_str(), pip.short().as_str()), ("https://ref.gs1.org/voc/pip", "gs1:pip"));
    for href in [
        "",
        "a.cn",
        "javascript:alert(1)",
        "https:///x",
        "https://a.cn/ x",
        "https://a.cn/\r\nx: y",
        "https://a.cn/中",
    ] {
        assert!(Link::new(pip.clone(), href, "t").is_err(), "{href}");
    }
    assert!(Link::new(pip.clone(), "https://a.cn/", " ").is_err());
    assert!(Link::new(pip.clone(), "https://a.cn/", "a\nb").is_err());
    let link = Link::new(pip, "https://a.cn/", "t").unwrap();
    for tag in ["", "z", "zh_CN", "zh-", "-zh", "12"] {
        assert!(link.clone().in_language(tag).is_err(), "{tag}");
    }
    for name in ["", "text", "text/", "text/html; charset=utf-8", "a b/c"] {
        assert!(link.clone().with_media_type(name).is_err(), "{name}");
    }
    assert!(link.in_context("").is_err());
}

#[test]
fn what_is_registered_keeps_the_rules() {
    let default = || self::link("gs1:defaultLink", "https://a.cn/", "x");
    let pip = || self::link("gs1:pip", "https://a.cn/", "x");
    let check = |links: Vec<Link>| {
        standing("/01/09506000164908", links).check().map_err(|error| error.to_string())
    };
    assert_eq!(check(vec![default(), pip()]), Ok(()));
    assert_eq!(
        check(vec![default()]).unwrap_err(),
        "a link's type “gs1:defaultLink” also needs a link that says what its target is, such as gs1:pip"
    );
    assert_eq!(
        check(vec![default(), default(), pip()]).unwrap_err(),
        "a link's type “gs1:defaultLink” stands twice, and there is one default at a level"
    );
    assert_eq!(
        check(vec![default().in_language("zh").unwrap(), pip()]).unwrap_err(),
        "a link's type “gs1:defaultLink” takes a title and nothing else; choices are gs1:defaultLinkMulti"
    );
    let both = standing("/01/09506000164908/10/B/21/A", vec![default(), pip()]);
    assert_eq!(
        both.check().unwrap_err().to_string(),
        "a link's level “/01/09506000164908/10/B/21/A” has a serial number, beside which no batch and no variant is registered"
    );
    assert!(standing("/01/09506000164908/22/V/10/B", vec![default(), pip()]).check().is_ok());
}

fn arbitrary_link() -> impl Strategy<Value = Link> {
    let kinds = [
        "gs1:pip",
        "gs1:defaultLink",
        "gs1:defaultLinkMulti",
        "gs1:handledBy",
        "describedby",
        "http://schema.org/image",
    ];
    let kinds = prop::sample::select(kinds.to_vec());
    (
        kinds,
        "[!#-;=?-Z_a-z~]{0,20}",
        "[ -~é中]{0,12}x",
        prop::collection::vec("[a-z]{2,3}(-[A-Z]{2}|-[A-Za-z0-9]{4})?", 0..3),
        prop::option::of("[a-z]{1,4}/[a-z+.]{1,8}"),
        prop::collection::vec("[A-Z]{2}", 0..2),
    )
        .prop_filter_map("a link", |(kind, rest, title, languages, media_type, contexts)| {
            let mut link =
                Link::new(LinkType::parse(kind).ok()?, &format!("https://a{rest}"), &title).ok()?;
            for language in languages {
                link = link.in_language(&language).ok()?;
            }
            for context in contexts {
                link = link.in_context(&context).ok()?;
            }
            match media_type {
                Some(media_type) => link.with_media_type(&media_type).ok(),
                None => Some(link),
            }
        })
}

proptest! {
    #[test]
    fn any_request_gets_an_answer_that_keeps_the_rules(
        key in prop::collection::vec(arbitrary_link(), 0..6),
        serial in prop::collection::vec(arbitrary_link(), 0..6),
        query in "(linkType=(gs1:pip|gs1:defaultLink|linkset|all|describedby|x|%)|context=[A-Z]{2}|[!-~]{0,8}){0,2}",
        accept in "(text/html|application/linkset(\\+json)?|application/json|\\*/\\*|[!-~]{0,9})?(;q=0.[0-9])?",
        languages in "([a-z]{2}(-[A-Z]{2})?(;q=0.[0-9])?,?){0,3}",
    ) {
        let standings = [standing("/01/09506000164908", key), standing("/01/09506000164908/21/A", serial)];
        let thing = DigitalLink::parse_path("/01/09506000164908/10/B/21/A").unwrap();
        let request = Request::new(&query, &accept, &languages);
        let answer = answer(ROOT, &thing, &request, &standings).unwrap();
        let nothing = standings.iter().all(|standing| standing.links.is_empty());
        prop_assert!(!nothing || answer.status() == 404);
        if let Some(links) = answer.links() {
            rules::check(&links.json());
            let several = links.links().count();
            prop_assert!(answer.status() != 300 || several > 1);
        }
        for (_, value) in answer.headers() {
            prop_assert!(!value.contains(['\r', '\n']));
        }
    }
}
