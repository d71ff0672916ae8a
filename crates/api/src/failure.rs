//! A failed answer on its way out, and how the errors of every room become one.
//!
//! What the caller sees (code, detail, fields) is separate from what the operator sees: the chain
//! of a failure of ours goes to the log under the request's id, and the caller is told that id.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use weir_access::{AccessError, SignInError};
use weir_audit::AuditError;
use weir_connect::{ConnectError, DriverError, ErrorKind, OrderError};
use weir_historian::{AppendError, HistorianError};
use weir_model::{FieldError, Problem, ProblemCode};
use weir_resolver::ResolverError;
use weir_store::{CommitError, FeedError, StoreError};
use weir_twin::TwinError;

/// Seconds after which a caller who was refused for overload should come back.
pub(crate) const RETRY_SECONDS: u32 = 2;

/// Most wrong fields that one answer lists: enough to see the pattern.
pub(crate) const FIELD_ERRORS_MAX: usize = 20;

/// A failed answer. The edge writes it as `application/problem+json` with the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) problem: Box<Problem>,
    pub(crate) retry_after: Option<u32>,
    /// Whether there is such a thing and the caller may not know of it. The answer does not tell;
    /// the audit does.
    pub(crate) hidden: bool,
}

impl Failure {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(code, detail)), retry_after: None, hidden: false }
    }

    /// Nothing has that identifier, or the caller may not know of it: the two look alike.
    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::NotFound, format!("There is no {what}."))
    }

    /// As [`Failure::not_found`], of a thing that is there.
    pub(crate) fn hidden(what: impl std::fmt::Display) -> Self {
        Self { hidden: true, ..Self::not_found(what) }
    }

    pub(crate) fn field(
        code: ProblemCode,
        field: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        let field = field.into();
        let mut failure = Self::new(code, format!("{field}: {detail}"));
        failure.problem.errors.push(FieldError { field, detail });
        failure
    }

    /// Fields of the request's document that break a rule.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        Self::all_fields(errors).bounded()
    }

    /// With no more wrong fields than one answer lists.
    pub(crate) fn bounded(mut self) -> Self {
        self.problem.errors.truncate(FIELD_ERRORS_MAX);
        self
    }

    /// As [`Failure::fields`], for whoever bounds what is told of them.
    pub(crate) fn all_fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.field, one.detail),
            more => format!("{} fields are not valid.", more.len()),
        };
        let mut failure = Self::new(ProblemCode::InvalidValue, detail);
        failure.problem.errors = errors;
        failure
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Unavailable, detail).retry_after(RETRY_SECONDS)
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A mistake of ours: the chain goes to the log, the caller gets the request's id.
    pub(crate) fn internal(attempt: &str, error: &dyn std::error::Error) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            chain = format!("{chain}: {error}");
            source = error.source();
        }
        tracing::error!(error = %chain, "could not {attempt}");
        let detail = "Something went wrong in Weir; the log tells more under this request's id.";
        Self::new(ProblemCode::Internal, detail)
    }

    /// Moves the pointers of wrong fields below a place of the request's document.
    pub(crate) fn below(mut self, place: &str) -> Self {
        for error in &mut self.problem.errors {
            error.field.insert_str(0, place);
        }
        if let [one] = self.problem.errors.as_slice() {
            self.problem.detail = format!("{}: {}", one.field, one.detail);
        }
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::DiskFull => Self::unavailable("The disk is full; nothing was stored."),
            _ => Self::internal("read or write the documents", &error),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match &error {
            CommitError::Conflict { key, current: Some(current), .. } => {
                let detail = format!("{key} is in version {current} by now; read it again.");
                Self::new(ProblemCode::VersionConflict, detail)
            }
            CommitError::Conflict { key, current: None, .. } => {
                let detail = format!("{key} is gone by now.");
                Self::new(ProblemCode::VersionConflict, detail)
            }
            CommitError::Duplicate { index, value, .. } => {
                let detail = format!("The {index} \"{value}\" is taken.");
                Self::new(ProblemCode::Conflict, detail)
            }
            CommitError::TooLarge { .. } => {
                Self::new(ProblemCode::TooLarge, format!("{error}; make it in parts."))
            }
            CommitError::Busy => Self::unavailable("Too many changes wait; nothing was stored."),
            CommitError::DiskFull => Self::unavailable("The disk is full; nothing was stored."),
            CommitError::Stopped => Self::unavailable("The node is stopping; nothing was stored."),
            _ => Self::internal("write the documents", &error),
        }
    }
}

