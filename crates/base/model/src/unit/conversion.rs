//! Converting numbers of one unit into another.

use super::Unit;
use super::measure::Measure;
use crate::Value;

/// How numbers of one unit become numbers of another.
///
/// Factors are computed as exact fractions and applied as one multiplication and one division, so
/// that 6 `m3/h` are 100 `L/min` and not nearly so. `Cel` and `[degF]` are temperatures where they stand
/// alone, and differences of temperature within a product (`W/(m2.Cel)`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    numerator: f64,
    denominator: f64,
    offset: f64,
}

/// Why numbers of one unit are none of another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// A text of the plant's own, which says nothing of how much it is.
    #[error("{0} is the plant's own unit, which is converted to no other")]
    Plant(Unit),
    /// A code with powers or factors beyond what is computed with.
    #[error("{0} is beyond what can be converted")]
    Beyond(Unit),
    /// They measure different quantities.
    #[error("{from} is {from_dimension}, {to} is {to_dimension}")]
    Dimension {
        /// The unit at hand.
        from: Unit,
        /// What it measures.
        from_dimension: String,
        /// The unit asked for.
        to: Unit,
        /// What that measures.
        to_dimension: String,
    },
    /// What stands in curly brackets differs: gauge pressure is not absolute pressure.
    #[error("{from} and {to} say different things in curly brackets")]
    Annotation {
        /// The unit at hand.
        from: Unit,
        /// The unit asked for.
        to: Unit,
    },
}

impl Conversion {
    /// Nothing changes.
    pub const IDENTITY: Self = Self { numerator: 1.0, denominator: 1.0, offset: 0.0 };

    /// From one unit to another.
    ///
    /// UCUM gives curly brackets no meaning; here they must be the same, since they tell apart in a
    /// plant what must not be mixed up (`kPa{gauge}` and `kPa`, `V.A{reactive}` and `V.A`).
    ///
    /// # Errors
    /// [`ConversionError`].
    pub fn new(from: &Unit, to: &Unit) -> Result<Self, ConversionError> {
        if from == to {
            return Ok(Self::IDENTITY);
        }
        let (a, b) = (measure(from)?, measure(to)?);
        if a.dimension != b.dimension {
            return Err(ConversionError::Dimension {
                from: from.clone(),
                from_dimension: a.dimension.to_string(),
                to: to.clone(),
                to_dimension: b.dimension.to_string(),
            });
        }
        if a.notes != b.notes {
            return Err(ConversionError::Annotation { from: from.clone(), to: to.clone() });
        }
        let (factor, offset) = a.to(&b);
        let (numerator, denominator) = factor.parts();
        Ok(Self { numerator, denominator, offset: offset.map_or(0.0, |offset| offset.as_f64()) })
    }

    /// Converts a number. Those that are none stay what they are.
    pub fn apply(&self, x: f64) -> f64 {
        if *self == Self::IDENTITY {
            return x;
        }
        let y = x * self.numerator / self.denominator;
        // The product may leave the range although the quotient does not.
        let y = if y.is_finite() { y } else { x * (self.numerator / self.denominator) };
        if self.offset == 0.0 { y } else { y + self.offset }
    }

    /// Converts a number or an array of numbers, which becomes one of doubles; none for other
    /// values.
    pub fn apply_value(&self, value: &Value) -> Option<Value> {
        if *self == Self::IDENTITY {
            return Some(value.clone());
        }
        match value {
            Value::F64(x) => Some(Value::F64(self.apply(*x))),
            Value::I64(_) | Value::U64(_) => Some(Value::F64(self.apply(value.as_f64()?))),
            Value::Array(items) => {
                let one = |item: &Value| match item {
                    Value::Array(_) => None,
                    item => self.apply_value(item),
                };
                items.iter().map(one).collect()
            }
            _ => None,
        }
    }
}

fn measure(unit: &Unit) -> Result<Measure, ConversionError> {
    match unit {
        Unit::Plant(_) => Err(ConversionError::Plant(unit.clone())),
        Unit::Ucum(code) => Measure::of(code).ok_or_else(|| ConversionError::Beyond(unit.clone())),
    }
}

#[cfg(test)]
mod tests;
