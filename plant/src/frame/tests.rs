use proptest::prelude::*;

use super::{Echo, Exception, Header, PDU_BYTES_MAX, Request, values};
use crate::image::Table;

/// Requests from the examples of the specification, section 6.
#[test]
fn the_examples_of_the_specification_are_read() {
    let read = |table, start, count| Ok(Request::Read { table, start, count });
    let write = |table, start, words: &[u16], echo| {
        Ok(Request::Write { table, start, words: words.to_vec(), echo })
    };
    let cases: [(&[u8], _); 8] = [
        (&[0x01, 0x00, 0x13, 0x00, 0x13], read(Table::Coil, 0x13, 0x13)),
        (&[0x02, 0x00, 0xC4, 0x00, 0x16], read(Table::Discrete, 0xC4, 0x16)),
        (&[0x03, 0x00, 0x6B, 0x00, 0x03], read(Table::Holding, 0x6B, 3)),
        (&[0x04, 0x00, 0x08, 0x00, 0x01], read(Table::Input, 8, 1)),
        (&[0x05, 0x00, 0xAC, 0xFF, 0x00], write(Table::Coil, 0xAC, &[1], Echo::Request)),
        (&[0x06, 0x00, 0x01, 0x00, 0x03], write(Table::Holding, 1, &[3], Echo::Request)),
        (
            &[0x0F, 0x00, 0x13, 0x00, 0x0A, 0x02, 0xCD, 0x01],
            write(Table::Coil, 0x13, &[1, 0, 1, 1, 0, 0, 1, 1, 1, 0], Echo::Count),
        ),
        (
            &[0x10, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0A, 0x01, 0x02],
            write(Table::Holding, 1, &[0x000A, 0x0102], Echo::Count),
        ),
    ];
    for (pdu, expected) in cases {
        assert_eq!(Request::parse(pdu), expected, "{pdu:02x?}");
    }
    assert_eq!(values(1, Table::Coil, &[1, 0, 1, 1, 0, 0, 1, 1, 1]), [1, 2, 0xCD, 1]);
    assert_eq!(values(4, Table::Input, &[0x000A]), [4, 2, 0, 0x0A]);
}

#[test]
fn wrong_requests_are_refused_with_the_right_code() {
    use Exception::{IllegalDataValue, IllegalFunction};
    let cases: [(&[u8], _); 8] = [
        (&[0x2B, 0x0E, 0x01, 0x00], IllegalFunction),
        (&[0x03, 0, 0, 0, 0], IllegalDataValue),
        (&[0x03, 0, 0, 0, 126], IllegalDataValue),
        (&[0x01, 0, 0, 0x07, 0xD1], IllegalDataValue),
        (&[0x03, 0, 0, 0], IllegalDataValue),
        (&[0x05, 0, 0, 0x12, 0x34], IllegalDataValue),
        // What panics decoders that multiply in 16 bits or trust the count.
        (&[0x10, 0, 0, 0x80, 0x00, 0x00], IllegalDataValue),
        (&[0x0F, 0, 0, 0x07, 0xB0, 0x01, 0xFF], IllegalDataValue),
    ];
    for (pdu, expected) in cases {
        assert_eq!(Request::parse(pdu), Err(expected), "{pdu:02x?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(pdu in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Request::parse(&pdu);
    }

    #[test]
    fn no_header_asks_for_more_than_a_frame_holds(bytes in any::<[u8; 7]>()) {
        if let Some(header) = Header::parse(bytes) {
            prop_assert!((1..=PDU_BYTES_MAX).contains(&header.pdu_bytes));
            prop_assert_eq!(&header.answer(&[3])[..4], &bytes[..4]);
        }
    }
}
