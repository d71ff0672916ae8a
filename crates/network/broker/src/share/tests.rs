use proptest::prelude::*;

use super::*;

#[test]
fn a_tenant_has_three_quarters_of_what_others_leave() {
    let pool = Pool::new("things", 1000);
    let [one, two] = [1, 2].map(|n| Share::new(TenantId(n), &pool));
    assert_eq!(one.room(), 750);
    one.add(750);
    assert_eq!((one.room(), two.room()), (0, 188));
    two.add(188);
    assert_eq!((one.room(), two.room()), (0, 0));
    // What one gives back is there for both.
    one.sub(600);
    assert_eq!((one.room(), two.room()), (609 - 150, 638 - 188));
}

#[test]
fn what_is_held_comes_back_and_a_pool_of_one_is_of_use() {
    let pool = Pool::new("things", 1);
    let [one, two] = [1, 2].map(|n| Share::new(TenantId(n), &pool));
    let held = one.take(1).unwrap();
    assert!(one.take(1).is_none() && two.take(1).is_none());
    drop(held);
    assert!(two.take(1).is_some());
    assert_eq!((one.taken(), two.taken()), (0, 0));
}

#[test]
fn one_line_of_the_log_until_there_is_room_again() {
    let share = Share::new(TenantId(1), &Pool::new("things", 1000));
    let held = share.take(700).unwrap();
    assert!(share.take(100).is_none());
    let warned_ms = share.warned_ms.load(Relaxed);
    assert_ne!(warned_ms, 0);
    assert!(share.take(100).is_none());
    drop(held);
    assert_eq!(share.room(), 750);
    share.forget_warning(warned_ms + QUIET_MS - 1);
    assert_eq!(share.warned_ms.load(Relaxed), warned_ms, "it was said just before");
    share.forget_warning(warned_ms + QUIET_MS);
    assert_eq!(share.warned_ms.load(Relaxed), 0);
}

proptest! {
    /// However greedy the others are, one that has nothing finds room, and all stay below the bound.
    #[test]
    fn nobody_is_starved(greedy in 1_u32..6, max in 10_000_u64..1_000_000, steps in 1..50_usize) {
        let pool = Pool::new("things", max);
        let shares: Vec<_> = (0..greedy).map(|n| Share::new(TenantId(n), &pool)).collect();
        for _ in 0..steps {
            for share in &shares {
                share.add(share.room());
                prop_assert!(pool.taken.load(Relaxed) <= max);
            }
        }
        let late = Share::new(TenantId(100), &pool);
        prop_assert!(late.room() > 0);
    }
}
