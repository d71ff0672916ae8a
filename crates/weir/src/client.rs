//! The command line as a client of a node's API.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use ureq::http;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use weir_model::{Problem, ProblemCode};

use crate::args::Connection;

/// How long a command waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);

/// Largest answer that a command reads whole.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

const JSON: &str = "application/json";

/// Where a running node on this machine can be reached, and a token that only the folder's owner
/// can read. Written by the node at start, removed when it stops.
#[derive(Debug, Serialize, Deserialize)]
struct Control {
    url: String,
    token: String,
    certificate: Option<PathBuf>,
}

/// A node's API.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
    session: Option<Session>,
}

/// A session as the console has one: its cookie, and the text that proves a request is its own.
struct Session {
    cookie: String,
    csrf: String,
}

impl Client {
    /// Finds the node: `--url` and `--token`, their variables, else the control file that a node
    /// running on this machine keeps in its data folder.
    pub(crate) fn find(connection: &Connection, data: &Path) -> anyhow::Result<Self> {
        let control = match &connection.url {
            Some(_) => None,
            None => Some(read_control(data)?),
        };
        let certificate = connection.certificate.clone();
        let certificate = certificate.or_else(|| control.as_ref()?.certificate.clone());
        let token = connection.token.clone();
        Self::new(
            connection
                .url
                .clone()
                .or_else(|| Some(control.as_ref()?.url.clone()))
                .unwrap_or_default(),
            token.or_else(|| Some(control?.token)),
            certificate.as_deref(),
        )
    }

    /// A client of a node at a URL.
    pub(crate) fn new(
        url: String,
        token: Option<String>,
        certificate: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut tls = TlsConfig::builder().provider(TlsProvider::Rustls);
        if let Some(path) = certificate {
            let pem = std::fs::read(path)
                .with_context(|| format!("could not read the certificate {}", path.display()))?;
            let root = Certificate::from_pem(&pem)
                .with_context(|| format!("{} holds no certificate", path.display()))?;
            tls = tls.root_certs(RootCerts::Specific(Arc::new(vec![root])));
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .tls_config(tls.build())
            .build();
        Ok(Self {
            agent: config.new_agent(),
            url: url.trim_end_matches('/').to_owned(),
            token,
            session: None,
        })
    }

    /// Signs in; the requests that follow are the user's. Returns what the session may do.
    pub(crate) fn sign_in(&mut self, user: &str, password: &str) -> anyhow::Result<Json> {
        let body = serde_json::to_vec(&serde_json::json!({ "user": user, "password": password }))?;
        let request = self.request("POST", "/session", JSON)?.header("content-type", JSON);
        let answer =
            refused(self.agent.run(request.body(body)?).map_err(|error| self.lost(error))?)?;
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        let cookie =
            cookie.and_then(|text| text.split(';').next()).context("the node set no cookie")?;
        let cookie = cookie.to_owned();
        let session: Json = serde_json::from_str(&read_whole(answer)?)?;
        let csrf = session["csrf"].as_str().unwrap_or_default().to_owned();
        self.session = Some(Session { cookie, csrf });
        Ok(session)
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Json> {
        self.send("GET", path, None)
    }

    /// `POST path` with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Json) -> anyhow::Result<Json> {
        self.send("POST", path, Some((JSON, serde_json::to_vec(body)?)))
    }

    /// `POST path` with a JSON body, for an answer of another type.
    pub(crate) fn post_for(&self, path: &str, body: &Json, accept: &str) -> anyhow::Result<String> {
        let request = self.request("POST", path, accept)?.header("content-type", JSON);
        let answer = self.agent.run(request.body(serde_json::to_vec(body)?)?);
        read_whole(refused(answer.map_err(|error| self.lost(error))?)?)
    }

    /// `PATCH path` with a JSON body.
    pub(crate) fn patch(&self, path: &str, body: &Json) -> anyhow::Result<Json> {
        self.send("PATCH", path, Some((JSON, serde_json::to_vec(body)?)))
    }

    /// `PUT path` with a JSON body.
    pub(crate) fn put(&self, path: &str, body: &Json) -> anyhow::Result<Json> {
        self.send("PUT", path, Some((JSON, serde_json::to_vec(body)?)))
    }

    /// `PUT path` with a JSON body, for what must not exist yet.
    pub(crate) fn put_new(&self, path: &str, body: &Json) -> anyhow::Result<Json> {
        let request = self.request("PUT", path, JSON)?.header("if-none-match", "*");
        let request = request.header("content-type", JSON).body(serde_json::to_vec(body)?)?;
        let answer = refused(self.agent.run(request).map_err(|error| self.lost(error))?)?;
        Ok(serde_json::from_str(&read_whole(answer)?)?)
    }

    /// `DELETE path`.
    pub(crate) fn delete(&self, path: &str) -> anyhow::Result<Json> {
        self.send("DELETE", path, None)
    }

    /// Every item of a list, page by page, at most `limit`.
    pub(crate) fn list(&self, path: &str, limit: usize) -> anyhow::Result<Vec<Json>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                Some(cursor) => {
                    self.get(&format!("{path}{mark}limit=500&cursor={}", encode(cursor)))?
                }
                None => self.get(&format!("{path}{mark}limit=500"))?,
            };
            let Some(found) = page["items"].as_array() else { bail!("the answer is not a list") };
            items.extend(found.iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// Reads an answer of any length line by line, such as an export or a live stream.
    pub(crate) fn lines(
        &self,
        path: &str,
        accept: &str,
        mut line: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for text in BufReader::new(self.open(path, accept)?).lines() {
            line(&text?)?;
        }
        Ok(())
    }

    /// Begins to read an answer of any length.
    pub(crate) fn open(&self, path: &str, accept: &str) -> anyhow::Result<impl Read + 'static> {
        let answer = self.agent.run(self.request("GET", path, accept)?.body(())?);
        Ok(refused(answer.map_err(|error| self.lost(error))?)?.into_body().into_reader())
    }

