use proptest::prelude::*;
use weir_model::TenantId;

use super::*;

const PLACE: Place = Place { tenant: TenantId(7), collection: 3 };

proptest! {
    #[test]
    fn what_is_written_is_read(
        version: u64,
        nanos: i64,
        sealed: bool,
        deletion: bool,
        long_key: Option<String>,
        values in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..200)), 0..5),
        body: Vec<u8>,
    ) {
        let mut buffer = Vec::new();
        let index_values =
            IndexValues::write(values.iter().map(|(n, v)| (*n, v.as_slice())), &mut buffer);
        let frame = Frame {
            version,
            time: Timestamp::from_nanos(nanos),
            sealed,
            deletion,
            long_key: long_key.as_deref(),
            index_values,
            body: &body,
        };
        let bytes = frame.write(PLACE, b"part");
        let read = Frame::read(PLACE, b"part", &bytes).unwrap();
        prop_assert_eq!(read, frame);
        let read: Vec<(u8, Vec<u8>)> =
            read.index_values.iter().map(|(n, v)| (n, v.to_vec())).collect();
        prop_assert_eq!(read, values);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed(body: Vec<u8>, at: prop::sample::Index, bit in 0..8) {
        let frame = Frame {
            version: 3,
            time: Timestamp::from_nanos(5),
            sealed: false,
            deletion: false,
            long_key: Some("key"),
            index_values: IndexValues::default(),
            body: &body,
        };
        let mut bytes = frame.write(PLACE, b"part");
        let at = at.index(bytes.len());
        prop_assert!(Frame::read(PLACE, b"part", &bytes[..at]).is_err());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(Frame::read(PLACE, b"part", &bytes).is_err());
    }

    #[test]
    fn random_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(Frame::read(PLACE, b"part", &bytes).is_err());
        let _ = Frame::parse(&bytes);
    }
}

#[test]
fn a_value_serves_in_its_place_only() {
    let frame = Frame {
        version: 1,
        time: Timestamp::from_nanos(0),
        sealed: false,
        deletion: false,
        long_key: None,
        index_values: IndexValues::default(),
        body: b"{}",
    };
    let bytes = frame.write(PLACE, b"part");
    let elsewhere = Place { tenant: TenantId(8), ..PLACE };
    assert_eq!(Frame::read(elsewhere, b"part", &bytes), Err("checksum"));
    assert_eq!(Frame::read(PLACE, b"peer", &bytes), Err("checksum"));
    let guarded_bytes = guard(b"head", b"1");
    assert_eq!(guarded(b"head", &guarded_bytes), Some(&b"1"[..]));
    assert_eq!(guarded(b"feet", &guarded_bytes), None);
}
