//! Names belong to organisations: what one of them has is nobody else's affair.

use std::time::Duration;

use crate::support::{HERE, Node, ONE, PASSWORD, REQUEST, TWO, by, new_user, now, prefix, sign_in};
use weir_access::{
    AccessError, SignInError, SignInName, TRIES_FREE_A_REMOTE, TRIES_FREE_A_USER, UserChange,
};
use weir_model::{Grade, Identifier, Timestamp};
use weir_store::Expect;

const WRONG: &str = "wrong, and long enough";

fn seconds(at: Timestamp, seconds: u64) -> Timestamp {
    at.saturating_add(Duration::from_secs(seconds).as_nanos() as i64)
}

#[tokio::test]
async fn names_are_unique_in_an_organisation() {
    let node = Node::new().await;
    let root = by(&node.root.caller);
    let ada = node.add(ONE, "ada", &["viewer"], Grade::General).await;
    let other = node.add(TWO, "Ada", &["viewer"], Grade::General).await;
    for (tenant, name) in [(ONE, "ADA"), (TWO, "ada")] {
        let new = new_user(tenant, name, &["viewer"], Grade::General);
        let taken = node.access.create_user(root, new, |_, _| {}).await;
        assert!(matches!(taken, Err(AccessError::NameTaken(_))));
    }
    for name in ["", "a b", "a/b", "-a", "a\n", "a@b", "@", &"x".repeat(65)] {
        let new = new_user(ONE, name, &["viewer"], Grade::General);
        let made = node.access.create_user(root, new, |_, _| {}).await;
        let Err(error @ AccessError::InvalidName { .. }) = made else { panic!("{name:?}") };
        assert_eq!(error.to_string().contains("has no @"), name.contains('@'), "{error}");
    }
    let li = node.add(TWO, "李冰", &["viewer"], Grade::General).await;
    assert_eq!(li.as_str(), "88.102/user.李冰");
    for (typed, tenant, id) in [
        ("ada", ONE, &ada),
        ("ADA@88.101", ONE, &ada),
        ("ada@88.102", TWO, &other),
        ("AdA@88.102", TWO, &other),
        ("李冰@88.102", TWO, &li),
    ] {
        let caller = node.sign_in(typed).await.caller;
        assert_eq!((caller.tenant, &caller.principal), (tenant, id), "{typed}");
        let user = node.access.user(tenant, id).unwrap().unwrap().record;
        assert_eq!(node.sign_in(&user.sign_in_name(tenant)).await.caller.principal, *id);
    }
    // To delete one is not to delete the other.
    node.access.delete_user(root, TWO, &other, Expect::Any).await.unwrap();
    node.sign_in("ada").await;
    let gone = sign_in(&node.access, "ada@88.102", PASSWORD, now()).await;
    assert!(matches!(gone, Err(SignInError::Wrong)));
    node.add(TWO, "ADA", &["viewer"], Grade::General).await;
    node.sign_in("ada@88.102").await;
}

#[tokio::test]
async fn a_plain_name_is_nobodys_of_another_organisation() {
    let node = Node::new().await;
    node.add(TWO, "bob", &["viewer"], Grade::General).await;
    for typed in ["bob", "bob@88.101", "bob@88.10", "bob@", "bob@88.102@88.102", "@88.102", ""] {
        let found = sign_in(&node.access, typed, PASSWORD, now()).await;
        assert!(matches!(found, Err(SignInError::Wrong)), "{typed:?}");
    }
    node.sign_in("bob@88.102").await;
}

/// What guessing at a name looks like from outside, one guess after the other at once.
async fn answers(node: &Node, typed: &str, at: Timestamp) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..TRIES_FREE_A_USER + 2 {
        let answer = sign_in(&node.access, typed, WRONG, at).await.unwrap_err();
        answers.push(format!("{} {answer}", answer.code()));
    }
    answers
}

