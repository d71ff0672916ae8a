//! Assets, tags, organisations, identifiers: created, listed, changed, renamed, deleted.

use serde_json::{Value as Json, json};

use crate::bench::Bench;

async fn tree(bench: &Bench) {
    for (name, level, parent) in [
        ("Site", "site", None),
        ("Line", "work_center", Some("88.100/site")),
        ("Reactor", "work_unit", Some("88.100/line")),
    ] {
        let asset =
            json!({"name": name, "level": level, "parent": parent, "names": {"zh-CN": "名"}});
        bench.post("/api/v1/assets", asset).bearer(&bench.admin).send().await.expect(201);
    }
}

fn ids(list: &Json) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_asset_tree() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    tree(&bench).await;
    let all = bench.get("/api/v1/assets").bearer(admin).send().await.expect(200);
    assert_eq!(ids(&all), ["88.100/line", "88.100/reactor", "88.100/site"]);
    let top = bench.get("/api/v1/assets?parent=").bearer(admin).send().await.expect(200);
    assert_eq!(ids(&top), ["88.100/site"]);
    let below =
        bench.get("/api/v1/assets?parent=88.100/SITE").bearer(admin).send().await.expect(200);
    assert_eq!(ids(&below), ["88.100/line"]);
    let found = bench.get("/api/v1/assets?q=REAC").bearer(admin).send().await.expect(200);
    assert_eq!(ids(&found), ["88.100/reactor"]);

    let uri = "/api/v1/assets/88.100%2Fline";
    let under = json!({"parent": "88.100/reactor"});
    let cycle = bench.patch(uri, under).bearer(admin).send().await;
    assert_eq!(cycle.problem("invalid-value"), "/parent");
    let id = bench.patch(uri, json!({"id": "88.100/other"})).bearer(admin).send().await;
    assert_eq!(id.problem("invalid-value"), "/id");
    let renamed =
        bench.patch(uri, json!({"name": "Line 1", "names": null})).bearer(admin).send().await;
    assert_eq!(renamed.header("etag"), "\"2\"");
    let renamed = renamed.expect(200);
    assert_eq!((&renamed["id"], &renamed["names"]), (&json!("88.100/line"), &json!({})));
    bench.delete(uri).bearer(admin).send().await.problem("conflict");
    bench.delete("/api/v1/assets/88.100%2Freactor").bearer(admin).send().await.expect(204);
    bench.delete(uri).bearer(admin).send().await.expect(204);
    bench.get(uri).bearer(admin).send().await.problem("not-found");
}

#[tokio::test]
async fn the_state_of_an_asset_counts_what_hangs_below() {
    let bench = Bench::new().await;
    tree(&bench).await;
    for name in ["One", "Two"] {
        bench.tag(json!({"name": name, "data_type": "f64", "asset": "88.100/reactor"})).await;
    }
    bench
        .store_samples(json!([
            {"tag": "88.100/one", "value": 1},
            {"tag": "88.100/two", "value": null, "quality": "bad:0x80310000"},
        ]))
        .await;
    for asset in ["site", "line", "reactor"] {
        let uri = format!("/api/v1/assets/88.100%2F{asset}");
        let asset = bench.get(&uri).bearer(&bench.admin).send().await.expect(200);
        assert_eq!(asset["state"], json!({"tags": 2, "bad": 1, "devices_down": 0}));
    }
    let overview = bench.get("/api/v1/overview").bearer(&bench.admin).send().await.expect(200);
    assert_eq!((&overview["tags"], &overview["tags_bad"]), (&json!(2), &json!(1)));
    assert_eq!(overview["assets"], 3);
    assert_eq!(overview["organisation"]["prefix"], "88.100");
    assert_eq!(overview["samples"]["total"], 2);
}

