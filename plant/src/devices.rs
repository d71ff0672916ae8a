//! The Modbus devices: which value stands in which register of which device.
//!
//! Every vendor packs its numbers another way, and so do these: each controller has its own word
//! order and its own mix of floats and scaled integers. Steps are fine enough for the digits that
//! were recorded in normal running, so scaling loses nothing there.

use weir_model::{DataType, Unit};

use crate::image::{Table, Wire, WordOrder};
use crate::model::{Names, Range, WriteLimits};
use crate::recording::FAULT_MAX;
use crate::replay::{Moment, SPEED_MAX};
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
}

impl Source {
    /// The value at a moment.
    pub(crate) fn value(self, moment: &Moment) -> f64 {
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Recorded(column) => f64::from(moment.values[column]),
            Self::AtLeast(column, limit) => truth(moment.values[column] >= limit),
            Self::AtMost(column, limit) => truth(moment.values[column] <= limit),
            Self::Row => f64::from(moment.row),
            Self::RowsPlayed => moment.rows_played as f64,
            Self::Hours => f64::from(moment.row) * crate::STEP_SECONDS / 3600.0,
            Self::Fault => f64::from(moment.fault),
            Self::Speed => moment.speed,
            Self::Held => truth(moment.held),
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
            Self::Fault => format!("0–{FAULT_MAX}; 0: normal run (正常工况)"),
            Self::Speed => format!("× 1; 0–{SPEED_MAX}"),
            Self::Held => "1: held (暂停)".to_owned(),
        }
    }
}

impl Register {
    /// The type of the scaled value.
    pub(crate) fn data_type(&self) -> DataType {
        match self.wire {
            Wire::Bit => DataType::Bool,
            Wire::F32 | Wire::F64 => DataType::F64,
            _ if self.step.is_some() => DataType::F64,
            Wire::U16 | Wire::U32 | Wire::U64 => DataType::U64,
            Wire::I16 | Wire::I32 => DataType::I64,
        }
    }
}

