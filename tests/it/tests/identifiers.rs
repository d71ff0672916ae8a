//! Identifiers: registered by command, and answered over the Handle protocol.

use std::path::Path;

use serde_json::Value as Json;
use weir_it::{Weir, out, weir};

fn dig(data: &Path, node: &Weir, words: &[&str]) -> (Option<i32>, Json) {
    let server = node.handle_address();
    let asked = [&["id", "dig", "--json", "--server", &server], words].concat();
    let output = weir(data, &asked);
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Json::Null);
    (output.status.code(), answer)
}

#[test]
fn what_is_registered_is_answered_to_everybody_until_it_is_withdrawn() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let node = Weir::start("serve", data, &["--handle", "127.0.0.1:0"]).unwrap();
    let url = "URL=https://example.org/p-101";
    out(&weir(data, &["id", "create", "local/P-101", url, "DESC=进料泵"]));

    for way in [&["local/p-101"][..], &["LOCAL/p-101", "--tcp"], &["local/p-101", "--certified"]] {
        let (code, answer) = dig(data, &node, way);
        assert_eq!((code, &answer["code"]), (Some(0), &Json::from(1)), "{way:?} {answer}");
        let values: Vec<_> =
            answer["values"].as_array().unwrap().iter().map(|value| &value["data"]).collect();
        assert_eq!(values, ["https://example.org/p-101", "进料泵"], "{way:?}");
    }
    let (_, answer) = dig(data, &node, &["local/p-101", "--type", "url"]);
    assert_eq!(answer["values"].as_array().unwrap().len(), 1);

    // It is there once, and changes where that is asked for.
    assert_eq!(weir(data, &["id", "create", "local/p-101", url]).status.code(), Some(5));
    out(&weir(data, &["id", "create", "local/p-101", "DESC=feed pump", "--replace"]));
    let (_, answer) = dig(data, &node, &["local/p-101"]);
    assert_eq!(answer["values"][0]["data"], "feed pump");

    // What belongs to others, and what the node named for itself, is not told.
    let elsewhere = weir(data, &["id", "create", "88.9/p-101", url]);
    assert!(!elsewhere.status.success(), "{elsewhere:?}");
    out(&weir(data, &["tag", "create", "Pressure", "--id", "local/pressure"]));
    for (id, number) in [("local/pressure", 100), ("local/nothing", 100), ("88.9/p-101", 301)] {
        let (code, answer) = dig(data, &node, &[id]);
        assert_eq!((code, &answer["code"]), (Some(1), &Json::from(number)), "{id} {answer}");
    }
    assert!(out(&weir(data, &["id", "list"])).contains("local/P-101"));

    out(&weir(data, &["id", "withdraw", "local/p-101"]));
    assert_eq!(dig(data, &node, &["local/p-101"]).1["code"], 100);
    assert!(!out(&weir(data, &["id", "list"])).contains("P-101"));
    node.stop().unwrap();

    // The key of the server and its records are there after a start, and an identifier comes back.
    let node = Weir::start("serve", data, &["--handle", "127.0.0.1:0"]).unwrap();
    out(&weir(data, &["id", "create", "local/p-101", url]));
    let (code, answer) = dig(data, &node, &["local/p-101", "--certified"]);
    assert_eq!((code, &answer["certified"]), (Some(0), &Json::from(true)), "{answer}");
    node.stop().unwrap();
}

#[test]
fn identifiers_are_on_the_web() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[resolver]\nenabled = true\naddresses = [\"127.0.0.1:0\"]\n\
                    http_address = \"127.0.0.1:0\"\n";
    let node = Weir::serve_set(folder.path(), "127.0.0.1:0", settings, &[]).unwrap();
    let data = folder.path().join("data");
    out(&weir(&data, &["id", "create", "local/p-101", "URL=https://example.org/p-101"]));
    let root = format!("http://{}", node.ready_text("identifiers"));
    let web = weir_it::Api::new(&root);
    let record = web.fetch("/api/handles/local/p-101").unwrap();
    assert_eq!(record["responseCode"], 1);
    assert_eq!(record["values"][0]["data"]["value"], "https://example.org/p-101");
    assert_eq!(web.get("/api/handles/local/nothing").unwrap().status, 404);
    node.stop().unwrap();
}

#[test]
fn a_schedule_is_made_and_checked() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let ft06 = "6 6\n2 1 0 3 1 6 3 7 5 3 4 6\n1 8 2 5 4 10 5 10 0 10 3 4\n2 5 3 4 5 8 0 9 1 1 4 7\n\
                1 5 0 5 2 5 3 3 4 8 5 9\n2 9 1 3 4 5 5 4 0 3 3 1\n1 3 3 3 5 9 0 10 4 4 2 1\n";
    std::fs::write(data.join("ft06.txt"), ft06).unwrap();
    let solve = ["schedule", "solve", "ft06.txt", "--threads", "1", "--iterations", "200000"];
    let made = out(&weir(data, &[&solve[..], &["--time", "600", "--json"]].concat()));
    let schedule: Json = serde_json::from_str(&made).unwrap();
    assert_eq!(schedule["makespan"], 55);
    assert_eq!(schedule["operations"].as_array().unwrap().len(), 36);
    std::fs::write(data.join("made.json"), &made).unwrap();
    out(&weir(data, &["schedule", "check", "ft06.txt", "made.json"]));
    let mut wrong = schedule;
    wrong["operations"][3]["start"] = 0.into();
    std::fs::write(data.join("wrong.json"), wrong.to_string()).unwrap();
    let checked = weir(data, &["schedule", "check", "ft06.txt", "wrong.json"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let missing = weir(data, &["schedule", "solve", "nothing.txt"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nothing.txt"), "{missing:?}");
}
