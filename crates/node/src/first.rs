//! The first organisation and its administrator, in an empty data folder.

use std::time::SystemTime;

use weir_access::{Access, Bootstrap, By};
use weir_model::{RequestId, TenantId, Timestamp};
use weir_resolver::{Identifiers, Kind, Minter, Record};
use weir_store::{Commit, Expect, Store};
use weir_twin::{Draft, Organisations};

use crate::config::Organisation;
use crate::error::NodeError;

/// The name that the first administrator signs in with.
const NAME: &str = "admin";

/// Somebody who can sign in where nobody could before. The password is told once.
pub struct FirstAdministrator {
    /// The name to sign in with.
    pub user: String,
    /// The generated password.
    pub password: String,
}

/// Creates what is missing: the organisation first, then the administrator, so that a start which
/// was interrupted between the two is completed by the next one.
pub(crate) async fn create(
    store: &Store,
    access: &Access,
    settings: &Organisation,
    tenant: TenantId,
) -> Result<Option<FirstAdministrator>, NodeError> {
    let now = Timestamp::from_system(SystemTime::now());
    let request = request(now);
    let system = access.system("start", tenant);
    if store.count::<Organisations>(TenantId::NODE)? == 0 {
        let commit = Commit::new(system.author("organisation.create", request), now);
        let commit = store.read(|snap| organisation(snap, commit, settings))?;
        store.commit(commit).await.map_err(|error| NodeError::First(error.to_string()))?;
    }
    let prefix = settings.prefix.clone();
    let first = Bootstrap::administrator(tenant, prefix, NAME);
    let made = access.bootstrap(By::new(&system, request, now), first, |user, commit| {
        let record = Record::new(user.id.clone(), Kind::User, &user.name, commit.time());
        commit.put_in::<Identifiers>(tenant, user.id.folded(), &record, Expect::Any);
    });
    let made = made.await?;
    Ok(made.map(|made| FirstAdministrator { user: NAME.to_owned(), password: made.password }))
}

/// What a start is called where a request would be: it is none, and its time names it.
pub(crate) fn request(now: Timestamp) -> RequestId {
    RequestId(now.nanos().unsigned_abs().into())
}

fn organisation(
    snap: &weir_store::Snapshot,
    commit: Commit,
    settings: &Organisation,
) -> Result<Commit, NodeError> {
    let failed = |error: &dyn std::fmt::Display| NodeError::First(error.to_string());
    let mut draft = Draft::new(snap, commit);
    let tenant = draft.next_tenant().map_err(|e| failed(&e))?;
    let prefix = settings.prefix.clone();
    let id = prefix.child("organisation").map_err(|e| failed(&e))?;
    let mut minter = Minter::new(snap, tenant, prefix.clone()).map_err(|e| failed(&e))?;
    let id = minter.mint(draft.commit_mut(), Kind::Organisation, Some(&id), &settings.name);
    let organisation = weir_twin::Organisation {
        id: id.map_err(|e| failed(&e))?,
        tenant,
        prefix,
        name: settings.name.clone(),
        names: Default::default(),
        grade: Some(settings.grade),
    };
    draft.create_organisation(&organisation).map_err(|e| failed(&e))?;
    draft.finish().map_err(|e| failed(&e))
}
