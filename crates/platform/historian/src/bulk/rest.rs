//! What of a piece was not given out.

use weir_model::{SamplePage, push_run};

use crate::block::piece::Piece;

/// A piece from one of its rows on.
#[derive(Debug, Default)]
pub(super) struct Rest {
    piece: Piece,
    rows: usize,
    at: usize,
    tag: Place,
    quality: Place,
    text: usize,
}

/// Where in some runs.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    run: usize,
    used: u32,
}

impl Place {
    /// Goes on by so many rows, and gives each run on the way.
    fn walk<T: Copy>(&mut self, runs: &[(T, u32)], rows: usize, mut take: impl FnMut(T, u32)) {
        let mut left = rows as u32;
        while left > 0
            && let Some((one, count)) = runs.get(self.run)
        {
            let taken = left.min(count - self.used);
            take(*one, taken);
            left -= taken;
            self.used += taken;
            if self.used == *count {
                *self = Self { run: self.run + 1, used: 0 };
            }
        }
    }
}

impl Rest {
    pub(super) fn new(piece: Piece) -> Self {
        Self { rows: piece.page.rows(), piece, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.rows
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.rows - self.at
    }

    /// The key of the first row; one without a time where times were not decoded.
    pub(super) fn key(&self) -> Option<(u32, i64)> {
        let (tag, _) = self.piece.page.tags.get(self.tag.run)?;
        Some((tag.0, self.piece.page.times.get(self.at).copied().unwrap_or(i64::MIN)))
    }

    /// The position of the first row.
    pub(super) fn position(&self) -> u64 {
        self.piece.positions.get(self.at)
    }

    /// How many rows come before a key.
    pub(super) fn before(&self, key: (u32, i64)) -> usize {
        let Place { run, used } = self.tag;
        let (mut at, mut used) = (self.at, used);
        for (tag, count) in &self.piece.page.tags[run..] {
            let end = at + (count - used) as usize;
            if tag.0 >= key.0 {
                let times = &self.piece.page.times[at..end];
                let same = tag.0 == key.0;
                at += if same { times.partition_point(|time| *time < key.1) } else { 0 };
                break;
            }
            (at, used) = (end, 0);
        }
        at - self.at
    }

    /// Moves the first rows behind those of a page.
    pub(super) fn take(&mut self, rows: usize, out: &mut SamplePage) {
        if self.at == 0 && rows == self.rows && out.is_empty() {
            *out = std::mem::take(&mut self.piece.page);
            self.at = rows;
            return;
        }
        let before = out.rows();
        let Self { piece, at, tag, quality, .. } = self;
        let page = &piece.page;
        let end = *at + rows;
        tag.walk(&page.tags, rows, |tag, count| push_run(&mut out.tags, tag, count));
        quality.walk(&page.qualities, rows, |one, count| push_run(&mut out.qualities, one, count));
        out.times.extend_from_slice(page.times.get(*at..end).unwrap_or_default());
        if let Some(numbers) = page.numbers.get(*at..end) {
            if !(out.present.is_empty() && page.present.is_empty()) {
                out.present.resize(out.numbers.len(), true);
                match page.present.get(*at..end) {
                    Some(present) => out.present.extend_from_slice(present),
                    None => out.present.resize(out.numbers.len() + rows, true),
                }
            }
            out.numbers.extend_from_slice(numbers);
        }
        for (row, text) in page.texts.iter_from(self.text).take_while(|(row, _)| *row < end) {
            out.texts.push(before + row - *at, text);
            self.text += 1;
        }
        *at = end;
    }

    /// Passes over the first row.
    pub(super) fn skip(&mut self) {
        let Self { piece, tag, quality, .. } = self;
        tag.walk(&piece.page.tags, 1, |_, _| {});
        quality.walk(&piece.page.qualities, 1, |_, _| {});
        let texts = piece.page.texts.iter_from(self.text);
        self.text += texts.take_while(|(row, _)| *row <= self.at).count();
        self.at += 1;
    }
}
