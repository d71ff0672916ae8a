use super::*;

fn awaited(packet_id: u16, receipts: u16, round: Round) -> Awaited {
    Awaited { packet_id, exactly_once: false, record: false, receipts, round, reason: 0 }
}

fn acks() -> Arc<Acks> {
    Arc::new(Acks::new(Arc::new(Signal::default())))
}

fn ready(acks: &Acks) -> Vec<Ready> {
    let mut ready = Vec::new();
    acks.take_ready(&mut ready);
    ready
}

#[test]
fn order_is_that_of_arrival() {
    let acks = acks();
    let first = acks.push(awaited(1, 1, NO_ROUND));
    let second = acks.push(awaited(2, 1, NO_ROUND));
    acks.settle(second, Settled::Stored);
    assert!(ready(&acks).is_empty());
    acks.settle(first, Settled::Refused);
    assert_eq!(
        ready(&acks),
        [
            Ready::PubAck { packet_id: 1, reason: reason::IMPLEMENTATION },
            Ready::PubAck { packet_id: 2, reason: 0 }
        ]
    );
}

#[test]
fn both_receipts_and_the_journal_are_awaited() {
    let acks = acks();
    let sequence = acks.push(awaited(1, 2, 5));
    acks.push_other(5, Other::PubComp(9));
    acks.settle(sequence, Settled::Stored);
    acks.durable(5);
    assert_eq!(ready(&acks), [Ready::Other(Other::PubComp(9))], "a receipt does not hold it back");
    acks.settle(sequence, Settled::Stored);
    assert_eq!(ready(&acks), [Ready::PubAck { packet_id: 1, reason: 0 }]);
    assert_eq!(acks.waiting(), 0);
}

#[test]
fn dropped_is_never_acknowledged() {
    let acks = acks();
    let sequence = acks.push(awaited(1, 2, NO_ROUND));
    acks.settle(sequence, Settled::Dropped);
    acks.settle(sequence, Settled::Stored);
    assert!(ready(&acks).is_empty());
    assert_eq!(acks.signal.reason(), reason::SERVER_BUSY);
}

#[test]
fn an_identifier_is_recorded_before_its_pubrec() {
    let acks = acks();
    let sequence =
        acks.push(Awaited { exactly_once: true, record: true, ..awaited(7, 1, NO_ROUND) });
    acks.settle(sequence, Settled::Stored);
    assert_eq!(ready(&acks), [Ready::Record { packet_id: 7, sequence }]);
    assert!(ready(&acks).is_empty());
    acks.recorded(sequence, 3);
    assert!(ready(&acks).is_empty());
    acks.durable(3);
    assert_eq!(ready(&acks), [Ready::PubRec { packet_id: 7, reason: 0 }]);
}

#[test]
fn a_follower_gets_the_outcome() {
    let (old, new) = (acks(), acks());
    let theirs = old.push(Awaited { exactly_once: true, ..awaited(7, 1, NO_ROUND) });
    let ours = new.push(Awaited { exactly_once: true, ..awaited(7, 1, NO_ROUND) });
    assert_eq!(old.follow(theirs, &new, ours), None);
    old.settle(theirs, Settled::Stored);
    assert_eq!(ready(&new), [Ready::PubRec { packet_id: 7, reason: 0 }]);
    assert_eq!(old.outcome(theirs), Some(Settled::Stored));
}
