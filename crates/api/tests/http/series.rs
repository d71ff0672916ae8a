//! Series in: clients of InfluxDB, and Prometheus.

use base64::Engine;
use serde_json::{Value as Json, json};
use weir_api::Limits;

use crate::bench::{Answer, Bench, in_a_day, segment};

const HOUR: &str = "from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z";

/// What a message of remote write 1.0 is that Python's protobuf wrote and cramjam packed: two samples and a
/// stale marker of `boiler_pressure_pascals{instance="plc-4:9100",job="boilers"}`, one sample of `up`,
/// an exemplar and metadata.
const REMOTE_WRITE_1: &str = "c701f0490a95010a230a085f5f6e616d655f5f1217626f696c65725f7072657373757\
    2655f70617363616c730a160a08696e7374616e6365120a706c632d343a393130300a0e0a036a6f621207620538487312\
    100900000000d8bcf8401080d0eab6b7330d121c24bdf8401098c5eb0912000201253000f07f10b0baecb6b7331a10110\
    5110c00f03f1809360c0a220a0e1d97080275700d4801240d5a281a09080212027570220178";

/// The like of version 2.0: 7.5 of `boiler_pressure_pascals{job="boilers"}`.
const REMOTE_WRITE_2: &str = "60b0220022085f5f6e616d655f5f2217626f696c65725f70726573737572655f7061736\
    3616c7322036a6f62220762051e5c73220968656c7020746578742a200a0401020304121009000501401e401080d0eab6\
    b7332a04080218053005";

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

async fn write(bench: &Bench, uri: &str, token: &str, body: impl Into<axum::body::Body>) -> Answer {
    let call = bench.post(uri, json!(null)).header("authorization", token);
    call.body("text/plain; charset=utf-8", body).send().await
}

/// A token that may do only this.
async fn token(bench: &Bench, scopes: &[&str]) -> String {
    let body = json!({"name": "sender", "scopes": scopes, "expires": in_a_day()});
    let made = bench.post("/api/v1/tokens", body).bearer(&bench.admin).send().await.expect(201);
    made["token"].as_str().unwrap().to_owned()
}

/// The tags by name, with their type and the samples of the hour.
async fn stored(bench: &Bench) -> Vec<(String, Json, Json)> {
    let tags = bench.get("/api/v1/tags?sort=name").bearer(&bench.admin).send().await.expect(200);
    let mut found = Vec::new();
    for tag in tags["items"].as_array().unwrap() {
        let id = segment(tag["id"].as_str().unwrap());
        let uri = format!("/api/v1/tags/{id}/samples?{HOUR}");
        let samples = bench.get(&uri).bearer(&bench.admin).send().await.expect(200);
        let name = tag["name"].as_str().unwrap().to_owned();
        found.push((name, tag["data_type"].clone(), samples["samples"].clone()));
    }
    found
}

fn values(samples: &Json) -> Vec<Json> {
    samples.as_array().unwrap().iter().map(|sample| sample["value"].clone()).collect()
}

#[tokio::test]
async fn clients_of_influxdb_write_with_the_credentials_they_know() {
    let bench = Bench::new().await;
    let token = token(&bench, &["sample:write", "tag:write"]).await;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("telegraf:{token}"));
    let line = |second: u32| {
        format!("cpu,host=a,cpu=cpu0 idle={second}.5,up=t {}\n", 1_767_225_600 + second)
    };
    for (uri, credentials, second) in [
        ("/api/v2/write?org=x&bucket=y&precision=s", format!("Token {token}"), 0),
        ("/api/v2/write?org=x&bucket=y&precision=s", format!("Bearer {token}"), 1),
        ("/write?db=telegraf&precision=s&consistency=any&rp=", format!("Basic {basic}"), 2),
    ] {
        let answer = write(&bench, uri, &credentials, line(second)).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (204, ""), "{uri}");
    }
    let found = stored(&bench).await;
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].0.as_str(), &found[0].1),
        ("cpu.idle{cpu=\"cpu0\",host=\"a\"}", &json!("f64"))
    );
    assert_eq!(
        (found[1].0.as_str(), &found[1].1),
        ("cpu.up{cpu=\"cpu0\",host=\"a\"}", &json!("bool"))
    );
    assert_eq!(values(&found[0].2), [0.5, 1.5, 2.5]);
    for wrong in ["Token nonsense", "Basic nonsense", &format!("Digest {token}")] {
        let answer = write(&bench, "/write?db=x", wrong, line(3)).await;
        answer.problem("unauthenticated");
        assert!(
            answer.header("www-authenticate").starts_with("Bearer"),
            "browsers ask for no password"
        );
    }
    // Elsewhere a token is no password.
    let answer = write(&bench, "/api/v1/samples", &format!("Basic {basic}"), line(3)).await;
    answer.problem("unauthenticated");
    let answer = bench.get("/ping").send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-influxdb-version")),
        (204, "weir-0.0.0-test")
    );
    let health = bench.get("/health").send().await.expect(200);
    assert_eq!((&health["name"], &health["status"]), (&json!("weir"), &json!("pass")));
}

