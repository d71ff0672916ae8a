//! Signing in and out.

use std::time::Instant;

use crate::support::{HOUR, Node, ONE, PASSWORD, TWO, by, now, open, prefix, sign_in};
use weir_access::{
    AccessError, Bootstrap, SESSIONS_A_USER_MAX, SignInError, TRIES_FREE_A_USER, Via, same_secret,
};
use weir_model::{Grade, ProblemCode, Timestamp};

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let access = open(dir.path());
    let system = access.system("start", ONE);
    let first = || Bootstrap::administrator(ONE, prefix(ONE), "admin");
    let mut with = false;
    let made = access.bootstrap(by(&system), first(), |_, _| with = true).await.unwrap().unwrap();
    assert!(with);
    assert_eq!(made.user.record.id, "88.101/user.admin".parse().unwrap());
    sign_in(&access, "admin", &made.password, now()).await.unwrap();
    assert!(access.bootstrap(by(&system), first(), |_, _| {}).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_lives_through_restarts_until_it_is_over() {
    let node = Node::new().await;
    node.add(ONE, "Ada", &["viewer"], Grade::General).await;
    let start = now();
    // Names are found whatever their case.
    let ada = sign_in(&node.access, "aDA", PASSWORD, start).await.unwrap();
    assert_eq!((ada.caller.tenant, ada.caller.ceiling), (ONE, Grade::General));
    assert_eq!(ada.caller.via, Via::Session);
    let Node { dir, access, .. } = node;
    let (caller, csrf) = access.by_session(&ada.secret, start).unwrap();
    assert_eq!(caller.principal, "88.101/user.ada".parse().unwrap());
    assert!(same_secret(csrf.as_bytes(), ada.csrf.as_bytes()));
    assert!(access.by_session("", start).is_none());
    assert!(access.by_session(&ada.csrf, start).is_none());
    drop(access);

    // The store is closed when its last user is gone, which the tasks behind it notice.
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let access = loop {
        let schema = weir_access::Access::schema(weir_store::Schema::new());
        match weir_store::Store::open(dir.path(), schema, weir_store::Options::default()) {
            Ok(store) => break weir_access::Access::open(store, Default::default()).unwrap(),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    };
    let at = |hours: i64| start.saturating_add(hours * HOUR);
    assert_eq!(access.by_session(&ada.secret, at(7)).unwrap().1, ada.csrf);
    // Used at 7 hours, so still alive at 14, and over at 22 for not having been used.
    assert!(access.by_session(&ada.secret, at(14)).is_some());
    assert!(access.by_session(&ada.secret, at(22)).is_none());
    let again = sign_in(&access, "ada", PASSWORD, start).await.unwrap();
    for hour in 0..4 {
        assert!(access.by_session(&again.secret, at(hour * 7)).is_some());
    }
    assert!(access.by_session(&again.secret, at(24)).is_none(), "a day is the most");
}

#[tokio::test]
async fn signing_out_ends_it_at_once() {
    let node = Node::new().await;
    let other = node.sign_in("root").await;
    node.access.sign_out(by(&node.root.caller)).await.unwrap();
    assert!(node.access.by_session(&node.root.secret, now()).is_none());
    assert!(node.access.by_session(&other.secret, now()).is_some());
}

#[tokio::test]
async fn wrong_guesses_are_alike_and_throttled() {
    let node = Node::new().await;
    let id = node.add(ONE, "ada", &["viewer"], Grade::General).await;
    node.add(ONE, "service", &["viewer"], Grade::General).await;
    let start = now();
    let access = &node.access;
    let guess =
        |name: &'static str, at: Timestamp| sign_in(access, name, "wrong, and long enough", at);
    let change = weir_access::UserChange { disabled: Some(true), ..Default::default() };
    let expect = weir_store::Expect::Any;
    let root = by(&node.root.caller);
    node.access.update_user(root, ONE, &id, change, expect).await.unwrap();
    // Somebody unknown, somebody known, and somebody disabled with the right password.
    assert!(matches!(guess("nobody", start).await, Err(SignInError::Wrong)));
    assert!(matches!(guess("root", start).await, Err(SignInError::Wrong)));
    let disabled = sign_in(access, "ada", PASSWORD, start).await;
    assert!(matches!(disabled, Err(SignInError::Wrong)));

    for _ in 0..TRIES_FREE_A_USER {
        assert!(matches!(guess("service", start).await, Err(SignInError::Wrong)));
    }
    let throttled = guess("service", start).await.unwrap_err();
    let SignInError::Throttled { retry_after } = throttled else { panic!("{throttled}") };
    assert_eq!(retry_after.as_secs(), 1);
    // Even the right password waits.
    let right = sign_in(access, "service", PASSWORD, start).await;
    assert!(matches!(right, Err(SignInError::Throttled { .. })));
    let later = start.saturating_add(1_000_000_000);
    sign_in(access, "service", PASSWORD, later).await.unwrap();
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions() {
    let node = Node::new().await;
    let access = &node.access;
    let other = node.sign_in("root").await;
    let caller = &node.root.caller;
    let new = "another long enough phrase";
    let wrong = access.change_password(by(caller), "wrong, and long enough", new).await;
    assert!(matches!(wrong, Err(AccessError::WrongPassword)));
    let weak = access.change_password(by(caller), PASSWORD, "root root root root").await;
    let Err(weak) = weak else { panic!("it is the user's name over and over") };
    assert_eq!(weak.problem(), ProblemCode::InvalidValue);
    access.change_password(by(caller), PASSWORD, new).await.unwrap();
    assert!(access.by_session(&node.root.secret, now()).is_some());
    assert!(access.by_session(&other.secret, now()).is_none());
    let old = sign_in(access, "root", PASSWORD, now()).await;
    assert!(matches!(old, Err(SignInError::Wrong)));
    sign_in(access, "root", new, now()).await.unwrap();
}

#[tokio::test]
async fn sessions_of_a_user_are_bounded() {
    let node = Node::new().await;
    let at = |n: i64| now().saturating_add(n * 1_000_000);
    let mut secrets = Vec::new();
    for n in 0..SESSIONS_A_USER_MAX as i64 {
        let signed_in = sign_in(&node.access, "root", PASSWORD, at(n)).await.unwrap();
        secrets.push(signed_in.secret);
    }
    assert!(node.access.by_session(&node.root.secret, now()).is_none(), "the oldest is gone");
    assert!(secrets.iter().all(|secret| node.access.by_session(secret, at(100)).is_some()));
}

#[tokio::test]
async fn secrets_are_not_on_disk() {
    let node = Node::new().await;
    node.add(TWO, "bob", &["viewer"], Grade::General).await;
    let bob = node.sign_in("bob@88.102").await;
    let data = std::fs::read(node.dir.path().join("data.mdb"));
    let data = data.unwrap_or_else(|_| {
        let files = std::fs::read_dir(node.dir.path()).unwrap();
        let files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
        files.flat_map(|file| std::fs::read(file).unwrap()).collect()
    });
    let holds = |text: &str| data.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("88.102/user.bob"), "it is the right file");
    assert!(!holds(&bob.secret) && !holds("$argon2id$") && !holds(PASSWORD));
}
