//! What a tag's value is between two of its samples.

use serde::{Deserialize, Serialize};

use crate::DataType;

/// What a value is between two samples (OPC 10000-11, `Stepped`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// On the straight line between them.
    Linear,
    /// That of the earlier one, until the later.
    Step,
}

impl Interpolation {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Step => "step",
        }
    }
}

impl DataType {
    /// What holds for tags of this type whose document does not say: what is measured as a double runs
    /// on, everything else is counted, switched or told, and stays until it changes.
    pub const fn interpolation(self) -> Interpolation {
        match self {
            Self::F64 => Interpolation::Linear,
            _ => Interpolation::Step,
        }
    }

    /// Whether there can be a straight line between two values.
    pub const fn has_lines(self) -> bool {
        matches!(self, Self::F64 | Self::I64 | Self::U64)
    }
}
