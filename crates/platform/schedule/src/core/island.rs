//! One island a thread: a pool each, children by path relinking and tabu search, and the best exchanged in step.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};

use super::dispatch::dispatch;
use super::pool::{POOL_MAX, Pool};
use super::random::Random;
use super::relink;
use super::shop::Shop;
use super::state::Order;
use super::tabu::Tabu;

/// Iterations of tabu search without a better solution before a child is done. Peng, Lü and Cheng (2015) take 12,500; of
/// nine settings tried with one seed on five instances (3 million iterations each) this had the smallest mean gap, together
/// with [`REFUSED_MAX`]: a weak preference, within what another seed may turn round.
const PATIENCE: u64 = 4_000;
/// Children between two exchanges; a count and not a time, so that a seed gives the same result on every machine.
const ROUNDS: usize = 8;
/// Children in a row that the pool refused before it begins anew.
const REFUSED_MAX: usize = 2 * POOL_MAX;

/// What a search is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    /// For each island.
    pub(crate) iterations: u64,
    /// No makespan is smaller; the search ends there.
    pub(crate) bound: i32,
}

/// What a search has found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) best: Order,
    /// Over all islands.
    pub(crate) iterations: u64,
}

/// What islands share.
struct Sea<'a> {
    shop: &'a Shop,
    plan: Plan,
    stop: &'a (dyn Fn() -> bool + Sync),
    progress: &'a (dyn Fn(i32, u64) + Sync),
    best: AtomicI32,
    iterations: AtomicU64,
    over: AtomicBool,
    barrier: Barrier,
    /// The best of each island; its neighbour takes it in.
    shores: Vec<Mutex<Option<Order>>>,
}

/// Searches until the bound is met, the iterations are used up, or `stop` says so. `progress` hears of every better
/// makespan, with the iterations so far.
pub(crate) fn search(
    shop: &Shop,
    plan: Plan,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(i32, u64) + Sync),
) -> Outcome {
    let sea = Sea {
        shop,
        plan,
        stop,
        progress,
        best: AtomicI32::new(i32::MAX),
        iterations: AtomicU64::new(0),
        over: AtomicBool::new(false),
        barrier: Barrier::new(plan.threads),
        shores: (0..plan.threads).map(|_| Mutex::new(None)).collect(),
    };
    let sea = &sea;
    let orders: Vec<Order> = std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..plan.threads).map(|index| scope.spawn(move || sea.live(index))).collect();
        let mut orders = vec![sea.live(0)];
        orders.extend(others.into_iter().filter_map(|island| island.join().ok()));
        orders
    });
    let best = orders.into_iter().min_by_key(|order| order.makespan).unwrap_or_default();
    Outcome { best, iterations: sea.iterations.load(Ordering::Relaxed) }
}

impl Sea<'_> {
    fn live(&self, index: usize) -> Order {
        let mut random =
            Random::new(self.plan.seed.wrapping_mul(0x1_0001).wrapping_add(index as u64));
        let mut tabu = Tabu::new(self.shop);
        let mut pool = Pool::default();
        let mut taken = Vec::new();
        let mut refused = 0;
        let mut best = dispatch(self.shop, &mut random);
        self.tell(&best, 0);
        loop {
            for _ in 0..ROUNDS {
                if self.ends(&best, tabu.iteration) {
                    break;
                }
                let before = tabu.iteration;
                let mut child = self.child(&pool, &mut random, &mut taken);
                tabu.improve(
                    &mut child,
                    PATIENCE,
                    self.plan.bound,
                    self.plan.iterations,
                    &mut random,
                    &|| (self.stop)(),
                );
                let total = self.iterations.fetch_add(tabu.iteration - before, Ordering::Relaxed)
                    + tabu.iteration
                    - before;
                refused = if pool.offer(self.shop, &child) { 0 } else { refused + 1 };
                if child.makespan < best.makespan {
                    best = child;
                    self.tell(&best, total);
                }
                if refused > REFUSED_MAX {
                    pool.keep_best();
                    refused = 0;
                }
            }
            if self.exchange(index, &best, tabu.iteration, &mut pool) {
                return best;
            }
        }
    }

    fn ends(&self, best: &Order, iteration: u64) -> bool {
        best.makespan <= self.plan.bound || iteration >= self.plan.iterations || (self.stop)()
    }

    /// While the pool is young, a fresh solution every second time; else one between two of the pool.
    fn child(&self, pool: &Pool, random: &mut Random, taken: &mut Vec<bool>) -> Order {
        let fresh = pool.len() < POOL_MAX && (pool.len() < 6 || random.below(2) == 0);
        match pool.parents(random) {
            Some((first, second)) if !fresh => {
                relink::between(self.shop, first, second, 96 + random.below(64), random, taken)
            }
            _ => dispatch(self.shop, random),
        }
    }

    /// Leaves the best for the neighbour and takes in the other's; `true` when all is over.
    fn exchange(&self, index: usize, best: &Order, iteration: u64, pool: &mut Pool) -> bool {
        let own = pool.best().unwrap_or(best).clone();
        *self.shores[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        if self.ends(best, iteration) {
            self.over.store(true, Ordering::SeqCst);
        }
        self.barrier.wait();
        let over = self.over.load(Ordering::SeqCst);
        let neighbour = (index + 1) % self.shores.len();
        if neighbour != index && !over {
            let theirs =
                self.shores[neighbour].lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(theirs) = theirs {
                pool.offer(self.shop, &theirs);
            }
        }
        self.barrier.wait();
        over
    }

    fn tell(&self, found: &Order, iterations: u64) {
        if self.best.fetch_min(found.makespan, Ordering::Relaxed) > found.makespan {
            (self.progress)(found.makespan, iterations);
        }
    }
}
