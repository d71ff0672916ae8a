//! Stores of earlier versions: `fixtures/names-of-the-node` was written by the last one in which
//! names were unique in the node. It has the organisations `88.101` with `root`, `Ada` and
//! `eve@example.com`, and `88.102` with `Bob`, `liu@example.com` and `service`, which has no
//! password; and an export of it.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use crate::support::{ONE, PASSWORD, REQUEST, TWO, by, new_user, now, open, prefix, sign_in};
use weir_access::{Access, AccessError, Bootstrap, SignInError, SignIns};
use weir_model::{Grade, TenantId};
use weir_store::{Expect, Schema, Store};

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/names-of-the-node").join(file)
}

/// A copy of the fixture, opened.
fn copied(dir: &Path) -> Access {
    for file in ["data.mdb", "secret.key"] {
        std::fs::copy(fixture(file), dir.join(file)).unwrap();
    }
    open(dir)
}

#[tokio::test]
async fn its_users_sign_in() {
    let dir = tempfile::tempdir().unwrap();
    let access = copied(dir.path());
    for (typed, tenant, id) in [
        ("root", ONE, "88.101/user.root"),
        ("ADA", ONE, "88.101/user.ada"),
        ("ada@88.101", ONE, "88.101/user.ada"),
        ("Eve@example.com", ONE, "88.101/user.eve@example.com"),
        ("eve@example.com@88.101", ONE, "88.101/user.eve@example.com"),
        ("bob@88.102", TWO, "88.102/user.bob"),
        ("liu@example.com@88.102", TWO, "88.102/user.liu@example.com"),
    ] {
        let caller = sign_in(&access, typed, PASSWORD, now()).await.unwrap().caller;
        assert_eq!((caller.tenant, caller.principal), (tenant, id.parse().unwrap()), "{typed}");
    }
    for typed in ["bob", "liu@example.com", "ada@88.102", "service@88.102", "bob@88.101"] {
        let found = sign_in(&access, typed, PASSWORD, now()).await;
        assert!(matches!(found, Err(SignInError::Wrong)), "{typed}");
    }
    let (system, first) = (access.system("start", ONE), prefix(ONE));
    let first = Bootstrap::administrator(ONE, first, "root");
    assert!(access.bootstrap(by(&system), first, |_, _| {}).await.unwrap().is_none());
}

#[tokio::test]
async fn its_names_are_taken_where_they_are_and_free_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let access = copied(dir.path());
    let root = sign_in(&access, "root", PASSWORD, now()).await.unwrap().caller;
    let create = |tenant, name| {
        access.create_user(
            by(&root),
            new_user(tenant, name, &["viewer"], Grade::General),
            |_, _| {},
        )
    };
    for (tenant, name) in [(ONE, "ada"), (TWO, "BOB")] {
        assert!(matches!(create(tenant, name).await, Err(AccessError::NameTaken(_))));
    }
    let other = create(ONE, "bob").await.unwrap().record.id;
    create(TWO, "ada").await.unwrap();
    let who = async |typed| {
        let signed_in = sign_in(&access, typed, PASSWORD, now()).await;
        signed_in.map(|signed_in| signed_in.caller.principal.folded()).unwrap_or_default()
    };
    assert_eq!(who("bob").await, "88.101/user.bob");
    assert_eq!(who("bob@88.102").await, "88.102/user.bob");
    assert_eq!(who("ada@88.102").await, "88.102/user.ada");

    // To delete one leaves the other, whichever is of the earlier kind.
    access.delete_user(by(&root), ONE, &other, Expect::Any).await.unwrap();
    assert_eq!(
        (who("bob").await.as_str(), who("bob@88.102").await.as_str()),
        ("", "88.102/user.bob")
    );
    let bob = "88.102/user.bob".parse().unwrap();
    access.delete_user(by(&root), TWO, &bob, Expect::Any).await.unwrap();
    assert_eq!(who("bob@88.102").await, "");
    create(TWO, "Bob").await.unwrap();
    assert_eq!(who("bob@88.102").await, "88.102/user.bob");
    assert_eq!(who("ada").await, "88.101/user.ada");
}

#[tokio::test]
async fn its_export_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Access::schema(Schema::new());
    let store = Store::open(dir.path(), schema, weir_store::Options::default()).unwrap();
    let access = Access::open(store.clone(), Default::default()).unwrap();
    let author = access.system("import", TenantId::NODE).author("import", REQUEST);
    let mut text = Cursor::new(std::fs::read(fixture("export.jsonl")).unwrap());
    store.import(author, now(), &mut text).await.unwrap();
    assert_eq!(store.count::<SignIns>(TenantId::NODE).unwrap(), 6);
    // Passwords are in no export.
    let bob = access.user_by_name(TWO, "bob").unwrap().unwrap().record.id;
    assert!(access.user_by_name(ONE, "bob").unwrap().is_none());
    access.set_password(by(&access.system("start", TWO)), TWO, &bob, PASSWORD).await.unwrap();
    assert_eq!(sign_in(&access, "bob@88.102", PASSWORD, now()).await.unwrap().caller.tenant, TWO);
}
