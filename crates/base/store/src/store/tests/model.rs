//! The store against a model: whatever is committed, both say the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_model::TenantId;

use crate::fixtures::{Note, Notes, ONE, Plain, Recent, Secrets, TWO, at, author, long, open};
use crate::{
    Collection, Commit, CommitError, Current, Expect, History, Refusal, Revision, State, Store,
    decide,
};

/// Everything that a store holds, in the simplest form.
#[derive(Default, Clone)]
struct Model {
    records: BTreeMap<(TenantId, &'static str, String), Life>,
    floors: BTreeMap<(TenantId, &'static str), u64>,
    positions: u64,
}

#[derive(Default, Clone)]
struct Life {
    /// Every version there was: number, seconds, record.
    versions: Vec<(u64, i64, Option<Note>)>,
}

impl Life {
    fn live(&self) -> Option<&(u64, i64, Option<Note>)> {
        self.versions.last().filter(|(_, _, record)| record.is_some())
    }
}

impl State for Model {
    type Error = std::convert::Infallible;

    fn current(&self, tenant: TenantId, name: &str, key: &str) -> Result<Current, Self::Error> {
        let name = history(name).0;
        let floor = self.floors.get(&(tenant, name)).copied().unwrap_or(0);
        let life = self.records.get(&(tenant, name, key.to_owned()));
        let last = life.and_then(|life| life.versions.last()).map(|version| version.0);
        let live = life.and_then(Life::live).map(|version| version.0);
        let last = match live {
            Some(version) => version,
            None if name == Plain::NAME => floor,
            None => last.unwrap_or(0),
        };
        Ok(Current { live, last })
    }

    fn holder(
        &self,
        tenant: TenantId,
        name: &str,
        index: &str,
        value: &str,
    ) -> Result<Option<String>, Self::Error> {
        assert_eq!(index, "title");
        Ok(self.with_title(tenant, name, value))
    }
}

impl Model {
    fn with_title(&self, tenant: TenantId, name: &str, title: &str) -> Option<String> {
        let holds = |life: &Life| {
            life.live().and_then(|(_, _, r)| r.as_ref()).is_some_and(|note| note.title == title)
        };
        self.records
            .iter()
            .find(|((t, n, _), life)| *t == tenant && *n == name && holds(life))
            .map(|((_, _, key), _)| key.clone())
    }

    fn apply(&mut self, steps: &[Step], versions: &[u64], seconds: i64) {
        self.positions += 1;
        for (step, version) in steps.iter().zip(versions) {
            let (name, kept) = history(step.collection);
            let life = self.records.entry((step.tenant, name, step.key.clone())).or_default();
            if step.record.is_none() && life.live().is_none() {
                continue;
            }
            life.versions.push((*version, seconds, step.record.clone()));
            if step.record.is_none() && kept == History::None {
                let floor = self.floors.entry((step.tenant, name)).or_default();
                *floor = (*floor).max(*version);
                life.versions.clear();
            }
            let first = match kept {
                History::None => *version,
                History::Versions(kept) => version.saturating_sub(u64::from(kept)),
                History::All => 0,
            };
            life.versions.retain(|(version, _, _)| *version >= first);
        }
    }
}

fn history(name: &str) -> (&'static str, History) {
    match name {
        "notes" => (Notes::NAME, Notes::HISTORY),
        "recent" => (Recent::NAME, Recent::HISTORY),
        "plain" => (Plain::NAME, Plain::HISTORY),
        _ => (Secrets::NAME, Secrets::HISTORY),
    }
}

#[derive(Debug, Clone)]
struct Step {
    tenant: TenantId,
    collection: &'static str,
    key: String,
    expect: Expect,
    record: Option<Note>,
}

impl Step {
    fn add(&self, commit: &mut Commit) {
        match self.collection {
            "notes" => self.add_to::<Notes>(commit),
            "recent" => self.add_to::<Recent>(commit),
            "plain" => self.add_to::<Plain>(commit),
            _ => self.add_to::<Secrets>(commit),
        }
    }

    fn add_to<C: Collection<Record = Note>>(&self, commit: &mut Commit) {
        match &self.record {
            Some(record) => commit.put_in::<C>(self.tenant, &self.key, record, self.expect),
            None => commit.delete_in::<C>(self.tenant, &self.key, self.expect),
        };
    }
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop_oneof![
        4 => "[a-c]".prop_map(|key| key),
        1 => (250..252_usize).prop_map(|bytes| long("a", bytes)),
    ];
    let expect = prop_oneof![
        4 => Just(Expect::Any),
        2 => Just(Expect::Absent),
        3 => (1..5_u64).prop_map(Expect::Version),
    ];
    let title = prop_oneof![4 => "[A-F]", 1 => Just(long("A", 300))];
    let record = prop::option::weighted(0.7, (title, prop::collection::vec("[x-z]", 0..3)));
    let record = record.prop_map(|parts| parts.map(|(title, labels)| Note { title, labels }));
    let collection = prop::sample::select(vec!["notes", "recent", "plain", "secrets"]);
    let tenant = prop_oneof![3 => Just(ONE), 1 => Just(TWO)];
    (tenant, collection, key, expect, record).prop_map(
        |(tenant, collection, key, expect, record)| Step {
            tenant,
            collection,
            key,
            expect,
            record,
        },
    )
}

fn compare<C: Collection<Record = Note>>(store: &Store, model: &Model, tenant: TenantId) {
    let mut live = 0;
    for ((t, name, key), life) in &model.records {
        if (*t, *name) != (tenant, C::NAME) {
            continue;
        }
        let revisions = store.history::<C>(tenant, key, None, 1000).unwrap();
        let expected: Vec<_> = life
            .versions
            .iter()
            .rev()
            .map(|(version, seconds, record)| Revision {
                version: *version,
                time: at(*seconds),
                record: record.clone(),
            })
            .collect();
        assert_eq!(revisions, expected, "{key} of {name}");
        let found = store.get::<C>(tenant, key).unwrap();
        let expected = life.live().map(|(v, _, r)| (*v, r.clone().unwrap()));
        assert_eq!(found.map(|found| (found.version, found.record)), expected);
        live += u64::from(life.live().is_some());
    }
    assert_eq!(store.count::<C>(tenant).unwrap(), live);
    assert_eq!(store.list::<C>(tenant, "", None, 1000).unwrap().items.len() as u64, live);
    for title in ["A", "B", "C", "D", "E", "F", &long("A", 300)] {
        let found = store.by_index::<C>(tenant, "title", title, None, 10).unwrap().items;
        let found: Vec<String> = found.into_iter().map(|item| item.key).collect();
        let expected: Vec<String> = model.with_title(tenant, C::NAME, title).into_iter().collect();
        assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_agrees_with_the_model(
        commits in prop::collection::vec(prop::collection::vec(step(), 1..4), 1..40),
        reopen_after in prop::sample::Index::arbitrary(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut store = open(&dir);
        let mut model = Model::default();
        let reopen_after = reopen_after.index(commits.len());
        for (number, steps) in commits.iter().enumerate() {
            let seconds = number as i64;
            let mut commit = Commit::new(author(ONE), at(seconds));
            steps.iter().for_each(|step| step.add(&mut commit));
            let decided = decide(&model, &commit);
            let committed = runtime.block_on(store.commit(commit));
            match (decided, committed) {
                (Ok(decision), Ok(receipt)) => {
                    model.apply(steps, &decision.versions, seconds);
                    prop_assert_eq!(receipt.versions, decision.versions);
                    prop_assert_eq!(receipt.position, model.positions);
                }
                (
                    Err(Refusal::Conflict { operation, current }),
                    Err(CommitError::Conflict { key, current: told, .. }),
                ) => {
                    prop_assert_eq!((&steps[operation].key, current), (&key, told));
                }
                (
                    Err(Refusal::Duplicate { holder, .. }),
                    Err(CommitError::Duplicate { holder: told, .. }),
                ) => prop_assert_eq!(holder, told),
                (decided, committed) => prop_assert!(false, "{:?}, but {:?}", decided, committed),
            }
            if number == reopen_after {
                drop(store);
                store = open(&dir);
            }
        }
        for tenant in [ONE, TWO] {
            compare::<Notes>(&store, &model, tenant);
            compare::<Recent>(&store, &model, tenant);
            compare::<Plain>(&store, &model, tenant);
            compare::<Secrets>(&store, &model, tenant);
        }
        let positions: Vec<u64> =
            store.feed(0, 1000).unwrap().iter().map(|entry| entry.position).collect();
        prop_assert_eq!(positions, (1..=model.positions).collect::<Vec<u64>>());
        prop_assert_eq!(store.verify().unwrap().damaged, 0);
    }
}
