//! The machine tool as a device of the plant: which data items of its agent become tags.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;
use weir_model::{DataType, Unit};

use crate::agent::items::NAME;
use crate::model::{Device, Names, Point, Range};

/// The device's suffix.
pub(crate) const SUFFIX: &str = "mill-agent";

/// How often the agent sends what has changed, in milliseconds.
const INTERVAL_MS: u32 = 200;

/// The states of a condition.
const STATES: [&str; 3] = ["normal 正常", "warning 警告", "fault 故障"];

/// One tag.
struct Row {
    item: &'static str,
    suffix: &'static str,
    names: Names,
    about: &'static str,
    data_type: DataType,
    unit: Option<&'static str>,
    range: Option<(f64, f64)>,
}

const fn row(
    item: &'static str,
    suffix: &'static str,
    (zh, en): (&'static str, &'static str),
    about: &'static str,
    data_type: DataType,
    unit: Option<&'static str>,
    range: Option<(f64, f64)>,
) -> Row {
    Row { item, suffix, names: Names::of(zh, en), about, data_type, unit, range }
}

#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("avail", "mill-available", ("铣床数据可用", "Milling machine available"), "AVAILABILITY", DataType::Bool, None, None),
    row("exec", "mill-execution", ("程序执行状态", "Execution"), "EXECUTION; STOPPED where the part was made with a failure (故障时为 STOPPED)", DataType::Text, None, None),
    row("part", "mill-part", ("工件编号", "Part"), "AI4I 2020 Product ID", DataType::Text, None, None),
    row("count", "mill-part-count", ("工件计数", "Parts made"), "AI4I 2020 UDI", DataType::U64, None, None),
    row("quality", "mill-part-quality", ("工件质量等级", "Quality of the part"), "AI4I 2020 Type: L, M, H (低、中、高)", DataType::Text, None, None),
    row("speed", "mill-spindle-speed", ("主轴转速", "Spindle speed"), "AI4I 2020 Rotational speed", DataType::F64, Some("{rpm}"), Some((1000.0, 3000.0))),
    row("torque", "mill-spindle-torque", ("主轴扭矩", "Spindle torque"), "AI4I 2020 Torque", DataType::F64, Some("N.m"), Some((0.0, 80.0))),
    row("wear", "mill-tool-wear", ("刀具累计使用时间", "Tool wear"), "AI4I 2020 Tool wear", DataType::F64, Some("s"), Some((0.0, 15_600.0))),
    row("process", "mill-process-temperature", ("加工温度", "Process temperature"), "AI4I 2020 Process temperature", DataType::F64, Some("Cel"), Some((20.0, 50.0))),
    row("air", "mill-air-temperature", ("环境温度", "Air temperature"), "AI4I 2020 Air temperature", DataType::F64, Some("Cel"), Some((10.0, 40.0))),
    row("twf", "mill-tool-failure", ("刀具磨损故障", "Tool wear failure"), "AI4I 2020 TWF", DataType::Enumeration, None, None),
    row("hdf", "mill-heat-failure", ("散热故障", "Heat dissipation failure"), "AI4I 2020 HDF", DataType::Enumeration, None, None),
    row("pwf", "mill-power-failure", ("功率故障", "Power failure"), "AI4I 2020 PWF", DataType::Enumeration, None, None),
    row("osf", "mill-overstrain-failure", ("过载故障", "Overstrain failure"), "AI4I 2020 OSF", DataType::Enumeration, None, None),
    row("rnf", "mill-random-failure", ("随机故障", "Random failure"), "AI4I 2020 RNF", DataType::Enumeration, None, None),
];

/// The device behind an agent at an address.
pub(crate) fn device(agent: SocketAddr) -> Device {
    Device {
        suffix: SUFFIX.into(),
        names: Names::of("1 号铣床 MTConnect 代理", "MTConnect agent of milling machine 1"),
        protocol: "mtconnect",
        asset: "mill".into(),
        settings: json!({
            "url": format!("http://{agent}"),
            "device": NAME,
            "interval_ms": INTERVAL_MS,
            "timeout_ms": 2000,
        }),
        points: ROWS.iter().map(point).collect(),
    }
}

fn point(row: &Row) -> Point {
    let labels = match row.data_type {
        DataType::Enumeration => (0..).zip(STATES.map(str::to_owned)).collect(),
        _ => BTreeMap::new(),
    };
    Point {
        suffix: row.suffix.into(),
        names: row.names.clone(),
        description: row.about.to_owned(),
        // The codes are this crate's own and one test reads them all.
        unit: row.unit.and_then(|code| Unit::parse(code).ok()),
        data_type: row.data_type,
        labels,
        address: json!({ "data_item": row.item }),
        scaling: None,
        range: row.range.map(|(low, high)| Range { low, high }),
        asset: Cow::Borrowed("mill"),
        write: None,
    }
}
