use super::*;

#[test]
fn answers_have_the_smaller_version() {
    let answer = |own: (u8, u8), suggested: (u8, u8)| {
        let version = |(major, minor)| Version::new(major, minor);
        let answer = Version::of_answer(version(own), version(suggested));
        (answer.major, answer.minor)
    };
    assert_eq!(answer((2, 11), (2, 11)), (2, 11));
    assert_eq!(answer((2, 1), (2, 11)), (2, 11));
    assert_eq!(answer((2, 11), (2, 3)), (2, 3));
    assert_eq!(answer((2, 3), (0, 0)), (2, 3));
    assert_eq!(answer((2, 12), (3, 0)), (2, 11));
    assert_eq!(answer((127, 0), (0, 7)), (2, 11));
    assert_eq!(answer((5, 0), (0, 0)), (5, 0));
}

#[test]
fn five_is_another_name_of_two() {
    assert!(!Version::new(5, 0).has(Version::DIGEST_FLAG));
    assert!(Version::new(2, 7).has(Version::SHA256));
    assert!(!Version::new(2, 6).has(Version::SHA256));
    assert_eq!(Version::CURRENT.to_string(), "2.11");
}
