//! A version of the table: what the log says up to there.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::action::{Add, Line, Metadata, Protocol, Remove, Txn};

/// What the log says up to a version. Replaying is a fold of [`Snapshot::apply`] over its lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// The version; none of a table that is not there yet.
    pub(crate) version: Option<u64>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    /// How far applications have written, by name.
    pub(crate) txns: BTreeMap<String, Txn>,
    /// The files of the table, by path.
    pub(crate) files: BTreeMap<String, Add>,
    /// Files that were of it, and may still be read by those who began before.
    pub(crate) gone: BTreeMap<String, Remove>,
    /// The newest checkpoint.
    pub(crate) checkpoint: Option<u64>,
    /// Who made the newest of the commits that were replayed one by one.
    pub(crate) author: Option<Author>,
}

/// Who made a commit of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Author {
    /// The node.
    pub(crate) node: String,
    /// The process of the node.
    pub(crate) process: String,
    /// The commit.
    pub(crate) commit: String,
}

impl Author {
    /// Its keys in a commit's `commitInfo`.
    pub(crate) const KEYS: [&str; 3] = ["weirNode", "weirProcess", "weirCommit"];

    /// The author of some lines; none where it was another program.
    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        let info = lines.iter().find_map(|line| line.commit_info.as_ref())?;
        let [node, process, commit] =
            Self::KEYS.map(|key| info.get(key).and_then(Json::as_str).map(str::to_owned));
        Some(Self { node: node?, process: process?, commit: commit? })
    }
}

impl Snapshot {
    /// Applies one action.
    pub(crate) fn apply(&mut self, line: Line) {
        let Line { commit_info: _, protocol, meta_data, txn, remove, add } = line;
        self.protocol = protocol.or(self.protocol);
        self.metadata = meta_data.or(self.metadata.take());
        if let Some(txn) = txn {
            self.txns.insert(txn.app_id.clone(), txn);
        }
        if let Some(remove) = remove {
            self.files.remove(&remove.path);
            self.gone.insert(remove.path.clone(), remove);
        }
        if let Some(add) = add {
            self.gone.remove(&add.path);
            self.files.insert(add.path.clone(), add);
        }
    }

    /// Applies the lines of the next commit. Those of one commit say nothing of the same file
    /// twice, so that their order does not matter; it may be that removals come after.
    pub(crate) fn commit(&mut self, version: u64, lines: Vec<Line>) {
        self.author = Author::of(&lines);
        self.version = Some(version);
        let (removals, others): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| line.remove.is_some());
        removals.into_iter().chain(others).for_each(|line| self.apply(line));
    }

    /// The same as lines of a checkpoint, without removals older than a time in milliseconds: what
    /// these removed, nobody reads any more.
    pub(crate) fn lines(&self, gone_after: i64) -> Vec<Line> {
        let of = Line::default;
        let mut lines = Vec::with_capacity(self.files.len() + self.gone.len() + 4);
        lines.push(Line { protocol: self.protocol, ..of() });
        lines.push(Line { meta_data: self.metadata.clone(), ..of() });
        lines.extend(self.txns.values().map(|txn| Line { txn: Some(txn.clone()), ..of() }));
        let is_needed = |remove: &&Remove| remove.deletion_timestamp > Some(gone_after);
        let gone = self.gone.values().filter(is_needed);
        // Of a checkpoint's files none changes the data once more.
        lines.extend(gone.map(|remove| Line {
            remove: Some(Remove { data_change: false, ..remove.clone() }),
            ..of()
        }));
        lines.extend(
            self.files
                .values()
                .map(|add| Line { add: Some(Add { data_change: false, ..add.clone() }), ..of() }),
        );
        lines
    }

    /// The bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|add| add.size.max(0).unsigned_abs()).sum()
    }
}

#[cfg(test)]
mod tests;
