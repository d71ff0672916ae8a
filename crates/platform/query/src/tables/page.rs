//! Pages of samples as columns of Arrow.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayBuilder, ArrayRef, Float64Array, StringViewArray, StringViewBuilder,
    TimestampNanosecondArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use weir_model::{Quality, SampleColumns, SamplePage, Severity, TagId, Texts};

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

/// The type of times.
pub(super) fn time_type() -> DataType {
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

/// What a source is asked for, to fill these columns.
pub(super) fn asked(columns: &[Column]) -> SampleColumns {
    let has = |column| columns.contains(&column);
    SampleColumns {
        times: has(Column::Time),
        numbers: has(Column::Value),
        qualities: has(Column::Quality) || has(Column::QualityCode),
        texts: has(Column::Text),
    }
}

/// Bytes of texts in one batch.
const TEXTS_BYTES_MAX: usize = 4 << 20;

/// Turns pages into batches of some columns.
pub(super) struct Pager {
    columns: Vec<Column>,
    schema: SchemaRef,
    ids: Arc<Ids>,
}

/// Identifiers of tags.
pub(super) struct Ids {
    ids: StringViewArray,
    places: HashMap<TagId, u32>,
}

impl Ids {
    pub(super) fn new(tags: &[(TagId, String)]) -> Self {
        let ids = tags.iter().map(|(_, id)| Some(id.as_str())).collect();
        let places = tags.iter().zip(0..).map(|((tag, _), place)| (*tag, place)).collect();
        Self { ids, places }
    }

    /// The identifiers of runs of tags.
    pub(super) fn of(&self, runs: &[(TagId, u32)]) -> Result<ArrayRef> {
        // A source gives samples of the tags alone that it was asked for.
        let place = |tag: &TagId| self.places.get(tag).copied().unwrap_or_default();
        Ok(take(&self.ids, &repeated(runs.iter().map(|(tag, rows)| (place(tag), *rows))), None)?)
    }
}

/// Places, each so many times.
fn repeated(runs: impl Iterator<Item = (u32, u32)>) -> UInt32Array {
    let mut places = Vec::new();
    runs.for_each(|(place, rows)| places.resize(places.len() + rows as usize, place));
    UInt32Array::from(places)
}

impl Pager {
    pub(super) fn new(columns: Vec<Column>, schema: SchemaRef, tags: &[(TagId, String)]) -> Self {
        Self { columns, schema, ids: Arc::new(Ids::new(tags)) }
    }

    /// The batches of a page, in order. There are several where its texts are long.
    pub(super) fn batches(&self, page: SamplePage) -> Result<Vec<RecordBatch>> {
        let rows = page.rows();
        let parts = parts(&page, rows);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let (mut times, mut numbers) = (Some(page.times), Some((page.numbers, page.present)));
        let columns = self.columns.iter().map(|column| -> Result<ArrayRef> {
            Ok(match column {
                Column::Tag => self.ids.of(&page.tags)?,
                Column::Time => {
                    let times = TimestampNanosecondArray::from(times.take().unwrap_or_default());
                    Arc::new(times.with_timezone(UTC))
                }
                Column::Value => {
                    let (numbers, present) = numbers.take().unwrap_or_default();
                    let present = (!present.is_empty()).then(|| NullBuffer::from(present));
                    Arc::new(Float64Array::try_new(numbers.into(), present)?)
                }
                Column::Quality => severities(&page.qualities)?,
                Column::Text => texts(&page.texts, rows),
                Column::QualityCode => {
                    let runs = page.qualities.iter();
                    let codes = runs.flat_map(|(quality, rows)| {
                        std::iter::repeat_n(quality.code(), *rows as usize)
                    });
                    Arc::new(UInt32Array::from_iter_values(codes))
                }
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(match parts.as_slice() {
            [] | [_] => vec![batch],
            parts => parts.iter().map(|rows| batch.slice(rows.start, rows.len())).collect(),
        })
    }
}

/// Ranges of rows with a bounded number of bytes in texts.
fn parts(page: &SamplePage, rows: usize) -> Vec<Range<usize>> {
    let (mut parts, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (row, text) in page.texts.iter() {
        bytes += text.len();
        if bytes > TEXTS_BYTES_MAX {
            parts.push(from..row + 1);
            (from, bytes) = (row + 1, 0);
        }
    }
    if from < rows {
        parts.push(from..rows);
    }
    parts
}

fn severities(runs: &[(Quality, u32)]) -> Result<ArrayRef> {
    severity_names(runs.iter().map(|(quality, rows)| (quality.severity() as u32, *rows)))
}

/// The names of severities, by number, each so many times.
pub(super) fn severity_names(runs: impl Iterator<Item = (u32, u32)>) -> Result<ArrayRef> {
    static NAMES: LazyLock<StringViewArray> = LazyLock::new(|| {
        let all = [Severity::Good, Severity::Uncertain, Severity::Bad];
        all.iter().map(|severity| Some(severity.as_str())).collect()
    });
    Ok(take(&*NAMES, &repeated(runs), None)?)
}

fn texts(texts: &Texts, rows: usize) -> ArrayRef {
    if texts.is_empty() {
        return new_null_array(&DataType::Utf8View, rows);
    }
    let mut builder = StringViewBuilder::with_capacity(rows);
    for (row, text) in texts.iter() {
        let missing = row.saturating_sub(builder.len());
        (0..missing).for_each(|_| builder.append_null());
        builder.append_value(text);
    }
    (builder.len()..rows).for_each(|_| builder.append_null());
    Arc::new(builder.finish())
}
