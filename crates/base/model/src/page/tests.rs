use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn ranges_are_of_the_total_order(a in any::<f64>(), b in any::<f64>(), bits in any::<u64>()) {
        let x = f64::from_bits(bits);
        let order = |y: f64| x.total_cmp(&y);
        prop_assert_eq!(NumberRange::from(a).contains(x), order(a) != Ordering::Less);
        prop_assert_eq!(NumberRange::above(a).contains(x), order(a) == Ordering::Greater);
        prop_assert_eq!(NumberRange::up_to(a).contains(x), order(a) != Ordering::Greater);
        prop_assert_eq!(NumberRange::below(a).contains(x), order(a) == Ordering::Less);
        let both = NumberRange::from(a).and(NumberRange::up_to(b));
        prop_assert_eq!(both.contains(x), order(a) != Ordering::Less && order(b) != Ordering::Greater);
        let of_two = NumberRange::NONE.with(a).with(b);
        prop_assert!(of_two.contains(a) && of_two.contains(b));
        prop_assert!(!both.contains(x) || both.meets(NumberRange::NONE.with(x)));
        prop_assert_eq!(NumberRange::from_words(both.words()), both);
    }

    #[test]
    fn what_is_kept_is_what_was_there(rows in vec((0..4u32, any::<f64>(), any::<bool>(), 0..3u32, any::<bool>(), any::<bool>()), 0..60)) {
        let build = |wanted: &dyn Fn(bool) -> bool| {
            let mut page = SamplePage::default();
            let kept = rows.iter().filter(|row| wanted(row.5)).enumerate();
            for (place, (tag, number, there, quality, text, _)) in kept {
                push_run(&mut page.tags, TagId(*tag), 1);
                push_run(&mut page.qualities, Quality::from_code(quality << 30), 1);
                page.times.push(number.to_bits().cast_signed());
                page.numbers.push(*number);
                page.present.push(*there);
                if *text {
                    page.texts.push(place, &number.to_string());
                }
            }
            page
        };
        let (mut page, expected) = (build(&|_| true), build(&|kept| kept));
        page.retain(&rows.iter().map(|row| row.5).collect::<Vec<_>>());
        prop_assert_eq!(format!("{page:?}"), format!("{expected:?}"));
    }
}

#[test]
fn a_range_and_severities_let_some_through() {
    let page = SamplePage {
        tags: vec![(TagId(1), 4)],
        numbers: vec![1.0, 2.0, 3.0, 9.0],
        present: vec![true, true, true, false],
        qualities: vec![(Quality::GOOD, 2), (Quality::BAD, 2)],
        ..SamplePage::default()
    };
    let above = Some(NumberRange::above(1.0));
    let good = Severities::NONE.with(Severity::Good);
    assert_eq!(page.passed(above, Severities::ALL), Some(vec![false, true, true, false]));
    assert_eq!(page.passed(above, good), Some(vec![false, true, false, false]));
    assert_eq!(page.passed(None, good), Some(vec![true, true, false, false]));
    assert_eq!(page.passed(None, Severities::ALL), None);
    assert_eq!(page.passed(None, good.not()), Some(vec![false, false, true, true]));
}
