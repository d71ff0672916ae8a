//! What became of readings that were handed over.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use weir_connect::{Receipt, Settled};

/// One receipt, and the answer to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settlement(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    settled: Mutex<Option<Settled>>,
    told: Notify,
}

impl Settlement {
    pub(crate) fn receipt(&self) -> Receipt {
        let settlement = self.clone();
        Receipt::new(move |settled| {
            *settlement.0.settled.lock().unwrap_or_else(PoisonError::into_inner) = Some(settled);
            settlement.0.told.notify_one();
        })
    }

    pub(crate) fn settled(&self) -> Option<Settled> {
        *self.0.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is known. It may be dropped at any time.
    pub(crate) async fn wait(&self) {
        while self.settled().is_none() {
            self.0.told.notified().await;
        }
    }
}

/// Readings that are on their way to the disk: parts that were handed over, and what became of each.
#[derive(Debug, Default)]
pub(crate) struct Underway(Vec<Settlement>);

impl Underway {
    pub(crate) fn add(&mut self) -> Receipt {
        let settlement = Settlement::default();
        let receipt = settlement.receipt();
        self.0.push(settlement);
        receipt
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) async fn wait(&self) {
        for settlement in &self.0 {
            settlement.wait().await;
        }
    }

    /// Once everything is known: whether all of it is dealt with. What was refused never will be taken,
    /// so it is dealt with too.
    pub(crate) fn finish(&mut self) -> Option<bool> {
        let known: Option<Vec<Settled>> = self.0.iter().map(Settlement::settled).collect();
        let known = known?;
        self.0.clear();
        Some(known.iter().all(|settled| *settled != Settled::Dropped))
    }
}
