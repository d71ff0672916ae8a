//! SQL over the running node: what is stored is found, as JSON, CSV and Arrow, by whoever may see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value as Json, json};
use weir_it::{Api, Weir, from_now};

/// Samples of each tag: more than the historian gives in one page.
const SAMPLES: i64 = 20_000;

#[test]
fn what_is_stored_is_found_by_whoever_may_see_it() {
    let data = tempfile::tempdir().unwrap();
    let weir = Weir::serve(data.path()).unwrap();
    let admin = weir.administrator().unwrap();
    let create = |name: &str, grade: &str| {
        let body = json!({ "name": name, "data_type": "f64", "grade": grade, "unit": "kPa" });
        admin.post("/api/v1/tags", &body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (open, secret) = (create("Open", "general"), create("Secret", "core"));
    for tag in [&secret, &open] {
        let times = (0..SAMPLES).map(|second| at(second).to_string());
        let samples = times.enumerate().map(|(n, t)| json!({ "tag": tag, "time": t, "value": n }));
        let body = json!({ "samples": samples.collect::<Vec<_>>() });
        admin.post("/api/v1/samples", &body).unwrap();
    }
    let count =
        "SELECT tag, count(*), min(value), max(value) FROM samples GROUP BY tag ORDER BY tag";
    let last = (SAMPLES - 1) as f64;
    let [of_open, of_secret] = [&open, &secret].map(|tag| json!([tag, SAMPLES, 0.0, last]));
    assert_eq!(rows(&admin, count), json!([of_open, of_secret]));

    by_time(&admin, &open);
    formats(&admin, &open);
    command_line(data.path(), &open);

    let lower = token(&weir, &admin, "li", "important", "local");
    assert_eq!(rows(&lower, count), json!([of_open]));
    assert_eq!(rows(&lower, "SELECT id FROM tags"), json!([[open]]));
    assert_eq!(rows(&lower, &format!("SELECT * FROM samples WHERE tag = '{secret}'")), json!([]));
    admin.post("/api/v1/organisations", &json!({ "prefix": "other", "name": "Other" })).unwrap();
    let other = token(&weir, &admin, "eve", "core", "other");
    for sql in
        [count.to_owned(), "SELECT * FROM tags".to_owned(), "SELECT * FROM assets".to_owned()]
    {
        assert_eq!(rows(&other, &sql), json!([]), "{sql}");
    }
    assert_eq!(
        weir.api().json("POST", "/api/v1/query", &json!({ "sql": count })).unwrap().status,
        401
    );
    refusals(&admin);
    assert_eq!(rows(&admin, count), json!([of_open, of_secret]));
    weir.stop().unwrap();
}

fn at(second: i64) -> weir_model::Timestamp {
    weir_model::Timestamp::from_millis(1_767_225_600_000 + second * 1000).unwrap()
}

fn by_time(api: &Api, tag: &str) {
    let narrow = format!(
        "SELECT time, value, quality FROM samples WHERE tag = '{tag}' AND time >= '{}' AND time < '{}' ORDER BY time",
        at(9000),
        at(9002)
    );
    let expected = json!([[at(9000), 9000.0, "good"], [at(9001), 9001.0, "good"]]);
    assert_eq!(rows(api, &narrow), expected);
    let hours = format!(
        "SELECT time_bucket('1 hour', time) AS h, avg(value), last(value, time) FROM samples \
         WHERE tag = '{tag}' GROUP BY h ORDER BY h LIMIT 2"
    );
    let expected = json!([[at(0), 1799.5, 3599.0], [at(3600), 5399.5, 7199.0]]);
    assert_eq!(rows(api, &hours), expected);
    let joined = "SELECT count(*) FROM samples s JOIN tags t ON t.id = s.tag WHERE t.name = 'Open'";
    assert_eq!(rows(api, joined), json!([[SAMPLES]]));
}

fn formats(api: &Api, tag: &str) {
    let sql = json!({ "sql": format!("SELECT tag, time, value FROM samples WHERE tag = '{tag}' LIMIT 2") });
    let body = serde_json::to_vec(&sql).unwrap();
    let ask = |accept: &str| {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        api.send("POST", "/api/v1/query", &headers, &body).unwrap()
    };
    let csv = ask("text/csv");
    let expected = format!("tag,time,value\n{tag},{},0.0\n{tag},{},1.0\n", at(0), at(1));
    assert_eq!((csv.status, csv.text), (200, expected));
    let arrow = ask("application/vnd.apache.arrow.stream");
    assert_eq!(arrow.status, 200);
    assert_eq!(arrow.header("content-type"), "application/vnd.apache.arrow.stream");
    assert!(arrow.text.contains("value") && arrow.text.contains(tag), "{:?}", arrow.text);
}

fn command_line(data: &std::path::Path, tag: &str) {
    let run = |words: &[&str]| -> Output {
        let mut weir = Command::new(Weir::binary().unwrap());
        weir.arg("query").args(words).arg("--data").arg(data).current_dir(data);
        weir.env_remove("WEIR_URL").env_remove("WEIR_TOKEN").output().unwrap()
    };
    let sql =
        format!("SELECT value, quality FROM samples WHERE tag = '{tag}' ORDER BY time LIMIT 1");
    let printed = |words: &[&str]| String::from_utf8(run(words).stdout).unwrap();
    assert_eq!(printed(&[&sql]), "VALUE  QUALITY\n0.0    good\n");
    assert_eq!(printed(&[&sql, "--csv"]), "value,quality\n0.0,good\n");
    let answer: Json = serde_json::from_str(&printed(&[&sql, "--json"])).unwrap();
    assert_eq!(answer["rows"], json!([[0.0, "good"]]));
    let refused = run(&["DROP TABLE samples"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("SELECT"), "{refused:?}");
}

fn refusals(api: &Api) {
    for (sql, status, code) in [
        ("DELETE FROM samples", 422, "invalid-value"),
        ("SELECT * FROM '/etc/passwd'", 422, "invalid-value"),
        ("SELEC", 422, "invalid-value"),
        ("SELECT a.value FROM samples a, samples b, samples c", 422, "query-limit"),
    ] {
        let answer = api.json("POST", "/api/v1/query", &json!({ "sql": sql })).unwrap();
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{sql}");
    }
}

fn rows(api: &Api, sql: &str) -> Json {
    let answer = api.json("POST", "/api/v1/query", &json!({ "sql": sql })).unwrap();
    assert_eq!(answer.status, 200, "{sql}: {}", answer.text);
    let mut answer = answer.json();
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    answer["rows"].take()
}

/// A new viewer of an organisation, by a token.
fn token(weir: &Weir, admin: &Api, name: &str, ceiling: &str, organisation: &str) -> Api {
    let body = json!({
        "name": name, "password": "a long enough secret 1", "roles": ["viewer"],
        "ceiling": ceiling, "organisation": organisation,
    });
    admin.post("/api/v1/users", &body).unwrap();
    if organisation != "local" {
        // Whoever makes tokens there is an administrator of its own.
        let body = json!({
            "name": "root", "password": "a long enough secret 2", "roles": ["administrator"],
            "ceiling": "core", "organisation": organisation,
        });
        admin.post("/api/v1/users", &body).unwrap();
        let root = format!("root@{organisation}");
        let root = weir.api().sign_in_for_token(&root, "a long enough secret 2", &[]).unwrap();
        return viewer(weir, &weir.api().with_token(&root), name, organisation);
    }
    viewer(weir, admin, name, organisation)
}

fn viewer(weir: &Weir, admin: &Api, name: &str, organisation: &str) -> Api {
    let body = json!({
        "name": name, "user": format!("{organisation}/user.{name}"),
        "scopes": ["sample:read", "tag:read", "asset:read"],
        "expires": from_now(Duration::from_secs(3600)),
    });
    let made = admin.post("/api/v1/tokens", &body).unwrap();
    weir.api().with_token(made["token"].as_str().unwrap())
}
