//! As much of Sparkplug B's payload as an edge node of plain metrics needs (Sparkplug 3.0.0, 6.4).

use prost::Message;

/// The data types by their numbers (6.4.16).
const UINT32: u32 = 7;
const UINT64: u32 = 8;
const DOUBLE: u32 = 10;
const BOOLEAN: u32 = 11;

/// The metric by which a host asks for new births.
pub(crate) const REBIRTH: &str = "Node Control/Rebirth";

/// A message.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    /// Milliseconds since 1970.
    #[prost(uint64, optional, tag = "1")]
    pub(crate) timestamp: Option<u64>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) metrics: Vec<Metric>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) seq: Option<u64>,
}

/// A metric.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Metric {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) alias: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) datatype: Option<u32>,
    #[prost(oneof = "Number", tags = "10, 11, 13, 14")]
    pub(crate) value: Option<Number>,
}

/// What a metric is.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(crate) enum Number {
    #[prost(uint32, tag = "10")]
    Int(u32),
    #[prost(uint64, tag = "11")]
    Long(u64),
    #[prost(double, tag = "13")]
    Double(f64),
    #[prost(bool, tag = "14")]
    Boolean(bool),
}

impl Number {
    fn datatype(self) -> u32 {
        match self {
            Self::Int(_) => UINT32,
            Self::Long(_) => UINT64,
            Self::Double(_) => DOUBLE,
            Self::Boolean(_) => BOOLEAN,
        }
    }
}

impl Metric {
    /// A metric as a birth tells it; data will come by its alias, if it has one.
    pub(crate) fn born(name: &str, alias: Option<u64>, now_ms: u64, value: Number) -> Self {
        let (name, datatype) = (Some(name.to_owned()), Some(value.datatype()));
        Self { name, alias, timestamp: Some(now_ms), datatype, value: Some(value) }
    }

    /// A metric that has changed.
    pub(crate) fn data(alias: u64, now_ms: u64, value: Number) -> Self {
        let (name, datatype) = (None, None);
        Self { name, alias: Some(alias), timestamp: Some(now_ms), datatype, value: Some(value) }
    }
}

/// Whether a command to an edge node asks for new births. What cannot be read asks for nothing.
pub(crate) fn asks_for_rebirth(command: &[u8]) -> bool {
    let asks = |metric: &Metric| {
        metric.name.as_deref() == Some(REBIRTH) && metric.value == Some(Number::Boolean(true))
    };
    Payload::decode(command).is_ok_and(|payload| payload.metrics.iter().any(asks))
}
