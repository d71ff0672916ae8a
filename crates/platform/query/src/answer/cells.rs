//! Rows as text.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray,
    TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Value as Json, json};
use weir_model::{Timestamp, Value};

use super::Format;

/// The type of a column, as answers name it.
fn type_name(kind: &DataType) -> String {
    use DataType as D;
    match kind {
        D::Null => "null".to_owned(),
        D::Boolean => "bool".to_owned(),
        D::Int8 | D::Int16 | D::Int32 | D::Int64 => "i64".to_owned(),
        D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => "u64".to_owned(),
        D::Float16 | D::Float32 | D::Float64 => "f64".to_owned(),
        D::Utf8 | D::LargeUtf8 | D::Utf8View => "text".to_owned(),
        D::Timestamp(..) => "time".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// What stands before the rows.
pub(super) fn head(format: Format, schema: &Schema) -> Vec<u8> {
    let fields = schema.fields().iter();
    if format == Format::Csv {
        let names: Vec<String> = fields.map(|field| csv(field.name())).collect();
        return format!("{}\n", names.join(",")).into_bytes();
    }
    let columns = fields
        .map(|field| json!({ "name": field.name(), "type": type_name(field.data_type()) }))
        .collect::<Json>();
    format!("{{\"columns\":{columns},\"rows\":[").into_bytes()
}

/// What stands behind the rows.
pub(super) const fn tail(format: Format) -> &'static [u8] {
    match format {
        Format::Json => b"]}",
        _ => b"",
    }
}

/// The columns of a batch, ready to be written.
pub(super) struct Cells(Vec<Column>);

enum Column {
    Null,
    Bool(BooleanArray),
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Float(Float64Array),
    Text(StringViewArray),
    Time(TimestampNanosecondArray),
    /// What has no type of ours, as the engine writes it.
    Other(ArrayRef),
}

/// One cell.
enum Cell<'a> {
    Null,
    Json(Json),
    Text(&'a str),
    Written(String),
}

impl Cells {
    pub(super) fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        batch.columns().iter().map(Column::of).collect::<Result<_, _>>().map(Self)
    }

    /// Writes a row.
    pub(super) fn write(&self, format: Format, row: usize, is_first: bool, out: &mut Vec<u8>) {
        let json = format == Format::Json;
        if json {
            out.extend_from_slice(if is_first { b"[" } else { b",[" });
        }
        for (place, column) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            let cell = column.cell(row);
            if json { cell.json(out) } else { cell.csv(out) }
        }
        out.push(if json { b']' } else { b'\n' });
    }
}

impl Column {
    fn of(array: &ArrayRef) -> Result<Self, ArrowError> {
        use DataType as D;
        let to = |kind: D| cast(array, &kind);
        Ok(match array.data_type() {
            D::Null => Self::Null,
            D::Boolean => Self::Bool(array.as_boolean().clone()),
            D::Int8 | D::Int16 | D::Int32 | D::Int64 => {
                Self::Signed(to(D::Int64)?.as_primitive().clone())
            }
            D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => {
                Self::Unsigned(to(D::UInt64)?.as_primitive().clone())
            }
            D::Float16 | D::Float32 | D::Float64 => {
                Self::Float(to(D::Float64)?.as_primitive().clone())
            }
            D::Utf8 | D::LargeUtf8 | D::Utf8View => {
                Self::Text(to(D::Utf8View)?.as_string_view().clone())
            }
            // A time without a zone is one in UTC.
            D::Timestamp(_, zone) => {
                let nanos = D::Timestamp(TimeUnit::Nanosecond, zone.clone());
                Self::Time(to(nanos)?.as_primitive().clone())
            }
            _ => Self::Other(array.clone()),
        })
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        let array: &dyn Array = match self {
            Self::Null => return Cell::Null,
            Self::Bool(array) => array,
            Self::Signed(array) => array,
            Self::Unsigned(array) => array,
            Self::Float(array) => array,
            Self::Text(array) => array,
            Self::Time(array) => array,
            Self::Other(array) => array,
        };
        if array.is_null(row) {
            return Cell::Null;
        }
        match self {
            Self::Null => Cell::Null,
            Self::Bool(array) => Cell::Json(array.value(row).into()),
            Self::Signed(array) => Cell::Json(Value::I64(array.value(row)).to_json()),
            Self::Unsigned(array) => Cell::Json(Value::U64(array.value(row)).to_json()),
            Self::Float(array) => {
                let value = array.value(row);
                // JSON has no such numbers; CSV has words for them.
                let number = serde_json::Number::from_f64(value);
                number.map_or_else(|| Cell::Written(value.to_string()), |n| Cell::Json(n.into()))
            }
            Self::Text(array) => Cell::Text(array.value(row)),
            Self::Time(array) => Cell::Written(Timestamp::from_nanos(array.value(row)).to_string()),
            Self::Other(array) => {
                let options = FormatOptions::default();
                let written = ArrayFormatter::try_new(array, &options)
                    .map(|formatter| formatter.value(row).to_string());
                written.map_or(Cell::Null, Cell::Written)
            }
        }
    }
}

impl Cell<'_> {
    fn json(self, out: &mut Vec<u8>) {
        let written = match self {
            Self::Null => serde_json::to_writer(&mut *out, &Json::Null),
            Self::Json(json) => serde_json::to_writer(&mut *out, &json),
            Self::Text(text) => serde_json::to_writer(&mut *out, text),
            Self::Written(text) if matches!(text.as_str(), "NaN" | "inf" | "-inf") => {
                serde_json::to_writer(&mut *out, &Json::Null)
            }
            Self::Written(text) => serde_json::to_writer(&mut *out, &text),
        };
        // Bytes in memory take whatever is written.
        debug_assert!(written.is_ok());
    }

    fn csv(self, out: &mut Vec<u8>) {
        let text = match self {
            Self::Null => String::new(),
            Self::Json(Json::String(text)) => text,
            Self::Json(json) => json.to_string(),
            // An empty text is not the same as none.
            Self::Text("") => "\"\"".to_owned(),
            Self::Text(text) => csv(text),
            Self::Written(text) => csv(&text),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

fn csv(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
