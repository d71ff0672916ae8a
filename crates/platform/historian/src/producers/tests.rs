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
    assert_eq!(producers.get(TenantId(2), "other"), Some(Stored { sequence: 1, position: 1 }));
}

#[test]
fn a_lower_sequence_changes_nothing() {
    let mut producers = Producers::default();
    for (sequence, position) in [(5, 1), (3, 2)] {
        producers.insert(TenantId(1), &Producer::new("p", sequence).unwrap(), position);
    }
    assert_eq!(producers.get(TenantId(1), "p"), Some(Stored { sequence: 5, position: 1 }));
}
