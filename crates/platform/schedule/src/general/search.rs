//! Search over priorities and machines: late acceptance (Burke and Bykov 2017), one island a thread.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::decode::{Decoder, Genes};
use super::plant::Plant;
use super::value::{self, Value};
use crate::core::Random;
use crate::problem::{Problem, Schedule};
use crate::solve::THREADS_MAX;
use crate::{Answer, Control, Error, Options, Progress};

/// How many values back a candidate is compared with.
const MEMORY: usize = 64;
/// First orders that are tried: by route, by due date, by slack, by release, and random ones between.
const STARTS: usize = 6;
/// Tries for a first schedule when materials or no-wait work find no place.
const TRIES_MAX: usize = 50;

/// Where a search begins, when it does not begin from nothing.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) genes: Genes,
    /// The starts before, by operation, and what a unit of moving one costs; `i64::MIN` where there was none.
    pub(crate) starts: Vec<i64>,
    pub(crate) move_cost: i64,
}

/// A schedule and its worth; the last number of `value` may be the cost of moves.
#[derive(Debug, Clone)]
struct Found {
    genes: Genes,
    schedule: Schedule,
    value: Value,
}

struct Sea<'a> {
    plant: &'a Plant<'a>,
    options: &'a Options,
    control: &'a dyn Control,
    start: Option<&'a Start>,
    bound: i64,
    best: Mutex<Option<Value>>,
    iterations: AtomicU64,
}

/// Searches for a schedule of any problem.
pub(crate) fn solve(
    problem: &Problem,
    options: &Options,
    control: &dyn Control,
) -> Result<Answer, Error> {
    solve_from(&Plant::new(problem), None, options, control)
}

/// The same, from a start.
pub(crate) fn solve_from(
    plant: &Plant<'_>,
    start: Option<&Start>,
    options: &Options,
    control: &dyn Control,
) -> Result<Answer, Error> {
    let (bound, best, iterations) = (value::bound(plant), Mutex::new(None), AtomicU64::new(0));
    let sea = &Sea { plant, options, control, start, bound, best, iterations };
    let threads = u64::from(options.threads.clamp(1, THREADS_MAX));
    let results: Vec<Result<Found, u32>> = std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads).map(|index| scope.spawn(move || sea.live(index))).collect();
        let mut results = vec![sea.live(0)];
        results.extend(others.into_iter().filter_map(|island| island.join().ok()));
        results
    });
    let mut failed = None;
    let mut found: Option<Found> = None;
    for result in results {
        match result {
            Ok(one) if found.as_ref().is_none_or(|found| one.value < found.value) => {
                found = Some(one)
            }
            Ok(_) => {}
            Err(at) => failed = Some(at),
        }
    }
    let Some(found) = found else {
        let (job, op) = failed.map_or((0, 0), |at| plant.names[at as usize]);
        let what = format!(
            "job {job} operation {op} finds no place between calendars, materials and fixed work"
        );
        return Err(Error::Infeasible(what));
    };
    let value = shown(&found.value, start);
    Ok(Answer {
        makespan: found.schedule.makespan(),
        optimal: value.len() == 1 && value[0] == bound,
        schedule: found.schedule,
        value,
        bound,
        iterations: sea.iterations.load(Ordering::Relaxed),
    })
}

/// The problem's own value, without the cost of moves.
fn shown(value: &[i64], start: Option<&Start>) -> Value {
    let mut value = value.to_vec();
    if start.is_some()
        && let Some(cost) = value.pop()
    {
        value[0] -= cost;
    }
    value
}

