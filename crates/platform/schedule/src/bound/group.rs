//! The energetic bound of parallel machines: work that can be done only within a group of machines, after its shortest
//! heads and before its shortest tails.

use std::collections::BTreeSet;

use crate::core::Shop;

/// Groups that are looked at: the sets of alternatives that occur, their unions by two, and all machines.
const GROUPS_MAX: usize = 2_000;
/// Thresholds of heads and of tails for each group; more seldom give more.
const THRESHOLDS_MAX: usize = 12;
/// Operations times groups, so that the bound is no longer than the first solution.
const WORK_MAX: usize = 4_000_000;

/// The greatest bound over groups of machines.
pub(super) fn bound(shop: &Shop, heads: &[i32], tails: &[i32]) -> i32 {
    if !shop.flexible {
        return 0;
    }
    let most = GROUPS_MAX.min(WORK_MAX / shop.count.max(1));
    groups(shop, most).iter().map(|group| of_group(shop, heads, tails, group)).max().unwrap_or(0)
}

fn groups(shop: &Shop, most: usize) -> BTreeSet<Vec<u32>> {
    let mut single: BTreeSet<Vec<u32>> = BTreeSet::new();
    single.insert((0..shop.machines as u32).collect());
    for at in 0..shop.count {
        if single.len() >= most {
            break;
        }
        let mut machines: Vec<u32> = shop.ways_of(at as u32).iter().map(|way| way.0).collect();
        machines.sort_unstable();
        single.insert(machines);
    }
    let mut all = single.clone();
    for one in &single {
        for other in &single {
            if all.len() >= most {
                return all;
            }
            let both: BTreeSet<u32> = one.iter().chain(other).copied().collect();
            all.insert(both.into_iter().collect());
        }
    }
    all
}

fn of_group(shop: &Shop, heads: &[i32], tails: &[i32], group: &[u32]) -> i32 {
    let mut work: Vec<(i32, i32, i32)> = Vec::new();
    for at in 0..shop.count {
        let ways = shop.ways_of(at as u32);
        if ways.iter().all(|way| group.binary_search(&way.0).is_ok()) {
            let least = ways.iter().map(|way| way.1).min().unwrap_or(0);
            work.push((heads[at], least, tails[at] - least));
        }
    }
    let mut bound = 0;
    for low in thresholds(work.iter().map(|job| job.0)) {
        for after in thresholds(work.iter().map(|job| job.2)) {
            let within: Vec<_> = work.iter().filter(|job| job.0 >= low && job.2 >= after).collect();
            bound = bound.max(energy(&within, group.len()));
        }
    }
    bound
}

/// When `used` machines of the group work, each idles before its first and after its last operation: together at least
/// the shortest heads and tails. How many work is not known; the least of all counts is the bound.
fn energy(work: &[&(i32, i32, i32)], machines: usize) -> i32 {
    let mut heads: Vec<i32> = work.iter().map(|job| job.0).collect();
    let mut tails: Vec<i32> = work.iter().map(|job| job.2).collect();
    heads.sort_unstable();
    tails.sort_unstable();
    let mut total = work.iter().map(|job| i64::from(job.1)).sum::<i64>();
    let mut least = i64::MAX;
    for used in 1..=machines.min(work.len()) {
        total += i64::from(heads[used - 1]) + i64::from(tails[used - 1]);
        let count = used as i64;
        least = least.min((total + count - 1) / count);
    }
    if work.is_empty() { 0 } else { i32::try_from(least).unwrap_or(i32::MAX) }
}

fn thresholds(times: impl Iterator<Item = i32>) -> Vec<i32> {
    let all: BTreeSet<i32> = times.collect();
    let step = all.len().div_ceil(THRESHOLDS_MAX).max(1);
    all.into_iter().step_by(step).collect()
}
