//! Live samples as Server-Sent Events (HTML standard, section 9.2).

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep_until};
use utoipa_axum::routes;
use weir_access::Action;
use weir_historian::LiveBatch;
use weir_model::{Identifier, ProblemCode, Sample, TagId};

use super::tags::SampleView;
use crate::body::Query;
use crate::door::{Route, Visit, needs};
use crate::failure::Failure;
use crate::state::ApiState;

/// Most tags of one stream: as many as a wall of charts shows.
const TAGS_MAX: usize = 1000;

/// Between two signs of life where nothing else is sent, so that neither side waits on a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The header in which a client that reconnects says where it was.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) fn routes() -> Vec<Route> {
    vec![needs(Action::SampleRead, routes!(live))]
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LiveQuery {
    /// Identifiers of tags, comma separated, each percent-encoded. A comma within an identifier is
    /// `%2C`.
    tags: String,
}

/// Follow tags live
///
/// Server-Sent Events. At first the newest sample of each tag, then each sample as it is stored:
/// `event: sample` with `{"tag","time","value","quality"}`. The last event of a batch carries its `id`; a
/// client that reconnects with `Last-Event-ID` gets what it missed, or an `event: gap` and the
/// newest samples where that is too long ago. A client that reads too slowly gets a gap as well.
#[utoipa::path(
    get,
    path = "/api/v1/live",
    operation_id = "followLive",
    tag = "samples",
    params(LiveQuery, ("Last-Event-ID" = Option<String>, Header, description = "Where to go on")),
    responses((status = 200, description = "A stream of events", content_type = "text/event-stream", body = String)),
)]
async fn live(
    State(state): State<ApiState>,
    visit: Visit,
    Query(query): Query<LiveQuery>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let ids = named_tags(&visit, raw.as_deref(), &query.tags, TAGS_MAX)?;
    let watch = Watch::of(&visit, ids)?;
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        return Err(Failure::unavailable("Too many live streams are open."));
    };
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let after = match last {
        None | Some("") => None,
        Some(text) => Some(text.parse::<u64>().map_err(|_| {
            let detail = "not an id of this stream";
            Failure::field(ProblemCode::InvalidRequest, "Last-Event-ID", detail)
        })?),
    };
    let stream = Stream::open(visit, watch, after, permit);
    let events = stream::unfold(stream, |mut stream| async move {
        let next = stream.next().await?;
        Some((Ok::<_, Infallible>(next), stream))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // Proxies that gather answers would hold the events back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// The identifiers that a query has in `tags`.
///
/// # Errors
/// A problem where there are none, more than `tags_max`, or what is no identifier.
pub(super) fn named_tags(
    visit: &Visit,
    raw: Option<&str>,
    decoded: &str,
    tags_max: usize,
) -> Result<Vec<Identifier>, Failure> {
    // As it was sent, because a comma within an identifier can be told from one between two only
    // there.
    let sent = raw.and_then(|raw| raw.split('&').find_map(|p| p.strip_prefix("tags=")));
    visit.directory(|view| {
        let sees = |tag: &Arc<weir_twin::TagEntry>| visit.sees(view.grade_of_tag(tag));
        let known = |id: &Identifier| view.tag(&id.folded()).is_some_and(sees);
        parse_tags(sent.unwrap_or(decoded), tags_max, known)
    })?
}

fn parse_tags(
    sent: &str,
    tags_max: usize,
    known: impl Fn(&Identifier) -> bool,
) -> Result<Vec<Identifier>, Failure> {
    let wrong = |detail: String| Failure::field(ProblemCode::InvalidRequest, "tags", detail);
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let one = |part: &str| {
        // It may have been encoded twice.
        let plain = Identifier::parse(part).map_err(|error| wrong(format!("{part}: {error}")));
        match Identifier::parse(&decode(part)) {
            Ok(decoded) if known(&decoded) && !plain.as_ref().is_ok_and(&known) => Ok(decoded),
            _ => plain,
        }
    };
    let mut ids = Vec::new();
    for part in sent.split(',').filter(|part| !part.is_empty()) {
        let part = decode(&part.replace('+', " "));
        match Identifier::parse(&part) {
            Ok(whole) if known(&whole) => ids.push(whole),
            // Many programs encode the commas between identifiers as well.
            _ => {
                for part in part.split(',').filter(|part| !part.is_empty()) {
                    ids.push(one(part)?);
                }
            }
        }
        if ids.len() > tags_max {
            break;
        }
    }
    if ids.is_empty() || ids.len() > tags_max {
        return Err(wrong(format!("names 1 to {tags_max} tags")));
    }
    Ok(ids)
}

/// The tags of a stream by number, as far as the caller may see them now.
struct Watch {
    ids: Vec<Identifier>,
    seen: HashMap<TagId, Identifier>,
    position: u64,
}

impl Watch {
    fn of(visit: &Visit, ids: Vec<Identifier>) -> Result<Self, Failure> {
        let mut watch = Self { ids, seen: HashMap::new(), position: 0 };
        watch.refresh(visit)?;
        let known: std::collections::HashSet<_> = watch.seen.values().collect();
        if let Some(unknown) = watch.ids.iter().find(|id| !known.contains(id)) {
            let detail = format!("there is no tag {unknown}");
            return Err(Failure::field(ProblemCode::UnknownTag, "tags", detail));
        }
        Ok(watch)
    }

    /// Asks the directory again if anything changed: a tag may be gone or graded higher by now.
    fn refresh(&mut self, visit: &Visit) -> Result<(), Failure> {
        let position = visit.state().directory.position()?;
        if position != self.position || self.seen.is_empty() {
            self.position = position;
            self.seen = visit.directory(|view| {
                let tags = self.ids.iter().filter_map(|id| view.tag(&id.folded()));
                let tags = tags.filter(|tag| visit.sees(view.grade_of_tag(tag)));
                tags.map(|tag| (tag.tag, tag.id.clone())).collect()
            })?;
        }
        Ok(())
    }
}

struct Stream {
    visit: Visit,
    watch: Watch,
    pending: VecDeque<Arc<LiveBatch>>,
    /// The next events begin with the newest samples, with or without telling of a gap.
    restart: Option<bool>,
    receiver: broadcast::Receiver<Arc<LiveBatch>>,
    /// Resolves when the caller is no longer what it was, or the node stops.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    heartbeat: Instant,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    fn open(visit: Visit, watch: Watch, after: Option<u64>, permit: OwnedSemaphorePermit) -> Self {
        let live = visit.state().historian.live(after);
        let restart = match after {
            None => Some(false),
            Some(_) => live.missed.then_some(true),
        };
        let over = Box::pin(visit.ended().map(drop));
        Self {
            pending: if restart.is_some() { VecDeque::new() } else { live.replay.into() },
            restart,
            receiver: live.receiver,
            over,
            heartbeat: Instant::now() + HEARTBEAT,
            ended: false,
            visit,
            watch,
            _permit: permit,
        }
    }

    /// The next events; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.ended || (&mut self.over).now_or_never().is_some() {
                return None;
            }
            if self.watch.refresh(&self.visit).is_err() {
                return None;
            }
            if let Some(gap) = self.restart.take() {
                return Some(self.newest(gap));
            }
            if let Some(batch) = self.pending.pop_front() {
                if let Some(events) = self.events(&batch) {
                    self.heartbeat = Instant::now() + HEARTBEAT;
                    return Some(events);
                }
                continue;
            }
            tokio::select! {
                biased;
                () = &mut self.over => self.ended = true,
                received = self.receiver.recv() => match received {
                    Ok(batch) => self.pending.push_back(batch),
                    // The client reads more slowly than samples come: what it missed is a gap.
                    Err(RecvError::Lagged(_)) => {
                        self.receiver = self.receiver.resubscribe();
                        self.restart = Some(true);
                    }
                    Err(RecvError::Closed) => self.ended = true,
                },
                () = sleep_until(self.heartbeat) => {
                    self.heartbeat = Instant::now() + HEARTBEAT;
                    return Some(Bytes::from_static(b":\n\n"));
                }
            }
        }
    }

    /// The newest sample of every tag.
    fn newest(&self, gap: bool) -> Bytes {
        let mut out =
            String::from(if gap { "event: gap\ndata: {}\n\n" } else { "retry: 1000\n\n" });
        let historian = &self.visit.state().historian;
        for (tag, id) in &self.watch.seen {
            if let Some(sample) = historian.last(self.visit.tenant(), *tag) {
                event(&mut out, id, &sample, None);
            }
        }
        out.into()
    }

    /// The events of a batch; none where it has nothing for this stream. Only the last event bears
    /// the batch's id, so that a client that was cut off within it gets the whole again.
    fn events(&self, batch: &LiveBatch) -> Option<Bytes> {
        if batch.tenant != self.visit.tenant() {
            return None;
        }
        let seen = |(tag, sample): (TagId, Sample)| {
            self.watch.seen.get(&tag).map(|id| (id.clone(), sample))
        };
        let mut samples = batch.samples.iter().filter_map(seen).peekable();
        samples.peek()?;
        let mut out = String::new();
        while let Some((id, sample)) = samples.next() {
            let position = samples.peek().is_none().then_some(batch.position);
            event(&mut out, &id, &sample, position);
        }
        Some(out.into())
    }
}

