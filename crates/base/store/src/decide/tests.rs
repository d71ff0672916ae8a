use std::collections::BTreeMap;
use std::convert::Infallible;

use weir_model::TenantId;

use super::{Current, Decision, Refusal, State, decide};
use crate::fixtures::{Notes, ONE, Plain, TWO, commit_at, note};
use crate::{Commit, Expect};

#[derive(Default)]
struct Table {
    current: BTreeMap<(TenantId, String, String), Current>,
    holders: BTreeMap<(TenantId, String, String, String), String>,
}

impl Table {
    fn with(mut self, key: &str, live: u64, title: &str) -> Self {
        let current = Current { live: Some(live), last: live };
        self.current.insert((ONE, "notes".into(), key.into()), current);
        self.holders.insert((ONE, "notes".into(), "title".into(), title.into()), key.into());
        self
    }
}

impl State for Table {
    type Error = Infallible;

    fn current(&self, tenant: TenantId, name: &str, key: &str) -> Result<Current, Infallible> {
        Ok(self.current.get(&(tenant, name.into(), key.into())).copied().unwrap_or_default())
    }

    fn holder(
        &self,
        tenant: TenantId,
        name: &str,
        index: &str,
        value: &str,
    ) -> Result<Option<String>, Infallible> {
        Ok(self.holders.get(&(tenant, name.into(), index.into(), value.into())).cloned())
    }
}

fn commit(build: impl FnOnce(&mut Commit)) -> Commit {
    let mut commit = commit_at(0);
    build(&mut commit);
    commit
}

fn versions(table: &Table, commit: &Commit) -> Vec<u64> {
    let Decision { versions } = decide(table, commit).unwrap();
    versions
}

#[test]
fn versions_count_up_and_expectations_are_kept() {
    let table = Table::default().with("a", 4, "A");
    let fits = commit(|c| {
        c.put::<Notes>("a", &note("A2", &[]), Expect::Version(4));
        c.put::<Notes>("b", &note("B", &[]), Expect::Absent);
        c.delete::<Notes>("absent", Expect::Any);
    });
    assert_eq!(versions(&table, &fits), [5, 1, 0]);
    for (expect, current) in [(Expect::Version(3), Some(4)), (Expect::Absent, Some(4))] {
        let stale = commit(|c| {
            c.put::<Notes>("b", &note("B", &[]), Expect::Any);
            c.put::<Notes>("a", &note("A2", &[]), expect);
        });
        assert_eq!(decide(&table, &stale), Err(Refusal::Conflict { operation: 1, current }));
    }
    let gone = commit(|c| _ = c.delete::<Notes>("c", Expect::Version(1)));
    assert_eq!(decide(&table, &gone), Err(Refusal::Conflict { operation: 0, current: None }));
}

#[test]
fn a_second_operation_sees_what_the_first_leaves() {
    let table = Table::default().with("a", 4, "A");
    let twice = commit(|c| {
        c.delete::<Notes>("a", Expect::Version(4));
        c.put::<Notes>("a", &note("A", &[]), Expect::Absent);
        c.put::<Notes>("a", &note("A", &[]), Expect::Version(6));
    });
    assert_eq!(versions(&table, &twice), [5, 6, 7]);
}

#[test]
fn a_unique_value_belongs_to_one_record_of_one_tenant() {
    let table = Table::default().with("a", 1, "A");
    let taken = commit(|c| _ = c.put::<Notes>("b", &note("A", &[]), Expect::Any));
    let duplicate = |operation| Refusal::Duplicate {
        operation,
        index: "title",
        value: "A".into(),
        holder: "a".into(),
    };
    assert_eq!(decide(&table, &taken), Err(duplicate(0)));
    let elsewhere = commit(|c| {
        c.put_in::<Notes>(TWO, "b", &note("A", &[]), Expect::Any);
        c.put::<Plain>("b", &note("A", &[]), Expect::Any);
        c.put::<Notes>("a", &note("A", &[]), Expect::Any);
    });
    assert_eq!(versions(&table, &elsewhere), [1, 1, 2]);
    let both = commit(|c| {
        c.put::<Notes>("a", &note("A", &[]), Expect::Any);
        c.put::<Notes>("b", &note("A", &[]), Expect::Any);
    });
    assert_eq!(decide(&table, &both), Err(duplicate(1)));
}

#[test]
fn unique_values_may_be_swapped_and_handed_on_within_a_commit() {
    let table = Table::default().with("a", 1, "A").with("b", 1, "B");
    let swap = commit(|c| {
        c.put::<Notes>("a", &note("B", &[]), Expect::Any);
        c.put::<Notes>("b", &note("A", &[]), Expect::Any);
    });
    assert_eq!(versions(&table, &swap), [2, 2]);
    let handed_on = commit(|c| {
        c.put::<Notes>("c", &note("A", &[]), Expect::Absent);
        c.delete::<Notes>("a", Expect::Any);
    });
    assert_eq!(versions(&table, &handed_on), [1, 2]);
}
