//! The turbofan fleet: the first twenty engines of NASA's C-MAPSS data set FD001, each run until it
//! failed.
//!
//! A. Saxena, K. Goebel, D. Simon, N. Eklund, "Damage propagation modeling for aircraft engine
//! run-to-failure simulation", Prognostics and Health Management (2008).

mod edge;
mod sparkplug;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use flate2::read::GzDecoder;
use serde_json::json;
use weir_model::{DataType, Level, Unit};

use crate::PlantError;
use crate::model::{Asset, Device, Names, Point, Range};
use crate::replay::Position;

pub(crate) use edge::run;

/// Engines that are embedded.
const ENGINES: usize = 20;

/// Engines behind one edge node.
const ENGINES_A_STATION: usize = 4;

/// Edge nodes: the stations that the engines report to.
pub(crate) const STATIONS: usize = ENGINES / ENGINES_A_STATION;

/// The Sparkplug group of all edge nodes.
pub(crate) const GROUP: &str = "fleet";

/// Numbers of one cycle: three settings and twenty-one sensors.
const COLUMNS: usize = 24;

/// Most cycles of one engine, so that a damaged file cannot ask for more; the longest has 287.
const CYCLES_MAX: usize = 400;

/// Longest line.
const LINE_BYTES_MAX: u64 = 512;

/// Where a worn engine begins: so many cycles before it fails.
const WORN_CYCLES: u64 = 60;

static PACKED: &[u8] = include_bytes!("../data/train_FD001_1_to_20.txt.gz");

/// What an engine is measured by, in the order of the columns, as the data set's authors name it.
pub(crate) const METRICS: [&str; COLUMNS] = [
    "setting_1",
    "setting_2",
    "setting_3",
    "T2",
    "T24",
    "T30",
    "T50",
    "P2",
    "P15",
    "P30",
    "Nf",
    "Nc",
    "epr",
    "Ps30",
    "phi",
    "NRf",
    "NRc",
    "BPR",
    "farB",
    "htBleed",
    "Nf_dmd",
    "PCNfR_dmd",
    "W31",
    "W32",
];

/// One metric that becomes a tag. The others hardly change under FD001's one operating condition.
struct Row {
    metric: &'static str,
    suffix: &'static str,
    names: [&'static str; 2],
    unit: Option<&'static str>,
    range: (f64, f64),
}

const fn row(
    metric: &'static str,
    suffix: &'static str,
    names: [&'static str; 2],
    unit: Option<&'static str>,
    range: (f64, f64),
) -> Row {
    Row { metric, suffix, names, unit, range }
}

#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("cycle", "cycle", ["飞行循环", "Flight cycle"], None, (1.0, CYCLES_MAX as f64)),
    row("T24", "t24", ["低压压气机出口总温", "LPC outlet temperature"], Some("[degR]"), (640.0, 646.0)),
    row("T30", "t30", ["高压压气机出口总温", "HPC outlet temperature"], Some("[degR]"), (1560.0, 1620.0)),
    row("T50", "t50", ["低压涡轮出口总温", "LPT outlet temperature"], Some("[degR]"), (1380.0, 1445.0)),
    row("P30", "p30", ["高压压气机出口总压", "HPC outlet pressure"], Some("[psi]"), (549.0, 557.0)),
    row("Nf", "nf", ["风扇物理转速", "Fan speed"], Some("{rpm}"), (2387.0, 2389.0)),
    row("Nc", "nc", ["核心机物理转速", "Core speed"], Some("{rpm}"), (9000.0, 9250.0)),
    row("Ps30", "ps30", ["高压压气机出口静压", "HPC outlet static pressure"], Some("[psi]"), (46.5, 49.0)),
    row("phi", "phi", ["燃油流量与 Ps30 之比", "Fuel flow to Ps30"], Some("pps/psi"), (518.0, 524.0)),
    row("NRf", "nrf", ["风扇换算转速", "Corrected fan speed"], Some("{rpm}"), (2387.0, 2389.0)),
    row("NRc", "nrc", ["核心机换算转速", "Corrected core speed"], Some("{rpm}"), (8080.0, 8300.0)),
    row("BPR", "bpr", ["涵道比", "Bypass ratio"], None, (8.3, 8.6)),
    row("htBleed", "ht-bleed", ["引气焓", "Bleed enthalpy"], None, (387.0, 401.0)),
    row("W31", "w31", ["高压涡轮冷却引气量", "HPT coolant bleed"], Some("[lb_av]/s"), (38.0, 40.0)),
    row("W32", "w32", ["低压涡轮冷却引气量", "LPT coolant bleed"], Some("[lb_av]/s"), (22.8, 23.7)),
];

/// What was measured in one cycle.
pub(crate) type Cycle = [f32; COLUMNS];

/// The engines' runs, unpacked: 400 kB.
pub(crate) struct Fleet {
    engines: Vec<Box<[Cycle]>>,
}

impl Fleet {
    /// Unpacks the runs.
    pub(crate) fn load() -> Result<Self, PlantError> {
        let name = "of the turbofans".to_owned();
        Self::unpack(PACKED).map_err(|reason| PlantError::Recording { name, reason })
    }

