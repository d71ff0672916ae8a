//! What hostile clients send, and what hostile records hold.

use http::{Method, Uri};
use proptest::prelude::*;

use super::service::Service;

#[tokio::test]
async fn what_a_record_holds_stays_text() {
    let service = Service::new().await;
    let markup = "</p></section><script>alert(1)</script><img src=x onerror=alert(2)>\"'&";
    service
        .put(
            "88.100/<script>x</script>",
            &[
                ("<b onclick=alert(3)>", markup),
                ("URL", "javascript:alert(4)"),
                ("URL", "https://example.org/\"><script>alert(5)</script>"),
                ("EMAIL", "a@b?subject=\"><script>"),
                ("DESC", "a\u{202e}b\u{0}c\u{7}"),
                ("HS_ALIAS", "88.100/\"><script>"),
                ("HS_SIGNATURE", "a.b.c"),
            ],
        )
        .await;
    let page = service.page("/88.100/%3Cscript%3Ex%3C%2Fscript%3E", "en").await;
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(
        !text.contains("<script") && !text.contains("<img src=x") && !text.contains("<b "),
        "{text}"
    );
    assert!(!text.contains("href=\"javascript") && !text.contains("mailto:a@b?"));
    assert!(!text.contains(['\u{202e}', '\u{0}', '\u{7}']));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    // The first address of the record is none, and the second is none either.
    let silent = service.get("/88.100/%3Cscript%3Ex%3C%2Fscript%3E", &[]).await;
    assert_eq!((silent.status.as_u16(), silent.header("location")), (200, ""));
}

#[tokio::test]
async fn private_values_never_leave() {
    let service = Service::new().await;
    service.put_values("88.100/secret", &[("URL", b"https://hidden.example/")], "1100").await;
    service.put_values("88.100/nobody", &[("URL", b"https://hidden.example/")], "0000").await;
    service
        .put_values("gs1/01/09506000134352", &[("gs1:pip", b"https://hidden.example/")], "1100")
        .await;
    for uri in [
        "/88.100/secret",
        "/88.100/nobody",
        "/api/handles/88.100/secret",
        "/api/handles/88.100/secret?publicOnly=false",
        "/api/handles/88.100/secret?auth&publicOnly=false&index=1",
        "/api/handles/88.100/nobody?publicOnly=false",
        "/01/09506000134352",
        "/01/09506000134352?linkType=linkset",
        "/gs1/01/09506000134352",
    ] {
        for accept in ["text/html", "application/json", "*/*"] {
            let got = service.get(uri, &[("accept", accept)]).await;
            let told = format!("{:?} {}", got.headers, got.text());
            assert!(!told.contains("hidden.example"), "{uri}: {told}");
        }
        let got = service.get(uri, &[]).await;
        assert_eq!(got.header("location"), "", "{uri}");
    }
}

