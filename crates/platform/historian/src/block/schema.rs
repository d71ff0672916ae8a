//! The columns of a block: see `docs/specs/block.md`.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::errors::ParquetError;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

/// The format that this version writes, as the file's metadata says it.
pub(crate) const FORMAT: &str = "2";

/// The key in the file's metadata of the format.
pub(crate) const FORMAT_KEY: &str = "weir.block";

/// The indexes in a file of columns; those that rows are sorted by have the same in both formats.
pub(crate) mod column {
    pub(crate) const TAG: usize = 0;
    pub(crate) const TIME: usize = 1;
    pub(crate) const NANOS: usize = 2;
    pub(crate) const KIND: usize = 3;
    pub(crate) const K: usize = 4;
    pub(crate) const O: usize = 5;
    pub(crate) const G: usize = 6;
    pub(crate) const P: usize = 7;
    pub(crate) const F64: usize = 8;
    pub(crate) const TEXT: usize = 9;
    pub(crate) const BYTES: usize = 10;
    pub(crate) const QUALITY: usize = 11;
    pub(crate) const POSITION: usize = 12;
    pub(crate) const COUNT: usize = 13;
}

/// What is in the `kind` column: the model's kinds, and one of the blocks' own.
pub(crate) mod kind {
    use weir_model::Kind;

    pub(crate) const NONE: u8 = Kind::None as u8;
    pub(crate) const F64: u8 = Kind::F64 as u8;
    pub(crate) const I64: u8 = Kind::I64 as u8;
    pub(crate) const U64: u8 = Kind::U64 as u8;
    pub(crate) const BOOL: u8 = Kind::Bool as u8;
    pub(crate) const TEXT: u8 = Kind::Text as u8;
    pub(crate) const ENUMERATION: u8 = Kind::Enumeration as u8;
    pub(crate) const ARRAY: u8 = Kind::Array as u8;
    /// A double that is a rounded single.
    pub(crate) const SINGLE: u8 = 8;
}

/// The schema of blocks that are written.
pub(crate) fn schema() -> Result<SchemaDescPtr, ParquetError> {
    let message = parse_message_type(
        "message block {
            required int32 tag (INTEGER(32, false));
            required int64 time (TIMESTAMP(MILLIS, true));
            required int32 nanos (INTEGER(32, false));
            required int32 kind (INTEGER(8, false));
            required int64 k;
            required int64 o;
            required int64 g;
            required double p;
            optional double f64;
            optional binary text (STRING);
            optional binary bytes;
            required int32 quality (INTEGER(32, false));
            required int64 position (INTEGER(64, false));
        }",
    )?;
    Ok(Arc::new(SchemaDescriptor::new(Arc::new(message))))
}

/// The format of a file with these columns; none where it is no block.
pub(crate) fn format_of(found: &Schema) -> Option<u32> {
    static FORMATS: LazyLock<[SchemaRef; 2]> = LazyLock::new(|| [format_1(), format_2()]);
    let index = FORMATS.iter().position(|schema| schema.fields() == found.fields())?;
    Some(index as u32 + 1)
}

fn format_1() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("tag", DataType::UInt32, false),
        Field::new("time", time, false),
        Field::new("nanos", DataType::UInt16, false),
        Field::new("kind", DataType::UInt8, false),
        Field::new("f64", DataType::Float64, true),
        Field::new("i64", DataType::Int64, true),
        Field::new("u64", DataType::UInt64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("bytes", DataType::Binary, true),
        Field::new("quality", DataType::UInt32, false),
        Field::new("position", DataType::UInt64, false),
    ]))
}

fn format_2() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("tag", DataType::UInt32, false),
        Field::new("time", time, false),
        Field::new("nanos", DataType::UInt32, false),
        Field::new("kind", DataType::UInt8, false),
        Field::new("k", DataType::Int64, false),
        Field::new("o", DataType::Int64, false),
        Field::new("g", DataType::Int64, false),
        Field::new("p", DataType::Float64, false),
        Field::new("f64", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("bytes", DataType::Binary, true),
        Field::new("quality", DataType::UInt32, false),
        Field::new("position", DataType::UInt64, false),
    ]))
}
