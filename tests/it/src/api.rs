//! A client of the HTTP interface that knows what any program could know.

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use ureq::http::{Request, Response};
use weir_model::Timestamp;

/// The moment so much later than now, as one at which a token expires.
pub fn from_now(time: Duration) -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now() + time)
}

/// A client with a token or without.
#[derive(Clone)]
pub struct Api {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or(Json::Null)
    }

    /// A header, or the empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
}

impl Api {
    /// A client of the node at a URL.
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.new_agent(), url: url.to_owned(), token: None }
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The node's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request with headers and a body of bytes.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() {
            self.agent.run(request.body(())?)?
        } else {
            self.agent.run(request.body(body)?)?
        };
        read(answer)
    }

    /// `GET`, any status.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, &[], &[])
    }

    /// A JSON body, any status.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn json(&self, method: &str, path: &str, body: &Json) -> anyhow::Result<Answer> {
        let bytes = serde_json::to_vec(body)?;
        self.send(method, path, &[("content-type", "application/json")], &bytes)
    }

    /// `GET` that must succeed.
    ///
    /// # Errors
    /// Any other answer.
    pub fn fetch(&self, path: &str) -> anyhow::Result<Json> {
        succeed("GET", path, self.get(path)?)
    }

    /// `POST` that must succeed.
    ///
    /// # Errors
    /// Any other answer.
    pub fn post(&self, path: &str, body: &Json) -> anyhow::Result<Json> {
        succeed("POST", path, self.json("POST", path, body)?)
    }

    /// Every item of a list.
    ///
    /// # Errors
    /// Any answer that is not a list.
    pub fn list(&self, path: &str) -> anyhow::Result<Vec<Json>> {
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = match &next {
                Some(cursor) => self.fetch(&format!("{path}{mark}cursor={}", encode(cursor)))?,
                None => self.fetch(path)?,
            };
            items.extend(page["items"].as_array().context("not a list")?.iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = Some(cursor.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// An answer that does not end, to be read as it comes.
    ///
    /// # Errors
    /// When no answer comes, or one that is not 200.
    pub fn stream(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<impl Read + use<>> {
        let mut request = Request::builder().uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.agent.run(request.body(())?)?;
        if answer.status() != 200 {
            bail!("GET {path}: {}", answer.status());
        }
        Ok(answer.into_body().into_reader())
    }

    /// Signs in and returns a token with the given scopes; with all that the user may do, if none
    /// are given.
    ///
    /// # Errors
    /// Any refusal.
    pub fn sign_in_for_token(
        &self,
        user: &str,
        password: &str,
        scopes: &[&str],
    ) -> anyhow::Result<String> {
        let body = serde_json::json!({ "user": user, "password": password });
        let answer = self.json("POST", "/api/v1/session", &body)?;
        if answer.status != 200 {
            bail!("sign-in of {user}: {} {}", answer.status, answer.text);
        }
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        let session = answer.json();
        let csrf = session["csrf"].as_str().unwrap_or_default().to_owned();
        let scopes = if scopes.is_empty() { session["permissions"].clone() } else { scopes.into() };
        let expires = from_now(Duration::from_secs(24 * 3600));
        let body =
            serde_json::json!({ "name": "end-to-end", "scopes": scopes, "expires": expires });
        let headers =
            [("content-type", "application/json"), ("cookie", &cookie), ("x-weir-csrf", &csrf)];
        let made = self.send("POST", "/api/v1/tokens", &headers, &serde_json::to_vec(&body)?)?;
        let made = succeed("POST", "/api/v1/tokens", made)?;
        Ok(made["token"].as_str().context("no token")?.to_owned())
    }

    /// Asks again until `found` is content.
    ///
    /// # Errors
    /// When it is not within the time.
    pub fn until(
        &self,
        path: &str,
        within: Duration,
        found: impl Fn(&Json) -> bool,
    ) -> anyhow::Result<Json> {
        let deadline = Instant::now() + within;
        loop {
            let answer = self.get(path)?;
            let json = answer.json();
            if answer.status == 200 && found(&json) {
                return Ok(json);
            }
            if Instant::now() > deadline {
                bail!("GET {path} is still {}: {}", answer.status, answer.text);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn read(answer: Response<ureq::Body>) -> anyhow::Result<Answer> {
    let status = answer.status().as_u16();
    let headers = answer.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let mut bytes = Vec::new();
    answer.into_body().into_reader().read_to_end(&mut bytes)?;
    Ok(Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn succeed(method: &str, path: &str, answer: Answer) -> anyhow::Result<Json> {
    if !(200..300).contains(&answer.status) {
        bail!("{method} {path}: {} {}", answer.status, answer.text);
    }
    Ok(answer.json())
}

/// Percent-encodes a text as one path segment.
pub fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
