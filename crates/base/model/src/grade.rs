//! Data grades and domains (GB/T 43697-2024 and the MIIT guide to grading industrial data, 2020).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much harm the loss or leak of a value does. Order is meaning: a principal whose ceiling is
/// `Important` sees `Public`, `General` and `Important`. What carries no grade is `Core`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Grade {
    /// Published by its owner (公开).
    Public = 0,
    /// General data (一般数据).
    General = 1,
    /// Important data (重要数据).
    Important = 2,
    /// Core data (核心数据), and everything that nobody has graded.
    #[default]
    Core = 3,
}

impl Grade {
    /// All grades, lowest first.
    pub const ALL: [Self; 4] = [Self::Public, Self::General, Self::Important, Self::Core];

    /// The grade as its number 0 to 3.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The grade of a number; none above 3.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The grade's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::General => "general",
            Self::Important => "important",
            Self::Core => "core",
        }
    }

    /// The grade of a thing from its own, its asset's and its tenant's: the first that is given,
    /// else core.
    pub fn inherited(own: Option<Self>, asset: Option<Self>, tenant: Option<Self>) -> Self {
        own.or(asset).or(tenant).unwrap_or_default()
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No grade has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a grade is public, general, important or core")]
pub struct GradeError;

impl FromStr for Grade {
    type Err = GradeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|g| g.as_str() == text).ok_or(GradeError)
    }
}

/// What part of the enterprise data belongs to (the five domains of the MIIT guide, article 5).
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
#[serde(rename_all = "lowercase")]
pub enum DataDomain {
    /// Research and development (研发数据域).
    Design,
    /// Production (生产数据域).
    Production,
    /// Operation and maintenance (运维数据域).
    Maintenance,
    /// Management (管理数据域).
    Management,
    /// External (外部数据域).
    External,
}
