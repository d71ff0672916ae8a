//! The subscriptions of one session, fed from the live stream. They may outlive the session for a
//! while, until their client takes them over or their lifetime has passed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opcua::core::ResponseMessage;
use opcua::types::{
    DateTime, NotificationMessage, PublishResponse, ResponseHeader, ServiceFault, StatusCode,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weir_model::{Sample, TagId, Timestamp};

use crate::connection::Outgoing;
use crate::plant::{Live, LiveEvent, Principal};
use crate::services::read;
use crate::shared::Shared;
use crate::subscription::item::{Item, Source};
use crate::subscription::{Cycle, Subscription};

/// Tags whose newest samples are read at a time when the live stream was too fast, and attributes that
/// are read at a time.
const CATCH_UP: usize = 1_000;

/// What catching up may take: subscriptions do not say that they live meanwhile.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(5);

/// Ended subscriptions that a client has still to be told of.
const FAREWELLS_MAX: usize = 64;

/// A number of things that has a bound.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    /// Adds so many, unless there would be too many then.
    pub(crate) fn add(&self, count: usize, max: usize) -> bool {
        let sum = |old: usize| old.checked_add(count).filter(|new| *new <= max);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
    }

    pub(crate) fn subtract(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) subscriptions: Count,
    pub(crate) items: Count,
    /// Places in queues, beyond one for each item.
    pub(crate) places: Count,
}

/// A publish request that waits for news.
pub(crate) struct Request {
    pub(crate) number: u32,
    pub(crate) handle: u32,
    /// What became of the acknowledgements in it.
    pub(crate) results: Option<Vec<StatusCode>>,
    /// When its client stops waiting.
    pub(crate) deadline: Option<Instant>,
    pub(crate) outgoing: Outgoing,
}

impl Request {
    fn refuse(&self, status: StatusCode) {
        self.outgoing.try_answer(self.number, ServiceFault::new(self.handle, status).into());
    }
}

/// The subscriptions of one session.
pub(crate) struct Publisher {
    state: Mutex<State>,
    wake: Notify,
    closed: CancellationToken,
    counts: Arc<Counts>,
}

#[derive(Default)]
pub(crate) struct State {
    principal: Option<Principal>,
    subscriptions: BTreeMap<u32, Subscription>,
    /// Who watches a tag's value: subscription and item.
    tags: HashMap<TagId, Vec<(u32, u32)>>,
    requests: VecDeque<Request>,
    farewells: VecDeque<(u32, NotificationMessage)>,
    served: u64,
    is_running: bool,
}

