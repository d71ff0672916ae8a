//! The one way from a block's file to columns: those that are asked for, of some rows of some row
//! groups, batch by batch.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;

use super::checksum::VerifiedFile;
use super::decode::{Batch, Constants};
use super::read::{OpenBlock, sound};
use crate::HistorianError;

/// A row group, and which of its rows; all of them where nothing is said.
pub(crate) type Chosen = (usize, Option<RowSelection>);

/// Columns of chosen rows. Those of a row group that have no value, or one in all rows, are not read:
/// [`Batch::column`] knows them.
pub(crate) struct Batches {
    open: Arc<OpenBlock>,
    file: VerifiedFile,
    groups: VecDeque<Chosen>,
    /// The names of the columns.
    columns: Vec<&'static str>,
    /// Rows of a batch at most.
    rows_max: usize,
    reader: Option<ParquetRecordBatchReader>,
    /// Those of the row group that is read.
    constants: Constants,
}

impl Batches {
    /// The rows that are chosen, in order.
    pub(crate) fn new(
        open: &Arc<OpenBlock>,
        groups: impl IntoIterator<Item = Chosen>,
        columns: Vec<&'static str>,
        rows_max: usize,
    ) -> Self {
        Self {
            open: Arc::clone(open),
            file: open.file(),
            groups: groups.into_iter().collect(),
            columns,
            rows_max,
            reader: None,
            constants: Constants::default(),
        }
    }

    /// The next rows, which are of one row group; none at the end.
    ///
    /// # Errors
    /// [`HistorianError::Corrupt`], [`HistorianError::Io`].
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, HistorianError> {
        loop {
            if self.reader.is_none() {
                let Some(chosen) = self.groups.pop_front() else { return Ok(None) };
                self.constants = self.open.constants(chosen.0);
                let reader = sound(|| self.begin(chosen)).map_err(|error| self.failure(&error))?;
                self.reader = Some(reader);
            }
            let Some(reader) = &mut self.reader else { continue };
            match sound(|| reader.next().transpose().map_err(ParquetError::from)) {
                Ok(Some(batch)) => return Ok(Some(batch)),
                Ok(None) => self.reader = None,
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    /// A batch with what is known of its row group, which is that of the last one given.
    pub(crate) fn with_constants<'a>(&'a self, batch: &'a RecordBatch) -> Batch<'a> {
        Batch { batch, constants: &self.constants }
    }

    /// Why the file could not be read: what it said itself, if it said something.
    pub(crate) fn failure(&self, error: &dyn std::fmt::Display) -> HistorianError {
        self.file.take_failure().unwrap_or_else(|| {
            HistorianError::corrupt(self.open.path(), 0, format!("it is unreadable: {error}"))
        })
    }

    fn begin(&self, (group, selection): Chosen) -> Result<ParquetRecordBatchReader, ParquetError> {
        let row_group = self.open.metadata().row_group(group);
        let metadata = self.open.reader_metadata();
        let leaves = (0..row_group.num_columns()).filter(|index| {
            let column = row_group.column(*index);
            let nulls = column.statistics().and_then(|s| s.null_count_opt());
            self.columns.contains(&column.column_descr().name())
                && nulls != Some(row_group.num_rows() as u64)
                && !self.constants.has(*index)
        });
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_batch_size(self.rows_max);
        match selection {
            Some(selection) => builder.with_row_selection(selection).build(),
            None => builder.build(),
        }
    }
}
