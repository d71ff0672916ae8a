//! A statement with its parameters, and how a ticket holds it.

use bytes::Bytes;
use prost::Message;
use tonic::Status;
use weir_model::SqlParameter;

use crate::parameters::PARAMETERS_MAX;

/// Bytes of a statement's name: 128 random bits.
const NAME_BYTES: usize = 16;

/// Most bytes of what a ticket or a prepared statement holds.
const HELD_BYTES_MAX: usize = 1 << 20;

/// One statement that reads, and what stands for its parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// The values of `$1`, `$2` and so on; none before they are bound.
    pub parameters: Vec<SqlParameter>,
}

/// What a ticket or a prepared statement holds: the statement itself. It needs no seal, as it is run with
/// the rights of whoever shows it and never with those of whoever got it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Held {
    #[prost(string, tag = "1")]
    sql: String,
    #[prost(message, repeated, tag = "2")]
    parameters: Vec<HeldParameter>,
    /// By which it is cancelled; none for prepared statements, of which each execution has its own.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) name: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct HeldParameter {
    #[prost(oneof = "HeldValue", tags = "1, 2, 3, 4, 5, 6")]
    value: Option<HeldValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum HeldValue {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(sint64, tag = "2")]
    I64(i64),
    #[prost(uint64, tag = "3")]
    U64(u64),
    #[prost(double, tag = "4")]
    F64(f64),
    #[prost(string, tag = "5")]
    Text(String),
    #[prost(sfixed64, tag = "6")]
    Time(i64),
}

impl Held {
    /// A statement to be kept by whoever prepared it.
    pub(crate) fn prepared(statement: Statement) -> Self {
        let parameters = statement.parameters.into_iter().map(HeldParameter::from).collect();
        Self { sql: statement.sql, parameters, name: Bytes::new() }
    }

    /// A statement to be run once, under a name of its own.
    pub(crate) fn to_run(statement: Statement) -> Self {
        let mut name = [0; NAME_BYTES];
        // Without randomness, which does not happen after start, it cannot be cancelled by name.
        let is_named = getrandom::fill(&mut name).is_ok();
        let name = if is_named { Bytes::copy_from_slice(&name) } else { Bytes::new() };
        Self { name, ..Self::prepared(statement) }
    }

    /// Reads what somebody shows; it may be anything.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Status> {
        let strange = || Status::invalid_argument("this statement is not one of this server");
        if bytes.len() > HELD_BYTES_MAX {
            return Err(strange());
        }
        let held = Self::decode(bytes).map_err(|_| strange())?;
        let fits = held.parameters.len() <= PARAMETERS_MAX && held.name.len() <= NAME_BYTES;
        if fits { Ok(held) } else { Err(strange()) }
    }

    /// As bytes that will be read again: [`tonic::Code::InvalidArgument`] where they are too many.
    pub(crate) fn bounded_bytes(&self) -> Result<Bytes, Status> {
        if self.encoded_len() > HELD_BYTES_MAX {
            let text =
                format!("a statement with its parameters has at most {HELD_BYTES_MAX} bytes");
            return Err(Status::invalid_argument(text));
        }
        Ok(self.bytes())
    }

    /// As bytes.
    pub(crate) fn bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// What it holds.
    pub(crate) fn statement(self) -> Statement {
        let parameters = self.parameters.into_iter().map(SqlParameter::from).collect();
        Statement { sql: self.sql, parameters }
    }
}

impl From<SqlParameter> for HeldParameter {
    fn from(parameter: SqlParameter) -> Self {
        let value = match parameter {
            SqlParameter::Null => None,
            SqlParameter::Bool(value) => Some(HeldValue::Bool(value)),
            SqlParameter::I64(value) => Some(HeldValue::I64(value)),
            SqlParameter::U64(value) => Some(HeldValue::U64(value)),
            SqlParameter::F64(value) => Some(HeldValue::F64(value)),
            SqlParameter::Text(value) => Some(HeldValue::Text(value)),
            SqlParameter::Time(value) => Some(HeldValue::Time(value)),
        };
        Self { value }
    }
}

impl From<HeldParameter> for SqlParameter {
    fn from(held: HeldParameter) -> Self {
        match held.value {
            None => Self::Null,
            Some(HeldValue::Bool(value)) => Self::Bool(value),
            Some(HeldValue::I64(value)) => Self::I64(value),
            Some(HeldValue::U64(value)) => Self::U64(value),
            Some(HeldValue::F64(value)) => Self::F64(value),
            Some(HeldValue::Text(value)) => Self::Text(value),
            Some(HeldValue::Time(value)) => Self::Time(value),
        }
    }
}
