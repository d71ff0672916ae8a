//! Samples of many tags in one answer, as CSV or as a Parquet file.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures::stream;
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::ParquetExport;
use weir_model::{Identifier, Sample, TagId, Timestamp};

use super::live::named_tags;
use super::samples::{CSV, PAGE_SAMPLES, csv_lines, in_order, wants};
use super::signals::QueryTime;
use crate::answers::{self, Room};
use crate::blocking::blocking;
use crate::body::Query;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// Most tags that one request names.
const TAGS_MAX: usize = 1000;

/// The media type of a Parquet file.
const PARQUET: &str = "application/vnd.apache.parquet";

/// What the log says could not be done.
const WRITING: &str = "write samples";

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleRead, routes!(extract))]
}

/// Which samples are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExtractQuery {
    /// The tags' identifiers, separated by commas, at most 1000; every tag that the caller sees if not
    /// given.
    #[serde(default)]
    tags: String,
    /// From this time on; from the beginning if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<QueryTime>,
    /// Up to, without, this time; now if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<QueryTime>,
}

/// Read samples of many tags
///
/// As CSV, or as a Parquet file with `Accept: application/vnd.apache.parquet`, whose columns are
/// `tag` (the identifier), `time` (UTC, nanoseconds), `value` (a double), `text` (what a double cannot
/// say: texts, arrays as JSON, integers beyond 2^53) and `quality`. One tag after the other, each by
/// time. What cannot be read to its end is cut, and the connection with it.
#[utoipa::path(
    get,
    path = "/api/v1/samples",
    operation_id = "extractSamples",
    tag = "samples",
    params(ExtractQuery),
    responses((status = 200, description = "Samples by tag and time", content(
        (String = "text/csv", example = "tag,time,value,quality\n88.100/p,2026-11-23T08:00:00Z,2705,good\n"),
        (Vec<u8> = "application/vnd.apache.parquet"),
    ))),
)]
async fn extract(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<ExtractQuery>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let from = query.from.map_or(Timestamp::MIN, |time| time.0);
    let to = query.to.map_or(visit.now().saturating_add(1), |time| time.0);
    in_order(from, to)?;
    let tags = match query.tags.as_str() {
        "" => every_tag(&visit)?,
        named => named_tags(&visit, raw.as_deref(), named, TAGS_MAX)?,
    };
    for tag in &tags {
        super::tags::visible(&visit, tag)?;
    }
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        return Err(Failure::unavailable("Too many streams are open."));
    };
    let (kind, file) = match wants(&headers, PARQUET) {
        true => {
            let file = ParquetExport::new(Vec::new());
            (
                PARQUET,
                File::Parquet(Box::new(file.map_err(|e| Failure::internal("begin a file", &e))?)),
            )
        }
        false => (CSV, File::Csv),
    };
    let tags = tags.into();
    let extract = Extract {
        visit: visit.clone(),
        tags,
        current: None,
        span: (from, to),
        file,
        _permit: permit,
    };
    let head: &'static [u8] = if kind == PARQUET { b"" } else { b"tag,time,value,quality\n" };
    let rest = stream::try_unfold(Some(extract), |extract| async move {
        let Some(extract) = extract else { return Ok(None) };
        let (bytes, extract) = extract.step().await?;
        Ok(Some((Bytes::from(bytes), extract)))
    });
    let pieces = answers::between(head, rest, Bytes::new());
    answers::answer(&visit, kind, Room::default(), pieces).await
}

fn every_tag(visit: &Visit) -> Result<Vec<Identifier>, Failure> {
    visit.directory(|view| {
        let tags = view.tags_after(None).filter(|(_, tag)| visit.sees(view.grade_of_tag(tag)));
        tags.map(|(_, tag)| tag.id.clone()).collect()
    })
}

/// What is written.
enum File {
    Csv,
    Parquet(Box<ParquetExport<Vec<u8>>>),
}

impl File {
    /// Writes samples; gives the bytes that are ready.
    fn write(&mut self, id: &Identifier, samples: &[Sample]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Csv => Ok(csv_lines(id.as_str(), samples)),
            Self::Parquet(file) => {
                let failed = |error| Failure::internal("write samples as Parquet", &error);
                for sample in samples {
                    file.push(id.as_str(), sample).map_err(failed)?;
                }
                Ok(std::mem::take(file.written()))
            }
        }
    }

    /// Ends the file; gives the bytes that are left.
    fn finish(self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Csv => Ok(Vec::new()),
            Self::Parquet(file) => file.finish().map_err(|e| Failure::internal("end a file", &e)),
        }
    }
}

/// An answer on its way.
struct Extract {
    visit: Visit,
    tags: VecDeque<Identifier>,
    /// The tag being read, and from where on.
    current: Option<(Identifier, TagId, Timestamp)>,
    span: (Timestamp, Timestamp),
    file: File,
    _permit: OwnedSemaphorePermit,
}

impl Extract {
    /// Reads and writes a page of samples, or ends the file.
    async fn step(mut self) -> Result<(Vec<u8>, Option<Self>), Failure> {
        let state = self.visit.state().clone();
        let Some((id, tag, from)) = self.next_tag() else {
            return Ok((blocking(WRITING, move || self.file.finish()).await??, None));
        };
        let (tenant, span) = (self.visit.tenant(), (from, self.span.1));
        let page = state.historian.page(tenant, tag, span, PAGE_SAMPLES).await?;
        if let Some(next) = page.next {
            self.current = Some((id.clone(), tag, next));
        }
        let write = move || Ok((self.file.write(&id, &page.samples)?, Some(self)));
        blocking(WRITING, write).await?
    }

    /// The tag that is next. One that is gone by now, or above the caller's ceiling, is left out.
    fn next_tag(&mut self) -> Option<(Identifier, TagId, Timestamp)> {
        if let Some(current) = self.current.take()
            && super::tags::visible(&self.visit, &current.0).is_ok()
        {
            return Some(current);
        }
        loop {
            let id = self.tags.pop_front()?;
            if let Ok(tag) = super::tags::visible(&self.visit, &id) {
                return Some((id, tag.tag, self.span.0));
            }
        }
    }
}
