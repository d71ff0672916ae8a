//! What wakes a connection's task: one set of flags and one waker, without allocation.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

/// The session has messages to send.
pub(crate) const WAKE_OUTBOX: u32 = 1;
/// Acknowledgements can be sent.
pub(crate) const WAKE_ACKS: u32 = 2;
/// A local subscriber's queue, or the journal, has room again.
pub(crate) const WAKE_ROOM: u32 = 4;
/// The connection has to end, for the reason that was given.
pub(crate) const WAKE_CLOSE: u32 = 8;

/// The flags of one connection.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    flags: AtomicU32,
    /// The DISCONNECT reason code to end with.
    reason: AtomicU8,
    waker: AtomicWaker,
}

impl Signal {
    /// Sets a flag and wakes the task if the flag was not set.
    pub(crate) fn wake(&self, flag: u32) {
        if self.flags.fetch_or(flag, Ordering::AcqRel) & flag == 0 {
            self.waker.wake();
        }
    }

    /// Ends the connection with this DISCONNECT reason code; the first reason counts.
    pub(crate) fn close(&self, reason: u8) {
        let _ = self.reason.compare_exchange(0, reason, Ordering::AcqRel, Ordering::Acquire);
        self.wake(WAKE_CLOSE);
    }

    pub(crate) fn reason(&self) -> u8 {
        self.reason.load(Ordering::Acquire)
    }

    /// Takes the flags, or registers the task and waits. The flag that ends the connection stays.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<u32> {
        let flags = self.take();
        if flags != 0 {
            return Poll::Ready(flags);
        }
        self.waker.register(cx.waker());
        match self.take() {
            0 => Poll::Pending,
            flags => Poll::Ready(flags),
        }
    }

    fn take(&self) -> u32 {
        if self.flags.load(Ordering::Acquire) == 0 {
            return 0;
        }
        self.flags.fetch_and(WAKE_CLOSE, Ordering::AcqRel)
    }
}
