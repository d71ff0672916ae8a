//! Values at times, rows of several tags, and other units.

use serde_json::{Value as Json, json};
use weir_model::{Grade, Timestamp};

use crate::bench::{Bench, segment};

const P: &str = "88.100/p";
const T: &str = "88.100/t";
const D: &str = "88.100/d";
const S: &str = "88.100/s";

fn at(second: u32) -> String {
    format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60)
}

/// Pressure in kPa, temperature in degrees Celsius, a door and a text.
async fn plant(bench: &Bench) {
    for (id, data_type, unit, grade) in [
        (P, "f64", json!("kPa"), "public"),
        (T, "f64", json!("Cel"), "public"),
        (D, "bool", Json::Null, "public"),
        (S, "text", Json::Null, "core"),
    ] {
        let tag =
            json!({"id": id, "name": id, "data_type": data_type, "unit": unit, "grade": grade});
        bench.tag(tag).await;
    }
    let sample = |tag: &str, second: u32, value: Json| json!({"tag": tag, "time": at(second), "value": value});
    let bad = |tag: &str, second: u32| json!({"tag": tag, "time": at(second), "value": null, "quality": "bad"});
    bench
        .store_samples(json!([
            sample(P, 0, json!(100)),
            sample(P, 10, json!(200)),
            bad(P, 15),
            sample(P, 20, json!(300)),
            sample(T, 5, json!(0)),
            sample(T, 15, json!(100)),
            sample(D, 0, json!(false)),
            sample(D, 12, json!(true)),
            sample(S, 3, json!("läuft, \"gut\"")),
        ]))
        .await;
}

async fn get(bench: &Bench, uri: &str) -> Json {
    bench.get(uri).bearer(&bench.admin).send().await.expect(200)
}

