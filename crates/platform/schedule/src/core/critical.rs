//! A critical path, chosen at random where it forks, and its blocks.

use super::random::Random;
use super::state::State;

/// Room for one critical path; kept between iterations so that nothing is allocated.
#[derive(Debug, Default)]
pub(super) struct Critical {
    /// The operations, first to last.
    pub(super) path: Vec<u32>,
    /// Ranges of `path` whose operations follow each other on one machine.
    pub(super) blocks: Vec<(u32, u32)>,
    ends: Vec<u32>,
}

impl Critical {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            path: Vec::with_capacity(count),
            blocks: Vec::with_capacity(count),
            ends: Vec::with_capacity(count),
        }
    }

    pub(super) fn trace(&mut self, state: &State, random: &mut Random) {
        let none = state.none();
        self.ends.clear();
        self.path.clear();
        self.blocks.clear();
        let ends = state.nodes[..none as usize]
            .iter()
            .enumerate()
            .filter(|(_, node)| node.end == state.makespan);
        self.ends.extend(ends.map(|(at, _)| at as u32));
        let mut at = self.ends[random.below(self.ends.len())];
        while at != none {
            self.path.push(at);
            let node = &state.nodes[at as usize];
            let head = node.head();
            let by_route = node.before != none && state.nodes[node.before as usize].end == head;
            let by_machine = node.left != none && state.nodes[node.left as usize].end == head;
            at = match (by_route, by_machine) {
                (true, true) if random.next() >> 63 == 0 => node.before,
                (_, true) => node.left,
                (true, false) => node.before,
                (false, false) => none,
            };
        }
        self.path.reverse();
        let mut from = 0;
        for to in 1..=self.path.len() {
            if to == self.path.len()
                || state.nodes[self.path[to] as usize].left != self.path[to - 1]
            {
                if to - from > 1 {
                    self.blocks.push((from as u32, to as u32));
                }
                from = to;
            }
        }
    }
}
