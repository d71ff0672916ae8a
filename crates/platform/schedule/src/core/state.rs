//! A solution under change: the machine sequences as linked lists, a topological order, heads and tails.

use super::shop::Shop;

/// All of an operation in half a cache line. `end` is head plus duration; `tail` is the longest way from its start to the
/// end of everything, its duration included.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
pub(super) struct Node {
    pub(super) before: u32,
    pub(super) after: u32,
    pub(super) left: u32,
    pub(super) right: u32,
    pub(super) machine: u32,
    pub(super) duration: i32,
    pub(super) end: i32,
    pub(super) tail: i32,
}

impl Node {
    pub(super) const fn head(&self) -> i32 {
        self.end - self.duration
    }
}

/// A solution in its shortest form: any order of all operations that keeps the routes gives the machine sequences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) order: Vec<u32>,
    pub(crate) machine: Vec<u32>,
    pub(crate) makespan: i32,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    /// One more than there are operations: the last stands for none, with end and tail zero.
    pub(super) nodes: Vec<Node>,
    /// The first operation on each machine.
    pub(super) first: Vec<u32>,
    pub(super) order: Vec<u32>,
    pub(super) place: Vec<u32>,
    pub(super) makespan: i32,
    moved: Vec<u32>,
    marked: Vec<bool>,
    last: Vec<u32>,
}

impl State {
    pub(super) fn new(shop: &Shop) -> Self {
        let none = shop.count as u32;
        let mut nodes =
            vec![
                Node { before: none, after: none, left: none, right: none, ..Node::default() };
                shop.count + 1
            ];
        for (at, node) in nodes.iter_mut().enumerate().take(shop.count) {
            node.before = shop.before[at];
            node.after = shop.after[at];
        }
        Self {
            nodes,
            first: vec![none; shop.machines],
            order: vec![0; shop.count],
            place: vec![0; shop.count],
            makespan: 0,
            moved: Vec::with_capacity(shop.count),
            marked: vec![false; shop.count + 1],
            last: vec![none; shop.machines],
        }
    }

    pub(super) const fn none(&self) -> u32 {
        self.order.len() as u32
    }

    /// Takes over a solution.
    pub(super) fn load(&mut self, shop: &Shop, from: &Order) {
        let none = self.none();
        self.first.fill(none);
        self.last.fill(none);
        self.order.copy_from_slice(&from.order);
        for (place, &operation) in from.order.iter().enumerate() {
            let machine = from.machine[operation as usize];
            self.place[operation as usize] = place as u32;
            let duration =
                shop.ways_of(operation).iter().find(|way| way.0 == machine).map_or(0, |way| way.1);
            let left = std::mem::replace(&mut self.last[machine as usize], operation);
            if left == none {
                self.first[machine as usize] = operation;
            } else {
                self.nodes[left as usize].right = operation;
            }
            let node = &mut self.nodes[operation as usize];
            node.machine = machine;
            node.duration = duration;
            node.left = left;
            node.right = none;
            node.end = -1;
            node.tail = -1;
        }
        self.measure(0, self.order.len());
    }

    /// Gives the solution out, in the order of heads.
    pub(super) fn save(&self, to: &mut Order) {
        to.order.clear();
        to.order.extend_from_slice(&self.order);
        to.order
            .sort_unstable_by_key(|&at| (self.nodes[at as usize].head(), self.place[at as usize]));
        to.machine.clear();
        to.machine.extend(self.nodes[..self.order.len()].iter().map(|node| node.machine));
        to.makespan = self.makespan;
    }

    /// Sets heads from place `low` on, and tails below place `high`, after the arcs between them have changed.
    pub(super) fn measure(&mut self, low: usize, high: usize) {
        let nodes = &mut self.nodes[..];
        for &at in &self.order[low..] {
            let node = nodes[at as usize];
            let head = nodes[node.before as usize].end.max(nodes[node.left as usize].end);
            nodes[at as usize].end = head + node.duration;
        }
        for &at in self.order[..high].iter().rev() {
            let node = nodes[at as usize];
            let tail = nodes[node.after as usize].tail.max(nodes[node.right as usize].tail);
            nodes[at as usize].tail = tail + node.duration;
        }
        self.makespan = nodes.iter().map(|node| node.end).max().unwrap_or(0);
    }

    /// Takes an operation out of its machine's sequence.
    pub(super) fn unlink(&mut self, operation: u32) {
        let Node { left, right, machine, .. } = self.nodes[operation as usize];
        if left == self.none() {
            self.first[machine as usize] = right;
        } else {
            self.nodes[left as usize].right = right;
        }
        if right != self.none() {
            self.nodes[right as usize].left = left;
        }
    }

    /// Puts an operation between two neighbours (either may be none) of a machine's sequence.
    pub(super) fn link(&mut self, operation: u32, left: u32, right: u32, machine: u32) {
        if left == self.none() {
            self.first[machine as usize] = operation;
        } else {
            self.nodes[left as usize].right = operation;
        }
        if right != self.none() {
            self.nodes[right as usize].left = operation;
        }
        let node = &mut self.nodes[operation as usize];
        node.left = left;
        node.right = right;
        node.machine = machine;
    }

    /// Mends the topological order for a new arc; what hangs on `to` and stands before `from` goes behind it. Gives the
    /// places between which something changed. There must be no way from `to` to `from`.
    pub(super) fn reorder(&mut self, from: u32, to: u32) -> (usize, usize) {
        let (low, high) = (self.place[to as usize] as usize, self.place[from as usize] as usize);
        if low > high {
            return (high, low);
        }
        self.moved.clear();
        let mut write = low;
        for read in low..=high {
            let at = self.order[read];
            let node = self.nodes[at as usize];
            if at == to || self.marked[node.before as usize] || self.marked[node.left as usize] {
                self.marked[at as usize] = true;
                self.moved.push(at);
            } else {
                self.order[write] = at;
                self.place[at as usize] = write as u32;
                write += 1;
            }
        }
        for &at in &self.moved {
            self.marked[at as usize] = false;
            self.order[write] = at;
            self.place[at as usize] = write as u32;
            write += 1;
        }
        (low, high)
    }
}
