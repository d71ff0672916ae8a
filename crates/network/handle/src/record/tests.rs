use proptest::prelude::*;

use super::*;
use crate::{Access, Reference};

fn packed(values: &[Value<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    Record::pack(values.iter().copied(), &mut out);
    out
}

/// The form of version 1, which stays readable for ever.
#[test]
fn version_1_is_read() {
    let values = [
        Value::new(1, b"URL", b"https://example.org", 1_700_000_000),
        Value { permissions: Permissions(0x0c), ..Value::new(300, b"X", b"", 1_700_000_000) },
        Value { ttl: Ttl::Absolute(5), ..Value::new(-1, b"url", b"d", 7) },
    ];
    let fixed = [
        &b"\x01\x03\x65\x53\xf1\x00"[..],
        b"\x10\x01\x13https://example.org",
        b"\x04\xac\x02\x0c\x01X\x00",
        b"\x03\xff\xff\xff\xff\x0f\x00\x00\x00\x07\x01\x00\x00\x00\x05\x03url\x01d",
    ]
    .concat();
    assert_eq!(packed(&values), fixed);
    assert_eq!(Record::read(&fixed).unwrap().iter().collect::<Vec<_>>(), values);
    assert_eq!(packed(&[]), [1, 0]);
    assert!(Record::read(&[1, 0]).unwrap().is_empty());
    for wrong in [&[][..], &[2, 0], &[1], &[1, 1, 0, 0, 0, 0], &[1, 0xff, 0xff, 0xff, 0xff, 0x1f]] {
        assert!(Record::read(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn records_come_back_and_are_selected_from_as_lists_are(
        parts in prop::collection::vec(
            (any::<(i32, u8, i32, u8)>(), 0..4_i32, 0..18_usize, prop::collection::vec(any::<u8>(), 0..200), any::<bool>()),
            0..6,
        ),
        index in 0..4_i32,
    ) {
        let mut buffer = Vec::new();
        let references = List::build(&[Reference::new(b"88.1/a", 3)], &mut buffer);
        let values: Vec<_> = parts
            .iter()
            .map(|((number, ttl, seconds, permissions), index, kind, data, refers)| Value {
                index: *index,
                timestamp: number % 2,
                ttl: Ttl::from_parts(ttl % 3, if *ttl > 100 { 86_400 } else { *seconds }),
                permissions: Permissions(permissions % 16),
                kind: KINDS.get(*kind).copied().unwrap_or(b"another"),
                data,
                references: if *refers { references } else { List::empty() },
            })
            .collect();
        let bytes = packed(&values);
        let record = Record::read(&bytes).unwrap();
        prop_assert_eq!(record.iter().collect::<Vec<_>>(), values.clone());
        for cut in 0..bytes.len() {
            prop_assert!(Record::read(&bytes[..cut]).is_err());
        }
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let list = List::build(&values, &mut one);
        let indexes = [index];
        let selection = Selection {
            indexes: List::build(&indexes[..usize::from(index > 0)], &mut two),
            types: List::empty(),
            access: Access::Anyone,
        };
        let (mut of_list, mut of_record) = (Vec::new(), Vec::new());
        let selected = selection.write(&list, &mut of_list);
        prop_assert_eq!(selection.write_record(&record, &mut of_record), selected);
        prop_assert_eq!(of_record, of_list);
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..80)) {
        let mut record = vec![VERSION];
        record.extend(bytes);
        if let Ok(record) = Record::read(&record) {
            prop_assert_eq!(record.iter().count(), record.len());
        }
    }
}
