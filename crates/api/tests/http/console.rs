//! The console's files.

use crate::bench::Bench;

#[tokio::test]
async fn every_address_that_a_browser_opens_is_the_first_page() {
    let bench = Bench::new().await;
    for uri in ["/", "/tags/88.100%2Fx", "/login"] {
        let page = bench.get(uri).header("accept", "text/html,*/*").send().await;
        assert_eq!(page.status, 200, "{uri}");
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        assert_eq!(page.header("cache-control"), "no-cache");
        let etag = page.header("etag").to_owned();
        let same = bench.get(uri).header("accept", "text/html").header("if-none-match", &etag);
        let same = same.send().await;
        assert_eq!(same.status, 304);
        assert!(same.body.is_empty());
    }
    let put =
        bench.call(http::Method::PUT, "/tags", None).header("accept", "text/html").send().await;
    put.problem("method-not-allowed");
    bench.get("/api").header("accept", "text/html").send().await.problem("not-found");
    bench.get("/no/file.js").send().await.problem("not-found");
}

#[tokio::test]
async fn files_come_in_the_coding_that_is_taken() {
    let bench = Bench::new().await;
    for path in weir_console::paths() {
        let asset = weir_console::asset(path).unwrap();
        let plain = bench.get(&format!("/{path}")).send().await;
        assert_eq!((plain.status.as_u16(), plain.body.len()), (200, asset.length), "{path}");
        assert_eq!(plain.header("content-encoding"), "");
        if asset.gzip.is_some() {
            let packed =
                bench.get(&format!("/{path}")).header("accept-encoding", "gzip").send().await;
            assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
        }
        if asset.immutable {
            assert!(plain.header("cache-control").contains("immutable"), "{path}");
        }
    }
}
