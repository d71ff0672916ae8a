//! Reading hours of many tags at once, that rollups could not tell: where samples came late, the
//! hours that one file ends in and the next begins in are such of nearly every tag.

use std::collections::HashMap;

use weir_model::{SampleColumns, SamplePage, SamplesWanted, Severities, TagId, Timestamp};

use super::reader::Reader;
use crate::HistorianError;
use crate::bulk::Merging;
use crate::rollup::{HourKey, Partial, RollupLevel, State};

/// Hours that are read at once at most: they fit among those that are remembered.
pub(super) const HOURS_MAX: usize = 50_000;

/// Hours below which each tag's are read by themselves.
const HOURS_MIN: usize = 32;

/// Hours of tags to read.
pub(super) type Hours = HashMap<(u32, i64), HourKey>;

impl Reader<'_> {
    /// Reads hours and remembers them.
    pub(super) fn warm(&self, hours: Hours) -> Result<(), HistorianError> {
        if hours.len() < HOURS_MIN {
            return Ok(());
        }
        let mut by_hour: Vec<(i64, u32)> =
            hours.keys().map(|(tag, index)| (*index, *tag)).collect();
        by_hour.sort_unstable();
        let mut left = hours;
        // Hours that follow one another together.
        for run in by_hour.chunk_by(|a, b| b.0 - a.0 <= 1) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let mut tags: Vec<TagId> = run.iter().map(|(_, tag)| TagId(*tag)).collect();
            tags.sort_unstable();
            tags.dedup();
            let hour = RollupLevel::Hour;
            let wanted = SamplesWanted {
                tags: tags.into(),
                from: Timestamp::from_nanos(hour.start(first.0)),
                to: Timestamp::from_nanos(hour.start(last.0).saturating_add(hour.nanos())),
                numbers: None,
                severities: Severities::ALL,
                columns: SampleColumns { times: true, numbers: true, qualities: true, texts: true },
                sums: None,
            };
            self.warm_run(wanted, &mut left)?;
        }
        // Of the rest there are no samples.
        left.into_values().for_each(|key| self.keep_hour(key, None));
        Ok(())
    }

    fn warm_run(&self, wanted: SamplesWanted, left: &mut Hours) -> Result<(), HistorianError> {
        let mut merging = Merging::over(self.files(), self.tenant(), wanted);
        let mut current: Option<((u32, i64), Partial)> = None;
        let mut keep = |((tag, index), partial): ((u32, i64), Partial)| {
            if let Some(key) = left.remove(&(tag, index)) {
                self.keep_hour(key, Some(partial));
            }
        };
        while !merging.is_done() {
            self.look()?;
            let page = merging.next(self.shared())?;
            each(&page, |tag, time, quality, state| {
                let hour = (tag, RollupLevel::Hour.index(time));
                match &mut current {
                    Some((of, partial)) if *of == hour => partial.push(time, quality, state),
                    _ => {
                        let next = (hour, Partial::new(time, quality, state));
                        current.replace(next).into_iter().for_each(&mut keep);
                    }
                }
            });
        }
        current.into_iter().for_each(keep);
        Ok(())
    }
}

/// Gives every sample of a page.
fn each(page: &SamplePage, mut give: impl FnMut(u32, i64, u32, State)) {
    let mut qualities = page.qualities.iter();
    let mut texts = page.texts.iter().map(|(row, _)| row).peekable();
    let (mut row, mut quality, mut same) = (0, 0, 0);
    for (tag, rows) in &page.tags {
        for _ in 0..*rows {
            if same == 0
                && let Some((next, count)) = qualities.next()
            {
                (quality, same) = (next.code(), *count);
            }
            same -= 1;
            let has_number = page.present.get(row).copied().unwrap_or(true);
            let has_text = texts.next_if(|of| *of == row).is_some();
            let number = page.numbers.get(row).copied().filter(|_| has_number);
            let state = State::of_parts(quality, number, has_text);
            give(tag.0, page.times[row], quality, state);
            row += 1;
        }
    }
}
