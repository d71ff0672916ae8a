use super::*;

use proptest::prelude::*;

const PLAIN: Layout = Layout { width: 1, is_big_endian: false, separator: b',' };

fn wide(text: &str, is_big_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

/// The records of a text, those that are none marked by `!`.
fn cut(layout: Layout, bytes: &[u8], decode: impl Fn(&[u8]) -> String) -> Vec<String> {
    let mut rest = bytes;
    let mut found = Vec::new();
    loop {
        match layout.record(rest, true) {
            Next::Record { length, taken, .. } => {
                found.push(decode(&rest[..length]));
                rest = &rest[taken..];
            }
            Next::Bad { taken, .. } => {
                found.push(format!("!{}", decode(&rest[..taken]).trim()));
                rest = &rest[taken..];
            }
            Next::Endless => {
                found.push("endless".into());
                return found;
            }
            Next::More => return found,
        }
    }
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn cuts_records_in_each_encoding() {
    let text = "a,b\r\n1,\"x\ny, \"\"z\"\"\"\n5\" pipe,2\n\n最后,3";
    let expected = ["a,b\r", "1,\"x\ny, \"\"z\"\"\"", "5\" pipe,2", "", "最后,3"];
    assert_eq!(cut(PLAIN, text.as_bytes(), utf8), expected);
    for is_big_endian in [false, true] {
        let layout = Layout { width: 2, is_big_endian, ..PLAIN };
        let decode = |bytes: &[u8]| {
            let units = bytes.chunks_exact(2).map(|b| {
                if is_big_endian {
                    u16::from_be_bytes([b[0], b[1]])
                } else {
                    u16::from_le_bytes([b[0], b[1]])
                }
            });
            String::from_utf16_lossy(&units.collect::<Vec<_>>())
        };
        assert_eq!(cut(layout, &wide(text, is_big_endian), decode), expected);
    }
    assert_eq!(PLAIN.record(b"a,b", false), Next::More);
    assert_eq!(PLAIN.record(b"a,\"b\n", false), Next::More);
}

#[test]
fn a_quote_that_is_never_closed_costs_its_line() {
    assert_eq!(cut(PLAIN, b"a\n\"b\nc\nd\n", utf8), ["a", "!\"b", "c", "d"]);
    let mut text = "\"b\n".to_owned();
    text.push_str(&"1,2\n".repeat(300));
    let found = cut(PLAIN, text.as_bytes(), utf8);
    assert_eq!((found.len(), found[0].as_str()), (301, "!\"b"));
    let long = format!("{}\nc\n", "x".repeat(RECORD_BYTES_MAX + 5));
    let found = cut(PLAIN, long.as_bytes(), utf8);
    assert_eq!((found.len(), found[1].as_str()), (2, "c"));
    assert_eq!(cut(PLAIN, &vec![b'x'; RECORD_BYTES_MAX + 5], utf8), ["endless"]);
}

proptest! {
    #[test]
    fn any_bytes_are_taken_whole(bytes in prop::collection::vec(any::<u8>(), 0..300), width in 1usize..3, is_end in any::<bool>()) {
        let layout = Layout { width, ..PLAIN };
        let mut rest = bytes.as_slice();
        while let Next::Record { taken, .. } | Next::Bad { taken, .. } = layout.record(rest, is_end) {
            prop_assert!(taken > 0 && taken <= rest.len());
            rest = &rest[taken..];
        }
        prop_assert!(!is_end || rest.is_empty());
    }

    #[test]
    fn agrees_with_the_csv_crate(rows in prop::collection::vec(prop::collection::vec("[a-c\",\n 中]{0,6}", 2..4), 1..8)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            let mut row = row.clone();
            row.resize(3, String::new());
            writer.write_record(&row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let found = cut(PLAIN, &text, utf8);
        prop_assert_eq!(found.len(), rows.len());
    }
}