#[tokio::test]
async fn a_tag_from_creation_to_deletion() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    tree(&bench).await;
    let document = json!({
        "name": "反应器压力", "names": {"en": "Reactor pressure"}, "unit": "kPa{gauge}",
        "data_type": "f64", "asset": "88.100/reactor", "range": {"low": 0, "high": 3000},
        "domain": "production",
    });
    let made = bench.post("/api/v1/tags", document).bearer(admin).send().await;
    assert!(made.header("location").starts_with("/api/v1/tags/88%2E100%2Ftag%2D"));
    assert_eq!(made.header("etag"), "\"1\"");
    let made = made.expect(201);
    assert_eq!(made["unit_symbol"], "kPa(g)");
    assert_eq!((&made["protocol"], &made["last"]), (&json!("http"), &Json::Null));
    let id = made["id"].as_str().unwrap().to_owned();
    let uri = format!("/api/v1/tags/{}", crate::bench::segment(&id));

    let time = "2026-01-01T08:00:00.123456789Z";
    bench.store_samples(json!([{"tag": id, "time": time, "value": 2705.0}])).await;
    let got = bench.get(&uri).bearer(admin).send().await.expect(200);
    assert_eq!(got["last"], json!({"time": time, "value": 2705.0, "quality": "good"}));

    let stale = bench.patch(&uri, json!({"name": "x"})).bearer(admin).header("if-match", "\"7\"");
    stale.send().await.problem("version-conflict");
    let renamed = bench.patch(&uri, json!({"name": "Pressure"})).bearer(admin);
    let renamed = renamed.header("if-match", "\"1\"").send().await.expect(200);
    assert_eq!((&renamed["id"], &renamed["version"]), (&json!(id), &json!(2)));
    let kind = bench.patch(&uri, json!({"data_type": "bool"})).bearer(admin).send().await;
    assert_eq!(kind.problem("invalid-value"), "/data_type");
    let range = bench.patch(&uri, json!({"range": {"low": 9}})).bearer(admin).send().await;
    range.expect(200);

    let versions =
        bench.get(&format!("{uri}/versions?limit=2")).bearer(admin).send().await.expect(200);
    assert_eq!(versions["items"][0]["version"], 3);
    let next = format!("{uri}/versions?cursor={}", versions["next"].as_str().unwrap());
    let versions = bench.get(&next).bearer(admin).send().await.expect(200);
    assert_eq!(versions["items"][0]["tag"]["name"], "反应器压力");
    assert_eq!(versions["next"], Json::Null);

    let record = format!("/api/v1/identifiers/{}", crate::bench::segment(&id));
    let resolved = bench.get(&record).bearer(admin).send().await.expect(200);
    assert_eq!((&resolved["kind"], &resolved["name"]), (&json!("tag"), &json!("Pressure")));
    let link = resolved["links"]["tag"].as_str().unwrap();
    assert_eq!(bench.get(link).bearer(admin).send().await.expect(200)["id"], id);
    let link = resolved["links"]["samples"].as_str().unwrap();
    bench.get(link).bearer(admin).send().await.expect(200);

    bench.delete(&uri).bearer(admin).send().await.expect(204);
    bench.get(&uri).bearer(admin).send().await.problem("not-found");
    bench.get(&record).bearer(admin).send().await.problem("not-found");
    // The same identifier again is another tag, without the samples of the first.
    let again = bench.tag(json!({"name": "Again", "data_type": "f64", "id": id})).await;
    assert_eq!(again, id);
    let got = bench.get(&uri).bearer(admin).send().await.expect(200);
    assert_eq!(got["last"], Json::Null);
}

