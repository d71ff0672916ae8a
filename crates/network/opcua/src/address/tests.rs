use serde_json::json;

use super::*;

fn parse(json: Json) -> Result<PointAddress, Vec<String>> {
    let mut errors = Vec::new();
    PointAddress::parse(&json, "/points/0/address", &mut errors)
        .ok_or_else(|| errors.into_iter().map(|e| e.field).collect())
}

#[test]
fn reads_a_plain_and_a_full_address() {
    let plain = parse(json!({"node": "ns=2;s= x "})).unwrap();
    assert_eq!((plain.attribute, plain.place().as_str()), (AttributeId::Value, "ns=2;s= x "));
    assert!(plain.is_writable() && plain.index.is_none());
    let full = parse(json!({
        "node": "nsu=urn:x;i=5", "index": "1,0:3", "field": "Axis.Position", "sampling_ms": 0,
        "queue_size": 20, "deadband": {"type": "percent", "value": 0.5},
    }));
    let full = full.unwrap();
    assert_eq!(full.place(), "nsu=urn:x;i=5 [1,0:3], field Axis.Position");
    assert_eq!(full.deadband, Some(Deadband::Percent(0.5)));
    assert!(!full.is_writable() && !full.index.unwrap().is_element);
    assert!(parse(json!({"node": "i=1", "index": 3})).unwrap().index.unwrap().is_element);
    let name = parse(json!({"node": "i=2253", "attribute": "DisplayName"})).unwrap();
    assert_eq!(name.place(), "i=2253, attribute DisplayName");
}

#[test]
fn names_what_is_wrong() {
    let wrong = |json, fields: &[&str]| {
        let fields: Vec<_> = fields.iter().map(|f| format!("/points/0/address{f}")).collect();
        assert_eq!(parse(json), Err(fields));
    };
    wrong(json!({}), &["/node"]);
    wrong(json!({"node": 5}), &["/node"]);
    wrong(json!({"node": "x"}), &["/node"]);
    wrong(json!({"node": "i=1", "index": "3:1"}), &["/index"]);
    wrong(json!({"node": "i=1", "index": -1}), &["/index"]);
    wrong(json!({"node": "i=1", "index": "1,1,1,1,1,1,1,1,1"}), &["/index"]);
    wrong(json!({"node": "i=1", "field": "a..b"}), &["/field"]);
    wrong(
        json!({"node": "i=1", "deadband": {"type": "percent", "value": 101}}),
        &["/deadband/value"],
    );
    wrong(json!({"node": "i=1", "deadband": {"value": 1}}), &["/deadband/type"]);
    wrong(json!({"node": "i=1", "attribute": "DisplayName", "index": 1}), &["/index"]);
    wrong(json!({"node": "i=1", "nodes": 1}), &["/nodes"]);
    wrong(json!("i=1"), &[""]);
}

proptest::proptest! {
    #[test]
    fn any_index_is_read_or_refused(text in ".{0,30}") {
        let _ = Index::parse(&text);
    }
}
