use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::log::encode_header;
use crate::log::record::encode_frame;

fn segment() -> Segment {
    Segment { first: 10, path: "10.wal".into() }
}

/// Groups of so many records each, and where each record begins.
fn written(groups: &[u64]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = encode_header(10).to_vec();
    let (mut position, mut starts) = (10u64, Vec::new());
    for records in groups {
        let group_first = position;
        for _ in 0..*records {
            starts.push(bytes.len());
            encode_frame(&position.to_le_bytes(), position, group_first, &mut bytes);
            position += 1;
        }
    }
    (bytes, starts)
}

fn read_all(bytes: &[u8], is_last: bool) -> Result<(Vec<u64>, End), HistorianError> {
    let mut positions = Vec::new();
    let end = read(&segment(), bytes, is_last, |_, frame| {
        positions.push(frame.position);
        Ok(())
    })?;
    Ok((positions, end))
}

#[test]
fn records_are_read_up_to_the_zeros() {
    let (mut bytes, _) = written(&[1, 2]);
    let offset = bytes.len() as u64;
    for is_last in [false, true] {
        let end = End { offset, position: Some(12), torn: 0 };
        assert_eq!(read_all(&bytes, is_last).unwrap(), (vec![10, 11, 12], end));
    }
    bytes.resize(bytes.len() + 1000, 0);
    let end = End { offset, position: Some(12), torn: 0 };
    assert_eq!(read_all(&bytes, false).unwrap().1, end);
}

#[test]
fn a_torn_group_is_cut_even_where_its_later_records_are_whole() {
    let (mut bytes, starts) = written(&[1, 3]);
    bytes[starts[1] + 20] ^= 1;
    let torn = (bytes.len() - starts[1]) as u64;
    let end = End { offset: starts[1] as u64, position: Some(10), torn };
    assert_eq!(read_all(&bytes, true).unwrap(), (vec![10], end));
    assert!(read_all(&bytes, false).is_err());
}

#[test]
fn a_record_before_a_later_group_is_never_cut() {
    let (mut bytes, starts) = written(&[1, 2, 1]);
    for start in &starts[..3] {
        bytes[start + 20] ^= 1;
        let error = read_all(&bytes, true).unwrap_err();
        bytes[start + 20] ^= 1;
        let named =
            matches!(error, HistorianError::Corrupt { offset, .. } if offset == *start as u64);
        assert!(named, "{error}");
    }
}

#[test]
fn positions_that_jump_are_damage() {
    let mut bytes = encode_header(10).to_vec();
    encode_frame(b"x", 10, 10, &mut bytes);
    encode_frame(b"x", 12, 12, &mut bytes);
    assert!(read_all(&bytes, true).is_err());
    let mut bytes = encode_header(11).to_vec();
    encode_frame(b"x", 11, 11, &mut bytes);
    assert!(read_all(&bytes, true).is_err(), "another segment's content");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400), whole_header in any::<bool>()) {
        let mut segment = if whole_header { encode_header(10).to_vec() } else { Vec::new() };
        segment.extend(bytes);
        let _ = read_all(&segment, true);
        let _ = read_all(&segment, false);
    }

    #[test]
    fn cutting_anywhere_keeps_whole_records(groups in vec(1..4u64, 1..5), cut in any::<prop::sample::Index>()) {
        let (bytes, starts) = written(&groups);
        let cut = cut.index(bytes.len() + 1);
        let ends = starts[1..].iter().copied().chain([bytes.len()]);
        let whole = ends.filter(|end| *end <= cut).count();
        let (positions, end) = read_all(&bytes[..cut], true).unwrap();
        prop_assert_eq!(positions.len(), whole);
        prop_assert_eq!(end.torn > 0, cut > end.offset as usize);
    }
}
