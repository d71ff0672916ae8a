//! Which subscribers a topic has: a tree of filters, and routes as the result of walking it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::journal::record::SubscriptionOptions;
use crate::local::LocalQueue;
use crate::message::Qos;
use crate::options::Limits;
use crate::session::{Readiness, Session};
use crate::topic::Filter;

/// Who subscribed.
#[derive(Debug, Clone)]
pub(crate) enum Subscriber {
    Session(Arc<Session>),
    Local { queue: Arc<LocalQueue>, receipts: bool },
}

impl Subscriber {
    fn id(&self) -> u64 {
        match self {
            Self::Session(session) => session.id,
            Self::Local { queue, .. } => queue.id,
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    subscriber: Subscriber,
    options: SubscriptionOptions,
}

/// The tree of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Router {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    /// The child `+`.
    one: Option<Box<Node>>,
    /// The child `#`, which has no children.
    rest: Option<Box<Node>>,
    entries: HashMap<u64, Entry>,
    groups: HashMap<Box<str>, Group>,
}

#[derive(Debug, Default)]
struct Group {
    /// Whose turn it is; lives as long as the group has members.
    next: Arc<AtomicUsize>,
    members: Vec<Entry>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.one.is_none()
            && self.rest.is_none()
            && self.entries.is_empty()
            && self.groups.is_empty()
    }
}

impl Router {
    /// Adds or replaces a subscription; true when it is new.
    pub(crate) fn insert(
        &mut self,
        filter: Filter<'_>,
        subscriber: Subscriber,
        options: SubscriptionOptions,
    ) -> bool {
        let mut node = &mut self.root;
        for level in filter.filter.split('/') {
            node = match level {
                "+" => node.one.get_or_insert_default(),
                "#" => node.rest.get_or_insert_default(),
                _ => node.children.entry(level.into()).or_default(),
            };
        }
        let id = subscriber.id();
        let entry = Entry { subscriber, options };
        let new = match filter.group {
            None => node.entries.insert(id, entry).is_none(),
            Some(name) => {
                let group = node.groups.entry(name.into()).or_default();
                match group.members.iter_mut().find(|m| m.subscriber.id() == id) {
                    Some(member) => {
                        *member = entry;
                        false
                    }
                    None => {
                        group.members.push(entry);
                        true
                    }
                }
            }
        };
        self.count += usize::from(new);
        new
    }

    /// Removes a subscription; false when there was none.
    pub(crate) fn remove(&mut self, filter: Filter<'_>, id: u64) -> bool {
        let removed = remove(&mut self.root, filter.filter.split('/'), filter.group, id);
        self.count -= usize::from(removed);
        removed
    }

    /// Subscriptions in the tree.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Walks the tree for a topic name.
    pub(crate) fn route(&self, topic: &Arc<str>, generation: u64) -> Route {
        let mut found = Found::default();
        walk(&self.root, topic, Some(topic), true, &mut found);
        found.into_route(topic, generation)
    }
}

fn remove<'a>(
    node: &mut Node,
    mut levels: impl Iterator<Item = &'a str>,
    group: Option<&str>,
    id: u64,
) -> bool {
    let Some(level) = levels.next() else {
        return match group {
            None => node.entries.remove(&id).is_some(),
            Some(name) => {
                let Some(group) = node.groups.get_mut(name) else { return false };
                let before = group.members.len();
                group.members.retain(|m| m.subscriber.id() != id);
                let removed = group.members.len() < before;
                if group.members.is_empty() {
                    node.groups.remove(name);
                }
                removed
            }
        };
    };
    let child = match level {
        "+" => node.one.as_deref_mut(),
        "#" => node.rest.as_deref_mut(),
        _ => node.children.get_mut(level),
    };
    let Some(child) = child else { return false };
    // The iterator is boxed away, since each depth would otherwise be a type of its own.
    let removed = remove(child, &mut levels as &mut dyn Iterator<Item = &'a str>, group, id);
    if child.is_empty() {
        match level {
            "+" => node.one = None,
            "#" => node.rest = None,
            _ => drop(node.children.remove(level)),
        }
    }
    removed
}

/// `rest` is what is left of the topic; none when its last level is behind.
fn walk<'a>(node: &'a Node, topic: &str, rest: Option<&str>, first: bool, found: &mut Found<'a>) {
    let wildcards = !(first && topic.starts_with('$'));
    if wildcards && let Some(node) = &node.rest {
        found.take(node);
    }
    let Some(rest) = rest else {
        found.take(node);
        return;
    };
    let (level, rest) = match rest.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (rest, None),
    };
    if let Some(child) = node.children.get(level) {
        walk(child, topic, rest, false, found);
    }
    if wildcards && let Some(child) = &node.one {
        walk(child, topic, rest, false, found);
    }
}

#[derive(Default)]
struct Found<'a> {
    entries: Vec<&'a Entry>,
    groups: Vec<&'a Group>,
}

impl<'a> Found<'a> {
    fn take(&mut self, node: &'a Node) {
        self.entries.extend(node.entries.values());
        self.groups.extend(node.groups.values());
    }

