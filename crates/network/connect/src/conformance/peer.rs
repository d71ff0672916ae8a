//! A peer in a process of its own, spoken to in lines of JSON.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};
use weir_model::Value;

use super::bench::{TENANT, device_id, tag};
use crate::{DeviceSpec, Point, WriteLimits};

/// A program that somebody else wrote, at the other end of the wire. It ends with this value.
pub struct Peer {
    script: PathBuf,
    arguments: Vec<String>,
    running: Option<Running>,
    /// The port, the same after a restart.
    pub port: u16,
    /// Complete settings of a device that speaks to it.
    pub settings: Json,
    /// What it serves: `address`, `data_type`, `value` and, where it takes writes, `writable`.
    pub points: Vec<Json>,
    modes: Vec<String>,
}

struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a script below `tests/interop/` in the environment that `cargo xtask test` makes.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/interop");
        let mut peer = Self {
            script: folder.join(script),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            running: None,
            port: 0,
            settings: Json::Null,
            points: Vec::new(),
            modes: Vec::new(),
        };
        peer.restart();
        peer
    }

    /// Starts it, on the port that it had before.
    pub fn restart(&mut self) {
        let Some(venv) = std::env::var_os("WEIR_VENV") else {
            panic!("run `cargo xtask test`: it makes the Python peers and sets WEIR_VENV");
        };
        let mut process = Command::new(Path::new(&venv).join("bin/python"))
            .arg(&self.script)
            .args(["--port", &self.port.to_string()])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the peer");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("the peer's output"));
        let mut running = Running { process, input, output };
        let mut hello = running.line();
        self.port = hello["port"].as_u64().and_then(|p| p.try_into().ok()).expect("a port");
        self.settings = hello["settings"].take();
        self.points = hello["points"].as_array_mut().map(std::mem::take).expect("points");
        let modes = hello["modes"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.modes = modes.iter().filter_map(|mode| mode.as_str().map(str::to_owned)).collect();
        self.running = Some(running);
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Sends a command and waits for the answer.
    pub fn ask(&mut self, command: &Json) -> Json {
        let running = self.running.as_mut().expect("the peer runs");
        let input = running.input.as_mut().expect("the peer's input");
        writeln!(input, "{command}").expect("write to the peer");
        running.line()
    }

    /// Whether it knows a mode.
    pub fn knows(&self, mode: &str) -> bool {
        self.modes.iter().any(|known| known == mode)
    }

    /// Has it behave in another way.
    pub fn mode(&mut self, mode: &str) {
        self.ask(&json!({"do": "mode", "mode": mode}));
    }

    /// Changes a value there.
    pub fn set(&mut self, point: usize, value: &Json) {
        self.ask(&json!({"do": "set", "point": point, "value": value}));
    }

    /// What a value is there.
    pub fn get(&mut self, point: usize) -> Json {
        self.ask(&json!({"do": "get", "point": point}))["value"].take()
    }

    /// The n-th device of a bench, with all points of this peer.
    pub fn spec(&self, n: u32, protocol: &str) -> DeviceSpec {
        let point = |(i, point): (usize, &Json)| Point {
            tag: tag(n, i),
            id: format!("88.100/d{n}.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            address: point["address"].clone(),
            data_type: serde_json::from_value(point["data_type"].clone()).unwrap(),
            scaling: Vec::new(),
            write: is_writable(point).then(WriteLimits::default),
            poll_ms: None,
        };
        DeviceSpec {
            tenant: TENANT,
            device: device_id(n),
            name: format!("device {n}"),
            protocol: protocol.to_owned(),
            settings: self.settings.clone(),
            points: self.points.iter().enumerate().map(point).collect(),
            enabled: true,
            revision: 1,
        }
    }

    /// Another value for a point than it has: changed numbers, truth values and texts; none for others.
    pub(super) fn other(&self, point: usize) -> Option<Value> {
        let now = Value::from_json(&self.points[point]["value"], self.data_type(point)).ok()?;
        Some(match now {
            Value::F64(x) => Value::F64(if x == 12.5 { 13.5 } else { 12.5 }),
            Value::I64(x) => Value::I64(if x == 12 { 13 } else { 12 }),
            Value::U64(x) => Value::U64(if x == 12 { 13 } else { 12 }),
            Value::Bool(x) => Value::Bool(!x),
            Value::Text(_) => Value::Text("换班 2".into()),
            _ => return None,
        })
    }

    pub(super) fn data_type(&self, point: usize) -> weir_model::DataType {
        serde_json::from_value(self.points[point]["data_type"].clone()).unwrap()
    }

    pub(super) fn writable(&self) -> Vec<usize> {
        (0..self.points.len()).filter(|i| is_writable(&self.points[*i])).collect()
    }
}

fn is_writable(point: &Json) -> bool {
    point["writable"].as_bool().unwrap_or_default()
}

impl Running {
    fn line(&mut self) -> Json {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("read from the peer");
        serde_json::from_str(&line).expect("the peer speaks JSON lines")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
