use proptest::prelude::*;

use super::*;

fn message(request_id: u32, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let envelope = Envelope { length: length as u32, ..Envelope::request(request_id) };
    envelope.encode(&mut bytes);
    bytes.extend((0..length).map(|at| (at ^ at >> 8 ^ request_id as usize) as u8));
    bytes
}

fn datagrams(message: &[u8]) -> Vec<Vec<u8>> {
    fragments(message).unwrap().map(|(head, piece)| [&head[..], piece].concat()).collect()
}

proptest! {
    /// In any order, with any duplicates, and whoever else sends: each message comes once.
    #[test]
    fn messages_come_together_in_any_order(
        lengths in prop::collection::vec(493..4000_usize, 1..4),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..80),
    ) {
        let messages: Vec<_> =
            lengths.iter().zip(0..).map(|(length, id)| message(id / 2, *length)).collect();
        // Two senders use the same number.
        let mut left: Vec<(usize, Vec<u8>)> = messages
            .iter()
            .enumerate()
            .flat_map(|(at, message)| datagrams(message).into_iter().map(move |each| (at, each)))
            .collect();
        let mut reassembly = Reassembly::new(ReassemblyBounds::default());
        let mut whole = Vec::new();
        let mut order = order.into_iter();
        while !left.is_empty() {
            let (at, twice) = order.next().map_or((0, false), |(at, twice)| (at.index(left.len()), twice));
            let (sender, datagram) = left.swap_remove(at);
            let complete = reassembly.accept(sender, &datagram, 0).unwrap();
            if twice && complete.is_none() {
                prop_assert_eq!(reassembly.accept(sender, &datagram, 0).unwrap(), None);
            }
            whole.extend(complete);
        }
        whole.sort();
        let mut messages = messages;
        messages.sort();
        prop_assert_eq!(whole, messages);
        prop_assert!(reassembly.is_empty());
        prop_assert_eq!(reassembly.bytes(), 0);
    }

    #[test]
    fn what_waits_is_bounded(
        sent in prop::collection::vec((0..40_u32, 0..600_u32, 0..270_000_u32, 0..600_usize, 0..3_000_u64), 0..200),
    ) {
        let bounds = ReassemblyBounds { messages_max: 8, bytes_max: 5_000 };
        let mut reassembly = Reassembly::new(bounds);
        let mut now = 0;
        for (request_id, sequence, length, bytes, pause) in sent {
            now += pause;
            let mut datagram = Vec::new();
            let envelope = Envelope {
                truncated: true, sequence, length, ..Envelope::request(request_id)
            };
            envelope.encode(&mut datagram);
            datagram.resize(20 + bytes, 1);
            let _ = reassembly.accept((), &datagram, now);
            prop_assert!(reassembly.len() <= 8);
            prop_assert!(reassembly.bytes() <= 5_000);
            prop_assert!(reassembly.order.len() <= 16);
        }
        reassembly.expire(now + REASSEMBLY_MS_MAX + 1);
        prop_assert!(reassembly.is_empty());
        prop_assert_eq!(reassembly.bytes(), 0);
    }
}

#[test]
fn sizes_at_the_edge_are_cut_as_recorded() {
    for (length, count) in [(0, 1), (1, 1), (492, 1), (493, 2), (984, 2), (985, 3)] {
        let sent = datagrams(&message(1, length));
        assert_eq!(sent.len(), count, "{length}");
        assert_eq!(Envelope::decode(&sent[0]).unwrap().truncated, count > 1);
        assert!(sent.iter().all(|each| each.len() <= DATAGRAM_BYTES));
    }
    assert!(fragments(&message(1, 500)[..100]).is_err());
}

#[test]
fn a_message_of_one_marked_piece_is_whole() {
    let mut datagram = Vec::new();
    Envelope { truncated: true, length: 3, ..Envelope::request(1) }.encode(&mut datagram);
    datagram.extend_from_slice(b"abc, and more");
    let mut reassembly = Reassembly::new(ReassemblyBounds::default());
    let whole = reassembly.accept((), &datagram, 0).unwrap().unwrap();
    assert_eq!(&whole[20..], b"abc");
    assert!(!Envelope::decode(&whole).unwrap().truncated);
}
