//! Samples in another unit than their tag's.

use std::sync::Arc;

use weir_historian::Convert;
use weir_model::{Conversion, DataType, ProblemCode, Sample, Timestamp, Unit};
use weir_twin::{TagEntry, Tags};

use crate::door::Visit;
use crate::failure::Failure;

/// Most versions of a tag's document that are looked at: a change a month for 80 years. What was measured
/// before them counts as measured in the unit of the oldest of these.
const VERSIONS_MAX: usize = 1000;

/// Converts a tag's values into a unit.
#[derive(Clone)]
pub(super) struct InUnit {
    unit: Unit,
    /// From when on which conversion holds, by time.
    spans: Arc<[(Timestamp, Option<Conversion>)]>,
}

impl InUnit {
    /// From the unit that a tag had at the time of each sample. Its document's versions say which that
    /// was: a change of the unit holds from when it was made on. Where a version names none, that of the
    /// next that does holds, because naming it completes the document; before the first version, the first.
    ///
    /// # Errors
    /// A problem of `field` where the tag has no unit or one of another quantity between `from` and `to`.
    pub(super) fn of(
        visit: &Visit,
        tag: &TagEntry,
        unit: &str,
        field: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, Failure> {
        let wrong = |detail: String| Failure::field(ProblemCode::InvalidRequest, field, detail);
        let unit = Unit::parse(unit).map_err(|error| wrong(error.to_string()))?;
        if matches!(tag.data_type, DataType::Text | DataType::Bool | DataType::Enumeration) {
            return Err(wrong(format!(
                "{} has values of type {}, which have no unit",
                tag.id, tag.data_type
            )));
        }
        let units = units(visit, tag)?;
        if units.is_empty() {
            return Err(wrong(format!("{} has no unit to convert from", tag.id)));
        }
        let ends = units.iter().skip(1).map(|(start, _)| *start).chain([Timestamp::MAX]);
        let mut spans = Vec::with_capacity(units.len());
        for ((start, of_tag), end) in units.iter().zip(ends) {
            let conversion = Conversion::new(of_tag, &unit);
            if let Err(error) = &conversion
                && *start < to
                && from < end
            {
                return Err(wrong(format!("{} cannot be converted: {error}", tag.id)));
            }
            spans.push((*start, conversion.ok()));
        }
        Ok(Self { unit, spans: spans.into() })
    }

    /// The unit.
    pub(super) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The conversion, where one and the same holds all that time.
    pub(super) fn one(&self, (from, to): (Timestamp, Timestamp)) -> Option<Conversion> {
        let changes = self.spans.iter().any(|(start, _)| *start > from && *start < to);
        if changes { None } else { at(&self.spans, from) }
    }

    /// As the historian takes it.
    pub(super) fn convert(&self) -> Convert {
        let spans = Arc::clone(&self.spans);
        Arc::new(move |time, value| at(&spans, time)?.apply_value(value))
    }

    /// The sample in the unit: without its value where that cannot be converted.
    pub(super) fn sample(&self, sample: Sample) -> Sample {
        let convert = |value| at(&self.spans, sample.time)?.apply_value(&value);
        Sample { value: sample.value.and_then(convert), ..sample }
    }
}

fn at(spans: &[(Timestamp, Option<Conversion>)], time: Timestamp) -> Option<Conversion> {
    let after = spans.partition_point(|(start, _)| *start <= time);
    spans.get(after.checked_sub(1)?)?.1
}

/// The units that a tag had, each from when on, the first from the beginning of time.
fn units(visit: &Visit, tag: &TagEntry) -> Result<Vec<(Timestamp, Unit)>, Failure> {
    let (store, key) = (&visit.state().store, tag.id.folded());
    let revisions = store.history::<Tags>(visit.tenant(), &key, None, VERSIONS_MAX)?;
    // An earlier tag may have had the same identifier.
    let own = revisions.into_iter().filter_map(|revision| {
        let record = revision.record.filter(|record| record.tag == tag.tag)?;
        Some((revision.time, record.unit))
    });
    Ok(timeline(own.collect()))
}

/// The units of versions, which come newest first, as spans, which come oldest first.
fn timeline(versions: Vec<(Timestamp, Option<Unit>)>) -> Vec<(Timestamp, Unit)> {
    let mut units: Vec<(Timestamp, Unit)> = Vec::new();
    for (time, unit) in versions.into_iter().rev() {
        let Some(unit) = unit else { continue };
        match units.last() {
            None => units.push((Timestamp::MIN, unit)),
            Some((_, last)) if *last == unit => {}
            Some(_) => units.push((time, unit)),
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_unit_holds_from_when_it_was_made() {
        let at = Timestamp::from_nanos;
        let unit = |code: &str| Some(Unit::parse(code).unwrap());
        let versions = vec![
            (at(50), None),
            (at(40), unit("bar")),
            (at(30), unit("kPa")),
            (at(20), unit("kPa")),
            (at(10), None),
        ];
        let want = [(Timestamp::MIN, unit("kPa").unwrap()), (at(40), unit("bar").unwrap())];
        assert_eq!(timeline(versions), want);
        assert_eq!(timeline(vec![(at(1), None)]), []);
        let to_pascal =
            |code: &str| Conversion::new(&unit(code).unwrap(), &unit("Pa").unwrap()).ok();
        let spans = [(Timestamp::MIN, to_pascal("kPa")), (at(40), to_pascal("bar"))];
        assert_eq!(super::at(&spans, at(39)).unwrap().apply(1.0), 1e3);
        assert_eq!(super::at(&spans, at(40)).unwrap().apply(1.0), 1e5);
        assert_eq!(super::at(&spans, Timestamp::MIN).unwrap().apply(1.0), 1e3);
    }
}