#[tokio::test]
async fn a_series_becomes_a_tag_only_by_a_token_that_may_make_tags() {
    let bench = Bench::new().await;
    let writer = format!("Token {}", token(&bench, &["sample:write"]).await);
    let maker = format!("Token {}", token(&bench, &["sample:write", "tag:write"]).await);
    let uri = "/api/v2/write?precision=s";
    let body = "oven,host=a temperature=812.5 1767225600\noven,host=a door=1i 1767225600\n";
    let refused = write(&bench, uri, &writer, body).await;
    assert_eq!(refused.status, 400, "others would send it again for ever");
    let problem = refused.json();
    assert_eq!(problem["code"], "unknown-tag");
    for member in ["error", "message"] {
        let said = problem[member].as_str().unwrap();
        assert!(
            said.contains("partial write") && said.contains("Line 1: there is no tag oven.temp"),
            "{said}"
        );
    }
    assert_eq!(stored(&bench).await, []);
    assert_eq!(write(&bench, uri, &maker, body).await.status, 204);
    assert_eq!(write(&bench, uri, &writer, body).await.status, 204, "now there is a tag");
    assert_eq!(stored(&bench).await.len(), 2);
    // An identifier means its tag, and a name without labels the tag of that name, but not where
    // series become tags.
    let id = bench.tag(json!({"name": "press.force", "data_type": "f64"})).await;
    let body = format!("{id},host=a value=1 1767225600\npress,host=b force=2 1767225601\n");
    assert_eq!(write(&bench, uri, &writer, body).await.status, 204);
    let body = "press,host=c force=3 1767225602\npress,host=b force=4 1767225603\n";
    assert_eq!(write(&bench, uri, &maker, body).await.status, 204);
    let found = stored(&bench).await;
    let named = |name: &str| found.iter().find(|(found, ..)| found == name).unwrap();
    assert_eq!(values(&named("press.force").2), [1.0, 2.0]);
    assert_eq!(values(&named("press.force{host=\"c\"}").2), [3.0]);
    assert_eq!(
        values(&named("press.force{host=\"b\"}").2),
        [4.0],
        "what others found is not theirs"
    );
    // At the route of our own it must be asked for, too.
    let own = "/api/v1/samples?precision=s";
    write(&bench, own, &maker, "new value=1 1767225600").await.problem("unknown-tag");
    let asking = "/api/v1/samples?precision=s&create=true";
    write(&bench, asking, &writer, "new value=1 1767225600").await.problem("forbidden");
    let made = write(&bench, asking, &maker, "new value=1 1767225600").await.expect(200);
    assert_eq!(made["accepted"], 1);
    let json =
        bench.post("/api/v1/samples?create=true", json!({"samples": []})).bearer(&bench.admin);
    assert_eq!(json.send().await.problem("invalid-request"), "create");
}

#[tokio::test]
async fn a_tag_is_found_by_its_series_as_long_as_it_is_what_it_was() {
    let bench = Bench::new().await;
    let writer = format!("Token {}", token(&bench, &["sample:write"]).await);
    let id = bench.tag(json!({"name": "oven.temperature", "data_type": "f64"})).await;
    let uri = format!("/api/v1/tags/{}", segment(&id));
    let send = async || {
        write(&bench, "/write?precision=s", &writer, "oven temperature=1 1767225600\n").await
    };
    assert_eq!(send().await.status, 204);
    let rename = |name: &str| bench.patch(&uri, json!({"name": name})).bearer(&bench.admin);
    rename("oven.heat").send().await.expect(200);
    assert_eq!(send().await.status, 400, "it has another name");
    rename("oven.temperature").send().await.expect(200);
    assert_eq!(send().await.status, 204);
    bench.delete(&uri).bearer(&bench.admin).send().await.expect(204);
    assert_eq!(send().await.status, 400, "it is gone");
}

