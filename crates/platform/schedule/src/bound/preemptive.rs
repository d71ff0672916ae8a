//! The one-machine bound with interruptions allowed: Jackson's rule, the longest tail of what is at hand first
//! (Carlier 1982).

use std::collections::BinaryHeap;

use crate::core::Shop;

/// The greatest bound over machines, from the operations that can be done nowhere else.
pub(super) fn bound(shop: &Shop, heads: &[i32], tails: &[i32]) -> i32 {
    let mut work: Vec<Vec<(i64, i64, i64)>> = vec![Vec::new(); shop.machines];
    for at in 0..shop.count {
        if let [(machine, duration)] = *shop.ways_of(at as u32) {
            let (head, tail) = (i64::from(heads[at]), i64::from(tails[at] - duration));
            work[machine as usize].push((head, i64::from(duration), tail));
        }
    }
    let most = work.iter_mut().map(|jobs| one_machine(jobs)).max().unwrap_or(0);
    i32::try_from(most).unwrap_or(i32::MAX)
}

/// The least end of `(head, duration, tail behind)` on one machine when work may be interrupted.
pub(crate) fn one_machine(jobs: &mut [(i64, i64, i64)]) -> i64 {
    jobs.sort_unstable();
    let mut ready: BinaryHeap<(i64, i64)> = BinaryHeap::with_capacity(jobs.len());
    let (mut now, mut next, mut bound) = (jobs.first().map_or(0, |job| job.0), 0, 0);
    while next < jobs.len() || !ready.is_empty() {
        if ready.is_empty() {
            now = now.max(jobs[next].0);
        }
        while next < jobs.len() && jobs[next].0 <= now {
            ready.push((jobs[next].2, jobs[next].1));
            next += 1;
        }
        let Some((tail, left)) = ready.pop() else { continue };
        let until = jobs.get(next).map_or(i64::MAX, |job| job.0);
        let done = left.min(until - now);
        now += done;
        if done < left {
            ready.push((tail, left - done));
        } else {
            bound = bound.max(now + tail);
        }
    }
    bound
}
