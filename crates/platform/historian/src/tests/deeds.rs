//! What is done to a historian, and what it then holds, outside of it.

use std::collections::BTreeMap;
use std::fmt;

use weir_model::{Sample, TagId, TenantId, Timestamp};

use super::*;
use crate::{AppendError, Appended, HistorianError};

pub(super) const TAGS: u32 = 5;

pub(super) const TENANTS: [TenantId; 2] = [TENANT, TenantId(2)];

/// Samples by tag and time.
pub(super) type Content = BTreeMap<(TenantId, u32), BTreeMap<i64, Sample>>;

/// Something that is to be stored.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Batch(Batch),
    Deletion { tenant: TenantId, tag: u32, from: i64, to: i64 },
}

impl Deed {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Batch(batch) => {
                for (tag, sample) in batch.samples.iter() {
                    let tag = content.entry((batch.tenant, tag.0)).or_default();
                    tag.insert(sample.time.nanos(), sample);
                }
            }
            Self::Deletion { tenant, tag, from, to } => {
                let tag = content.entry((*tenant, *tag)).or_default();
                tag.retain(|time, _| !(*from..*to).contains(time));
            }
        }
        content.retain(|_, samples| !samples.is_empty());
    }

    pub(super) fn with(&self, content: &Content) -> Content {
        let mut content = content.clone();
        self.apply(&mut content);
        content
    }

    pub(super) async fn attempt(&self, historian: &Historian) -> Result<Appended, AppendError> {
        match self {
            Self::Batch(batch) => historian.append(batch.clone()).await,
            Self::Deletion { tenant, tag, from, to } => {
                let span = (Timestamp::from_nanos(*from), Timestamp::from_nanos(*to));
                historian.delete(*tenant, TagId(*tag), span, at(0)).await
            }
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(Batch { tenant, samples, producer, .. }) => {
                let count = samples.len();
                let by = producer.as_ref().map(|by| format!(" by {} {}", by.name(), by.sequence));
                write!(f, "{count} samples of tenant {tenant}{}", by.unwrap_or_default())
            }
            Self::Deletion { tenant, tag, from, to } => {
                write!(f, "deletion of tenant {tenant}, tag {tag}, {from} to {to}")
            }
        }
    }
}

/// What a historian answers.
pub(super) async fn read(historian: &Historian) -> Result<Content, HistorianError> {
    let mut content = Content::new();
    for tenant in TENANTS {
        for tag in 0..TAGS {
            let (from, to) = (Timestamp::MIN, Timestamp::MAX);
            let samples = historian.range(tenant, TagId(tag), from, to, 1_000_000).await?;
            assert_eq!(historian.last(tenant, TagId(tag)).as_ref(), samples.last());
            if !samples.is_empty() {
                let samples = samples.into_iter().map(|sample| (sample.time.nanos(), sample));
                content.insert((tenant, tag), samples.collect());
            }
        }
    }
    Ok(content)
}