#[tokio::test]
async fn whether_there_is_such_a_user_or_organisation_is_not_told() {
    let node = Node::new().await;
    node.add(ONE, "ada", &["viewer"], Grade::General).await;
    let off = node.add(TWO, "off", &["viewer"], Grade::General).await;
    node.add(TWO, "ada", &["viewer"], Grade::General).await;
    let mut service = new_user(TWO, "service", &["viewer"], Grade::General);
    service.password = None;
    node.access.create_user(by(&node.root.caller), service, |_, _| {}).await.unwrap();
    let change = UserChange { disabled: Some(true), ..Default::default() };
    let root = by(&node.root.caller);
    node.access.update_user(root, TWO, &off, change, Expect::Any).await.unwrap();

    let mut start = now();
    let known = answers(&node, "ada@88.102", start).await;
    assert_eq!(known.iter().filter(|answer| answer.starts_with("wrong ")).count(), 5);
    assert_eq!(known.iter().filter(|answer| answer.starts_with("throttled ")).count(), 2);
    for typed in [
        "ada@88.103",
        "nobody@88.102",
        "nobody",
        "service@88.102",
        "off@88.102",
        "ada",
        "ada@88.101",
        "ada@88.102@88.102",
        "@88.102",
        "@88.103",
        "88.102/user.ada",
    ] {
        // Later, when the address need not wait any more.
        start = seconds(start, 3600);
        assert_eq!(answers(&node, typed, start).await, known, "{typed}");
    }
}

#[tokio::test]
async fn guessing_at_one_does_not_keep_out_the_other() {
    let node = Node::new().await;
    let access = &node.access;
    let id = node.add(ONE, "ada", &["viewer"], Grade::General).await;
    node.add(TWO, "ada", &["viewer"], Grade::General).await;
    let start = now();
    // Somebody of the second organisation fails as the namesake of the first, and as itself.
    for typed in ["ada@88.102", "ada@88.101", "88.101/user.ada"] {
        answers(&node, typed, start).await;
    }
    let ada = sign_in(access, "ada", PASSWORD, start).await.unwrap();
    // Nor does it keep anybody from changing their own password.
    let new = "another long enough phrase";
    access.change_password(by(&ada.caller), PASSWORD, new).await.unwrap();
    access.set_password(by(&node.root.caller), ONE, &id, PASSWORD).await.unwrap();

    // Whoever guesses from elsewhere keeps out nobody but themselves.
    let elsewhere = "192.0.2.1".parse().unwrap();
    let name = SignInName::parse("ada@88.102");
    let guess = |at| access.sign_in(&name, |_| Ok(Some(TWO)), WRONG, elsewhere, REQUEST, at);
    let later = seconds(start, 3600);
    let (mut wrong, mut at) = (0, later);
    while wrong < TRIES_FREE_A_REMOTE {
        match guess(at).await {
            Err(SignInError::Wrong) => wrong += 1,
            Err(SignInError::Throttled { retry_after }) => {
                at = seconds(at, retry_after.as_secs().max(1));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(guess(at).await, Err(SignInError::Throttled { .. })));
    access.sign_in(&name, |_| Ok(Some(TWO)), PASSWORD, HERE, REQUEST, at).await.unwrap();
}

#[tokio::test]
async fn an_administrator_learns_of_no_name_elsewhere() {
    let node = Node::new().await;
    node.add(ONE, "secret", &["viewer"], Grade::General).await;
    node.add(TWO, "boss", &["administrator"], Grade::Core).await;
    let boss = node.sign_in("boss@88.102").await.caller;
    let new = new_user(TWO, "secret", &["viewer"], Grade::General);
    node.access.create_user(by(&boss), new, |_, _| {}).await.unwrap();
    let theirs: Identifier = prefix(ONE).child("user.secret").unwrap();
    assert!(node.access.user(TWO, &theirs).unwrap().is_none());
    let names: Vec<_> = node.access.users(TWO, None, 9).unwrap().items;
    assert!(names.iter().all(|user| user.key.starts_with("88.102/")));
}
