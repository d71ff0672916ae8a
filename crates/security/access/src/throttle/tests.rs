use super::*;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * SECOND)
}

fn remote(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn each_failure_beyond_the_free_ones_doubles_the_wait_of_a_user() {
    let mut throttle = Throttle::default();
    let mut now = 0;
    let mut waits = Vec::new();
    for n in 0..14u32 {
        // Each from another address, so that only the user counts.
        let from = remote(&format!("192.0.2.{n}"));
        if let Err(wait) = throttle.begin("ada", from, at(now)) {
            waits.push(wait.as_secs());
            now += wait.as_secs() as i64;
            assert_eq!(
                throttle.begin("ada", from, at(now).saturating_add(-1)),
                Err(Duration::from_nanos(1))
            );
            throttle.begin("ada", from, at(now)).unwrap();
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    throttle.begin("bob", remote("192.0.2.99"), at(now)).unwrap();
}

#[test]
fn an_address_that_tries_many_users_waits_too() {
    let mut throttle = Throttle::default();
    for n in 0..TRIES_FREE_A_REMOTE {
        throttle.begin(&format!("user{n}"), remote("2001:db8::1"), at(0)).unwrap();
    }
    // The whole /64 is one.
    let wait = throttle.begin("another", remote("2001:db8::2"), at(0)).unwrap_err();
    assert_eq!(wait, Duration::from_secs(1));
    throttle.begin("another", remote("2001:db8:0:1::2"), at(0)).unwrap();
    throttle.begin("another", None, at(0)).unwrap();
}

#[test]
fn success_forgives_the_user_and_not_the_address() {
    let mut throttle = Throttle::default();
    for _ in 0..4 {
        throttle.begin("ada", remote("192.0.2.1"), at(0)).unwrap();
    }
    throttle.succeeded("ada", remote("192.0.2.1"));
    assert!(throttle.users.failures.is_empty());
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(throttle.remotes.failures[&address].count, 3);
    throttle.begin("ada", remote("192.0.2.1"), at(0)).unwrap();
    throttle.not_tried("ada", remote("192.0.2.1"));
    assert!(throttle.users.failures.is_empty());
}

#[test]
fn failures_are_forgotten_in_time() {
    let mut throttle = Throttle::default();
    for _ in 0..5 {
        throttle.begin("ada", None, at(0)).unwrap();
    }
    assert!(throttle.begin("ada", None, at(0)).is_err());
    throttle.begin("ada", None, at(1800)).unwrap();
    throttle.begin("ada", None, at(1800)).unwrap();
    assert_eq!(throttle.users.failures["ada"].count, 2);
}

#[test]
fn invented_names_do_not_wash_out_the_one_that_is_guessed_at() {
    let mut throttle = Throttle::default();
    for _ in 0..5 {
        throttle.begin("victim", None, at(0)).unwrap();
    }
    for n in 0..THROTTLED_MAX + 100 {
        throttle.begin(&format!("invented{n}"), None, at(0)).unwrap();
    }
    assert_eq!(throttle.users.failures.len(), THROTTLED_MAX);
    assert!(throttle.begin("victim", None, at(0)).is_err());
}
