//! Answers to people: what a test found, what a write did.

use serde::{Serialize, Serializer};
use weir_model::{Identifier, Quality, Timestamp, Value};

/// What a test of a device found.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TestReport {
    /// In one sentence, for people.
    pub message: String,
    /// How long connecting and reading took.
    pub latency_ms: f64,
    /// One entry a point, in the order of the spec.
    pub values: Vec<TestValue>,
}

/// What a test read of one point.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TestValue {
    /// The point's index in the spec.
    pub index: usize,
    /// The point's identifier.
    #[schema(value_type = String)]
    pub id: Identifier,
    /// The point's name.
    pub name: String,
    /// The engineering value.
    #[serde(serialize_with = "optional_value")]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Value>,
    /// Its quality.
    #[schema(value_type = String)]
    pub quality: Quality,
    /// Why there is no value, for people.
    pub error: Option<String>,
}

/// What a write did, in engineering values.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct WriteReport {
    /// The value before, where the device let it be read.
    #[serde(serialize_with = "optional_value")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What was asked for.
    #[serde(serialize_with = "one_value")]
    #[schema(value_type = Object)]
    pub requested: Value,
    /// The value read back, where the device let it be read and it is one of the tag's type.
    #[serde(serialize_with = "optional_value")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// Whether something was read back: with no value in `after`, the device holds something that is
    /// none of the tag's type.
    pub read_back: bool,
    /// Whether the device holds, bit for bit, what was written.
    pub verified: bool,
    /// When it was read back.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

pub(crate) fn optional_value<S: Serializer>(v: &Option<Value>, s: S) -> Result<S::Ok, S::Error> {
    v.as_ref().map(Value::to_json).serialize(s)
}

fn one_value<S: Serializer>(v: &Value, s: S) -> Result<S::Ok, S::Error> {
    v.to_json().serialize(s)
}
