//! Who is let in: by name and password, or by an API token as the password.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use weir_access::{Caller, SignInName};
use weir_api::request_id;
use weir_audit::{Entry, Event};
use weir_model::{Prefix, TenantId};
use weir_opcua_server::{Client, Credentials, Principal};
use weir_twin::Organisations;

use super::{Rooms, now};
use crate::rights;

/// What the audit names the opening of a session.
const CAUSE: &str = "opcua.session";

/// Most of a name that is written down of somebody who was not let in: it may be a password that was
/// typed into the wrong field.
const NAME_CHARS_MAX: usize = 64;

/// What stands between user and token in a principal's name.
const BY_TOKEN: &str = " by token ";

/// The user that a principal's name says, and whether a token was shown.
pub(super) fn user_and_token(name: &str) -> (&str, bool) {
    name.rsplit_once(BY_TOKEN).map_or((name, false), |(user, _)| (user, true))
}

/// What the plant finds again in a principal.
pub(super) struct Entered {
    pub(super) caller: Caller,
    pub(super) remote: IpAddr,
    /// Ends the watch over its rights when the last session of the principal is gone.
    _watch: DropGuard,
}

/// Lets somebody in, or not. Both are in the audit.
pub(super) async fn let_in(
    rooms: &Rooms,
    endings: &mpsc::Sender<Arc<str>>,
    credentials: Credentials<'_>,
    client: &Client,
) -> Option<Principal> {
    let remote = client.address.ip();
    let (user, password) = match credentials {
        Credentials::Password { user, password } => (user, password),
        Credentials::Anonymous => {
            tracing::warn!(%remote, "an OPC UA user without name was refused");
            return None;
        }
        Credentials::Certificate { .. } => {
            tracing::warn!(%remote, "an OPC UA user was refused: users have passwords and tokens here, and no certificates");
            return None;
        }
    };
    match who(rooms, user, password, remote).await {
        Ok(caller) => {
            // A token says whose it is; what was typed beside it says nothing.
            let user = match caller.credential() {
                Some(_) => caller.principal.to_string(),
                None => user.to_owned(),
            };
            let event = Event::SignIn { user, ok: true, reason: None };
            let entry = Entry::new(now(), caller.author(CAUSE, request_id()), event);
            if let Err(error) = rooms.audit.append(entry.from_remote(Some(remote))).await {
                tracing::error!(%error, "nobody is let in who cannot be written down");
                return None;
            }
            Some(principal(rooms, endings, caller, remote))
        }
        Err(reason) => {
            let author = rooms.access.anonymous().author(CAUSE, request_id());
            let user = user.chars().take(NAME_CHARS_MAX).collect();
            let event = Event::SignIn { user, ok: false, reason: Some(reason.to_owned()) };
            let entry = Entry::new(now(), author, event).from_remote(Some(remote));
            if let Err(error) = rooms.audit.refuse(entry).await {
                tracing::error!(%error, "could not write a failed sign-in to the audit");
            }
            None
        }
    }
}

/// The caller; else why there is none, as a stable code.
async fn who(
    rooms: &Rooms,
    user: &str,
    password: &str,
    remote: IpAddr,
) -> Result<Caller, &'static str> {
    // A token says by itself whose it is. What is no token may still be a password that looks like one.
    let caller = match rooms.access.by_token(password, now()) {
        Some(caller) => caller,
        None => {
            let tenant = |prefix: &Prefix| Organisations::tenant_of(&rooms.store, prefix);
            let name = SignInName::parse(user);
            let found = rooms.access.by_password(&name, tenant, password, remote, now()).await;
            found.map_err(|error| {
                tracing::warn!(%remote, %error, "an OPC UA user was not let in");
                error.code()
            })?
        }
    };
    // A principal of the node itself has no plant.
    if caller.tenant == TenantId::NODE { Err("no-organisation") } else { Ok(caller) }
}

/// Watches the caller's rights for as long as there is a session of it.
fn principal(
    rooms: &Rooms,
    endings: &mpsc::Sender<Arc<str>>,
    caller: Caller,
    remote: IpAddr,
) -> Principal {
    // Tokens may do less than their user: what belongs to the sessions of one is not another's.
    let name: Arc<str> = match caller.credential() {
        Some(credential) => format!("{}{BY_TOKEN}{credential}", caller.principal.folded()).into(),
        None => caller.principal.folded().into(),
    };
    let (endings, ended) = (endings.clone(), name.clone());
    let watch = rights::watch(&rooms.access, &caller, async move {
        let _ = endings.send(ended).await;
    });
    Principal::new(&name, Entered { caller, remote, _watch: watch })
}
