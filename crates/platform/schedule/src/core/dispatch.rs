//! First solutions by dispatching: whatever can run does, and of equals what has most work behind it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::random::Random;
use super::shop::Shop;
use super::state::Order;

/// Builds a solution as the shop would run: work that comes to a machine waits there, and a free machine takes what has
/// most work behind it, which `random` weights anew.
pub(super) fn dispatch(shop: &Shop, random: &mut Random) -> Order {
    let jobs = shop.first.len() - 1;
    let mut rest = vec![0_i64; shop.count + 1];
    for at in (0..shop.count).rev() {
        let shortest =
            shop.ways_of(at as u32).iter().map(|way| i64::from(way.1)).min().unwrap_or(0);
        rest[at] = shortest + rest[shop.after[at] as usize];
    }
    let mut floor = Floor {
        free: vec![0; shop.machines],
        load: vec![0; shop.machines],
        waiting: vec![BinaryHeap::new(); shop.machines],
        events: BinaryHeap::with_capacity(jobs + shop.machines),
    };
    let mut found =
        Order { order: Vec::with_capacity(shop.count), machine: vec![0; shop.count], makespan: 0 };
    let begins = shop.first.windows(2).filter(|span| span[0] < span[1]).map(|span| span[0]);
    floor.events.extend(begins.map(|at| Reverse((0, false, at))));
    while let Some(Reverse((now, is_machine, at))) = floor.events.pop() {
        if !is_machine {
            let weight = rest[at as usize] * (64 + random.below(64) as i64);
            floor.arrive(shop, now, at, weight);
            continue;
        }
        let machine = at as usize;
        if floor.free[machine] > now {
            continue;
        }
        let Some((_, Reverse(next), duration)) = floor.waiting[machine].pop() else { continue };
        let end = now + duration;
        floor.free[machine] = end;
        floor.load[machine] -= i64::from(duration);
        floor.events.push(Reverse((end, true, at)));
        found.order.push(next);
        found.machine[next as usize] = at;
        found.makespan = found.makespan.max(end);
        let after = shop.after[next as usize];
        if (after as usize) < shop.count {
            floor.events.push(Reverse((end, false, after)));
        }
    }
    found
}

struct Floor {
    free: Vec<i32>,
    /// Work that waits at each machine.
    load: Vec<i64>,
    /// What waits at each machine: weight, operation, duration.
    waiting: Vec<BinaryHeap<(i64, Reverse<u32>, i32)>>,
    /// Arrivals first, then machines that may begin.
    events: BinaryHeap<Reverse<(i32, bool, u32)>>,
}

impl Floor {
    /// The operation queues where it would end first.
    fn arrive(&mut self, shop: &Shop, now: i32, at: u32, weight: i64) {
        let ends = |way: &(u32, i32)| {
            i64::from(self.free[way.0 as usize].max(now))
                + self.load[way.0 as usize]
                + i64::from(way.1)
        };
        if let Some(&(machine, duration)) = shop.ways_of(at).iter().min_by_key(|way| ends(way)) {
            self.load[machine as usize] += i64::from(duration);
            self.waiting[machine as usize].push((weight, Reverse(at), duration));
            self.events.push(Reverse((now.max(self.free[machine as usize]), true, machine)));
        }
    }
}
