use crate::fixtures::{Note, Notes, ONE, Secrets, TWO, commit_at, long, note, open};
use crate::{Collection, Expect, History, Index, Options, Schema, Store, StoreError};

/// The collections of the fixtures as a later program declares them.
macro_rules! later {
    ($name:ident, $before:ident, $indexes:expr, $revision:literal, $index:expr) => {
        struct $name;
        impl Collection for $name {
            const NAME: &'static str = $before::NAME;
            type Record = Note;
            const HISTORY: History = $before::HISTORY;
            const SECRET: bool = $before::SECRET;
            const INDEXES: &'static [Index] = $indexes;
            const INDEXES_REVISION: u32 = $revision;
            fn index(record: &Note, add: &mut dyn FnMut(&'static str, &str)) {
                let index: fn(&Note, &mut dyn FnMut(&'static str, &str)) = $index;
                index(record, add);
            }
        }
    };
}

const INITIAL: &[Index] = &[Index::shared("initial")];
const UNIQUE_INITIAL: &[Index] = &[Index::shared("label"), Index::unique("initial")];

fn initial(record: &Note, add: &mut dyn FnMut(&'static str, &str)) {
    add("initial", &record.title[..1]);
}

later!(ByInitial, Notes, INITIAL, 1, initial);
later!(SecretByInitial, Secrets, INITIAL, 1, initial);
later!(ByUniqueInitial, Notes, UNIQUE_INITIAL, 1, initial);
later!(ByLowerInitial, Notes, INITIAL, 2, |record, add| {
    add("initial", &record.title[..1].to_lowercase());
});

#[tokio::test]
async fn indexes_are_made_anew_when_their_declaration_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut commit = commit_at(0);
    commit.put::<Notes>("a", &note("Apple", &["fruit"]), Expect::Any);
    commit.put::<Notes>(long("b", 300), &note("Avocado", &["fruit"]), Expect::Any);
    commit.put_in::<Notes>(TWO, "c", &note("Ape", &[]), Expect::Any);
    commit.put::<Secrets>("s", &note("Alibaba", &[]), Expect::Any);
    store.commit(commit).await.unwrap();
    drop(store);

    let schema = Schema::new().with::<ByInitial>().with::<SecretByInitial>();
    let store = Store::open(dir.path(), schema, Options::default()).unwrap();
    let found = store.by_index::<ByInitial>(ONE, "initial", "A", None, 10).unwrap().items;
    let keys: Vec<&str> = found.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["a", &long("b", 300)]);
    assert_eq!(found[0].version, 1);
    let found = store.by_index::<ByInitial>(TWO, "initial", "A", None, 10).unwrap().items;
    assert_eq!(found.len(), 1);
    let found = store.by_index::<SecretByInitial>(ONE, "initial", "A", None, 10).unwrap().items;
    assert_eq!(found.len(), 1);
    let report = store.verify().unwrap();
    assert_eq!((report.damaged, report.index_entries), (0, 4));
    drop(store);

    let schema = Schema::new().with::<ByLowerInitial>();
    let store = Store::open(dir.path(), schema, Options::default()).unwrap();
    let found = store.by_index::<ByLowerInitial>(ONE, "initial", "a", None, 10).unwrap().items;
    assert_eq!(found.len(), 2);
    drop(store);

    let schema = Schema::new().with::<ByUniqueInitial>();
    let refused = Store::open(dir.path(), schema, Options::default()).unwrap_err();
    assert!(matches!(&refused, StoreError::NotUnique { other, .. } if other == "a"), "{refused:?}");
    // The refusal changed nothing.
    let store = open(&dir);
    let found = store.by_index::<Notes>(ONE, "label", "fruit", None, 10).unwrap().items;
    assert_eq!((found.len(), store.verify().unwrap().damaged), (2, 0));
}

#[test]
fn two_types_of_one_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Schema::new().with::<Notes>().with::<Notes>().with::<ByInitial>();
    let refused = Store::open(dir.path(), schema, Options::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the collection notes cannot be served: two collections have this name"
    );
}
