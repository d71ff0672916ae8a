//! Parameters as DoPut brings them: one row of columns.

use std::panic::AssertUnwindSafe;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use tonic::Status;
use weir_model::SqlParameter;

use crate::messages::Check;

/// Most parameters of a statement.
pub(crate) const PARAMETERS_MAX: usize = 256;

/// Most messages that bring the parameters of a statement: a schema, dictionaries, one row.
const MESSAGES_MAX: usize = 2 * PARAMETERS_MAX;

/// Longest text that is bound, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Reads the parameters of one execution.
pub(crate) async fn read(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> Result<Vec<SqlParameter>, Status> {
    let mut check = Check::new();
    let messages = messages.take(MESSAGES_MAX).map(move |message| {
        let message = message?;
        check.look(&message).map(|()| message)
    });
    let messages = messages.map_err(FlightError::from);
    let batches = FlightRecordBatchStream::new_from_flight_data(messages);
    // The bytes are a stranger's; whatever they do to the decoder, they do to this call alone.
    let reading = AssertUnwindSafe(first_row(batches)).catch_unwind().await;
    reading.unwrap_or_else(|_| Err(unreadable("the columns are damaged")))
}

async fn first_row(mut batches: FlightRecordBatchStream) -> Result<Vec<SqlParameter>, Status> {
    let mut row = None;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| match error {
            FlightError::Tonic(status) => *status,
            other => unreadable(&other.to_string()),
        })?;
        match (batch.num_rows(), &row) {
            (0, _) => {}
            (1, None) => row = Some(values(&batch)?),
            _ => {
                let text =
                    "bind one row of parameters at a time; executing for many rows is not there";
                return Err(Status::invalid_argument(text));
            }
        }
    }
    row.ok_or_else(|| Status::invalid_argument("there is no row of parameters to bind"))
}

/// What is said of columns that cannot be read.
pub(crate) fn unreadable(why: &str) -> Status {
    Status::invalid_argument(format!("the parameters cannot be read: {why}"))
}

fn values(batch: &RecordBatch) -> Result<Vec<SqlParameter>, Status> {
    if batch.num_columns() > PARAMETERS_MAX {
        let text = format!("a statement has at most {PARAMETERS_MAX} parameters");
        return Err(Status::invalid_argument(text));
    }
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields());
    let bound = |(place, (column, field)): (usize, (&ArrayRef, &arrow_schema::FieldRef))| {
        let unfit = |_| {
            let text = format!(
                "parameter {} has the type {}; send a truth value, a number, a text or a time",
                place + 1,
                field.data_type()
            );
            Status::invalid_argument(text)
        };
        match value(column).map_err(unfit)? {
            SqlParameter::Text(text) if text.len() > TEXT_BYTES_MAX => Err(too_long(place)),
            fit => Ok(fit),
        }
    };
    columns.enumerate().map(bound).collect()
}

fn too_long(place: usize) -> Status {
    let text = format!("parameter {} is longer than {TEXT_BYTES_MAX} bytes", place + 1);
    Status::invalid_argument(text)
}

/// The value of a column of one row.
fn value(column: &ArrayRef) -> Result<SqlParameter, ArrowError> {
    use DataType as D;
    let to = |kind: D| cast(column, &kind);
    if column.is_null(0) || *column.data_type() == D::Null {
        return Ok(SqlParameter::Null);
    }
    Ok(match column.data_type() {
        D::Boolean => SqlParameter::Bool(column.as_boolean().value(0)),
        D::Int8 | D::Int16 | D::Int32 | D::Int64 => {
            SqlParameter::I64(to(D::Int64)?.as_primitive::<Int64Type>().value(0))
        }
        D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => {
            SqlParameter::U64(to(D::UInt64)?.as_primitive::<UInt64Type>().value(0))
        }
        D::Float16 | D::Float32 | D::Float64 => {
            SqlParameter::F64(to(D::Float64)?.as_primitive::<Float64Type>().value(0))
        }
        D::Utf8 | D::LargeUtf8 | D::Utf8View => {
            SqlParameter::Text(to(D::Utf8)?.as_string::<i32>().value(0).to_owned())
        }
        D::Timestamp(..) | D::Date32 | D::Date64 => {
            // A time without a zone is one in UTC.
            let nanos = D::Timestamp(TimeUnit::Nanosecond, None);
            let time = to(nanos)?;
            let time = time.as_primitive::<TimestampNanosecondType>();
            // One that nanoseconds cannot say becomes null where it is cast.
            let fits = arrow_array::Array::is_valid(time, 0);
            let beyond = || ArrowError::CastError("beyond the years 1677 to 2262".to_owned());
            SqlParameter::Time(fits.then(|| time.value(0)).ok_or_else(beyond)?)
        }
        D::Dictionary(_, kind) => value(&to(kind.as_ref().clone())?)?,
        other => return Err(ArrowError::NotYetImplemented(other.to_string())),
    })
}
