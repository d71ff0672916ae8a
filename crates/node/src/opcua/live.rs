//! What is measured from now on.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};
use weir_access::{Action, Caller};
use weir_historian::LiveBatch;
use weir_model::{Sample, TagId};
use weir_opcua_server::{Live, LiveEvent};

use super::Rooms;
use super::sight::Sight;

/// The live stream of one caller: its organisation's tags, as far as it sees them now.
pub(super) struct Stream {
    rooms: Rooms,
    caller: Caller,
    receiver: broadcast::Receiver<Arc<LiveBatch>>,
    /// What was missed and is remembered.
    pending: VecDeque<Arc<LiveBatch>>,
    /// The last batch that came.
    position: Option<u64>,
    /// What the caller sees, as of the directory's position.
    seen: HashMap<TagId, bool>,
    seen_at: u64,
}

impl Stream {
    pub(super) fn open(rooms: &Rooms, caller: &Caller) -> Self {
        Self {
            receiver: rooms.historian.live(None).receiver,
            rooms: rooms.clone(),
            caller: caller.clone(),
            pending: VecDeque::new(),
            position: None,
            seen: HashMap::new(),
            seen_at: 0,
        }
    }

    /// What the caller sees of a batch. Asks the directory again if anything changed: a tag may be
    /// gone or graded higher by now.
    fn seen(&mut self, batch: &LiveBatch) -> Vec<(TagId, Sample)> {
        if batch.tenant != self.caller.tenant {
            return Vec::new();
        }
        let Ok(position) = self.rooms.directory.position() else { return Vec::new() };
        if position != self.seen_at {
            self.seen_at = position;
            self.seen.clear();
        }
        let unknown = |tag: &TagId| !self.seen.contains_key(tag);
        let tags: Vec<TagId> = batch.samples.tags().iter().copied().filter(unknown).collect();
        if !tags.is_empty() {
            let reads = self.rooms.may(&self.caller, Action::SampleRead);
            let sight = Sight::of(&self.rooms, &self.caller);
            let found = self.rooms.directory.with(self.caller.tenant, |view| {
                let sees = |tag: TagId| {
                    let entry = view.tag_by_number(tag);
                    (tag, reads && entry.is_some_and(|entry| sight.tag(view, entry)))
                };
                tags.into_iter().map(sees).collect::<Vec<_>>()
            });
            self.seen.extend(found.ok().flatten().unwrap_or_default());
        }
        let sees = |tag: &TagId| self.seen.get(tag).copied().unwrap_or(false);
        let samples = &batch.samples;
        let places = samples.tags().iter().enumerate().filter(|(_, tag)| sees(tag));
        places.map(|(place, tag)| (*tag, samples.sample(place))).collect()
    }

    /// Takes up what was missed, if it is remembered.
    fn resume(&mut self) -> bool {
        let live = self.rooms.historian.live(self.position);
        let is_whole = self.position.is_some() && !live.missed;
        self.receiver = live.receiver;
        self.pending = if is_whole { live.replay.into() } else { VecDeque::new() };
        is_whole
    }
}

#[async_trait]
impl Live for Stream {
    async fn next(&mut self) -> Option<LiveEvent> {
        loop {
            let batch = match self.pending.pop_front() {
                Some(batch) => batch,
                None => match self.receiver.recv().await {
                    Ok(batch) => batch,
                    Err(RecvError::Lagged(_)) if self.resume() => continue,
                    Err(RecvError::Lagged(_)) => return Some(LiveEvent::Lagged),
                    Err(RecvError::Closed) => return None,
                },
            };
            // Batches without samples mean nothing.
            if batch.samples.is_empty() {
                continue;
            }
            self.position = Some(batch.position);
            let seen = self.seen(&batch);
            if !seen.is_empty() {
                return Some(LiveEvent::Samples(seen.into()));
            }
        }
    }
}

/// The stream of nobody.
pub(super) struct Nothing;

#[async_trait]
impl Live for Nothing {
    async fn next(&mut self) -> Option<LiveEvent> {
        None
    }
}
