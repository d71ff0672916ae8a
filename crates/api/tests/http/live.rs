//! Live streams: what they send, how they resume, and when they end.

use std::time::{Duration, Instant};

use axum::body::BodyDataStream;
use futures::StreamExt;
use serde_json::{Value as Json, json};
use weir_api::Limits;
use weir_model::Grade;

use crate::bench::{Bench, PATIENCE};

/// One event.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: Json,
}

struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(bench: &Bench, token: &str, tags: &str, last: Option<&str>) -> Self {
        let call = bench.get(&format!("/api/v1/live?tags={tags}")).bearer(token);
        let call = match last {
            Some(last) => call.header("last-event-id", last),
            None => call,
        };
        let response = call.open().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; none at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = parse(&block) {
                    return Some(event);
                }
                continue;
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.body.next()).await.expect("no event came");
            self.text.push_str(std::str::from_utf8(&chunk?.unwrap()).unwrap());
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let data = field("data")?;
    let data = serde_json::from_str(&data).unwrap();
    Some(Event { name: field("event").unwrap(), id: field("id"), data })
}

async fn tags(bench: &Bench) {
    for name in ["a", "b", "c"] {
        bench.tag(json!({"id": format!("88.100/{name}"), "name": name, "data_type": "f64", "grade": "general"})).await;
    }
}

async fn put(bench: &Bench, tag: &str, value: f64) {
    bench.store_samples(json!([{"tag": format!("88.100/{tag}"), "value": value}])).await;
}

#[tokio::test]
async fn newest_values_come_first_and_then_what_is_stored() {
    let bench = Bench::new().await;
    tags(&bench).await;
    put(&bench, "a", 1.0).await;
    let mut stream = Stream::open(&bench, &bench.admin, "88.100/a,88.100%2Fb", None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.id), ("sample", &None));
    assert_eq!((&first.data["tag"], &first.data["value"]), (&json!("88.100/a"), &json!(1.0)));
    put(&bench, "c", 9.0).await;
    put(&bench, "b", 2.0).await;
    let next = stream.next().await.unwrap();
    assert_eq!((&next.data["tag"], &next.data["value"]), (&json!("88.100/b"), &json!(2.0)));
    assert!(next.id.is_some());
    assert_eq!(next.data["quality"], "good");
    let late = json!({"backfill": true, "samples": [{"tag": "88.100/a", "time": "2020-01-01T00:00:00Z", "value": 3}]});
    bench.post("/api/v1/samples", late).bearer(&bench.admin).send().await.expect(200);
    put(&bench, "a", 4.0).await;
    assert_eq!(stream.next().await.unwrap().data["value"], 4.0, "backfill never looks live");
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_or_tells_of_a_gap() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let mut stream = Stream::open(&bench, &bench.admin, "88.100/a", None).await;
    // The stream is read once, so that it listens before the sample is stored.
    let put_first = async {
        put(&bench, "a", 1.0).await;
    };
    let (event, ()) = futures::join!(stream.next(), put_first);
    let id = event.unwrap().id.unwrap();
    drop(stream);
    put(&bench, "a", 2.0).await;
    put(&bench, "a", 3.0).await;
    let mut stream = Stream::open(&bench, &bench.admin, "88.100/a", Some(&id)).await;
    assert_eq!(stream.next().await.unwrap().data["value"], 2.0);
    assert_eq!(stream.next().await.unwrap().data["value"], 3.0);
    let mut stream = Stream::open(&bench, &bench.admin, "88.100/a", Some("999999")).await;
    assert_eq!(stream.next().await.unwrap().name, "gap");
    assert_eq!(stream.next().await.unwrap().data["value"], 3.0);
    let wrong = bench.get("/api/v1/live?tags=88.100/a").bearer(&bench.admin);
    let wrong = wrong.header("last-event-id", "x").send().await;
    assert_eq!(wrong.problem("invalid-request"), "Last-Event-ID");
}

