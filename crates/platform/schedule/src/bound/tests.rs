//! The bound of one machine against a schedule unit by unit.

use super::one_machine;
use crate::core::Random;

/// In every unit of time, of what is there the one with the longest tail.
fn unit_by_unit(jobs: &[(i64, i64, i64)]) -> i64 {
    let mut left: Vec<i64> = jobs.iter().map(|job| job.1).collect();
    let mut bound = 0;
    for time in 0.. {
        let Some(at) = (0..jobs.len())
            .filter(|&at| left[at] > 0 && jobs[at].0 <= time)
            .max_by_key(|&at| jobs[at].2)
        else {
            if left.iter().all(|&left| left == 0) {
                return bound;
            }
            continue;
        };
        left[at] -= 1;
        if left[at] == 0 {
            bound = bound.max(time + 1 + jobs[at].2);
        }
    }
    bound
}

#[test]
fn one_machine_is_jacksons_schedule() {
    let mut random = Random::new(3);
    for _ in 0..500 {
        let mut jobs: Vec<(i64, i64, i64)> = (0..1 + random.below(6))
            .map(|_| (random.below(20) as i64, 1 + random.below(9) as i64, random.below(20) as i64))
            .collect();
        assert_eq!(one_machine(&mut jobs), unit_by_unit(&jobs), "{jobs:?}");
    }
}
