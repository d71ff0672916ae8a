//! Stored samples from the newest backwards, out of a historian that reads forwards.

use weir_model::{Sample, Timestamp};
use weir_opcua_server::{PlantError, Span};

/// The stretch of time that is read at first, in nanoseconds: a minute.
const FIRST_NANOS: i64 = 60_000_000_000;

/// By how much a stretch becomes shorter or longer.
const FACTOR: i64 = 4;

/// Fewest samples that are asked for: a few more cost nothing, and too few would ask again.
const ASKED_MIN: usize = 1024;

/// The newest samples of a span, at most `max`, newest first. `read` gives the first samples from a
/// time to another, both included, at most so many; none where they would be too large for one
/// answer.
///
/// Time is read in stretches, backwards. One with more samples than were asked for is read again in
/// shorter ones, because its newest samples are those that were cut off; after one with few, longer
/// ones follow, so that it takes some twenty steps over empty centuries.
pub(super) async fn newest_first<F>(
    read: impl Fn(Timestamp, Timestamp, usize) -> F,
    span: Span,
    max: usize,
) -> Result<Vec<Sample>, PlantError>
where
    F: Future<Output = Result<Option<Vec<Sample>>, PlantError>>,
{
    let asked = max.saturating_mul(2).clamp(ASKED_MIN, weir_historian::RANGE_SAMPLES_MAX);
    let (first, mut end) = (span.from.nanos(), span.to.nanos());
    let mut length = FIRST_NANOS;
    let mut found: Vec<Sample> = Vec::new();
    while found.len() < max && first <= end {
        let start = end.saturating_sub(length).max(first);
        let (from, to) = (Timestamp::from_nanos(start), Timestamp::from_nanos(end));
        let samples = match read(from, to, asked).await? {
            Some(samples) if samples.len() < asked => samples,
            // One instant has one sample: there is nothing shorter to try.
            None if start == end => {
                return Err(PlantError::Unavailable("a value is too large".to_owned()));
            }
            Some(samples) if start == end => samples,
            _ => {
                length = (end - start) / FACTOR;
                continue;
            }
        };
        if samples.len() < asked / FACTOR as usize {
            length = length.max(1).saturating_mul(FACTOR);
        }
        let room = max - found.len();
        found.extend(samples.into_iter().rev().take(room));
        let Some(before) = start.checked_sub(1) else { break };
        end = before;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
