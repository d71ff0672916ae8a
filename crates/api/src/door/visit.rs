//! What a handler knows of the request it answers: who calls, for which tenant, in which request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request};
use http::request::Parts;
use weir_access::{By, Caller};
use weir_model::{
    Author, CAUSE_BYTES_MAX, Grade, Identifier, ProblemCode, RequestId, TenantId, Timestamp,
};
use weir_store::{Commit, CommitError, Receipt};
use weir_twin::{Organisation, TenantView};

use super::Permission;
use crate::blocking::blocking;
use crate::failure::Failure;
use crate::state::ApiState;

/// A request that the door let in. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Visit {
    inner: Arc<Inner>,
    pub(crate) permission: Permission,
}

struct Inner {
    state: ApiState,
    caller: Caller,
    /// The CSRF token of a session.
    csrf: Option<String>,
    request: RequestId,
    remote: Option<IpAddr>,
    path: String,
    now: Timestamp,
}

impl Visit {
    pub(super) fn of(
        state: ApiState,
        request: &Request,
        caller: Caller,
        csrf: Option<String>,
    ) -> Self {
        let extensions = request.extensions();
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let path = extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        let now = state.now();
        let inner = Inner {
            caller,
            csrf,
            request: extensions.get::<RequestId>().copied().unwrap_or(RequestId(0)),
            remote: peer.map(|ConnectInfo(address)| address.ip()),
            path,
            now,
            state,
        };
        Self { inner: Arc::new(inner), permission: Permission::Public }
    }

    /// The same request, at a route that asks for a permission.
    pub(super) fn asking(self, permission: Permission) -> Self {
        Self { permission, ..self }
    }

    pub(crate) fn state(&self) -> &ApiState {
        &self.inner.state
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.inner.caller
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.inner.caller.tenant
    }

    pub(crate) fn remote(&self) -> Option<IpAddr> {
        self.inner.remote
    }

    /// The route, as it is registered.
    pub(crate) fn path(&self) -> &str {
        &self.inner.path
    }

    /// When the request came in.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.now
    }

    pub(crate) fn csrf(&self) -> Option<&str> {
        self.inner.csrf.as_deref()
    }

    pub(crate) fn request(&self) -> RequestId {
        self.inner.request
    }

    /// Who changes something through access, and when.
    pub(crate) fn by(&self) -> By<'_> {
        By::new(&self.inner.caller, self.inner.request, self.inner.now)
    }

    /// Whether the caller may see a thing of its tenant that has this grade.
    pub(crate) fn sees(&self, grade: Grade) -> bool {
        self.inner.caller.sees(self.tenant(), grade)
    }

    /// The author of what this request changes. The cause is a stable dotted verb.
    pub(crate) fn author(&self, cause: &str) -> Author {
        let end = cause.floor_char_boundary(cause.len().min(CAUSE_BYTES_MAX));
        Author {
            tenant: self.tenant(),
            principal: self.inner.caller.principal.clone(),
            cause: cause[..end].to_owned(),
            request: self.inner.request,
        }
    }

    /// An empty commit of this request.
    pub(crate) fn commit(&self, cause: &str) -> Commit {
        Commit::new(self.author(cause), self.now())
    }

    /// Makes a change that reads what it rests on, and makes it again if another change came
    /// between. Changes of documents take turns.
    ///
    /// # Errors
    /// What the plan or the store refuses; a conflict that stays is 412.
    pub(crate) async fn change<T>(
        &self,
        cause: &str,
        plan: impl Fn(&weir_store::Snapshot<'_>, Commit) -> Result<(Commit, T), Failure>,
    ) -> Result<(Receipt, T), Failure> {
        let state = self.state();
        let _turn = state.shaping.lock().await;
        let mut attempt = 1;
        loop {
            let commit = self.commit(cause);
            let (commit, made) = state.store.read(|snap| plan(snap, commit))?;
            match state.store.commit(commit).await {
                Ok(receipt) => return Ok((receipt, made)),
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// As [`Visit::change`], for a change of very many records: planned off the runtime, and written as a whole whatever its
    /// size. A plan without a commit only tells.
    ///
    /// # Errors
    /// As [`Visit::change`].
    pub(crate) async fn change_many<T: Send + 'static>(
        &self,
        cause: &'static str,
        plan: impl Fn(&weir_store::Snapshot<'_>, Commit) -> Result<(Option<Commit>, T), Failure>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Failure> {
        let state = self.state();
        let _turn = state.shaping.lock().await;
        let plan = Arc::new(plan);
        let mut attempt = 1;
        loop {
            let (visit, plan) = (self.clone(), Arc::clone(&plan));
            let planning = move || visit.state().store.read(|snap| plan(snap, visit.commit(cause)));
            let (commit, made) = blocking("plan a change", planning).await??;
            let Some(commit) = commit else { return Ok(made) };
            match state.store.commit_in_parts(commit).await {
                Ok(_) => return Ok(made),
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until the caller is no longer what it was or the node stops, and says which.
    pub(crate) fn ended(&self) -> impl Future<Output = Failure> + Send + 'static {
        let state = self.state();
        let (revoked, shutdown) = (state.access.revoked(self.caller()), state.shutdown.clone());
        async move {
            tokio::select! {
                () = revoked => {
                    let detail = "Your rights have changed or ended; sign in again.";
                    Failure::new(ProblemCode::Unauthenticated, detail)
                }
                () = shutdown.cancelled() => Failure::unavailable("The node is stopping."),
            }
        }
    }

    /// Whether the caller may see an asset, by key.
    pub(crate) fn sees_asset(&self, key: &str) -> Result<bool, Failure> {
        self.directory(|view| view.asset(key).is_some_and(|a| self.sees(view.grade_of_asset(a))))
    }

    /// Asks the directory about the caller's tenant.
    ///
    /// # Errors
    /// Where the documents cannot be read.
    pub(crate) fn directory<T>(&self, ask: impl FnOnce(&TenantView) -> T) -> Result<T, Failure> {
        let empty = TenantView::default();
        let mut ask = Some(ask);
        let mut take = |view: &TenantView| ask.take().map(|ask| ask(view));
        let found = self.state().directory.with(self.tenant(), &mut take)?;
        // A principal of the node itself has no tenant with records; its lists are empty.
        match found.flatten().or_else(|| take(&empty)) {
            Some(answer) => Ok(answer),
            None => Err(Failure::new(ProblemCode::Internal, "the directory gave no answer")),
        }
    }

    /// The caller's organisation.
    ///
    /// # Errors
    /// 409 for a principal of the node itself, which has none to keep things in.
    pub(crate) fn organisation(&self) -> Result<Organisation, Failure> {
        self.directory(|view| view.organisation().cloned())?.ok_or_else(|| {
            let detail = "You act for the node itself; things belong to an organisation.";
            Failure::new(ProblemCode::Conflict, detail)
        })
    }
}

/// How often a change is planned at most when others come between.
const ATTEMPTS_MAX: u32 = 8;

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!(path = %parts.uri.path(), "a handler was reached without the door");
            Failure::new(ProblemCode::Internal, "A handler was reached without the door.")
        })
    }
}

/// An identifier in a path, percent-encoded as one segment.
pub(crate) struct Id(pub(crate) Identifier);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let text = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        let found = text.ok().and_then(|axum::extract::Path(text)| Identifier::parse(&text).ok());
        // What is no identifier is the identifier of nothing.
        found.map(Self).ok_or_else(|| Failure::not_found("such thing"))
    }
}