impl From<FeedError> for Failure {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::TooOld { oldest } => Self::field(
                ProblemCode::InvalidRequest,
                "after",
                format!("changes before position {oldest} are no longer kept; start from there"),
            ),
            FeedError::Ahead { head } => Self::field(
                ProblemCode::InvalidRequest,
                "after",
                format!("the newest change has position {head}"),
            ),
            FeedError::Store(source) => source.into(),
            other => Self::internal("read the changes", &other),
        }
    }
}

impl From<TwinError> for Failure {
    fn from(error: TwinError) -> Self {
        match error {
            TwinError::Invalid(errors) => Self::fields(errors),
            TwinError::NotFound(id) => Self::not_found(id),
            TwinError::InTheWay(what) => Self::new(ProblemCode::Conflict, format!("{what}.")),
            TwinError::Version { .. } => {
                Self::new(ProblemCode::VersionConflict, format!("{error}; read it again."))
            }
            TwinError::NumbersUsedUp(_) => Self::new(ProblemCode::Conflict, format!("{error}.")),
            TwinError::Store(source) => source.into(),
        }
    }
}

impl From<ResolverError> for Failure {
    fn from(error: ResolverError) -> Self {
        match error {
            ResolverError::Store(source) => source.into(),
            ResolverError::Taken(_) => Self::field(ProblemCode::Conflict, "/id", error.to_string()),
            ResolverError::NoneFree(_) => {
                Self::new(ProblemCode::Conflict, format!("{error}; choose one."))
            }
            ResolverError::Identifier(source) => {
                Self::field(ProblemCode::InvalidValue, "/id", source.to_string())
            }
            ResolverError::ForeignPrefix { .. }
            | ResolverError::SuffixTooLong { .. }
            | ResolverError::NotHomed(_) => {
                Self::field(ProblemCode::InvalidValue, "/id", error.to_string())
            }
            ResolverError::Values(words) => {
                Self::field(ProblemCode::InvalidValue, "/values", words)
            }
            ResolverError::Commit(source) => source.into(),
            ResolverError::Listen { .. } | ResolverError::Thread(_) | ResolverError::Key => {
                Self::internal("serve identifiers", &error)
            }
        }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match &error {
            AppendError::TimeInFuture { index, time, latest, .. } => Self::field(
                ProblemCode::TimeInFuture,
                format!("/samples/{index}/time"),
                format!("{time} is after {latest}, the latest time accepted right now"),
            ),
            AppendError::TooLarge { .. } => {
                Self::new(ProblemCode::TooLarge, format!("{error}; send it in parts."))
            }
            AppendError::TooManyDays { .. } => {
                let detail = format!("{error}; send it in parts");
                Self::field(ProblemCode::InvalidValue, "/samples", detail)
            }
            AppendError::SequenceTooOld { .. } => {
                Self::field(ProblemCode::Conflict, "/sequence", error.to_string())
            }
            AppendError::TooManyDeletions { .. } => Self::unavailable(format!("{error}.")),
            AppendError::Overloaded => {
                Self::unavailable("The historian is overloaded; nothing was stored.")
            }
            AppendError::DiskFull => Self::unavailable("The disk is full; nothing was stored."),
            AppendError::Unavailable { reason } => {
                tracing::error!(%reason, "the historian cannot write");
                Self::unavailable("The historian cannot write; nothing was stored.")
            }
            _ => Self::unavailable("The node is stopping; nothing was stored."),
        }
    }
}

