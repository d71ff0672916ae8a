//! From priorities to a schedule.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::floor::{Floor, Place};
use super::plant::Plant;
use crate::problem::{Assignment, Schedule, Wait};

/// Attempts to place operations that are bound together; each moves one of them later, at the end behind everything.
const ATTEMPTS_MAX: usize = 20_000;

/// What the search changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Genes {
    /// For each group; smaller comes first among those that can be placed.
    pub(crate) priority: Vec<i64>,
    /// For each operation the alternative, or `u32::MAX` for where it ends first.
    pub(crate) alternative: Vec<u32>,
    /// For each operation a start that it is not placed before; empty when there is none.
    pub(crate) not_before: Vec<i64>,
}

/// Room for decoding, and its result.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    pub(super) floor: Floor<'a>,
    pub(super) places: Vec<Place>,
    waiting: Vec<u32>,
    queue: BinaryHeap<Reverse<(i64, u32)>>,
    later: Vec<i64>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(plant: &'a Plant<'a>) -> Self {
        Self {
            floor: Floor::new(plant),
            places: vec![Place::default(); plant.operations.len()],
            waiting: Vec::new(),
            queue: BinaryHeap::new(),
            later: vec![i64::MIN; plant.operations.len()],
        }
    }

    /// Builds the schedule in `places`. The error is the operation that found no place.
    pub(super) fn decode(&mut self, genes: &Genes) -> Result<(), u32> {
        let plant = self.floor.plant;
        self.floor.clear();
        for (at, operation) in plant.operations.iter().enumerate() {
            if let Some(fixed) = &operation.fixed {
                let (start, end) = (fixed.start, fixed.end);
                self.places[at] = Place {
                    machine: fixed.machine,
                    start,
                    end,
                    resources: fixed.resources.clone(),
                    ..Place::default()
                };
                self.floor.book(at as u32, &self.places[at].clone());
            }
        }
        self.block_fixed();
        self.waiting.clear();
        self.waiting.resize(plant.groups.len(), 0);
        self.queue.clear();
        for (at, group) in plant.groups.iter().enumerate() {
            let arcs = group.iter().flat_map(|&one| &plant.before[one as usize]);
            self.waiting[at] = arcs.filter(|&&one| self.outside(one, at as u32)).count() as u32;
            if self.waiting[at] == 0 {
                self.queue.push(Reverse((genes.priority[at], at as u32)));
            }
        }
        while let Some(Reverse((_, group))) = self.queue.pop() {
            self.place(&plant.groups[group as usize], genes)?;
            for &at in &plant.groups[group as usize] {
                for &after in &plant.after[at as usize] {
                    let next = plant.group[after as usize];
                    if next != group && next != u32::MAX {
                        self.waiting[next as usize] -= 1;
                        if self.waiting[next as usize] == 0 {
                            self.queue.push(Reverse((genes.priority[next as usize], next)));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Fixed work that blocks its machine does so until what follows it, fixed as well, has started. Where facts contradict
    /// each other nothing can be done here; the checker tells.
    fn block_fixed(&mut self) {
        let plant = self.floor.plant;
        for (at, operation) in plant.operations.iter().enumerate() {
            if operation.fixed.is_none() || operation.wait != Wait::Blocking {
                continue;
            }
            for &after in &plant.after[at] {
                if plant.operations[after as usize].fixed.is_some() {
                    let _ = self.floor.block(
                        at as u32,
                        self.places[at].machine,
                        self.places[after as usize].start,
                    );
                }
            }
        }
    }

    fn outside(&self, at: u32, group: u32) -> bool {
        let other = self.floor.plant.group[at as usize];
        other != group && other != u32::MAX
    }

    fn place(&mut self, group: &[u32], genes: &Genes) -> Result<(), u32> {
        for &at in group {
            self.later[at as usize] =
                genes.not_before.get(at as usize).copied().unwrap_or(i64::MIN);
        }
        for _ in 0..ATTEMPTS_MAX {
            let mut placed = 0;
            let mut fits = true;
            while placed < group.len() && fits {
                fits =
                    self.place_one(group[placed], genes, group.len() > 1).ok_or(group[placed])?;
                placed += 1;
            }
            if fits {
                return Ok(());
            }
            for &at in group[..placed].iter().rev() {
                let place = std::mem::take(&mut self.places[at as usize]);
                self.floor.cancel(at, &place);
            }
        }
        Err(group[0])
    }

    /// Places and books an operation. `Some(false)` when one bound to it must come later, which is then noted.
    fn place_one(&mut self, at: u32, genes: &Genes, bound: bool) -> Option<bool> {
        let plant = self.floor.plant;
        let operation = plant.operations[at as usize];
        let chosen = genes.alternative[at as usize] as usize;
        let quickest = || {
            operation
                .alternatives
                .iter()
                .enumerate()
                .min_by_key(|way| way.1.duration)
                .map_or(0, |way| way.0)
        };
        let only = match operation.alternatives.get(chosen) {
            Some(_) => Some(chosen),
            None if bound => Some(quickest()),
            None => None,
        };
        let mut best: Option<Place> = None;
        for (index, way) in operation.alternatives.iter().enumerate() {
            if only.is_some_and(|only| only != index) {
                continue;
            }
            let mut earliest = plant.earliest[at as usize].max(self.later[at as usize]);
            for &before in &plant.before[at as usize] {
                let place = &self.places[before as usize];
                earliest = earliest.max(place.end + plant.transport(place.machine, way.machine));
            }
            if let Some(place) = self.floor.fit(at, way.machine, way.duration, earliest)
                && best.as_ref().is_none_or(|best| place.end < best.end)
            {
                best = Some(place);
            }
        }
        let place = best?;
        let mut fits = true;
        self.floor.book(at, &place);
        for &before in &plant.before[at as usize] {
            let other = &self.places[before as usize];
            match plant.operations[before as usize].wait {
                Wait::Free => {}
                Wait::NoWait => {
                    let due = other.end + plant.transport(other.machine, place.machine);
                    if place.start > due {
                        self.later[before as usize] = other.start + (place.start - due);
                        fits = false;
                    }
                }
                Wait::Blocking => {
                    if let Err(later) = self.floor.block(before, other.machine, place.start) {
                        self.later[before as usize] = later.max(other.start + 1);
                        fits = false;
                    }
                }
            }
        }
        self.places[at as usize] = place;
        Some(fits)
    }

    pub(super) fn schedule(&self) -> Schedule {
        let names = &self.floor.plant.names;
        let entry = |(place, &(job, op)): (&Place, &(u32, u32))| Assignment {
            job,
            op,
            machine: place.machine,
            start: place.start,
            end: place.end,
            resources: place.resources.clone(),
        };
        Schedule { operations: self.places.iter().zip(names).map(entry).collect() }
    }
}