fn values(samples: &Json) -> Vec<(Json, String)> {
    let samples = samples.as_array().unwrap().iter();
    samples.map(|s| (s["value"].clone(), s["quality"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn a_tag_is_worth_what_its_kind_says_between_two_samples() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let times = [0, 5, 10, 12, 20, 25].map(at).join(",");
    let found = get(&bench, &format!("/api/v1/tags/{}/at?time={times}", segment(P))).await;
    assert_eq!((&found["tag"], &found["unit"]), (&json!(P), &json!("kPa")));
    assert_eq!(found["interpolation"], "linear");
    let (good, between, sub) = ("good", "good:0x00000402", "uncertain:0x40A40402");
    let want =
        [(100.0, good), (150.0, between), (200.0, good), (220.0, sub), (300.0, good), (300.0, sub)];
    let want: Vec<_> = want.iter().map(|(x, q)| (json!(x), (*q).to_owned())).collect();
    assert_eq!(values(&found["samples"]), want);
    assert_eq!(found["samples"][1]["time"], at(5));

    let found =
        get(&bench, &format!("/api/v1/tags/{}/at?time={},{}&mode=hold", segment(P), at(5), at(17)))
            .await;
    let want = [(json!(100.0), between.to_owned()), (json!(200.0), sub.to_owned())];
    assert_eq!(values(&found["samples"]), want);

    let uri = format!(
        "/api/v1/at?tags={},{},{},{}&time={}",
        segment(P),
        segment(D),
        segment(S),
        segment(T),
        at(2)
    );
    let items = get(&bench, &uri).await["items"].clone();
    let found: Vec<_> =
        items.as_array().unwrap().iter().map(|item| item["samples"][0]["value"].clone()).collect();
    assert_eq!(found, [json!(120.0), json!(false), Json::Null, Json::Null]);
    assert_eq!(items[3]["samples"][0]["quality"], "bad:0x809B0000");
    let csv = bench.get(&uri).bearer(&bench.admin).header("accept", "text/csv").send().await;
    assert_eq!(
        csv.text().lines().nth(1),
        Some("88.100/p,2026-01-01T00:00:02Z,120.0,good:0x00000402")
    );

    let aged = format!("/api/v1/tags/{}/at?time={}&max_age=4s", segment(P), at(5));
    assert_eq!(get(&bench, &aged).await["samples"][0]["value"], Json::Null);
    for (query, field) in [
        ("time=yesterday", "time"),
        ("mode=curved", "mode"),
        ("unit=Cel", "unit"),
        ("unit={x}", "unit"),
        ("max_age=5", "max_age"),
        ("max_age=0s", "max_age"),
    ] {
        let uri = format!("/api/v1/tags/{}/at?{}", segment(P), query.replace(['{', '}'], "%7B"));
        let answer = bench.get(&uri).bearer(&bench.admin).send().await;
        assert_eq!(answer.problem("invalid-request"), field, "{query}");
    }
    let many = vec![at(0); 3].join(",");
    assert_eq!(
        values(
            &get(&bench, &format!("/api/v1/tags/{}/at?time={many}", segment(P))).await["samples"]
        )
        .len(),
        1
    );
    let line = format!("/api/v1/tags/{}/at?mode=linear", segment(D));
    assert_eq!(
        bench.get(&line).bearer(&bench.admin).send().await.problem("invalid-request"),
        "mode"
    );
}

#[tokio::test]
async fn what_a_document_says_of_interpolation_holds() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let uri = format!("/api/v1/tags/{}", segment(P));
    let patch =
        bench.patch(&uri, json!({"interpolation": "step"})).bearer(&bench.admin).send().await;
    assert_eq!(patch.expect(200)["interpolation"], "step");
    let found = get(&bench, &format!("{uri}/at?time={}", at(5))).await;
    assert_eq!(found["samples"][0]["value"], 100.0);
    let text =
        bench.patch(&format!("/api/v1/tags/{}", segment(S)), json!({"interpolation": "linear"}));
    assert_eq!(text.bearer(&bench.admin).send().await.problem("invalid-value"), "/interpolation");
}

#[tokio::test]
async fn tags_are_aligned_row_by_row() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let span = format!("from={}&to={}&step=5s", at(0), at(21));
    let tags = [P, D, S].map(segment).join(",");
    let uri = format!("/api/v1/frames?tags={tags}&{span}");
    let found = get(&bench, &uri).await;
    let columns = json!([
        {"name": "time"},
        {"name": P, "tag": P, "unit": "kPa", "interpolation": "linear"},
        {"name": D, "tag": D, "interpolation": "step"},
        {"name": S, "tag": S, "interpolation": "step"},
    ]);
    assert_eq!(found["columns"], columns);
    let text = "läuft, \"gut\"";
    let rows = json!([
        [at(0), 100.0, false, null],
        [at(5), 150.0, false, text],
        [at(10), 200.0, false, text],
        [at(15), 250.0, true, text],
        [at(20), 300.0, true, text],
    ]);
    assert_eq!(found["rows"], rows);

    let csv = bench.get(&uri).bearer(&bench.admin).header("accept", "text/csv").send().await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<_> = csv.text().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "time,88.100/p,88.100/d,88.100/s");
    assert_eq!(lines[1], "2026-01-01T00:00:00Z,100.0,false,");
    assert_eq!(lines[2], "2026-01-01T00:00:05Z,150.0,false,\"läuft, \"\"gut\"\"\"");

    let sure =
        get(&bench, &format!("{uri}&least_quality=good&with_quality=true&max_age=10s")).await;
    assert_eq!(sure["columns"][2], json!({"name": "88.100/p quality", "tag": P}));
    let row = json!([
        at(15),
        null,
        "uncertain:0x40A40402",
        true,
        "good:0x00000402",
        null,
        "bad:0x809B0000"
    ]);
    assert_eq!(sure["rows"][3], row);
    // Times with other offsets, the plus as it is and percent-encoded.
    for plus in ["+", "%2B"] {
        let span = format!(
            "from=2026-01-01T08:00:00{plus}08:00&to=2025-12-31T19:00:20.000000001-05:00&step=5s"
        );
        let shifted = get(&bench, &format!("/api/v1/frames?tags={tags}&{span}")).await;
        assert_eq!(shifted["rows"], rows);
    }
}

