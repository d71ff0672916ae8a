//! Which tag a series is, for a caller, and what an unreadable series is answered with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use weir_ingest::remote_write::{self, Version};
use weir_ingest::{
    Budget, CREATED_MAX, Fault, FaultKind, Found, Lookup, Precision, Read, ReadError, Revision,
    SAMPLES_MAX, Series, SeriesCache, TagFacts, Unknown, line,
};
use weir_model::{FieldError, Grade, ProblemCode, TenantId};
use weir_twin::{TagEntry, TenantView};

use crate::door::Visit;
use crate::failure::Failure;

/// Bytes of all that is remembered of series, for all who see the same: a million series of eighty
/// bytes. When they are used up, remembering starts anew.
const SERIES_BYTES_MAX: usize = 192 << 20;

/// When so few are left, all caches but the one that is asked for start anew.
const SERIES_BYTES_LOW: usize = SERIES_BYTES_MAX / 64;

/// What is remembered of series: a cache for all callers of a tenant that have one ceiling, and one of
/// its own for those whose series become tags, since the same series may be another tag for them.
pub(crate) struct Caches {
    /// What all of them may take, also those that were let go and are still in use.
    budget: Arc<Budget>,
    all: Mutex<HashMap<(TenantId, Grade, bool), Arc<SeriesCache>>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self { budget: Arc::new(Budget::new(SERIES_BYTES_MAX)), all: Mutex::default() }
    }
}

impl Caches {
    fn of(&self, visit: &Visit, create: bool) -> Arc<SeriesCache> {
        let key = (visit.tenant(), visit.caller().ceiling, create);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if self.budget.left() < SERIES_BYTES_LOW {
            all.retain(|other, _| *other == key);
        }
        let new = || Arc::new(SeriesCache::within(Arc::clone(&self.budget)));
        Arc::clone(all.entry(key).or_insert_with(new))
    }
}

/// What names series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Line(Precision),
    RemoteWrite(Version),
}

/// Reads a body; `room` is asked before samples take memory.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn read(
    protocol: Protocol,
    body: &[u8],
    visit: &Visit,
    create: bool,
    room: &mut dyn FnMut(usize) -> Result<(), Failure>,
) -> Result<Read, Failure> {
    let cache = visit.state().series.of(visit, create);
    // The state of the documents comes first: what is looked up later is at least as new.
    let revision = visit
        .directory(|view| Revision { all: view.revision(), settled: view.settled_revision() })?;
    let view = cache.at(revision);
    let tags = Tags { visit, create, failure: RefCell::default() };
    let read = match protocol {
        Protocol::Line(precision) => {
            line::read(super::text(body)?, precision, visit.now(), &view, &tags, room)
        }
        Protocol::RemoteWrite(version) => remote_write::read(body, version, &view, &tags, room),
    };
    if let Some(failure) = tags.failure.into_inner() {
        return Err(failure);
    }
    let noun = if matches!(protocol, Protocol::Line(_)) { "Line" } else { "Series" };
    read.map_err(|error| refusal(error, noun))
}

/// The tags that a caller sees.
struct Tags<'v> {
    visit: &'v Visit,
    /// Whether a series that has no tag gets one.
    create: bool,
    /// A failure of ours.
    failure: RefCell<Option<Failure>>,
}

impl Lookup for Tags<'_> {
    fn find(&self, series: &Series<'_>) -> Result<Found, Unknown> {
        let found = self.visit.directory(|view| self.found(view, series));
        found.unwrap_or_else(|failure| {
            self.failure.replace(Some(failure));
            Err(Unknown::Refused(String::new()))
        })
    }
}

impl Tags<'_> {
    /// An identifier with the field `value`; then the tag whose unique name is that of the series; then,
    /// where labels are optional and no tag is made, the one whose unique name is that without them.
    fn found(&self, view: &TenantView, series: &Series<'_>) -> Result<Found, Unknown> {
        let may_be_identifier = series.labels_optional && series.is_value();
        if may_be_identifier
            && let Some(tag) = view.tag(&series.measurement.to_ascii_lowercase())
            && self.visit.sees(view.grade_of_tag(tag))
        {
            return Ok(Found { facts: facts(tag), is_settled: true });
        }
        let name = series.name();
        if let Some(tag) = self.by_name(view, &name)? {
            // A tag that is added may have the identifier, which comes first.
            let is_settled = !(may_be_identifier && series.measurement.contains('/'));
            return Ok(Found { facts: tag, is_settled });
        }
        if self.create {
            return Err(Unknown::New);
        }
        if series.labels_optional
            && !series.labels.is_empty()
            && let Some(tag) = self.by_name(view, &series.base())?
        {
            // A tag that is added may have the whole name.
            return Ok(Found { facts: tag, is_settled: false });
        }
        Err(Unknown::Refused(format!("there is no tag {name}")))
    }

    fn by_name(&self, view: &TenantView, name: &str) -> Result<Option<TagFacts>, Unknown> {
        let mut tags =
            view.tags_by_name(name).filter(|tag| self.visit.sees(view.grade_of_tag(tag)));
        match (tags.next(), tags.next()) {
            (None, _) => Ok(None),
            (Some(tag), None) => Ok(Some(facts(tag))),
            (Some(_), Some(_)) => {
                Err(Unknown::Refused(format!("more than one tag has the name {name}")))
            }
        }
    }
}

/// What reading samples asks of a tag.
pub(crate) fn facts(tag: &TagEntry) -> TagFacts {
    TagFacts { tag: tag.tag, data_type: tag.data_type }
}

fn refusal(error: ReadError<Failure>, noun: &str) -> Failure {
    match error {
        ReadError::Room(failure) => failure,
        ReadError::Message(detail) => {
            Failure::new(ProblemCode::InvalidRequest, format!("The body cannot be read: {detail}."))
        }
        ReadError::TooMany => {
            let detail = format!("A request has at most {SAMPLES_MAX} samples; send it in parts.");
            Failure::new(ProblemCode::TooLarge, detail)
        }
        ReadError::TooManyTags => {
            let detail = format!("A request makes at most {CREATED_MAX} tags; send it in parts.");
            Failure::new(ProblemCode::TooLarge, detail)
        }
        ReadError::TooLong => {
            let detail = "The series are too long for their number; send them in parts.";
            Failure::new(ProblemCode::TooLarge, detail)
        }
        ReadError::Faults(faults) => wrong(faults, noun),
    }
}

/// The problem of the first fault, with all of them.
fn wrong(faults: Vec<Fault>, noun: &str) -> Failure {
    let said = |fault: &Fault| match fault.kind {
        FaultKind::Syntax => format!("{noun} {} {}.", fault.place, fault.detail),
        _ => format!("{noun} {}: {}", fault.place, fault.detail),
    };
    let code = match faults.first().map(|fault| fault.kind) {
        Some(FaultKind::UnknownTag) => ProblemCode::UnknownTag,
        Some(FaultKind::Value) => ProblemCode::InvalidValue,
        Some(FaultKind::Syntax) | None => ProblemCode::InvalidRequest,
    };
    let mut failure = Failure::new(code, faults.first().map(said).unwrap_or_default());
    let field = |fault: Fault| FieldError {
        field: format!("/{}/{}", noun.to_ascii_lowercase(), fault.place),
        detail: fault.detail,
    };
    failure.problem.errors = faults.into_iter().map(field).collect();
    failure
}
