//! GS1 Digital Links and QR codes.

use http::Method;

use super::service::{ROOT, Service};

const PRODUCT: &str = "/01/09506000134352";

async fn shop() -> Service {
    let service = Service::new().await;
    let chinese = r#"{"href":"https://example.cn/zh","title":"产品信息","hreflang":"zh-CN","type":"text/html"}"#;
    let english = r#"{"href":"https://example.cn/en","title":"Product","hreflang":["en"],"type":"text/html"}"#;
    let values = [
        ("DESC", "A pump"),
        ("gs1:defaultLink", "https://example.cn/p/1?a=b"),
        ("gs1:pip", "https://example.cn/p/1?a=b"),
        ("gs1:pip", chinese),
        ("gs1:pip", english),
        ("gs1:instructions", r#"{"href":"https://example.cn/manual","fwqs":false}"#),
        ("gs1:support", "javascript:alert(1)"),
        ("gs1:traceability", "{broken"),
        ("URL", "https://elsewhere.example/"),
    ];
    service.put("gs1/01/09506000134352", &values).await;
    let one = [
        ("gs1:pip", "https://example.cn/serial"),
        ("gs1:certificationInfo", "https://example.cn/<c>"),
    ];
    service.put("gs1/01/09506000134352/21/S1", &one).await;
    service
}

#[tokio::test]
async fn a_scan_is_led_on() {
    let service = shop().await;
    let location = |headers: &'static [(&'static str, &'static str)], uri: String| {
        let service = &service;
        async move {
            let got = service.get(&uri, headers).await;
            (got.status.as_u16(), got.header("location").to_owned())
        }
    };
    let browser: &[(&str, &str)] =
        &[("accept", "text/html,*/*;q=0.8"), ("accept-language", "zh-CN,en;q=0.5")];
    let got = location(browser, PRODUCT.to_owned()).await;
    assert_eq!(got, (307, "https://example.cn/p/1?a=b".to_owned()));
    let got = location(browser, format!("{PRODUCT}?17=261231")).await;
    assert_eq!(got.1, "https://example.cn/p/1?a=b&17=261231");
    let got = location(browser, format!("{PRODUCT}?linkType=gs1:pip")).await;
    assert_eq!(got.1, "https://example.cn/zh?linkType=gs1:pip");
    let english = &[("accept", "text/html"), ("accept-language", "en-GB")];
    let got = location(english, format!("{PRODUCT}?linkType=gs1:pip")).await;
    assert_eq!(got.1, "https://example.cn/en?linkType=gs1:pip");
    let got = location(&[], format!("{PRODUCT}?linkType=gs1:instructions")).await;
    assert_eq!(got.1, "https://example.cn/manual");
    // A batch and a serial number: the most granular record that there is.
    let got = location(&[], format!("{PRODUCT}/10/B7/21/S1?linkType=gs1:pip")).await;
    assert_eq!(got.1, "https://example.cn/serial?linkType=gs1:pip");
    // Serial numbers differ by case, though handles do not.
    let got = location(&[], format!("{PRODUCT}/21/s1?linkType=gs1:instructions")).await;
    assert_eq!(got.1, "https://example.cn/manual");
    let got = location(&[], format!("{PRODUCT}/21/s1")).await;
    assert_eq!(got.1, "https://example.cn/p/1?a=b");
    // What is no address of the web leads nowhere.
    let got = location(&[], format!("{PRODUCT}?linkType=gs1:support")).await;
    assert_eq!(got, (404, String::new()));
    let head = service.call(Method::HEAD, PRODUCT, &[], Vec::new()).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (307, 0));
    assert!(head.header("link").contains("rel=\"linkset\""));
    assert_eq!(head.header("access-control-allow-origin"), "*");
    let options = service.call(Method::OPTIONS, PRODUCT, &[], Vec::new()).await;
    assert_eq!(options.status, 204);
}

