//! A sealed table's rows on their way to a block: tag after tag.

use std::collections::BTreeSet;
use std::ops::Range;

use weir_model::{Samples, TagId};

use super::TenantRows;
use super::run::{Part, by_time};

/// The rows of one tag on one day, in order of time, each time once.
pub(crate) struct TagRows<'a> {
    /// Among which they are.
    pub(crate) samples: &'a Samples,
    /// Where they are; at least one.
    pub(crate) places: Range<usize>,
}

impl TenantRows {
    /// The days that have sorted rows.
    pub(crate) fn days(&self) -> BTreeSet<i32> {
        self.runs.iter().flat_map(|run| run.days()).collect()
    }

    /// Gives the sorted rows of a day to `take`, tag after tag.
    pub(crate) fn each_tag<E>(
        &self,
        day: i32,
        mut take: impl FnMut(TagRows<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest: Vec<Rest<'_>> =
            self.runs.iter().filter_map(|run| run.part(day)).map(Rest::new).collect();
        let mut merged = Samples::default();
        while let Some(tag) = rest.iter().filter_map(Rest::tag).min() {
            merged.clear();
            let mut only: Option<(&Samples, Range<usize>)> = None;
            for rest in rest.iter_mut().filter(|rest| rest.tag() == Some(tag)) {
                let places = rest.next();
                // The first is copied when a second one comes.
                match only.take() {
                    None if merged.is_empty() => only = Some((rest.rows, places)),
                    None => merged.append_range(rest.rows, places),
                    Some((first, of_first)) => {
                        merged.append_range(first, of_first);
                        merged.append_range(rest.rows, places);
                    }
                }
            }
            match only {
                Some((samples, places)) => take(TagRows { samples, places })?,
                None => {
                    let times = merged.times();
                    if !times.windows(2).all(|pair| pair[0] < pair[1]) {
                        let places = by_time((0..times.len() as u32).collect(), times);
                        merged = merged.pick(&places);
                    }
                    let places = 0..merged.len();
                    take(TagRows { samples: &merged, places })?;
                }
            }
        }
        Ok(())
    }
}

/// What of a part was not given out.
struct Rest<'a> {
    rows: &'a Samples,
    from: usize,
}

impl<'a> Rest<'a> {
    fn new(part: &'a Part) -> Self {
        Self { rows: &part.rows, from: 0 }
    }

    fn tag(&self) -> Option<TagId> {
        self.rows.tags().get(self.from).copied()
    }

    /// Where the rows of the next tag are.
    fn next(&mut self) -> Range<usize> {
        let tags = &self.rows.tags()[self.from..];
        let count = tags.iter().take_while(|tag| **tag == tags[0]).count();
        let places = self.from..self.from + count;
        self.from += count;
        places
    }
}
