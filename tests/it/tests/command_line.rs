//! The commands, as somebody types them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value as Json;
use weir_it::{Weir, out, weir};

#[test]
fn a_running_node_is_found_and_asked() {
    let data = tempfile::tempdir().unwrap();
    let node = Weir::serve(data.path()).unwrap();
    let run = |words: &[&str]| weir(data.path(), words);

    let made: Json = serde_json::from_str(&out(&run(&[
        "tag",
        "create",
        "Boiler pressure",
        "--unit",
        "kPa",
        "--id",
        "local/boiler.pressure",
        "--json",
    ])))
    .unwrap();
    assert_eq!(made["id"], "local/boiler.pressure");
    assert!(out(&run(&["tag", "list"])).contains("Boiler pressure"));
    let resolved = out(&run(&["id", "resolve", "LOCAL/Boiler.Pressure"]));
    assert!(resolved.contains("tag"), "{resolved}");

    let missing = run(&["id", "resolve", "local/nobody"]);
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
    assert!(String::from_utf8_lossy(&missing.stderr).starts_with("weir: "), "{missing:?}");
    let twice = run(&["tag", "create", "x", "--id", "local/boiler.pressure"]);
    assert_eq!(twice.status.code(), Some(5), "{twice:?}");

    let user: Json = serde_json::from_str(&out(&run(&[
        "user",
        "create",
        "chen",
        "--role",
        "viewer",
        "--ceiling",
        "general",
        "--json",
    ])))
    .unwrap();
    assert!(user["password"].as_str().unwrap().len() > 12);
    let chen = user["id"].as_str().unwrap();
    let token = out(&run(&["token", "create", "tablet", "--user", chen, "--scopes", "tag:read"]));
    let viewer = node.api().with_token(token.trim());
    assert_eq!(viewer.get("/api/v1/tags").unwrap().status, 200);
    // The tag has no grade, so it is core, above the viewer's ceiling.
    assert_eq!(viewer.fetch("/api/v1/tags").unwrap()["items"].as_array().unwrap().len(), 0);
    out(&run(&["user", "disable", chen]));
    assert_eq!(viewer.get("/api/v1/tags").unwrap().status, 401);

    let token = out(&run(&[
        "token",
        "create",
        "line 4",
        "--user",
        "local/user.admin",
        "--scopes",
        "tag:read,sample:write",
    ]));
    assert_eq!(node.api().with_token(token.trim()).get("/api/v1/tags").unwrap().status, 200);
    assert!(out(&run(&["token", "list"])).contains("line 4"));

    let exported = out(&run(&["export"]));
    assert!(exported.contains("Boiler pressure") && !exported.contains("argon2"), "{exported}");

    let verified = out(&run(&["audit", "verify"]));
    println!("{verified}");
    assert!(out(&run(&["audit", "list"])).contains("tag.create"));
    let backup = out(&run(&["backup"]));
    assert!(data.path().join(backup.trim()).exists(), "{backup}");
    node.stop().unwrap();

    let gone = run(&["tag", "list"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("weir serve"), "{gone:?}");
    out(&run(&["audit", "verify"]));
}

#[test]
fn a_changed_audit_log_is_found_out() {
    let data = tempfile::tempdir().unwrap();
    let node = Weir::serve(data.path()).unwrap();
    out(&weir(data.path(), &["tag", "create", "a", "--id", "local/a"]));
    out(&weir(data.path(), &["user", "list"]));
    node.stop().unwrap();
    out(&weir(data.path(), &["audit", "verify"]));
    let mut changed = 0;
    for file in files(&data.path().join("audit")) {
        let mut bytes = std::fs::read(&file).unwrap();
        let marks: Vec<usize> = (0..bytes.len().saturating_sub(10))
            .filter(|&i| bytes[i..].starts_with(b"tag.create"))
            .collect();
        for at in marks {
            bytes[at] = b'T';
            changed += 1;
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(changed > 0, "the change is not in the audit log");
    let found = weir(data.path(), &["audit", "verify"]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    println!("{}", String::from_utf8_lossy(&found.stderr));
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn settings_are_shown_with_their_source_and_wrong_ones_refused() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("weir.toml"), "[log]\nlevel = \"warn\"\n").unwrap();
    let shown = out(&weir(data.path(), &["config", "show"]));
    let line = shown.lines().find(|line| line.starts_with("log.level")).unwrap();
    assert!(line.contains("warn") && line.contains("weir.toml"), "{line}");
    assert!(shown.contains("flag --data"));
    std::fs::write(data.path().join("weir.toml"), "[log]\nlvel = \"warn\"\n").unwrap();
    let wrong = weir(data.path(), &["config", "show"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("log.level"), "{wrong:?}");
}

#[test]
fn words_that_do_not_exist_are_refused_and_help_is_there() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(weir(data.path(), &["sreve"]).status.code(), Some(2));
    for words in [vec!["--help"], vec!["serve", "--help"], vec!["man"], vec!["completions", "bash"]]
    {
        assert!(!out(&weir(data.path(), &words)).is_empty());
    }
}

#[test]
fn a_data_folder_belongs_to_one_node() {
    let data = tempfile::tempdir().unwrap();
    let node = Weir::serve(data.path()).unwrap();
    let second = weir(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    println!("{}", String::from_utf8_lossy(&second.stderr));
    node.stop().unwrap();
}