#[tokio::test]
async fn frames_are_bounded_and_say_what_is_wrong() {
    let bench = Bench::new().await;
    plant(&bench).await;
    bench.tag(json!({"id": "88.100/a", "name": "a", "data_type": "array"})).await;
    let p = segment(P);
    for (query, field) in [
        (format!("tags={p}&step=1ns&from={}&to={}", at(0), at(1)), "step"),
        (format!("tags={p}&step=soon"), "step"),
        (format!("tags={p}&step=1s&from={}&to={}", at(1), at(1)), "from"),
        (format!("tags={p}&step=1s&units=Pa,Pa"), "units"),
        (format!("tags={p}&step=1s&mode=bent"), "mode"),
        (format!("tags={p},88.100%2Fa&step=1s"), "tags"),
        ("tags=&step=1s".to_owned(), "tags"),
        (format!("tags={}&step=1s", vec![p.clone(); 257].join(",")), "tags"),
    ] {
        let answer =
            bench.get(&format!("/api/v1/frames?{query}")).bearer(&bench.admin).send().await;
        assert_eq!(answer.problem("invalid-request"), field, "{query}");
    }
    // As many rows as a minute of nanoseconds would be are refused, a day of seconds is not.
    let day = format!(
        "/api/v1/frames?tags={p},{}&step=1s&from={}&to=2026-01-02T00:00:00Z",
        segment(D),
        at(0)
    );
    let found = get(&bench, &day).await;
    assert_eq!(found["rows"].as_array().unwrap().len(), 86_400);
    assert_eq!(found["rows"][86_399][2], true);
}

#[tokio::test]
async fn what_the_caller_may_not_see_is_not_there() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let viewer = bench.token_of("vera", "viewer", Grade::General).await;
    let second = bench.second_organisation().await;
    for tail in ["at?tags=", "frames?step=1s&tags="] {
        let open = format!("/api/v1/{tail}{}", segment(P));
        let both = format!("{open},{}", segment(S));
        bench.get(&open).bearer(&viewer).send().await.expect(200);
        bench.get(&both).bearer(&viewer).send().await.problem("not-found");
        bench.get(&open).bearer(&second).send().await.problem("not-found");
        bench
            .get(&format!("{open},88.100%2Fnone"))
            .bearer(&bench.admin)
            .send()
            .await
            .problem("not-found");
        assert_eq!(bench.get(&open).send().await.status, 401);
    }
    let secret = format!("/api/v1/tags/{}/at", segment(S));
    bench.get(&secret).bearer(&viewer).send().await.problem("not-found");
    bench.get(&secret).bearer(&second).send().await.problem("not-found");
}

#[tokio::test]
async fn values_are_read_in_other_units() {
    let bench = Bench::new().await;
    plant(&bench).await;
    let read = |tag: &str, query: String| {
        format!("/api/v1/tags/{}/samples?from={}&to={}&{query}", segment(tag), at(0), at(30))
    };
    let found = get(&bench, &read(T, "unit=%5BdegF%5D".into())).await;
    assert_eq!(found["unit"], "[degF]");
    assert_eq!(
        values(&found["samples"]).into_iter().map(|v| v.0).collect::<Vec<_>>(),
        [json!(32.0), json!(212.0)]
    );
    let found = get(&bench, &read(P, "unit=bar&max_points=10".into())).await;
    assert_eq!(found["samples"][0]["value"], 1.0);
    assert_eq!(found["samples"][2]["value"], Json::Null);
    let uri = format!(
        "/api/v1/frames?tags={},{},{}&units=bar,K,&from={}&to={}&step=5s",
        segment(P),
        segment(T),
        segment(D),
        at(5),
        at(15)
    );
    let found = get(&bench, &uri).await;
    assert_eq!(found["columns"][2]["unit"], "K");
    assert_eq!(found["rows"][0], json!([at(5), 1.5, 273.15, false]));
    let wrong = bench.get(&read(P, "unit=Cel".into())).bearer(&bench.admin).send().await;
    assert_eq!(wrong.problem("invalid-request"), "unit");
    let text = wrong.text();
    assert!(text.contains("pressure") && text.contains("temperature"), "{text}");
    let none = bench.get(&read(D, "unit=kPa".into())).bearer(&bench.admin).send().await;
    assert_eq!(none.problem("invalid-request"), "unit");
}

