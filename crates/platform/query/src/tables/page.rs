//! Pages of samples as columns of Arrow.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, Float64Array, StringViewArray, StringViewBuilder, TimestampNanosecondArray,
    UInt32Array, new_null_array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use weir_model::{Kind, Samples, Severity, TagId, Value};

/// The columns of `samples`, by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Tag,
    Time,
    Value,
    Quality,
    Text,
    QualityCode,
}

impl Column {
    pub(super) const ALL: &'static [Self] =
        &[Self::Tag, Self::Time, Self::Value, Self::Quality, Self::Text, Self::QualityCode];

    fn field(self) -> Field {
        match self {
            Self::Tag => Field::new("tag", DataType::Utf8View, false),
            Self::Time => Field::new("time", time_type(), false),
            Self::Value => Field::new("value", DataType::Float64, true),
            Self::Quality => Field::new("quality", DataType::Utf8View, false),
            Self::Text => Field::new("text", DataType::Utf8View, true),
            Self::QualityCode => Field::new("quality_code", DataType::UInt32, false),
        }
    }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()))
}

const UTC: &str = "UTC";

/// The columns of `samples`.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(Column::ALL.iter().map(|c| c.field()).collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

/// Bytes of texts and arrays in one batch, before they are written as text.
const APART_BYTES_MAX: usize = 4 << 20;

/// Integers beyond this magnitude are not whole in a double; their digits are in `text`.
const SAFE_INTEGER_MAX: u64 = 1 << 53;

/// Turns pages into batches of some columns.
pub(super) struct Pager {
    columns: Vec<Column>,
    schema: SchemaRef,
    ids: StringViewArray,
    places: HashMap<TagId, u32>,
}

impl Pager {
    pub(super) fn new(columns: Vec<Column>, schema: SchemaRef, tags: &[(TagId, String)]) -> Self {
        let ids = tags.iter().map(|(_, id)| Some(id.as_str())).collect();
        let places = tags.iter().zip(0..).map(|((tag, _), place)| (*tag, place)).collect();
        Self { columns, schema, ids, places }
    }

    /// The batches of a page, in order. There are several where its texts and arrays are long.
    pub(super) fn batches(&self, page: &Samples) -> Result<Vec<RecordBatch>> {
        let whole = !self.columns.contains(&Column::Text) || page.apart().is_empty();
        if whole {
            return Ok(vec![self.batch(page, 0..page.len())?]);
        }
        parts(page).into_iter().map(|rows| self.batch(page, rows)).collect()
    }

    fn batch(&self, page: &Samples, rows: Range<usize>) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|column| self.column(*column, page, rows.clone()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    fn column(&self, column: Column, page: &Samples, rows: Range<usize>) -> Result<ArrayRef> {
        Ok(match column {
            Column::Tag => take(&self.ids, &self.tags(&page.tags()[rows]), None)?,
            Column::Time => {
                let times = page.times()[rows].iter().map(|time| time.nanos());
                let times = TimestampNanosecondArray::from_iter_values(times);
                Arc::new(times.with_timezone(UTC))
            }
            Column::Value => Arc::new(values(page, rows)),
            Column::Quality => {
                static NAMES: LazyLock<StringViewArray> = LazyLock::new(|| {
                    [Severity::Good, Severity::Uncertain, Severity::Bad]
                        .iter()
                        .map(|severity| Some(severity.as_str()))
                        .collect()
                });
                let place = page.qualities()[rows].iter().map(|q| q.severity() as u32);
                take(&*NAMES, &UInt32Array::from_iter_values(place), None)?
            }
            Column::Text => texts(page, rows),
            Column::QualityCode => {
                let codes = page.qualities()[rows].iter().map(|quality| quality.code());
                Arc::new(UInt32Array::from_iter_values(codes))
            }
        })
    }

    /// The places of tags among the identifiers. Samples of one tag stand together.
    fn tags(&self, tags: &[TagId]) -> UInt32Array {
        let mut last: Option<(TagId, Option<u32>)> = None;
        tags.iter()
            .map(|tag| match last {
                Some((before, place)) if before == *tag => place,
                _ => {
                    let place = self.places.get(tag).copied();
                    last = Some((*tag, place));
                    place
                }
            })
            .collect()
    }
}

/// Ranges of rows with a bounded number of bytes in texts and arrays.
fn parts(page: &Samples) -> Vec<Range<usize>> {
    let (mut parts, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (row, kind) in page.kinds().iter().enumerate() {
        if kind.is_apart() {
            bytes += page.apart()[page.words()[row] as usize].heap_bytes();
        }
        if bytes > APART_BYTES_MAX {
            parts.push(from..row + 1);
            (from, bytes) = (row + 1, 0);
        }
    }
    if from < page.len() {
        parts.push(from..page.len());
    }
    parts
}

fn values(page: &Samples, rows: Range<usize>) -> Float64Array {
    let words = page.kinds()[rows.clone()].iter().zip(&page.words()[rows]);
    words
        .map(|(kind, word)| match kind {
            Kind::F64 => Some(f64::from_bits(*word)),
            kind => kind.value(*word).and_then(|value| value.as_f64()),
        })
        .collect()
}

fn texts(page: &Samples, rows: Range<usize>) -> ArrayRef {
    let kinds = &page.kinds()[rows.clone()];
    let may = |kind: &Kind| kind.is_apart() || matches!(kind, Kind::I64 | Kind::U64);
    if !kinds.iter().any(may) {
        return new_null_array(&DataType::Utf8View, rows.len());
    }
    let mut texts = StringViewBuilder::with_capacity(rows.len());
    for row in rows {
        match page.value(row) {
            Some(Value::Text(text)) => texts.append_value(text),
            Some(array @ Value::Array(_)) => texts.append_value(array.to_json().to_string()),
            Some(Value::I64(x)) if x.unsigned_abs() > SAFE_INTEGER_MAX => {
                texts.append_value(x.to_string());
            }
            Some(Value::U64(x)) if x > SAFE_INTEGER_MAX => texts.append_value(x.to_string()),
            _ => texts.append_null(),
        }
    }
    Arc::new(texts.finish())
}
