//! A node with two organisations, for tests.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use weir_access::{
    Access, Bootstrap, By, Caller, NewUser, Options, SignInError, SignInName, SignedIn,
};
use weir_model::{Grade, Identifier, Prefix, RequestId, TenantId, Timestamp};
use weir_store::{Schema, Store};

pub(crate) const ONE: TenantId = TenantId(1);
pub(crate) const TWO: TenantId = TenantId(2);
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const REQUEST: RequestId = RequestId(9);
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const HOUR: i64 = 3600 * 1_000_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

pub(crate) fn open(dir: &Path) -> Access {
    let schema = Access::schema(Schema::new());
    let store = Store::open(dir, schema, weir_store::Options::default()).unwrap();
    Access::open(store, Options::default()).unwrap()
}

pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) access: Access,
    /// Administrator of the node and of organisation 1.
    pub(crate) root: SignedIn,
}

pub(crate) fn by(caller: &Caller) -> By<'_> {
    By::new(caller, REQUEST, now())
}

pub(crate) fn prefix(tenant: TenantId) -> Prefix {
    Prefix::parse(&format!("88.10{tenant}")).unwrap()
}

impl Node {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let access = open(dir.path());
        let system = access.system("start", ONE);
        let mut first = Bootstrap::administrator(ONE, prefix(ONE), "root");
        first.password = Some(PASSWORD.to_owned());
        access.bootstrap(by(&system), first, |_, _| {}).await.unwrap().unwrap();
        let root = sign_in(&access, "root", PASSWORD, now()).await.unwrap();
        Self { dir, access, root }
    }

    /// Adds a user, made by the node's administrator.
    pub(crate) async fn add(
        &self,
        tenant: TenantId,
        name: &str,
        roles: &[&str],
        ceiling: Grade,
    ) -> Identifier {
        let new = new_user(tenant, name, roles, ceiling);
        let made = self.access.create_user(by(&self.root.caller), new, |_, _| {}).await;
        made.unwrap().record.id
    }

    pub(crate) async fn sign_in(&self, name: &str) -> SignedIn {
        sign_in(&self.access, name, PASSWORD, now()).await.unwrap()
    }
}

/// Signs in from [`HERE`], as the door does: on this node, only the organisations [`ONE`] and
/// [`TWO`] are there.
pub(crate) async fn sign_in(
    access: &Access,
    typed: &str,
    password: &str,
    at: Timestamp,
) -> Result<SignedIn, SignInError> {
    let name = SignInName::parse(typed);
    let there = |asked: &Prefix| [ONE, TWO].into_iter().find(|tenant| prefix(*tenant) == *asked);
    access.sign_in(&name, |asked| Ok(there(asked)), password, HERE, REQUEST, at).await
}

pub(crate) fn new_user(tenant: TenantId, name: &str, roles: &[&str], ceiling: Grade) -> NewUser {
    NewUser {
        tenant,
        prefix: prefix(tenant),
        name: name.to_owned(),
        full_name: None,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ceiling,
        password: Some(PASSWORD.to_owned()),
    }
}
