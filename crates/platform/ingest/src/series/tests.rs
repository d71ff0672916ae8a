use std::borrow::Cow;
use std::cell::Cell;

use super::walk::FRESH_BYTES_MAX;
use super::*;

/// Every series is a tag, whose number is how many were asked for.
#[derive(Default)]
struct Counting(Cell<u32>);

impl Lookup for Counting {
    fn find(&self, _: &Series<'_>) -> Result<Found, Unknown> {
        self.0.set(self.0.get() + 1);
        Ok(TagFacts { tag: TagId(self.0.get()), data_type: DataType::F64 }.into())
    }
}

fn series() -> Series<'static> {
    Series {
        measurement: Cow::Borrowed("m"),
        field: Cow::Borrowed("f"),
        labels: Vec::new(),
        labels_optional: true,
    }
}

fn find(walk: &mut Walk<'_>, key: &str, field: &str) -> u32 {
    let Ok(facts) = walk.find(key.as_bytes(), field.as_bytes(), series) else { panic!() };
    facts.tag.0
}

#[test]
fn a_series_is_asked_for_once_while_the_documents_stay() {
    let (cache, lookup) = (SeriesCache::new(1 << 20), Counting::default());
    for (revision, asked) in [(1, 3), (1, 3), (2, 6), (2, 6)] {
        let mut walk = Walk::new(&cache.at(revision), &lookup, 0);
        for _ in 0..2 {
            for (key, field) in [("a", "x"), ("a", "y"), ("b", "x")] {
                find(&mut walk, key, field);
            }
        }
        walk.finish();
        assert_eq!(lookup.0.get(), asked);
    }
    assert_eq!(cache.len(), 3);
}

/// As [`Counting`], of answers that tags which are added leave as they are.
#[derive(Default)]
struct Settled(Counting);

impl Lookup for Settled {
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
        Ok(Found { is_settled: true, ..self.0.find(series)? })
    }
}

#[test]
fn a_settled_answer_is_remembered_while_tags_are_added() {
    let cache = SeriesCache::new(1 << 20);
    let (settled, loose) = (Settled::default(), Counting::default());
    // Beside each state how many were asked for by then of both kinds.
    for (all, state, asked) in [(10, 1, [1, 1]), (11, 1, [1, 2]), (12, 2, [2, 3]), (12, 2, [2, 3])]
    {
        let revision = Revision { all, settled: state };
        for (key, lookup) in [("a", &settled as &dyn Lookup), ("b", &loose)] {
            let mut walk = Walk::new(&cache.at(revision), lookup, 0);
            find(&mut walk, key, "x");
            walk.finish();
        }
        assert_eq!([settled.0.0.get(), loose.0.get()], asked);
    }
    let mut walk = Walk::new(&cache.at(Revision { all: 99, settled: 2 }), &settled, 0);
    assert!(walk.expected_head(b"a x=1").is_some());
    assert!(walk.expected_head(b"b x=1").is_none());
}

#[test]
fn the_next_series_is_expected_where_it_was_before() {
    let (cache, lookup) = (SeriesCache::new(1 << 20), Counting::default());
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    let first: Vec<u32> =
        [("a", "x"), ("a", "y"), ("b", "x")].map(|(key, field)| find(&mut walk, key, field)).into();
    walk.finish();
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    let tag = |found: Option<(TagFacts, usize)>| found.map(|(facts, used)| (facts.tag.0, used));
    assert_eq!(tag(walk.expected_head(b"a x=1")), Some((first[0], 4)));
    assert_eq!(tag(walk.expected_field(b"y=2")), Some((first[1], 2)));
    assert_eq!(walk.expected_field(b"x=2"), None, "of another series");
    assert_eq!(walk.expected_head(b"b y=1"), None, "another field");
    assert_eq!(walk.expected_head(b"b"), None);
    assert_eq!(tag(walk.expected_head(b"b x=")), Some((first[2], 4)));
    assert_eq!(walk.expected_head(b"a x=1"), None, "nothing was behind it");
    let mut stale = Walk::new(&cache.at(2), &lookup, 0);
    assert_eq!(stale.expected_head(b"a x=1"), None, "the documents have changed");
}