#[tokio::test]
async fn what_will_never_succeed_is_400_and_stores_nothing() {
    let bench = Bench::new().await;
    let maker = format!("Token {}", bench.admin);
    let good = "a value=1 1767225600\n";
    assert_eq!(write(&bench, "/write?precision=s", &maker, good).await.status, 204);
    let cases = [
        (
            format!("{good}a value 1767225601\n"),
            "unable to parse: Line 2 has a field without a value.",
        ),
        (
            format!("{good}a value=\"x\" 1767225601\n"),
            "partial write: Line 2: the value is not of type f64",
        ),
        (format!("{good}a value=2 7000000000\n"), "partial write: /samples/1/time: "),
        ("\\ a value=1 1767225600\n".to_owned(), "partial write: /name: "),
    ];
    for (body, said) in cases {
        let answer = write(&bench, "/write?precision=s", &maker, body.clone()).await;
        assert_eq!(answer.status, 400, "{body:?}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(said) && error.contains("othing was stored"), "{error}");
    }
    let answer = write(&bench, "/write?precision=d", &maker, good).await;
    assert_eq!(answer.problem("invalid-request"), "precision");
    assert_eq!(stored(&bench).await.len(), 1);
    assert_eq!(bench.historian.stats().samples, 1);
}

#[tokio::test]
async fn what_is_refused_makes_no_tags() {
    let bench = Bench::new().await;
    let maker = format!("Token {}", bench.admin);
    let lines = |time: &dyn Fn(u32) -> u32| -> String {
        (0..500).map(|n| format!("m{n} value=1 {}\n", time(n))).collect()
    };
    let one_late = |n| if n == 400 { 4_000_000_000 } else { 1_767_225_600 };
    let cases =
        [(lines(&one_late), "/samples/400/time"), (lines(&|n| 1_700_000_000 + n * 86_400), "days")];
    for (body, said) in cases {
        let answer = write(&bench, "/write?precision=s", &maker, body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(said), "{}", answer.text());
    }
    let long = format!("{} ", "x".repeat(60_000));
    let fields: Vec<String> = (0..4000).map(|n| format!("f{n}=1")).collect();
    let answer = write(&bench, "/write", &maker, long + &fields.join(",")).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(stored(&bench).await, []);
    // Where it is seen only afterwards, it is told.
    let answer = write(&bench, "/write", &maker, "n value=true\nn value=\"x\"\n").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("Tags of its new series were made."), "{}", answer.text());
    assert_eq!(stored(&bench).await.len(), 1);
}

#[tokio::test]
async fn names_that_never_end_end_at_a_bound() {
    let bench = Bench::new().await;
    let router = bench.router_with(Limits { series_tags_max: 3, ..Limits::default() });
    let send = async |body: &str| {
        let call = bench.post("/write", json!(null)).bearer(&bench.admin);
        call.body("text/plain", body.to_owned()).through(router.clone()).await
    };
    assert_eq!(send("a value=1\nb value=1\n").await.status, 204);
    let refused = send("c value=1\nd value=1\n").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("conflict")));
    assert_eq!(send("a value=2\nc value=1\n").await.status, 204);
    assert_eq!(stored(&bench).await.len(), 3);
    let many: String = (0..10_001).map(|n| format!("m{n} value=1\n")).collect();
    assert_eq!(write(&bench, "/write", &format!("Token {}", bench.admin), many).await.status, 413);
}

#[tokio::test]
async fn thousands_of_series_become_tags_at_once() {
    let bench = Bench::new().await;
    let token = format!("Token {}", bench.admin);
    let many = |value: u32| -> String {
        (0..2000)
            .map(|n| format!("machine,line={} speed={value},on=t 176722560{value}\n", n))
            .collect()
    };
    // Two who send the same at the same time make each tag once.
    let both = futures::future::join(
        write(&bench, "/write?precision=s", &token, many(1)),
        write(&bench, "/write?precision=s", &token, many(2)),
    );
    let (one, other) = both.await;
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (204, 204));
    let stats = bench.historian.stats();
    assert_eq!((stats.tags, stats.samples), (4000, 8000));
}