fn recorded(table: Table, column: usize, address: u16, wire: Wire, step: Option<f64>) -> Register {
    let variable = &variables::ALL[column];
    Register {
        suffix: variable.suffix,
        names: variable.names,
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
        write: Some(WriteLimits { min: 0.0, max: 100.0, confirm: true }),
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
        names: Names { zh, en },
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

/// All devices. Alarm limits are the operating limits of Downs and Vogel's table 6.
#[rustfmt::skip]
pub(crate) fn all() -> Vec<Controller> {
    use Source::{AtLeast, AtMost};
    let controller = |suffix, zh, en, asset, (group, unit), order, points| Controller {
        suffix, names: Names { zh, en }, asset, group, unit, order, poll_ms: 1000, points,
    };
    vec![
        controller("feed-plc", "进料工段控制器", "Feed section controller", "feed", (0, 1), WordOrder::ABCD, vec![
            float(0, 0),
            scaled(1, 2, Wire::U16, 0.1),
            scaled(2, 3, Wire::U16, 0.1),
            scaled(3, 4, Wire::I32, 0.0001),
            switch("feed-a-flowing", "A 进料有流量", "A feed flowing", 0, AtLeast(0, 0.05)),
            switch("feed-d-flowing", "D 进料有流量", "D feed flowing", 1, AtLeast(1, 100.0)),
            switch("feed-e-flowing", "E 进料有流量", "E feed flowing", 2, AtLeast(2, 100.0)),
            switch("feed-ac-flowing", "A+C 进料有流量", "A and C feed flowing", 3, AtLeast(3, 0.5)),
        ]),
        controller("reactor-plc", "反应器控制器", "Reactor controller", "reactor", (1, 1), WordOrder::CDAB, vec![
            scaled(5, 100, Wire::U16, 0.001),
            scaled(6, 101, Wire::U16, 0.1),
            scaled(7, 102, Wire::I32, 0.001),
            scaled(8, 104, Wire::I16, 0.01),
            float(20, 106),
            switch("reactor-pressure-high", "反应器压力高", "Reactor pressure high", 16, AtLeast(6, 2895.0)),
            switch("reactor-pressure-trip", "反应器压力高联锁", "Reactor pressure trip", 17, AtLeast(6, 3000.0)),
            switch("reactor-level-low", "反应器液位低", "Reactor level low", 18, AtMost(7, 50.0)),
            switch("reactor-level-high", "反应器液位高", "Reactor level high", 19, AtLeast(7, 100.0)),
            switch("reactor-temperature-high", "反应器温度高", "Reactor temperature high", 20, AtLeast(8, 150.0)),
        ]),
        controller("separator-plc", "冷凝分离控制器", "Condenser and separator controller", "separation", (2, 1), WordOrder::BADC, vec![
            float(10, 0),
            float(11, 2),
            scaled(12, 4, Wire::U16, 0.1),
            scaled(13, 5, Wire::U16, 0.001),
            float(21, 10),
            switch("separator-level-low", "分离器液位低", "Separator level low", 0, AtMost(11, 30.0)),
            switch("separator-level-high", "分离器液位高", "Separator level high", 1, AtLeast(11, 100.0)),
            switch("separator-pump-running", "分离器底部泵运行", "Separator bottoms pump running", 8, AtLeast(13, 1.0)),
        ]),
        controller("compressor-plc", "循环压缩机控制器", "Recycle compressor controller", "recycle", (3, 1), WordOrder::ABCD, vec![
            scaled(4, 0, Wire::U16, 0.001),
            scaled(19, 1, Wire::U16, 0.01),
            float(9, 2),
            switch("compressor-running", "循环压缩机运行", "Recycle compressor running", 0, AtLeast(19, 50.0)),
        ]),
        controller("stripper-plc", "汽提塔控制器", "Stripper controller", "stripper", (4, 1), WordOrder::DCBA, vec![
            float(14, 200),
            scaled(15, 202, Wire::U16, 0.1),
            scaled(16, 203, Wire::U16, 0.001),
            float(17, 204),
            scaled(18, 206, Wire::U16, 0.01),
            switch("stripper-level-low", "汽提塔液位低", "Stripper level low", 0, AtMost(14, 30.0)),
            switch("stripper-level-high", "汽提塔液位高", "Stripper level high", 1, AtLeast(14, 100.0)),
            switch("stripper-pump-running", "产品泵运行", "Product pump running", 2, AtLeast(16, 1.0)),
        ]),
        controller("analyser-feed-gc", "反应器进料色谱仪", "Reactor feed chromatograph", "analyser-feed", (5, 11), WordOrder::CDAB,
            (0..6).map(|i| float(22 + i, 2 * i as u16)).collect()),
        controller("analyser-purge-gc", "弛放气色谱仪", "Purge gas chromatograph", "analyser-purge", (5, 12), WordOrder::BADC,
            (0..8).map(|i| scaled(28 + i, 2 * i as u16, Wire::U32, 0.0001)).collect()),
        controller("analyser-product-gc", "产品色谱仪", "Product chromatograph", "analyser-product", (5, 13), WordOrder::ABCD,
            (0..5).map(|i| scaled(36 + i, 2 * i as u16, Wire::I32, 0.000_001)).collect()),
        controller("valve-station", "调节阀站", "Control valve station", "synthesis", (6, 1), WordOrder::DCBA,
            (0..11).map(|i| valve(41 + i, 2 * i as u16)).chain([
                limits!("feed-d-valve", "D 进料阀", "D feed valve", 41, 0),
                limits!("feed-e-valve", "E 进料阀", "E feed valve", 42, 2),
                limits!("feed-a-valve", "A 进料阀", "A feed valve", 43, 4),
                limits!("feed-ac-valve", "A+C 混合进料阀", "A and C feed valve", 44, 6),
                limits!("recycle-valve", "压缩机循环阀", "Compressor recycle valve", 45, 8),
                limits!("purge-valve", "弛放气阀", "Purge valve", 46, 10),
                limits!("separator-liquid-valve", "分离器液相出料阀", "Separator liquid valve", 47, 12),
                limits!("stripper-product-valve", "汽提塔产品出料阀", "Stripper product valve", 48, 14),
                limits!("stripper-steam-valve", "汽提塔蒸汽阀", "Stripper steam valve", 49, 16),
                limits!("reactor-cooling-water-valve", "反应器冷却水阀", "Reactor cooling water valve", 50, 18),
                limits!("condenser-cooling-water-valve", "冷凝器冷却水阀", "Condenser cooling water valve", 51, 20),
            ].into_iter().flatten()).collect()),
        controller("replay-desk", "数据回放台", "Replay desk", "replay", (7, 1), WordOrder::ABCD, vec![
            desk("replay-row", "回放行号", "Replayed row", (Table::Input, 0, Wire::U32), Source::Row, None),
            desk("replay-rows-played", "已回放行数", "Rows played", (Table::Input, 2, Wire::U64), Source::RowsPlayed, None),
            desk("replay-process-time", "工艺时间", "Process time", (Table::Input, 6, Wire::F64), Source::Hours, Some("h")),
            Register {
                write: Some(WriteLimits { min: 0.0, max: f64::from(FAULT_MAX), confirm: true }),
                range: Some(Range { low: 0.0, high: f64::from(FAULT_MAX) }),
                ..desk("replay-fault", "故障选择", "Fault selection", (Table::Holding, 0, Wire::U16), Source::Fault, None)
            },
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
