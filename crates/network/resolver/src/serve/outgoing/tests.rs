//! What goes out arrives, in as many datagrams as before, however it is sent.

use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::sys::socket::SockaddrIn;

use super::*;

struct Ends {
    from: UdpSocket,
    to: [UdpSocket; 2],
}

impl Ends {
    fn new() -> Self {
        let bound = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            socket
        };
        Self { from: bound(), to: [bound(), bound()] }
    }

    fn peer(&self, number: usize) -> SockaddrIn {
        match self.to[number].local_addr().unwrap() {
            std::net::SocketAddr::V4(address) => address.into(),
            std::net::SocketAddr::V6(_) => panic!(),
        }
    }

    fn receive(&self, number: usize) -> Vec<u8> {
        let mut bytes = [0; 2048];
        let length = self.to[number].recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }
}

fn sent(cuts: bool) {
    let ends = Ends::new();
    let mut outgoing = Outgoing::new();
    outgoing.cuts = cuts;
    // Runs of one length, with a shorter end and without; single ones between; another peer.
    let lengths = [80, 80, 80, 80, 80, 40, 512, 512, 512, 512, 512, 33, 34, 35, 35, 35, 35, 36];
    let message = |at: usize| vec![at as u8; lengths[at]];
    for round in 0..3 {
        outgoing.clear();
        for at in 0..lengths.len() {
            outgoing.add(&message(at), ends.peer(0));
            if at % 5 == round {
                outgoing.add(&message(at), ends.peer(1));
            }
        }
        outgoing.send(ends.from.as_raw_fd());
        let all: Vec<usize> = (0..lengths.len()).collect();
        let some: Vec<usize> = all.iter().copied().filter(|at| at % 5 == round).collect();
        for (peer, sent) in [(0, all), (1, some)] {
            let mut got: Vec<Vec<u8>> = sent.iter().map(|_| ends.receive(peer)).collect();
            got.sort_unstable();
            assert_eq!(got, sent.iter().map(|at| message(*at)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn datagrams_arrive_as_they_were_added_when_the_system_cuts() {
    sent(true);
}

#[test]
fn datagrams_arrive_as_they_were_added_when_it_does_not() {
    sent(false);
}

#[test]
fn runs_end_where_the_peer_or_the_length_changes() {
    let ends = Ends::new();
    let mut outgoing = Outgoing::new();
    for (length, peer) in [(8, 0), (8, 0), (5, 0), (5, 0), (6, 0), (6, 1), (6, 1)] {
        outgoing.add(&vec![0; length], ends.peer(peer));
    }
    // Too short to be worth anything: by peer and length they are longer.
    outgoing.arrange();
    let mut runs = Vec::new();
    let mut place = 0;
    while place < outgoing.order.len() {
        let until = outgoing.run(place);
        runs.push((place..until).map(|place| outgoing.bytes(place)).collect::<Vec<_>>());
        place = until;
    }
    runs.sort_unstable();
    assert_eq!(runs, [vec![5, 5], vec![6, 6], vec![8, 8, 6]]);
}

#[test]
fn long_runs_are_left_as_they_are() {
    let ends = Ends::new();
    let mut outgoing = Outgoing::new();
    for at in 0..20 {
        outgoing.add(&vec![0; 8 + at / 10], ends.peer(0));
    }
    outgoing.arrange();
    assert_eq!(outgoing.order, (0..20).collect::<Vec<_>>());
}