impl Sea<'_> {
    fn live(&self, index: u64) -> Result<Found, u32> {
        let mut random = Random::new(self.options.seed.wrapping_mul(0x1_0001).wrapping_add(index));
        let mut decoder = Decoder::new(self.plant);
        let mut best = self.first(&mut decoder, &mut random)?;
        self.tell(&best);
        let mut present = (best.genes.clone(), best.value.clone());
        let mut memory = vec![present.1.clone(); MEMORY];
        let most = self.options.iterations.unwrap_or(u64::MAX);
        let movable = self.plant.groups.len();
        let mut done = 0;
        while done < most
            && movable > 0
            && !self.control.stop()
            && !(best.value.len() == 1 && best.value[0] <= self.bound)
        {
            done += 1;
            self.iterations.fetch_add(1, Ordering::Relaxed);
            let mut genes = present.0.clone();
            self.change(&mut genes, &decoder, &mut random);
            if decoder.decode(&genes).is_err() {
                continue;
            }
            let value = self.value(&decoder);
            let slot = done as usize % MEMORY;
            if value <= memory[slot] || value <= present.1 {
                if value < best.value {
                    best = Found {
                        genes: genes.clone(),
                        schedule: decoder.schedule(),
                        value: value.clone(),
                    };
                    self.tell(&best);
                }
                present = (genes, value);
            }
            memory[slot].clone_from(&present.1);
        }
        Ok(best)
    }

    /// The best of a few first orders.
    fn first(&self, decoder: &mut Decoder<'_>, random: &mut Random) -> Result<Found, u32> {
        let mut best: Option<Found> = None;
        let mut failed = 0;
        for round in 0..TRIES_MAX {
            if best.is_some() && (round >= STARTS || self.start.is_some() || self.control.stop()) {
                break;
            }
            let genes = match self.start {
                Some(start) if round == 0 => start.genes.clone(),
                _ => self.order(round, random),
            };
            if let Err(at) = decoder.decode(&genes) {
                failed = at;
                continue;
            }
            let value = self.value(decoder);
            if best.as_ref().is_none_or(|best| value < best.value) {
                best = Some(Found { genes, schedule: decoder.schedule(), value });
            }
        }
        best.ok_or(failed)
    }

    fn order(&self, round: usize, random: &mut Random) -> Genes {
        let plant = self.plant;
        let priority = plant.groups.iter().map(|group| {
            let (job, op) = plant.names[group[0] as usize];
            let order = &plant.problem.jobs[job as usize];
            let due = order.due.unwrap_or(crate::TIME_MAX);
            let rest: i64 = order.operations[op as usize..]
                .iter()
                .map(|one| one.alternatives[0].duration)
                .sum();
            match round {
                0 => -rest,
                1 => due,
                2 => due - rest,
                3 => order.release + i64::from(op),
                4 => i64::from(op),
                _ => random.below(1 << 20) as i64,
            }
        });
        Genes {
            priority: priority.collect(),
            alternative: vec![u32::MAX; plant.operations.len()],
            not_before: Vec::new(),
        }
    }

    fn value(&self, decoder: &Decoder<'_>) -> Value {
        let mut value = value::value(&decoder.floor, &decoder.places);
        if let Some(start) = self.start {
            let moved =
                decoder.places.iter().zip(&start.starts).filter(|(_, before)| **before != i64::MIN);
            let cost = moved
                .map(|(place, before)| (place.start - before).abs())
                .sum::<i64>()
                .saturating_mul(start.move_cost);
            value[0] = value[0].saturating_add(cost);
            value.push(cost);
        }
        value
    }

    /// One small change: a group goes before or behind another, or an operation to another machine. Half of the time the
    /// group is one of those that end late.
    fn change(&self, genes: &mut Genes, decoder: &Decoder<'_>, random: &mut Random) {
        let plant = self.plant;
        let pick = |random: &mut Random| random.below(plant.groups.len());
        let mut group = pick(random);
        for _ in 0..random.below(4) {
            let other = pick(random);
            if decoder.places[plant.groups[other][0] as usize].end
                > decoder.places[plant.groups[group][0] as usize].end
            {
                group = other;
            }
        }
        let at = plant.groups[group][random.below(plant.groups[group].len())];
        let ways = plant.operations[at as usize].alternatives.len();
        if ways > 1 && random.below(3) == 0 {
            let way = random.below(ways + 1);
            genes.alternative[at as usize] = if way == ways { u32::MAX } else { way as u32 };
            return;
        }
        let other = pick(random);
        if random.below(2) == 0 {
            genes.priority.swap(group, other);
        } else {
            genes.priority[group] = genes.priority[other] + random.below(3) as i64 - 1;
        }
        if let Some(not_before) = genes.not_before.get_mut(at as usize)
            && random.below(2) == 0
        {
            *not_before = i64::MIN;
        }
    }

    fn tell(&self, found: &Found) {
        let value = shown(&found.value, self.start);
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        if best.as_ref().is_none_or(|best| found.value < *best) {
            *best = Some(found.value.clone());
            let iterations = self.iterations.load(Ordering::Relaxed);
            let makespan = found.schedule.makespan();
            self.control.progress(&Progress { makespan, value, bound: self.bound, iterations });
        }
    }
}
