//! The table of routes: one module a domain, each entry with its permission.

mod aggregates;
mod assets;
mod at;
mod audit;
mod data;
mod devices;
mod document;
mod extract;
pub(crate) mod flight;
mod frames;
mod health;
mod historian;
mod identifiers;
mod influx;
mod lake;
mod live;
mod mqtt;
mod opcua;
mod organisations;
mod overview;
mod policies;
mod query;
mod remote_write;
mod retention;
mod samples;
mod session;
mod signals;
mod tags;
mod templates;
mod tokens;
mod units;
mod users;
mod writes;

use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use weir_model::{Identifier, ProblemCode};

pub(crate) use assets::within_ceiling;

use crate::door::Route;
use crate::failure::Failure;

/// Most items of one page of a list.
pub(crate) const PAGE_ITEMS_MAX: usize = 1000;

/// Items of one page of a list where the caller names no number.
const PAGE_ITEMS: usize = 100;

/// Every route there is.
pub(crate) fn table() -> Vec<Route> {
    let modules = [
        session::routes(),
        overview::routes(),
        organisations::routes(),
        assets::routes(),
        tags::routes(),
        samples::routes(),
        extract::routes(),
        influx::routes(),
        remote_write::routes(),
        retention::routes(),
        at::routes(),
        frames::routes(),
        aggregates::routes(),
        query::routes(),
        live::routes(),
        writes::routes(),
        identifiers::routes(),
        devices::routes(),
        templates::routes(),
        mqtt::routes(),
        opcua::routes(),
        users::routes(),
        tokens::routes(),
        policies::routes(),
        audit::routes(),
        data::routes(),
        health::routes(),
        historian::routes(),
        lake::routes(),
        document::routes(),
    ];
    modules.into_iter().flatten().collect()
}

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Listing<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// What to send as `cursor` for the next page; null at the end.
    pub(crate) next: Option<String>,
}

/// Where a list goes on and how much of it is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Most items of the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<usize>,
    /// From `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// The number of items that a page may have.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Failure> {
    limit_up_to(PAGE_ITEMS_MAX, asked)
}

/// As [`limit`], where a page holds fewer.
pub(crate) fn limit_up_to(max: usize, asked: Option<usize>) -> Result<usize, Failure> {
    match asked {
        None => Ok(PAGE_ITEMS),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(_) => {
            let detail = format!("between 1 and {max}");
            Err(Failure::field(ProblemCode::InvalidRequest, "limit", detail))
        }
    }
}

/// Words that are looked for: lower case, bounded.
pub(crate) fn words(q: Option<&str>) -> Result<String, Failure> {
    /// Longest search in bytes.
    const SEARCH_BYTES_MAX: usize = 256;
    let q = q.unwrap_or_default();
    if q.len() > SEARCH_BYTES_MAX {
        let detail = format!("a search has at most {SEARCH_BYTES_MAX} bytes");
        return Err(Failure::field(ProblemCode::InvalidRequest, "q", detail));
    }
    Ok(q.to_lowercase())
}

/// An identifier as one segment of a path.
pub(crate) fn segment(id: &Identifier) -> String {
    utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC).to_string()
}

/// A header's value of a text that has no control characters.
pub(crate) fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The identifier of a thing, which a change may repeat but not change.
pub(crate) fn kept_id(asked: &Option<Identifier>, id: &Identifier) -> Result<Identifier, Failure> {
    match asked {
        Some(asked) if asked != id => {
            let detail = "an identifier is never changed";
            Err(Failure::field(ProblemCode::InvalidValue, "/id", detail))
        }
        _ => Ok(id.clone()),
    }
}
