//! What the server kept while it was not heard (OPC 10000-11).

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use opcua::client::HistoryReadAction;
use opcua::types::{
    ByteString, HistoryData, HistoryReadResult, HistoryReadValueId, QualifiedName,
    ReadRawModifiedDetails, StatusCode, TimestampsToReturn,
};
use tokio::time::Instant;
use weir_connect::{Collected, ErrorKind, Reading};
use weir_model::Timestamp;

use super::OpcUaSession;
use crate::encode::date_time;
use crate::status::{Failure, plain};

/// Points of one request.
const POINTS_PER_REQUEST: usize = 10;

/// Values of one point in one answer.
const VALUES_PER_POINT: u32 = 100;

/// Most values of one gap. A plant that lost more needs another way than its live connection.
const VALUES_MAX: usize = 2_000_000;

/// Longest gap that is filled, in nanoseconds: thirty days, which also bounds the days of a batch.
const GAP_MAX: Duration = Duration::from_secs(30 * 86_400);

/// The resolution of times in OPC UA, in nanoseconds.
const NS_PER_TICK: i64 = 100;

/// Most time-outs after which the history is given up; live values matter more.
const TIMEOUTS_MAX: u32 = 3;

/// What is still to be fetched of the gap before the session.
pub(super) struct History {
    /// From when to when; none where there was no gap.
    gap: Option<(Timestamp, Timestamp)>,
    waiting: VecDeque<Page>,
    fetched: usize,
    timeouts: u32,
    per_request: usize,
}

/// What is still to be fetched of a point.
#[derive(Debug, Clone)]
struct Page {
    point: usize,
    /// Where the server goes on; nothing for a first page.
    at: ByteString,
    /// From when on, where that is not the beginning of the gap.
    from: Option<Timestamp>,
}

