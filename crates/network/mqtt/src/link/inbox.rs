//! What has arrived and waits to be taken.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weir_connect::ErrorKind;

use super::{LinkError, Message};

/// Messages that may wait: some seconds of a busy plant.
pub(super) const MESSAGES_MAX: usize = 10_000;

/// Bytes that may wait, topics included.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// A bounded queue between the task of a connection and its session.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    missed: u64,
    ended: Option<LinkError>,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message behind the others. Where there is no room, one of quality 0 is dropped and counted.
    ///
    /// # Errors
    /// Where there is no room for one that waits for an acknowledgement: then the connection must end, and
    /// the broker keeps what was not acknowledged.
    pub(super) fn push(&self, message: Message) -> Result<(), LinkError> {
        let mut state = self.state();
        if state.messages.len() >= MESSAGES_MAX || state.bytes >= BYTES_MAX {
            if message.receipt.is_none() {
                state.missed += 1;
                return Ok(());
            }
            drop(state);
            let cause = format!(
                "the broker sends more than {MESSAGES_MAX} messages ahead of their acknowledgement: lower its window for unacknowledged messages (receive maximum, max_inflight)"
            );
            return Err(LinkError::new(ErrorKind::Disconnected, cause));
        }
        state.bytes += size(&message);
        state.messages.push_back(message);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Says that the connection has ended. Messages that wait for an acknowledgement which can no longer be
    /// given come again, so they are not for now. The first reason counts.
    pub(super) fn end(&self, reason: LinkError, comes_again: bool) {
        let mut state = self.state();
        state.ended.get_or_insert(reason);
        let again = if comes_again { mem::take(&mut state.messages) } else { VecDeque::new() };
        let mut dropped = Vec::new();
        for message in again {
            if message.receipt.is_some() {
                state.bytes -= size(&message);
                dropped.push(message);
            } else {
                state.messages.push_back(message);
            }
        }
        drop(state);
        self.ready.notify_one();
        // Their receipts call back, so this is outside of the lock.
        drop(dropped);
    }

    /// Waits until there is something to take. Safe to drop.
    pub(super) async fn ready(&self) {
        loop {
            let ready = self.ready.notified();
            if self.is_waiting() {
                return;
            }
            ready.await;
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        let state = self.state();
        !state.messages.is_empty() || state.ended.is_some()
    }

    pub(super) fn ended(&self) -> Option<LinkError> {
        self.state().ended.clone()
    }

    pub(super) fn take(&self, max: usize) -> Result<Vec<Message>, LinkError> {
        let mut state = self.state();
        if state.messages.is_empty()
            && let Some(reason) = &state.ended
        {
            return Err(reason.clone());
        }
        let count = state.messages.len().min(max);
        let taken: Vec<_> = state.messages.drain(..count).collect();
        state.bytes -= taken.iter().map(size).sum::<usize>();
        Ok(taken)
    }

    pub(super) fn missed(&self) -> u64 {
        mem::take(&mut self.state().missed)
    }
}

fn size(message: &Message) -> usize {
    mem::size_of::<Message>() + message.topic.len() + message.payload.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weir_connect::Receipt;
    use weir_model::Timestamp;

    use super::*;

    fn message(payload: &str, waits: bool) -> Message {
        Message {
            topic: "t".into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            retained: false,
            arrived: Timestamp::from_nanos(0),
            receipt: waits.then(|| Receipt::new(|_| ())),
        }
    }

    #[test]
    fn floods_are_dropped_and_counted_but_nothing_that_is_acknowledged() {
        let inbox = Inbox::default();
        for _ in 0..MESSAGES_MAX + 5 {
            inbox.push(message("x", false)).unwrap();
        }
        assert_eq!(inbox.missed(), 5);
        assert_eq!(inbox.missed(), 0);
        assert!(inbox.push(message("x", true)).is_err());
        assert_eq!(inbox.take(usize::MAX).unwrap().len(), MESSAGES_MAX);
        inbox.push(message("x", true)).unwrap();
    }

    #[test]
    fn after_the_end_only_what_does_not_come_again_is_taken() {
        let inbox = Inbox::default();
        inbox.push(message("a", false)).unwrap();
        inbox.push(message("b", true)).unwrap();
        inbox.end(LinkError::new(ErrorKind::Disconnected, "gone"), true);
        inbox.end(LinkError::new(ErrorKind::Timeout, "later"), true);
        assert_eq!(inbox.take(9).unwrap().len(), 1);
        assert_eq!(inbox.take(9).unwrap_err().cause, "gone");
        let inbox = Inbox::default();
        inbox.push(message("b", true)).unwrap();
        inbox.end(LinkError::new(ErrorKind::Disconnected, "gone"), false);
        assert_eq!(inbox.take(9).unwrap().len(), 1);
    }
}
