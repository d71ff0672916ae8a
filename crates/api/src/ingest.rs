//! Samples in: what a request's body becomes before it is one batch.
//!
//! JSON and CSV name a tag in each row: a parser hands rows to an [`Assembly`], which looks the tag up,
//! reads the value in the tag's own type and applies the rules of time and quality. Line protocol
//! and remote write name series: `weir_ingest` reads them, and [`series`] says which tag a series is.
//! All of a request becomes one batch, or the first wrong parts become a problem that names them and
//! nothing is stored.

mod assembly;
mod create;
mod csv;
mod json;
mod receive;
pub(crate) mod series;

pub(crate) use receive::{Order, receive};
pub(crate) use series::facts;

use std::borrow::Cow;

use weir_connect::DEVICE_PRODUCERS;
use weir_ingest::remote_write::Version;
use weir_ingest::{Precision, TagFacts};
use weir_model::{ProblemCode, Producer, Samples, Timestamp};

use crate::failure::Failure;
use assembly::Assembly;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
    Line(Precision),
    RemoteWrite(Version),
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

/// The unit of line protocol's timestamps by its word; nanoseconds where there is none.
pub(crate) fn precision(word: Option<&str>) -> Result<Precision, Failure> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(Precision::default()) };
    word.parse().map_err(|error: weir_ingest::line::PrecisionError| {
        Failure::field(ProblemCode::InvalidRequest, "precision", error.to_string())
    })
}

/// What a format says of a batch besides its samples.
#[derive(Debug, Clone, Default)]
pub(crate) struct Envelope {
    pub(crate) producer: Option<Producer>,
    pub(crate) backfill: bool,
}

/// Looks tags up for the caller; unknown and invisible tags look alike.
pub(crate) trait Lookup {
    /// The tag of an identifier, or why there is none.
    fn find(&self, id: &str) -> Result<TagFacts, Failure>;
}

/// One row of a format, not yet understood.
pub(crate) struct Row<'r> {
    /// The tag's identifier.
    pub(crate) tag: &'r str,
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
}

/// A value as a format writes it.
pub(crate) enum Raw<'r> {
    None,
    /// The text of one JSON value.
    Json(&'r str),
    /// A text without a type.
    Text(Cow<'r, str>),
}

/// Reads a body of JSON.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn read_json(
    body: &[u8],
    arrival: Timestamp,
    envelope: &Envelope,
    lookup: &dyn Lookup,
) -> Result<(Samples, Envelope), Failure> {
    if envelope.producer.is_some() || envelope.backfill {
        let detail = "In JSON, producer, sequence and backfill stand in the document.";
        return Err(Failure::new(ProblemCode::InvalidRequest, detail));
    }
    let mut assembly = Assembly::new(arrival, lookup);
    let envelope = match json::read(body, &mut assembly) {
        Ok(envelope) => envelope,
        Err(_) => {
            // Once more with the path of what is wrong, which costs time that good bodies need
            // not spend.
            assembly = Assembly::new(arrival, lookup);
            json::read_with_path(body, &mut assembly)?
        }
    };
    Ok((assembly.finish()?, envelope))
}

/// Reads a body of CSV.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn read_csv(
    body: &[u8],
    arrival: Timestamp,
    lookup: &dyn Lookup,
) -> Result<Samples, Failure> {
    let mut assembly = Assembly::new(arrival, lookup);
    csv::read(text(body)?, &mut assembly)?;
    assembly.finish()
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

pub(crate) fn text(body: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(body).map_err(|error| {
        let detail = format!("The body is not UTF-8 at byte {}.", error.valid_up_to());
        Failure::new(ProblemCode::InvalidRequest, detail)
    })
}

#[cfg(test)]
mod tests;
