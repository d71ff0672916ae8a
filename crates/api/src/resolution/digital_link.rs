//! GS1 Digital Links: the record of a thing is the handle of its key path below the prefix `gs1`,
//! and its links are the values whose types are link types.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::Deserialize;
use weir_gs1::resolve::{
    self, Answer, CORS, Description, Form, Level, Link, LinkType, Request, Standing,
};
use weir_gs1::{Ai, DigitalLink, Error};
use weir_resolver::{Told, Values};
use weir_store::StoreError;

use super::{IdentifierState, ask, kept, page, sentence, set, target::Target, text_of};

/// The prefix under which the records of GS1's things are.
const PREFIX: &str = "gs1";

/// The value that says what a thing is.
const DESCRIPTION: &[u8] = b"DESC";

/// Answers a path that begins with a primary key of GS1; none if it does not.
pub(super) fn get(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
) -> Option<Response> {
    let first = target.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let thing = match read(target) {
        Ok(thing) if thing.stem().is_empty() => thing,
        // A handle may have such a path behind its prefix.
        Ok(_) | Err(Error::NoKey) => return None,
        Err(error) if Ai::find(first).is_some_and(Ai::is_key) => {
            let words = format!("This is no GS1 Digital Link: {error}.");
            return Some(match page::wanted(headers) {
                page::Wanted::Page => page::broken(state, target, headers, &words),
                _ => sentence(StatusCode::BAD_REQUEST, &words),
            });
        }
        Err(_) => return None,
    };
    Some(respond(state, target, headers, &thing).unwrap_or_else(|error| {
        tracing::error!(%error, "the record of a Digital Link could not be read");
        sentence(StatusCode::INTERNAL_SERVER_ERROR, "The records could not be read.")
    }))
}

/// The query belongs to it: attributes of the thing may stand there.
fn read(target: &Target<'_>) -> Result<DigitalLink, Error> {
    match target.query {
        "" => DigitalLink::parse_path(target.path),
        query => DigitalLink::parse_path(&format!("{}?{query}", target.path)),
    }
}

/// What is registered for a thing.
struct Found {
    standings: Vec<Standing>,
    /// For how many seconds all of it may be kept.
    seconds: u32,
    /// Whether the most granular record that there ever was is withdrawn.
    withdrawn: bool,
}

