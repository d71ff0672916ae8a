//! Tabu search from one solution.

use super::critical::Critical;
use super::random::Random;
use super::reassign;
use super::segment::{self, Move};
use super::shop::Shop;
use super::state::{Order, State};

/// How far within a block an operation moves at most: longer moves seldom help, and their estimates cost their length.
const SPAN_MAX: usize = 48;
/// Slots of the tabu list, a power of two: a few dozen are in force at once, so that a false hit is rare.
const SLOTS: usize = 1 << 14;
/// Iterations between two looks at the clock.
const STOP_EVERY: u64 = 64;

/// A search with all its room, made once an island.
#[derive(Debug)]
pub(super) struct Tabu<'a> {
    shop: &'a Shop,
    pub(super) state: State,
    critical: Critical,
    /// The iteration until which the sequence with this number may not come back.
    until: Vec<u64>,
    heads: Vec<(u32, i32)>,
    pub(super) iteration: u64,
    best_state: State,
    tenure: (u64, u64),
}

/// The best move of an iteration so far.
struct Choice {
    free: i32,
    free_count: usize,
    free_move: Option<Move>,
    any_count: usize,
    any_move: Option<Move>,
}

impl<'a> Tabu<'a> {
    pub(super) fn new(shop: &'a Shop) -> Self {
        let jobs = shop.first.len() - 1;
        let least = 10 + (jobs / shop.machines.max(1)) as u64;
        let most = if jobs <= 2 * shop.machines { least * 7 / 5 } else { least * 3 / 2 };
        Self {
            shop,
            state: State::new(shop),
            critical: Critical::with_capacity(shop.count),
            until: vec![0; SLOTS],
            heads: vec![(0, 0); shop.count.max(1)],
            iteration: 0,
            best_state: State::new(shop),
            tenure: (least, most - least + 1),
        }
    }

    /// Searches from `solution` until `patience` iterations have gone by without a better one, and leaves the best found
    /// in `solution`. Ends early at `goal`, at iteration `last`, or when `stop` says so.
    pub(super) fn improve(
        &mut self,
        solution: &mut Order,
        patience: u64,
        goal: i32,
        last: u64,
        random: &mut Random,
        stop: &dyn Fn() -> bool,
    ) {
        self.state.load(self.shop, solution);
        self.until.fill(0);
        let mut best = self.state.makespan;
        self.best_state.clone_from(&self.state);
        let mut since = self.iteration;
        while best > goal && self.iteration - since < patience && self.iteration < last {
            if self.iteration.is_multiple_of(STOP_EVERY) && stop() {
                break;
            }
            self.iteration += 1;
            self.critical.trace(&self.state, random);
            let Some(step) = self.choose(best, random) else { break };
            self.forbid(step, random);
            self.make(step);
            if self.state.makespan < best {
                best = self.state.makespan;
                self.best_state.clone_from(&self.state);
                since = self.iteration;
            }
        }
        self.best_state.save(solution);
    }

    fn choose(&mut self, best: i32, random: &mut Random) -> Option<Move> {
        let mut choice =
            Choice { free: i32::MAX, free_count: 0, free_move: None, any_count: 0, any_move: None };
        for block in 0..self.critical.blocks.len() {
            let (from, to) = self.critical.blocks[block];
            self.moves_in((from as usize, to as usize), best, &mut choice, random);
        }
        if self.shop.flexible {
            for at in 0..self.critical.path.len() {
                let operation = self.critical.path[at];
                for way in reassign::others(self.shop, &self.state, operation) {
                    let Some((estimate, step)) =
                        reassign::best_place(&self.state, operation, way, random)
                    else {
                        continue;
                    };
                    let number = reassign::on(operation, way.0);
                    let tabu = self.until[number as usize % SLOTS] > self.iteration;
                    choice.offer(estimate, step, tabu && estimate >= best, random);
                }
            }
        }
        choice.free_move.or(choice.any_move)
    }

    /// The moves of N7 in a block: every operation to either end of it, and both ends to every place within.
    fn moves_in(
        &mut self,
        (from, to): (usize, usize),
        best: i32,
        choice: &mut Choice,
        random: &mut Random,
    ) {
        let (first, last) = (from, to - 1);
        let near_last = first.max(last.saturating_sub(SPAN_MAX));
        let near_first = last.min(first + SPAN_MAX);
        for at in near_last..last {
            self.behind(at, last, best, choice, random);
        }
        for at in first + 1..last.min(near_first + 1) {
            self.behind(first, at, best, choice, random);
        }
        // Two neighbours that change places are the same move either way.
        for at in first + 1..=near_first {
            if at > first + 1 {
                self.before(at, first, best, choice, random);
            }
        }
        for at in (first + 1).max(near_last)..last {
            if at + 1 < last {
                self.before(last, at, best, choice, random);
            }
        }
    }

