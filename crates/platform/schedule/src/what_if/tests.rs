//! One more machine, one more shift.

use crate::general::tests::Unhurried;
use crate::{Calendar, Options, check, parse_text, solve};

const OPTIONS: Options = Options { seed: 1, threads: 1, iterations: Some(500) };

#[test]
fn one_more_machine_halves_what_one_machine_does() {
    let problem = parse_text("4 1\n0 5\n0 5\n0 5\n0 5\n").unwrap();
    assert_eq!(solve(&problem, &OPTIONS, &Unhurried).unwrap().makespan, 20);
    let more = problem.with_machine_like(0).unwrap();
    let answer = solve(&more, &OPTIONS, &Unhurried).unwrap();
    assert_eq!((answer.makespan, answer.bound), (10, 10));
    assert!(problem.with_machine_like(7).is_err());
}

#[test]
fn one_more_shift_brings_the_end_forward() {
    let mut problem = parse_text("2 1\n0 8\n0 8\n").unwrap();
    problem.calendars.push(Calendar { open: vec![[0, 8]], period: Some(24), closed: vec![] });
    problem.machines[0].calendar = Some(0);
    assert_eq!(solve(&problem, &OPTIONS, &Unhurried).unwrap().makespan, 32);
    let more = problem.with_shift(0, &[[8, 16]]).unwrap();
    let answer = solve(&more, &OPTIONS, &Unhurried).unwrap();
    assert_eq!(answer.makespan, 16);
    assert_eq!(check(&more, &answer.schedule), vec![]);
}
