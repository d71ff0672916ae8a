use proptest::prelude::*;
use weir_handle::{Permissions, Value};
use weir_model::Timestamp;
use weir_store::Collection;

use super::*;

/// As the first version stored a tag's record.
const FIRST: &str = r#"{"id":"88.100/Reactor.Pressure","kind":"tag","tenant":1,"name":"Reactor pressure","values":[
    {"index":1,"type":"KIND","data":"tag","ttl":86400,"read":"public"},
    {"index":2,"type":"NAME","data":"Reactor pressure","ttl":86400,"read":"private"}],"withdrawn":false}"#;

/// As layout 1 stores a published record with one value.
const LAYOUT_1: &str = "010205000c38382e3130302f702d31303100000000000100000001694a5c80000001518\
    00e0000000355524c0000001568747470733a2f2f6578616d706c652e6f72672f7000000000";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn record() -> Record {
    let value = Value::new(1, b"URL", b"https://example.org/p", 1_766_481_024);
    Record::handle("88.100/p-101".parse().unwrap(), Values::of(&[value]))
}

#[test]
fn the_first_records_are_read() {
    let record = Identifiers::decode(FIRST.as_bytes()).unwrap();
    assert_eq!((record.id.as_str(), record.kind), ("88.100/Reactor.Pressure", Kind::Tag));
    assert!(!record.published && !record.withdrawn);
    let public: Vec<bool> = record.values.entries().iter().map(Entry::is_public).collect();
    assert_eq!(public, [true, false]);
    let again = Identifiers::decode(&Identifiers::encode(&record).unwrap()).unwrap();
    assert_eq!(again, record);
}

#[test]
fn records_of_layout_1_are_read() {
    let stored = Identifiers::encode(&record()).unwrap();
    let read = Identifiers::decode(&hex(LAYOUT_1));
    assert_eq!(read.ok().as_ref(), Some(&record()), "stored as {stored:02x?}");
}

#[test]
fn an_export_is_read_again() {
    let mut record = Record::new(
        "88.100/p-7".parse().unwrap(),
        Kind::Device,
        "Pump 7",
        Timestamp::parse("2026-11-27T08:00:00Z").unwrap(),
    );
    record.published = true;
    let hidden = Value {
        permissions: Permissions::ADMIN_READ,
        ttl: weir_handle::Ttl::Absolute(1_900_000_000),
        ..Value::new(7, b"KEY", &[0, 1, 255], 5)
    };
    record.values = Values::of(&[hidden]);
    let json = Identifiers::to_json(&record).unwrap();
    assert_eq!(json["values"][0]["data"]["base64"], "AAH/");
    assert_eq!(Identifiers::from_json(json).unwrap(), record);
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(mut bytes: Vec<u8>, flags in 0u8..4, kind in 0u8..8) {
        let _ = Identifiers::decode(&bytes);
        bytes.splice(0..0, [1, flags, kind]);
        if let Ok(record) = Identifiers::decode(&bytes) {
            prop_assert!(Identifiers::encode(&record).is_ok());
        }
    }
}
