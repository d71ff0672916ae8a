//! A client in a process of its own, driven by JSON lines; it ends with this value.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;

use crate::bench::Bench;

/// Where a client finds the server.
pub(crate) fn url(bench: &Bench) -> String {
    format!("opc.tcp://{}", bench.running.address())
}

pub(crate) struct Peer {
    process: Child,
    pipes: Arc<Mutex<(ChildStdin, BufReader<ChildStdout>)>>,
    _dir: tempfile::TempDir,
}

impl Peer {
    pub(crate) fn start(mut command: Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut process = command
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the peer");
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, pipes: Arc::new(Mutex::new((input, output))), _dir: dir }
    }

    /// The peer's answer to a command.
    pub(crate) async fn ask(&self, command: Json) -> Json {
        let pipes = Arc::clone(&self.pipes);
        let asked = tokio::task::spawn_blocking(move || {
            let (input, output) = &mut *pipes.lock().unwrap();
            writeln!(input, "{command}").expect("write to the peer");
            let mut line = String::new();
            output.read_line(&mut line).expect("read from the peer");
            serde_json::from_str(&line).expect("the peer speaks JSON lines")
        });
        asked.await.unwrap()
    }

    /// The answer to a command that must not fail.
    pub(crate) async fn good(&self, command: Json) -> Json {
        let answer = self.ask(command.clone()).await;
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
