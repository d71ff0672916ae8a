use proptest::prelude::*;

use super::*;

/// All lines of bytes that arrive in pieces of a size.
fn lines(
    delimiter: &Delimiter,
    bytes: &[u8],
    piece: usize,
    max: usize,
) -> Result<Vec<Vec<u8>>, TooLong> {
    let mut splitter = Splitter::new(delimiter.clone(), max);
    let mut lines = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        splitter.push(piece);
        while let Some(line) = splitter.next_line() {
            lines.push(line?);
        }
        assert!(splitter.waiting() <= max + 8 + piece.len());
    }
    Ok(lines)
}

#[test]
fn delimiters_and_what_belongs_to_them() {
    let check = |delimiter: Delimiter, bytes: &[u8], expected: &[&[u8]]| {
        for piece in 1..=bytes.len() {
            assert_eq!(lines(&delimiter, bytes, piece, 100).unwrap(), expected, "{delimiter:?}");
        }
    };
    check(Delimiter::Lf, b"a\nb\r\n\n\r\nc", &[b"a", b"b"]);
    check(Delimiter::Cr, b"a\rb\r\n\rc", &[b"a", b"b"]);
    check(Delimiter::CrLf, b"a\nb\r\n\r\nc\r\r\n", &[b"a\nb", b"c\r"]);
    check(Delimiter::Etx, b"\x02a\x03\r\n\x02b\x03c\x03", &[b"a", b"b", b"c"]);
    check(Delimiter::Custom(b"##".to_vec()), b"a#b###c##", &[b"a#b", b"#c"]);
    check(Delimiter::Lf, b"\x1d01\x1d\x00\n", &[b"\x1d01\x1d\x00"]);
}

#[test]
fn endless_lines_are_told() {
    let check = |bytes: &[u8]| lines(&Delimiter::CrLf, bytes, 7, 100);
    assert_eq!(check(&[b'x'; 5000]), Err(TooLong));
    let mut exact = vec![b'x'; 100];
    exact.extend(b"\r\n");
    assert_eq!(check(&exact).map(|l| l.len()), Ok(1));
    let mut long = vec![b'x'; 101];
    long.extend(b"\r\n");
    assert_eq!(check(&long), Err(TooLong));
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(3), Just(2), any::<u8>()], 0..300),
        piece in 1..50_usize,
        which in 0..5_usize,
    ) {
        let custom = Delimiter::Custom(vec![b'\n', b'\r', b'\n']);
        let all = [Delimiter::Lf, Delimiter::Cr, Delimiter::CrLf, Delimiter::Etx, custom];
        let whole = lines(&all[which], &bytes, bytes.len(), 1000);
        prop_assert_eq!(lines(&all[which], &bytes, piece, 1000), whole);
        let _ = lines(&all[which], &bytes, piece, 10);
    }
}
