//! Samples in by every format, and out again.

use std::io::Write;

use serde_json::{Value as Json, json};
use weir_api::Limits;
use weir_model::Grade;

use crate::bench::Bench;

async fn read(bench: &Bench, tag: &str, query: &str) -> Json {
    let uri = format!("/api/v1/tags/{}/samples?{query}", crate::bench::segment(tag));
    bench.get(&uri).bearer(&bench.admin).send().await.expect(200)["samples"].clone()
}

const DAY: &str = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";

async fn tags(bench: &Bench) {
    for (name, data_type) in
        [("f", "f64"), ("i", "i64"), ("u", "u64"), ("b", "bool"), ("t", "text"), ("a", "array")]
    {
        let id = format!("88.100/{name}");
        bench.tag(json!({"id": id, "name": format!("plc.{name}"), "data_type": data_type})).await;
    }
}

#[tokio::test]
async fn every_type_comes_back_as_it_went_in() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let time = "2026-01-01T08:00:00.000000001Z";
    let values = [
        ("f", json!(0.1)),
        ("i", json!("-9007199254740993")),
        ("u", json!("18446744073709551615")),
        ("b", json!(true)),
        ("t", json!("läuft, \"gut\"\n")),
        ("a", json!([1, 2.5, "x", true])),
    ];
    let sample = |(tag, value): &(&str, Json)| json!({"tag": format!("88.100/{tag}"), "time": time, "value": value});
    let samples: Vec<_> = values.iter().map(sample).collect();
    bench.store_samples(json!(samples)).await;
    for (tag, value) in &values {
        let found = read(&bench, &format!("88.100/{tag}"), DAY).await;
        assert_eq!(found, json!([{"time": time, "value": value, "quality": "good"}]), "{tag}");
    }
    let bad =
        json!([{"tag": "88.100/f", "time": time, "value": null, "quality": "bad:0x80310000"}]);
    bench.store_samples(bad).await;
    let found = read(&bench, "88.100/f", DAY).await;
    let want = json!([{"time": time, "value": null, "quality": "bad:0x80310000"}]);
    assert_eq!(found, want, "the later of two samples of one time counts");
}

#[tokio::test]
async fn csv_and_line_protocol_plain_and_packed() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let csv = "tag,time,value\n88.100/f,2026-01-01T00:00:01Z,1.5\n88.100/t,2026-01-01T00:00:01Z,\"a,b\"\n";
    let line = "88.100/f value=2.5 1767225602000000000\nplc f=3.5,i=4i 1767225603000000000\n";
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(line.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    for (kind, coding, body, count) in [
        ("text/csv; charset=utf-8", "identity", csv.as_bytes().to_vec(), 2),
        ("text/plain", "gzip", gzip, 3),
        ("text/csv", "zstd", zstd, 2),
    ] {
        let call = bench.post("/api/v1/samples", json!(null)).bearer(&bench.admin);
        let call = call.body(kind, body).header("content-encoding", coding);
        assert_eq!(call.send().await.expect(200)["accepted"], count, "{kind} {coding}");
    }
    let found = read(&bench, "88.100/f", DAY).await;
    let values: Vec<_> = found.as_array().unwrap().iter().map(|s| s["value"].clone()).collect();
    assert_eq!(values, [json!(1.5), json!(2.5), json!(3.5)]);
}

#[tokio::test]
async fn all_or_nothing() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let send =
        async |body: Json| bench.post("/api/v1/samples", body).bearer(&bench.admin).send().await;
    let good = json!({"tag": "88.100/f", "time": "2026-01-01T00:00:00Z", "value": 1});
    let unknown = send(json!({"samples": [good, {"tag": "88.100/nope", "value": 1}]})).await;
    assert_eq!(unknown.problem("unknown-tag"), "/samples/1/tag");
    assert!(unknown.json()["detail"].as_str().unwrap().contains("88.100/nope"));
    let wrong = send(json!({"samples": [good, {"tag": "88.100/i", "value": 1.5}]})).await;
    assert_eq!(wrong.problem("invalid-value"), "/samples/1/value");
    let future = json!({"tag": "88.100/f", "time": "2200-01-01T00:00:00Z", "value": 1});
    let future = send(json!({"samples": [good, future]})).await;
    assert_eq!(future.problem("time-in-future"), "/samples/1/time");
    assert_eq!(read(&bench, "88.100/f", DAY).await, json!([]));
}

#[tokio::test]
async fn a_batch_sent_again_is_stored_once() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let batch = |sequence: u64| {
        json!({"producer": "gateway", "sequence": sequence, "samples": [
            {"tag": "88.100/f", "time": "2026-01-01T00:00:00Z", "value": sequence},
        ]})
    };
    for sequence in [1, 2, 1] {
        let call = bench.post("/api/v1/samples", batch(sequence)).bearer(&bench.admin);
        assert_eq!(call.send().await.expect(200)["accepted"], 1);
    }
    assert_eq!(read(&bench, "88.100/f", DAY).await[0]["value"], 2.0);
    assert_eq!(bench.historian.stats().samples, 2);
}

#[tokio::test]
async fn a_tag_is_known_right_after_its_creation_and_gone_right_after_its_deletion() {
    let bench = Bench::new().await;
    for round in 0..20 {
        let id = bench.tag(json!({"name": format!("tag {round}"), "data_type": "f64"})).await;
        bench.store_samples(json!([{"tag": id, "value": 1}])).await;
        let uri = format!("/api/v1/tags/{}", crate::bench::segment(&id));
        bench.delete(&uri).bearer(&bench.admin).send().await.expect(204);
        let samples = json!({"samples": [{"tag": id, "value": 1}]});
        let answer = bench.post("/api/v1/samples", samples).bearer(&bench.admin).send().await;
        answer.problem("unknown-tag");
    }
}

