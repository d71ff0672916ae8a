//! What is open in somebody's name ends within a second, and what is remembered of them at once.

use std::time::Duration;

use crate::support::{HERE, HOUR, Node, ONE, PASSWORD, TWO, by, now, sign_in};
use tokio::time::timeout;
use weir_access::{
    Action, Caller, NewToken, Scope, SignInError, SignInName, TRIES_FREE_A_USER, UserChange, Via,
};
use weir_model::{Grade, TenantId};
use weir_store::Expect;

const SECOND: Duration = Duration::from_secs(1);

struct Open {
    node: Node,
    caller: Caller,
    secret: String,
    stream: tokio::task::JoinHandle<()>,
    bystander: tokio::task::JoinHandle<()>,
}

/// Ada of organisation 1 has a session with a stream open, and so has Bob of organisation 2.
async fn open() -> Open {
    let node = Node::new().await;
    node.add(ONE, "ada", &["engineer"], Grade::General).await;
    node.add(TWO, "bob", &["viewer"], Grade::General).await;
    let (ada, bob) = (node.sign_in("ada").await, node.sign_in("bob@88.102").await);
    let stream = tokio::spawn(node.access.revoked(&ada.caller));
    let bystander = tokio::spawn(node.access.revoked(&bob.caller));
    // Both are waiting, and other people's sessions do not end them.
    node.sign_in("root").await;
    tokio::task::yield_now().await;
    assert!(!stream.is_finished() && !bystander.is_finished());
    Open { node, caller: ada.caller, secret: ada.secret, stream, bystander }
}

impl Open {
    async fn assert_ended(self) {
        timeout(SECOND, self.stream).await.unwrap().unwrap();
        assert!(!self.bystander.is_finished(), "others' streams go on");
    }

    fn is_known(&self) -> bool {
        self.node.access.by_session(&self.secret, now()).is_some()
    }
}

#[tokio::test]
async fn by_signing_out() {
    let open = open().await;
    assert!(open.is_known());
    open.node.access.sign_out(by(&open.caller)).await.unwrap();
    assert!(!open.is_known());
    open.assert_ended().await;
}

#[tokio::test]
async fn by_disabling() {
    let open = open().await;
    assert!(open.is_known());
    let change = UserChange { disabled: Some(true), ..Default::default() };
    let root = by(&open.node.root.caller);
    let id = open.caller.principal.clone();
    open.node.access.update_user(root, ONE, &id, change, Expect::Any).await.unwrap();
    assert!(!open.is_known());
    open.assert_ended().await;
}

#[tokio::test]
async fn by_deleting() {
    let open = open().await;
    let root = by(&open.node.root.caller);
    let id = open.caller.principal.clone();
    open.node.access.delete_user(root, ONE, &id, Expect::Any).await.unwrap();
    assert!(!open.is_known());
    open.assert_ended().await;
}

#[tokio::test]
async fn by_another_password() {
    let open = open().await;
    let root = by(&open.node.root.caller);
    let id = open.caller.principal.clone();
    let new = "another long enough phrase";
    open.node.access.set_password(root, ONE, &id, new).await.unwrap();
    assert!(!open.is_known());
    open.assert_ended().await;
}

#[tokio::test]
async fn by_a_password_changed_in_another_session() {
    let open = open().await;
    let other = open.node.sign_in("ada").await;
    let new = "another long enough phrase";
    open.node.access.change_password(by(&other.caller), PASSWORD, new).await.unwrap();
    assert!(!open.is_known());
    open.assert_ended().await;
}

#[tokio::test]
async fn by_other_roles() {
    let open = open().await;
    let change = UserChange { roles: Some(vec!["viewer".to_owned()]), ..Default::default() };
    let root = by(&open.node.root.caller);
    let id = open.caller.principal.clone();
    open.node.access.update_user(root, ONE, &id, change, Expect::Any).await.unwrap();
    // The session goes on with what it may do now.
    let access = &open.node.access;
    let (caller, _) = access.by_session(&open.secret, now()).unwrap();
    assert!(access.decide(&caller, Action::TagWrite, Scope::of(ONE)).is_err());
    assert!(access.decide(&caller, Action::TagRead, Scope::of(ONE)).is_ok());
    open.assert_ended().await;
}

#[tokio::test]
async fn by_another_policy_of_its_tenant() {
    let open = open().await;
    let root = by(&open.node.root.caller);
    let text = "forbid (principal, action, resource);";
    open.node.access.put_policy(root, ONE, "closed", text, Expect::Any).await.unwrap();
    open.assert_ended().await;
}

#[tokio::test]
async fn by_another_policy_of_the_node() {
    let open = open().await;
    let root = by(&open.node.root.caller);
    let text = "forbid (principal, action, resource) when { resource.tenant == 1 };";
    open.node.access.put_policy(root, TenantId::NODE, "closed", text, Expect::Any).await.unwrap();
    timeout(SECOND, open.stream).await.unwrap().unwrap();
    timeout(SECOND, open.bystander).await.unwrap().unwrap();
}

