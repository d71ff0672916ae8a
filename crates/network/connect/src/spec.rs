//! What a device is to its driver: settings, and points with addresses.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use weir_model::{DataType, Identifier, Quality, TagId, TenantId, Timestamp, Unit, Value};

/// Most points of one device. A batch of all of them stays well below the historian's limit.
pub const POINTS_MAX: usize = 10_000;

/// Most scalings of one point: a calibration a week for nearly five years.
pub const SCALINGS_MAX: usize = 256;

/// A device as the supervisor runs it, composed from documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Whose device it is.
    pub tenant: TenantId,
    /// The device's identifier.
    pub device: Identifier,
    /// The device's name, for people.
    pub name: String,
    /// Which driver it needs.
    pub protocol: String,
    /// The driver's settings, shaped as [`crate::Driver::describe`] says.
    pub settings: Json,
    /// What is read and written.
    pub points: Vec<Point>,
    /// Whether it should run.
    pub enabled: bool,
    /// Which version of the documents this is, for people; a change of it alone changes nothing.
    pub revision: u64,
}

/// One value of a device, bound to a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The historian's number of the tag.
    pub tag: TagId,
    /// The tag's identifier.
    pub id: Identifier,
    /// The tag's name, for people.
    pub name: String,
    /// Where the value is, shaped as [`crate::Driver::describe`] says.
    pub address: Json,
    /// What the tag's values are.
    pub data_type: DataType,
    /// From raw to engineering values; the entry in force at the sample's time counts.
    #[serde(default)]
    pub scaling: Vec<Scaling>,
    /// Present where the point may be written.
    #[serde(default)]
    pub write: Option<WriteLimits>,
    /// How often it is read, where it differs from the device's own interval, in milliseconds.
    #[serde(default)]
    pub poll_ms: Option<u32>,
}

/// `engineering = raw * factor + offset` from an instant on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scaling {
    /// From when on it holds.
    #[schema(value_type = String, format = DateTime)]
    pub effective: Timestamp,
    /// Multiplied first; finite and not zero.
    pub factor: f64,
    /// Added second; finite.
    pub offset: f64,
    /// The unit of the result, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub unit: Option<Unit>,
}

/// What may be written to a point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WriteLimits {
    /// Lowest engineering value.
    #[serde(default)]
    pub min: Option<f64>,
    /// Highest engineering value.
    #[serde(default)]
    pub max: Option<f64>,
    /// Whether a person must confirm each write.
    #[serde(default)]
    pub confirm: bool,
}

impl DeviceSpec {
    /// How people find the device: its name and identifier.
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.device)
    }
}

impl Scaling {
    /// The scaling in force at a time: the one with the latest effective date not after it; none
    /// before the first. Of two with the same date the later in the list counts.
    pub fn in_force(scalings: &[Self], time: Timestamp) -> Option<&Self> {
        scalings.iter().filter(|s| s.effective <= time).max_by_key(|s| s.effective)
    }

    /// Raw to engineering. A factor that is one part of a whole number, such as 0.1, divides by that
    /// number: 27052 becomes 2705.2, which is what the device means, and not 2705.2000000000003.
    pub fn apply(&self, raw: f64) -> f64 {
        let parts = (1.0 / self.factor).round();
        let divides = parts.abs() > 1.0 && parts * self.factor == 1.0;
        let scaled = if divides { raw / parts } else { raw * self.factor };
        scaled + self.offset
    }

    /// Engineering to raw.
    pub fn invert(&self, engineering: f64) -> f64 {
        (engineering - self.offset) / self.factor
    }

    /// Whether it changes nothing, so that integers may stay integers.
    fn is_identity(&self) -> bool {
        self.factor == 1.0 && self.offset == 0.0
    }
}

impl Point {
    /// The engineering value, in the tag's type, of a raw value at a time. Without a scaling in
    /// force, or with one that changes nothing, integers stay integers.
    ///
    /// # Errors
    /// The quality to store instead: a number that is not finite or does not fit the tag's type is
    /// [`Quality::OUT_OF_RANGE`], a raw value of a kind that the type cannot hold is
    /// [`Quality::CONFIGURATION_ERROR`].
    pub fn engineering(&self, raw: &Value, time: Timestamp) -> Result<Value, Quality> {
        let scaling = Scaling::in_force(&self.scaling, time).filter(|s| !s.is_identity());
        match scaling {
            None => convert(raw, self.data_type),
            Some(scaling) => {
                let raw = raw.as_f64().ok_or(Quality::CONFIGURATION_ERROR)?;
                convert(&Value::F64(scaling.apply(raw)), self.data_type)
            }
        }
    }

