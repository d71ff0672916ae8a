use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{action, checkpoint};

fn add(path: &str, size: i64) -> Line {
    let values = [("tenant".to_owned(), Some("1".to_owned())), ("month".to_owned(), None)];
    let add = Add {
        path: path.to_owned(),
        partition_values: values.into(),
        size,
        modification_time: 5,
        data_change: true,
        stats: Some(r#"{"numRecords":3}"#.to_owned()),
    };
    Line { add: Some(add), ..Line::default() }
}

fn remove(path: &str, at: i64) -> Line {
    let remove = Remove {
        path: path.to_owned(),
        deletion_timestamp: Some(at),
        data_change: true,
        extended_file_metadata: Some(true),
        partition_values: Some(BTreeMap::new()),
        size: Some(1),
    };
    Line { remove: Some(remove), ..Line::default() }
}

fn head() -> Vec<Line> {
    let protocol = Some(Protocol { min_reader_version: 1, min_writer_version: 2 });
    let format = crate::action::Format { provider: "parquet".to_owned(), options: BTreeMap::new() };
    let metadata = Metadata {
        id: "x".to_owned(),
        name: None,
        description: None,
        format,
        schema_string: crate::schema::schema_string(),
        partition_columns: vec!["tenant".to_owned(), "month".to_owned()],
        configuration: [("weir.node".to_owned(), "n".to_owned())].into(),
        created_time: Some(1),
    };
    let txn = Txn { app_id: "n".to_owned(), version: 7, last_updated: None };
    vec![
        Line { protocol, ..Line::default() },
        Line { meta_data: Some(metadata), ..Line::default() },
        Line { txn: Some(txn), ..Line::default() },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Replaying says of each file what the last commit that names it said, and a checkpoint in
    /// between changes nothing of that.
    #[test]
    fn replay_is_what_was_said_last(
        commits in proptest::collection::vec(
            proptest::collection::btree_map(0..8_u8, any::<bool>(), 0..6), 0..12),
        at in 0..12_usize,
    ) {
        let mut model = BTreeSet::new();
        let (mut whole, mut resumed) = (Snapshot::default(), Snapshot::default());
        for (version, commit) in commits.iter().enumerate() {
            let mut lines = if version == 0 { head() } else { vec![] };
            for (file, is_added) in commit {
                let path = format!("f{file}");
                lines.push(if *is_added { add(&path, i64::from(*file)) } else { remove(&path, 9) });
                if *is_added { model.insert(path); } else { model.remove(&path); }
            }
            // As bytes and back.
            let lines = action::parse(&action::to_bytes(&lines).unwrap()).unwrap();
            whole.commit(version as u64, lines.clone());
            resumed.commit(version as u64, lines);
            if version == at {
                let bytes = checkpoint::encode(&resumed.lines(0)).unwrap();
                let mut read = Snapshot { version: resumed.version, ..Snapshot::default() };
                checkpoint::decode(bytes.into()).unwrap().into_iter().for_each(|line| read.apply(line));
                prop_assert_eq!(&read.protocol, &resumed.protocol);
                prop_assert_eq!(&read.metadata, &resumed.metadata);
                prop_assert_eq!(&read.txns, &resumed.txns);
                prop_assert_eq!(
                    read.gone.keys().collect::<Vec<_>>(), resumed.gone.keys().collect::<Vec<_>>());
                resumed = read;
            }
        }
        prop_assert!(whole.files.keys().eq(model.iter()));
        prop_assert!(resumed.files.keys().eq(model.iter()));
        // Removals that nobody needs are left out of a checkpoint.
        prop_assert!(whole.lines(9).iter().all(|line| line.remove.is_none()));
    }

    /// Bytes that make no sense are errors.
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = action::parse(&bytes);
        let _ = std::panic::catch_unwind(|| checkpoint::decode(bytes.into()));
    }
}

#[test]
fn what_others_write_is_read() {
    let text = concat!(
        r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","x":[1]}}"#,
        "\n\n",
        r#"{"cdc":{"path":"y"}}"#,
        "\n",
        r#"{"add":{"path":"a","partitionValues":{"tenant":"1","month":null},"size":1,"modificationTime":2,"#,
        r#""dataChange":false,"tags":{"a":"b"},"baseRowId":4}}"#,
        "\n",
        r#"{"remove":{"path":"b","dataChange":true}}"#,
    );
    let mut snapshot = Snapshot::default();
    snapshot.commit(3, action::parse(text.as_bytes()).unwrap());
    assert_eq!(snapshot.version, Some(3));
    assert_eq!(snapshot.author, None);
    assert_eq!((snapshot.files.len(), snapshot.gone.len(), snapshot.bytes()), (1, 1, 1));
}
