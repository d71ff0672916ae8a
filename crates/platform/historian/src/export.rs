//! Samples as a Parquet file that every program reads without a view: one row a sample, the tag by
//! its identifier.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `tag` | text | the identifier |
//! | `time` | timestamp, nanoseconds, UTC | when it was observed |
//! | `value` | f64, optional | the number, 0 or 1 of a truth value, the code of a state; none of a text, an array or no value |
//! | `text` | text, optional | what `value` cannot say: a text, an array as JSON, an integer beyond 2^53, that 1 is `true` |
//! | `quality` | text | `good`, `uncertain` or `bad`, with an OPC UA status code where there is one |
//!
//! Numbers are not decimal integers here, as they are in blocks: such a file is for others.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{
    Float64Builder, StringBuilder, StringDictionaryBuilder, TimestampNanosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampNanosecondType};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use weir_model::{Sample, Value};

/// Rows of a record batch: what is in memory not packed yet.
const BATCH_ROWS: usize = 16 * 1024;

/// Rows of a row group: what the writer holds in memory, packed.
const GROUP_ROWS: usize = 1 << 19;

/// Bytes of texts after which a batch ends early.
const BATCH_TEXT_BYTES: usize = 4 << 20;

/// Integers beyond this are not doubles, so that `text` has them too.
const EXACT_MAX: u64 = 1 << 53;

/// Why an exported file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The file system, or bytes that are no Parquet.
    #[error("{0}")]
    File(String),
    /// A column is missing or of another type.
    #[error("the file has no column \"{name}\" of the type {wanted}")]
    Column {
        /// Its name.
        name: &'static str,
        /// The type that it should have.
        wanted: &'static str,
    },
}

impl From<ParquetError> for ExportError {
    fn from(error: ParquetError) -> Self {
        Self::File(error.to_string())
    }
}

/// Writes samples as Parquet, some hundred thousand rows at a time.
pub struct ParquetExport<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    batch: Columns,
}

#[derive(Default)]
struct Columns {
    tag: StringDictionaryBuilder<Int32Type>,
    time: TimestampNanosecondBuilder,
    value: Float64Builder,
    text: StringBuilder,
    quality: StringDictionaryBuilder<Int32Type>,
    rows: usize,
    text_bytes: usize,
}

fn schema() -> SchemaRef {
    let words = || Arrow::Dictionary(Box::new(Arrow::Int32), Box::new(Arrow::Utf8));
    let time = Arrow::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("tag", words(), false),
        Field::new("time", time, false),
        Field::new("value", Arrow::Float64, true),
        Field::new("text", Arrow::Utf8, true),
        Field::new("quality", words(), false),
    ]))
}

impl<W: Write + Send> ParquetExport<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`ExportError::File`].
    pub fn new(to: W) -> Result<Self, ExportError> {
        let schema = schema();
        let level = ZstdLevel::try_new(3)?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_column_dictionary_enabled("time".into(), false)
            .set_column_encoding("time".into(), Encoding::DELTA_BINARY_PACKED)
            .build();
        let writer = ArrowWriter::try_new(to, Arc::clone(&schema), Some(properties))?;
        Ok(Self { writer, schema, batch: Columns::default() })
    }

    /// Adds a sample of a tag.
    ///
    /// # Errors
    /// [`ExportError::File`].
    pub fn push(&mut self, tag: &str, sample: &Sample) -> Result<(), ExportError> {
        let batch = &mut self.batch;
        let text = sample.value.as_ref().and_then(text_of);
        batch.tag.append_value(tag);
        batch.time.append_value(sample.time.nanos());
        batch.value.append_option(sample.value.as_ref().and_then(Value::as_f64));
        batch.text.append_option(text.as_deref());
        batch.quality.append_value(sample.quality.to_string());
        batch.rows += 1;
        batch.text_bytes += text.map_or(0, |text| text.len());
        if batch.rows >= BATCH_ROWS || batch.text_bytes >= BATCH_TEXT_BYTES {
            self.end_batch()?;
        }
        Ok(())
    }

    /// Where it is written to, with what is written by now.
    pub fn written(&mut self) -> &mut W {
        self.writer.inner_mut()
    }

    fn end_batch(&mut self) -> Result<(), ExportError> {
        let mut batch = std::mem::take(&mut self.batch);
        let columns: Vec<Arc<dyn Array>> = vec![
            Arc::new(batch.tag.finish()),
            Arc::new(batch.time.finish().with_timezone("UTC")),
            Arc::new(batch.value.finish()),
            Arc::new(batch.text.finish()),
            Arc::new(batch.quality.finish()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let batch = batch.map_err(|error| ExportError::File(error.to_string()))?;
        Ok(self.writer.write(&batch)?)
    }

    /// Ends the file and gives back where it was written to.
    ///
    /// # Errors
    /// [`ExportError::File`].
    pub fn finish(mut self) -> Result<W, ExportError> {
        self.end_batch()?;
        Ok(self.writer.into_inner()?)
    }
}

/// What a double cannot say of a value.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Array(_) => Some(value.to_json().to_string()),
        Value::I64(x) | Value::Enumeration(x) => {
            (x.unsigned_abs() > EXACT_MAX).then(|| x.to_string())
        }
        Value::U64(x) => (*x > EXACT_MAX).then(|| x.to_string()),
        Value::Bool(x) => Some(x.to_string()),
        _ => None,
    }
}

