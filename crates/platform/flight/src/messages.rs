//! What a sender's messages say of themselves, looked at before a library decodes them.
//!
//! The decoder of Arrow's IPC format believes the lengths that it is told: it allocates what a
//! compressed buffer says to become, and copies every buffer that is not aligned. So only what
//! drivers bind is let through: plain columns of a row, uncompressed, whose buffers are together no
//! larger than the message that brings them. Nothing here decodes values.

use arrow_flight::FlightData;
use arrow_ipc::{DictionaryBatch, Field, MessageHeader, RecordBatch, Schema, Type};
use flatbuffers::VerifierOptions;
use tonic::Status;

use crate::parameters::{PARAMETERS_MAX, unreadable};

/// Most bytes of headers and bodies that bring the parameters of a statement.
pub(crate) const BYTES_MAX: usize = 1 << 20;

/// What the verifier of headers follows: a schema of [`PARAMETERS_MAX`] fields has four tables a
/// field and its metadata. Headers may name the same bytes again and again; they count each time.
const VERIFIER: VerifierOptions = VerifierOptions {
    max_depth: 16,
    max_tables: 16 * PARAMETERS_MAX,
    max_apparent_size: 4 * BYTES_MAX,
    ignore_missing_null_terminator: false,
};

/// What is said to whoever binds several rows.
const ONE_ROW: &str = "bind one row of parameters at a time; executing for many rows is not there";

/// Looks at the messages of one call, one after the other.
pub(crate) struct Check {
    bytes_left: usize,
}

impl Check {
    /// Before the first message.
    pub(crate) fn new() -> Self {
        Self { bytes_left: BYTES_MAX }
    }

    /// Whether a message may be decoded: [`tonic::Code::InvalidArgument`] where it may not.
    pub(crate) fn look(&mut self, message: &FlightData) -> Result<(), Status> {
        let bytes = message.data_header.len().saturating_add(message.data_body.len());
        let left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            Status::invalid_argument(format!(
                "the parameters of a statement have at most {BYTES_MAX} bytes"
            ))
        })?;
        self.bytes_left = left;
        let header = arrow_ipc::root_as_message_with_opts(&VERIFIER, &message.data_header);
        let header = header.map_err(|error| unreadable(&error.to_string()))?;
        let body_bytes = message.data_body.len();
        let none = || unreadable("a message has no header");
        match header.header_type() {
            MessageHeader::NONE => Ok(()),
            MessageHeader::Schema => schema(header.header_as_schema().ok_or_else(none)?),
            MessageHeader::RecordBatch => {
                let batch = header.header_as_record_batch().ok_or_else(none)?;
                if batch.length() > 1 {
                    return Err(Status::invalid_argument(ONE_ROW));
                }
                columns(batch, body_bytes)
            }
            MessageHeader::DictionaryBatch => {
                dictionary(header.header_as_dictionary_batch().ok_or_else(none)?, body_bytes)
            }
            _ => Err(unreadable("a message is no schema, no dictionary and no row")),
        }
    }
}

/// Plain fields only: what has children is no parameter.
fn schema(schema: Schema<'_>) -> Result<(), Status> {
    let Some(fields) = schema.fields() else { return Ok(()) };
    if fields.len() > PARAMETERS_MAX {
        let text = format!("a statement has at most {PARAMETERS_MAX} parameters");
        return Err(Status::invalid_argument(text));
    }
    for (place, field) in fields.iter().enumerate() {
        if !is_plain(field) {
            let text = format!(
                "parameter {} has the type {}; send a truth value, a number, a text or a time",
                place + 1,
                field.type_type().variant_name().unwrap_or("unknown")
            );
            return Err(Status::invalid_argument(text));
        }
    }
    Ok(())
}

fn is_plain(field: Field<'_>) -> bool {
    let is_known = matches!(
        field.type_type(),
        Type::Null
            | Type::Bool
            | Type::Int
            | Type::FloatingPoint
            | Type::Utf8
            | Type::LargeUtf8
            | Type::Utf8View
            | Type::Timestamp
            | Type::Date
    );
    // Each view of a dictionary may be of the same text, which is checked once for each.
    let is_many_views = field.dictionary().is_some() && field.type_type() == Type::Utf8View;
    is_known && !is_many_views && field.children().is_none_or(|children| children.is_empty())
}

fn dictionary(dictionary: DictionaryBatch<'_>, body_bytes: usize) -> Result<(), Status> {
    if dictionary.isDelta() {
        return Err(unreadable("a dictionary comes in parts"));
    }
    let values = dictionary.data().ok_or_else(|| unreadable("a dictionary has no values"))?;
    columns(values, body_bytes)
}

/// Every number that the decoder goes by: rows, and where buffers are in the body. Buffers of
/// plain columns never share bytes, so that together they are no larger than the body.
fn columns(batch: RecordBatch<'_>, body_bytes: usize) -> Result<(), Status> {
    if batch.compression().is_some() {
        return Err(Status::invalid_argument(
            "the parameters are compressed; send them as they are",
        ));
    }
    let rows = batch.length();
    let is_count = |count: i64| usize::try_from(count).is_ok_and(|count| count <= BYTES_MAX);
    let of_rows = |node: &arrow_ipc::FieldNode| {
        node.length() == rows && (0..=rows).contains(&node.null_count())
    };
    if !is_count(rows) || !batch.nodes().into_iter().flatten().all(of_rows) {
        return Err(unreadable("a column has another number of rows than it should"));
    }
    let mut views = batch.variadicBufferCounts().into_iter().flatten();
    if !views.all(is_count) {
        return Err(unreadable("a column has too many buffers"));
    }
    let mut bytes_left = body_bytes;
    for buffer in batch.buffers().into_iter().flatten() {
        let (from, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
        let within = from.ok().zip(length.ok()).filter(|(from, length)| {
            from.checked_add(*length).is_some_and(|end| end <= body_bytes)
        });
        let left = within.and_then(|(_, length)| bytes_left.checked_sub(length));
        bytes_left = left.ok_or_else(|| unreadable("a buffer is not within its message"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
