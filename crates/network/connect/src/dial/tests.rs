use std::future::pending;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::net::TcpListener;

use super::*;

/// No test waits for as long as this.
const LONG: Duration = Duration::from_secs(3600);

fn six(last: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into(), 502)
}

fn four(last: u8) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(192, 0, 2, last).into(), 502)
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

#[test]
fn families_take_turns_and_their_number_is_bounded() {
    assert_eq!(taking_turns(&[]), []);
    assert_eq!(taking_turns(&[six(1), six(2), six(3), four(1)]), [six(1), four(1), six(2), six(3)]);
    assert_eq!(taking_turns(&[four(1), four(2), six(1)]), [four(1), six(1), four(2)]);
    let mut many: Vec<_> = (0..30).map(six).collect();
    many.push(four(1));
    let order = taking_turns(&many);
    assert_eq!((order.len(), order[1]), (ADDRESSES_MAX, four(1)));
}

#[test]
fn every_address_gets_its_turn_within_the_time() {
    assert_eq!(delay(Duration::from_secs(5), 2), ATTEMPT_DELAY);
    for ms in [100, 300, 1000, 60_000] {
        for count in 1..=ADDRESSES_MAX {
            let time = Duration::from_millis(ms);
            let last = delay(time, count) * (count as u32 - 1);
            assert!(last < time, "{ms} ms, {count} addresses");
        }
    }
    assert_eq!(delay(Duration::ZERO, 2), ATTEMPT_DELAY_MIN);
}

#[tokio::test]
async fn a_silent_address_does_not_hide_the_one_behind_it() {
    let tried = Mutex::new(Vec::new());
    let connect = |address: SocketAddr| {
        tried.lock().unwrap().push(address);
        async move { if address.is_ipv6() { pending().await } else { Ok("connected") } }
    };
    let won = first(&[six(1), six(2), four(1), four(2)], LONG, connect).await.unwrap();
    assert_eq!(won, (four(1), "connected"));
    assert_eq!(*tried.lock().unwrap(), [six(1), four(1)]);
}

#[tokio::test]
async fn after_a_failure_the_next_attempt_begins_at_once() {
    // With an hour between the attempts, this test would not end.
    let connect = async |address: SocketAddr| match address.is_ipv6() {
        true => Err(error(io::ErrorKind::NetworkUnreachable)),
        false => Ok(()),
    };
    let mut failure = None;
    let won = race(vec![six(1), six(2), four(1)], LONG, connect, &mut failure).await;
    assert_eq!(won, Some((four(1), ())));
}

#[tokio::test]
async fn an_earlier_attempt_may_still_win_and_the_others_are_dropped() {
    struct Attempt<'a>(&'a AtomicUsize);
    impl Drop for Attempt<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }
    let going = AtomicUsize::new(0);
    let all = tokio::sync::Notify::new();
    let (going, all) = (&going, &all);
    let connect = async |address: SocketAddr| {
        let _attempt = Attempt(going);
        if going.fetch_add(1, Relaxed) + 1 == 3 {
            all.notify_one();
        }
        if address == six(1) {
            all.notified().await;
            return Ok(());
        }
        pending().await
    };
    let short = Duration::from_millis(1);
    let won = race(vec![six(1), four(1), six(2)], short, connect, &mut None).await;
    assert_eq!(won, Some((six(1), ())));
    assert_eq!(going.load(Relaxed), 0);
}

