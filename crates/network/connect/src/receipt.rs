//! Receipts: how a driver learns what became of the samples it brought.

use std::fmt;

/// What became of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// They are on disk, in the historian or in the spool.
    Stored,
    /// They will never be stored; the log says why. To send them again is of no use.
    Refused,
    /// They were not stored, because queues were full or the device was stopped. They may be sent again.
    Dropped,
}

/// Given with samples by a driver whose peer waits for an acknowledgement. It is called once: when
/// the samples are on disk, or when it is known that they will not be. Dropping it says
/// [`Settled::Dropped`].
pub struct Receipt(Option<Box<dyn FnOnce(Settled) + Send>>);

impl Receipt {
    /// A receipt that calls this. It is called on a thread of the runtime and must not block.
    pub fn new(call: impl FnOnce(Settled) + Send + 'static) -> Self {
        Self(Some(Box::new(call)))
    }

    /// Says what became of the samples.
    pub fn settle(mut self, settled: Settled) {
        if let Some(call) = self.0.take() {
            call(settled);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call(Settled::Dropped);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}
