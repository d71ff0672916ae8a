//! `weir historian`, as somebody types it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;
use weir_it::{Weir, command, out, weir};

fn err(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stats(data: &Path) -> Json {
    serde_json::from_str(&out(&weir(data, &["historian", "stats", "--json"]))).unwrap()
}

const CSV: &str = "tag,time,value,quality\n\
    local/a,2026-11-23T08:00:00Z,1.5,good\n\
    local/a,2026-11-23T08:00:01.000000001Z,-2.5,uncertain\n\
    local/a,2026-11-23T08:00:02Z,,bad\n\
    local/b,2026-11-23T08:00:00Z,\"on, \"\"really\"\"\",good\n\
    local/c,2026-11-23T08:00:00Z,true,good\n";

#[test]
fn samples_go_out_and_in_again() {
    let [data, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let node = Weir::serve(data.path()).unwrap();
    let run = |words: &[&str]| weir(data.path(), words);
    let file = data.path().join("in.csv");
    fs::write(&file, CSV).unwrap();
    let name = file.to_str().unwrap();

    // Without tags nothing is stored, and it is said of which lines.
    let refused = err(&run(&["historian", "import", name]));
    assert!(refused.contains("line 2:") && refused.contains("--create-tags"), "{refused}");
    let judged = err(&run(&["historian", "import", name, "--dry-run"]));
    assert!(judged.contains("line 6:") && judged.contains("5 lines are wrong"), "{judged}");
    let imported = out(&run(&["historian", "import", name, "--create-tags"]));
    assert!(imported.contains("5 samples stored") && imported.contains("3 tags"), "{imported}");
    let again = out(&run(&["historian", "import", name]));
    assert!(again.contains("samples"), "{again}");
    assert_eq!(stats(data.path())["samples"], 5, "the same file is stored once");

    let exported = out(&run(&["historian", "export", "--all"]));
    assert_eq!(exported, CSV);
    let some = out(&run(&["historian", "export", "local/?", "--from", "2026-11-23T08:00:01Z"]));
    assert_eq!(some.lines().count(), 3);
    let none = err(&run(&["historian", "export", "local/none"]));
    assert!(none.contains("no tag has the identifier local/none"), "{none}");
    let parquet = data.path().join("out.parquet");
    let words = ["historian", "export", "local/*", "-o", parquet.to_str().unwrap()];
    let written = out(&run(&words));
    assert!(written.contains("5 samples of 3 tags"), "{written}");
    assert!(!data.path().join("out.parquet.part").exists());
    assert_eq!(&fs::read(&parquet).unwrap()[..4], b"PAR1");

    let there = Weir::serve(other.path()).unwrap();
    let words = ["historian", "import", parquet.to_str().unwrap(), "--create-tags"];
    out(&weir(other.path(), &words));
    assert_eq!(out(&weir(other.path(), &["historian", "export", "--all"])), CSV);
    there.stop().unwrap();

    let wide = data.path().join("wide.csv");
    fs::write(
        &wide,
        "time,local/a,local/c\n2026-11-24T08:00:00Z,7,false\n2026-11-24T08:00:01Z,x,\n",
    )
    .unwrap();
    let words = ["historian", "import", wide.to_str().unwrap(), "--wide", "--skip-wrong"];
    let left_out = run(&words);
    assert!(err(&left_out).contains("line 3:"), "{left_out:?}");
    assert!(String::from_utf8_lossy(&left_out.stdout).contains("2 samples stored"), "{left_out:?}");
    let lines = data.path().join("lines.lp");
    fs::write(&lines, "# Telegraf\nlocal/a value=8 1795680000\nlocal/a value=9 1795680001\n")
        .unwrap();
    let words = ["historian", "import", lines.to_str().unwrap(), "--precision", "s"];
    assert!(out(&run(&words)).contains("2 samples stored"));
    assert_eq!(out(&run(&["historian", "export", "local/a"])).lines().count(), 7);
    node.stop().unwrap();
}

#[test]
fn an_import_that_is_killed_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let node = Weir::serve(data.path()).unwrap();
    let file = data.path().join("in.csv");
    let mut text = "tag,time,value\n".to_owned();
    let rows = 400_000;
    for row in 0..rows {
        text.push_str(&format!(
            "local/t{},{}.{:03}Z,{row}\n",
            row % 7,
            second(row / 1000),
            row % 1000
        ));
    }
    fs::write(&file, text).unwrap();
    let words = ["historian", "import", file.to_str().unwrap(), "--create-tags", "--quiet"];
    let mut killed = 0;
    for _ in 0..3 {
        let mut child: Child = command(data.path(), &words).stderr(Stdio::null()).spawn().unwrap();
        let before = stats(data.path())["samples"].as_u64().unwrap();
        // As soon as it has stored something of its own.
        while child.try_wait().unwrap().is_none() {
            if stats(data.path())["samples"].as_u64().unwrap() > before {
                child.kill().unwrap();
                killed += 1;
            }
        }
        child.wait().unwrap();
    }
    assert!(killed > 0);
    out(&weir(data.path(), &words));
    assert_eq!(stats(data.path())["samples"], rows, "each is stored once");
    out(&weir(data.path(), &words));
    assert_eq!(stats(data.path())["samples"], rows);
    let exported = out(&weir(data.path(), &["historian", "export", "--all"]));
    assert_eq!(exported.lines().count() as u64, rows + 1);
    node.stop().unwrap();
}

fn second(number: u64) -> String {
    format!("2026-11-23T{:02}:{:02}:{:02}", number / 3600, number / 60 % 60, number % 60)
}

#[test]
fn damage_is_found_and_repaired() {
    let data = tempfile::tempdir().unwrap();
    let node = Weir::serve(data.path()).unwrap();
    let file = data.path().join("in.csv");
    fs::write(&file, CSV).unwrap();
    out(&weir(data.path(), &["historian", "import", file.to_str().unwrap(), "--create-tags"]));
    let check = || weir(data.path(), &["historian", "check"]);
    assert!(out(&check()).contains("sound"));
    let refused = err(&weir(data.path(), &["historian", "repair", "--yes"]));
    assert!(refused.contains("stop it first"), "{refused}");
    node.stop().unwrap();
    assert!(out(&check()).contains("5 samples"));
    assert_eq!(stats(data.path())["spans"][0]["rows"], 5);

    let block = only_block(&data.path().join("historian/blocks"));
    let mut bytes = fs::read(&block).unwrap();
    bytes[40] ^= 1;
    fs::write(&block, bytes).unwrap();
    let found = check();
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(said.contains("DAMAGED  blocks/tenant=1/") && said.contains("lost: "), "{said}");
    assert!(err(&found).contains("1 faults"), "{found:?}");
    let json = weir(data.path(), &["historian", "check", "--json"]);
    assert_eq!(json.status.code(), Some(1));
    let lines = String::from_utf8(json.stdout).unwrap();
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[1]["checked"]["faults"]), (2, &1.into()));

    // A running node tells of it, too.
    let node = Weir::serve(data.path()).unwrap();
    assert!(String::from_utf8_lossy(&check().stdout).contains("DAMAGED"));
    node.stop().unwrap();

    let planned = out(&weir(data.path(), &["historian", "repair", "--dry-run"]));
    assert!(planned.contains("goes to quarantine"), "{planned}");
    assert!(block.exists());
    assert!(err(&weir(data.path(), &["historian", "repair"])).contains("--yes"));
    out(&weir(data.path(), &["historian", "repair", "--yes"]));
    assert!(!block.exists() && data.path().join("historian/quarantine").is_dir());
    assert!(out(&check()).contains("sound"));
    let node = Weir::serve(data.path()).unwrap();
    out(&weir(data.path(), &["historian", "export", "--all"]));
    assert!(stats(data.path())["quarantine_bytes"].as_u64().unwrap() > 0);
    node.stop().unwrap();
}