#[tokio::test]
async fn the_failure_that_says_most_is_told() {
    let time = Duration::from_millis(50);
    let refused = async |address: SocketAddr| -> io::Result<()> {
        match address.is_ipv6() {
            true => Err(error(io::ErrorKind::NetworkUnreachable)),
            false => Err(error(io::ErrorKind::ConnectionRefused)),
        }
    };
    let failure = first(&[six(1), four(1), six(2)], LONG, refused).await.unwrap_err();
    assert!(
        matches!(&failure, DialError::Refused { address, .. } if *address == four(1)),
        "{failure}"
    );
    let told = failure.told(time, "connection refused: nobody home");
    assert_eq!(told, (ErrorKind::Unreachable, "connection refused: nobody home".to_owned()));

    let failure = first(&[six(1)], LONG, refused).await.unwrap_err();
    let (_, cause) = failure.told(time, "");
    assert!(cause.starts_with("no way to the host ("), "{cause}");

    // One is silent until the time is over, another one refused.
    let mixed = async |address: SocketAddr| -> io::Result<()> {
        if address.is_ipv6() { pending().await } else { refused(address).await }
    };
    let failure = first(&[six(1), four(1)], time, mixed).await.unwrap_err();
    assert!(failure.is_refusal(), "{failure}");

    // The network of one is not there, the other one is silent: silence is the reason.
    let silent = async |address: SocketAddr| -> io::Result<()> {
        if address.is_ipv4() { pending().await } else { refused(address).await }
    };
    let failure = first(&[six(1), four(1)], time, silent).await.unwrap_err();
    let (kind, cause) = failure.told(time, "");
    assert_eq!(kind, ErrorKind::Timeout);
    assert!(cause.starts_with("not connected within 50 ms; check host, port"), "{cause}");
    assert!(matches!(first(&[], LONG, silent).await, Err(DialError::NoAddress)));
}

#[tokio::test]
async fn sockets_of_both_families_are_reached() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = Lookups::default().connect(&ip.to_string(), port, LONG).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), ip);
        assert!(stream.nodelay().unwrap());
        // The other family of the same host refuses.
        let both = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
            .map(|ip: IpAddr| SocketAddr::new(ip, port));
        let (address, _) = first(&both, LONG, TcpStream::connect).await.unwrap();
        assert_eq!(address.ip(), ip);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Lookups::default().connect("localhost", port, LONG).await.unwrap();
    drop(listener);
    let failure = Lookups::default().connect("127.0.0.1", port, LONG).await.unwrap_err();
    assert!(failure.is_refusal(), "{failure}");
}

/// A port at which IPv6 swallows every packet, because nobody accepts and the backlog is full, and IPv4 answers.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_host_whose_first_address_is_a_black_hole_is_reached() {
    let answering = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = answering.local_addr().unwrap().port();
    let silent = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port);
    let socket = tokio::net::TcpSocket::new_v6().unwrap();
    socket.bind(silent).unwrap();
    let _listener = socket.listen(1).unwrap();
    let mut fillers = Vec::new();
    while let Ok(filler) = timeout(Duration::from_millis(100), TcpStream::connect(silent)).await {
        fillers.push(filler.unwrap());
        assert!(fillers.len() < 100, "the backlog has no end");
    }
    let both = [silent, answering.local_addr().unwrap()];
    let (address, _) = first(&both, LONG, TcpStream::connect).await.unwrap();
    assert!(address.is_ipv4());
    let failure = first(&[silent], Duration::from_millis(50), TcpStream::connect).await;
    assert!(matches!(failure, Err(DialError::Silent)));
}

#[tokio::test]
async fn names_that_nobody_knows_are_told() {
    // The resolver refuses this name by itself, without asking a server.
    let failure = Lookups::default().connect("press\0line", 502, LONG).await.unwrap_err();
    let (kind, cause) = failure.told(LONG, "");
    assert_eq!(kind, ErrorKind::Unreachable);
    assert!(cause.starts_with("cannot connect: the host name is not known ("), "{cause}");
    assert!(cause.ends_with("use the host's address"), "{cause}");
}

#[tokio::test]
async fn lookups_wait_for_their_right() {
    let lookups = Lookups::default();
    let rights = lookups.0.acquire_many(LOOKUPS_MAX as u32).await.unwrap();
    let time = Duration::from_millis(20);
    let failure = lookups.addresses("localhost", 502, time).await.unwrap_err();
    let (kind, cause) = failure.told(time, "");
    assert_eq!(kind, ErrorKind::Timeout);
    assert!(cause.starts_with("not connected within 20 ms: the name server"), "{cause}");
    // Addresses need none.
    assert_eq!(lookups.addresses("::1", 502, time).await.unwrap().len(), 1);
    drop(rights);
    assert!(!lookups.addresses("localhost", 502, LONG).await.unwrap().is_empty());
}
