use super::*;

use proptest::prelude::*;

const SIZED: &str = "--b\r\nContent-type: text/xml\r\nContent-length: 4\r\n\r\n<a/>\r\n\r\n--b\r\nContent-Length:6\r\n\r\n<b>-</\r\n--b--\r\n";
const OPEN: &str = "\r\n--b\nContent-type: text/xml\n\n<a/>\r\n--b\nContent-type: text/xml\n\n<b>-</b>\r\n--b\r\nX";

fn parts(text: &[u8], step: usize) -> Result<Vec<String>, MultipartError> {
    let mut multipart = Multipart::new("b");
    let mut found = Vec::new();
    for bytes in text.chunks(step.max(1)) {
        multipart.push(bytes);
        while let Some(part) = multipart.next()? {
            found.push(String::from_utf8_lossy(&part).trim().to_owned());
        }
    }
    Ok(found)
}

#[test]
fn cuts_parts_wherever_the_bytes_are_split() {
    for step in 1..SIZED.len() {
        assert_eq!(parts(SIZED.as_bytes(), step).unwrap(), ["<a/>", "<b>-</"], "{step}");
        assert_eq!(parts(OPEN.as_bytes(), step).unwrap(), ["<a/>", "<b>-</b>"], "{step}");
    }
    let mut multipart = Multipart::new("b");
    multipart.push(b"--b--\r\n");
    assert_eq!(multipart.next(), Ok(None));
    assert!(multipart.is_ended());
}

#[test]
fn refuses_what_has_no_bounds() {
    let one = |text: &str| parts(text.as_bytes(), 7).unwrap_err();
    assert_eq!(one("HTTP"), MultipartError::Boundary);
    assert_eq!(one("--b\r\nContent-length: many\r\n\r\n"), MultipartError::Length);
    assert_eq!(one("--b\r\nContent-length: -1\r\n\r\n"), MultipartError::Length);
    assert_eq!(one("--b\r\nContent-length: 99999999999\r\n\r\n"), MultipartError::Part);
    assert_eq!(
        one(&format!("--b\r\nX: {}", "y".repeat(HEAD_BYTES_MAX + 10))),
        MultipartError::Head
    );
    let mut multipart = Multipart::new("b");
    multipart.push(b"--b\r\nX: y\r\n\r\n");
    multipart.push(&vec![b'z'; PART_BYTES_MAX + 1]);
    assert_eq!(multipart.next(), Err(MultipartError::Part));
}

#[test]
fn finds_the_boundary() {
    assert_eq!(boundary("multipart/x-mixed-replace;boundary=a1").as_deref(), Some("a1"));
    assert_eq!(boundary("Multipart/Mixed; charset=x; Boundary=\"--a 1\"").as_deref(), Some("a 1"));
    assert_eq!(boundary("text/xml; boundary=a"), None);
    assert_eq!(boundary("multipart/x-mixed-replace"), None);
    assert_eq!(boundary("multipart/x-mixed-replace;boundary="), None);
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1usize..50) {
        let _ = parts(&bytes, step);
    }

    #[test]
    fn damaged_streams_end_without_a_panic(at in 0..SIZED.len(), byte in any::<u8>(), step in 1usize..50) {
        let mut bytes = SIZED.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parts(&bytes, step);
    }

    #[test]
    fn parts_survive_any_split(texts in prop::collection::vec("[a-z<>\\r\\n]{0,40}", 0..6), step in 1usize..60) {
        let mut stream = String::new();
        for text in &texts {
            stream.push_str(&format!("--b\r\nContent-length: {}\r\n\r\n{text}\r\n", text.len()));
        }
        let trimmed: Vec<_> = texts.iter().map(|t| t.trim().to_owned()).collect();
        prop_assert_eq!(parts(stream.as_bytes(), step).unwrap(), trimmed);
    }

    #[test]
    fn any_content_type_ends_without_a_panic(text in "\\PC{0,60}") {
        let _ = boundary(&text);
    }
}
