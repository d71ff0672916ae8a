//! Checkpoints of the log: a version of the table as one Parquet file, so that readers need not
//! replay every commit ever made.
//!
//! The rows are the same objects as the lines of the log; [`arrow_json`] turns them into columns and
//! back.

use std::sync::Arc;

use arrow_json::{LineDelimitedWriter, ReaderBuilder};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::action::{self, Line};

/// Rows that are converted at a time.
const BATCH_ROWS: usize = 4096;

/// The columns that are read and written; those of others are passed over.
const COLUMNS: [&str; 5] = ["txn", "add", "remove", "metaData", "protocol"];

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn schema() -> SchemaRef {
    let field = |name: &str, kind: DataType| Field::new(name, kind, true);
    let texts = |name: &str, values_may_be_null: bool| {
        let entry = vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Utf8, values_may_be_null),
        ];
        let entry = Field::new("key_value", DataType::Struct(entry.into()), false);
        field(name, DataType::Map(Arc::new(entry), false))
    };
    let words = |name: &str| {
        let element = Field::new("element", DataType::Utf8, true);
        field(name, DataType::List(Arc::new(element)))
    };
    let (text, long, int, truth) =
        (DataType::Utf8, DataType::Int64, DataType::Int32, DataType::Boolean);
    let of = |name: &str, fields: Vec<Field>| field(name, DataType::Struct(Fields::from(fields)));
    Arc::new(Schema::new(vec![
        of(
            "txn",
            vec![
                field("appId", text.clone()),
                field("version", long.clone()),
                field("lastUpdated", long.clone()),
            ],
        ),
        of(
            "add",
            vec![
                field("path", text.clone()),
                texts("partitionValues", true),
                field("size", long.clone()),
                field("modificationTime", long.clone()),
                field("dataChange", truth.clone()),
                field("stats", text.clone()),
            ],
        ),
        of(
            "remove",
            vec![
                field("path", text.clone()),
                field("deletionTimestamp", long.clone()),
                field("dataChange", truth.clone()),
                field("extendedFileMetadata", truth),
                texts("partitionValues", true),
                field("size", long.clone()),
            ],
        ),
        of(
            "metaData",
            vec![
                field("id", text.clone()),
                field("name", text.clone()),
                field("description", text.clone()),
                of("format", vec![field("provider", text.clone()), texts("options", true)]),
                field("schemaString", text),
                words("partitionColumns"),
                texts("configuration", true),
                field("createdTime", long),
            ],
        ),
        of(
            "protocol",
            vec![field("minReaderVersion", int.clone()), field("minWriterVersion", int)],
        ),
    ]))
}

/// Lines as a checkpoint.
pub(crate) fn encode(lines: &[Line]) -> Result<Vec<u8>, Failure> {
    let schema = schema();
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(Default::default()));
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), properties)?;
    for lines in lines.chunks(BATCH_ROWS) {
        let builder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(BATCH_ROWS);
        let mut decoder = builder.build_decoder()?;
        decoder.serialize(lines)?;
        if let Some(batch) = decoder.flush()? {
            writer.write(&batch)?;
        }
    }
    Ok(writer.into_inner()?)
}

/// Reads a checkpoint, of whatever program.
pub(crate) fn decode(bytes: Bytes) -> Result<Vec<Line>, Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let known = builder.parquet_schema().root_schema().get_fields().iter().enumerate();
    let known = known.filter(|(_, field)| COLUMNS.contains(&field.name()));
    let roots: Vec<usize> = known.map(|(root, _)| root).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
    let mut lines = Vec::new();
    for batch in reader {
        let mut json = LineDelimitedWriter::new(Vec::new());
        json.write(&batch?)?;
        json.finish()?;
        lines.extend(action::parse(&json.into_inner())?);
    }
    Ok(lines)
}
