//! The elite: good solutions that differ.

use super::random::Random;
use super::relink;
use super::shop::Shop;
use super::state::Order;

/// Solutions that a pool holds (Peng, Lü and Cheng 2015 take thirty).
pub(super) const POOL_MAX: usize = 30;

#[derive(Debug, Default)]
pub(super) struct Pool {
    members: Vec<(Order, Vec<u32>)>,
}

impl Pool {
    pub(super) const fn len(&self) -> usize {
        self.members.len()
    }

    /// Takes a solution in, unless it is near one that is as good, or worse than all. Tells whether it did.
    pub(super) fn offer(&mut self, shop: &Shop, solution: &Order) -> bool {
        let left = relink::neighbours(shop, solution);
        let near = 1 + shop.count / 50;
        let close =
            self.members.iter().position(|(_, other)| relink::distance(shop, &left, other) < near);
        let worst = (0..self.members.len()).max_by_key(|&at| self.members[at].0.makespan);
        let at = match (close, worst) {
            (Some(close), _) => close,
            (None, Some(worst)) if self.members.len() >= POOL_MAX => worst,
            _ => {
                self.members.push((solution.clone(), left));
                return true;
            }
        };
        let better = solution.makespan < self.members[at].0.makespan;
        if better {
            self.members[at] = (solution.clone(), left);
        }
        better
    }

    /// Two different members at random; `None` with fewer than two.
    pub(super) fn parents(&self, random: &mut Random) -> Option<(&Order, &Order)> {
        if self.members.len() < 2 {
            return None;
        }
        let first = random.below(self.members.len());
        let second = (first + 1 + random.below(self.members.len() - 1)) % self.members.len();
        Some((&self.members[first].0, &self.members[second].0))
    }

    pub(super) fn best(&self) -> Option<&Order> {
        self.members.iter().map(|member| &member.0).min_by_key(|order| order.makespan)
    }

    /// Keeps the best alone, for a fresh beginning.
    pub(super) fn keep_best(&mut self) {
        if let Some(at) = (0..self.members.len()).min_by_key(|&at| self.members[at].0.makespan) {
            self.members.swap(0, at);
            self.members.truncate(1);
        }
    }
}