    fn unpack(packed: &[u8]) -> Result<Self, String> {
        let mut engines: Vec<Vec<Cycle>> = vec![Vec::new(); ENGINES];
        let mut reader = BufReader::new(GzDecoder::new(packed));
        let mut line = Vec::with_capacity(LINE_BYTES_MAX as usize);
        for row in 1..=ENGINES * CYCLES_MAX {
            line.clear();
            let mut bounded = (&mut reader).take(LINE_BYTES_MAX);
            bounded.read_until(b'\n', &mut line).map_err(|e| format!("row {row}: {e}"))?;
            if line.is_empty() {
                break;
            }
            let text = std::str::from_utf8(&line).map_err(|e| format!("row {row}: {e}"))?;
            take(&mut engines, text).ok_or_else(|| format!("row {row}: {text:?}"))?;
        }
        if engines.iter().any(Vec::is_empty) {
            return Err("an engine is missing".to_owned());
        }
        Ok(Self { engines: engines.into_iter().map(Vec::into_boxed_slice).collect() })
    }

    /// The number of the cycle that an engine flies, counted from 1, and what is measured. After
    /// its last cycle an engine is as new.
    pub(crate) fn cycle(&self, engine: usize, at: Position) -> (u32, &Cycle) {
        let cycles = &self.engines[engine];
        let length = cycles.len() as u64;
        let first = if at.fault == 0 { 0 } else { length.saturating_sub(WORN_CYCLES) };
        let index = ((first + at.rows) % length) as usize;
        (index as u32 + 1, &cycles[index])
    }
}

/// Adds a line to the engine that it is of; none where it is not the engine's next cycle.
fn take(engines: &mut [Vec<Cycle>], line: &str) -> Option<()> {
    let mut cells = line.split_ascii_whitespace();
    let engine = cells.next()?.parse::<usize>().ok()?.checked_sub(1)?;
    let number: usize = cells.next()?.parse().ok()?;
    let cycles = engines.get_mut(engine).filter(|cycles| cycles.len() + 1 == number)?;
    let mut cycle = [0.0; COLUMNS];
    for value in &mut cycle {
        *value = cells.next()?.parse().ok().filter(|value: &f32| value.is_finite())?;
    }
    if cells.next().is_some() || number > CYCLES_MAX {
        return None;
    }
    cycles.push(cycle);
    Some(())
}

/// The engines of a station, counted from 0.
fn engines_of(station: usize) -> std::ops::Range<usize> {
    station * ENGINES_A_STATION..(station + 1) * ENGINES_A_STATION
}

/// An edge node's name in Sparkplug; its suffix in the plant, too.
fn station_id(station: usize) -> String {
    format!("station-{}", station + 1)
}

/// An engine's name in Sparkplug; its suffix in the plant, too.
fn engine_id(engine: usize) -> String {
    format!("engine-{:02}", engine + 1)
}

/// Stations and engines.
pub(crate) fn assets() -> Vec<Asset> {
    let named = |zh: String, en: String| Names { zh: Cow::Owned(zh), en: Cow::Owned(en) };
    let mut assets = Vec::with_capacity(STATIONS + ENGINES);
    for station in 0..STATIONS {
        let number = station + 1;
        assets.push(Asset {
            suffix: station_id(station).into(),
            level: Level::WorkCenter,
            parent: Some("fleet".into()),
            names: named(format!("{number} 号航线站"), format!("Line station {number}")),
        });
        for engine in engines_of(station) {
            let number = engine + 1;
            assets.push(Asset {
                suffix: engine_id(engine).into(),
                level: Level::WorkUnit,
                parent: Some(station_id(station).into()),
                names: named(format!("{number} 号发动机"), format!("Engine {number}")),
            });
        }
    }
    assets
}

/// The edge nodes as devices of the plant.
pub(crate) fn devices() -> Vec<Device> {
    (0..STATIONS).map(device).collect()
}

fn device(station: usize) -> Device {
    let number = station + 1;
    let names = Names {
        zh: format!("{number} 号航线站边缘节点").into(),
        en: format!("Edge node of line station {number}").into(),
    };
    let points =
        engines_of(station).flat_map(|engine| ROWS.iter().map(move |row| point(engine, row)));
    Device {
        suffix: format!("{}-edge", station_id(station)).into(),
        names,
        protocol: "sparkplug",
        asset: station_id(station).into(),
        settings: json!({
            "broker": "inside",
            "group": GROUP,
            "edge_node": station_id(station),
            "birth_ms": 200,
        }),
        points: points.collect(),
    }
}

fn point(engine: usize, row: &Row) -> Point {
    let number = engine + 1;
    let [zh, en] = row.names;
    let (low, high) = row.range;
    Point {
        suffix: format!("{}-{}", engine_id(engine), row.suffix).into(),
        names: Names {
            zh: format!("{number} 号发动机{zh}").into(),
            en: format!("Engine {number} {en}").into(),
        },
        description: format!("C-MAPSS FD001, engine {number}: {}", row.metric),
        // The codes are this crate's own and one test reads them all.
        unit: row.unit.and_then(|code| Unit::parse(code).ok()),
        data_type: if row.metric == "cycle" { DataType::U64 } else { DataType::F64 },
        labels: BTreeMap::new(),
        address: json!({ "device": engine_id(engine), "metric": row.metric }),
        scaling: None,
        range: Some(Range { low, high }),
        asset: engine_id(engine).into(),
        write: None,
    }
}

#[cfg(test)]
mod tests;