    fn into_route(mut self, topic: &Arc<str>, generation: u64) -> Route {
        // A subscriber with overlapping subscriptions gets one message, with the highest quality
        // and all its identifiers (MQTT 5, 3.3.4).
        self.entries.sort_unstable_by_key(|entry| entry.subscriber.id());
        let mut targets: Vec<Target> = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            match targets.last_mut().filter(|t| t.subscriber.id() == entry.subscriber.id()) {
                Some(target) => target.merge(entry),
                None => targets.push(Target::new(entry)),
            }
        }
        let groups = self.groups.into_iter().map(|group| TargetGroup {
            next: Arc::clone(&group.next),
            members: group.members.iter().map(Target::new).collect(),
        });
        let groups: Vec<TargetGroup> = groups.collect();
        let direct = targets.iter().filter(|t| t.asks_receipt()).count();
        let shared = groups.iter().filter(|g| g.members.iter().any(Target::asks_receipt)).count();
        let receipts_max = u16::try_from(direct + shared).unwrap_or(u16::MAX);
        let has_sessions = targets
            .iter()
            .chain(groups.iter().flat_map(|g| &g.members))
            .any(|t| t.qos > Qos::AtMostOnce && matches!(t.subscriber, Subscriber::Session(_)));
        let topic = Arc::clone(topic);
        Route { generation, topic, targets, groups, receipts_max, has_sessions }
    }
}

/// The subscribers of one topic, as long as the tenant's generation is this.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) generation: u64,
    pub(crate) topic: Arc<str>,
    pub(crate) targets: Vec<Target>,
    pub(crate) groups: Vec<TargetGroup>,
    /// Receipts that a message can at most have to wait for.
    pub(crate) receipts_max: u16,
    /// Some subscriber of QoS above 0 is a session, which may be in the journal.
    pub(crate) has_sessions: bool,
}

/// One subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) subscriber: Subscriber,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifiers: Option<Arc<[u32]>>,
}

/// One of these gets the message.
#[derive(Debug)]
pub(crate) struct TargetGroup {
    next: Arc<AtomicUsize>,
    members: Vec<Target>,
}

impl Target {
    fn new(entry: &Entry) -> Self {
        Self {
            subscriber: entry.subscriber.clone(),
            qos: entry.options.qos,
            no_local: entry.options.no_local,
            retain_as_published: entry.options.retain_as_published,
            identifiers: entry.options.identifier.map(|i| Arc::from([i])),
        }
    }

    fn merge(&mut self, entry: &Entry) {
        self.qos = self.qos.max(entry.options.qos);
        self.no_local &= entry.options.no_local;
        self.retain_as_published |= entry.options.retain_as_published;
        if let (Subscriber::Local { receipts, .. }, Subscriber::Local { receipts: also, .. }) =
            (&mut self.subscriber, &entry.subscriber)
        {
            *receipts |= also;
        }
        if let Some(identifier) = entry.options.identifier {
            let all = self.identifiers.iter().flat_map(|i| i.iter().copied());
            self.identifiers = Some(all.chain([identifier]).collect());
        }
    }

    fn readiness(&self, limits: &Limits, qos: Qos) -> Readiness {
        match &self.subscriber {
            Subscriber::Session(session) => session.readiness(limits, qos),
            Subscriber::Local { queue, .. } if !queue.is_full() => Readiness::Now,
            // Full, it takes what is acknowledged, and its publisher waits.
            Subscriber::Local { .. } if qos > Qos::AtMostOnce => Readiness::Soon,
            Subscriber::Local { .. } => Readiness::Never,
        }
    }

    fn asks_receipt(&self) -> bool {
        self.qos > Qos::AtMostOnce
            && matches!(self.subscriber, Subscriber::Local { receipts: true, .. })
    }
}

impl Route {
    /// How many copies of a message of QoS above 0 the journal may get.
    pub(crate) fn durable_targets(&self) -> usize {
        let kept = |target: &Target| {
            target.qos > Qos::AtMostOnce
                && matches!(&target.subscriber, Subscriber::Session(s) if s.is_durable())
        };
        let shared = self.groups.iter().filter(|group| group.members.iter().any(kept)).count();
        self.targets.iter().filter(|target| kept(target)).count() + shared
    }
}

impl TargetGroup {
    /// Whose turn it is: the next member that can take the message now, or else one that can later,
    /// or else one that keeps it.
    pub(crate) fn pick(&self, limits: &Limits, qos: Qos) -> Option<&Target> {
        let count = self.members.len();
        if count == 0 {
            return None;
        }
        let start = self.next.fetch_add(1, Relaxed) % count;
        let mut best: Option<(Readiness, &Target)> = None;
        for target in self.members.iter().cycle().skip(start).take(count) {
            let readiness = target.readiness(limits, qos.min(target.qos));
            if readiness == Readiness::Now {
                return Some(target);
            }
            if best.is_none_or(|(known, _)| readiness < known) {
                best = Some((readiness, target));
            }
        }
        best.map(|(_, target)| target)
    }
}
