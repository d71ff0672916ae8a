use serde_json::json;
use weir_connect::{Point, WriteLimits};
use weir_model::{DataType, TagId, TenantId};

use super::*;

fn spec(settings: Json, addresses: Vec<Json>) -> DeviceSpec {
    let point = |(i, address): (usize, Json)| Point {
        tag: TagId(i as u32 + 1),
        id: format!("88.100/d1.p{i}").parse().unwrap(),
        name: format!("p{i}"),
        address,
        data_type: DataType::Text,
        scaling: Vec::new(),
        write: None,
        poll_ms: None,
    };
    DeviceSpec {
        tenant: TenantId(1),
        device: "88.100/d1".parse().unwrap(),
        name: "d1".to_owned(),
        protocol: "line".to_owned(),
        settings,
        points: addresses.into_iter().enumerate().map(point).collect(),
        enabled: true,
        revision: 1,
    }
}

fn fields(spec: &DeviceSpec) -> Vec<String> {
    let errors = LineDriver::new().check(spec).err().unwrap_or_default();
    errors.into_iter().map(|e| e.field).collect()
}

#[test]
fn names_each_wrong_field_of_the_spec() {
    let connecting = json!({"host": "h", "port": 9004});
    let listening = json!({"mode": "listen", "port": 9004, "allow": ["::1"]});
    let none: [&str; 0] = [];
    let command = json!({"format": "command", "command": "BEEP"});
    let sourced = json!({"source": "::1"});
    assert_eq!(fields(&spec(connecting.clone(), vec![command.clone(), json!({})])), none);
    assert_eq!(fields(&spec(listening.clone(), vec![sourced.clone(), json!({})])), none);
    let wrong = fields(&spec(connecting.clone(), vec![sourced]));
    assert_eq!(wrong, ["/points/0/address/source"]);
    let wrong = fields(&spec(listening, vec![command]));
    assert_eq!(wrong, ["/points/0/address/format"]);
    let mut device = spec(connecting.clone(), vec![json!({}), json!({"pattern": "("})]);
    device.points[0].data_type = DataType::Array;
    device.points[0].write = Some(WriteLimits::default());
    let expected = ["/points/0/data_type", "/points/0/write", "/points/1/address/pattern"];
    assert_eq!(fields(&device), expected);
    let many = (0..300).map(|i| json!({"pattern": format!("^{i}")})).collect();
    assert_eq!(fields(&spec(connecting, many)), ["/points/200/address/pattern"]);
}