#[test]
fn a_full_cache_starts_anew() {
    let bytes_max = 64 << 10;
    let (cache, lookup) = (SeriesCache::new(bytes_max), Counting::default());
    for round in 0..50 {
        let mut walk = Walk::new(&cache.at(1), &lookup, 0);
        for n in 0..100 {
            find(&mut walk, &format!("series {round} {n}"), "f");
        }
        walk.finish();
        assert!(cache.bytes() <= bytes_max, "{}", cache.bytes());
    }
    assert!(cache.len() > 100 && cache.len() < 5000);
    let before = lookup.0.get();
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    find(&mut walk, &"x".repeat(KEY_BYTES_MAX), "f");
    walk.finish();
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    find(&mut walk, &"x".repeat(KEY_BYTES_MAX), "f");
    assert_eq!(lookup.0.get(), before + 2, "too long to be remembered");
}

#[test]
fn the_size_is_read_while_another_changes_the_cache() {
    let (cache, lookup) = (SeriesCache::new(1 << 20), Counting::default());
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    find(&mut walk, "a", "x");
    walk.finish();
    let mut changing = cache.state.write().unwrap();
    let bytes = changing.bytes();
    *changing = Entries::default();
    assert_eq!(cache.bytes(), bytes);
}

#[test]
fn caches_of_one_budget_stay_within_it_together() {
    let bytes_max = 256 << 10;
    let (budget, lookup) = (Arc::new(Budget::new(bytes_max)), Counting::default());
    let caches = [(); 3].map(|()| SeriesCache::within(Arc::clone(&budget)));
    for round in 0..20 {
        for cache in &caches {
            let mut walk = Walk::new(&cache.at(1), &lookup, 0);
            for n in 0..500 {
                find(&mut walk, &format!("series {round} {n}"), "f");
            }
            walk.finish();
            let bytes: usize = caches.iter().map(SeriesCache::bytes).sum();
            assert!(bytes <= bytes_max && budget.left() == bytes_max - bytes, "{bytes}");
            assert_eq!(cache.bytes(), cache.read().bytes());
        }
    }
    drop(caches);
    assert_eq!(budget.left(), bytes_max);
}

#[test]
fn long_series_give_others_a_turn_soon() {
    let (cache, lookup) = (SeriesCache::new(1 << 20), Counting::default());
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    let long = "x".repeat(SERIES_BYTES_MAX);
    find(&mut walk, &long, "f");
    find(&mut walk, &long, "f");
    assert!(walk.turn());
    assert!(!walk.turn());
}

#[test]
fn after_a_turn_no_field_is_taken_for_that_of_another_series() {
    let (cache, lookup) = (SeriesCache::new(1 << 20), Counting::default());
    let learn = |key: &str| {
        let mut walk = Walk::new(&cache.at(1), &lookup, 0);
        let found = ["x", "y"].map(|field| find(&mut walk, key, field));
        walk.finish();
        found
    };
    learn("a");
    let mut walk = Walk::new(&cache.at(1), &lookup, 0);
    assert!(walk.expected_head(b"a x=1,y=2").is_some());
    // The cache starts anew, with another series at the same place.
    walk.guard = None;
    *cache.state.write().unwrap() = Entries::default();
    let other = learn("b");
    while !walk.turn() {}
    assert_eq!(walk.expected_field(b"y=2"), None);
    assert_ne!(find(&mut walk, "a", "y"), other[1]);
}

#[test]
fn what_is_learned_is_bounded_in_bytes() {
    let (cache, lookup) = (SeriesCache::new(1 << 20), Counting::default());
    let mut walk = Walk::new(&cache.at(1), &lookup, 1 << 30);
    let long = "x".repeat(KEY_BYTES_MAX - 100);
    for n in 0..10_000 {
        find(&mut walk, &format!("{long}{n}"), "f");
    }
    // Columns that grow double.
    assert!(walk.bytes() > 1 << 20 && walk.bytes() <= 2 * FRESH_BYTES_MAX + (1 << 20));
}
