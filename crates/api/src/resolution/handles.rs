//! `/api/handles` and `/api/site`: records in JSON, as the reference server has them.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use weir_handle::json::{Record, Site, Value};
use weir_handle::{HANDLE_BYTES_MAX, ResponseCode};

use super::ask::{self, Answered, Question};
use super::target::{self, Target};
use super::{IdentifierState, kept, set};

/// Longest name of a function that a script wants called.
const CALLBACK_BYTES_MAX: usize = 64;

/// The handle that a path asks for, not decoded; empty if it names none. None if the path is
/// another one.
pub(super) fn asked<'a>(target: &Target<'a>) -> Option<&'a str> {
    let rest = target.path.strip_prefix("/api/handles")?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// Answers with the values of a handle.
pub(super) fn get(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    handle: &str,
) -> Response {
    let form = match Form::of(target) {
        Ok(form) => form,
        Err(words) => return Form::default().fail(ResponseCode::ProtocolError, words, None),
    };
    if handle.is_empty() && target.first("prefix").is_some() {
        // Whoever may list the handles of a prefix has to prove it, and cannot here.
        return form.fail(ResponseCode::AuthenticationNeeded, NO_CREDENTIALS, None);
    }
    if handle.is_empty() {
        return form.fail(ResponseCode::InvalidHandle, "Empty handle invalid", None);
    }
    let Some(handle) = target::handle(handle).filter(|name| name.len() <= HANDLE_BYTES_MAX) else {
        let words = "The handle is not well percent-encoded UTF-8, or too long";
        return form.fail(ResponseCode::InvalidHandle, words, None);
    };
    let indexes: Result<Vec<i32>, _> = target.all("index").map(str::parse).collect();
    let Ok(indexes) = indexes else {
        let words = "An index is a number";
        return form.fail(ResponseCode::ProtocolError, words, None);
    };
    let question = Question {
        handle: &handle,
        indexes,
        types: target.all("type").collect(),
        with_private: target.denies("publicOnly"),
    };
    record(state, &form, headers, &question)
}

/// The JSON of a record, for whoever asks for it at the address of its page.
pub(super) fn of_page(
    state: &IdentifierState,
    target: &Target<'_>,
    headers: &HeaderMap,
    handle: &str,
) -> Response {
    match Form::of(target) {
        Ok(form) => {
            let question = Question { handle, ..Question::default() };
            record(state, &form, headers, &question)
        }
        Err(words) => Form::default().fail(ResponseCode::ProtocolError, words, None),
    }
}

fn record(
    state: &IdentifierState,
    form: &Form<'_>,
    headers: &HeaderMap,
    question: &Question<'_>,
) -> Response {
    let answered = match ask::resolve(state, question) {
        Ok(answered) => answered,
        Err(error) => {
            tracing::error!(%error, "a record could not be read");
            return form.fail(ResponseCode::Error, "The records could not be read", None);
        }
    };
    let Answered { code, message, values } = answered;
    let seconds = values.as_ref().map_or(0, |values| ask::seconds(state, values));
    let values = values.map(|values| values.list().iter().map(|value| Value::of(&value)).collect());
    let record = Record {
        response_code: code.code(),
        message,
        handle: Some(question.handle.to_owned()),
        values: values.or_else(|| (code == ResponseCode::ValuesNotFound).then(Vec::new)),
    };
    form.answer(code, &record, Some((seconds, headers)))
}

/// Answers with the site of this server.
pub(super) fn site(state: &IdentifierState, target: &Target<'_>, headers: &HeaderMap) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Said {
        response_code: u32,
        site: Site,
    }
    let form = match Form::of(target) {
        Ok(form) => form,
        Err(words) => return Form::default().fail(ResponseCode::ProtocolError, words, None),
    };
    match ask::site(state) {
        Ok(Some(site)) => {
            let code = ResponseCode::Success;
            form.answer(code, &Said { response_code: code.code(), site }, Some((0, headers)))
        }
        Ok(None) | Err(_) => form.fail(ResponseCode::Error, "The site has no JSON form", None),
    }
}