/// One live sample.
#[derive(serde::Serialize)]
struct LiveSample<'a> {
    tag: &'a Identifier,
    #[serde(flatten)]
    sample: SampleView,
}

fn event(out: &mut String, tag: &Identifier, sample: &Sample, position: Option<u64>) {
    // A sample always has JSON, and JSON has no line ends that would end the event.
    let data =
        serde_json::to_string(&LiveSample { tag, sample: sample.into() }).unwrap_or_default();
    out.push_str("event: sample\n");
    if let Some(position) = position {
        out.push_str(&format!("id: {position}\n"));
    }
    out.push_str(&format!("data: {data}\n\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_a_query() {
        let known = ["1/a", "1/b,c", "1/50%2F"].map(|id| Identifier::parse(id).unwrap());
        let parse = |text: &str| {
            let ids = parse_tags(text, TAGS_MAX, |id| known.contains(id))?;
            Ok::<_, Failure>(ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(parse("1/a,1/b%2Cc,1/50%252F").unwrap(), ["1/a", "1/b,c", "1/50%2F"]);
        assert_eq!(parse("1%2Fa%2C1/b%252Cc,1%2fb%2cc").unwrap(), ["1/a", "1/b,c", "1/b,c"]);
        assert_eq!(parse("1/x%252Cy").unwrap(), ["1/x%2Cy"]);
        assert!(parse("").is_err() && parse("a").is_err());
        assert!(parse(&vec!["1/a"; TAGS_MAX + 1].join(",")).is_err());
    }
}