#[tokio::test]
async fn nothing_is_changed_without_a_proof() {
    let service = Service::recorded().await;
    for method in [Method::PUT, Method::DELETE, Method::POST, Method::PATCH] {
        let uri = "/api/handles/99.1000/simple";
        let basic = [("authorization", "Basic MzAxJTNBMC5OQS85OS4xMDAwOng=")];
        let got = service.call(method.clone(), uri, &basic, b"{\"values\":[]}".to_vec()).await;
        assert_eq!(got.status, 403, "{method}");
        assert_eq!(got.json()["responseCode"], 402);
        let got = service.call(method.clone(), "/99.1000/simple", &basic, Vec::new()).await;
        assert_eq!(got.status, 405, "{method}");
        assert!(got.header("allow").contains("GET"));
    }
    let got = service.get("/api/handles/99.1000/simple", &[]).await;
    assert_eq!(got.json()["values"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn tricks_with_paths_get_nowhere() {
    let service = Service::recorded().await;
    for (uri, status) in [
        ("/api/handles/99.1000%2Fsimple", 200),
        ("/api/handles/99.1000/%73imple", 200),
        ("/api/handles/99.1000/simple%00", 404),
        ("/api/handles/99.1000/simple%0d%0aset-cookie:%20a=b", 404),
        ("/api/handles/99.1000/%2573imple", 404),
        ("/api/handles/99.1000/%C0%AFsimple", 400),
        ("/api/handles/99.1000/%", 400),
        ("/api/handles/99.1000/%4", 400),
        ("/api/handles/99.1000/%zz", 400),
        ("/api/handles/../site", 400),
        ("/api/handles/99.1000/simple?callback=alert(1)//", 400),
        ("/api/handles/99.1000/simple?callback=%3Cscript%3E", 400),
        ("/api/handles/99.1000/simple?callback=1a", 400),
        ("/api/handles/99.1000/simple?index=99999999999", 400),
        ("/api/handles/99.1000/simple?index=-1", 200),
        ("/api/handles/?prefix=99.1000", 403),
        ("/api/handles/99.1000/simple?type=%ff%fe", 200),
        ("/api", 404),
        ("/api/", 404),
        ("/api/handlesx/99.1000/simple", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/%ff", 400),
        ("/01/%ff", 400),
        ("//evil.example/", 404),
        ("/99.1000/%E2%80%AEevil", 404),
    ] {
        let got = service.get(uri, &[("accept", "*/*")]).await;
        assert_eq!(got.status, status, "{uri}: {}", got.text());
        assert!(got.headers.get("set-cookie").is_none());
    }
    // Links on a page of such a path stay on this host.
    let page = service.page("//evil.example/", "en").await.text();
    assert!(!page.contains("href=\"//") && !page.contains("src=\"//"), "{page}");
}

#[tokio::test]
async fn everything_has_its_bound() {
    let service = Service::recorded().await;
    let long = format!("/99.1000/{}", "a".repeat(8_200));
    assert_eq!(service.page(&long, "en").await.status, 414);
    let many = format!("/api/handles/99.1000/simple?{}", "type=URL&".repeat(65));
    assert_eq!(service.get(&many, &[]).await.status, 400);
    let name = format!("/api/handles/99.1000/{}", "a".repeat(2_049));
    assert_eq!(service.get(&name, &[]).await.status, 400);
    // A page shows the front of what is long.
    let data = "é".repeat(100_000);
    service.put("88.100/long", &[("DESC", &data)]).await;
    let page = service.page("/88.100/long", "en").await;
    assert!(page.body.len() < 20_000 && page.text().contains("shortened"));
    let values: Vec<(String, &[u8])> = (0..2_000).map(|at| (format!("T{at}"), &b"x"[..])).collect();
    let values: Vec<(&str, &[u8])> =
        values.iter().map(|(kind, data)| (kind.as_str(), *data)).collect();
    service.put_values("88.100/many", &values, "1110").await;
    let page = service.page("/88.100/many", "en").await;
    assert!(page.body.len() < 60_000 && page.text().contains("1900 more values"));
    let json = service.get("/api/handles/88.100/many", &[]).await.json();
    assert_eq!(json["values"].as_array().unwrap().len(), 2_000);
}

/// Pieces of addresses, well formed and not.
const PIECES: [&str; 22] = [
    "/",
    "//",
    "%2F",
    "%",
    "%0",
    "%00",
    "%ff",
    "%E4%B8%AD",
    ".",
    "..",
    "api/handles/",
    "api/qr/",
    "01/",
    "21/",
    "09506000134352",
    "99.1000",
    "simple",
    "gs1",
    "?",
    "=",
    "linkType=linkset",
    "中",
];

#[test]
fn whatever_is_asked_is_answered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(Service::recorded());
    let address = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12);
    let accept = prop::sample::select(&["text/html", "application/json", "*/*", "/;q=2,", ""][..]);
    proptest!(ProptestConfig::with_cases(1_000), |(address in address, accept in accept)| {
        let address = format!("/{}", address.concat());
        if address.parse::<Uri>().is_ok() {
            let got = runtime.block_on(service.get(&address, &[("accept", accept)]));
            prop_assert!(got.status.as_u16() < 500, "{} {}", address, got.status);
            prop_assert_eq!(got.header("x-content-type-options"), "nosniff");
            let location = got.header("location");
            prop_assert!(!location.starts_with("//"), "{} {}", address, location);
        }
    });
}
