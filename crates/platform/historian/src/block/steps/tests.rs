use super::*;

#[test]
fn states_and_levels_are_places() {
    let states: Vec<i64> = (0..1000).map(|n| n / 100 % 4).collect();
    let choice = choose(&states);
    assert_eq!(choice, Choice { places: Some(3), places_are_smaller: true, is_clear: true });
    let mut noise = 1u64;
    let level: Vec<i64> = (0..4000)
        .map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 61) as i64
        })
        .collect();
    let choice = choose(&level);
    assert!(choice.places == Some(7) && choice.places_are_smaller && choice.is_clear);
}

#[test]
fn what_wanders_is_differences() {
    let ramp: Vec<i64> = (0..256).collect();
    let choice = choose(&ramp);
    assert!(!choice.places_are_smaller && choice.is_clear);
    assert_eq!(choose(&[0, 256]).places, None);
    assert_eq!(choose(&[-1, 3]).places, None);
}

#[test]
fn a_dictionary_is_the_numbers_from_zero() {
    let (bytes, count) = dictionary(1);
    assert_eq!((bytes, count), (vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 2));
}
