use proptest::prelude::*;

use super::*;

#[test]
fn a_month_has_its_days() {
    // 2026-11-23, and the days around the ends of Februaries.
    for (day, date, days) in [
        (20_780, "2026-11-01", 30),
        (19_782, "2024-02-01", 29),
        (19_783, "2024-03-01", 31),
        (47_540, "2100-02-01", 28),
        (0, "1970-01-01", 31),
        (-1, "1969-12-01", 31),
    ] {
        let month = Span::day(day).month();
        assert_eq!((month.date().as_str(), month.days()), (date, days));
        assert!(!month.is_day());
    }
}

proptest! {
    #[test]
    fn months_follow_one_another(day in -106_751..106_751i32) {
        let month = Span::day(day).month();
        prop_assert!((month.first()..=month.last()).contains(&day));
        prop_assert_eq!(month.month(), month);
        prop_assert_eq!(Span::day(month.last()).month(), month);
        prop_assert_eq!(Span::day(month.last() + 1).month().first(), month.last() + 1);
        prop_assert_eq!(Span::day(month.first() - 1).month().last(), month.first() - 1);
    }
}
