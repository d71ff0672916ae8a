//! The formats, and texts that mean ill.

use proptest::prelude::*;

use crate::{Error, parse_text};

#[test]
fn a_job_shop_and_a_flexible_one_are_told_apart() {
    let shop = parse_text("# two jobs\n2 2\n0 3 1 2\n1 2 0 4\n").unwrap();
    assert_eq!(shop.jobs[1].operations[0].alternatives[0].machine, 1);
    let flexible = parse_text("2 2 1.5\n2 1 1 3 2 1 4 2 5\n1 1 2 7\n").unwrap();
    assert_eq!(flexible.jobs[0].operations[1].alternatives.len(), 2);
    assert_eq!(flexible.jobs[1].operations[0].alternatives[0].machine, 1);
    let back = parse_text("1 2\n0 3 1 2 0 4\n").unwrap();
    assert_eq!(back.jobs[0].operations.len(), 3);
}

#[test]
fn a_broken_line_is_named() {
    let error = parse_text("2 2\n0 3 1 2\n1 x 0 4\n").unwrap_err();
    assert!(matches!(error, Error::Text { line: 3, .. }), "{error}");
    for text in [
        "",
        "2 2\n",
        "0 0\n",
        "9999999 2\n",
        "1 1\n5 1 1 1\n",
        "1 1\n99999999999 1 0 1\n",
        "1 2\n0 3 7 2\n",
    ] {
        assert!(parse_text(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[0-9 \n.#a-]{0,200}") {
        let _ = parse_text(&text);
    }
}