/// Refuses a change: credentials are not taken here.
pub(super) fn refuse(handle: &str) -> Response {
    let handle = target::handle(handle).filter(|handle| !handle.is_empty());
    Form::default().fail(ResponseCode::AuthenticationNeeded, NO_CREDENTIALS, handle)
}

const NO_CREDENTIALS: &str = "Credentials are not taken here: records are changed by messages of \
     the Handle protocol, which can be sent by POST, or in the console's API";

/// Says that a path below `/api` is nothing.
pub(super) fn no_endpoint(path: &str) -> Response {
    let words = format!("Unknown HTTP API endpoint GET {path}");
    let form = Form::default();
    let record = said(ResponseCode::ProtocolError, &words, None);
    let mut response = form.answer(ResponseCode::ProtocolError, &record, None);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn said(code: ResponseCode, words: &str, handle: Option<String>) -> Record {
    let message = Some(words.to_owned());
    Record { response_code: code.code(), message, handle, values: None }
}

/// How the JSON is written.
#[derive(Debug, Default)]
struct Form<'a> {
    pretty: bool,
    callback: Option<&'a str>,
}

impl<'a> Form<'a> {
    fn of(target: &'a Target<'_>) -> Result<Self, &'static str> {
        let callback = target.first("callback").filter(|name| !name.is_empty());
        let plain = |name: &str| {
            let bytes = || name.bytes();
            name.len() <= CALLBACK_BYTES_MAX
                && bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$.".contains(&byte))
                && !bytes().next().is_some_and(|byte| byte.is_ascii_digit())
        };
        if callback.is_some_and(|name| !plain(name)) {
            return Err("A callback is the name of a function");
        }
        Ok(Self { pretty: target.says("pretty"), callback })
    }

    fn fail(&self, code: ResponseCode, words: &str, handle: Option<String>) -> Response {
        self.answer(code, &said(code, words, handle), None)
    }

    fn answer(
        &self,
        code: ResponseCode,
        content: &impl Serialize,
        keep: Option<(u32, &HeaderMap)>,
    ) -> Response {
        let written = match self.pretty {
            true => serde_json::to_string_pretty(content),
            false => serde_json::to_string(content),
        };
        let mut body = written.unwrap_or_default();
        let mut kind = "application/json;charset=utf-8";
        if let Some(callback) = self.callback {
            body = format!("{callback}({body});");
            kind = "application/javascript;charset=utf-8";
        }
        let mut response = (status(code), body.clone()).into_response();
        set(&mut response, header::CONTENT_TYPE, kind);
        match keep {
            Some((seconds, headers)) => kept(response, body.as_bytes(), seconds, headers),
            None => response,
        }
    }
}

/// The status that goes with a code, over a connection that takes no credentials.
fn status(code: ResponseCode) -> StatusCode {
    use ResponseCode as Code;
    match code {
        Code::Success | Code::ValuesNotFound => StatusCode::OK,
        Code::HandleNotFound => StatusCode::NOT_FOUND,
        Code::HandleAlreadyExists | Code::ValueAlreadyExists => StatusCode::CONFLICT,
        Code::ServiceReferral | Code::PrefixReferral => StatusCode::MULTIPLE_CHOICES,
        Code::ProtocolError
        | Code::InvalidHandle
        | Code::InvalidValue
        | Code::ServerNotResponsible => StatusCode::BAD_REQUEST,
        Code::InvalidAdmin
        | Code::InsufficientPermissions
        | Code::AuthenticationNeeded
        | Code::AuthenticationFailed
        | Code::InvalidCredential => StatusCode::FORBIDDEN,
        Code::OperationNotSupported => StatusCode::NOT_IMPLEMENTED,
        Code::ServerTooBusy | Code::ServerBackup => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
