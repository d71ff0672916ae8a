//! What the server asks of the node: who may enter, what stands in the plant, what it measures.

pub(crate) mod timely;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use weir_model::{DataType, Identifier, Level, Sample, TagId, Timestamp, Unit, Value};

/// The plant as one principal may see it. Every method is given the principal and filters by what
/// it may see (tenant and grade): what a principal may not see does not exist for it.
///
/// Methods may be called many at a time. Each answer has a bound, [`Limits::request_timeout`], and its
/// client is told `BadTimeout` then. A call is dropped at its bound, and before it when its client gave
/// up: except for [`authenticate`](Self::authenticate) and [`write`](Self::write), which are dropped at
/// the bound only.
///
/// [`Limits::request_timeout`]: crate::Limits::request_timeout
#[async_trait]
pub trait Plant: Send + Sync + 'static {
    /// Who shows these credentials; none where nobody does. Called again when a client renews its
    /// session. The implementation counts failures and slows down who guesses; the server calls at
    /// most [`AUTHENTICATIONS_MAX`](crate::AUTHENTICATIONS_MAX) at a time.
    async fn authenticate(
        &self,
        credentials: Credentials<'_>,
        client: &Client,
    ) -> Option<Principal>;

    /// Assets and tags directly below an asset, or at the top where `parent` is none (tags that
    /// belong to no asset stand there too), in an order of the implementation's own that does not
    /// change with renames: those behind `after`, at most `max`. Fewer than `max` means that there
    /// are no more.
    ///
    /// # Errors
    /// [`PlantError`].
    async fn children(
        &self,
        principal: &Principal,
        parent: Option<&Identifier>,
        after: Option<&Identifier>,
        max: usize,
    ) -> Result<Vec<Node>, PlantError>;

    /// The assets and tags of these identifiers, in their order; none for what does not exist.
    ///
    /// # Errors
    /// [`PlantError`].
    async fn nodes(
        &self,
        principal: &Principal,
        ids: &[Identifier],
    ) -> Result<Vec<Option<Node>>, PlantError>;

    /// The newest samples of tags, in their order; none for a tag that never had one. The tags come
    /// from [`nodes`](Self::nodes) of the same principal, perhaps some time ago.
    ///
    /// # Errors
    /// [`PlantError`].
    async fn last(
        &self,
        principal: &Principal,
        tags: &[TagId],
    ) -> Result<Vec<Option<Sample>>, PlantError>;

    /// What is measured from now on. The stream may carry tags that nobody here has asked for, as
    /// long as they are the principal's own tenant's: the server passes on only tags that
    /// [`nodes`](Self::nodes) showed to the principal. Backfill is left out.
    async fn live(&self, principal: &Principal) -> Box<dyn Live>;

    /// Stored samples of a tag, at most `max`, in the order that the span says. Fewer than `max`
    /// means that there are no more. No two samples of a tag have the same time.
    ///
    /// # Errors
    /// [`PlantError`].
    async fn history(
        &self,
        principal: &Principal,
        tag: TagId,
        span: Span,
        max: usize,
    ) -> Result<Vec<Sample>, PlantError>;

    /// Writes a value to a tag. Asked too where [`nodes`](Self::nodes) says that the tag is not writable,
    /// so that the implementation can say why, and write down who tried. The call runs to its end or its
    /// bound even if the client goes away; what must not be left half done beyond that belongs into a
    /// task of the implementation's.
    ///
    /// # Errors
    /// [`WriteError`].
    async fn write(
        &self,
        principal: &Principal,
        id: &Identifier,
        value: Value,
    ) -> Result<(), WriteError>;
}

/// Samples as they are stored.
#[async_trait]
pub trait Live: Send {
    /// Waits for the next batch; none when the stream has ended. Cancel-safe: a call that is dropped
    /// loses nothing.
    async fn next(&mut self) -> Option<LiveEvent>;
}

/// What a [`Live`] stream carries.
#[derive(Debug, Clone)]
pub enum LiveEvent {
    /// Samples, oldest first for each tag.
    Samples(Arc<[(TagId, Sample)]>),
    /// Batches were dropped because the server was too slow: it reads the newest values instead.
    Lagged,
}

/// Somebody that [`Plant::authenticate`] let in.
#[derive(Clone)]
pub struct Principal {
    name: Arc<str>,
    handle: Arc<dyn Any + Send + Sync>,
}

impl Principal {
    /// A principal under its stable name (the same for each of its sessions), with whatever the
    /// implementation wants to find again in later calls.
    pub fn new(name: &str, handle: impl Any + Send + Sync) -> Self {
        Self { name: name.into(), handle: Arc::new(handle) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was given to [`new`](Self::new), if it is of that type.
    pub fn handle<T: Any>(&self) -> Option<&T> {
        self.handle.downcast_ref()
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.name)
    }
}

/// What a user shows to be let in.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// Nothing. Asked only if the server was started with `allow_anonymous`.
    Anonymous,
    /// A name and a password.
    Password {
        /// The name.
        user: &'a str,
        /// The password in the clear.
        password: &'a str,
    },
    /// A certificate; the server has checked that the user holds its private key, and nothing else:
    /// neither its dates nor who signed it.
    Certificate {
        /// The X.509 certificate in DER.
        der: &'a [u8],
    },
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Password { user, .. } => write!(f, "Password({user:?})"),
            Self::Certificate { .. } => f.write_str("Certificate"),
        }
    }
}

