//! Questions to an agent, and what its answers mean.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use weir_connect::dial::Lookups;
use weir_connect::{DriverError, ErrorKind};

use crate::Settings;
use crate::devices::{self, Model, Probed};
use crate::http::{Answer, Http, HttpError, Opened, told};
use crate::streams::{self, AgentError, Document, Header, Observation};
use crate::xml::XmlError;

/// Documents beyond this are read on a thread of the blocking pool; a smaller one takes less than two
/// milliseconds.
const INLINE_BYTES_MAX: usize = 256 * 1024;

/// Largest answer to a request for a stream that is no stream.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The error by which an agent says that a sequence is not in its buffer.
const OUT_OF_RANGE: &str = "OUT_OF_RANGE";

/// The data items whose observations matter, with the slots that they are for.
pub(crate) type Index = Arc<HashMap<String, Vec<usize>>>;

/// Why an agent did not answer with what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    Http(HttpError),
    /// It said why; the connection stands.
    Agent(Vec<AgentError>),
    /// What it said cannot be read.
    Content(String),
}

impl Failure {
    pub(crate) fn is_out_of_range(&self) -> bool {
        matches!(self, Self::Agent(errors) if errors.iter().any(|e| e.code == OUT_OF_RANGE))
    }

    /// Whether it is about this request alone.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Agent(_))
    }

    /// For people, at a place.
    pub(crate) fn error(self, device: &str, place: String) -> DriverError {
        match self {
            Self::Http(HttpError { kind, cause, certificate }) => {
                let error = DriverError::new(kind, device, place, cause);
                DriverError { certificate, ..error }
            }
            Self::Agent(errors) => {
                let kind = ErrorKind::Rejected;
                DriverError::new(kind, device, place, refusal(&errors))
            }
            Self::Content(cause) => {
                let cause =
                    format!("what answers there is no MTConnect agent, or a damaged one: {cause}");
                DriverError::new(ErrorKind::Protocol, device, place, cause)
            }
        }
    }
}

fn refusal(errors: &[AgentError]) -> String {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.code, e.text)).collect();
    let hint = if errors.iter().any(|e| e.code == "NO_DEVICE") {
        "; leave the device empty and discover those that the agent has"
    } else {
        ""
    };
    format!("the agent refuses: {}{hint}", told.join("; "))
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

/// One agent.
pub(crate) struct Agent {
    pub(crate) settings: Arc<Settings>,
    pub(crate) http: Http,
}

impl Agent {
    pub(crate) fn new(settings: Arc<Settings>, lookups: Lookups) -> Self {
        Self { http: Http::new(Arc::clone(&settings), lookups), settings }
    }

    /// Where a request goes, for people.
    pub(crate) fn place(&self, request: &str) -> String {
        format!("{}, {request}", self.settings.endpoint())
    }

    pub(crate) async fn probe(&mut self) -> Result<Model, Failure> {
        let answer = self.http.get(&self.settings.path("probe")).await?;
        let probed = heavy(answer.body.clone(), |bytes| devices::parse(&bytes)).await;
        match probed {
            Ok(Probed::Model(model)) => Ok(*model),
            Ok(Probed::Errors(errors)) => Err(Failure::Agent(errors)),
            Err(error) => Err(unread(&answer, &error)),
        }
    }

    /// What the data items are now or, with a sequence, were then.
    pub(crate) async fn current(
        &mut self,
        at: Option<u64>,
        index: Option<&Index>,
    ) -> Result<(Header, Vec<Observation>), Failure> {
        let request = at.map_or("current".to_owned(), |at| format!("current?at={at}"));
        self.streams(&request, index).await
    }

    /// A page of observations.
    pub(crate) async fn sample(
        &mut self,
        from: u64,
        count: u64,
        index: Option<&Index>,
    ) -> Result<(Header, Vec<Observation>), Failure> {
        self.streams(&format!("sample?from={from}&count={count}"), index).await
    }

    async fn streams(
        &mut self,
        request: &str,
        index: Option<&Index>,
    ) -> Result<(Header, Vec<Observation>), Failure> {
        let answer = self.http.get(&self.settings.path(request)).await?;
        document(&answer, index).await
    }

    /// Asks for a stream; what comes instead, where none comes, is read as a whole.
    pub(crate) async fn stream(&mut self, request: &str) -> Result<Opened, HttpError> {
        self.http.open(&self.settings.path(request)).await
    }

    /// The whole of an answer that is no stream.
    pub(crate) async fn whole(&self, opened: Opened) -> Result<Answer, Failure> {
        let Opened { status, body, connection, .. } = opened;
        let body = Limited::new(body, DOCUMENT_BYTES_MAX).collect();
        let body = timeout(self.settings.timeout, body)
            .await
            .map_err(|_| HttpError::new(ErrorKind::Timeout, "the answer does not end"))?;
        drop(connection);
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => Failure::Http(told(&error)),
            Err(_) => {
                Failure::Content(format!("an answer of more than {DOCUMENT_BYTES_MAX} bytes"))
            }
        })?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

/// An answer as a document of observations.
pub(crate) async fn document(
    answer: &Answer,
    index: Option<&Index>,
) -> Result<(Header, Vec<Observation>), Failure> {
    match observations(answer.body.clone(), index).await {
        Ok(Document::Streams(header, found)) => Ok((header, found)),
        Ok(Document::Errors(errors)) => Err(Failure::Agent(errors)),
        Err(error) => Err(unread(answer, &error)),
    }
}

/// The document in some bytes, with the observations that an index names, or all.
pub(crate) async fn observations(
    bytes: Bytes,
    index: Option<&Index>,
) -> Result<Document, XmlError> {
    let index = index.map(Arc::clone);
    heavy(bytes, move |bytes| match index {
        Some(index) => streams::parse(&bytes, &|id| index.contains_key(id)),
        None => streams::parse(&bytes, &|_| true),
    })
    .await
}

/// Reads bytes: at once where they are few, else off the threads of the runtime.
async fn heavy<T: Send + 'static>(
    bytes: Bytes,
    read: impl FnOnce(Bytes) -> Result<T, XmlError> + Send + 'static,
) -> Result<T, XmlError> {
    if bytes.len() <= INLINE_BYTES_MAX {
        return read(bytes);
    }
    match spawn_blocking(move || read(bytes)).await {
        Ok(result) => result,
        Err(_) => Err(XmlError::Content("the reading was stopped".to_owned())),
    }
}

fn unread(answer: &Answer, error: &XmlError) -> Failure {
    if answer.status == StatusCode::OK {
        return Failure::Content(error.to_string());
    }
    let hint = if answer.status.is_redirection() {
        ", which points elsewhere: set that address"
    } else {
        ""
    };
    Failure::Content(format!("it answers {}{hint}", answer.status))
}
