//! Reading settings and addresses: a JSON object field by field, so that each wrong one is told by
//! its own name.

use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json};
use weir_model::FieldError;

use crate::form::TRUSTED_MAX;
use crate::is_thumbprint;

/// An object that is being read. [`Fields::finish`] tells of fields that nobody asked for.
#[derive(Debug)]
pub struct Fields<'a> {
    object: Option<&'a Map<String, Json>>,
    pointer: String,
    known: Vec<&'static str>,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Reads an object that stands at a JSON pointer.
    pub fn of(json: &'a Json, pointer: String, errors: &'a mut Vec<FieldError>) -> Self {
        let object = json.as_object();
        if object.is_none() {
            let detail = "an object is expected here".to_owned();
            errors.push(FieldError { field: pointer.clone(), detail });
        }
        Self { object, pointer, known: Vec::new(), errors }
    }

    /// Tells that a field is wrong, and what is expected instead.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        let field = format!("{}/{name}", self.pointer);
        self.errors.push(FieldError { field, detail: detail.into() });
    }

    /// The field, unless it is missing or null.
    pub fn get(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        self.object?.get(name).filter(|json| !json.is_null())
    }

    /// A whole number within a range.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let json = self.get(name)?;
        let number = json.as_u64().filter(|n| range.contains(n));
        if number.is_none() {
            let (from, to) = range.into_inner();
            self.wrong(name, format!("a whole number from {from} to {to} is expected"));
        }
        number
    }

    /// A text of at most `bytes_max` bytes, not empty.
    pub fn text(&mut self, name: &'static str, bytes_max: usize) -> Option<&'a str> {
        let json = self.get(name)?;
        let text = json.as_str().map(str::trim).filter(|t| (1..=bytes_max).contains(&t.len()));
        if text.is_none() {
            self.wrong(name, format!("a text of 1 to {bytes_max} bytes is expected"));
        }
        text
    }

    /// A truth value.
    pub fn truth(&mut self, name: &'static str) -> Option<bool> {
        let json = self.get(name)?;
        if !json.is_boolean() {
            self.wrong(name, "true or false is expected");
        }
        json.as_bool()
    }

    /// A list of texts, each of at most `bytes_max` bytes and not empty.
    pub fn texts(
        &mut self,
        name: &'static str,
        count_max: usize,
        bytes_max: usize,
    ) -> Option<Vec<&'a str>> {
        let json = self.get(name)?;
        let fits = |text: &&str| (1..=bytes_max).contains(&text.len());
        let texts: Option<Vec<_>> = json
            .as_array()
            .filter(|list| list.len() <= count_max)
            .and_then(|list| list.iter().map(|item| item.as_str().filter(fits)).collect());
        if texts.is_none() {
            let detail = format!(
                "a list of at most {count_max} texts is expected, each of 1 to {bytes_max} bytes"
            );
            self.wrong(name, detail);
        }
        texts
    }

    /// The thumbprints of `trusted`, as [`crate::form::trusted`] describes them.
    pub fn trusted(&mut self) -> Vec<String> {
        let trusted = self.texts("trusted", TRUSTED_MAX, 64).unwrap_or_default();
        if !trusted.iter().all(|text| is_thumbprint(text)) {
            self.wrong("trusted", "SHA-256 thumbprints of 64 lower-case digits are expected");
        }
        trusted.into_iter().map(str::to_owned).collect()
    }

    /// The truth value of `accept_expired`, as [`crate::form::accept_expired`] describes it.
    pub fn accept_expired(&mut self) -> bool {
        self.truth("accept_expired").unwrap_or(false)
    }

    /// One of some names.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let json = self.get(name)?;
        let chosen = choices.iter().find(|(text, _)| json.as_str() == Some(text));
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(text, _)| *text).collect();
            self.wrong(name, format!("one of {} is expected", names.join(", ")));
        }
        chosen.map(|(_, value)| *value)
    }

    /// A field that must be there; says so where it is not.
    pub fn require<T>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        let missing = self.object.is_some_and(|o| o.get(name).is_none_or(Json::is_null));
        if missing {
            self.wrong(name, "this is required");
        }
        value
    }

    /// Tells of fields that nobody asked for.
    pub fn finish(mut self) {
        let Some(object) = self.object else { return };
        let unknown: Vec<_> =
            object.keys().filter(|k| !self.known.contains(&k.as_str())).take(10).collect();
        for name in unknown {
            let known = self.known.join(", ");
            self.wrong(name, format!("there is no such field; known are {known}"));
        }
    }
}