impl Publisher {
    pub(crate) fn new(counts: Arc<Counts>) -> Self {
        let (state, wake) = (Mutex::default(), Notify::new());
        Self { state, wake, closed: CancellationToken::new(), counts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names whose subscriptions these are. It stays the same as long as there are any: sessions do
    /// not change their user.
    pub(crate) fn set_principal(&self, principal: Principal) {
        self.state().principal = Some(principal);
    }

    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.state().principal.as_ref().is_some_and(|principal| principal.name() == name)
    }

    /// Adds a new subscription, or one of another session's.
    pub(crate) fn insert(self: &Arc<Self>, subscription: Subscription, shared: &Arc<Shared>) {
        let mut state = self.state();
        for item in subscription.items() {
            if let Some(tag) = item.tag() {
                state.tags.entry(tag).or_default().push((subscription.id, item.id));
            }
        }
        state.subscriptions.insert(subscription.id, subscription);
        if let (false, Some(principal)) = (state.is_running, state.principal.clone()) {
            state.is_running = true;
            tokio::spawn(Arc::clone(self).run(Arc::clone(shared), principal));
        }
        self.wake.notify_one();
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.state().subscriptions.contains_key(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.state().subscriptions.len()
    }

    /// Takes a subscription out, for another session or for good. It still counts.
    pub(crate) fn remove(&self, id: u32) -> Option<Subscription> {
        let mut state = self.state();
        let taken = state.take(id);
        self.wake.notify_one();
        taken
    }

    /// Ends a subscription.
    pub(crate) fn delete(&self, id: u32) -> StatusCode {
        let ended = self.take(&mut self.state(), id);
        self.wake.notify_one();
        if ended.is_some() { StatusCode::Good } else { StatusCode::BadSubscriptionIdInvalid }
    }

    /// Ends all subscriptions.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        let ids: Vec<u32> = state.subscriptions.keys().copied().collect();
        ids.into_iter().for_each(|id| drop(self.take(&mut state, id)));
        self.wake.notify_one();
    }

    fn take(&self, state: &mut State, id: u32) -> Option<Subscription> {
        let subscription = state.take(id)?;
        self.counts.subscriptions.subtract(1);
        self.counts.items.subtract(subscription.items().count());
        self.counts.places.subtract(subscription.items().map(Item::places).sum());
        Some(subscription)
    }

    /// Tells a client that a subscription of its has gone elsewhere or ended.
    pub(crate) fn farewell(&self, subscription: &Subscription, status: StatusCode) {
        let mut state = self.state();
        if state.farewells.len() < FAREWELLS_MAX {
            let message = subscription.farewell(status, DateTime::now());
            state.farewells.push_back((subscription.id, message));
        }
        state.serve();
    }

    /// Does something with a subscription, whose client lives therefore.
    ///
    /// # Errors
    /// `BadSubscriptionIdInvalid`.
    pub(crate) fn with<T>(
        &self,
        id: u32,
        act: impl FnOnce(&mut Subscription) -> T,
    ) -> Result<T, StatusCode> {
        let mut state = self.state();
        let subscription =
            state.subscriptions.get_mut(&id).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        subscription.touch();
        let result = act(subscription);
        self.wake.notify_one();
        Ok(result)
    }

    /// Lets the live stream find an item.
    pub(crate) fn watch(&self, tag: TagId, subscription: u32, item: u32) {
        self.state().tags.entry(tag).or_default().push((subscription, item));
    }

    /// Deletes an item.
    pub(crate) fn delete_item(&self, id: u32, item: u32) -> Result<StatusCode, StatusCode> {
        let mut state = self.state();
        let subscription =
            state.subscriptions.get_mut(&id).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        let Some(removed) = subscription.remove(item) else {
            return Ok(StatusCode::BadMonitoredItemIdInvalid);
        };
        if let Some(tag) = removed.tag() {
            state.forget(tag, |entry| entry == (id, item));
        }
        self.counts.items.subtract(1);
        self.counts.places.subtract(removed.places());
        Ok(StatusCode::Good)
    }

    /// Takes a publish request: acknowledges what it says, answers it at once if something is late,
    /// else keeps it.
    pub(crate) fn publish(&self, mut request: Request, acknowledged: &[(u32, u32)], max: usize) {
        let mut state = self.state();
        let results = acknowledged.iter().map(|(id, sequence)| {
            state
                .subscriptions
                .get_mut(id)
                .map_or(StatusCode::BadSubscriptionIdInvalid, |s| s.acknowledge(*sequence))
        });
        request.results = (!acknowledged.is_empty()).then(|| results.collect());
        if self.closed.is_cancelled() {
            return request.refuse(StatusCode::BadSessionClosed);
        }
        if state.subscriptions.is_empty() && state.farewells.is_empty() {
            return request.refuse(StatusCode::BadNoSubscription);
        }
        if state.requests.len() >= max
            && let Some(oldest) = state.requests.pop_front()
        {
            oldest.refuse(StatusCode::BadTooManyPublishRequests);
        }
        state.requests.push_back(request);
        state.subscriptions.values_mut().for_each(Subscription::touch);
        state.serve();
    }

    /// The session ended: waiting requests are answered. Its subscriptions go on if they are to.
    pub(crate) fn release(&self, status: StatusCode) {
        self.state().requests.drain(..).for_each(|request| request.refuse(status));
    }

    /// Ends everything.
    pub(crate) fn close(&self) {
        self.closed.cancel();
        self.clear();
        self.release(StatusCode::BadSessionClosed);
    }

    /// Feeds and publishes until there are no subscriptions.
    async fn run(self: Arc<Self>, shared: Arc<Shared>, principal: Principal) {
        let stopped = async {
            tokio::select! {
                () = self.closed.cancelled() => {}
                () = shared.stop.cancelled() => {}
            }
        };
        tokio::select! {
            () = stopped => {}
            () = self.feed(&shared, &principal) => {}
        }
    }

    async fn feed(&self, shared: &Arc<Shared>, principal: &Principal) {
        let mut stream = Stream::Opening(Box::pin(shared.plant.live(principal)));
        loop {
            let Some(next) = self.next_cycle() else { return };
            tokio::select! {
                event = stream.next() => match event {
                    LiveEvent::Samples(samples) => self.deliver(&samples),
                    LiveEvent::Lagged => self.catch_up(shared, principal).await,
                },
                () = tokio::time::sleep_until(next.into()) => {
                    self.poll(shared, principal).await;
                    self.cycle();
                }
                () = self.wake.notified() => {}
            }
        }
    }

    /// When the next subscription is due; none where there are no subscriptions any more, and then
    /// the task ends.
    fn next_cycle(&self) -> Option<Instant> {
        let mut state = self.state();
        let next = state.subscriptions.values().map(Subscription::next_cycle).min();
        state.is_running = next.is_some();
        next
    }

    /// Gives samples to the items that watch them.
    pub(crate) fn deliver(&self, samples: &[(TagId, Sample)]) {
        let now = Instant::now();
        let arrival = Timestamp::from_system(std::time::SystemTime::now());
        let state = &mut *self.state();
        for (tag, sample) in samples {
            for (id, item) in state.tags.get(tag).into_iter().flatten() {
                if let Some(subscription) = state.subscriptions.get_mut(id) {
                    subscription.with(*item, |item| item.offer(sample.clone(), arrival, now));
                }
            }
        }
    }

    /// Reads the newest samples of everything that is watched.
    async fn catch_up(&self, shared: &Shared, principal: &Principal) {
        let tags: Vec<TagId> = self.state().tags.keys().copied().collect();
        let deadline = Instant::now() + CATCH_UP_TIME_MAX;
        for tags in tags.chunks(CATCH_UP) {
            let Ok(samples) = shared.plant.last(deadline, principal, tags).await else { continue };
            let found = tags.iter().zip(samples).filter_map(|(tag, s)| Some((*tag, s?)));
            self.deliver(&found.collect::<Vec<_>>());
        }
    }

    /// Reads the attributes that are watched and due.
    async fn poll(&self, shared: &Shared, principal: &Principal) {
        let now = Instant::now();
        let mut due = Vec::new();
        for subscription in self.state().subscriptions.values() {
            for id in subscription.due(now) {
                if let Some(Source::Attribute(node, attribute)) =
                    subscription.item(id).map(|item| item.source.clone())
                {
                    due.push((subscription.id, id, node, attribute));
                }
            }
        }
        for due in due.chunks(CATCH_UP) {
            let wanted: Vec<_> =
                due.iter().map(|(.., node, attribute)| (node, *attribute)).collect();
            let deadline = now + CATCH_UP_TIME_MAX;
            let values = read::attributes(shared, deadline, principal, &[], &wanted).await;
            let mut state = self.state();
            for ((id, item, ..), value) in due.iter().zip(values) {
                if let Some(subscription) = state.subscriptions.get_mut(id) {
                    subscription.with(*item, |item| item.offer_value(value, now));
                }
            }
        }
    }

    /// Lets every subscription publish whose interval has passed.
    fn cycle(&self) {
        let now = Instant::now();
        let state = &mut *self.state();
        let (timely, expired): (VecDeque<_>, VecDeque<_>) = state
            .requests
            .drain(..)
            .partition(|request| request.deadline.is_none_or(|deadline| now < deadline));
        state.requests = timely;
        expired.iter().for_each(|request| request.refuse(StatusCode::BadTimeout));
        let mut requested = state.requests.len();
        let mut ended = Vec::new();
        for (id, subscription) in &mut state.subscriptions {
            if subscription.next_cycle() > now {
                continue;
            }
            match subscription.cycle(now, requested > 0) {
                Cycle::Quiet => {}
                Cycle::Message => requested = requested.saturating_sub(1),
                Cycle::Expired => ended.push(*id),
            }
        }
        for id in ended {
            if let Some(subscription) = self.take(state, id)
                && state.farewells.len() < FAREWELLS_MAX
            {
                let message = subscription.farewell(StatusCode::BadTimeout, DateTime::now());
                state.farewells.push_back((id, message));
            }
        }
        state.serve();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.clear();
    }
}

impl State {
    fn take(&mut self, id: u32) -> Option<Subscription> {
        let subscription = self.subscriptions.remove(&id)?;
        let mut tags: Vec<TagId> = subscription.items().filter_map(|item| item.tag()).collect();
        // Many items may watch one tag.
        tags.sort_unstable();
        tags.dedup();
        for tag in tags {
            self.forget(tag, |(subscription, _)| subscription == id);
        }
        Some(subscription)
    }

