//! The Modbus devices of the utilities and of the replay: which value stands in which register of
//! which device.
//!
//! Every vendor packs its numbers another way, and so do these: each controller has its own word
//! order and its own mix of floats and scaled integers. Steps are fine enough for the digits that
//! were recorded in normal running, so scaling loses nothing there.

use std::collections::BTreeMap;

use weir_model::{DataType, Unit};

use crate::image::{Table, Wire, WordOrder};
use crate::machining::FAILURE_MAX;
use crate::model::{Names, Range, WriteLimits};
use crate::recording::FAULT_MAX;
use crate::replay::{Moment, SPEED_MAX, WEAR_MAX};
use crate::variables;

/// One device.
pub(crate) struct Controller {
    pub(crate) suffix: &'static str,
    pub(crate) names: Names,
    pub(crate) asset: &'static str,
    /// Devices of one group share a port, as behind a gateway.
    pub(crate) group: usize,
    pub(crate) unit: u8,
    pub(crate) order: WordOrder,
    pub(crate) poll_ms: u32,
    pub(crate) points: Vec<Register>,
}

/// One point of a device.
pub(crate) struct Register {
    pub(crate) suffix: &'static str,
    pub(crate) names: Names,
    pub(crate) unit: Option<&'static str>,
    pub(crate) asset: &'static str,
    pub(crate) table: Table,
    pub(crate) address: u16,
    pub(crate) wire: Wire,
    /// The value of one raw step; none where the raw number is the value.
    pub(crate) step: Option<f64>,
    pub(crate) source: Source,
    pub(crate) range: Option<Range>,
    pub(crate) write: Option<WriteLimits>,
}

/// What a point shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Source {
    /// A recorded variable, by column.
    Recorded(usize),
    /// Whether a recorded variable is at or above a limit.
    AtLeast(usize, f32),
    /// Whether a recorded variable is at or below a limit.
    AtMost(usize, f32),
    /// The row that plays.
    Row,
    /// Rows played since the recording was chosen.
    RowsPlayed,
    /// Process time since the recording's first row, in hours.
    Hours,
    /// The fault that plays.
    Fault,
    /// The speed in times of real time.
    Speed,
    /// Whether the replay is held.
    Held,
    /// The failure of the machine tool that plays.
    Failure,
    /// The fault of the turbofans that plays.
    Wear,
}

/// The decimal number that was recorded: the nearest double to the digits, and not to the float
/// that holds them.
pub(crate) fn decimal(float: f32) -> f64 {
    float.to_string().parse().unwrap_or(f64::from(float))
}

/// Within what a valve may be driven.
pub(crate) const VALVE_LIMITS: WriteLimits = WriteLimits { min: 0.0, max: 100.0, confirm: true };

impl Source {
    /// The value at a moment.
    pub(crate) fn value(self, moment: &Moment) -> f64 {
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Recorded(column) => decimal(moment.values[column]),
            Self::AtLeast(column, limit) => truth(moment.values[column] >= limit),
            Self::AtMost(column, limit) => truth(moment.values[column] <= limit),
            Self::Row => f64::from(moment.row),
            Self::RowsPlayed => moment.rows_played as f64,
            Self::Hours => f64::from(moment.row) * crate::STEP_SECONDS / 3600.0,
            Self::Fault => f64::from(moment.fault),
            Self::Speed => moment.speed,
            Self::Held => truth(moment.held),
            Self::Failure => f64::from(moment.failure),
            Self::Wear => f64::from(moment.wear),
        }
    }

    /// What it is, for the tag's description.
    pub(crate) fn describe(self) -> String {
        let compared = |column: usize, sign: &str, limit: f32| {
            let variable = &variables::ALL[column];
            let unit = Unit::parse(variable.unit).ok();
            let symbol = unit.as_ref().map_or("", Unit::symbol);
            format!("{} {sign} {limit} {symbol}", variables::reference(column))
        };
        match self {
            Self::Recorded(column) if variables::ALL[column].unit == variables::KSCMH => {
                let reference = variables::reference(column);
                format!(
                    "Tennessee Eastman {reference}; kscmh: 1000 standard m³/h (千标准立方米/时)"
                )
            }
            Self::Recorded(column) => {
                format!("Tennessee Eastman {}", variables::reference(column))
            }
            Self::AtLeast(column, limit) => compared(column, "≥", limit),
            Self::AtMost(column, limit) => compared(column, "≤", limit),
            Self::Row => "0–959; 180 s".to_owned(),
            Self::RowsPlayed => "≥ 0".to_owned(),
            Self::Hours => "0–47.95 h".to_owned(),
            Self::Fault => format!(
                "0: normal run; 1–{FAULT_MAX}: the recording with that fault, from half an hour before it acts (0 为正常工况，1–{FAULT_MAX} 从该故障发生前半小时开始回放)"
            ),
            Self::Speed => format!("× 1; 0–{SPEED_MAX}"),
            Self::Held => "1: held (暂停)".to_owned(),
            Self::Failure => {
                "AI4I 2020: 1–5 replay the machine tool from ten parts before its first failure of that kind (从该类故障前十个工件开始回放)".to_owned()
            }
            Self::Wear => {
                "C-MAPSS FD001: 1 replays every engine's last sixty cycles (回放每台发动机失效前六十个循环)".to_owned()
            }
        }
    }

    /// The names of its states, where it is an enumeration.
    pub(crate) fn labels(self) -> BTreeMap<i64, String> {
        let names: &[&str] = match self {
            Self::Fault => FAULTS,
            Self::Failure => FAILURES,
            Self::Wear => &[
                "from the first cycle 从首个循环",
                "worn high-pressure compressor 高压压气机性能衰退",
            ],
            _ => &[],
        };
        (0..).zip(names.iter().map(|name| (*name).to_owned())).collect()
    }
}

