//! How a page of steps is written: as differences, or as places in a dictionary of small numbers.
//!
//! What wanders has small differences; what keeps to a level, or is one of a few states, is smaller
//! as it is. The dictionary is the numbers from 0 up, so that a step is its own place.

use super::encoding::{aligned_width, hybrid};

/// Highest step that is written as a place: one byte.
const PLACE_MAX: i64 = 255;

/// What a page's steps tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The highest step, where all may be places.
    pub(crate) places: Option<u8>,
    /// Which way is expected to be smaller.
    pub(crate) places_are_smaller: bool,
    /// Whether that is beyond doubt.
    pub(crate) is_clear: bool,
}

/// Looks at a page's steps.
pub(crate) fn choose(steps: &[i64]) -> Choice {
    let differences = || steps.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    if !steps.iter().all(|k| (0..=PLACE_MAX).contains(k)) {
        return Choice { places: None, places_are_smaller: false, is_clear: true };
    }
    let (mut levels, mut moves) = ([0u32; 256], [0u32; 512]);
    steps.iter().for_each(|k| levels[*k as usize] += 1);
    differences().for_each(|d| moves[(d + 256) as usize] += 1);
    let highest = levels.iter().rposition(|count| *count > 0).unwrap_or(0);
    let (as_places, as_moves) = (entropy(&levels), entropy(&moves));
    let changes = steps.len() as u32 - moves[256];
    // Steps that seldom change are runs, whatever their entropy.
    let seldom = changes as usize * 32 < steps.len();
    Choice {
        places: Some(highest as u8),
        places_are_smaller: seldom || as_places <= as_moves,
        is_clear: seldom || (as_places - as_moves).abs() > as_places.max(as_moves) * 0.15,
    }
}

/// Bits of all numbers together that were counted.
fn entropy(counts: &[u32]) -> f32 {
    let total: u32 = counts.iter().sum();
    let total = total as f32;
    counts.iter().filter(|n| **n > 0).map(|n| *n as f32 * (total / *n as f32).log2()).sum()
}

/// Appends runs of steps, none above `max`, as a page holds places.
pub(crate) fn put_places(out: &mut Vec<u8>, max: u8, runs: &[(u32, u32)], literals: &mut Vec<u32>) {
    let width = aligned_width((8 - max.leading_zeros()).max(1));
    out.push(width as u8);
    hybrid::put_runs(out, width, runs, literals);
}

/// The dictionary of the steps up to `max`, and their number.
pub(crate) fn dictionary(max: u8) -> (Vec<u8>, usize) {
    let numbers = 0..=i64::from(max);
    (numbers.flat_map(i64::to_le_bytes).collect(), usize::from(max) + 1)
}

#[cfg(test)]
mod tests;
