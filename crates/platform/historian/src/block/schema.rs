//! The columns of a block.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `tag` | u32 | the tag's number |
//! | `time` | timestamp, microseconds, UTC | rounded down |
//! | `nanos` | u16 | nanoseconds after `time`, 0-999 |
//! | `kind` | u8 | the tag of [`Value::encode`](weir_model::Value::encode): 0 no value, 1 f64, 2 i64, 3 u64, 4 bool, 5 text, 6 enumeration, 7 array |
//! | `f64` | f64 | values of kind 1 |
//! | `i64` | i64 | values of kind 2, 4 (0 and 1) and 6 |
//! | `u64` | u64 | values of kind 3 |
//! | `text` | text | values of kind 5 |
//! | `bytes` | binary | values of kind 7, as `Value::encode` writes them |
//! | `quality` | u32 | OPC UA status code |
//! | `position` | u64 | log position; of two rows of one (tag, time) in different files, the higher counts |

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The indexes in a file of the columns that rows are sorted by, and the number of all.
pub(crate) mod column {
    pub(crate) const TAG: usize = 0;
    pub(crate) const TIME: usize = 1;
    pub(crate) const NANOS: usize = 2;
    pub(crate) const COUNT: usize = 11;
}

/// What is in the `kind` column; stored, so a number's meaning never changes.
pub(crate) mod kind {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const F64: u8 = 1;
    pub(crate) const I64: u8 = 2;
    pub(crate) const U64: u8 = 3;
    pub(crate) const BOOL: u8 = 4;
    pub(crate) const TEXT: u8 = 5;
    pub(crate) const ENUMERATION: u8 = 6;
    pub(crate) const ARRAY: u8 = 7;
}

/// The schema of every block.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
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
    });
    Arc::clone(&SCHEMA)
}
