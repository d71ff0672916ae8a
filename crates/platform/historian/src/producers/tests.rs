use super::*;

#[test]
fn the_most_silent_producers_are_forgotten_within_their_tenant() {
    let mut producers = Producers::default();
    let other = Producer::new("other", 1).unwrap();
    producers.insert(TenantId(2), &other, 1);
    for index in 0..=PRODUCERS_PER_TENANT_MAX as u64 {
        let producer = Producer::new(&format!("p{index}"), 7).unwrap();
        producers.insert(TenantId(1), &producer, index + 2);
    }
    assert!(producers.len() <= PRODUCERS_PER_TENANT_MAX + 1);
    assert!(producers.len() > PRODUCERS_PER_TENANT_MAX * 15 / 16);
    assert_eq!(producers.get(TenantId(1), "p0"), None);
    let newest = format!("p{PRODUCERS_PER_TENANT_MAX}");
    assert_eq!(producers.get(TenantId(1), &newest).map(|stored| stored.sequence), Some(7));
    assert_eq!(producers.get(TenantId(2), "other"), Some(Stored::first(1, 1)));
}

#[test]
fn a_window_below_the_highest_sequence_is_known() {
    let mut stored = Stored::first(200, 1);
    assert_eq!(stored.judge(201), Verdict::New);
    assert_eq!(stored.judge(200), Verdict::Repeated);
    assert_eq!(stored.judge(199), Verdict::New);
    assert_eq!(stored.judge(73), Verdict::New);
    assert_eq!(stored.judge(72), Verdict::TooOld);
    assert_eq!(stored.judge(0), Verdict::TooOld);
    stored.note(73, 2);
    assert_eq!(stored, Stored { sequence: 200, position: 2, window: 1 | 1 << 127 });
    assert_eq!(stored.judge(73), Verdict::Repeated);
    let before = stored;
    for (sequence, position) in [(200, 1), (73, 2), (72, 1)] {
        stored.note(sequence, position);
        assert_eq!(stored, before, "noting it again changes nothing");
    }
    stored.note(327, 3);
    assert_eq!(stored, Stored { sequence: 327, position: 3, window: 1 | 1 << 127 });
    stored.note(455, 4);
    assert_eq!(stored, Stored::first(455, 4));
    stored.note(u64::MAX, 5);
    assert_eq!(stored, Stored::first(u64::MAX, 5));
    assert_eq!(Stored::first(0, 1).judge(u64::MAX), Verdict::New);
}

proptest::proptest! {
    #[test]
    fn the_window_is_like_a_set(sequences in proptest::collection::vec(0..400u64, 1..200)) {
        let mut set = std::collections::BTreeSet::<u64>::new();
        let mut stored: Option<Stored> = None;
        for (position, sequence) in (1..).zip(&sequences) {
            let verdict = stored.map_or(Verdict::New, |stored| stored.judge(*sequence));
            let expected = match set.last() {
                Some(last) if last.saturating_sub(*sequence) > 127 => Verdict::TooOld,
                _ if set.contains(sequence) => Verdict::Repeated,
                _ => Verdict::New,
            };
            assert_eq!(verdict, expected);
            if verdict == Verdict::New {
                set.insert(*sequence);
                match &mut stored {
                    Some(stored) => stored.note(*sequence, position),
                    None => stored = Some(Stored::first(*sequence, position)),
                }
            }
        }
    }
}