    /// `POST path` with a JSON body, for an answer of any length that is read line by line.
    pub(crate) fn post_lines(
        &self,
        path: &str,
        body: &Json,
        mut line: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let request = self.request("POST", path, "*/*")?.header("content-type", JSON);
        let answer = self.agent.run(request.body(serde_json::to_vec(body)?)?);
        let answer = refused(answer.map_err(|error| self.lost(error))?)?;
        for text in BufReader::new(answer.into_body().into_reader()).lines() {
            line(&text?)?;
        }
        Ok(())
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        accept: &str,
    ) -> anyhow::Result<http::request::Builder> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.url))
            .header("accept", accept);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(session) = &self.session {
            request =
                request.header("cookie", &session.cookie).header("x-weir-csrf", &session.csrf);
        }
        Ok(request)
    }

    /// `POST path` with a body of another type.
    pub(crate) fn post_text(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<Json> {
        self.send("POST", path, Some((kind, body)))
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<Json> {
        let request = self.request(method, path, "application/json")?;
        let answer = match body {
            Some((kind, body)) => self.agent.run(request.header("content-type", kind).body(body)?),
            None => self.agent.run(request.body(())?),
        };
        let answer = refused(answer.map_err(|error| self.lost(error))?)?;
        let text = read_whole(answer)?;
        if text.is_empty() { Ok(Json::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    fn lost(&self, error: ureq::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("no answer from {}", self.url))
    }
}

/// Percent-encodes a text as one path segment or query value.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn refused(answer: http::Response<ureq::Body>) -> anyhow::Result<http::Response<ureq::Body>> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let text = read_whole(answer)?;
    Err(match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => Refused(problem).into(),
        Err(_) => anyhow!("the node answered {status}"),
    })
}

fn read_whole(answer: http::Response<ureq::Body>) -> anyhow::Result<String> {
    let mut text = String::new();
    answer.into_body().into_reader().take(ANSWER_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn read_control(data: &Path) -> anyhow::Result<Control> {
    let path = weir_node::control_path(data);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "no node is running on the data folder {} (start one with `weir serve`, or say where with --url and --token)",
            data.display()
        )
    })?;
    serde_json::from_str(&text).with_context(|| format!("{} cannot be read", path.display()))
}

/// A node refused what was asked.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Problem);

impl Refused {
    /// The program's exit code for it: see `weir help`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.0.code {
            ProblemCode::NotFound | ProblemCode::UnknownTag => 3,
            ProblemCode::Unauthenticated | ProblemCode::Forbidden => 4,
            ProblemCode::Conflict | ProblemCode::VersionConflict => 5,
            _ => 1,
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        for field in &self.0.errors {
            write!(f, "\n  {}: {}", field.field, field.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
