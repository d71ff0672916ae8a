//! Equipment hierarchy levels of ISA-95 / IEC 62264-1, clause 5.3.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an asset stands in the role-based equipment hierarchy.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The enterprise (企业).
    Enterprise,
    /// A site (厂区).
    Site,
    /// An area of a site (车间、区域).
    Area,
    /// A work centre: process cell, production unit, production line or storage zone (工作中心).
    WorkCenter,
    /// A work unit: unit, work cell, storage unit (工作单元).
    WorkUnit,
    /// An equipment module: machine, device (设备模块).
    EquipmentModule,
    /// A control module: sensor, actuator, controller (控制模块).
    ControlModule,
}

impl Level {
    /// All levels, the enterprise first.
    pub const ALL: [Self; 7] = [
        Self::Enterprise,
        Self::Site,
        Self::Area,
        Self::WorkCenter,
        Self::WorkUnit,
        Self::EquipmentModule,
        Self::ControlModule,
    ];

    /// The level's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enterprise => "enterprise",
            Self::Site => "site",
            Self::Area => "area",
            Self::WorkCenter => "work_center",
            Self::WorkUnit => "work_unit",
            Self::EquipmentModule => "equipment_module",
            Self::ControlModule => "control_module",
        }
    }

    /// Whether something of this level may stand directly under a `parent`. Levels may be skipped
    /// (a small plant has no areas); equipment and control modules may nest in their own kind.
    pub fn fits_under(self, parent: Self) -> bool {
        match self {
            Self::EquipmentModule | Self::ControlModule => parent <= self,
            _ => parent < self,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No level has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an ISA-95 level is enterprise, site, area, work_center, work_unit, equipment_module or control_module"
)]
pub struct LevelError;

impl FromStr for Level {
    type Err = LevelError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|l| l.as_str() == text).ok_or(LevelError)
    }
}