/// The recorded faults of the Tennessee Eastman process, after Downs and Vogel's table 8.
const FAULTS: &[&str] = &[
    "normal run 正常工况",
    "A/C feed ratio steps (stream 4) A/C 进料比阶跃",
    "B composition steps (stream 4) B 组分阶跃",
    "D feed temperature steps (stream 2) D 进料温度阶跃",
    "reactor cooling water temperature steps 反应器冷却水入口温度阶跃",
    "condenser cooling water temperature steps 冷凝器冷却水入口温度阶跃",
    "A feed lost (stream 1) A 进料中断",
    "C header pressure lost (stream 4) C 总管压力损失",
    "A, B, C composition random (stream 4) A、B、C 组分随机波动",
    "D feed temperature random (stream 2) D 进料温度随机波动",
    "C feed temperature random (stream 4) C 进料温度随机波动",
];

/// The failures of the machine tool, in the order of [`crate::machining::FAILURES`].
const FAILURES: &[&str] = &[
    "from the first part 从首个工件",
    "tool wear 刀具磨损",
    "heat dissipation 散热故障",
    "power 功率故障",
    "overstrain 过载",
    "random 随机故障",
];

impl Register {
    /// The type of the scaled value.
    pub(crate) fn data_type(&self) -> DataType {
        match self.wire {
            _ if matches!(self.source, Source::Fault | Source::Failure | Source::Wear) => {
                DataType::Enumeration
            }
            Wire::Bit => DataType::Bool,
            Wire::F32 | Wire::F64 => DataType::F64,
            _ if self.step.is_some() => DataType::F64,
            Wire::U16 | Wire::U32 | Wire::U64 => DataType::U64,
            Wire::I32 => DataType::I64,
        }
    }
}

fn recorded(table: Table, column: usize, address: u16, wire: Wire, step: Option<f64>) -> Register {
    let variable = &variables::ALL[column];
    Register {
        suffix: variable.suffix,
        names: variable.names.clone(),
        unit: Some(variable.unit),
        asset: variable.asset,
        table,
        address,
        wire,
        step,
        source: Source::Recorded(column),
        range: Some(Range { low: variable.low, high: variable.high }),
        write: None,
    }
}

/// A measured variable as a float.
fn float(column: usize, address: u16) -> Register {
    recorded(Table::Input, column, address, Wire::F32, None)
}

/// A measured variable as a scaled integer.
fn scaled(column: usize, address: u16, wire: Wire, step: f64) -> Register {
    recorded(Table::Input, column, address, wire, Some(step))
}

/// A valve's position, which may be written.
fn valve(column: usize, address: u16) -> Register {
    Register {
        write: Some(VALVE_LIMITS),
        ..recorded(Table::Holding, column, address, Wire::F32, None)
    }
}

/// A bit that a comparison makes.
fn switch(
    suffix: &'static str,
    zh: &'static str,
    en: &'static str,
    address: u16,
    source: Source,
) -> Register {
    let asset = match source {
        Source::AtLeast(column, _) | Source::AtMost(column, _) => variables::ALL[column].asset,
        _ => "replay",
    };
    Register {
        suffix,
        names: Names::of(zh, en),
        unit: None,
        asset,
        table: Table::Discrete,
        address,
        wire: Wire::Bit,
        step: None,
        source,
        range: None,
        write: None,
    }
}

