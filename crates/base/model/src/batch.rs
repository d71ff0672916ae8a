//! Samples and the batches they travel in.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Quality, Samples, TenantId, Timestamp, Value};

/// Longest name of a producer in UTF-8 bytes.
pub const PRODUCER_BYTES_MAX: usize = 128;

/// Most days (UTC) whose samples one batch may hold: the historian makes a file of each of them, and refuses
/// a batch with more for ever.
pub const BATCH_DAYS_MAX: usize = 400;

/// One observation of one tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When the source observed it.
    pub time: Timestamp,
    /// What it observed; none where the quality is bad and there is no value to tell.
    pub value: Option<Value>,
    /// How far it can be trusted.
    pub quality: Quality,
}

impl Sample {
    /// A sample of good quality.
    pub fn good(time: Timestamp, value: Value) -> Self {
        Self { time, value: Some(value), quality: Quality::GOOD }
    }

    /// A sample without a value.
    pub fn without_value(time: Timestamp, quality: Quality) -> Self {
        Self { time, value: None, quality }
    }
}

/// Samples that are stored together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Whose they are.
    pub tenant: TenantId,
    /// Who sent them and under which sequence number, so that a batch sent again is stored once.
    pub producer: Option<Producer>,
    /// Late data by intent: it raises no live value, stream or alarm.
    pub backfill: bool,
    /// When Weir received them.
    pub arrival: Timestamp,
    /// The samples, in any order.
    pub samples: Samples,
}

/// A producer and the sequence number of one of its batches. A producer counts upwards; a batch
/// whose sequence is not above the highest stored one of that producer is a repetition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Producer {
    name: Arc<str>,
    /// The number of the batch, counted upwards by the producer.
    pub sequence: u64,
}

/// The name of a producer is empty, too long, or holds control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a producer's name has 1 to {PRODUCER_BYTES_MAX} bytes and no control characters")]
pub struct ProducerError;

impl Producer {
    /// Names a producer and the sequence of its batch.
    ///
    /// # Errors
    /// [`ProducerError`] for an empty, overlong or unprintable name.
    pub fn new(name: &str, sequence: u64) -> Result<Self, ProducerError> {
        let fits = (1..=PRODUCER_BYTES_MAX).contains(&name.len());
        if !fits || name.chars().any(char::is_control) {
            return Err(ProducerError);
        }
        Ok(Self { name: name.into(), sequence })
    }

    /// The producer's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.sequence)
    }
}