/// The program that a user speaks through.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it connects from.
    pub address: SocketAddr,
    /// The application URI that it claims.
    pub application: String,
    /// SHA-256 thumbprint of its application certificate in hexadecimal; none without security.
    pub certificate: Option<String>,
    /// Whether what it says is encrypted on its way.
    pub encrypted: bool,
}

/// An asset or a tag.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A place in the tree.
    Asset(Asset),
    /// Something measured or set.
    Tag(Tag),
}

/// A place in the equipment hierarchy.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    /// Its identifier, which a rename keeps: the NodeId.
    pub id: Identifier,
    /// The asset that it belongs to; none at the top.
    pub parent: Option<Identifier>,
    /// Its name.
    pub name: String,
    /// Its name in other languages, by language tag (`en`, `zh-CN`).
    pub names: BTreeMap<String, String>,
    /// What it is, for people.
    pub description: String,
    /// Its level of ISA-95.
    pub level: Level,
}

/// A tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Its identifier, which a rename keeps: the NodeId.
    pub id: Identifier,
    /// Its number in the historian.
    pub tag: TagId,
    /// The asset that it belongs to.
    pub parent: Option<Identifier>,
    /// Its name.
    pub name: String,
    /// Its name in other languages, by language tag (`en`, `zh-CN`).
    pub names: BTreeMap<String, String>,
    /// What it measures, for people.
    pub description: String,
    /// Its unit.
    pub unit: Option<Unit>,
    /// What its values are.
    pub data_type: DataType,
    /// The range that its values are normally in, low and high.
    pub range: Option<(f64, f64)>,
    /// The named states of an enumeration.
    pub labels: BTreeMap<i64, String>,
    /// Whether this principal may write it.
    pub writable: bool,
}

impl Node {
    /// The identifier.
    pub fn id(&self) -> &Identifier {
        match self {
            Self::Asset(asset) => &asset.id,
            Self::Tag(tag) => &tag.id,
        }
    }

    /// The asset that it belongs to.
    pub fn parent(&self) -> Option<&Identifier> {
        match self {
            Self::Asset(asset) => asset.parent.as_ref(),
            Self::Tag(tag) => tag.parent.as_ref(),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Asset(asset) => &asset.name,
            Self::Tag(tag) => &tag.name,
        }
    }

    pub(crate) fn names(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Asset(asset) => &asset.names,
            Self::Tag(tag) => &tag.names,
        }
    }

    pub(crate) fn description(&self) -> &str {
        match self {
            Self::Asset(asset) => &asset.description,
            Self::Tag(tag) => &tag.description,
        }
    }
}

/// A part of a tag's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest time, included.
    pub from: Timestamp,
    /// The latest time, included.
    pub to: Timestamp,
    /// Whether the newest samples come first.
    pub newest_first: bool,
}

/// The plant does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlantError {
    /// This principal may not ask that (`BadUserAccessDenied`).
    #[error("the principal may not ask the plant that")]
    Denied,
    /// It cannot now (`BadResourceUnavailable`).
    #[error("the plant cannot answer: {0}")]
    Unavailable(String),
}

/// Why a value was not written, or is not known to be.
///
/// After [`Timeout`](Self::Timeout), [`Stopped`](Self::Stopped) and [`Unsure`](Self::Unsure) the device
/// may hold the value, after the others it does not by this write; [`Device`](Self::Device) says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Nothing that this principal may see has that identifier (`BadNodeIdUnknown`).
    #[error("no such tag")]
    Unknown,
    /// The tag is never written (`BadNotWritable`).
    #[error("the tag is not writable")]
    NotWritable,
    /// The tag is written when a person has confirmed it, and not over OPC UA
    /// (`BadRequestNotAllowed`).
    #[error("the tag takes a person's confirmation, which OPC UA has not")]
    Unconfirmed,
    /// This principal may not write it (`BadUserAccessDenied`).
    #[error("not allowed to write the tag")]
    Denied,
    /// The tag's limits or the device refuse the value (`BadOutOfRange`).
    #[error("the value is out of range")]
    OutOfRange,
    /// The value has another type than the tag (`BadTypeMismatch`).
    #[error("the value is of another type")]
    Mismatch,
    /// The plant cannot write now, and has sent the device nothing (`BadResourceUnavailable`).
    #[error("the value was not sent: {0}")]
    Unavailable(String),
    /// The device cannot be reached, and was sent nothing (`BadNoCommunication`).
    #[error("the device cannot be reached")]
    NoCommunication,
    /// The device refused, or took the value and holds another one (`BadDeviceFailure`).
    #[error("the device does not hold the value: {0}")]
    Device(String),
    /// The device did not answer in time; it may have taken the value (`BadTimeout`).
    #[error("the device did not answer in time")]
    Timeout,
    /// Device or plant was stopped while the value was on its way; it may have arrived
    /// (`BadShutdown`).
    #[error("stopped while the value was on its way")]
    Stopped,
    /// The value was sent, and whether the device holds it cannot be told, or could not be written
    /// down (`Uncertain`).
    #[error("the value was sent, and what became of it is not certain: {0}")]
    Unsure(String),
}
