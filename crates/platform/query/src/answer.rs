//! Rows as JSON, CSV or an Arrow stream.

mod cells;

use bytes::Bytes;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;

use crate::engine::Limits;
use crate::error::QueryError;
use crate::functions::text_bytes;
use cells::Cells;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"columns":[{"name","type"}],"rows":[[…]]}`: integers beyond 2^53 as strings, times as RFC 3339,
    /// null for what is no number.
    Json,
    /// A header line and a line for each row (RFC 4180 with line feeds); nothing for null.
    Csv,
    /// A stream of the Arrow IPC format, uncompressed.
    Arrow,
}

/// The rows that a statement gave.
#[derive(Debug, Clone)]
pub struct Answer {
    /// All of them, written.
    pub bytes: Bytes,
    /// How many.
    pub rows: usize,
}

/// Writes rows within bounds.
pub(crate) struct Writer {
    out: Out,
    rows: usize,
    rows_max: usize,
    bytes_max: usize,
}

enum Out {
    Text { format: Format, bytes: Vec<u8> },
    Arrow { schema: SchemaRef, stream: Box<StreamWriter<Vec<u8>>> },
}

impl Writer {
    pub(crate) fn new(
        format: Format,
        schema: &SchemaRef,
        limits: &Limits,
    ) -> Result<Self, DataFusionError> {
        let out = match format {
            Format::Arrow => {
                let schema = plain(schema);
                let stream = Box::new(StreamWriter::try_new(Vec::new(), &schema)?);
                Out::Arrow { schema, stream }
            }
            _ => Out::Text { format, bytes: cells::head(format, schema) },
        };
        let Limits { rows_max, answer_bytes_max: bytes_max, .. } = *limits;
        Ok(Self { out, rows: 0, rows_max, bytes_max })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let (before, bytes_max) = (self.rows, self.bytes_max);
        self.rows += batch.num_rows();
        if self.rows > self.rows_max {
            return Err(QueryError::Rows { max: self.rows_max });
        }
        let full = || QueryError::Bytes { max: bytes_max };
        match &mut self.out {
            Out::Text { format, bytes } => {
                let cells = Cells::of(batch).map_err(unwritten)?;
                for row in 0..batch.num_rows() {
                    cells.write(*format, row, before + row == 0, bytes);
                    if bytes.len() > bytes_max {
                        return Err(full());
                    }
                }
            }
            Out::Arrow { schema, stream } => {
                let texts: usize = batch.columns().iter().map(text_bytes).sum();
                if texts.saturating_add(stream.get_ref().len()) > bytes_max {
                    return Err(full());
                }
                let batch = as_plain(batch, schema).map_err(unwritten)?;
                stream.write(&batch).map_err(unwritten)?;
                if stream.get_ref().len() > bytes_max {
                    return Err(full());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Answer, QueryError> {
        let bytes = match self.out {
            Out::Text { format, mut bytes } => {
                bytes.extend_from_slice(cells::tail(format));
                bytes
            }
            Out::Arrow { stream, .. } => stream.into_inner().map_err(unwritten)?,
        };
        Ok(Answer { bytes: bytes.into(), rows: self.rows })
    }
}

fn unwritten(error: ArrowError) -> QueryError {
    QueryError::Statement(error.to_string())
}

/// The columns with texts as all readers of Arrow know them.
fn plain(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    });
    Schema::new(fields.collect::<Vec<_>>()).into()
}

fn as_plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let options = datafusion::arrow::record_batch::RecordBatchOptions::new()
        .with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)
}