impl History {
    pub(super) fn new(since: Option<Timestamp>, opened: Timestamp) -> Self {
        let gap_max = i64::try_from(GAP_MAX.as_nanos()).unwrap_or(i64::MAX);
        let earliest = opened.saturating_add(-gap_max);
        let gap = since.map(|since| (since.max(earliest), opened)).filter(|(from, to)| from < to);
        Self {
            gap,
            waiting: VecDeque::new(),
            fetched: 0,
            timeouts: 0,
            per_request: POINTS_PER_REQUEST,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn give_up(&mut self, why: &str) {
        tracing::warn!(
            points = self.waiting.len(),
            why,
            "the history of an OPC UA server is left unread"
        );
        self.waiting.clear();
    }
}

impl OpcUaSession {
    /// Wants the history of those points that have one.
    pub(super) fn want_history(&mut self, indexes: Range<usize>) {
        if self.history.gap.is_none() {
            return;
        }
        let has = |index: &usize| self.points.get(*index).is_some_and(|point| point.has_history);
        let page = |point| Page { point, at: ByteString::null(), from: None };
        let wanted: Vec<_> = indexes.filter(has).map(page).collect();
        self.history.waiting.extend(wanted);
    }

    /// Fetches a page for a few points.
    pub(super) async fn fetch_history(&mut self) -> Result<Collected, Failure> {
        let Some((from, to)) = self.history.gap else { return Ok(self.collected(Vec::new())) };
        let count = self.history.per_request.min(self.link.limits.history).max(1);
        // Those of one request begin at the same time.
        let start = self.history.waiting.front().and_then(|page| page.from);
        let alike =
            self.history.waiting.iter().take(count).take_while(|page| page.from == start).count();
        let asked: Vec<Page> = self.history.waiting.drain(..alike).collect();
        let nodes: Vec<_> = asked.iter().filter_map(|page| self.history_id(page)).collect();
        let from = start.unwrap_or(from);
        // The server's clock is asked in its own time.
        let correction = self.link.pulse.correction_ns();
        let details = ReadRawModifiedDetails {
            is_read_modified: false,
            start_time: date_time(from.saturating_add(correction)),
            end_time: date_time(to.saturating_add(correction)),
            num_values_per_node: VALUES_PER_POINT,
            return_bounds: false,
        };
        let started = Instant::now();
        let action = HistoryReadAction::ReadRawModifiedDetails(details);
        let answer =
            self.link.session.history_read(action, TimestampsToReturn::Both, false, &nodes).await;
        let latency = started.elapsed();
        let readings = match answer {
            Ok(results) if results.len() == asked.len() => self.take_pages(asked, results),
            Ok(_) => {
                let cause = "the question for histories was answered for another number of points";
                return Err(Failure::new(ErrorKind::Protocol, cause));
            }
            Err(error) => {
                self.history_failed(asked, &error)?;
                Vec::new()
            }
        };
        if self.history.fetched > VALUES_MAX {
            self.history.give_up("too many values for one gap");
        }
        Ok(Collected { backfill: true, latency, more: false, ..self.collected(readings) })
    }

    fn history_id(&self, page: &Page) -> Option<HistoryReadValueId> {
        let point = self.points.get(page.point)?;
        Some(HistoryReadValueId {
            node_id: point.node.as_ref().ok()?.clone(),
            index_range: point.range(),
            data_encoding: QualifiedName::null(),
            continuation_point: page.at.clone(),
        })
    }

    fn take_pages(&mut self, asked: Vec<Page>, results: Vec<HistoryReadResult>) -> Vec<Reading> {
        let now = self.clock.now();
        let mut readings = Vec::new();
        for (page, result) in asked.into_iter().zip(results) {
            let status = plain(result.status_code);
            if status == StatusCode::BadNoContinuationPoints && self.history.per_request > 1 {
                // The server has fewer places for what is still to come than was asked for at once.
                self.history.per_request = 1;
                self.history.waiting.push_back(page);
                continue;
            }
            if status.is_bad() {
                tracing::debug!(point = self.place(page.point), %status, "no history");
                continue;
            }
            let data = result.history_data.into_inner_as::<HistoryData>();
            let values = data.and_then(|data| data.data_values).unwrap_or_default();
            self.history.fetched += values.len();
            let count = values.len();
            let before = readings.len();
            readings.extend(values.iter().map(|value| self.reading(page.point, value, now)));
            let last =
                readings.get(before..).into_iter().flatten().map(|reading| reading.time).max();
            if let Some(next) = next_page(page, result.continuation_point, count, last) {
                // Pages of one point follow each other, so that the server can let go of it soon.
                self.history.waiting.push_front(next);
            }
        }
        readings
    }

    fn history_failed(
        &mut self,
        asked: Vec<Page>,
        error: &opcua::types::Error,
    ) -> Result<(), Failure> {
        let failure = Failure::of("reading the history failed", error);
        match failure.kind {
            ErrorKind::Timeout => {
                // Answers carry the number of their question, so a late one does no harm.
                self.history.timeouts += 1;
                self.history.per_request = 1;
                if self.history.timeouts < TIMEOUTS_MAX {
                    self.history.waiting.extend(asked);
                } else {
                    self.history.give_up("the server takes too long");
                }
            }
            kind if kind.ends_session() => return Err(failure),
            _ if asked.len() > 1 => {
                self.history.per_request = 1;
                self.history.waiting.extend(asked);
            }
            _ => self.history.give_up(&failure.cause),
        }
        Ok(())
    }
}

/// Where to go on; none where all is told. Some servers cut what they tell without a place to go on: behind a
/// page that is full, they are asked from its last time on.
fn next_page(page: Page, at: ByteString, count: usize, last: Option<Timestamp>) -> Option<Page> {
    if count == 0 {
        return None;
    }
    if !at.is_null_or_empty() {
        return Some(Page { at, ..page });
    }
    let from = last?.saturating_add(NS_PER_TICK);
    let is_cut = page.at.is_null_or_empty() && count >= VALUES_PER_POINT as usize;
    (is_cut && page.from.is_none_or(|before| before < from))
        .then_some(Page { from: Some(from), ..page })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_where_the_server_says_and_else_behind_a_full_page() {
        let first = Page { point: 3, at: ByteString::null(), from: None };
        let (time, full) = (Timestamp::from_nanos(5000), VALUES_PER_POINT as usize);
        let point = ByteString::from(vec![1, 2]);
        let told = next_page(first.clone(), point.clone(), 7, Some(time)).unwrap();
        assert_eq!((told.at.clone(), told.from), (point.clone(), None));
        assert!(
            next_page(told, ByteString::null(), full, Some(time)).is_none(),
            "the end of its pages"
        );
        assert!(next_page(first.clone(), ByteString::null(), full - 1, Some(time)).is_none());
        let cut = next_page(first, ByteString::null(), full, Some(time)).unwrap();
        assert_eq!(cut.from, Some(Timestamp::from_nanos(5100)));
        assert!(
            next_page(cut.clone(), ByteString::null(), full, Some(Timestamp::from_nanos(5000)))
                .is_none()
        );
        assert!(next_page(cut, point, 0, None).is_none(), "an empty page is the last");
    }
}
