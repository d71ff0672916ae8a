use std::collections::BTreeSet;

use proptest::prelude::*;
use weir_model::TenantId;

use super::*;
use crate::share::{Pool, Share};
use crate::topic::{TopicLimits, matches, parse_filter};

const LIMITS: TopicLimits = TopicLimits { bytes_max: 1000, levels_max: 100 };

fn options(qos: Qos) -> SubscriptionOptions {
    SubscriptionOptions { qos, no_local: false, retain_as_published: false, identifier: None }
}

fn session(id: u64) -> Subscriber {
    let share = Share::new(TenantId(1), &Pool::new("journal", 0));
    Subscriber::Session(Arc::new(Session::new(id, share, "c".into(), "p".into())))
}

fn insert(router: &mut Router, filter: &str, id: u64) -> bool {
    router.insert(parse_filter(filter, LIMITS).unwrap(), session(id), options(Qos::AtLeastOnce))
}

fn remove(router: &mut Router, filter: &str, id: u64) -> bool {
    router.remove(parse_filter(filter, LIMITS).unwrap(), id)
}

fn found(router: &Router, topic: &str) -> BTreeSet<u64> {
    let route = router.route(&Arc::from(topic), 1);
    let ids: Vec<u64> = route.targets.iter().map(|t| t.subscriber.id()).collect();
    let set: BTreeSet<u64> = ids.iter().copied().collect();
    assert_eq!(ids.len(), set.len(), "a subscriber stands once in a route");
    set
}

#[test]
fn overlapping_subscriptions_give_one_target() {
    let mut router = Router::default();
    let subscriber = session(7);
    for (filter, qos, identifier) in [("a/#", 0, 1), ("a/+", 2, 2), ("a/b", 1, 3)] {
        let options = SubscriptionOptions {
            identifier: Some(identifier),
            no_local: filter == "a/b",
            ..options(Qos::from_number(qos).unwrap())
        };
        router.insert(parse_filter(filter, LIMITS).unwrap(), subscriber.clone(), options);
    }
    let route = router.route(&Arc::from("a/b"), 1);
    assert_eq!(route.targets.len(), 1);
    let target = &route.targets[0];
    assert_eq!(target.qos, Qos::ExactlyOnce);
    assert!(!target.no_local, "the other subscriptions want it");
    let mut identifiers = target.identifiers.as_deref().unwrap().to_vec();
    identifiers.sort_unstable();
    assert_eq!(identifiers, [1, 2, 3]);
}

#[test]
fn a_group_gives_each_message_to_one() {
    let mut router = Router::default();
    assert!(insert(&mut router, "$share/g/a/+", 1));
    assert!(insert(&mut router, "$share/g/a/+", 2));
    assert!(!insert(&mut router, "$share/g/a/+", 2));
    let route = router.route(&Arc::from("a/b"), 1);
    assert!(route.targets.is_empty());
    let limits = Limits::default();
    let picked: Vec<u64> = (0..4)
        .map(|_| route.groups[0].pick(&limits, Qos::AtLeastOnce).unwrap().subscriber.id())
        .collect();
    assert_eq!(picked, [1, 2, 1, 2]);
    assert!(remove(&mut router, "$share/g/a/+", 1));
    assert!(!remove(&mut router, "$share/h/a/+", 2));
    assert!(remove(&mut router, "$share/g/a/+", 2));
    assert!(router.root.is_empty());
}

fn level() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just(""), Just("$s"), Just("温")]
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec(level(), 1..5).prop_map(|levels| levels.join("/"))
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 1 => Just("+")];
    (proptest::collection::vec(level, 1..5), any::<bool>()).prop_map(|(mut levels, rest)| {
        if rest {
            levels.push("#");
        }
        levels.join("/")
    })
}

proptest! {
    #[test]
    fn the_tree_finds_what_a_naive_matcher_finds(
        steps in proptest::collection::vec((filter(), 0_u64..6, any::<bool>()), 1..40),
        names in proptest::collection::vec(name(), 1..10),
    ) {
        let mut router = Router::default();
        let mut naive = BTreeSet::new();
        for (filter, id, add) in steps {
            if filter.is_empty() {
                continue;
            }
            if add {
                prop_assert_eq!(insert(&mut router, &filter, id), naive.insert((filter, id)));
            } else {
                let known = naive.remove(&(filter.clone(), id));
                prop_assert_eq!(remove(&mut router, &filter, id), known);
            }
        }
        prop_assert_eq!(router.count(), naive.len());
        for name in names.iter().filter(|name| !name.is_empty()) {
            let expected: BTreeSet<u64> =
                naive.iter().filter(|(f, _)| matches(f, name)).map(|(_, id)| *id).collect();
            prop_assert_eq!(found(&router, name), expected, "{}", name);
        }
        for (filter, id) in naive {
            prop_assert!(remove(&mut router, &filter, id));
        }
        prop_assert!(router.root.is_empty(), "what is empty is pruned");
    }
}
