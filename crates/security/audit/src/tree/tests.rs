use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;
use crate::proof::{ConsistencyProof, InclusionProof, ProofError};

/// The leaves of the reference tests of Certificate Transparency.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots over none to all of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The definition of RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split_at(leaves.len() as u64) as usize);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

struct Grown {
    _dir: tempfile::TempDir,
    tiles: Tiles,
    edge: Edge,
    leaves: Vec<Hash>,
}

fn grow(size: u64) -> Grown {
    let dir = tempfile::tempdir().unwrap();
    let tiles = Tiles::new(dir.path());
    let mut edge = Edge::default();
    let leaves: Vec<_> = (0..size).map(|n| leaf_hash(&n.to_le_bytes())).collect();
    for leaf in &leaves {
        edge.push(*leaf, |tile, hashes| tiles.append(tile, 0, hashes).unwrap());
    }
    Grown { _dir: dir, tiles, edge, leaves }
}

#[test]
fn the_known_roots_come_out() {
    let mut edge = Edge::default();
    assert_eq!(edge.root().0.to_vec(), hex(ROOTS[0]));
    for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
        edge.push(leaf_hash(&hex(leaf)), |_, _| panic!("eight leaves fill no tile"));
        assert_eq!(edge.root().0.to_vec(), hex(root));
    }
}

#[test]
fn a_tree_of_several_tile_levels_is_the_tree() {
    for size in [255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000] {
        let grown = grow(size);
        let tree = Tree { tiles: &grown.tiles, edge: &grown.edge, fresh: &[] };
        assert_eq!(grown.edge.root(), naive_root(&grown.leaves), "{size}");
        assert_eq!(range_root(&tree, 0, size).unwrap(), grown.edge.root(), "{size}");
        let earlier = size - size / 3;
        let root = naive_root(&grown.leaves[..earlier as usize]);
        assert_eq!(range_root(&tree, 0, earlier).unwrap(), root);
    }
}

#[test]
fn the_edge_is_read_back_from_full_tiles() {
    for size in [0, 256, 512, 65_536, 65_536 + 256] {
        let grown = grow(size);
        let read = Edge::read(&grown.tiles, size).unwrap();
        assert_eq!((read.size(), read.root()), (size, grown.edge.root()));
        let (mut read, mut edge) = (read, grown.edge);
        for n in 0..300u64 {
            let leaf = leaf_hash(&n.to_be_bytes());
            read.push(leaf, |_, _| ());
            edge.push(leaf, |_, _| ());
        }
        assert_eq!(read.root(), edge.root());
    }
}

#[test]
fn every_proof_of_a_small_tree_holds_and_no_other() {
    let grown = grow(40);
    let tree = Tree { tiles: &grown.tiles, edge: &grown.edge, fresh: &[] };
    for size in 1..=40u64 {
        let root = naive_root(&grown.leaves[..size as usize]);
        for index in 0..size {
            let proof = InclusionProof::build(&tree, index, size).unwrap();
            let leaf = grown.leaves[index as usize];
            proof.verify(&leaf, &root).unwrap();
            assert!(proof.verify(&leaf_hash(b"another"), &root).is_err());
            assert!(proof.verify(&leaf, &leaf).is_err() || size == 1);
        }
        for old in 0..=size {
            let proof = ConsistencyProof::build(&tree, old, size).unwrap();
            let old_root = naive_root(&grown.leaves[..old as usize]);
            proof.verify(&old_root, &root).unwrap();
            let other = leaf_hash(b"another");
            assert_eq!(proof.verify(&other, &root), Err(ProofError::Wrong), "{old} {size}");
            if old > 0 {
                assert_eq!(proof.verify(&old_root, &other), Err(ProofError::Wrong));
            }
        }
    }
    assert!(InclusionProof::build(&tree, 5, 5).is_err());
    assert!(ConsistencyProof::build(&tree, 6, 5).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_hold_across_tiles(size in 1u64..2000, a in 0u64..2000, b in 0u64..2000, bad in any::<(usize, u8)>()) {
        let grown = grow(size);
        let tree = Tree { tiles: &grown.tiles, edge: &grown.edge, fresh: &[] };
        let at = a % size + 1;
        let index = b % at;
        let root = naive_root(&grown.leaves[..at as usize]);
        let mut proof = InclusionProof::build(&tree, index, at).unwrap();
        let leaf = grown.leaves[index as usize];
        prop_assert_eq!(proof.verify(&leaf, &root), Ok(()));
        if !proof.hashes.is_empty() {
            let which = bad.0 % proof.hashes.len();
            proof.hashes[which].0[usize::from(bad.1 % 32)] ^= 1;
            prop_assert_eq!(proof.verify(&leaf, &root), Err(ProofError::Wrong));
        }
        let mut proof = ConsistencyProof::build(&tree, at, size).unwrap();
        let now = grown.edge.root();
        prop_assert_eq!(proof.verify(&root, &now), Ok(()));
        if !proof.hashes.is_empty() {
            let which = bad.0 % proof.hashes.len();
            proof.hashes[which].0[usize::from(bad.1 % 32)] ^= 1;
            prop_assert_eq!(proof.verify(&root, &now), Err(ProofError::Wrong));
        }
    }
}