/// A value of the replay itself.
fn desk(
    suffix: &'static str,
    zh: &'static str,
    en: &'static str,
    at: (Table, u16, Wire),
    source: Source,
    unit: Option<&'static str>,
) -> Register {
    Register { unit, table: at.0, wire: at.2, ..switch(suffix, zh, en, at.1, source) }
}

/// A value of the replay that a person chooses, from 0 to `max`.
fn choice(max: u16, register: Register) -> Register {
    let max = f64::from(max);
    Register {
        write: Some(WriteLimits { min: 0.0, max, confirm: true }),
        range: Some(Range { low: 0.0, high: max }),
        ..register
    }
}

/// The two limit switches of a valve, half a per cent from its ends.
macro_rules! limits {
    ($suffix:literal, $zh:literal, $en:literal, $column:expr, $address:expr) => {
        [
            switch(
                concat!($suffix, "-open"),
                concat!($zh, "全开到位"),
                concat!($en, " fully open"),
                $address,
                Source::AtLeast($column, 99.5),
            ),
            switch(
                concat!($suffix, "-closed"),
                concat!($zh, "全关到位"),
                concat!($en, " fully closed"),
                $address + 1,
                Source::AtMost($column, 0.5),
            ),
        ]
    };
}

/// All devices.
#[rustfmt::skip]
pub(crate) fn all() -> Vec<Controller> {
    use Source::AtLeast;
    let controller = |suffix, zh, en, asset, (group, unit), order, points| Controller {
        suffix, names: Names::of(zh, en), asset, group, unit, order, poll_ms: 1000, points,
    };
    vec![
        controller("compressor-plc", "循环压缩机控制器", "Recycle compressor controller", "recycle", (0, 1), WordOrder::ABCD, vec![
            scaled(4, 0, Wire::U16, 0.001),
            scaled(19, 1, Wire::U16, 0.01),
            float(9, 2),
            switch("compressor-running", "循环压缩机运行", "Recycle compressor running", 0, AtLeast(19, 50.0)),
        ]),
        controller("cooling-water-plc", "循环冷却水控制器", "Cooling water controller", "cooling-water", (1, 11), WordOrder::DCBA,
            [scaled(20, 4, Wire::I32, 0.001), float(21, 10), valve(50, 0), valve(51, 2)].into_iter().chain([
                limits!("reactor-cooling-water-valve", "反应器冷却水阀", "Reactor cooling water valve", 50, 0),
                limits!("condenser-cooling-water-valve", "冷凝器冷却水阀", "Condenser cooling water valve", 51, 2),
            ].into_iter().flatten()).collect()),
        controller("steam-plc", "蒸汽系统控制器", "Steam controller", "steam", (1, 12), WordOrder::BADC,
            [scaled(18, 0, Wire::U16, 0.01), valve(49, 0)].into_iter().chain(
                limits!("stripper-steam-valve", "汽提塔蒸汽阀", "Stripper steam valve", 49, 0),
            ).collect()),
        controller("replay-desk", "数据回放台", "Replay desk", "replay", (2, 1), WordOrder::CDAB, vec![
            desk("replay-row", "回放行号", "Replayed row", (Table::Input, 0, Wire::U32), Source::Row, None),
            desk("replay-rows-played", "已回放行数", "Rows played", (Table::Input, 2, Wire::U64), Source::RowsPlayed, None),
            desk("replay-process-time", "工艺时间", "Process time", (Table::Input, 6, Wire::F64), Source::Hours, Some("h")),
            choice(FAILURE_MAX, desk("replay-mill-failure", "铣床故障选择", "Milling machine failure selection", (Table::Holding, 0, Wire::U16), Source::Failure, None)),
            choice(WEAR_MAX, desk("replay-engine-wear", "发动机磨损选择", "Engine wear selection", (Table::Holding, 1, Wire::U16), Source::Wear, None)),
            Register {
                write: Some(WriteLimits { min: 0.0, max: SPEED_MAX, confirm: true }),
                ..desk("replay-speed", "回放倍速", "Replay speed", (Table::Holding, 2, Wire::F32), Source::Speed, None)
            },
            Register {
                write: Some(WriteLimits { min: 0.0, max: 1.0, confirm: true }),
                ..desk("replay-hold", "回放暂停", "Replay held", (Table::Coil, 0, Wire::Bit), Source::Held, None)
            },
        ]),
    ]
}

#[cfg(test)]
mod tests;