impl From<HistorianError> for Failure {
    fn from(error: HistorianError) -> Self {
        match &error {
            HistorianError::Closed => Self::unavailable("The node is stopping."),
            HistorianError::TooManyBuckets { .. } => {
                let detail = format!("{error}: wider ones, a shorter time or fewer tags");
                Self::field(ProblemCode::InvalidRequest, "width", detail)
            }
            HistorianError::AnswerTooLarge { .. } => {
                let detail = format!("Too large an answer: {error}; ask for fewer tags or times.");
                Self::new(ProblemCode::InvalidRequest, detail)
            }
            _ => Self::internal("read the samples", &error),
        }
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        let code = match error.kind {
            ErrorKind::Misconfigured
            | ErrorKind::OutOfLimits
            | ErrorKind::NotWritable
            | ErrorKind::Unsupported => ProblemCode::InvalidValue,
            ErrorKind::Unconfirmed => ProblemCode::PreconditionRequired,
            ErrorKind::Busy | ErrorKind::Stopped => ProblemCode::Unavailable,
            ErrorKind::Unknown => ProblemCode::NotFound,
            ErrorKind::Untrusted => ProblemCode::DeviceUntrusted,
            _ => ProblemCode::DeviceFailed,
        };
        let mut failure = Self::new(code, error.to_string());
        if let Some(certificate) = error.certificate.as_deref() {
            let shown = serde_json::to_value(certificate).unwrap_or_default();
            failure.problem.extensions.insert("certificate".to_owned(), shown);
        }
        failure
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Record(source) => source.into(),
            OrderError::Unrecorded { source, outcome } => match *outcome {
                Ok(_) => {
                    tracing::error!(error = %source, "a write to a device is not written down");
                    let detail = "The device took the value, which could not be written down: \
                                  look at the tag before you write again.";
                    Self::new(ProblemCode::Internal, detail)
                }
                Err(source) => source.into(),
            },
            OrderError::Device(source) => source.into(),
            OrderError::Interrupted => Self::internal("write to a device", &error),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match &error {
            ConnectError::TooManyDevices { .. } => {
                Self::new(ProblemCode::Conflict, format!("{error}."))
            }
            ConnectError::Stopped => Self::unavailable("The node is stopping."),
            _ => Self::internal("change a device", &error),
        }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match &error {
            AccessError::NotFound { what, key } => Self::not_found(format!("{what} {key}")),
            AccessError::Conflict { .. } => {
                Self::new(ProblemCode::VersionConflict, format!("{error}; read it again."))
            }
            AccessError::Busy => Self::unavailable("Too much is being done at this moment."),
            _ if error.problem().status() >= 500 => {
                let mut failure = Self::internal("change who may do what", &error);
                if error.problem() == ProblemCode::Unavailable {
                    failure = Self::unavailable("It could not be stored.");
                }
                failure
            }
            AccessError::WeakPassword(_) => {
                Self::field(ProblemCode::InvalidValue, "/password", error.to_string())
            }
            AccessError::InvalidExpiry(_) => {
                Self::field(ProblemCode::InvalidValue, "/expires", error.to_string())
            }
            AccessError::NoUser(_) => {
                Self::field(ProblemCode::InvalidValue, "/user", error.to_string())
            }
            AccessError::Policy(_) => {
                Self::field(ProblemCode::InvalidValue, "/text", error.to_string())
            }
            _ => Self::new(error.problem(), format!("{error}.")),
        }
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Failed(source) if source.problem() == ProblemCode::Unavailable => {
                (*source).into()
            }
            SignInError::Wrong => Self::new(ProblemCode::Unauthenticated, format!("{error}.")),
            SignInError::Throttled { retry_after } => {
                let seconds = u32::try_from(retry_after.as_secs()).unwrap_or(u32::MAX).max(1);
                Self::new(ProblemCode::TooManyRequests, format!("{error}.")).retry_after(seconds)
            }
            SignInError::Busy => Self::unavailable("Too many sign in at this moment."),
            other => Self::internal("sign in", &other),
        }
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match &error {
            AuditError::Proof(_) => Self::new(ProblemCode::InvalidRequest, format!("{error}.")),
            AuditError::Io { source, .. } if is_full(source) => {
                Self::unavailable("The disk is full; nothing was stored.")
            }
            _ => Self::internal("read the audit", &error),
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}
