use proptest::prelude::*;

use super::buffer::{Buffer, OBSERVATIONS_MAX};
use super::document::{Header, streams};
use super::items::{COUNT, ITEMS, Told};
use super::request::{Question, Stream, head_end, parse};
use crate::machining::Machining;
use weir_model::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_nanos(second * 1_000_000_000)
}

fn filled(parts: u64) -> Buffer {
    let machining = Machining::load().unwrap();
    let mut buffer = Buffer::default();
    for index in 0..parts {
        buffer.take(machining.part(index), index + 1, at(index as i64));
    }
    buffer
}

#[test]
fn what_changes_is_observed_and_the_oldest_makes_room() {
    let mut buffer = filled(1);
    assert_eq!((buffer.first(), buffer.last()), (1, COUNT as u64), "all is said once");
    let machining = Machining::load().unwrap();
    buffer.take(machining.part(0), 1, at(1));
    assert_eq!(buffer.last(), COUNT as u64, "nothing has changed");

    let buffer = filled(2000);
    assert!(buffer.first() > 1);
    assert_eq!(buffer.last() - buffer.first() + 1, OBSERVATIONS_MAX as u64);
    let (page, next) = buffer.page(buffer.first(), 100);
    assert_eq!((page.len(), next), (100, buffer.first() + 100));
    assert!(page.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    assert_eq!(buffer.page(buffer.last() + 1, 100), (vec![], buffer.last() + 1));
    // Every data item is known at any sequence, whether or not it was observed since.
    for sequence in [buffer.first(), buffer.last()] {
        let state = buffer.state(Some(sequence));
        assert_eq!(state.len(), COUNT);
        assert!(state.iter().all(|observation| observation.sequence <= sequence));
    }
    assert_eq!(buffer.state(Some(buffer.last())), buffer.state(None));
}

#[test]
fn a_document_tells_a_failure_as_a_condition() {
    let machining = Machining::load().unwrap();
    let worn = machining.part(77);
    let told: Vec<Told> = ITEMS.iter().map(|item| item.told(worn, 78)).collect();
    assert!(told.iter().any(|told| matches!(told, Told::Fault("TWF", _))));
    let mut buffer = Buffer::default();
    buffer.take(worn, 78, at(0));
    let header = Header { instance: 1, created: at(0), first: 1, last: 15, next: 16 };
    let document = streams(header, &buffer.state(None));
    for expected in [
        "<RotaryVelocity dataItemId=\"speed\" timestamp=\"1970-01-01T00:00:00Z\" sequence=\"3\" subType=\"ACTUAL\">",
        "type=\"ACTUATOR\" nativeCode=\"TWF\">",
        "<Execution dataItemId=\"exec\"",
        ">STOPPED</Execution>",
        "<PartId",
        "nextSequence=\"16\"",
    ] {
        assert!(document.contains(expected), "{expected} is not in {document}");
    }
}

#[test]
fn requests_are_read_as_the_standard_writes_them() {
    let question = |target: &str| {
        parse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap().question
    };
    assert_eq!(question("/probe"), Ok(Question::Probe));
    assert_eq!(question("/"), Ok(Question::Probe));
    assert_eq!(question("/mill-1"), Ok(Question::Probe));
    assert_eq!(question("/mill-1/current?at=7"), Ok(Question::Current { at: Some(7) }));
    let stream = Some(Stream { interval_ms: 200, heartbeat_ms: 10_000 });
    assert_eq!(
        question("/sample?from=3&count=50&interval=200"),
        Ok(Question::Sample { from: Some(3), count: 50, stream })
    );
    for (target, code) in [
        ("/lathe/probe", "NO_DEVICE"),
        ("/sample?count=0", "OUT_OF_RANGE"),
        ("/sample?count=-5", "OUT_OF_RANGE"),
        ("/sample?path=//Axes", "UNSUPPORTED"),
        ("/current?interval=5", "UNSUPPORTED"),
        ("/sample?form=5", "INVALID_REQUEST"),
        ("/mill-1/assets", "UNSUPPORTED"),
    ] {
        assert_eq!(question(target).map_err(|(code, _)| code), Err(code), "{target}");
    }
    for head in ["POST / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET /\r\n\r\n", "\r\n\r\n"] {
        assert_eq!(parse(head.as_bytes()), None, "{head:?}");
    }
    assert!(parse(b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").is_none(), "a body is not read");
    assert!(parse(b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").unwrap().is_last);
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (head_end(&bytes), parse(&bytes));
    }

    #[test]
    fn any_target_is_judged(target in "/?[ -~]{0,60}") {
        let _ = parse(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes());
    }
}
