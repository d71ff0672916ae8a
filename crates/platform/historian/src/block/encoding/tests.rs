use super::*;

fn packed(width: u32, numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    put_packed(&mut out, width, numbers.iter().copied());
    out
}

#[test]
fn numbers_are_packed_from_the_lowest_bit() {
    // The example of the Parquet format's page on encodings.
    assert_eq!(packed(3, &[0, 1, 2, 3, 4, 5, 6, 7]), [0b1000_1000, 0b1100_0110, 0b1111_1010]);
    assert_eq!(packed(4, &[1, 2, 3]), [0x21, 0x03]);
    assert_eq!(packed(64, &[u64::MAX, 1]), [[0xFF; 8], [1, 0, 0, 0, 0, 0, 0, 0]].concat());
    assert!(packed(0, &[0, 0]).is_empty());
}

#[test]
fn widths_below_nine_do_not_straddle_bytes() {
    assert_eq!([1, 2, 3, 5, 8, 9, 64].map(aligned_width), [1, 2, 4, 8, 8, 9, 64]);
}

#[test]
fn runs_and_literals_alternate() {
    let (mut out, mut literals) = (Vec::new(), Vec::new());
    hybrid::put_runs(&mut out, 8, &[(1, 3), (2, 100), (3, 1)], &mut literals);
    // Eight literals, 95 times 2, and one literal of a group of eight.
    let expected = [&[3, 1, 1, 1, 2, 2, 2, 2, 2][..], &[190, 1, 2], &[3, 3, 0, 0, 0, 0, 0, 0, 0]];
    assert_eq!(out, expected.concat());
}

#[test]
fn constant_differences_take_no_bits() {
    let integers: Vec<i64> = (0..257).map(|n| 100 + n * 1000).collect();
    let (mut out, mut scratch) = (Vec::new(), Vec::new());
    delta::put_integers(&mut out, &integers, &mut scratch);
    // 256 a block, 4 miniblocks, 257 integers, 100 first; 1000 is subtracted.
    let expected = [&[0x80, 2, 4, 0x81, 2, 0xC8, 1][..], &[0xD0, 0x0F], &[0; 4]];
    assert_eq!(out, expected.concat());
}