#[tokio::test]
async fn a_reader_that_is_too_slow_gets_a_gap() {
    let bench = Bench::new().await;
    tags(&bench).await;
    put(&bench, "a", 0.0).await;
    let mut stream = Stream::open(&bench, &bench.admin, "88.100/a", None).await;
    assert_eq!(stream.next().await.unwrap().data["value"], 0.0);
    for number in 1..=1500 {
        let samples = vec![(
            tag_number(&bench),
            weir_model::Sample::good(now(), weir_model::Value::F64(f64::from(number))),
        )];
        let batch = weir_model::Batch {
            tenant: weir_model::TenantId(1),
            producer: None,
            backfill: false,
            arrival: now(),
            samples: samples.into(),
        };
        bench.historian.append(batch).await.unwrap();
    }
    assert_eq!(stream.next().await.unwrap().name, "gap");
    assert_eq!(stream.next().await.unwrap().data["value"], 1500.0);
    put(&bench, "a", 1501.0).await;
    assert_eq!(stream.next().await.unwrap().data["value"], 1501.0);
}

fn now() -> weir_model::Timestamp {
    weir_model::Timestamp::from_system(std::time::SystemTime::now())
}

fn tag_number(bench: &Bench) -> weir_model::TagId {
    let found = bench.store.get::<weir_twin::Tags>(weir_model::TenantId(1), "88.100/a").unwrap();
    found.unwrap().record.tag
}

#[tokio::test]
async fn revocation_and_shutdown_end_a_stream_at_once() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let token = bench.token_of("vera", "viewer", Grade::Core).await;
    let mut revoked = Stream::open(&bench, &token, "88.100/a", None).await;
    let mut stopped = Stream::open(&bench, &bench.admin, "88.100/a", None).await;
    let list = bench.get("/api/v1/tokens").bearer(&bench.admin).send().await.expect(200);
    let list = list["items"].as_array().unwrap().clone();
    let id = list.iter().find(|token| token["name"] == "vera").unwrap()["id"].clone();
    let began = Instant::now();
    let uri = format!("/api/v1/tokens/{}", id.as_str().unwrap());
    bench.delete(&uri).bearer(&bench.admin).send().await.expect(204);
    assert_eq!(revoked.next().await, None);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    bench.shutdown.cancel();
    assert_eq!(stopped.next().await, None);
}

#[tokio::test]
async fn a_grade_that_is_raised_hides_the_tag_from_then_on() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let token = bench.token_of("low", "viewer", Grade::General).await;
    put(&bench, "a", 1.0).await;
    let mut stream = Stream::open(&bench, &token, "88.100/a,88.100/b", None).await;
    assert_eq!(stream.next().await.unwrap().data["value"], 1.0);
    let uri = "/api/v1/tags/88.100%2Fa";
    bench.patch(uri, json!({"grade": "important"})).bearer(&bench.admin).send().await.expect(200);
    put(&bench, "a", 2.0).await;
    put(&bench, "b", 3.0).await;
    let next = stream.next().await.unwrap();
    assert_eq!(next.data["tag"], "88.100/b");
}

#[tokio::test]
async fn streams_are_bounded() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let router = bench.router_with(Limits { streams_max: 0, ..Limits::default() });
    let answer = bench.get("/api/v1/live?tags=88.100/a").bearer(&bench.admin).through(router).await;
    answer.problem("unavailable");
    let none = bench.get("/api/v1/live?tags=88.100/nope").bearer(&bench.admin).send().await;
    assert_eq!(none.problem("unknown-tag"), "tags");
    let missing = bench.get("/api/v1/live").bearer(&bench.admin).send().await;
    assert_eq!(missing.problem("invalid-request"), "tags");
    // A stream does not count as a request in progress.
    let router = bench.router_with(Limits { requests_max: 1, ..Limits::default() });
    let open = bench.get("/api/v1/live?tags=88.100/a").bearer(&bench.admin);
    let open = open.open_through(router.clone()).await;
    let other = bench.get("/healthz").through(router).await;
    assert_eq!(other.status, 200);
    drop(open);
}
