//! Pages for people.

use super::service::Service;

#[tokio::test]
async fn a_record_is_shown_in_both_languages() {
    let service = Service::recorded().await;
    let english = service.page("/99.1000/simple", "en-GB,en;q=0.8").await;
    assert_eq!(english.status, 200);
    assert_eq!(english.header("content-language"), "en");
    assert_eq!(english.header("cache-control"), "public, max-age=86400");
    assert!(english.header("vary").contains("Accept-Language"));
    let text = english.text();
    for part in [
        "<html lang=\"en\">",
        "<a href=\"https://example.invalid/a\" rel=\"noopener noreferrer nofollow\">",
        "<a href=\"mailto:someone@example.invalid\">",
        "a plain record",
        "2024-01-02 03:04:05 UTC",
        "may be kept for 1 day",
        "<a href=\"/0.NA/99.1000\">200:0.NA/99.1000</a>",
        "<code>111111110011</code>",
        "/api/handles/99.1000/simple?pretty",
        "/api/qr/99.1000/simple",
        "Answered by Test node &lt;一&gt;",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let chinese = service.page("/99.1000%2Fsimple", "zh-CN,zh;q=0.9").await.text();
    for part in ["<html lang=\"zh-CN\">", "网址", "描述", "更新于", "可缓存 1 天", "管理者"]
    {
        assert!(chinese.contains(part), "{part}: {chinese}");
    }
    assert!(service.page("/99.1000/simple?lang=en", "zh").await.text().contains("may be kept"));
}

#[tokio::test]
async fn every_recorded_record_has_a_page() {
    let service = Service::recorded().await;
    let records = super::service::recording("resolver/tests/data/records.json.gz");
    for name in records.as_object().unwrap().keys() {
        let path: String =
            percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        let page = service.page(&format!("/{path}"), "en").await;
        assert_eq!(page.status, 200, "{name}");
        let text = page.text();
        assert!(text.ends_with("</body></html>\n") && !text.contains("test-secret"), "{name}");
    }
    let system = service.page("/99.1000/system", "en").await.text();
    assert!(system.contains("RSA 2048") && system.contains("127.0.0.1"), "{system}");
}

#[tokio::test]
async fn programs_get_json_and_browsers_a_page() {
    let service = Service::recorded().await;
    let json = service.get("/99.1000/simple", &[("accept", "application/json")]).await;
    assert_eq!(json.json()["values"][0]["type"], "URL");
    let any = service.get("/99.1000/simple", &[("accept", "*/*")]).await;
    assert!(any.header("content-type").starts_with("text/html"));
    let silent = service.get("/99.1000/simple", &[]).await;
    assert_eq!(
        (silent.status.as_u16(), silent.header("location")),
        (302, "https://example.invalid/a")
    );
    // Without an address there is nothing to be led to.
    let silent = service.get("/99.1000/types", &[]).await;
    assert!(silent.status == 200 || silent.status == 302);
}

#[tokio::test]
async fn what_cannot_be_shown_is_told() {
    let service = Service::recorded().await;
    let unknown = service.page("/99.1000/nothing", "en").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("There is no record of this identifier."));
    assert_eq!(unknown.header("cache-control"), "no-cache");
    let foreign = service.page("/77.7/x", "zh").await;
    assert_eq!(foreign.status, 404);
    assert!(foreign.text().contains("不归本节点解析"));
    let private = service.page("/99.1000/allhidden", "en").await;
    assert_eq!(private.status, 200);
    assert!(private.text().contains("nothing of it is for everyone"));
    service.withdraw("99.1000/simple").await;
    let gone = service.page("/99.1000/simple", "en").await;
    assert_eq!(gone.status, 410);
    assert!(!gone.text().contains("example.invalid"));
    let json = service.get("/api/handles/99.1000/simple", &[]).await;
    assert_eq!((json.status.as_u16(), json.json()["responseCode"].as_u64()), (404, Some(100)));
}

#[tokio::test]
async fn one_searches_on_the_first_page() {
    let service = Service::recorded().await;
    let root = service.page("/", "en").await;
    assert_eq!(root.status, 200);
    assert!(root.text().contains("<form action=\"/\""));
    for (asked, path) in [
        ("99.1000%2Fsimple", "/99.1000/simple"),
        ("hdl:99.1000/a+b", "/99.1000/a%20b"),
        ("6901234567892", "/01/06901234567892?linkType=linkset"),
        ("(01)06901234567892(21)S1", "/01/06901234567892/21/S1?linkType=linkset"),
        ("VAA08810012345678/pump-7", "/88.100.12345678/pump-7"),
        ("//evil.example/x", "/%2F%2Fevil.example%2Fx"),
        ("88.100/../x", "/88.100%2F..%2Fx"),
    ] {
        let got = service.page(&format!("/?q={asked}"), "en").await;
        assert_eq!((got.status.as_u16(), got.header("location")), (303, path), "{asked}");
    }
    let got = service.page("/?q=%3Cscript%3E", "en").await;
    assert_eq!(got.status, 404);
    assert!(got.text().contains("&lt;script&gt;") && !got.text().contains("<script"));
}
