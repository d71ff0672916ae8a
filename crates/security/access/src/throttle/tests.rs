use super::*;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * SECOND)
}

fn remote(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn typed(name: &str) -> Account {
    Account::Typed(name.to_owned())
}

#[test]
fn each_failure_beyond_the_free_ones_doubles_the_wait_of_a_user() {
    let mut throttle = Throttle::default();
    let mut now = 0;
    let mut waits = Vec::new();
    // Without an address, so that only the user counts.
    for _ in 0..14u32 {
        if let Err(wait) = throttle.begin(typed("ada"), None, at(now)) {
            waits.push(wait.as_secs());
            now += wait.as_secs() as i64;
            let early = throttle.begin(typed("ada"), None, at(now).saturating_add(-1));
            assert_eq!(early.unwrap_err(), Duration::from_nanos(1));
            throttle.begin(typed("ada"), None, at(now)).unwrap();
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    throttle.begin(typed("bob"), None, at(now)).unwrap();
}

#[test]
fn one_address_keeps_nobody_out_who_is_elsewhere() {
    let mut throttle = Throttle::default();
    let (mut now, mut failures) = (0, 0);
    // An hour's guessing at one user.
    while now < 3600 {
        match throttle.begin(typed("ada"), remote("192.0.2.1"), at(now)) {
            Ok(_) => failures += 1,
            Err(wait) => now += wait.as_secs().max(1) as i64,
        }
        assert!(throttle.anywhere.wait(&typed("ada"), at(now)).is_zero());
    }
    assert!((TRIES_FREE_A_REMOTE..40).contains(&failures), "{failures}");
    throttle.begin(typed("ada"), remote("192.0.2.2"), at(now)).unwrap();
}

#[test]
fn many_addresses_together_wait_for_one_user() {
    let mut throttle = Throttle::default();
    for n in 0..TRIES_FREE_A_USER_ANYWHERE {
        throttle.begin(typed("ada"), remote(&format!("192.0.2.{n}")), at(0)).unwrap();
    }
    let wait = throttle.begin(typed("ada"), remote("198.51.100.1"), at(0)).unwrap_err();
    assert_eq!(wait, Duration::from_secs(1));
    // Others of that name do not wait, nor does somebody who is signed in already.
    throttle.begin(typed("ada@88.100.7"), remote("198.51.100.1"), at(0)).unwrap();
    throttle.begin(Account::Own("ada".into()), None, at(0)).unwrap();
}

#[test]
fn an_address_that_tries_many_users_waits_too() {
    let mut throttle = Throttle::default();
    for n in 0..TRIES_FREE_A_REMOTE {
        throttle.begin(typed(&format!("user{n}")), remote("2001:db8::1"), at(0)).unwrap();
    }
    // The whole /64 is one.
    let wait = throttle.begin(typed("another"), remote("2001:db8::2"), at(0)).unwrap_err();
    assert_eq!(wait, Duration::from_secs(1));
    throttle.begin(typed("another"), remote("2001:db8:0:1::2"), at(0)).unwrap();
    throttle.begin(typed("another"), None, at(0)).unwrap();
}

#[test]
fn success_takes_back_itself_and_leaves_no_trace() {
    let mut throttle = Throttle::default();
    let here = remote("192.0.2.1");
    let first = throttle.begin(typed("ada"), here, at(0)).unwrap();
    throttle.take_back(first);
    assert!(throttle.users.failures.is_empty() && throttle.anywhere.failures.is_empty());
    assert!(throttle.remotes.failures.is_empty());
    for second in 0..i64::from(TRIES_FREE_A_USER) {
        throttle.begin(typed("ada"), here, at(second)).unwrap();
    }
    // Whoever shares the address with somebody who signs in waits as long as without.
    let wait = |throttle: &Throttle| throttle.users.wait(&(typed("ada"), here), at(5));
    let (before, success) = (wait(&throttle), throttle.begin(typed("ada"), here, at(5)).unwrap());
    throttle.take_back(success);
    assert_eq!(wait(&throttle), before);
    assert_eq!(throttle.users.failures[&(typed("ada"), here)].count, TRIES_FREE_A_USER);
    // A failure in between keeps its time.
    let success = throttle.begin(typed("ada"), here, at(6)).unwrap();
    throttle.users.add((typed("ada"), here), at(7));
    throttle.take_back(success);
    assert_eq!(throttle.users.failures[&(typed("ada"), here)].last, at(7));
}

#[test]
fn failures_are_forgotten_in_time() {
    let mut throttle = Throttle::default();
    for _ in 0..5 {
        throttle.begin(typed("ada"), None, at(0)).unwrap();
    }
    assert!(throttle.begin(typed("ada"), None, at(0)).is_err());
    throttle.begin(typed("ada"), None, at(1800)).unwrap();
    throttle.begin(typed("ada"), None, at(1800)).unwrap();
    assert_eq!(throttle.users.failures[&(typed("ada"), None)].count, 2);
}

#[test]
fn invented_names_do_not_wash_out_the_one_that_is_guessed_at() {
    let mut throttle = Throttle::default();
    for _ in 0..5 {
        throttle.begin(typed("victim"), None, at(0)).unwrap();
    }
    for n in 0..THROTTLED_MAX + 100 {
        throttle.begin(typed(&format!("invented{n}")), None, at(0)).unwrap();
    }
    assert_eq!(throttle.users.failures.len(), THROTTLED_MAX);
    assert!(throttle.begin(typed("victim"), None, at(0)).is_err());
}
