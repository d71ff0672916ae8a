//! Acknowledgements in the order of arrival (MQTT 5, 4.6.0-2), whatever the order in which samples reach the disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use weir_connect::{Receipt, Settled};

use super::outside::Packet;

/// Sends one acknowledgement.
type Answer = Box<dyn Fn(Packet) + Send + Sync>;

/// Called when a message was not stored, so that the broker must send it again.
type Lost = Box<dyn Fn() + Send + Sync>;

/// The messages of one connection that wait for their acknowledgement.
pub(super) struct Acks {
    window: Mutex<Window>,
    answer: Answer,
    lost: Lost,
}

#[derive(Default)]
struct Window {
    /// The number of the first message that waits.
    first: u64,
    /// What to acknowledge, and whether it is settled.
    waiting: VecDeque<(Packet, bool)>,
    /// One was lost: no later one is acknowledged, or its turn would never come again.
    broken: bool,
}

impl Acks {
    pub(super) fn new(answer: Answer, lost: Lost) -> Arc<Self> {
        Arc::new(Self { window: Mutex::default(), answer, lost })
    }

    /// The receipt of the message that has just arrived. There are at most as many as packet identifiers.
    pub(super) fn receipt(self: &Arc<Self>, packet: Packet) -> Receipt {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let number = window.first + window.waiting.len() as u64;
        window.waiting.push_back((packet, false));
        drop(window);
        let acks = Arc::clone(self);
        Receipt::new(move |settled| acks.settle(number, settled))
    }

    fn settle(&self, number: u64, settled: Settled) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.broken {
            return;
        }
        if settled == Settled::Dropped {
            window.broken = true;
            drop(window);
            (self.lost)();
            return;
        }
        let index = number.checked_sub(window.first).and_then(|i| usize::try_from(i).ok());
        if let Some(entry) = index.and_then(|i| window.waiting.get_mut(i)) {
            entry.1 = true;
        }
        while let Some((packet, true)) = window.waiting.front().copied() {
            window.waiting.pop_front();
            window.first += 1;
            (self.answer)(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use proptest::prelude::*;

    use super::*;

    type Sent = Arc<Mutex<Vec<u16>>>;

    fn acks() -> (Arc<Acks>, Sent, Arc<AtomicUsize>) {
        let (sent, lost) = (Sent::default(), Arc::new(AtomicUsize::new(0)));
        let (into, counter) = (Arc::clone(&sent), Arc::clone(&lost));
        let send = Box::new(move |packet: Packet| into.lock().unwrap().push(packet.identifier));
        let count = Box::new(move || {
            counter.fetch_add(1, Relaxed);
        });
        (Acks::new(send, count), sent, lost)
    }

    fn packet(identifier: u16) -> Packet {
        Packet { identifier, exactly_once: false }
    }

    proptest! {
        /// However receipts are settled, acknowledgements are a prefix of what arrived, and nothing that was
        /// dropped, nor anything after it, is among them.
        #[test]
        fn the_order_of_arrival_is_kept(order in Just((0..20_usize).collect::<Vec<_>>()).prop_shuffle(), dropped in 0..40_usize) {
            let (acks, sent, lost) = acks();
            let mut receipts: Vec<_> = (1..=20).map(|identifier| Some(acks.receipt(packet(identifier)))).collect();
            for index in order {
                let receipt = receipts[index].take().unwrap();
                if index == dropped { drop(receipt) } else { receipt.settle(Settled::Stored) }
            }
            let sent = sent.lock().unwrap();
            let expected: Vec<u16> = (1..=20).take(sent.len()).collect();
            prop_assert_eq!(&*sent, &expected);
            prop_assert_eq!(lost.load(Relaxed), usize::from(dropped < 20));
            prop_assert!(sent.len() <= dropped);
            prop_assert!(dropped < 20 || sent.len() == 20);
        }
    }

    #[test]
    fn what_is_refused_for_ever_is_acknowledged() {
        let (acks, sent, lost) = acks();
        acks.receipt(packet(7)).settle(Settled::Refused);
        assert_eq!((&*sent.lock().unwrap(), lost.load(Relaxed)), (&vec![7], 0));
    }
}
