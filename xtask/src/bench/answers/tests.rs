use std::fs;
use std::path::PathBuf;

use super::super::questions::question;
use super::{Tolerance, compare};

const EXACT: Tolerance = Tolerance { micros: 1, numbers: 0.0 };

/// A file with these lines, which is gone with the value.
struct Answer(PathBuf);

impl Answer {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("weir-answers-{}-{name}.csv", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn check(
    test: &str,
    name: &str,
    expected: &str,
    answer: &str,
    tolerance: Tolerance,
) -> Result<f64, String> {
    let expected = Answer::new(&format!("{test}-expected"), expected);
    let answer = Answer::new(&format!("{test}-answer"), answer);
    let compared = compare(question(name).unwrap(), &expected.0, &answer.0, tolerance);
    compared.map_err(|error| format!("{error:#}"))
}

#[test]
fn rows_are_compared_in_any_order_and_those_without_numbers_left_out() {
    let expected = "1,1000000,0.5\n2,1000001,\n3,1000002,-7\n";
    let answer = "3,1000002,-7.0\n1,1000000,0.5\n";
    assert_eq!(check("order", "last_all", expected, answer, EXACT), Ok(0.0));
    let (expected, answer) = ("1,0,2,5,4,6\n", "1,0,2,5,4,6\n7,0,0,,,\n");
    assert_eq!(check("order", "per_tag", expected, answer, EXACT), Ok(0.0));
    let expected = "1,1000000,0.5\n3,1000002,-7\n";
    let short = check("order", "last_all", expected, "3,1000002,-7\n", EXACT);
    assert_eq!(short.unwrap_err(), "1 rows instead of 2");
}

#[test]
fn numbers_have_to_be_the_same_and_averages_nearly() {
    let expected = "1,0,2,0.1,50,60\n";
    let near = "1,0,2,0.10000000000000002,50,60\n";
    assert!(check("near", "per_tag", expected, near, EXACT).is_ok());
    for other in ["1,0,3,0.1,50,60\n", "1,0,2,0.2,50,60\n", "1,0,2,0.1,50.000000000000007,60\n"] {
        assert!(check("near", "per_tag", expected, other, EXACT).is_err(), "{other}");
    }
    let coarse = Tolerance { numbers: 1e-9, ..EXACT };
    let off = check("near", "per_tag", expected, "1,0,2,0.1,50.00000001,60\n", coarse);
    assert!((1e-10..1e-9).contains(&off.unwrap()));
}

#[test]
fn times_are_compared_as_exactly_as_the_system_keeps_them() {
    let (expected, answer) = ("1,1795392000123456,5\n", "1,1795392000123000,5\n");
    let milliseconds = Tolerance { micros: 1000, ..EXACT };
    assert!(check("time", "raw_hour", expected, answer, EXACT).is_err());
    assert_eq!(check("time", "raw_hour", expected, answer, milliseconds), Ok(0.0));
    assert_eq!(check("time", "raw_hour", expected, "1,,5\n", EXACT), Ok(0.0));
}

#[test]
fn what_is_no_row_is_an_error() {
    for wrong in ["x,1,2\n", "1\n", "1,2,three\n", "1,2,NaN\n"] {
        assert!(check("wrong", "last_one", "1,2,3\n", wrong, EXACT).is_err(), "{wrong}");
    }
}
