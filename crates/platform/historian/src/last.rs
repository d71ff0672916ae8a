//! The newest value of every tag.

use weir_model::{Sample, TagId, TenantId};

use crate::row::{Row, TagMap};

/// Newest by time; of two samples of one time, the one with the higher position. A late sample,
/// backfill or not, therefore never replaces a newer one.
#[derive(Debug, Default)]
pub(crate) struct LastValues {
    rows: TagMap<Row>,
}

impl LastValues {
    /// Takes the samples of a batch.
    pub(crate) fn insert(&mut self, tenant: TenantId, position: u64, samples: &[(TagId, Sample)]) {
        for (tag, sample) in samples {
            self.insert_row(tenant, Row::new(position, *tag, sample));
        }
    }

    /// Takes one row; one that is there already changes nothing.
    pub(crate) fn insert_row(&mut self, tenant: TenantId, row: Row) {
        let newer = |last: &Row| (row.time, row.position) >= (last.time, last.position);
        let key = (tenant, TagId(row.tag));
        if self.rows.get(&key).is_none_or(newer) {
            self.rows.insert(key, row);
        }
    }

    /// The newest sample of a tag.
    pub(crate) fn get(&self, tenant: TenantId, tag: TagId) -> Option<Sample> {
        self.rows.get(&(tenant, tag)).cloned().map(Sample::from)
    }

    /// How many tags have one.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TenantId, &Row)> {
        self.rows.iter().map(|((tenant, _), row)| (*tenant, row))
    }
}
