//! Proven lower bounds on the makespan.

mod group;
mod preemptive;

#[cfg(test)]
mod tests;

pub(crate) use preemptive::one_machine;

use crate::core::Shop;

/// A makespan that no solution of the shop can be below: the longest route, the preemptive bound of each machine, and
/// the energetic bound of each group of machines.
pub(crate) fn makespan(shop: &Shop) -> i32 {
    let (heads, tails) = windows(shop);
    let route = (0..shop.count).map(|at| heads[at] + tails[at]).max().unwrap_or(0);
    route.max(preemptive::bound(shop, &heads, &tails)).max(group::bound(shop, &heads, &tails))
}

/// For each operation its head (the shortest way before it) and its tail (its shortest duration and the way behind it).
fn windows(shop: &Shop) -> (Vec<i32>, Vec<i32>) {
    let shortest = |at: usize| shop.ways_of(at as u32).iter().map(|way| way.1).min().unwrap_or(0);
    let (mut heads, mut tails) = (vec![0; shop.count + 1], vec![0; shop.count + 1]);
    for at in 0..shop.count {
        let before = shop.before[at] as usize;
        if before < shop.count {
            heads[at] = heads[before] + shortest(before);
        }
    }
    for at in (0..shop.count).rev() {
        tails[at] = tails[shop.after[at] as usize] + shortest(at);
    }
    (heads, tails)
}