fn find(state: &IdentifierState, thing: &DigitalLink) -> Result<Found, StoreError> {
    let registry = state.authority().registry();
    let mut found = Found { standings: Vec::new(), seconds: u32::MAX, withdrawn: false };
    registry.store().read(|snap| {
        for level in resolve::levels(thing) {
            let handle = format!("{PREFIX}{}", level.path());
            // Handles compare without case, and serial numbers do not.
            let same = |id: &str| id.get(PREFIX.len()..) == Some(level.path());
            match registry.tell(snap, &handle)? {
                Told::Record { id, values } if same(&id) => {
                    found.seconds = found.seconds.min(ask::seconds(state, &values));
                    found.standings.push(standing(level, &values));
                }
                Told::Withdrawn { id } if same(&id) && found.standings.is_empty() => {
                    found.withdrawn = true;
                }
                _ => {}
            }
            if found.withdrawn {
                break;
            }
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(found)
}

fn respond(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    thing: &DigitalLink,
) -> Result<Response, StoreError> {
    let Found { standings, seconds, withdrawn } = find(state, thing)?;
    let accept = text_of(headers, header::ACCEPT);
    let languages = text_of(headers, header::ACCEPT_LANGUAGE);
    let request = Request::new(target.query, &accept, &languages);
    if withdrawn {
        return Ok(match page::wanted(headers) {
            page::Wanted::Page => page::withdrawn(state, target, headers, &thing.path()),
            _ => sentence(StatusCode::GONE, "This identifier was withdrawn."),
        });
    }
    let answer = match resolve::answer(&state.root(headers), thing, &request, &standings) {
        Ok(answer) => answer,
        Err(error) => return Ok(sentence(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::OK);
    let mut response = match (&answer, answer.body()) {
        (_, Some(body)) => {
            let tagged = (status, body.clone()).into_response();
            let mut response = kept(tagged, body.as_bytes(), seconds, headers);
            if answer.status() != 200 {
                set(&mut response, header::CACHE_CONTROL, "no-cache");
            }
            response
        }
        (Answer::Redirect { .. }, None) => {
            let mut response = status.into_response();
            let seconds = seconds.min(super::CACHE_SECONDS_MAX);
            let caching = match seconds {
                0 => "no-cache".to_owned(),
                seconds => format!("public, max-age={seconds}"),
            };
            set(&mut response, header::CACHE_CONTROL, &caching);
            response
        }
        (Answer::NotFound { form, links, .. }, None) if links.links().next().is_none() => {
            return Ok(match form {
                Form::Html => page::unknown(state, target, headers, &thing.path()),
                _ => sentence(StatusCode::NOT_FOUND, "Nothing is known of this thing here."),
            });
        }
        (_, None) => page::links(state, target, headers, thing, &answer),
    };
    for (name, value) in CORS {
        set(&mut response, HeaderName::from_static(name), value);
    }
    for (name, value) in answer.headers() {
        set(&mut response, HeaderName::from_static(name), &value);
    }
    Ok(response)
}

/// Says what this resolver answers for.
pub(super) fn describe(state: &IdentifierState, headers: &HeaderMap) -> Response {
    let described = Description {
        root: state.root(headers),
        name: state.name().to_owned(),
        keys: Vec::new(),
        contexts: Vec::new(),
        contact: None,
    };
    match described.json() {
        Ok(json) => {
            let body = json.to_string();
            let mut response = body.clone().into_response();
            set(&mut response, header::CONTENT_TYPE, "application/json");
            kept(response, body.as_bytes(), 0, headers)
        }
        Err(error) => sentence(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// What a record says of a level: a link for each value of a link type, in their order.
fn standing(level: Level, values: &Values) -> Standing {
    let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
    let list = values.list();
    let described = list.iter().find(|value| value.is(DESCRIPTION)).map(|value| text(value.data));
    let link = |value: weir_handle::Value<'_>| {
        let kind = LinkType::parse(std::str::from_utf8(value.kind).ok()?).ok()?;
        let link = link(kind, std::str::from_utf8(value.data).ok()?);
        link.inspect_err(|error| tracing::debug!(%error, "a value is no link")).ok()
    };
    let links: Vec<Link> = list.iter().filter_map(link).collect();
    let description = described.unwrap_or_else(|| level.path().to_owned());
    Standing { level, description, links }
}

/// A link as a value has it: an address alone, or the target of a linkset (RFC 9264) in JSON.
#[derive(Debug, Deserialize)]
struct Attributes {
    href: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    hreflang: Several,
    #[serde(rename = "type", default)]
    media_type: Option<String>,
    #[serde(default)]
    context: Several,
    #[serde(default = "passed_on")]
    fwqs: bool,
}

const fn passed_on() -> bool {
    true
}

/// One text, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    Many(Vec<String>),
}

impl Default for Several {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Several {
    fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

fn link(kind: LinkType, data: &str) -> Result<Link, Error> {
    let data = data.trim();
    if !data.starts_with('{') {
        let title = kind.short();
        return Link::new(kind, data, &title);
    }
    let attributes: Attributes = serde_json::from_str(data).map_err(|_| Error::Link {
        field: "target",
        value: data.chars().take(60).collect(),
        reason: "is neither an address nor a JSON object with href",
    })?;
    let Attributes { href, title, hreflang, media_type, context, fwqs } = &attributes;
    let title = title.clone().unwrap_or_else(|| kind.short());
    let mut link = Link::new(kind, href, &title)?;
    for tag in hreflang.iter() {
        link = link.in_language(tag)?;
    }
    for context in context.iter() {
        link = link.in_context(context)?;
    }
    if let Some(media_type) = media_type {
        link = link.with_media_type(media_type)?;
    }
    Ok(if *fwqs { link } else { link.without_query() })
}
