//! Moves within a block: an operation goes right behind a later one, or right before an earlier one (N6 and N7).

use super::random::mix;
use super::state::State;

/// What a move does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// The first operation goes right behind the second, which comes later on the same machine.
    Behind(u32, u32),
    /// The first operation goes right before the second, which comes earlier on the same machine.
    Before(u32, u32),
    /// The operation goes to another machine, behind `left` and before `right`.
    Onto { operation: u32, machine: u32, duration: i32, left: u32, right: u32 },
}

/// The number of an order of two operations, for the tabu list.
pub(super) const fn pair(left: u32, right: u32) -> u64 {
    mix(((left as u64) << 32) | right as u64)
}

/// Whether `from` can go right behind `to`, which follows it, without a cycle. When there is a way from the route's next
/// operation to `to`, the head of `to` is not below that operation's end.
pub(super) fn may_go_behind(state: &State, from: u32, to: u32) -> bool {
    let after = state.nodes[from as usize].after;
    after == state.none()
        || (after != to && state.nodes[after as usize].end > state.nodes[to as usize].head())
}

/// Whether `from` can go right before `to`, which it follows, without a cycle.
pub(super) fn may_go_before(state: &State, from: u32, to: u32) -> bool {
    let before = state.nodes[from as usize].before;
    before == state.none()
        || (before != to && state.nodes[to as usize].end > state.nodes[before as usize].head())
}

/// Estimate of the makespan: the longest way through the operations of `segment` in their new order, between `left` and
/// `right`. `heads` is room for the segment.
pub(super) fn estimate(
    state: &State,
    segment: impl Iterator<Item = u32>,
    left: u32,
    right: u32,
    heads: &mut [(u32, i32)],
) -> i32 {
    let nodes = &state.nodes[..];
    let mut end = nodes[left as usize].end;
    let mut count = 0;
    for at in segment {
        let node = &nodes[at as usize];
        let head = nodes[node.before as usize].end.max(end);
        heads[count] = (at, head);
        count += 1;
        end = head + node.duration;
    }
    let mut tail = nodes[right as usize].tail;
    let mut longest = 0;
    for &(at, head) in heads[..count].iter().rev() {
        let node = &nodes[at as usize];
        tail = nodes[node.after as usize].tail.max(tail) + node.duration;
        longest = longest.max(head + tail);
    }
    longest
}
