//! A problem with its operations numbered through, and what must be placed together.

use crate::problem::{Operation, Problem, Wait};

/// A problem, made ready for decoding.
#[derive(Debug)]
pub(crate) struct Plant<'a> {
    pub(super) problem: &'a Problem,
    pub(crate) operations: Vec<&'a Operation>,
    /// Job and number in it.
    pub(crate) names: Vec<(u32, u32)>,
    pub(super) before: Vec<Vec<u32>>,
    pub(super) after: Vec<Vec<u32>>,
    /// Earliest start by release and availability.
    pub(super) earliest: Vec<i64>,
    /// Operations bound together by blocking or no-wait, each in an order that keeps the routes. Fixed ones are in none.
    pub(crate) groups: Vec<Vec<u32>>,
    /// The group of each operation; `u32::MAX` for fixed ones.
    pub(super) group: Vec<u32>,
    /// For each skill the resources that have it.
    pub(super) skilled: std::collections::BTreeMap<u32, Vec<u32>>,
}

impl<'a> Plant<'a> {
    pub(crate) fn new(problem: &'a Problem) -> Self {
        let count = problem.operation_count();
        let mut plant = Self {
            problem,
            operations: Vec::with_capacity(count),
            names: Vec::with_capacity(count),
            before: vec![Vec::new(); count],
            after: vec![Vec::new(); count],
            earliest: Vec::with_capacity(count),
            groups: Vec::new(),
            group: vec![u32::MAX; count],
            skilled: std::collections::BTreeMap::new(),
        };
        for (at, resource) in problem.resources.iter().enumerate() {
            for &skill in &resource.skills {
                plant.skilled.entry(skill).or_default().push(at as u32);
            }
        }
        for (index, job) in problem.jobs.iter().enumerate() {
            let first = plant.operations.len();
            for (at, operation) in job.operations.iter().enumerate() {
                plant.operations.push(operation);
                plant.names.push((index as u32, at as u32));
                plant.earliest.push(job.release.max(operation.available));
            }
            let chain = || (1..job.operations.len() as u32).map(|at| [at - 1, at]).collect();
            for [before, after] in job.precedence.clone().unwrap_or_else(chain) {
                let (before, after) = (first as u32 + before, first as u32 + after);
                if !plant.after[before as usize].contains(&after) {
                    plant.before[after as usize].push(before);
                    plant.after[before as usize].push(after);
                }
            }
            plant.bind(first, plant.operations.len());
        }
        plant
    }

    /// Makes the groups of one job. When groups wait for each other in a circle, the whole job is one group.
    fn bind(&mut self, first: usize, end: usize) {
        let order = self.topological(first, end);
        let mut root: Vec<usize> = (0..end - first).collect();
        for &at in &order {
            if self.operations[at as usize].wait == Wait::Free
                || self.operations[at as usize].fixed.is_some()
            {
                continue;
            }
            for &after in &self.after[at as usize] {
                if self.operations[after as usize].fixed.is_none() {
                    let (one, other) = (root[at as usize - first], root[after as usize - first]);
                    root.iter_mut().filter(|root| **root == other).for_each(|root| *root = one);
                }
            }
        }
        if !self.is_ordered(first, &root, &order) {
            root.fill(0);
        }
        let mut number = vec![u32::MAX; end - first];
        for &at in &order {
            if self.operations[at as usize].fixed.is_some() {
                continue;
            }
            let root = root[at as usize - first];
            if number[root] == u32::MAX {
                number[root] = self.groups.len() as u32;
                self.groups.push(Vec::new());
            }
            self.group[at as usize] = number[root];
            self.groups[number[root] as usize].push(at);
        }
    }

    /// Whether the groups can be placed one after another.
    fn is_ordered(&self, first: usize, root: &[usize], order: &[u32]) -> bool {
        let mut arcs = std::collections::BTreeSet::new();
        for &at in order {
            for &after in &self.after[at as usize] {
                let (one, other) = (root[at as usize - first], root[after as usize - first]);
                if one != other {
                    arcs.insert((one, other));
                }
            }
        }
        let mut waiting = vec![0; root.len()];
        arcs.iter().for_each(|arc| waiting[arc.1] += 1);
        let mut ready: Vec<usize> = (0..root.len()).filter(|&at| waiting[at] == 0).collect();
        let mut done = 0;
        while let Some(at) = ready.pop() {
            done += 1;
            for &(_, other) in arcs.range((at, 0)..(at + 1, 0)) {
                waiting[other] -= 1;
                if waiting[other] == 0 {
                    ready.push(other);
                }
            }
        }
        done == root.len()
    }

    fn topological(&self, first: usize, end: usize) -> Vec<u32> {
        let mut waiting: Vec<usize> = (first..end).map(|at| self.before[at].len()).collect();
        let mut order: Vec<u32> =
            (first..end).filter(|&at| waiting[at - first] == 0).map(|at| at as u32).collect();
        let mut read = 0;
        while let Some(&at) = order.get(read) {
            read += 1;
            for &after in &self.after[at as usize] {
                waiting[after as usize - first] -= 1;
                if waiting[after as usize - first] == 0 {
                    order.push(after);
                }
            }
        }
        order
    }

    /// All operations in an order that keeps the routes.
    pub(super) fn order(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.operations.len());
        for job in &self.problem.jobs {
            let first = order.len();
            order.extend(self.topological(first, first + job.operations.len()));
        }
        order
    }

    pub(super) fn transport(&self, from: u32, to: u32) -> i64 {
        self.problem.transport.get(from as usize).map_or(0, |row| row[to as usize])
    }

    pub(super) fn setup(&self, machine: u32, from: u32, to: u32) -> i64 {
        let table = self.problem.machines[machine as usize].setup;
        table.map_or(0, |table| {
            self.problem.setups[table as usize].times[from as usize][to as usize]
        })
    }
}
