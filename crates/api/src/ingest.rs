//! Samples in: three formats, one assembly.
//!
//! A parser reads its format and hands rows to an [`Assembly`], which looks the tag up, reads the value
//! in the tag's own type and applies the rules of time and quality. All rows of a request become
//! one batch, or the first wrong ones become a problem that names them and nothing is stored.

mod assembly;
mod csv;
mod json;
mod line;

pub(crate) use assembly::{Assembly, Lookup, Named, TagFacts};
pub(crate) use line::Precision;

use std::borrow::Cow;

use serde_json::Value as Json;
use weir_connect::DEVICE_PRODUCERS;
use weir_model::{Batch, ProblemCode, Producer, TenantId, Timestamp};

use crate::failure::Failure;

/// The format of an ingest request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
    Line(Precision),
}

impl Format {
    /// The format of a media type; the precision is of line protocol's timestamps.
    pub(crate) fn of(media_type: &str, precision: Precision) -> Result<Self, Failure> {
        match media_type {
            "application/json" => Ok(Self::Json),
            "text/csv" => Ok(Self::Csv),
            "text/plain" => Ok(Self::Line(precision)),
            _ => {
                let detail = "Samples are sent as application/json, as text/csv, or as text/plain \
                              in InfluxDB line protocol.";
                Err(Failure::new(ProblemCode::UnsupportedMediaType, detail))
            }
        }
    }
}

/// What a format says of a batch besides its samples.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) producer: Option<Producer>,
    pub(crate) backfill: bool,
}

/// One row of a format, not yet understood.
pub(crate) struct Row<'r> {
    pub(crate) tag: Named<'r>,
    pub(crate) time: Time<'r>,
    pub(crate) value: Raw<'r>,
    pub(crate) quality: Option<&'r str>,
}

/// When a row says it was observed.
pub(crate) enum Time<'r> {
    /// It does not say: on arrival.
    Arrival,
    /// RFC 3339.
    Text(&'r str),
    /// Already understood.
    Known(Timestamp),
}

/// A value as a format writes it.
pub(crate) enum Raw<'r> {
    None,
    /// The text of one JSON value.
    Json(&'r str),
    /// Already understood, but for the tag's type.
    Parsed(&'r Json),
    /// A text without a type.
    Text(Cow<'r, str>),
}

/// Reads a whole body.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn read(
    format: Format,
    body: &[u8],
    tenant: TenantId,
    arrival: Timestamp,
    envelope: Envelope,
    lookup: &dyn Lookup,
) -> Result<Batch, Failure> {
    let mut assembly = Assembly::new(arrival, lookup);
    let envelope = match format {
        Format::Json => {
            if envelope.producer.is_some() || envelope.backfill {
                let detail = "In JSON, producer, sequence and backfill stand in the document.";
                return Err(Failure::new(ProblemCode::InvalidRequest, detail));
            }
            match json::read(body, &mut assembly) {
                Ok(envelope) => envelope,
                Err(_) => {
                    // Once more with the path of what is wrong, which costs time that good
                    // bodies need not spend.
                    assembly = Assembly::new(arrival, lookup);
                    json::read_with_path(body, &mut assembly)?
                }
            }
        }
        Format::Csv => {
            csv::read(text(body)?, &mut assembly)?;
            envelope
        }
        Format::Line(precision) => {
            line::read(text(body)?, precision, &mut assembly)?;
            envelope
        }
    };
    let samples = assembly.finish()?;
    let Envelope { producer, backfill } = envelope;
    Ok(Batch { tenant, producer, backfill, arrival, samples })
}

/// A producer and its sequence, which come together or not at all.
pub(crate) fn producer(
    name: Option<&str>,
    sequence: Option<u64>,
    field: &str,
) -> Result<Option<Producer>, Failure> {
    match (name, sequence) {
        (None, None) => Ok(None),
        (Some(name), Some(_)) if name.starts_with(DEVICE_PRODUCERS) => {
            let detail = format!("names that begin with \"{DEVICE_PRODUCERS}\" are the node's own");
            let field = format!("{field}producer");
            Err(Failure::field(ProblemCode::InvalidValue, field, detail))
        }
        (Some(name), Some(sequence)) => match Producer::new(name, sequence) {
            Ok(producer) => Ok(Some(producer)),
            Err(error) => {
                let field = format!("{field}producer");
                Err(Failure::field(ProblemCode::InvalidValue, field, error.to_string()))
            }
        },
        _ => {
            let detail = "producer and sequence come together";
            let field = format!("{field}{}", if name.is_some() { "sequence" } else { "producer" });
            Err(Failure::field(ProblemCode::InvalidValue, field, detail))
        }
    }
}

fn text(body: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(body).map_err(|error| {
        let detail = format!("The body is not UTF-8 at byte {}.", error.valid_up_to());
        Failure::new(ProblemCode::InvalidRequest, detail)
    })
}

#[cfg(test)]
mod tests;
