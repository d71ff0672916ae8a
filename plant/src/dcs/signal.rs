//! The signals of the control system, and the system as a device of the plant.

use std::net::SocketAddr;

use serde_json::json;
use weir_model::{DataType, Unit, Value};
use weir_opcua_server::NAMESPACE;

use crate::devices::{Source, VALVE_LIMITS};
use crate::model::{Device, Names, Point, Range, WriteLimits};
use crate::recording::FAULT_MAX;
use crate::replay::Moment;
use crate::variables;

/// The device's suffix.
pub(crate) const SUFFIX: &str = "process-dcs";

/// How often the server reports changes, in milliseconds.
const PUBLISHING_MS: u32 = 200;

/// One signal.
pub(crate) struct Signal {
    pub(crate) suffix: &'static str,
    pub(crate) names: Names,
    pub(crate) unit: Option<&'static str>,
    pub(crate) asset: &'static str,
    pub(crate) source: Source,
    pub(crate) range: Option<Range>,
    pub(crate) write: Option<WriteLimits>,
}

impl Signal {
    pub(crate) fn data_type(&self) -> DataType {
        match self.source {
            Source::AtLeast(..) | Source::AtMost(..) => DataType::Bool,
            Source::Fault => DataType::Enumeration,
            _ => DataType::F64,
        }
    }

    /// Its value at a moment.
    pub(crate) fn value(&self, moment: &Moment) -> Value {
        let number = self.source.value(moment);
        match self.data_type() {
            DataType::Bool => Value::Bool(number != 0.0),
            DataType::Enumeration => Value::Enumeration(number as i64),
            _ => Value::F64(number),
        }
    }
}

fn recorded(column: usize) -> Signal {
    let variable = &variables::ALL[column];
    Signal {
        suffix: variable.suffix,
        names: variable.names.clone(),
        unit: Some(variable.unit),
        asset: variable.asset,
        source: Source::Recorded(column),
        range: Some(Range { low: variable.low, high: variable.high }),
        write: None,
    }
}

fn valve(column: usize) -> Signal {
    Signal { write: Some(VALVE_LIMITS), ..recorded(column) }
}

/// What a comparison makes.
fn compared(suffix: &'static str, zh: &'static str, en: &'static str, source: Source) -> Signal {
    let asset = match source {
        Source::AtLeast(column, _) | Source::AtMost(column, _) => variables::ALL[column].asset,
        _ => "replay",
    };
    let names = Names::of(zh, en);
    Signal { suffix, names, unit: None, asset, source, range: None, write: None }
}

/// The two limit switches of a valve, half a per cent from its ends.
macro_rules! limits {
    ($suffix:literal, $zh:literal, $en:literal, $column:expr) => {
        [
            compared(
                concat!($suffix, "-open"),
                concat!($zh, "全开到位"),
                concat!($en, " fully open"),
                Source::AtLeast($column, 99.5),
            ),
            compared(
                concat!($suffix, "-closed"),
                concat!($zh, "全关到位"),
                concat!($en, " fully closed"),
                Source::AtMost($column, 0.5),
            ),
        ]
    };
}

/// All signals. Alarm limits are the operating limits of Downs and Vogel's table 6.
#[rustfmt::skip]
pub(crate) fn signals() -> Vec<Signal> {
    use Source::{AtLeast, AtMost};
    let fault = Signal {
        range: Some(Range { low: 0.0, high: f64::from(FAULT_MAX) }),
        write: Some(WriteLimits { min: 0.0, max: f64::from(FAULT_MAX), confirm: true }),
        ..compared("replay-fault", "化工过程故障选择", "Process fault selection", Source::Fault)
    };
    let measured = (0..4).chain(5..9).chain(10..18).chain(22..41).map(recorded);
    let valves = (41..49).map(valve);
    let switches = [
        compared("feed-a-flowing", "A 进料有流量", "A feed flowing", AtLeast(0, 0.05)),
        compared("feed-d-flowing", "D 进料有流量", "D feed flowing", AtLeast(1, 100.0)),
        compared("feed-e-flowing", "E 进料有流量", "E feed flowing", AtLeast(2, 100.0)),
        compared("feed-ac-flowing", "A+C 进料有流量", "A and C feed flowing", AtLeast(3, 0.5)),
        compared("reactor-pressure-high", "反应器压力高", "Reactor pressure high", AtLeast(6, 2895.0)),
        compared("reactor-pressure-trip", "反应器压力高联锁", "Reactor pressure trip", AtLeast(6, 3000.0)),
        compared("reactor-level-low", "反应器液位低", "Reactor level low", AtMost(7, 50.0)),
        compared("reactor-level-high", "反应器液位高", "Reactor level high", AtLeast(7, 100.0)),
        compared("reactor-temperature-high", "反应器温度高", "Reactor temperature high", AtLeast(8, 150.0)),
        compared("separator-level-low", "分离器液位低", "Separator level low", AtMost(11, 30.0)),
        compared("separator-level-high", "分离器液位高", "Separator level high", AtLeast(11, 100.0)),
        compared("separator-pump-running", "分离器底部泵运行", "Separator bottoms pump running", AtLeast(13, 1.0)),
        compared("stripper-level-low", "汽提塔液位低", "Stripper level low", AtMost(14, 30.0)),
        compared("stripper-level-high", "汽提塔液位高", "Stripper level high", AtLeast(14, 100.0)),
        compared("stripper-pump-running", "产品泵运行", "Product pump running", AtLeast(16, 1.0)),
    ];
    let ends = [
        limits!("feed-d-valve", "D 进料阀", "D feed valve", 41),
        limits!("feed-e-valve", "E 进料阀", "E feed valve", 42),
        limits!("feed-a-valve", "A 进料阀", "A feed valve", 43),
        limits!("feed-ac-valve", "A+C 混合进料阀", "A and C feed valve", 44),
        limits!("recycle-valve", "压缩机循环阀", "Compressor recycle valve", 45),
        limits!("purge-valve", "弛放气阀", "Purge valve", 46),
        limits!("separator-liquid-valve", "分离器液相出料阀", "Separator liquid valve", 47),
        limits!("stripper-product-valve", "汽提塔产品出料阀", "Stripper product valve", 48),
    ];
    measured.chain(valves).chain(switches).chain(ends.into_iter().flatten()).chain([fault]).collect()
}

/// The device behind a server at an address.
pub(crate) fn device(server: SocketAddr) -> Device {
    Device {
        suffix: SUFFIX.into(),
        names: Names::of("工艺过程控制系统", "Process control system"),
        protocol: "opcua",
        asset: "synthesis".into(),
        settings: json!({
            "url": format!("opc.tcp://{server}"),
            "security_policy": "None",
            "security_mode": "None",
            "auth": "anonymous",
            "publishing_ms": PUBLISHING_MS,
            "sampling_ms": PUBLISHING_MS,
            "timeout_ms": 2000,
        }),
        points: signals().iter().map(point).collect(),
    }
}

fn point(signal: &Signal) -> Point {
    Point {
        suffix: signal.suffix.into(),
        names: signal.names.clone(),
        description: signal.source.describe(),
        // The codes are this crate's own and one test reads them all.
        unit: signal.unit.and_then(|code| Unit::parse(code).ok()),
        data_type: signal.data_type(),
        labels: signal.source.labels(),
        address: json!({ "node": format!("nsu={NAMESPACE};s={}", super::name(signal.suffix)) }),
        scaling: None,
        range: signal.range,
        asset: signal.asset.into(),
        write: signal.write,
    }
}
