//! Quality: an OPC UA status code (OPC 10000-4, clause 7.39).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How far a value can be trusted: two bits of severity and a code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quality(u32);

/// The two highest bits of a [`Quality`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The value can be used.
    Good,
    /// The value can be used with care.
    Uncertain,
    /// The value cannot be used.
    Bad,
}

/// A text is not a quality.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QualityError {
    /// Neither good, uncertain nor bad.
    #[error("a quality is good, uncertain or bad, optionally with a code such as bad:0x80310000")]
    Unknown,
    /// The code's own severity bits say otherwise.
    #[error("the code 0x{0:08X} is not of the severity named before it")]
    Contradiction(u32),
}

impl Quality {
    /// Good.
    pub const GOOD: Self = Self(0x0000_0000);
    /// Uncertain, without a closer reason.
    pub const UNCERTAIN: Self = Self(0x4000_0000);
    /// Bad, without a closer reason.
    pub const BAD: Self = Self(0x8000_0000);
    /// Good, not stored but computed of stored values around it: info type "data value", historian bits
    /// "interpolated" (OPC 10000-4, clause 7.39).
    pub const INTERPOLATED: Self = Self(0x0000_0402);
    /// The same where one of them is not good, or bad ones lie between (`UncertainDataSubNormal`; OPC
    /// 10000-13, "interpolated bounding values").
    pub const INTERPOLATED_SUB_NORMAL: Self = Self(0x40A4_0402);
    /// Uncertain: the last value before the source fell silent (`UncertainLastUsableValue`).
    pub const LAST_USABLE: Self = Self(0x4090_0000);
    /// Bad: the protocol failed (`BadCommunicationError`).
    pub const COMMUNICATION_ERROR: Self = Self(0x8005_0000);
    /// Bad: no answer in time (`BadTimeout`).
    pub const TIMEOUT: Self = Self(0x800A_0000);
    /// Bad: no communication with the source (`BadNoCommunication`).
    pub const NO_COMMUNICATION: Self = Self(0x8031_0000);
    /// Bad: nothing was received yet (`BadWaitingForInitialData`).
    pub const WAITING: Self = Self(0x8032_0000);
    /// Bad: the device has no such address (`BadNodeIdUnknown`).
    pub const ADDRESS_UNKNOWN: Self = Self(0x8034_0000);
    /// Bad: the value does not fit the type (`BadOutOfRange`).
    pub const OUT_OF_RANGE: Self = Self(0x803C_0000);
    /// Bad: nothing is stored that could tell (`BadNoData`).
    pub const NO_DATA: Self = Self(0x809B_0000);
    /// Bad: the tag or device is set up wrongly (`BadConfigurationError`).
    pub const CONFIGURATION_ERROR: Self = Self(0x8089_0000);
    /// Bad: never connected (`BadNotConnected`).
    pub const NOT_CONNECTED: Self = Self(0x808A_0000);
    /// Bad: the device says that it failed (`BadDeviceFailure`).
    pub const DEVICE_FAILURE: Self = Self(0x808B_0000);
    /// Bad: switched off by intent (`BadOutOfService`).
    pub const OUT_OF_SERVICE: Self = Self(0x808D_0000);

    /// From an OPC UA status code, as it stands on the wire.
    pub const fn from_code(code: u32) -> Self {
        Self(code)
    }

    /// The OPC UA status code.
    pub const fn code(self) -> u32 {
        self.0
    }

    /// The severity. The reserved pattern `11` counts as bad.
    pub const fn severity(self) -> Severity {
        match self.0 >> 30 {
            0 => Severity::Good,
            1 => Severity::Uncertain,
            _ => Severity::Bad,
        }
    }

    /// Whether the value cannot be used.
    pub const fn is_bad(self) -> bool {
        matches!(self.severity(), Severity::Bad)
    }
}

impl Severity {
    /// The severity's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }

    const fn plain(self) -> Quality {
        match self {
            Self::Good => Quality::GOOD,
            Self::Uncertain => Quality::UNCERTAIN,
            Self::Bad => Quality::BAD,
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity();
        f.write_str(severity.as_str())?;
        if *self == severity.plain() { Ok(()) } else { write!(f, ":0x{:08X}", self.0) }
    }
}

impl fmt::Debug for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quality({self})")
    }
}

impl FromStr for Quality {
    type Err = QualityError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, code) = match text.split_once(':') {
            Some((name, code)) => (name, Some(code)),
            None => (text, None),
        };
        let severity = [Severity::Good, Severity::Uncertain, Severity::Bad]
            .into_iter()
            .find(|s| s.as_str() == name)
            .ok_or(QualityError::Unknown)?;
        let Some(code) = code else { return Ok(severity.plain()) };
        let digits = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X"));
        let digits = digits.filter(|d| (1..=8).contains(&d.len()) && !d.starts_with('+'));
        let code =
            digits.and_then(|d| u32::from_str_radix(d, 16).ok()).ok_or(QualityError::Unknown)?;
        let quality = Self(code);
        if quality.severity() == severity {
            Ok(quality)
        } else {
            Err(QualityError::Contradiction(code))
        }
    }
}

impl Serialize for Quality {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