#[tokio::test]
async fn prometheus_sends_on_what_it_scraped() {
    let bench = Bench::new().await;
    let maker = token(&bench, &["sample:write", "tag:write"]).await;
    let send = async |token: &str, kind: &str, body: Vec<u8>| {
        let call = bench.post("/api/v1/write", json!(null)).bearer(token);
        call.body(kind, body).header("content-encoding", "snappy").send().await
    };
    let one = "application/x-protobuf";
    let answer = send(&maker, one, unhex(REMOTE_WRITE_1)).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(answer.header("x-prometheus-remote-write-samples-written"), "4");
    let found = stored(&bench).await;
    assert_eq!(found[0].0, "boiler_pressure_pascals{instance=\"plc-4:9100\",job=\"boilers\"}");
    let samples = &found[0].2;
    assert_eq!(values(samples), [json!(101_325.5), json!(101_330.25), json!(null)]);
    assert_eq!(samples[2]["quality"], "bad:0x80310000");
    assert_eq!(samples[1]["time"], "2026-01-01T00:00:15Z");
    assert_eq!((found[1].0.as_str(), values(&found[1].2)), ("up", vec![json!(1.0)]));
    // Sent again after an answer that got lost, and out of order: stored once.
    assert_eq!(send(&maker, one, unhex(REMOTE_WRITE_1)).await.status, 204);
    assert_eq!(stored(&bench).await, found);
    let two = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let answer = send(&maker, two, unhex(REMOTE_WRITE_2)).await;
    assert_eq!(
        answer.header("x-prometheus-remote-write-samples-written"),
        "1",
        "{}",
        answer.text()
    );
    let found = stored(&bench).await;
    assert_eq!(found[1].0, "boiler_pressure_pascals{job=\"boilers\"}");
    assert_eq!(values(&found[1].2), [7.5]);
}

#[tokio::test]
async fn prometheus_learns_what_to_send_again() {
    let bench = Bench::new().await;
    let writer = token(&bench, &["sample:write"]).await;
    let post = || bench.post("/api/v1/write", json!(null)).bearer(&writer);
    let packed =
        |kind: &str, body: Vec<u8>| post().body(kind, body).header("content-encoding", "snappy");
    let kind = "application/x-protobuf";
    let never = packed(kind, unhex(REMOTE_WRITE_1)).send().await;
    assert_eq!((never.status.as_u16(), &never.json()["code"]), (400, &json!("unknown-tag")));
    packed(kind, b"nothing".to_vec()).send().await.problem("invalid-request");
    let mut no_message = snap::raw::Encoder::new();
    let no_message = no_message.compress_vec(&[0x0F; 40]).unwrap();
    packed(kind, no_message).send().await.problem("invalid-request");
    packed("application/json", vec![]).send().await.problem("unsupported-media-type");
    packed("application/x-protobuf;proto=other", vec![])
        .send()
        .await
        .problem("unsupported-media-type");
    post().body(kind, unhex(REMOTE_WRITE_1)).send().await.problem("unsupported-media-type");
    // A block that says it is four gigabytes.
    let bomb = packed(kind, vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]).send().await;
    bomb.problem("too-large");
    let no_memory = bench.router_with(Limits { ingest_bytes_max: 0, ..Limits::default() });
    let later = packed(kind, unhex(REMOTE_WRITE_1)).through(no_memory).await;
    later.problem("unavailable");
    assert_eq!(later.header("retry-after"), "2");
}

#[tokio::test]
async fn slow_senders_get_no_more_memory_than_there_is() {
    const PART: usize = 64 << 10;
    let bench = Bench::new().await;
    bench.tag(json!({"name": "a", "data_type": "f64"})).await;
    let limits = Limits { ingest_bytes_max: 16 * PART, ..Limits::default() };
    let router = bench.router_with(limits);
    let line = "a value=1 1767225600\n";
    let mut part = line.repeat(PART / line.len());
    part.push_str(&" ".repeat(PART - part.len()));
    // Each sends a part of a body of unknown length and then nothing for as long as it may.
    let (mut senders, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..64 {
        let (sender, parts) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
        sender.send(Ok(part.clone())).await.unwrap();
        let body =
            axum::body::Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(parts));
        let call = bench.post("/write?precision=s", json!(null)).bearer(&bench.admin);
        answers.push(Box::pin(call.body("text/plain", body).through(router.clone())));
        senders.push(sender);
    }
    // Whoever gets no room is told at once, when to come back, too.
    let mut waiting = Vec::new();
    for mut answer in answers {
        // Not ended by the runtime's share of a turn, which is none of this test's business.
        match futures::poll!(tokio::task::unconstrained(&mut answer)) {
            std::task::Poll::Pending => waiting.push(answer),
            std::task::Poll::Ready(answer) => {
                answer.problem("unavailable");
                assert_eq!(answer.header("retry-after"), "2");
            }
        }
    }
    assert!(!waiting.is_empty() && waiting.len() <= 16, "{} hold a part", waiting.len());
    // What was held comes back, whether the sender ends or goes away.
    drop(waiting.split_off(waiting.len() / 2));
    drop(senders);
    for answer in waiting {
        assert!(matches!(answer.await.status.as_u16(), 204 | 503));
    }
    let call = bench.post("/write?precision=s", json!(null)).bearer(&bench.admin);
    let answer = call.body("text/plain", part).through(router).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}
