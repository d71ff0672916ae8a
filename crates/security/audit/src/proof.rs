//! Proofs: that an entry is in the log, and that a later log only added to an earlier one.

use serde::{Deserialize, Serialize};

use crate::error::AuditError;
use crate::hash::{Hash, empty_root, node_hash};
use crate::tree::{Nodes, range_root, split_at};

/// What leads from a leaf to a root (RFC 6962, section 2.1.1): the siblings on the way up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The leaf's index.
    pub index: u64,
    /// The size of the tree that it is proven to be in.
    pub size: u64,
    /// The siblings, lowest first.
    pub hashes: Vec<Hash>,
}

/// What shows that the tree of one size is the beginning of the tree of another (RFC 6962,
/// section 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// The earlier size.
    pub old: u64,
    /// The later size.
    pub new: u64,
    /// The nodes from which both roots follow.
    pub hashes: Vec<Hash>,
}

/// Why there is no proof, or why one does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index or size lies beyond the tree.
    #[error("the log has {size} entries, and {asked} was asked for")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// The size of the tree it had to be within.
        size: u64,
    },
    /// The hashes do not lead to the root.
    #[error("the proof does not hold")]
    Wrong,
}

impl InclusionProof {
    pub(crate) fn build(nodes: &impl Nodes, index: u64, size: u64) -> Result<Self, AuditError> {
        if index >= size {
            return Err(ProofError::Beyond { asked: index, size }.into());
        }
        let mut hashes = Vec::new();
        let (mut from, mut to) = (0, size);
        while to - from > 1 {
            let split = from + split_at(to - from);
            if index < split {
                hashes.push(range_root(nodes, split, to)?);
                to = split;
            } else {
                hashes.push(range_root(nodes, from, split)?);
                from = split;
            }
        }
        hashes.reverse();
        Ok(Self { index, size, hashes })
    }

    /// Checks that the leaf is in the tree with this root (RFC 9162, section 2.1.3.2).
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        if self.index >= self.size {
            return Err(ProofError::Beyond { asked: self.index, size: self.size });
        }
        let (mut node, mut last, mut hash) = (self.index, self.size - 1, *leaf);
        for sibling in &self.hashes {
            if last == 0 {
                return Err(ProofError::Wrong);
            }
            if node & 1 == 1 || node == last {
                hash = node_hash(sibling, &hash);
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node_hash(&hash, sibling);
            }
            node >>= 1;
            last >>= 1;
        }
        if last == 0 && hash == *root { Ok(()) } else { Err(ProofError::Wrong) }
    }
}

impl ConsistencyProof {
    pub(crate) fn build(nodes: &impl Nodes, old: u64, new: u64) -> Result<Self, AuditError> {
        if old > new {
            return Err(ProofError::Beyond { asked: old, size: new }.into());
        }
        let mut hashes = Vec::new();
        if old > 0 && old < new {
            let (mut from, mut to) = (0, new);
            // SUBPROOF(m, D[n], b) of the RFC: `old` walks down the tree until a subtree ends there.
            while old != to {
                let split = from + split_at(to - from);
                if old <= split {
                    hashes.push(range_root(nodes, split, to)?);
                    to = split;
                } else {
                    hashes.push(range_root(nodes, from, split)?);
                    from = split;
                }
            }
            if from > 0 {
                hashes.push(range_root(nodes, from, to)?);
            }
            hashes.reverse();
        }
        Ok(Self { old, new, hashes })
    }

    /// Checks that the tree with `new_root` begins with the tree with `old_root` (RFC 9162, section
    /// 2.1.4.2).
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        let holds = |holds: bool| if holds { Ok(()) } else { Err(ProofError::Wrong) };
        if self.old > self.new {
            return Err(ProofError::Beyond { asked: self.old, size: self.new });
        }
        if self.old == self.new {
            return holds(self.hashes.is_empty() && old_root == new_root);
        }
        if self.old == 0 {
            return holds(self.hashes.is_empty() && *old_root == empty_root());
        }
        let mut hashes = self.hashes.iter();
        let (mut node, mut last) = (self.old - 1, self.new - 1);
        while node & 1 == 1 {
            node >>= 1;
            last >>= 1;
        }
        let first = if self.old.is_power_of_two() { Some(old_root) } else { hashes.next() };
        let Some(first) = first else { return Err(ProofError::Wrong) };
        let (mut old_hash, mut new_hash) = (*first, *first);
        for sibling in hashes {
            if last == 0 {
                return Err(ProofError::Wrong);
            }
            if node & 1 == 1 || node == last {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                new_hash = node_hash(&new_hash, sibling);
            }
            node >>= 1;
            last >>= 1;
        }
        holds(last == 0 && old_hash == *old_root && new_hash == *new_root)
    }
}