#[tokio::test]
async fn samples_are_converted_from_the_unit_they_were_measured_in() {
    let bench = Bench::new().await;
    let started = Timestamp::from_system(std::time::SystemTime::now());
    let id = bench.tag(json!({"id": P, "name": "p", "data_type": "f64", "unit": "kPa"})).await;
    let minute = std::time::Duration::from_secs(60);
    bench.pass(minute);
    let uri = format!("/api/v1/tags/{}", segment(&id));
    bench.patch(&uri, json!({"unit": "bar"})).bearer(&bench.admin).send().await.expect(200);
    bench.pass(minute);
    // The document said kPa until a minute after the start.
    let (before, after) = (started, started.saturating_add(120_000_000_000));
    bench
        .store_samples(json!([
            {"tag": id, "time": before, "value": 250}, {"tag": id, "time": after, "value": 2.5},
        ]))
        .await;
    let to = after.saturating_add(1);
    let uri = format!("{uri}/samples?from={before}&to={to}&unit=kPa");
    let found = get(&bench, &uri).await;
    assert_eq!(
        values(&found["samples"]).into_iter().map(|v| v.0).collect::<Vec<_>>(),
        [json!(250.0), json!(250.0)]
    );
    let found =
        get(&bench, &format!("/api/v1/at?tags={}&units=MPa&time={before},{after}", segment(P)))
            .await;
    assert_eq!(found["items"][0]["samples"][1]["value"], 0.25);
}

/// A snapshot of a machine's vibration: two tones and a little of everything, as a converter of 16 bits
/// measures them.
fn waveform(seed: u64) -> Vec<f64> {
    let mut state = seed | 1;
    let mut noise = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    let value = |n: usize| {
        let t = n as f64 / 25_600.0;
        let tones = 3.0 * (310.0 * t).sin() + 0.8 * (6_200.0 * t).sin();
        ((tones + noise()) / 10.0 * 32_768.0).round() / 3276.8
    };
    (0..1 << 16).map(value).collect()
}

#[tokio::test]
async fn a_waveform_goes_in_and_comes_out() {
    let bench = Bench::new().await;
    let id = bench
        .tag(json!({"id": "88.100/w", "name": "w", "data_type": "array", "unit": "m/s2"}))
        .await;
    let uri = format!("/api/v1/tags/{}", segment(&id));
    for second in 0..6 {
        let sample = json!({"tag": id, "time": at(second), "value": waveform(second.into())});
        bench.store_samples(json!([sample])).await;
    }
    bench.historian.flush().await.unwrap();
    let wave = json!(waveform(5));
    let read = get(&bench, &format!("{uri}/samples?from={}&to={}", at(0), at(9))).await;
    assert_eq!(read["samples"].as_array().unwrap().len(), 6);
    assert_eq!(read["samples"][5]["value"], wave);
    assert_eq!(get(&bench, &uri).await["last"]["value"], wave);
    let list = get(&bench, "/api/v1/tags").await;
    assert_eq!(list["items"][0]["last"]["value"], Json::Null);
    assert_eq!(list["items"][0]["last"]["elements"], 1 << 16);
    let then = format!("{uri}/at?time={}", at(7));
    assert_eq!(get(&bench, &then).await["samples"][0]["value"], wave);
    let binary = bench
        .get(&then)
        .bearer(&bench.admin)
        .header("accept", "application/octet-stream")
        .send()
        .await;
    let numbers: Vec<f64> =
        binary.body.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(numbers, waveform(5));
    let milli = get(&bench, &format!("{then}&unit=mm/s2")).await;
    assert_eq!(milli["samples"][0]["value"][7], waveform(5)[7] * 1000.0);
    // One element more is refused, whole.
    let long = json!({"samples": [{"tag": id, "time": at(8), "value": vec![0.5; (1 << 16) + 1]}]});
    let refused = bench.post("/api/v1/samples", long).bearer(&bench.admin).send().await;
    assert_eq!(refused.problem("invalid-value"), "/samples/0/value");
}
