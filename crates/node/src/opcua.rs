//! Weir as an OPC UA server: its listener, and the plant that it shows.
//!
//! Users sign in with name and password, or show an API token as the password; anonymous users and
//! certificates of users are refused. Who may see and do what is decided as everywhere else, and asked
//! again for each request: assets take `asset:read`, tags `tag:read`, values `sample:read`, writes
//! `device:control`, and all of them the grade.

mod clients;
mod entry;
mod history;
mod live;
mod sight;
mod tree;
mod values;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weir_access::{Access, Action, Caller};
use weir_api::request_id;
use weir_audit::Audit;
use weir_connect::Supervisor;
use weir_historian::Historian;
use weir_model::{Identifier, Sample, TagId, Timestamp, Value};
use weir_opcua_server::{
    Client, Credentials, Handle, Limits, Listen, Live, Node, OpcUaServer, Options, Plant,
    PlantError, Policy, Principal, Running, Span, WriteError,
};
use weir_store::Store;
use weir_twin::Directory;

use crate::config::{Config, OpcUa, OpcUaPolicy};
use crate::error::NodeError;
pub(crate) use clients::clients;
use entry::Entered;

/// Names of principals whose rights have ended and whose sessions are about to.
const ENDINGS_MAX: usize = 64;

/// Hexadecimal digits in the application URI that tell this node from others.
const URI_DIGITS: usize = 16;

/// A listener that is bound and not served yet.
pub(crate) struct Bound {
    listener: std::net::TcpListener,
}

/// The rooms that the server shows.
#[derive(Clone)]
pub(crate) struct Rooms {
    pub(crate) store: Store,
    pub(crate) directory: Directory,
    pub(crate) historian: Historian,
    pub(crate) audit: Audit,
    pub(crate) access: Access,
    pub(crate) supervisor: Supervisor,
}

/// Binds the listener, if the settings ask for it.
pub(crate) async fn bind(settings: &OpcUa) -> Result<Option<Bound>, NodeError> {
    if !settings.enabled {
        return Ok(None);
    }
    if settings.policies.is_empty() {
        return Err(NodeError::NoOpcUaPolicy);
    }
    let address = settings.address;
    let bound = match TcpListener::bind(address).await {
        Ok(listener) => listener.into_std(),
        Err(error) => Err(error),
    };
    let listener = bound.map_err(|source| NodeError::ListenForOpcUa { address, source })?;
    Ok(Some(Bound { listener }))
}

/// Lets clients in from now on, until `stop`, where the listener is bound.
pub(crate) async fn serve(
    bound: Option<Bound>,
    config: &Config,
    rooms: Rooms,
    stop: CancellationToken,
) -> Result<Option<Running>, NodeError> {
    let Some(Bound { listener }) = bound else { return Ok(None) };
    let settings = &config.opcua;
    let pki_dir = config.data.dir.join("opcua").join("server");
    let uri_file = pki_dir.join("application-uri");
    let uri = tokio::task::spawn_blocking(move || application_uri(&uri_file));
    let application_uri = uri.await.map_err(|_| NodeError::Interrupted)??;
    let options = Options {
        listen: vec![Listen::Bound(listener)],
        pki_dir,
        host_names: host_names(settings),
        application_uri,
        application_name: format!("Weir {}", config.organisation.name),
        policies: settings.policies.iter().filter_map(|policy| policy.offered()).collect(),
        allow_none: settings.policies.contains(&OpcUaPolicy::None),
        allow_anonymous: false,
        allow_user_certificates: false,
        limits: Limits {
            connections_max: settings.connections_max,
            sessions_max: settings.sessions_max,
            subscriptions_max: settings.subscriptions_max,
            monitored_items_max: settings.monitored_items_max,
            ..Limits::default()
        },
    };
    let (endings, ended) = mpsc::channel(ENDINGS_MAX);
    let plant = Arc::new(NodePlant { rooms, endings });
    let running = OpcUaServer::start(options, plant, stop.clone()).await?;
    tokio::spawn(end_sessions(running.handle.clone(), ended, stop));
    tracing::info!(address = %running.address(), "the OPC UA server listens");
    Ok(Some(running))
}

/// Ends the sessions of principals that are no longer what they were.
async fn end_sessions(
    handle: Handle,
    mut ended: mpsc::Receiver<Arc<str>>,
    stop: CancellationToken,
) {
    loop {
        let name = tokio::select! {
            name = ended.recv() => name,
            () = stop.cancelled() => None,
        };
        let Some(name) = name else { return };
        if handle.end_sessions(&name) > 0 {
            tracing::info!(user = &*name, "rights have changed; OPC UA sessions were ended");
        }
    }
}

