use super::{Asset, asset, index, is_built, paths};

#[test]
fn the_index_is_a_page_whatever_was_built() {
    let index = index();
    assert_eq!(index.content_type, "text/html; charset=utf-8");
    let (encoding, bytes) = index.best(false, false).unwrap();
    assert_eq!((encoding, bytes.len()), (None, index.length));
    assert!(std::str::from_utf8(bytes).unwrap().contains("<!doctype html>") || is_built());
    assert!(!index.immutable);
}

#[test]
fn every_path_is_found_and_can_be_sent_to_a_browser() {
    let sorted = paths().collect::<Vec<_>>();
    assert!(sorted.is_sorted());
    for path in sorted {
        let asset = asset(path).unwrap();
        assert!(asset.best(true, true).is_some(), "{path}");
        assert!(asset.etag.starts_with('"') && asset.etag.ends_with('"'));
        assert!(!path.ends_with(".map"), "source maps stay out of the program: {path}");
    }
    assert!(asset("no/such/file.js").is_none());
    assert_eq!(is_built(), asset("index.html").is_some());
}

#[test]
fn the_smallest_accepted_form_is_chosen() {
    let asset = Asset {
        identity: None,
        gzip: Some(b"gz"),
        brotli: Some(b"br"),
        length: 9,
        content_type: "text/css",
        etag: "\"1\"",
        immutable: true,
    };
    assert_eq!(asset.best(true, true).unwrap().0, Some("br"));
    assert_eq!(asset.best(false, true).unwrap().0, Some("gzip"));
    assert!(asset.best(false, false).is_none());
}
