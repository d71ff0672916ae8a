use weir_connect::{Point, WriteLimits};
use weir_model::{TagId, TenantId};

use super::*;

fn spec(address: Json, data_type: DataType, is_writable: bool) -> DeviceSpec {
    let point = Point {
        tag: TagId(1),
        id: "88.100/d1.p1".parse().unwrap(),
        name: "p1".to_owned(),
        address,
        data_type,
        scaling: Vec::new(),
        write: is_writable.then(WriteLimits::default),
        poll_ms: None,
    };
    DeviceSpec {
        tenant: TenantId(1),
        device: "88.100/d1".parse().unwrap(),
        name: "d1".to_owned(),
        protocol: "s7".to_owned(),
        settings: json!({"host": "h"}),
        points: vec![point],
        enabled: true,
        revision: 1,
    }
}

#[test]
fn names_each_wrong_field_of_the_spec() {
    let fields = |spec: &DeviceSpec| -> Vec<String> {
        let errors = S7Driver::new().check(spec).err().unwrap_or_default();
        errors.into_iter().map(|e| e.field).collect()
    };
    let at = |text: &str| json!({"address": text});
    let none: [&str; 0] = [];
    assert_eq!(fields(&spec(at("DB1,REAL10"), DataType::F64, true)), none);
    assert_eq!(fields(&spec(at("DB1,STRING10"), DataType::Text, true)), none);
    let wrong = fields(&spec(at("DB1,STRING10"), DataType::F64, false));
    assert_eq!(wrong, ["/points/0/data_type"]);
    assert_eq!(fields(&spec(at("DB1,REAL10"), DataType::Text, false)), ["/points/0/data_type"]);
    assert_eq!(fields(&spec(at("IW10"), DataType::U64, true)), ["/points/0/write"]);
    assert_eq!(fields(&spec(at("T1"), DataType::U64, true)), ["/points/0/write"]);
    assert_eq!(fields(&spec(at("nonsense"), DataType::U64, true)), ["/points/0/address/address"]);
    let mut device = spec(at("MW0"), DataType::U64, true);
    device.settings = json!({});
    assert_eq!(fields(&device), ["/settings/host"]);
}

#[test]
fn candidates_begin_with_what_is_given() {
    let given = Settings::parse(&json!({"host": "h", "slot": 2})).unwrap();
    let slots: Vec<_> = candidates(&given).iter().map(|c| c.slot).collect();
    assert_eq!(slots, [2, 1, 3, 0]);
    let given = Settings::parse(&json!({"host": "h", "remote_tsap": "02.00"})).unwrap();
    assert_eq!(candidates(&given).len(), 1);
}
