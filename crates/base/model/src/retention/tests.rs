use proptest::prelude::*;

use super::*;

fn rules(rules: &[(u32, Keep)]) -> Result<Retention, RetentionError> {
    let rules = rules
        .iter()
        .map(|(after_days, keep)| RetentionRule { after_days: *after_days, keep: *keep });
    Retention::new(rules.collect())
}

#[test]
fn rules_follow_one_another() {
    let good = rules(&[(30, Keep::Minute), (365, Keep::Day), (3650, Keep::Nothing)]).unwrap();
    let day = 86_400_000_000_000;
    assert_eq!(good.keep(-day), Keep::All);
    assert_eq!(good.keep(30 * day), Keep::All);
    assert_eq!(good.keep(30 * day + 1), Keep::Minute);
    assert_eq!(good.keep(400 * day), Keep::Day);
    assert_eq!(good.keep(i128::from(i64::MAX)), Keep::Nothing);
    assert_eq!(rules(&[(0, Keep::Minute)]), Err(RetentionError::Days { index: 0 }));
    assert_eq!(rules(&[(1, Keep::All)]), Err(RetentionError::Order { index: 0 }));
    let same = [(1, Keep::Hour), (2, Keep::Hour)];
    assert_eq!(rules(&same), Err(RetentionError::Order { index: 1 }));
    assert_eq!(rules(&[(1, Keep::Minute); 5]), Err(RetentionError::TooMany));
}

#[test]
fn names_come_back() {
    for keep in [Keep::All, Keep::Minute, Keep::Hour, Keep::Day, Keep::Nothing] {
        assert_eq!(Keep::from_name(keep.name()), Some(keep));
        assert_eq!(serde_json::to_value(keep).unwrap(), keep.name());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_rules_that_follow_one_another_or_none(text in "\\PC{0,64}|\\[(\\{\"after_days\":[0-9]{1,6},\"keep\":\"(all|minute|hour|day|nothing)\"\\},?){0,5}\\]") {
        if let Ok(retention) = serde_json::from_str::<Retention>(&text) {
            let rules = retention.rules();
            prop_assert!(rules.is_sorted_by(|a, b| a.after_days < b.after_days && a.keep < b.keep));
            let again = serde_json::to_string(&retention).unwrap();
            prop_assert_eq!(serde_json::from_str::<Retention>(&again).unwrap(), retention);
        }
    }
}