#[tokio::test]
async fn links_come_as_a_set_and_as_a_page() {
    let service = shop().await;
    let uri = format!("{PRODUCT}/21/S1?linkType=linkset");
    let got = service.get(&uri, &[]).await;
    assert_eq!(
        (got.status.as_u16(), got.header("content-type")),
        (200, "application/linkset+json")
    );
    let sets = got.json();
    let first = &sets["linkset"][0];
    assert_eq!(first["anchor"], format!("{ROOT}{PRODUCT}/21/S1"));
    assert_eq!(sets["linkset"][1]["itemDescription"], "A pump");
    let pip = &sets["linkset"][1]["https://ref.gs1.org/voc/pip"];
    assert_eq!(pip[1]["hreflang"][0], "zh-CN");
    assert!(!got.header("etag").is_empty());
    let page = service.page(&uri, "zh").await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let text = page.text();
    assert!(text.contains("产品信息") && text.contains("A pump"), "{text}");
    assert!(text.contains("application/ld+json"));
    // An address that is not well formed is no link, and no element either.
    assert!(!text.contains("<c>") && !text.contains("javascript:"));
}

#[tokio::test]
async fn what_is_no_thing_is_told_why() {
    let service = shop().await;
    let wrong = service.get("/01/09506000134353", &[]).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("check digit"), "{}", wrong.text());
    let page = service.page("/01/09506000134353", "en").await;
    assert_eq!(page.status, 400);
    assert!(
        page.header("content-type").starts_with("text/html") && page.text().contains("check digit")
    );
    assert_eq!(service.get("/01/09506000134352/99/x", &[]).await.status, 400);
    let unknown = service.get("/01/04012345123456", &[]).await;
    assert_eq!((unknown.status.as_u16(), unknown.header("location")), (404, ""));
    assert_eq!(service.page("/01/04012345123456", "en").await.status, 404);
    service.withdraw("gs1/01/09506000134352/21/S1").await;
    let gone = format!("{PRODUCT}/21/S1");
    assert_eq!(service.get(&gone, &[]).await.status, 410);
    assert_eq!(service.page(&gone, "zh").await.status, 410);
    assert_eq!(service.get(PRODUCT, &[]).await.status, 307);
    let described = service.get("/.well-known/gs1resolver", &[]).await.json();
    assert_eq!(described["resolverRoot"], ROOT);
    assert_eq!(described["supportedPrimaryKeys"][0], "all");
}

#[tokio::test]
async fn a_service_without_an_address_is_called_what_requests_call_it() {
    let service = Service::at(None).await;
    for (host, root) in [
        ("id.plant.example:8000", "http://id.plant.example:8000"),
        ("[2001:db8::1]:80", "http://[2001:db8::1]:80"),
        ("evil\"><script>", "http://localhost"),
        ("user@evil.example", "http://localhost"),
        ("", "http://localhost"),
    ] {
        let got = service.get("/.well-known/gs1resolver", &[("host", host)]).await;
        assert_eq!(got.json()["resolverRoot"], root, "{host}");
    }
    let got = service.get("http://id.two.example/.well-known/gs1resolver", &[]).await;
    assert_eq!(got.json()["resolverRoot"], "http://id.two.example");
}

#[tokio::test]
async fn codes_are_drawn() {
    let service = Service::new().await;
    let svg = service.get("/api/qr/88.100/pump-7", &[]).await;
    assert_eq!((svg.status.as_u16(), svg.header("content-type")), (200, "image/svg+xml"));
    assert!(svg.text().starts_with("<svg "));
    let png = service.get("/api/qr/88.100%2Fpump-7?format=png&size=200&level=H", &[]).await;
    assert_eq!(png.header("content-type"), "image/png");
    assert!(png.body.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Bare digits, brackets and a path are one thing, and one code.
    let codes = ["6901234567892", "(01)06901234567892", "01/06901234567892", "gtin/6901234567892"];
    let mut drawn = Vec::new();
    for code in codes {
        let got = service.get(&format!("/api/qr/{code}"), &[]).await;
        assert_eq!(got.status, 200, "{code}");
        drawn.push(got.body);
    }
    assert!(drawn.iter().all(|code| *code == drawn[0]));
    for wrong in [
        "/api/qr/",
        "/api/qr/88.100/x?format=gif",
        "/api/qr/88.100/x?size=0",
        "/api/qr/88.100/x?size=5000",
        "/api/qr/88.100/x?size=9",
        "/api/qr/88.100/x?level=Z",
        "/api/qr/(01)123",
        "/api/qr/88.100/%ff",
    ] {
        assert_eq!(service.get(wrong, &[]).await.status, 400, "{wrong}");
    }
    let long = format!("/api/qr/88.100/{}", "x".repeat(2_041));
    assert_eq!(service.get(&long, &[]).await.status, 200);
    assert_eq!(service.get(&format!("{long}?level=H"), &[]).await.status, 400);
}