#[tokio::test]
async fn bodies_are_bounded_packed_and_unpacked() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let small = Limits {
        body_packed_bytes_max: 64 << 10,
        body_unpacked_bytes_max: 256 << 10,
        ..Limits::default()
    };
    let router = bench.router_with(small);
    let post = || bench.post("/api/v1/samples", json!(null)).bearer(&bench.admin);
    let plain = post().body("text/csv", vec![b'x'; 65 << 10]).through(router.clone()).await;
    plain.problem("too-large");
    let bomb = zstd::encode_all(vec![b'x'; 1 << 20].as_slice(), 1).unwrap();
    let bomb = post().body("text/csv", bomb).header("content-encoding", "zstd");
    bomb.through(router).await.problem("too-large");
    let coding = post().body("text/csv", "x").header("content-encoding", "br").send().await;
    coding.problem("unsupported-media-type");
    post().body("image/png", "x").send().await.problem("unsupported-media-type");
    let no_memory = bench.router_with(Limits { ingest_bytes_max: 0, ..Limits::default() });
    let shed = post().body("text/csv", "tag,value\n").through(no_memory).await;
    shed.problem("unavailable");
    assert_eq!(shed.header("retry-after"), "2");
}

#[tokio::test]
async fn ranges_are_answered_whole_or_thinned() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let rows: String = (0..20_000)
        .map(|n| {
            format!(
                "88.100/f value={} {}\n",
                if n == 777 { 1e6 } else { (n % 10) as f64 },
                1_767_225_600_000_i64 + n
            )
        })
        .collect();
    let post = bench.post("/api/v1/samples?precision=ms", json!(null)).bearer(&bench.admin);
    assert_eq!(post.body("text/plain", rows).send().await.expect(200)["accepted"], 20_000);
    let found = read(&bench, "88.100/f", &format!("{DAY}&max_points=100")).await;
    let found = found.as_array().unwrap();
    assert!(found.len() <= 100, "{}", found.len());
    assert!(found.iter().any(|sample| sample["value"] == 1e6), "the peak is kept");
    for query in
        [DAY.to_owned(), format!("{DAY}&max_points=100000"), "from=1900-01-01T00:00:00Z".into()]
    {
        let all = read(&bench, "88.100/f", &query).await;
        let time =
            |sample: &Json| weir_model::Timestamp::parse(sample["time"].as_str().unwrap()).unwrap();
        let times: Vec<_> = all.as_array().unwrap().iter().map(time).collect();
        assert_eq!(times.len(), 20_000, "{query}");
        assert!(times.is_sorted(), "{query}");
    }
    for (query, field) in [
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("from=yesterday", "from"),
        ("max_points=0", "max_points"),
    ] {
        let uri = format!("/api/v1/tags/88.100%2Ff/samples?{query}");
        let answer = bench.get(&uri).bearer(&bench.admin).send().await;
        assert_eq!(answer.problem("invalid-request"), field, "{query}");
    }
    let uri = format!("/api/v1/tags/88.100%2Ff/samples?{DAY}");
    let csv = bench.get(&uri).bearer(&bench.admin).header("accept", "text/csv").send().await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.text().lines().count(), 20_001);
    // What was exported can be sent back as it is.
    let back = bench.post("/api/v1/samples", json!(null)).bearer(&bench.admin);
    let back = back.body("text/csv", csv.body).send().await;
    assert_eq!(back.expect(200)["accepted"], 20_000);
}

#[tokio::test]
async fn samples_are_deleted_by_who_may_and_the_audit_says_so() {
    let bench = Bench::new().await;
    tags(&bench).await;
    let sample = |second: u32| json!({"tag": "88.100/f", "time": format!("2026-01-01T00:00:{second:02}Z"), "value": second});
    bench.store_samples((0..10).map(sample).collect()).await;
    let uri = |span: &str| format!("/api/v1/tags/88.100%2Ff/samples?{span}");
    let span = uri("from=2026-01-01T00:00:02Z&to=2026-01-01T00:00:12Z");
    let operator = bench.token_of("ole", "operator", Grade::Core).await;
    bench.delete(&span).bearer(&operator).send().await.problem("forbidden");
    for wrong in
        ["", "from=2026-01-01T00:00:02Z", "from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z"]
    {
        bench.delete(&uri(wrong)).bearer(&bench.admin).send().await.problem("invalid-request");
    }
    assert_eq!(read(&bench, "88.100/f", DAY).await.as_array().unwrap().len(), 10);
    bench.delete(&span).bearer(&bench.admin).send().await.expect(204);
    let left = read(&bench, "88.100/f", DAY).await;
    assert_eq!((left.as_array().unwrap().len(), &left[1]["value"]), (2, &json!(1.0)));
    let tag = bench.get("/api/v1/tags/88.100%2Ff").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(tag["last"]["value"], 1.0);
    bench.store_samples(json!([sample(5)])).await;
    assert_eq!(read(&bench, "88.100/f", DAY).await[2]["value"], 5.0);
    let audit = bench.get("/api/v1/audit?q=samples.delete").bearer(&bench.admin).send().await;
    let audit = audit.expect(200);
    let entry = audit["items"].as_array().unwrap().iter().find(|entry| entry["kind"] == "note");
    assert_eq!(entry.unwrap()["detail"]["to"], "2026-01-01T00:00:12Z", "{audit}");
}