    fn forget(&mut self, tag: TagId, is_it: impl Fn((u32, u32)) -> bool) {
        if let Some(watchers) = self.tags.get_mut(&tag) {
            watchers.retain(|watcher| !is_it(*watcher));
            if watchers.is_empty() {
                self.tags.remove(&tag);
            }
        }
    }

    /// Answers waiting requests as long as something is late: the most urgent subscription first,
    /// and of equals the one that has waited longest.
    fn serve(&mut self) {
        while !self.requests.is_empty() {
            let urgency = |s: &&Subscription| (std::cmp::Reverse(s.priority), s.served);
            let late = self.subscriptions.values().filter(|s| s.is_late()).min_by_key(urgency);
            let late = late.map(|subscription| subscription.id);
            if late.is_none() && self.farewells.is_empty() {
                return;
            }
            let Some(request) = self.requests.pop_front() else { return };
            let outgoing = request.outgoing.clone();
            let place = match outgoing.reserve() {
                Ok(Some(place)) => place,
                // The client does not take what it was sent: nothing more is made up for it.
                Ok(None) => return self.requests.push_front(request),
                // Its connection is gone.
                Err(()) => continue,
            };
            let answer = match (self.farewells.pop_front(), late) {
                (Some((id, message)), _) => answer(&request, id, message, false, None),
                (None, Some(id)) => {
                    self.served += 1;
                    let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
                    subscription.served = self.served;
                    let (message, more) = subscription.message(DateTime::now());
                    answer(&request, id, message, more, Some(subscription.available()))
                }
                (None, None) => continue,
            };
            place.send(crate::connection::Answer { request: request.number, message: answer });
        }
    }
}

fn answer(
    request: &Request,
    subscription_id: u32,
    notification_message: NotificationMessage,
    more_notifications: bool,
    available_sequence_numbers: Option<Vec<u32>>,
) -> ResponseMessage {
    PublishResponse {
        response_header: ResponseHeader::new_good(request.handle),
        subscription_id,
        available_sequence_numbers,
        more_notifications,
        notification_message,
        results: request.results.clone(),
        diagnostic_infos: None,
    }
    .into()
}

/// What is measured from now on.
enum Stream<'a> {
    /// A plant that is slow to open it does not keep subscriptions from saying that they live.
    Opening(Pin<Box<dyn Future<Output = Box<dyn Live>> + Send + 'a>>),
    Open(Box<dyn Live>),
    Ended,
}

impl Stream<'_> {
    /// The next event; never, once it has ended. May be dropped before it ends.
    async fn next(&mut self) -> LiveEvent {
        loop {
            match self {
                Self::Opening(opening) => {
                    let live = opening.as_mut().await;
                    *self = Self::Open(live);
                    // Items may have been created before.
                    return LiveEvent::Lagged;
                }
                Self::Open(live) => match live.next().await {
                    Some(event) => return event,
                    None => *self = Self::Ended,
                },
                Self::Ended => std::future::pending().await,
            }
        }
    }
}
