use weir_model::{Author, Identifier, Prefix, RequestId, TenantId, Timestamp};
use weir_store::{Commit, Options, Schema, Store};

use crate::{Kind, Minter, ResolverError, rename, resolve, withdraw};

const TENANT: TenantId = TenantId(1);

struct Bench {
    store: Store,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), crate::schema(Schema::new()), Options::default());
        Self { store: store.unwrap(), _dir: dir }
    }

    async fn mint(
        &self,
        wanted: &[(Kind, Option<&str>, &str)],
    ) -> Result<Vec<String>, ResolverError> {
        let mut commit = commit();
        let made = self.store.read(|snap| {
            let prefix = Prefix::parse("88.100").unwrap();
            let mut minter = Minter::new(snap, TENANT, prefix)?;
            let ids = wanted.iter().map(|(kind, asked, name)| {
                let asked = asked.map(|id| Identifier::parse(id).unwrap());
                Ok(minter.mint(&mut commit, *kind, asked.as_ref(), name)?.to_string())
            });
            ids.collect::<Result<Vec<_>, ResolverError>>()
        })?;
        self.store.commit(commit).await.unwrap();
        Ok(made)
    }

    async fn change(
        &self,
        change: impl FnOnce(&weir_store::Snapshot<'_>, &mut Commit) -> Result<(), ResolverError>,
    ) {
        let mut commit = commit();
        self.store.read(|snap| change(snap, &mut commit)).unwrap();
        self.store.commit(commit).await.unwrap();
    }

    fn name(&self, id: &str) -> Option<String> {
        let id = id.parse().unwrap();
        let found = self.store.read(|snap| resolve(snap, TENANT, &id));
        found.unwrap().map(|found| found.record.name)
    }
}

fn commit() -> Commit {
    let author = Author {
        tenant: TENANT,
        principal: "88.100/ada".parse().unwrap(),
        cause: "test".into(),
        request: RequestId(1),
    };
    Commit::new(author, Timestamp::from_nanos(0))
}

#[tokio::test]
async fn identifiers_come_from_names_numbers_or_the_caller() {
    let bench = Bench::new();
    let made = bench
        .mint(&[
            (Kind::Tag, None, "Reactor pressure"),
            (Kind::Tag, None, "Reactor pressure"),
            (Kind::Tag, None, "反应器压力"),
            (Kind::Asset, None, "反应器"),
            (Kind::Tag, Some("88.100/PT-101"), "anything"),
        ])
        .await
        .unwrap();
    let want = [
        "88.100/reactor-pressure",
        "88.100/reactor-pressure-2",
        "88.100/tag-1",
        "88.100/asset-2",
        "88.100/PT-101",
    ];
    assert_eq!(made, want);
    let more = bench.mint(&[(Kind::Tag, None, "Reactor  Pressure!")]).await.unwrap();
    assert_eq!(more, ["88.100/reactor-pressure-3"]);
    assert_eq!(bench.name("88.100/pt-101").as_deref(), Some("anything"));
}

#[tokio::test]
async fn a_name_that_many_things_bear_still_gives_identifiers() {
    let bench = Bench::new();
    let wanted = [(Kind::Tag, None, "Pump"); 100];
    let made = bench.mint(&wanted).await.unwrap();
    let again = bench.mint(&wanted).await.unwrap();
    let distinct: std::collections::HashSet<_> = made.iter().chain(&again).collect();
    assert_eq!(distinct.len(), 200);
}

#[tokio::test]
async fn foreign_and_taken_identifiers_are_refused() {
    let bench = Bench::new();
    bench.mint(&[(Kind::Tag, Some("88.100/a"), "a")]).await.unwrap();
    let taken = bench.mint(&[(Kind::Tag, Some("88.100/A"), "a")]).await;
    assert!(matches!(taken, Err(ResolverError::Taken(_))));
    let twice = [(Kind::Tag, Some("88.100/b"), "b"), (Kind::Tag, Some("88.100/B"), "b")];
    assert!(matches!(bench.mint(&twice).await, Err(ResolverError::Taken(_))));
    let foreign = bench.mint(&[(Kind::Tag, Some("88.200/a"), "a")]).await;
    assert!(matches!(foreign, Err(ResolverError::ForeignPrefix { .. })));
    let long = format!("88.100/{}", "x".repeat(201));
    let long = bench.mint(&[(Kind::Tag, Some(long.as_str()), "a")]).await;
    assert!(matches!(long, Err(ResolverError::SuffixTooLong { .. })));
}

#[tokio::test]
async fn a_rename_keeps_the_identifier_and_a_deletion_its_history() {
    let bench = Bench::new();
    bench.mint(&[(Kind::Tag, Some("88.100/a"), "old")]).await.unwrap();
    let id: Identifier = "88.100/a".parse().unwrap();
    bench.change(|snap, commit| rename(snap, commit, TENANT, &id, "new")).await;
    assert_eq!(bench.name("88.100/a").as_deref(), Some("new"));
    bench.change(|snap, commit| withdraw(snap, commit, TENANT, &id)).await;
    assert_eq!(bench.name("88.100/a"), None);
    let other = bench.mint(&[(Kind::Asset, Some("88.100/a"), "a")]).await;
    assert!(matches!(other, Err(ResolverError::Taken(_))));
    bench.mint(&[(Kind::Tag, Some("88.100/a"), "again")]).await.unwrap();
    assert_eq!(bench.name("88.100/a").as_deref(), Some("again"));
}
