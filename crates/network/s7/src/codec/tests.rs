use proptest::prelude::*;

use super::frame::{self, Unit};
use super::message::{self, Answer, Kind};
use super::services::{Service, block_length, block_numbers, records};
use super::variables::{self, Content, ReadItem, WriteItem};
use super::*;
use crate::Area;
use crate::identify::Identity;

fn bytes(hex: &str) -> Vec<u8> {
    let hex: String = hex.chars().filter(|c| !c.is_whitespace()).collect();
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn db(start: u32, count: u16) -> ReadItem {
    ReadItem { area: Area::Db, db: 1, start, count }
}

/// The answer in a message that was recorded from a peer (the server of Snap7), without its frame.
fn recorded(hex: &str, kind: Kind, reference: u16) -> Answer {
    message::answer(&bytes(hex), kind, reference).unwrap()
}

#[test]
fn connects_as_rfc_1006_says() {
    let request = frame::connect_request(0x0100, 0x0102);
    assert_eq!(request, bytes("0300001611e00000000100c0010ac1020100c2020102"));
    let confirm = bytes("0300001611d00001000100c0010ac1020100c2020102");
    assert_eq!(frame::frame_length([3, 0, 0, 22]), Ok(22));
    assert_eq!(frame::unit(&confirm[4..]), Ok(Unit::Confirm));
    assert_eq!(frame::unit(&bytes("068000000001 03")), Ok(Unit::Disconnect { reason: 3 }));
    assert_eq!(
        frame::unit(&bytes("02f080 3203")),
        Ok(Unit::Data { last: true, payload: &[0x32, 3] })
    );
    assert_eq!(
        frame::unit(&bytes("02f000 3203")),
        Ok(Unit::Data { last: false, payload: &[0x32, 3] })
    );
    assert_eq!(frame::unit(&bytes("0210 00")), Err(CodecError::TransportUnit(0x10)));
    assert_eq!(frame::frame_length([2, 0, 0, 22]), Err(CodecError::NotTpkt));
    assert_eq!(frame::frame_length([3, 0, 0, 3]), Err(CodecError::FrameLength(3)));
    assert_eq!(frame::frame_length([3, 0, 0xFF, 0xFF]), Err(CodecError::FrameLength(0xFFFF)));
}

#[test]
fn negotiates_the_size_of_messages() {
    let request = message::request(Kind::Job, 1, &message::setup(960), &[]);
    assert_eq!(request, bytes("32010000000100080000 f0000001000103c0"));
    let answer = recorded("320300000001000800000000f0000001000103c0", Kind::Job, 1);
    assert_eq!(message::setup_answer(&answer, 960), Ok(960));
    assert_eq!(message::setup_answer(&answer, 480), Err(CodecError::PduSize(960)));
    let answer = recorded("320300000001000800000000f000000100010010", Kind::Job, 1);
    assert_eq!(message::setup_answer(&answer, 960), Err(CodecError::PduSize(16)));
    let other = message::answer(&bytes("320300000002000800000000f0000001000103c0"), Kind::Job, 1);
    assert_eq!(other, Err(CodecError::Reference { asked: 1, found: 2 }));
}

#[test]
fn reads_several_items_of_which_one_is_missing() {
    let asked = variables::read(&[db(0, 4), db(9, 4)]);
    assert_eq!(asked, bytes("0402 120a100200040001840000 00 120a100200040001840000 48"));
    let answer = recorded("3203000000020002000c00000402ff040020010203040a000004", Kind::Job, 2);
    let answers = variables::read_answer(&answer, &[db(0, 4), db(9, 4)]).unwrap();
    assert_eq!(answers, [Ok(vec![1, 2, 3, 4]), Err(0x0A)]);
    let wrong = variables::read_answer(&answer, &[db(0, 3), db(9, 4)]);
    assert_eq!(wrong, Err(CodecError::Length));
    assert_eq!(variables::read_answer(&answer, &[db(0, 4)]), Err(CodecError::Length));
    // An odd length is filled up, except at the end.
    let answer = recorded(
        "32030000000300020010 0000 0402 ff0400180102030 0 ff04001804 0506 00"
            .replace(' ', "")
            .as_str(),
        Kind::Job,
        3,
    );
    let answers = variables::read_answer(&answer, &[db(0, 3), db(9, 3)]).unwrap();
    assert_eq!(answers, [Ok(vec![1, 2, 3]), Ok(vec![4, 5, 6])]);
    let timers = ReadItem { area: Area::Timer, db: 0, start: 5, count: 2 };
    assert_eq!(variables::read(&[timers]), bytes("0401 120a101d000200001d000005"));
    let answer = recorded("32030000000300020008 0000 0401 ff090004 00010002", Kind::Job, 3);
    assert_eq!(variables::read_answer(&answer, &[timers]), Ok(vec![Ok(vec![0, 1, 0, 2])]));
}

#[test]
fn writes_bits_as_bits_and_words_as_words() {
    let at = |start, content| WriteItem { area: Area::Db, db: 1, start, content };
    let (parameters, data) = variables::write(&at(1, Content::Bit { bit: 3, on: true }));
    assert_eq!(parameters, bytes("0501 120a1001000100018400000b"));
    assert_eq!(data, bytes("0003000101"));
    let (parameters, data) = variables::write(&at(10, Content::Bytes(&[1, 2, 3, 4])));
    assert_eq!(parameters, bytes("0501 120a10060001000184000050"));
    assert_eq!(data, bytes("0004002001020304"));
    let (parameters, data) = variables::write(&at(10, Content::Bytes(&[1, 2, 3])));
    assert_eq!(parameters, bytes("0501 120a10020003000184000050"));
    assert_eq!(data, bytes("00040018010203"));
    let answer = recorded("3203000000050002000100000501ff", Kind::Job, 5);
    assert_eq!(variables::write_answer(&answer), Ok(Ok(())));
    let answer = recorded("3203000000050002000100000501 05", Kind::Job, 5);
    assert_eq!(variables::write_answer(&answer), Ok(Err(5)));
}

#[test]
fn lists_and_measures_data_blocks() {
    let (parameters, data) = Service::ListDataBlocks.request();
    assert_eq!((parameters, data), (bytes("0001120411430200"), bytes("ff0900023041")));
    let answer =
        recorded("320700000007000c0008000112081283020023000000ff09000400012205", Kind::UserData, 7);
    let part = Service::ListDataBlocks.answer(&answer).unwrap();
    assert_eq!((block_numbers(&part.content.clone().unwrap()), part.more), (vec![1], false));
    let (parameters, _) = Service::ListDataBlocks.next_request(&part);
    assert_eq!(parameters, bytes("000112081243020023000000"));
    let none = recorded("320700000007000c000400011208128302000000d20e0a000000", Kind::UserData, 7);
    assert_eq!(Service::ListDataBlocks.answer(&none).unwrap().content, Err(0xD20E));

    let (parameters, data) = Service::DataBlock(1).request();
    assert_eq!(
        (parameters, data),
        (bytes("0001120411430300"), bytes("ff090008 3041 3030303031 41"))
    );
    let mut facts = String::from("320700000008000c0052000112081283030000000000ff09004e");
    facts.push_str("0100004a220070070101050a00010000025c00000000");
    facts.push_str("0000000016a80000000016a800140000000002000000");
    facts.push_str(&"00".repeat(38));
    let answer = recorded(&facts, Kind::UserData, 8);
    let part = Service::DataBlock(1).answer(&answer).unwrap();
    assert_eq!(block_length(&part.content.unwrap()), Ok(512));
    assert_eq!(Service::ListDataBlocks.answer(&answer), Err(CodecError::Function));
}

#[test]
fn identifies_a_cpu() {
    let lists = [
        (
            0x0011,
            "320700000009000c007c000112081284010000000000ff09007800110000001c0004000136455337203331352d32454831342d304142302000c000040001000636455337203331352d32454831342d304142302000c0000400010007202020202020202020202020202020202020202000c0560302060081426f6f74204c6f61646572202020202020202020000041200909",
        ),
        (
            0x0424,
            "320700000009000c0020000112081284010000000000ff09001c04240000001400015144ff0800000000000000002611260634060004",
        ),
    ];
    let mut identity = Identity::default();
    for (list, hex) in lists {
        let service = Service::SystemStatus { list, index: 0 };
        let part = service.answer(&recorded(hex, Kind::UserData, 9)).unwrap();
        identity.take(list, &part.content.unwrap());
    }
    assert_eq!(identity.name(), "6ES7 315-2EH14-0AB0, V3.2.6");
    assert_eq!(identity.detail(), "state RUN");
    // A CPU may refuse with a plain error.
    let refused = recorded("320200000009 0000 0000 8104", Kind::UserData, 9);
    assert_eq!(refused.error, 0x8104);
}

#[test]
fn what_fits_a_message_fits_its_answer() {
    assert_eq!(variables::read_bytes_max(240), 222);
    assert_eq!(variables::write_bytes_max(240), 212);
    assert!(variables::fit([222], 240) && !variables::fit([224], 240));
    assert!(variables::fit([100, 118], 240) && !variables::fit([100, 120], 240));
    assert!(variables::fit([1; 19], 240) && !variables::fit([1; 20], 240));
    assert!(variables::fit([1; 20], 960) && !variables::fit([1; 21], 960));
}

fn arbitrary() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..200)
}

