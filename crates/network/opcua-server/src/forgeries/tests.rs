use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn who_fails_often_waits_longer_and_longer_and_others_do_not() {
    let mut forgeries = Forgeries::default();
    let (start, here) = (Instant::now(), address("10.0.0.7"));
    for _ in 1..FORGERIES_FREE {
        forgeries.count(here, start);
    }
    assert!(!forgeries.is_barred(here, start));
    forgeries.count(here, start);
    let after = |seconds| start + Duration::from_secs(seconds);
    assert!(forgeries.is_barred(here, start) && !forgeries.is_barred(here, after(1)));
    assert!(forgeries.is_barred(address("::ffff:10.0.0.7"), start), "the same by another name");
    assert!(!forgeries.is_barred(address("10.0.0.8"), start));
    forgeries.count(here, start);
    assert!(forgeries.is_barred(here, after(1)) && !forgeries.is_barred(here, after(2)));
    (0..100).for_each(|_| forgeries.count(here, start));
    let last = FORGERY_WAIT_MAX.as_secs();
    assert!(forgeries.is_barred(here, after(last - 1)) && !forgeries.is_barred(here, after(last)));
    // An hour later it is as if nothing had been.
    forgeries.count(here, after(3600));
    assert!(!forgeries.is_barred(here, after(3600)));
}

#[test]
fn a_network_of_ipv6_is_one_and_many_addresses_do_not_fill_the_memory() {
    let mut forgeries = Forgeries::default();
    let start = Instant::now();
    for host in 0..FORGERIES_FREE {
        forgeries.count(address(&format!("2001:db8::{host:x}")), start);
    }
    assert!(forgeries.is_barred(address("2001:db8::ffff"), start));
    for host in 0..2 * FORGERS_MAX as u32 {
        forgeries.count(std::net::Ipv4Addr::from(host).into(), start);
    }
    assert_eq!(forgeries.0.len(), FORGERS_MAX);
    assert!(forgeries.is_barred(address("2001:db8::1"), start), "who failed most is kept");
}
