//! Reading many tags from memory: copies of bounded length, made under the table's lock.

use std::sync::{Arc, PoisonError, RwLock};

use weir_model::TenantId;

use crate::block::pages::Asked;
use crate::block::piece::Piece;
use crate::memory::Table;

/// Rows that are copied under one lock, of more tags than one.
const ROWS: usize = 8192;

/// Rows of a table.
pub(super) struct MemoryPages {
    table: Arc<RwLock<Table>>,
    /// The position that all its rows have.
    position: u64,
    tenant: TenantId,
    asked: Asked,
    is_done: bool,
}

impl MemoryPages {
    pub(super) fn new(
        table: &Arc<RwLock<Table>>,
        position: u64,
        tenant: TenantId,
        asked: Asked,
    ) -> Self {
        Self { table: Arc::clone(table), position, tenant, asked, is_done: false }
    }

    /// The next rows, at least one; none at the end.
    pub(super) fn next(&mut self) -> Option<Piece> {
        while !self.is_done {
            let Asked { tags, first, from, to, .. } = &self.asked;
            let (samples, next) = {
                let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
                table.collect(self.tenant, tags, *first, (*from, *to), ROWS)
            };
            match next {
                Some(key) => self.asked.first = key,
                None => self.is_done = true,
            }
            if !samples.is_empty() {
                return Some(Piece::of_samples(&samples, self.position, self.asked.columns));
            }
        }
        None
    }
}
