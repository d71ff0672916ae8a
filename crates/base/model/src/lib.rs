//! The words every room shares: identifiers, samples, quality, units, grades, time, problems.
//!
//! Nothing here does I/O, reads a clock or draws a random number, and nothing here knows about
//! JSON documents of one domain (a tag's document lives in `weir-twin`, a device's in
//! `weir-connect`). What two domains share is a type in this crate.
//!
//! ```
//! use weir_model::{Identifier, Quality, Sample, Timestamp, Value};
//!
//! let tag: Identifier = "88.100/Reactor.Pressure".parse()?;
//! assert_eq!(tag, "88.100/reactor.pressure".parse()?); // ASCII case does not distinguish
//! let sample = Sample::good(Timestamp::parse("2026-11-23T08:00:00.5Z")?, Value::F64(2705.0));
//! assert_eq!(sample.quality, Quality::GOOD);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod author;
mod batch;
mod grade;
mod identifier;
mod ids;
mod interpolation;
mod isa95;
mod page;
mod problem;
mod quality;
mod retention;
mod rows;
mod samples;
mod time;
mod unit;
mod value;

pub use author::{Author, CAUSE_BYTES_MAX};
pub use batch::{BATCH_DAYS_MAX, Batch, PRODUCER_BYTES_MAX, Producer, ProducerError, Sample};
pub use grade::{DataDomain, Grade, GradeError};
pub use identifier::{IDENTIFIER_BYTES_MAX, Identifier, IdentifierError, PREFIX_BYTES_MAX, Prefix};
pub use ids::{RequestId, TagId, TenantId};
pub use interpolation::Interpolation;
pub use isa95::{Level, LevelError};
pub use page::{
    Buckets, NumberRange, SampleColumns, SamplePage, SampleSum, SamplesWanted, Severities,
    SumsWanted, Texts, push_run, sum_of,
};
pub use problem::{FieldError, Problem, ProblemCode};
pub use quality::{Quality, QualityError, Severity};
pub use retention::{
    Keep, RETENTION_DAYS_MAX, RETENTION_RULES_MAX, Retention, RetentionError, RetentionRule,
};
pub use rows::{
    AssetRow, RollupNumbers, RollupRow, RollupStep, RollupsWanted, SqlParameter, TagRow,
};
pub use samples::{Kind, Samples, SamplesError};
pub use time::{Timestamp, TimestampError};
pub use unit::{Conversion, ConversionError, KnownUnit, UNIT_BYTES_MAX, Unit, UnitError};
pub use value::{ARRAY_LENGTH_MAX, DataType, TEXT_BYTES_MAX, Value, ValueDecodeError, ValueError};