#[tokio::test]
async fn lists_of_tags_are_filtered_ordered_and_paged() {
    let bench = Bench::new().await;
    let admin = bench.admin.as_str();
    tree(&bench).await;
    for (name, asset) in [
        ("Charlie", "88.100/reactor"),
        ("Alpha", "88.100/line"),
        ("Delta", "88.100/reactor"),
        ("Bravo", "88.100/site"),
    ] {
        bench.tag(json!({"name": name, "data_type": "f64", "asset": asset})).await;
    }
    let list = async |query: &str| {
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let uri = format!("/api/v1/tags?limit=2{query}{cursor}");
            let page = bench.get(&uri).bearer(admin).send().await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            names.extend(items.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return names.join(" "),
            }
        }
    };
    assert_eq!(list("").await, "Alpha Bravo Charlie Delta");
    assert_eq!(list("&sort=name").await, "Alpha Bravo Charlie Delta");
    assert_eq!(list("&sort=-name").await, "Delta Charlie Bravo Alpha");
    assert_eq!(list("&asset=88.100/line").await, "Alpha Charlie Delta");
    assert_eq!(list("&asset=88.100/reactor&sort=-name").await, "Delta Charlie");
    assert_eq!(list("&asset=88.100/nowhere").await, "");
    assert_eq!(list("&q=ALPH").await, "Alpha");
    assert_eq!(list("&protocol=modbus").await, "");
    assert_eq!(list("&protocol=http&q=a%20l").await, "Alpha Charlie Delta");
    bench
        .store_samples(json!([
            {"tag": "88.100/delta", "time": "2026-01-01T00:00:02Z", "value": 1},
            {"tag": "88.100/bravo", "time": "2026-01-01T00:00:03Z", "value": 1},
            {"tag": "88.100/alpha", "time": "2026-01-01T00:00:01Z", "value": 1},
        ]))
        .await;
    assert_eq!(list("&sort=time").await, "Bravo Delta Alpha Charlie");
}

#[tokio::test]
async fn many_tags_at_once_get_numbers_of_their_own() {
    let bench = Bench::new().await;
    let made = (0..20).map(|_| bench.tag(json!({"name": "Same name", "data_type": "f64"})));
    let made = futures::future::join_all(made).await;
    let distinct: std::collections::HashSet<_> = made.iter().collect();
    assert_eq!(distinct.len(), 20, "{made:?}");
}

#[tokio::test]
async fn organisations_keep_to_themselves() {
    let bench = Bench::new().await;
    let second = bench.second_organisation().await;
    let all = bench.get("/api/v1/organisations").bearer(&bench.admin).send().await.expect(200);
    assert_eq!(ids(&all), ["88.100/organisation", "88.200/organisation"]);
    let own = bench.get("/api/v1/organisations").bearer(&second).send().await.expect(200);
    assert_eq!(ids(&own), ["88.200/organisation"]);
    let taken = json!({"prefix": "88.100", "name": "x"});
    let taken = bench.post("/api/v1/organisations", taken).bearer(&bench.admin).send().await;
    assert_eq!(taken.problem("conflict"), "/prefix");
    let more = json!({"prefix": "88.300", "name": "x"});
    bench.post("/api/v1/organisations", more).bearer(&second).send().await.problem("forbidden");
    let uri = "/api/v1/organisations/88.200";
    let renamed = bench.patch(uri, json!({"name": "New", "grade": "public"})).bearer(&second);
    assert_eq!(renamed.send().await.expect(200)["name"], "New");
    let record = bench.get("/api/v1/identifiers/88.200%2Forganisation").bearer(&second);
    assert_eq!(record.send().await.expect(200)["name"], "New");
    let by_node = bench.patch(uri, json!({"name": "Newer"})).bearer(&bench.admin);
    assert_eq!(by_node.send().await.expect(200)["name"], "Newer");
}

#[tokio::test]
async fn changes_are_followed_from_any_position() {
    let bench = Bench::new().await;
    bench.tag(json!({"name": "One", "data_type": "f64"})).await;
    let changes = bench.get("/api/v1/changes").bearer(&bench.admin).send().await.expect(200);
    let last = changes["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["cause"], "tag.create");
    let keys: Vec<_> =
        last["records"].as_array().unwrap().iter().map(|r| &r["collection"]).collect();
    assert!(keys.contains(&&json!("tags")) && keys.contains(&&json!("identifiers")), "{last}");
    let uri = format!("/api/v1/changes?after={}", changes["next"]);
    let none = bench.get(&uri).bearer(&bench.admin).send().await.expect(200);
    assert_eq!(none["items"], json!([]));
    let ahead = bench.get("/api/v1/changes?after=999999").bearer(&bench.admin).send().await;
    assert_eq!(ahead.problem("invalid-request"), "after");
}
