//! What values at given times are asked with: tags, how they go on between samples, units, spans of time.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use weir_historian::Signal;
use weir_model::{DataType, Interpolation, ProblemCode, Timestamp, Unit};
use weir_twin::{TagEntry, Tags};

use super::units::InUnit;
use super::{live, tags};
use crate::door::Visit;
use crate::failure::Failure;

/// Most tags of one answer.
pub(super) const TAGS_MAX: usize = 256;

/// What a value is between two samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// What the tag's document says; else numbers with decimals run on, all others hold.
    #[default]
    Auto,
    /// That of the sample before.
    Hold,
    /// On the line between the samples.
    Linear,
}

/// A time of a query. A `+` that is not percent-encoded comes as a blank, which no time has.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryTime(pub(super) Timestamp);

impl QueryTime {
    fn parse(text: &str) -> Result<Self, String> {
        Timestamp::parse(&text.replace(' ', "+")).map(Self).map_err(|error| error.to_string())
    }
}

impl<'de> Deserialize<'de> for QueryTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Times with commas between them.
pub(super) fn times(text: &str, field: &str) -> Result<Vec<Timestamp>, Failure> {
    let parse = |text: &str| {
        let wrong = |detail| Failure::field(ProblemCode::InvalidRequest, field, detail);
        QueryTime::parse(text.trim_end()).map(|time| time.0).map_err(wrong)
    };
    text.split(',').map(parse).collect()
}

/// A span of time such as `500ms`, `1s`, `5m`, `1h` or `1d`, in nanoseconds.
pub(super) fn span(text: &str, field: &str) -> Result<i64, Failure> {
    const UNITS: [(&str, i64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("min", 60_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let nanos = number.parse::<i64>().ok().filter(|number| *number > 0).zip(unit);
    nanos.and_then(|(number, (_, nanos))| number.checked_mul(*nanos)).ok_or_else(|| {
        let detail = "a whole number above 0 and a unit, ns, us, ms, s, m, h or d, such as 500ms";
        Failure::field(ProblemCode::InvalidRequest, field, detail)
    })
}

/// A tag as it is answered.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(super) struct SignalView {
    /// Its identifier.
    pub(super) tag: String,
    /// The unit of the values: that asked for, else the tag's own.
    #[schema(value_type = Option<String>)]
    pub(super) unit: Option<Unit>,
    /// What a value is between two samples.
    pub(super) interpolation: Interpolation,
}

/// How a tag is answered, and how it is read.
pub(super) struct Asked {
    pub(super) view: SignalView,
    pub(super) signal: Signal,
}

/// How tags are asked for.
pub(super) struct How<'a> {
    pub(super) mode: Mode,
    /// A unit for each tag, nothing where it keeps its own, and the field that says so.
    pub(super) units: Option<(&'static str, Vec<&'a str>)>,
    pub(super) max_age: Option<&'a str>,
    /// From the earliest time to behind the last.
    pub(super) range: (Timestamp, Timestamp),
}

/// Tags by identifier as the query has them, with commas between them.
///
/// # Errors
/// A problem for one that is not there or that the caller may not see, as it would be alone.
pub(super) fn named(
    visit: &Visit,
    raw: Option<&str>,
    decoded: &str,
) -> Result<Vec<Arc<TagEntry>>, Failure> {
    let ids = live::named_tags(visit, raw, decoded, TAGS_MAX)?;
    ids.iter().map(|id| tags::visible(visit, id)).collect()
}

/// How each of some tags is read.
pub(super) fn asked(
    visit: &Visit,
    entries: Vec<Arc<TagEntry>>,
    how: &How<'_>,
) -> Result<Vec<Asked>, Failure> {
    let age_max = how.max_age.map(|text| span(text, "max_age")).transpose()?;
    if let Some((field, units)) = &how.units
        && units.len() != entries.len()
    {
        let detail = format!("has {} units for {} tags", units.len(), entries.len());
        return Err(Failure::field(ProblemCode::InvalidRequest, *field, detail));
    }
    let one = |(place, entry): (usize, Arc<TagEntry>)| {
        let wanted = how.units.as_ref().map(|(field, units)| (*field, units[place]));
        let wanted = wanted.filter(|(_, unit)| !unit.is_empty());
        let in_unit = wanted.map(|(field, unit)| InUnit::of(visit, &entry, unit, field, how.range));
        let in_unit = in_unit.transpose()?;
        let unit = match &in_unit {
            Some(in_unit) => Some(in_unit.unit().clone()),
            None => own_unit(visit, &entry)?,
        };
        let interpolation = interpolation(&entry, how.mode)?;
        let signal = Signal {
            tag: entry.tag,
            interpolation,
            age_max: age_max.map(i64::unsigned_abs),
            convert: in_unit.map(|in_unit| in_unit.convert()),
        };
        let view = SignalView { tag: entry.id.to_string(), unit, interpolation };
        Ok(Asked { view, signal })
    };
    entries.into_iter().enumerate().map(one).collect()
}

fn own_unit(visit: &Visit, entry: &TagEntry) -> Result<Option<Unit>, Failure> {
    let found = visit.state().store.get::<Tags>(visit.tenant(), &entry.id.folded())?;
    Ok(found.and_then(|found| found.record.unit))
}

fn interpolation(entry: &TagEntry, mode: Mode) -> Result<Interpolation, Failure> {
    match mode {
        Mode::Auto => Ok(entry.interpolation),
        Mode::Hold => Ok(Interpolation::Step),
        Mode::Linear if entry.data_type.has_lines() => Ok(Interpolation::Linear),
        Mode::Linear => {
            let (id, kind) = (&entry.id, entry.data_type);
            let detail = format!(
                "{id} has values of type {kind}, between which there is no line; use hold or auto"
            );
            Err(Failure::field(ProblemCode::InvalidRequest, "mode", detail))
        }
    }
}

/// Refuses arrays where a value is a cell among others.
pub(super) fn no_arrays(entries: &[Arc<TagEntry>]) -> Result<(), Failure> {
    let array = entries.iter().find(|entry| entry.data_type == DataType::Array);
    array.map_or(Ok(()), |entry| {
        let detail =
            format!("{} is of arrays, which are no cells of a table; read its samples", entry.id);
        Err(Failure::field(ProblemCode::InvalidRequest, "tags", detail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        for (text, nanos) in [
            ("1ns", 1),
            ("500ms", 500_000_000),
            ("5m", 300_000_000_000),
            ("2min", 120_000_000_000),
            ("1d", 86_400_000_000_000),
        ] {
            assert_eq!(span(text, "step").unwrap(), nanos, "{text}");
        }
        for text in
            ["", "1", "s", "0s", "-1s", "1.5s", "1 s", "1w", "99999999999999999999s", "999999999d"]
        {
            assert!(span(text, "step").is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_times_and_a_span_or_refused(text in "[-0-9TZ:+., a-zµ]{0,60}", any in ".{0,40}") {
            for text in [text, any] {
                let _ = times(&text, "time");
                proptest::prop_assert!(span(&text, "step").map_or(true, |nanos| nanos > 0));
            }
        }
    }

    #[test]
    fn a_plus_may_come_as_a_blank() {
        let plus = times("2026-01-01T08:00:00+08:00,2026-01-01T00:00:00Z", "time").unwrap();
        let blank = times("2026-01-01T08:00:00 08:00,2026-01-01T00:00:00Z", "time").unwrap();
        assert_eq!((plus[0], &plus), (plus[1], &blank));
        assert!(times("", "time").is_err() && times("2026-01-01 08:00:00Z", "time").is_err());
    }
}