proptest! {
    /// Whatever comes is a message or an error.
    #[test]
    fn no_bytes_panic(body in arbitrary(), parameters in arbitrary(), data in arbitrary(), reference: u16) {
        let _ = frame::unit(&body);
        if let Some(header) = body.first_chunk() {
            let _ = frame::frame_length(*header);
        }
        let mut s7 = vec![0x32];
        s7.extend(&body);
        for kind in [Kind::Job, Kind::UserData] {
            let _ = message::answer(&body, kind, reference);
            let _ = message::answer(&s7, kind, reference);
        }
        let _ = records(&body);
        let _ = block_length(&body);
        let _ = block_numbers(&body);
        Identity::default().take(0x0011, &body);
        Identity::default().take(0x001C, &body);
        Identity::default().take(0x0424, &body);
        let answer = Answer { error: 0, parameters, data };
        let _ = message::setup_answer(&answer, 960);
        let _ = variables::read_answer(&answer, &[db(0, 4), db(9, 3)]);
        let _ = variables::write_answer(&answer);
        let _ = Service::ListDataBlocks.answer(&answer);
    }

    /// A right answer with single bytes changed never brings data of a wrong length.
    #[test]
    fn changed_answers_never_bring_wrong_lengths(at in 0..24_usize, byte: u8) {
        let mut message = bytes("3203000000020002000c00000402ff040020010203040a000004");
        message[at] = byte;
        let items = [db(0, 4), db(9, 4)];
        if let Ok(answer) = message::answer(&message, Kind::Job, 2)
            && let Ok(answers) = variables::read_answer(&answer, &items)
        {
            prop_assert_eq!(answers.len(), 2);
            for (answer, item) in answers.iter().zip(items) {
                prop_assert!(answer.as_ref().is_err() || answer.as_ref().is_ok_and(|b| b.len() == item.bytes()));
            }
        }
    }

    /// What a request says of its own lengths is true.
    #[test]
    fn requests_are_whole(start in 0..65_536_u32, count in 1..200_u16, reference: u16) {
        let parameters = variables::read(&[db(start, count)]);
        let request = frame::data(&message::request(Kind::Job, reference, &parameters, &[]));
        let header = *request.first_chunk().unwrap();
        prop_assert_eq!(frame::frame_length(header), Ok(request.len()));
        let Ok(Unit::Data { last: true, payload }) = frame::unit(&request[4..]) else {
            return Err(TestCaseError::fail("not data"));
        };
        prop_assert_eq!(payload.len(), 10 + 14);
    }
}