#[tokio::test]
async fn of_tokens() {
    let node = Node::new().await;
    node.add(ONE, "ada", &["engineer"], Grade::General).await;
    let ada = node.sign_in("ada").await.caller;
    let new = |nanos| NewToken {
        name: "a program".to_owned(),
        user: None,
        actions: vec![Action::TagRead],
        ceiling: None,
        expires: now().saturating_add(nanos),
    };
    let access = &node.access;
    let (kept, _) = access.create_token(by(&ada), new(HOUR)).await.unwrap();
    let (ended, record) = access.create_token(by(&ada), new(HOUR)).await.unwrap();
    let (short, _) = access.create_token(by(&ada), new(300_000_000)).await.unwrap();
    let open = |secret: &str| {
        let caller = access.by_token(secret, now()).unwrap();
        tokio::spawn(access.revoked(&caller))
    };
    let (kept_stream, ended_stream, short_stream) = (open(&kept), open(&ended), open(&short));
    access.revoke_token(by(&ada), ONE, &record.key).await.unwrap();
    assert!(access.by_token(&ended, now()).is_none());
    timeout(SECOND, ended_stream).await.unwrap().unwrap();
    timeout(SECOND, short_stream).await.unwrap().unwrap();
    assert!(access.by_token(&short, now()).is_none());
    assert!(!kept_stream.is_finished());
    // A user's own new password leaves its tokens; one set by somebody else does not.
    let new = "another long enough phrase";
    access.change_password(by(&ada), PASSWORD, new).await.unwrap();
    assert!(access.by_token(&kept, now()).is_some());
    let root = by(&node.root.caller);
    access.set_password(root, ONE, &ada.principal, "a third long enough phrase").await.unwrap();
    assert!(access.by_token(&kept, now()).is_none());
    timeout(SECOND, kept_stream).await.unwrap().unwrap();
}

/// Ada's connection by password, with a watch over it, and her session beside it.
async fn connected() -> (Node, Caller, tokio::task::JoinHandle<()>) {
    let node = Node::new().await;
    node.add(ONE, "ada", &["engineer"], Grade::General).await;
    let sessions = node.sign_in("ada").await;
    let caller = connect(&node, "ada", PASSWORD).await.unwrap();
    assert_eq!((caller.via, caller.expires), (Via::Password, None));
    assert!(caller.credential().is_none() && sessions.caller.credential().is_some());
    assert!(node.access.decide(&caller, Action::TagRead, caller.scope()).is_ok());
    let watch = tokio::spawn(node.access.revoked(&caller));
    // It has no session that would end it or push out another, and other people's do not matter.
    node.access.sign_out(by(&sessions.caller)).await.unwrap();
    node.sign_in("root").await;
    tokio::task::yield_now().await;
    assert!(!watch.is_finished());
    (node, caller, watch)
}

async fn connect(node: &Node, name: &str, password: &str) -> Result<Caller, SignInError> {
    let name = SignInName::parse(name);
    node.access.by_password(&name, |_| Ok(None), password, HERE, now()).await
}

#[tokio::test]
async fn a_connection_by_password_ends_with_the_password() {
    let (node, caller, watch) = connected().await;
    let root = by(&node.root.caller);
    node.access.set_password(root, ONE, &caller.principal, "another long secret").await.unwrap();
    timeout(SECOND, watch).await.unwrap().unwrap();
    assert!(matches!(connect(&node, "ada", PASSWORD).await, Err(SignInError::Wrong)));
}

#[tokio::test]
async fn a_connection_by_password_ends_with_its_user() {
    let (node, caller, watch) = connected().await;
    let change = UserChange { disabled: Some(true), ..Default::default() };
    node.access
        .update_user(by(&node.root.caller), ONE, &caller.principal, change, Expect::Any)
        .await
        .unwrap();
    timeout(SECOND, watch).await.unwrap().unwrap();
    assert!(matches!(connect(&node, "ada", PASSWORD).await, Err(SignInError::Wrong)));
}

#[tokio::test]
async fn connections_and_sessions_are_throttled_together() {
    let node = Node::new().await;
    node.add(ONE, "ada", &["engineer"], Grade::General).await;
    let (name, at) = (SignInName::parse("ada"), now());
    for _ in 0..TRIES_FREE_A_USER {
        let guess = node.access.by_password(&name, |_| Ok(None), "a guess", HERE, at).await;
        assert!(matches!(guess, Err(SignInError::Wrong)));
    }
    let again = node.access.by_password(&name, |_| Ok(None), PASSWORD, HERE, at).await;
    assert!(matches!(again, Err(SignInError::Throttled { .. })), "{again:?}");
    let session = sign_in(&node.access, "ada", PASSWORD, at).await;
    assert!(matches!(session, Err(SignInError::Throttled { .. })), "{session:?}");
}