fn only_block(folder: &Path) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A small file system of its own, which only root may make.
struct Small(tempfile::TempDir);

impl Small {
    fn make() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"];
        let mut mount = Command::new("mount");
        let mounted = mount.args(options).arg(dir.path()).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        let done = Command::new("mount").args(["-o", &how]).arg(self.0.path()).status();
        assert!(done.unwrap().success());
    }

    /// Takes all the room that is left.
    fn fill(&self) -> std::path::PathBuf {
        let file = self.0.path().join("fill");
        let mut out = fs::File::create(&file).unwrap();
        while std::io::Write::write_all(&mut out, &[1; 4096]).is_ok() {}
        file
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_or_read_only_disk_is_told_and_over_when_it_is_over() {
    let Some(disk) = Small::make() else {
        eprintln!("left out: only root mounts a small file system");
        return;
    };
    let data = disk.0.path().join("data");
    fs::create_dir(&data).unwrap();
    let input = tempfile::tempdir().unwrap();
    let file = input.path().join("in.csv");
    fs::write(&file, CSV).unwrap();
    let node = Weir::serve(&data).unwrap();
    out(&weir(&data, &["historian", "import", file.to_str().unwrap(), "--create-tags"]));
    node.stop().unwrap();

    let node = Weir::serve(&data).unwrap();
    let ready = || node.api().get("/readyz").unwrap();
    let until = |status: u16| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while ready().status != status {
            assert!(std::time::Instant::now() < deadline, "{:?}", ready().text);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    let fill = disk.fill();
    // More than the log has room for that was taken ahead.
    let rows =
        (0..50_000).map(|row| format!("local/a,{}.{:03}Z,{row}\n", second(row / 1000), row % 1000));
    fs::write(&file, format!("tag,time,value\n{}", rows.collect::<String>())).unwrap();
    let mut import =
        command(&data, &["historian", "import", file.to_str().unwrap()]).spawn().unwrap();
    until(503);
    fs::remove_file(fill).unwrap();
    // It finds out by itself, and the import, which was told to wait, goes on.
    until(200);
    assert!(import.wait().unwrap().success());
    node.stop().unwrap();

    disk.remount("ro");
    let refused = weir(&data, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(err(&refused).contains("cannot be written"), "{refused:?}");
    assert!(out(&weir(&data, &["historian", "check"])).contains("sound"), "it can be looked at");
    disk.remount("rw");
    Weir::serve(&data).unwrap().stop().unwrap();
}
