//! The plant with a bound on every answer. All requests of clients go through here, so that a call
//! that never returns holds nothing of the server for longer than [`Limits::request_timeout`].
//!
//! A read ends when its client stops waiting. Writes and authentications do not: what is half
//! written is worse than what nobody waits for, and a client that gave up early would have more
//! passwords checked at a time than [`AUTHENTICATIONS_MAX`].
//!
//! [`Limits::request_timeout`]: crate::Limits::request_timeout

use std::sync::Arc;
use std::time::{Duration, Instant};

use opcua::types::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::{timeout, timeout_at};
use weir_model::{Identifier, Sample, TagId, Value};

use super::{Client, Credentials, Live, Node, Plant, PlantError, Principal, Span, WriteError};
use crate::AUTHENTICATIONS_MAX;

/// The plant, asked with an end.
pub(crate) struct Timely {
    plant: Arc<dyn Plant>,
    /// What an answer may take at most.
    longest: Duration,
    authentications: Semaphore,
}

impl Timely {
    pub(crate) fn new(plant: Arc<dyn Plant>, longest: Duration) -> Self {
        Self { plant, longest, authentications: Semaphore::new(AUTHENTICATIONS_MAX) }
    }

    /// Until when a request may take that begins now, by the time-out hint of its client in
    /// milliseconds; 0 says nothing (OPC 10000-4, clause 7.33).
    pub(crate) fn deadline(&self, hint_ms: u32) -> Instant {
        let hint = match hint_ms {
            0 => self.longest,
            hint => self.longest.min(Duration::from_millis(hint.into())),
        };
        Instant::now() + hint
    }

    pub(crate) async fn authenticate(
        &self,
        credentials: Credentials<'_>,
        client: &Client,
    ) -> Result<Option<Principal>, StatusCode> {
        let asked = async {
            let permit = self.authentications.acquire().await;
            let _permit = permit.map_err(|_| StatusCode::BadInternalError)?;
            Ok(self.plant.authenticate(credentials, client).await)
        };
        match timeout(self.longest, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late("authenticate a user")),
        }
    }

    pub(crate) async fn children(
        &self,
        deadline: Instant,
        principal: &Principal,
        parent: Option<&Identifier>,
        after: Option<&Identifier>,
        max: usize,
    ) -> Result<Vec<Node>, StatusCode> {
        self.by(deadline, self.plant.children(principal, parent, after, max)).await
    }

    pub(crate) async fn nodes(
        &self,
        deadline: Instant,
        principal: &Principal,
        ids: &[Identifier],
    ) -> Result<Vec<Option<Node>>, StatusCode> {
        self.by(deadline, self.plant.nodes(principal, ids)).await
    }

    pub(crate) async fn last(
        &self,
        deadline: Instant,
        principal: &Principal,
        tags: &[TagId],
    ) -> Result<Vec<Option<Sample>>, StatusCode> {
        self.by(deadline, self.plant.last(principal, tags)).await
    }

    /// Without a bound: nothing but the subscriptions of one session waits for it, and they wait with
    /// their own clock running.
    pub(crate) async fn live(&self, principal: &Principal) -> Box<dyn Live> {
        self.plant.live(principal).await
    }

    pub(crate) async fn history(
        &self,
        deadline: Instant,
        principal: &Principal,
        tag: TagId,
        span: Span,
        max: usize,
    ) -> Result<Vec<Sample>, StatusCode> {
        self.by(deadline, self.plant.history(principal, tag, span, max)).await
    }

    /// What became of a write, as its client is told.
    pub(crate) async fn write(
        &self,
        principal: &Principal,
        id: &Identifier,
        value: Value,
    ) -> StatusCode {
        match timeout(self.longest, self.plant.write(principal, id, value)).await {
            Ok(Ok(())) => StatusCode::Good,
            Ok(Err(error)) => error.status(),
            Err(_) => self.late("write a value"),
        }
    }

    async fn by<T>(
        &self,
        deadline: Instant,
        answer: impl Future<Output = Result<T, PlantError>>,
    ) -> Result<T, StatusCode> {
        match timeout_at(deadline.into(), answer).await {
            Ok(answer) => answer.map_err(|error| error.status()),
            // Clients choose how long they wait: this is nothing to warn of.
            Err(_) => {
                tracing::debug!("the plant did not answer an OPC UA request in time");
                Err(StatusCode::BadTimeout)
            }
        }
    }

    fn late(&self, asked: &str) -> StatusCode {
        let limit_s = self.longest.as_secs_f64();
        tracing::warn!(asked, limit_s, "the plant did not answer an OPC UA request in time");
        StatusCode::BadTimeout
    }
}

impl PlantError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Denied => StatusCode::BadUserAccessDenied,
            Self::Unavailable(_) => {
                tracing::warn!(error = %self, "an OPC UA request could not be answered");
                StatusCode::BadResourceUnavailable
            }
        }
    }
}

impl WriteError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::BadNodeIdUnknown,
            Self::NotWritable => StatusCode::BadNotWritable,
            Self::Unconfirmed => StatusCode::BadRequestNotAllowed,
            Self::Denied => StatusCode::BadUserAccessDenied,
            Self::OutOfRange => StatusCode::BadOutOfRange,
            Self::Mismatch => StatusCode::BadTypeMismatch,
            Self::Unavailable(_) => StatusCode::BadResourceUnavailable,
            Self::NoCommunication => StatusCode::BadNoCommunication,
            Self::Device(_) => StatusCode::BadDeviceFailure,
            Self::Timeout => StatusCode::BadTimeout,
            Self::Stopped => StatusCode::BadShutdown,
            Self::Unsure(_) => StatusCode::Uncertain,
        }
    }
}
