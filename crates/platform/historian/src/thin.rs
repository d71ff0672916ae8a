//! Keeping the extremes of every minute, hour or day of a tag only.

use weir_model::Keep;

use crate::downsample::{Stretch, THINNED_POINTS};
use crate::row::Row;

/// Takes rows in the order of their keys, and gives those that stay. What stays of those that were
/// thinned before is all of them, so that a block may be thinned together with late ones. Of numbers
/// these are the first, lowest, highest and last and a bad one; of texts the first, the first change,
/// the last change with the row before it, and the last.
pub(crate) struct Thinner {
    /// Nanoseconds of a stretch; stretches are counted from 1970.
    width: i64,
    /// The tag and number of the stretch.
    place: (u32, i64),
    stretch: Option<Stretch>,
}

impl Thinner {
    /// One that keeps so much; none where nothing is to be left out.
    pub(crate) fn new(keep: Keep) -> Option<Self> {
        let width = keep.stretch_nanos()?;
        Some(Self { width, place: (0, 0), stretch: None })
    }

    /// Takes the next row; gives what stays of the stretch before it, once that is over.
    pub(crate) fn push(&mut self, row: Row) -> Vec<Row> {
        let place = (row.tag, row.time.div_euclid(self.width));
        match &mut self.stretch {
            Some(stretch) if self.place == place => {
                stretch.push(row);
                Vec::new()
            }
            stretch => {
                self.place = place;
                points(stretch.replace(Stretch::new(0, row)))
            }
        }
    }

    /// What stays of the last stretch.
    pub(crate) fn finish(self) -> Vec<Row> {
        points(self.stretch)
    }
}

fn points(stretch: Option<Stretch>) -> Vec<Row> {
    stretch.map_or_else(Vec::new, |stretch| stretch.thinned(THINNED_POINTS))
}

#[cfg(test)]
mod tests;
