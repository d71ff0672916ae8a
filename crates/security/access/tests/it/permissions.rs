//! What callers may do, and that nobody gives more than they have.

use crate::support::{HOUR, Node, ONE, TWO, by, new_user, now};
use weir_access::{
    AccessError, Action, Caller, Denied, DeniedReason, NewToken, Scope, TOKENS_A_USER_MAX,
    UserChange, Via,
};
use weir_model::{Grade, TenantId};
use weir_store::Expect;

const PERMIT_ALL: &str = "permit (principal, action, resource);";
const FORBID_ALL: &str = "forbid (principal, action, resource);";

fn token(actions: &[Action]) -> NewToken {
    NewToken {
        name: "a program".to_owned(),
        user: None,
        actions: actions.to_vec(),
        ceiling: None,
        expires: now().saturating_add(HOUR),
    }
}

fn reason(result: Result<(), Denied>) -> &'static str {
    result.map_or_else(|denied| denied.reason.code(), |()| "permitted")
}

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(result: Result<T, AccessError>, code: &str) {
    match result {
        Err(AccessError::Denied(denied)) => assert_eq!(denied.reason.code(), code),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_anonymous_may_nothing_and_see_nothing() {
    let node = Node::new().await;
    let anonymous = node.access.anonymous();
    assert!(anonymous.is_anonymous());
    for scope in [Scope::NODE, Scope::of(ONE), Scope::of(TWO)] {
        assert_eq!(node.access.permissions(&anonymous, scope), []);
        assert_eq!(reason(node.access.decide(&anonymous, Action::TagRead, scope)), "anonymous");
    }
    assert!(!anonymous.sees(ONE, Grade::Public));
}

#[tokio::test]
async fn rows_are_seen_by_tenant_and_grade() {
    let node = Node::new().await;
    node.add(ONE, "ada", &["viewer"], Grade::Important).await;
    let ada = node.sign_in("ada").await.caller;
    assert!(ada.sees(ONE, Grade::Public) && ada.sees(ONE, Grade::Important));
    assert!(!ada.sees(ONE, Grade::Core) && !ada.sees(TWO, Grade::Public));
    assert!(node.access.system("historian", TWO).sees(TWO, Grade::Core));
    assert!(!node.access.system("historian", TWO).sees(ONE, Grade::Public));
}

#[tokio::test]
async fn a_node_administrator_does_not_see_into_other_organisations() {
    let node = Node::new().await;
    let root = &node.root.caller;
    let permitted = node.access.permissions(root, Scope::of(TWO));
    assert_eq!(
        permitted,
        [Action::OrganisationRead, Action::OrganisationWrite, Action::UserRead, Action::UserWrite]
    );
    assert!(!root.sees(TWO, Grade::Public));
    assert!(node.access.decide(root, Action::NodeAdmin, Scope::NODE).is_ok());
    assert!(node.access.decide(root, Action::NodeAdmin, root.scope()).is_err());
    assert_denied(
        node.access.put_policy(by(root), TWO, "p", PERMIT_ALL, Expect::Any).await,
        "not-permitted",
    );
}

#[tokio::test]
async fn a_tenants_policies_hold_within_it_only() {
    let node = Node::new().await;
    let access = &node.access;
    node.add(ONE, "eve", &["administrator"], Grade::Core).await;
    node.add(ONE, "vic", &["viewer"], Grade::Core).await;
    node.add(TWO, "bob", &["viewer"], Grade::Core).await;
    let [eve, vic, bob] =
        [node.sign_in("eve").await, node.sign_in("vic").await, node.sign_in("bob@88.102").await]
            .map(|signed_in| signed_in.caller);
    access.put_policy(by(&eve), ONE, "all", PERMIT_ALL, Expect::Absent).await.unwrap();
    let vic_now = access.by_session(&node.sign_in("vic").await.secret, now()).unwrap().0;
    for caller in [&vic, &vic_now] {
        assert!(access.decide(caller, Action::UserWrite, Scope::of(ONE)).is_ok());
    }
    for caller in [&eve, &vic, &vic_now] {
        assert_eq!(access.permissions(caller, Scope::of(TWO)), [], "elsewhere");
        assert_eq!(access.permissions(caller, Scope::NODE), [], "at the node");
    }
    assert!(access.decide(&vic, Action::PolicyWrite, Scope::of(ONE)).is_err());
    assert!(access.decide(&bob, Action::UserWrite, Scope::of(TWO)).is_err());
    assert_eq!(access.permissions(&bob, Scope::of(ONE)), []);
    assert_eq!(access.permissions(&access.anonymous(), Scope::of(ONE)), []);

    access.put_policy(by(&eve), ONE, "all", FORBID_ALL, Expect::Version(1)).await.unwrap();
    assert_eq!(reason(access.decide(&vic, Action::TagRead, Scope::of(ONE))), "forbidden-by-policy");
    assert!(access.decide(&bob, Action::TagRead, Scope::of(TWO)).is_ok());
    assert!(access.decide(&access.system("x", ONE), Action::TagRead, Scope::of(ONE)).is_ok());
    // Nobody locks themselves out.
    access.delete_policy(by(&eve), ONE, "all", Expect::Any).await.unwrap();
    assert!(access.decide(&vic, Action::TagRead, Scope::of(ONE)).is_ok());
    // The node's policies hold everywhere.
    let root = &node.root.caller;
    let tags = r#"forbid (principal, action == Weir::Action::"tag:read", resource);"#;
    access.put_policy(by(root), TenantId::NODE, "tags", tags, Expect::Any).await.unwrap();
    for (caller, tenant) in [(&vic, ONE), (&bob, TWO)] {
        assert!(access.decide(caller, Action::TagRead, Scope::of(tenant)).is_err());
    }
}

#[tokio::test]
async fn a_bad_policy_is_refused_in_cedars_words() {
    let node = Node::new().await;
    let root = by(&node.root.caller);
    let bad = "permit (principal, action,\n resource) when { principal.shoe == 45 };";
    match node.access.put_policy(root, ONE, "shoes", bad, Expect::Any).await {
        Err(AccessError::Policy(error)) => {
            assert_eq!(error.line, 2);
            assert!(error.message.contains("shoe"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(node.access.policies(ONE).unwrap().items.is_empty());
    let name = node.access.put_policy(root, ONE, "a/b", PERMIT_ALL, Expect::Any).await;
    assert!(matches!(name, Err(AccessError::InvalidName { .. })));
}

#[tokio::test]
async fn cedar_decides_once_per_caller_action_and_scope() {
    let node = Node::new().await;
    let access = &node.access;
    node.add(ONE, "ada", &["engineer"], Grade::Core).await;
    let ada = node.sign_in("ada").await;
    let count = |caller: &Caller, n: usize| {
        let before = access.evaluations();
        for _ in 0..n {
            access.decide(caller, Action::TagRead, Scope::of(ONE)).unwrap();
            access.decide(caller, Action::TagWrite, Scope::of(ONE)).unwrap();
            access.decide(caller, Action::UserWrite, Scope::of(ONE)).unwrap_err();
            access.decide(caller, Action::TagRead, Scope::of(TWO)).unwrap_err();
        }
        access.evaluations() - before
    };
    assert_eq!(count(&ada.caller, 1000), 4);
    // Another session of the same user, and one of her tokens, are answered from memory.
    let again = node.sign_in("ada").await;
    assert_eq!(count(&again.caller, 10), 0);
    let actions = [Action::TagRead, Action::TagWrite];
    let made = access.create_token(by(&ada.caller), token(&actions)).await.unwrap();
    let by_token = access.by_token(&made.0, now()).unwrap();
    let before = access.evaluations();
    access.decide(&by_token, Action::TagRead, Scope::of(ONE)).unwrap();
    assert_eq!(access.evaluations(), before);
    // A policy that changes is asked anew, once.
    let root = by(&node.root.caller);
    access.put_policy(root, ONE, "more", PERMIT_ALL, Expect::Any).await.unwrap();
    let before = access.evaluations();
    for _ in 0..10 {
        access.decide(&ada.caller, Action::UserWrite, Scope::of(ONE)).unwrap();
    }
    assert_eq!(access.evaluations() - before, 1);
}

#[tokio::test]
async fn tokens_do_what_they_are_made_for() {
    let node = Node::new().await;
    let access = &node.access;
    node.add(ONE, "ada", &["engineer"], Grade::Important).await;
    let ada = node.sign_in("ada").await.caller;
    let made = access.create_token(by(&ada), token(&[Action::SampleWrite])).await.unwrap();
    let (secret, made) = made;
    assert!(secret.starts_with("weir_") && secret.len() == 48, "{secret}");
    assert_eq!(made.record.ceiling, Grade::Important);
    assert_eq!(access.tokens(ONE, None, None, 10).unwrap().items[0].last_used, None);
    let caller = access.by_token(&secret, now()).unwrap();
    assert_eq!((caller.via, caller.principal.clone()), (Via::Token, ada.principal.clone()));
    let scope = Scope::of(ONE);
    assert!(access.decide(&caller, Action::SampleWrite, scope).is_ok());
    assert_eq!(reason(access.decide(&caller, Action::TagRead, scope)), "token-scope");
    assert_eq!(access.permissions(&caller, scope), [Action::SampleWrite]);
    let of_ada = access.tokens(ONE, Some(&ada.principal), None, 10).unwrap();
    assert!(of_ada.items[0].last_used.is_some());
    assert!(access.tokens(TWO, None, None, 10).unwrap().items.is_empty());
    assert!(access.by_token(&secret, now().saturating_add(2 * HOUR)).is_none(), "expired");
    assert!(access.by_token(&secret["weir_".len()..], now()).is_none());
    assert!(access.by_token("weir_x", now()).is_none());
    // What its user may no longer do, it may no longer do.
    let change = UserChange { roles: Some(vec!["viewer".to_owned()]), ..Default::default() };
    let root = by(&node.root.caller);
    access.update_user(root, ONE, &ada.principal, change, Expect::Any).await.unwrap();
    let caller = access.by_token(&secret, now()).unwrap();
    assert_eq!(access.permissions(&caller, scope), []);
    access.revoke_token(root, ONE, &made.key).await.unwrap();
    assert!(access.by_token(&secret, now()).is_none());
    let again = access.revoke_token(root, ONE, &made.key).await;
    assert!(matches!(again, Err(AccessError::NotFound { .. })));
}

#[tokio::test]
async fn tokens_never_exceed_their_maker() {
    let node = Node::new().await;
    let access = &node.access;
    node.add(ONE, "ada", &["engineer"], Grade::Important).await;
    let bob = node.add(ONE, "bob", &["administrator"], Grade::Core).await;
    let ada = node.sign_in("ada").await.caller;
    let create = |new| access.create_token(by(&ada), new);
    assert_denied(create(token(&[Action::UserWrite])).await, "exceeds-own");
    assert_denied(create(token(&[Action::NodeAdmin])).await, "exceeds-own");
    let ceiling = NewToken { ceiling: Some(Grade::Core), ..token(&[]) };
    assert_denied(create(ceiling).await, "exceeds-own");
    // An engineer makes no tokens in others' names.
    let of_bob = NewToken { user: Some(bob.clone()), ..token(&[Action::TagRead]) };
    assert_denied(create(of_bob.clone()).await, "not-permitted");
    let late = NewToken { expires: now().saturating_add(24 * 731 * HOUR), ..token(&[]) };
    assert!(matches!(create(late).await, Err(AccessError::InvalidExpiry(_))));
    let expired = NewToken { expires: now().saturating_add(-1), ..token(&[]) };
    assert!(matches!(create(expired).await, Err(AccessError::InvalidExpiry(_))));
    // A token's own tokens stay within it: actions, ceiling and time.
    let actions = [Action::TokenWrite, Action::TagRead];
    let parent = NewToken { ceiling: Some(Grade::General), ..token(&actions) };
    let parent = create(parent).await.unwrap().0;
    let parent = access.by_token(&parent, now()).unwrap();
    let child = |new| access.create_token(by(&parent), new);
    let half =
        |actions: &[Action]| NewToken { expires: now().saturating_add(HOUR / 2), ..token(actions) };
    assert_denied(child(half(&[Action::TagWrite])).await, "exceeds-own");
    let longer = NewToken { expires: now().saturating_add(2 * HOUR), ..token(&[Action::TagRead]) };
    assert!(matches!(child(longer).await, Err(AccessError::InvalidExpiry(_))));
    let child = child(half(&[Action::TagRead])).await.unwrap().1.record;
    assert_eq!((child.ceiling, child.actions), (Grade::General, vec![Action::TagRead]));
    // An administrator does, and never beyond themselves. A token for another is no way up either.
    let root = &node.root.caller;
    let made = access.create_token(by(root), of_bob).await.unwrap();
    assert_eq!(made.1.record.user, bob);
    // One in the name of somebody above its maker would do at the node what its maker may do in the
    // organisation only.
    let bob = node.sign_in("bob").await.caller;
    let of_root = NewToken { user: Some(root.principal.clone()), ..token(&[Action::PolicyWrite]) };
    assert!(access.decide(&bob, Action::PolicyWrite, Scope::of(ONE)).is_ok());
    assert_denied(access.create_token(by(&bob), of_root).await, "exceeds-own");
    let too_many = async {
        for _ in 0..TOKENS_A_USER_MAX {
            create(token(&[])).await?;
        }
        Ok::<_, AccessError>(())
    };
    assert!(matches!(too_many.await, Err(AccessError::TooMany { .. })));
}

#[tokio::test]
async fn nobody_raises_anybody_above_themselves() {
    let node = Node::new().await;
    let access = &node.access;
    let root = &node.root.caller;
    node.add(ONE, "adm", &["administrator"], Grade::Important).await;
    let core = node.add(ONE, "core", &["viewer"], Grade::Core).await;
    let low = node.add(ONE, "low", &["viewer"], Grade::General).await;
    let adm = node.sign_in("adm").await.caller;
    let create = |new| access.create_user(by(&adm), new, |_, _| {});
    assert_denied(create(new_user(ONE, "x", &["viewer"], Grade::Core)).await, "exceeds-own");
    let nodal = new_user(ONE, "x", &["node-administrator"], Grade::General);
    assert_denied(create(nodal).await, "exceeds-own");
    assert_denied(create(new_user(TWO, "x", &["viewer"], Grade::Public)).await, "not-permitted");
    create(new_user(ONE, "eng", &["engineer"], Grade::Important)).await.unwrap();
    // Nor is a reset password a way into a higher account.
    let new = "another long enough phrase";
    assert_denied(access.set_password(by(&adm), ONE, &core, new).await, "exceeds-own");
    let of_root = root.principal.clone();
    assert_denied(access.set_password(by(&adm), ONE, &of_root, new).await, "exceeds-own");
    assert_denied(access.delete_user(by(&adm), ONE, &of_root, Expect::Any).await, "exceeds-own");
    access.set_password(by(&adm), ONE, &low, new).await.unwrap();
    let raise = UserChange { ceiling: Some(Grade::Core), ..Default::default() };
    assert_denied(access.update_user(by(&adm), ONE, &low, raise, Expect::Any).await, "exceeds-own");
    // Nobody takes their own account away, so the last administrator stays.
    let own = [
        UserChange { disabled: Some(true), ..Default::default() },
        UserChange { roles: Some(Vec::new()), ..Default::default() },
        UserChange { ceiling: Some(Grade::Public), ..Default::default() },
    ];
    for change in own {
        let changed = access.update_user(by(root), ONE, &of_root, change, Expect::Any).await;
        assert_denied(changed, "oneself");
    }
    assert_denied(access.delete_user(by(root), ONE, &of_root, Expect::Any).await, "oneself");
    // A role of somebody's own making that may make users makes none with more than itself.
    let text = r#"permit (principal in Weir::Role::"hr", action in
        [Weir::Action::"user:write", Weir::Action::"user:read"], resource);"#;
    access.put_policy(by(root), ONE, "hr", text, Expect::Any).await.unwrap();
    node.add(ONE, "hannah", &["hr"], Grade::Core).await;
    let hannah = node.sign_in("hannah").await.caller;
    let create = |new| access.create_user(by(&hannah), new, |_, _| {});
    assert_denied(create(new_user(ONE, "y", &["engineer"], Grade::General)).await, "exceeds-own");
    create(new_user(ONE, "y", &["hr"], Grade::General)).await.unwrap();
    // Nor with a role that the node's policies give something beyond the organisation.
    let text = r#"permit (principal in Weir::Role::"auditor",
        action == Weir::Action::"audit:read", resource) when { resource.tenant == 0 };"#;
    access.put_policy(by(root), TenantId::NODE, "auditor", text, Expect::Any).await.unwrap();
    let auditor = || new_user(ONE, "aud", &["auditor"], Grade::General);
    let adm = node.sign_in("adm").await.caller;
    let made = access.create_user(by(&adm), auditor(), |_, _| {}).await;
    assert_denied(made, "exceeds-own");
    access.create_user(by(root), auditor(), |_, _| {}).await.unwrap();
    for role in ["system", "signed-in", "Upper", ""] {
        let made = create(new_user(ONE, "z", &[role], Grade::General)).await;
        assert!(matches!(made, Err(AccessError::InvalidName { .. })), "{role}");
    }
}

#[tokio::test]
async fn changes_expect_a_version() {
    let node = Node::new().await;
    let access = &node.access;
    let root = by(&node.root.caller);
    let id = node.add(ONE, "ada", &["viewer"], Grade::General).await;
    let change = || UserChange { full_name: Some("Ada Lovelace".to_owned()), ..Default::default() };
    let changed = access.update_user(root, ONE, &id, change(), Expect::Version(1)).await.unwrap();
    assert_eq!(changed.version, 2);
    let stale = access.update_user(root, ONE, &id, change(), Expect::Version(1)).await;
    assert!(matches!(stale, Err(AccessError::Conflict { current: Some(2) })));
    let stale = access.delete_user(root, ONE, &id, Expect::Version(1)).await;
    assert!(matches!(stale, Err(AccessError::Conflict { .. })));
    access.delete_user(root, ONE, &id, Expect::Version(2)).await.unwrap();
    assert!(access.user(ONE, &id).unwrap().is_none());
    assert!(access.user_by_name(ONE, "ada").unwrap().is_none());
    // The name is free again.
    assert_eq!(access.users(ONE, None, 10).unwrap().items.len(), 1);
    node.add(ONE, "ada", &["viewer"], Grade::General).await;
    node.sign_in("ada").await;
    assert_eq!(DeniedReason::Oneself.code(), "oneself");
}
