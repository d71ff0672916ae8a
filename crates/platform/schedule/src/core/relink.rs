//! Solutions on the way between two others.

use super::random::Random;
use super::shop::Shop;
use super::state::Order;

/// A solution between two: it keeps every order of two operations that both agree on, and so is feasible as they are.
/// The next operation is drawn from either parent, in runs, so that parts of a parent stay together. Of `share` in 256
/// draws `first` is the parent.
pub(super) fn between(
    shop: &Shop,
    first: &Order,
    second: &Order,
    share: usize,
    random: &mut Random,
    taken: &mut Vec<bool>,
) -> Order {
    taken.clear();
    taken.resize(shop.count, false);
    let mut child = Order {
        order: Vec::with_capacity(shop.count),
        machine: vec![0; shop.count],
        makespan: i32::MAX,
    };
    let mut cursors = [0_usize; 2];
    let parents = [first, second];
    let mut from = 0;
    let mut run = 0;
    while child.order.len() < shop.count {
        if run == 0 {
            from = usize::from(random.below(256) >= share);
            run = 1 + random.below(4);
        }
        run -= 1;
        let parent = parents[from];
        while taken[parent.order[cursors[from]] as usize] {
            cursors[from] += 1;
        }
        let at = parent.order[cursors[from]];
        taken[at as usize] = true;
        child.machine[at as usize] = parent.machine[at as usize];
        child.order.push(at);
    }
    child
}

/// How many operations have another neighbour before them, or another machine.
pub(super) fn distance(shop: &Shop, first: &[u32], second: &[u32]) -> usize {
    debug_assert_eq!(first.len(), shop.count);
    first.iter().zip(second).filter(|(one, other)| one != other).count()
}

/// For each operation the one before it on its machine; the first on a machine has a number of the machine.
pub(super) fn neighbours(shop: &Shop, solution: &Order) -> Vec<u32> {
    let mut last: Vec<u32> =
        (0..shop.machines).map(|machine| (shop.count + machine) as u32).collect();
    let mut left = vec![0; shop.count];
    for &at in &solution.order {
        left[at as usize] =
            std::mem::replace(&mut last[solution.machine[at as usize] as usize], at);
    }
    left
}
