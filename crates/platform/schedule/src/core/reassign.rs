//! Moves of a critical operation to another machine.

use super::random::{Random, mix};
use super::segment::Move;
use super::shop::Shop;
use super::state::State;

/// The number of an operation's being on a machine, for the tabu list.
pub(super) const fn on(operation: u32, machine: u32) -> u64 {
    mix(((operation as u64) << 32 | machine as u64) ^ 0x5bd1_e995_0000_0000)
}

/// The best place for the operation on a machine, with its estimate: the longest way through the operation there.
/// Places are those that cannot close a cycle by the same conditions as moves in a block.
pub(super) fn best_place(
    state: &State,
    operation: u32,
    way: (u32, i32),
    random: &mut Random,
) -> Option<(i32, Move)> {
    let none = state.none();
    let nodes = &state.nodes[..];
    let node = nodes[operation as usize];
    let (before, after) = (nodes[node.before as usize], nodes[node.after as usize]);
    let (machine, duration) = way;
    let mut best: Option<(i32, Move)> = None;
    let mut equals = 0;
    let mut left = none;
    let mut right = state.first[machine as usize];
    loop {
        let closes_left = right != none
            && node.before != none
            && (right == node.before || nodes[right as usize].end <= before.head());
        if !closes_left {
            let head = before.end.max(nodes[left as usize].end);
            let tail = after.tail.max(nodes[right as usize].tail);
            let estimate = head + duration + tail;
            if best.is_none_or(|best| estimate < best.0) {
                equals = 0;
            }
            if best.is_none_or(|best| estimate <= best.0) {
                equals += 1;
                if random.below(equals) == 0 {
                    best =
                        Some((estimate, Move::Onto { operation, machine, duration, left, right }));
                }
            }
        }
        if right == none {
            return best;
        }
        let stops = node.after != none
            && (right == node.after || after.end <= nodes[right as usize].head());
        if stops {
            return best;
        }
        left = right;
        right = nodes[right as usize].right;
    }
}

/// Other machines of an operation.
pub(super) fn others<'a>(
    shop: &'a Shop,
    state: &State,
    operation: u32,
) -> impl Iterator<Item = (u32, i32)> + use<'a> {
    let here = state.nodes[operation as usize].machine;
    shop.ways_of(operation).iter().copied().filter(move |way| way.0 != here)
}