/// A sample as a file has it: the tag, the time in nanoseconds, the value as text, and the quality.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedRow {
    /// The tag's identifier.
    pub tag: String,
    /// Nanoseconds since the epoch.
    pub time: i64,
    /// The value as a CSV cell has it; none where there is none.
    pub value: Option<String>,
    /// The quality; none where the file has none.
    pub quality: Option<String>,
}

/// Reads samples of a Parquet file with the columns of an export; `text` and `quality` may be missing,
/// and times may be of any unit.
pub struct ParquetImport {
    reader: ParquetRecordBatchReader,
    rows: u64,
}

impl ParquetImport {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn open(file: File) -> Result<Self, ExportError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let rows = builder.metadata().file_metadata().num_rows();
        let reader = builder.with_batch_size(BATCH_ROWS).build()?;
        Ok(Self { reader, rows: rows.try_into().unwrap_or(0) })
    }

    /// How many rows the file has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn next_rows(&mut self) -> Result<Option<Vec<ExportedRow>>, ExportError> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|error| ExportError::File(error.to_string()))?;
        rows_of(&batch).map(Some)
    }
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<ExportedRow>, ExportError> {
    let tags = texts(batch, "tag")?.ok_or(ExportError::Column { name: "tag", wanted: "text" })?;
    let times = batch.column_by_name("time").and_then(nanoseconds);
    let times = times.ok_or(ExportError::Column { name: "time", wanted: "timestamp" })?;
    let value = batch.column_by_name("value");
    let texts_of_values = texts(batch, "text")?;
    let qualities = texts(batch, "quality")?;
    let cell = |column: &Option<StringArray>, row: usize| {
        let column = column.as_ref().filter(|column| column.is_valid(row))?;
        Some(column.value(row).to_owned())
    };
    let numbers = match value {
        None => None,
        Some(column) => Some(
            column
                .as_primitive_opt::<arrow_array::types::Float64Type>()
                .ok_or(ExportError::Column { name: "value", wanted: "f64" })?,
        ),
    };
    let rows = 0..batch.num_rows();
    Ok(rows
        .map(|row| {
            let number = numbers.filter(|numbers| numbers.is_valid(row));
            let number = number.map(|numbers| number_text(numbers.value(row)));
            ExportedRow {
                tag: tags.value(row).to_owned(),
                time: times[row],
                value: cell(&texts_of_values, row).or(number),
                quality: cell(&qualities, row),
            }
        })
        .collect())
}

/// A double as a CSV cell has it. Whole numbers have no point, so that integer tags take them.
fn number_text(number: f64) -> String {
    match number {
        x if x.is_nan() => "NaN".to_owned(),
        x if x.is_infinite() && x > 0.0 => "Infinity".to_owned(),
        x if x.is_infinite() => "-Infinity".to_owned(),
        x => x.to_string(),
    }
}

fn texts(batch: &RecordBatch, name: &'static str) -> Result<Option<StringArray>, ExportError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Ok(Some(texts.clone()));
    }
    let words = column.as_dictionary_opt::<Int32Type>().and_then(|column| {
        let values = column.values().as_string_opt::<i32>()?;
        let key = |row: usize| column.key(row).map(|key| values.value(key));
        Some((0..column.len()).map(key).collect::<StringArray>())
    });
    let wide = || {
        let texts = column.as_string_opt::<i64>()?;
        Some(texts.iter().collect::<StringArray>())
    };
    let view = || Some(column.as_string_view_opt()?.iter().collect::<StringArray>());
    words.or_else(wide).or_else(view).map(Some).ok_or(ExportError::Column { name, wanted: "text" })
}

/// A column of times in nanoseconds; none where one of them is missing or beyond what these can say.
fn nanoseconds(column: &Arc<dyn Array>) -> Option<Vec<i64>> {
    use arrow_array::types::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampSecondType,
    };
    if column.null_count() > 0 {
        return None;
    }
    let scaled = |values: &[i64], by: i64| values.iter().map(|time| time.checked_mul(by)).collect();
    match column.data_type() {
        Arrow::Timestamp(TimeUnit::Nanosecond, _) => {
            Some(column.as_primitive_opt::<TimestampNanosecondType>()?.values().to_vec())
        }
        Arrow::Timestamp(TimeUnit::Microsecond, _) => {
            scaled(column.as_primitive_opt::<TimestampMicrosecondType>()?.values(), 1_000)
        }
        Arrow::Timestamp(TimeUnit::Millisecond, _) => {
            scaled(column.as_primitive_opt::<TimestampMillisecondType>()?.values(), 1_000_000)
        }
        Arrow::Timestamp(TimeUnit::Second, _) => {
            scaled(column.as_primitive_opt::<TimestampSecondType>()?.values(), 1_000_000_000)
        }
        _ => None,
    }
}