/// Names by which clients reach this machine: those of the settings, else its own and the address.
fn host_names(settings: &OpcUa) -> Vec<String> {
    if !settings.host_names.is_empty() {
        return settings.host_names.clone();
    }
    let mut names: Vec<String> = weir_opcua_server::machine_name().into_iter().collect();
    let ip = settings.address.ip();
    if !ip.is_unspecified() {
        names.push(ip.to_string());
    }
    names.push("localhost".to_owned());
    names.dedup();
    names
}

/// The application URI, made at the first start: the certificate holds it, and clients remember it.
fn application_uri(file: &Path) -> Result<String, NodeError> {
    let unusable = |source| NodeError::Data { path: file.to_owned(), source };
    match std::fs::read_to_string(file) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(error)),
    }
    let digits = format!("{:032x}", request_id().0);
    let uri = format!("urn:weir:{}:opcua", digits.get(..URI_DIGITS).unwrap_or_default());
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(unusable)?;
    }
    crate::private_file::write(file, uri.as_bytes()).map_err(unusable)?;
    Ok(uri)
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

impl OpcUaPolicy {
    /// The policy as the server knows it; nothing for no security.
    fn offered(self) -> Option<Policy> {
        match self {
            Self::None => None,
            Self::Aes128Sha256RsaOaep => Some(Policy::Aes128Sha256RsaOaep),
            Self::Basic256Sha256 => Some(Policy::Basic256Sha256),
            Self::Aes256Sha256RsaPss => Some(Policy::Aes256Sha256RsaPss),
        }
    }
}

/// The plant of this node, as the server asks for it.
struct NodePlant {
    rooms: Rooms,
    /// Where the names of principals go whose rights have ended.
    endings: mpsc::Sender<Arc<str>>,
}

impl Rooms {
    fn may(&self, caller: &Caller, action: Action) -> bool {
        self.access.decide(caller, action, caller.scope()).is_ok()
    }
}

/// Who it is; a principal of somebody else's making may ask nothing.
fn caller(principal: &Principal) -> Result<&Entered, PlantError> {
    principal.handle::<Entered>().ok_or(PlantError::Denied)
}

/// Reads documents on a thread that may block.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, PlantError> + Send + 'static,
) -> Result<T, PlantError> {
    let answer = tokio::task::spawn_blocking(read).await;
    answer.unwrap_or_else(|_| Err(PlantError::Unavailable("a task failed".to_owned())))
}

fn unavailable(error: impl std::fmt::Display) -> PlantError {
    PlantError::Unavailable(error.to_string())
}

#[async_trait]
impl Plant for NodePlant {
    async fn authenticate(
        &self,
        credentials: Credentials<'_>,
        client: &Client,
    ) -> Option<Principal> {
        entry::let_in(&self.rooms, &self.endings, credentials, client).await
    }

    async fn children(
        &self,
        principal: &Principal,
        parent: Option<&Identifier>,
        after: Option<&Identifier>,
        max: usize,
    ) -> Result<Vec<Node>, PlantError> {
        let (rooms, caller) = (self.rooms.clone(), caller(principal)?.caller.clone());
        let (parent, after) = (parent.map(Identifier::folded), after.map(Identifier::folded));
        reading(move || tree::children(&rooms, &caller, parent.as_deref(), after.as_deref(), max))
            .await
    }

    async fn nodes(
        &self,
        principal: &Principal,
        ids: &[Identifier],
    ) -> Result<Vec<Option<Node>>, PlantError> {
        let (rooms, caller) = (self.rooms.clone(), caller(principal)?.caller.clone());
        let keys: Vec<String> = ids.iter().map(Identifier::folded).collect();
        reading(move || tree::nodes(&rooms, &caller, &keys)).await
    }

    async fn last(
        &self,
        principal: &Principal,
        tags: &[TagId],
    ) -> Result<Vec<Option<Sample>>, PlantError> {
        values::last(&self.rooms, &caller(principal)?.caller, tags)
    }

    async fn live(&self, principal: &Principal) -> Box<dyn Live> {
        match caller(principal) {
            Ok(entered) => Box::new(live::Stream::open(&self.rooms, &entered.caller)),
            Err(_) => Box::new(live::Nothing),
        }
    }

    async fn history(
        &self,
        principal: &Principal,
        tag: TagId,
        span: Span,
        max: usize,
    ) -> Result<Vec<Sample>, PlantError> {
        values::history(&self.rooms, &caller(principal)?.caller, tag, span, max).await
    }

    async fn write(
        &self,
        principal: &Principal,
        id: &Identifier,
        value: Value,
    ) -> Result<(), WriteError> {
        let entered = caller(principal).map_err(|_| WriteError::Denied)?;
        write::write(&self.rooms, entered, id, value).await
    }
}

#[cfg(test)]
mod tests;
