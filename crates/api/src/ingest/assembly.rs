//! From rows to samples: tag, type, time, quality.

use std::collections::HashMap;
use std::ops::ControlFlow;

use serde_json::Value as Json;
use serde_json::value::RawValue;
use weir_ingest::{SAMPLES_MAX, TagFacts};
use weir_model::{
    DataType, FieldError, Problem, ProblemCode, Quality, Sample, Samples, Timestamp, Value,
    ValueError,
};

use super::{Lookup, Raw, Row, Time};
use crate::failure::{FIELD_ERRORS_MAX, Failure};

/// Most distinct tags remembered while a request is read.
const TAGS_MAX: usize = 100_000;

/// Rows becoming the samples of one batch.
pub(crate) struct Assembly<'l> {
    arrival: Timestamp,
    lookup: &'l dyn Lookup,
    known: HashMap<String, TagFacts>,
    samples: Samples,
    rows: usize,
    errors: Vec<FieldError>,
    code: Option<ProblemCode>,
    /// A failure that ends the reading at once.
    fatal: Option<Failure>,
}

impl<'l> Assembly<'l> {
    pub(crate) fn new(arrival: Timestamp, lookup: &'l dyn Lookup) -> Self {
        Self {
            arrival,
            lookup,
            known: HashMap::new(),
            samples: Samples::default(),
            rows: 0,
            errors: Vec::new(),
            code: None,
            fatal: None,
        }
    }

    /// Takes one row; breaks when there is no use in more of them.
    pub(crate) fn row(&mut self, row: Row<'_>) -> ControlFlow<()> {
        let index = self.rows;
        self.rows += 1;
        if self.rows > SAMPLES_MAX {
            let detail = format!("A request has at most {SAMPLES_MAX} samples; send it in parts.");
            self.fatal = Some(Failure::new(ProblemCode::TooLarge, detail));
            return ControlFlow::Break(());
        }
        let facts = match self.facts(row.tag) {
            Ok(facts) => facts,
            Err(failure) => return self.fail(index, "tag", failure),
        };
        match self.sample(facts, &row.time, row.value, row.quality) {
            Ok(sample) => {
                self.samples.push(facts.tag, sample);
                ControlFlow::Continue(())
            }
            Err((field, detail)) => {
                self.fail(index, field, Failure::new(ProblemCode::InvalidValue, detail))
            }
        }
    }

    /// The samples in the order of their rows.
    pub(crate) fn finish(self) -> Result<Samples, Failure> {
        if let Some(failure) = self.fatal {
            return Err(failure);
        }
        let Some(first) = self.errors.first() else { return Ok(self.samples) };
        let code = self.code.unwrap_or(ProblemCode::InvalidValue);
        let mut problem = Problem::new(code, format!("{}: {}", first.field, first.detail));
        problem.errors = self.errors;
        Err(Failure { problem: Box::new(problem), retry_after: None, hidden: false })
    }

    fn facts(&mut self, id: &str) -> Result<TagFacts, Failure> {
        if let Some(facts) = self.known.get(id) {
            return Ok(*facts);
        }
        let facts = self.lookup.find(id)?;
        if self.known.len() < TAGS_MAX {
            self.known.insert(id.to_owned(), facts);
        }
        Ok(facts)
    }

    fn sample(
        &self,
        facts: TagFacts,
        time: &Time<'_>,
        value: Raw<'_>,
        quality: Option<&str>,
    ) -> Result<Sample, (&'static str, String)> {
        let time = match time {
            Time::Arrival => self.arrival,
            Time::Text(text) => Timestamp::parse(text).map_err(|e| ("time", e.to_string()))?,
        };
        let quality = match quality {
            None => Quality::GOOD,
            Some(text) => {
                text.parse().map_err(|e: weir_model::QualityError| ("quality", e.to_string()))?
            }
        };
        let wrong = |error: ValueError| ("value", error.to_string());
        let value = match value {
            Raw::None => None,
            Raw::Json(json) => Some(from_json_text(json, facts.data_type).map_err(wrong)?),
            Raw::Text(text) if facts.data_type == DataType::Array => {
                Some(from_json_text(&text, DataType::Array).map_err(wrong)?)
            }
            Raw::Text(text) => Some(Value::from_text(&text, facts.data_type).map_err(wrong)?),
        };
        if value.is_none() && !quality.is_bad() {
            return Err(("value", "a sample without a value has bad quality".to_owned()));
        }
        Ok(Sample { time, value, quality })
    }

    fn fail(&mut self, index: usize, field: &str, failure: Failure) -> ControlFlow<()> {
        let code = failure.problem.code;
        if code.status() >= 500 {
            self.fatal = Some(failure);
            return ControlFlow::Break(());
        }
        self.code.get_or_insert(code);
        let field = format!("/samples/{index}/{field}");
        self.errors.push(FieldError { field, detail: failure.problem.detail.clone() });
        if self.errors.len() < FIELD_ERRORS_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// The value of a JSON text. Doubles are read to their last bit, which serde_json's own number
/// parser does not promise.
fn from_json_text(text: &str, data_type: DataType) -> Result<Value, ValueError> {
    let mismatch = ValueError::Mismatch(data_type);
    let number = |text: &str| {
        let numeric = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        numeric.then(|| text.parse::<f64>().ok().filter(|x| x.is_finite())).flatten()
    };
    if data_type == DataType::F64
        && let Some(x) = number(text)
    {
        return Ok(Value::F64(x));
    }
    if data_type == DataType::Array {
        let texts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| mismatch.clone())?;
        let items = texts.into_iter().map(|item| {
            let json: Json = serde_json::from_str(item.get()).map_err(|_| mismatch.clone())?;
            match &json {
                Json::Number(n) if n.is_f64() => {
                    number(item.get()).map(Value::F64).ok_or_else(|| mismatch.clone())
                }
                _ => scalar(&json).ok_or_else(|| mismatch.clone()),
            }
        });
        return Value::array(items.collect::<Result<_, _>>()?);
    }
    let json: Json = serde_json::from_str(text).map_err(|_| mismatch)?;
    Value::from_json(&json, data_type)
}

/// An element of an array other than a double.
fn scalar(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(b) => Some(Value::Bool(*b)),
        Json::Number(n) => n.as_i64().map(Value::I64).or_else(|| n.as_u64().map(Value::U64)),
        Json::String(s) => Value::text(s).ok(),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