    /// The raw value to write for an engineering value; the inverse of [`Point::engineering`].
    ///
    /// # Errors
    /// Why the value cannot be written, for people.
    pub fn raw(&self, engineering: &Value, time: Timestamp) -> Result<Value, String> {
        if engineering.as_f64().is_some_and(|x| !x.is_finite()) {
            return Err("only finite numbers can be written".to_owned());
        }
        let scaling = Scaling::in_force(&self.scaling, time).filter(|s| !s.is_identity());
        let Some(scaling) = scaling else { return Ok(engineering.clone()) };
        let number = engineering.as_f64().ok_or("a scaled point takes numbers only")?;
        let raw = scaling.invert(number);
        if raw.is_finite() {
            Ok(Value::F64(raw))
        } else {
            Err("the scaling has no inverse for this value".to_owned())
        }
    }

    /// Whether the limits allow an engineering value.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn within_limits(&self, limits: &WriteLimits, value: &Value) -> Result<(), String> {
        let Some(number) = value.as_f64() else {
            return match limits {
                WriteLimits { min: None, max: None, .. } => Ok(()),
                _ => Err("a point with limits takes numbers only".to_owned()),
            };
        };
        if number.is_nan() {
            return Err("the value is not a number".to_owned());
        }
        match limits {
            WriteLimits { min: Some(min), .. } if number < *min => {
                Err(format!("{number} is below the lowest allowed value {min}"))
            }
            WriteLimits { max: Some(max), .. } if number > *max => {
                Err(format!("{number} is above the highest allowed value {max}"))
            }
            _ => Ok(()),
        }
    }
}

/// Two to the 63rd and 64th power: the first doubles that no longer fit the integer types.
const I64_END: f64 = 9_223_372_036_854_775_808.0;
const U64_END: f64 = 18_446_744_073_709_551_616.0;

fn convert(value: &Value, to: DataType) -> Result<Value, Quality> {
    if let Value::F64(x) = value
        && !x.is_finite()
    {
        return Err(Quality::OUT_OF_RANGE);
    }
    let number = || value.as_f64().ok_or(Quality::CONFIGURATION_ERROR);
    Ok(match to {
        _ if value.data_type() == to => value.clone(),
        DataType::F64 => Value::F64(number()?),
        DataType::I64 => Value::I64(to_i64(value)?),
        DataType::Enumeration => Value::Enumeration(to_i64(value)?),
        DataType::U64 => Value::U64(to_u64(value)?),
        DataType::Bool => Value::Bool(number()? != 0.0),
        _ => return Err(Quality::CONFIGURATION_ERROR),
    })
}

fn to_i64(value: &Value) -> Result<i64, Quality> {
    match value {
        Value::I64(x) | Value::Enumeration(x) => Ok(*x),
        Value::U64(x) => i64::try_from(*x).map_err(|_| Quality::OUT_OF_RANGE),
        Value::Bool(x) => Ok(i64::from(*x)),
        Value::F64(x) => {
            let whole = x.round();
            let fits = (-I64_END..I64_END).contains(&whole);
            if fits { Ok(whole as i64) } else { Err(Quality::OUT_OF_RANGE) }
        }
        _ => Err(Quality::CONFIGURATION_ERROR),
    }
}

fn to_u64(value: &Value) -> Result<u64, Quality> {
    match value {
        Value::U64(x) => Ok(*x),
        Value::I64(x) | Value::Enumeration(x) => {
            u64::try_from(*x).map_err(|_| Quality::OUT_OF_RANGE)
        }
        Value::Bool(x) => Ok(u64::from(*x)),
        Value::F64(x) => {
            let whole = x.round();
            let fits = (0.0..U64_END).contains(&whole);
            if fits { Ok(whole as u64) } else { Err(Quality::OUT_OF_RANGE) }
        }
        _ => Err(Quality::CONFIGURATION_ERROR),
    }
}

#[cfg(test)]
mod tests;
