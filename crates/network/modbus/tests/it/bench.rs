//! The bench of the conformance suite, with the Modbus driver and its devices.
#![allow(dead_code, reason = "two test crates share it, and each uses a part")]

use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Value as Json, json};
pub(crate) use weir_connect::conformance::{TENANT, device_id as id, impatient, tag};
use weir_connect::{DeviceSpec, Point, WriteLimits};
use weir_modbus::ModbusDriver;
use weir_model::DataType;

pub(crate) struct Bench(weir_connect::conformance::Bench);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(weir_connect::conformance::Bench::new(vec![Arc::new(ModbusDriver::new())]))
    }
}

impl Deref for Bench {
    type Target = weir_connect::conformance::Bench;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A device at a port with points at addresses, whose values keep the type they are read as.
pub(crate) fn spec(n: u32, port: u16, addresses: Vec<Json>) -> DeviceSpec {
    let point = |(i, address): (usize, Json)| {
        let table = address["table"].as_str().unwrap_or_default();
        let raw_type = address["type"].as_str().unwrap_or("u16");
        let data_type = match (table, raw_type) {
            ("coil" | "discrete", _) | (_, "bool") => DataType::Bool,
            (_, "f32" | "f64") => DataType::F64,
            (_, "i16" | "i32" | "i64") => DataType::I64,
            _ => DataType::U64,
        };
        let writable = matches!(table, "coil" | "holding");
        Point {
            tag: tag(n, i),
            id: format!("88.100/d{n}.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            address,
            data_type,
            scaling: Vec::new(),
            write: writable.then(WriteLimits::default),
            poll_ms: None,
        }
    };
    DeviceSpec {
        tenant: TENANT,
        device: id(n),
        name: format!("device {n}"),
        protocol: "modbus".to_owned(),
        settings: json!({"host": "127.0.0.1", "port": port, "poll_ms": 20, "timeout_ms": 3000}),
        points: addresses.into_iter().enumerate().map(point).collect(),
        enabled: true,
        revision: 1,
    }
}

pub(crate) fn holding(address: u16, raw_type: &str) -> Json {
    json!({"table": "holding", "address": address, "type": raw_type})
}
