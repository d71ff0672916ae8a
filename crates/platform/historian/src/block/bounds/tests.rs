use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn lists_come_back(numbers in vec(any::<f64>(), 0..20)) {
        let pages: Vec<_> = numbers.iter().map(|x| NumberRange::NONE.with(*x)).collect();
        prop_assert_eq!(parse(&to_text(&pages)), Some(pages));
    }

    #[test]
    fn any_text_is_a_list_or_none(text in ".{0,80}") {
        let _ = parse(&text);
    }
}

#[test]
fn numbers_of_all_kinds_are_within() {
    let kinds = [(1, 2), (5, 1), (2, 1), (3, 1), (4, 1), (0, 1)];
    let numbers =
        [1.5f64.to_bits(), (-3.0f64).to_bits(), 99, (-7i64).cast_unsigned(), u64::MAX, 1, 77];
    let range = of(&kinds, &numbers);
    assert_eq!(range, NumberRange::from(-7.0).and(NumberRange::up_to(u64::MAX as f64)));
    assert_eq!(of(&[(5, 3)], &[0; 3]), NumberRange::NONE);
    assert!(of(&[(1, 1)], &[f64::NAN.to_bits()]).contains(f64::NAN));
}