    fn behind(
        &mut self,
        from: usize,
        to: usize,
        best: i32,
        choice: &mut Choice,
        random: &mut Random,
    ) {
        let path = &self.critical.path[..];
        let (moving, target) = (path[from], path[to]);
        if !segment::may_go_behind(&self.state, moving, target) {
            return;
        }
        let order = path[from + 1..=to].iter().copied().chain(std::iter::once(moving));
        let (left, right) =
            (self.state.nodes[moving as usize].left, self.state.nodes[target as usize].right);
        let estimate = segment::estimate(&self.state, order, left, right, &mut self.heads);
        let mut order = path[from + 1..=to].iter();
        let tabu = estimate >= best
            && order
                .any(|&at| self.until[segment::pair(at, moving) as usize % SLOTS] > self.iteration);
        choice.offer(estimate, Move::Behind(moving, target), tabu, random);
    }

    fn before(
        &mut self,
        from: usize,
        to: usize,
        best: i32,
        choice: &mut Choice,
        random: &mut Random,
    ) {
        let path = &self.critical.path[..];
        let (moving, target) = (path[from], path[to]);
        if !segment::may_go_before(&self.state, moving, target) {
            return;
        }
        let order = std::iter::once(moving).chain(path[to..from].iter().copied());
        let (left, right) =
            (self.state.nodes[target as usize].left, self.state.nodes[moving as usize].right);
        let estimate = segment::estimate(&self.state, order, left, right, &mut self.heads);
        let mut order = path[to..from].iter();
        let tabu = estimate >= best
            && order
                .any(|&at| self.until[segment::pair(moving, at) as usize % SLOTS] > self.iteration);
        choice.offer(estimate, Move::Before(moving, target), tabu, random);
    }

    /// Forbids for a while what the move undoes: that two operations come back into their order, or one to its machine.
    fn forbid(&mut self, step: Move, random: &mut Random) {
        let until = self.iteration + self.tenure.0 + random.below(self.tenure.1 as usize) as u64;
        let nodes = &self.state.nodes[..];
        match step {
            Move::Behind(moving, target) => {
                let mut at = moving;
                while at != target {
                    at = nodes[at as usize].right;
                    self.until[segment::pair(moving, at) as usize % SLOTS] = until;
                }
            }
            Move::Before(moving, target) => {
                let mut at = moving;
                while at != target {
                    at = nodes[at as usize].left;
                    self.until[segment::pair(at, moving) as usize % SLOTS] = until;
                }
            }
            Move::Onto { operation, .. } => {
                let number = reassign::on(operation, nodes[operation as usize].machine);
                self.until[number as usize % SLOTS] = until;
            }
        }
    }

    fn make(&mut self, step: Move) {
        let state = &mut self.state;
        let (low, high) = match step {
            Move::Behind(moving, target) => {
                let right = state.nodes[target as usize].right;
                let machine = state.nodes[moving as usize].machine;
                state.unlink(moving);
                state.link(moving, target, right, machine);
                state.reorder(target, moving)
            }
            Move::Before(moving, target) => {
                let machine = state.nodes[moving as usize].machine;
                state.unlink(moving);
                let left = state.nodes[target as usize].left;
                state.link(moving, left, target, machine);
                state.reorder(moving, target)
            }
            Move::Onto { operation, machine, duration, left, right } => {
                let place = state.place[operation as usize] as usize;
                let old = state.nodes[operation as usize].right;
                let old_left = state.nodes[operation as usize].left;
                state.unlink(operation);
                state.nodes[operation as usize].duration = duration;
                state.link(operation, left, right, machine);
                let (mut low, mut high) = (place, place);
                if old != state.none() {
                    low = low.min(state.place[old as usize] as usize);
                }
                if old_left != state.none() {
                    high = high.max(state.place[old_left as usize] as usize);
                }
                if left != state.none() {
                    let span = state.reorder(left, operation);
                    (low, high) = (low.min(span.0), high.max(span.1));
                }
                if right != state.none() {
                    let span = state.reorder(operation, right);
                    (low, high) = (low.min(span.0), high.max(span.1));
                }
                (low, high)
            }
        };
        state.measure(low, high + 1);
    }
}

impl Choice {
    fn offer(&mut self, estimate: i32, step: Move, tabu: bool, random: &mut Random) {
        if tabu {
            self.any_count += 1;
            if random.below(self.any_count) == 0 {
                self.any_move = Some(step);
            }
            return;
        }
        if estimate > self.free {
            return;
        }
        if estimate < self.free {
            self.free = estimate;
            self.free_count = 0;
        }
        self.free_count += 1;
        if self.free_count == 1 || random.below(self.free_count) == 0 {
            self.free_move = Some(step);
        }
    }
}
