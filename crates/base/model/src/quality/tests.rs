use proptest::prelude::*;

use super::*;

#[test]
fn texts_and_codes() {
    assert_eq!("good".parse(), Ok(Quality::GOOD));
    assert_eq!("bad:0x80310000".parse(), Ok(Quality::NO_COMMUNICATION));
    assert_eq!(Quality::NO_COMMUNICATION.to_string(), "bad:0x80310000");
    assert_eq!("good:0x80310000".parse::<Quality>(), Err(QualityError::Contradiction(0x8031_0000)));
    for text in ["", "Good", "bad:", "bad:80310000", "bad:0x", "bad:0x+1", "fine"] {
        assert_eq!(text.parse::<Quality>(), Err(QualityError::Unknown), "{text:?}");
    }
}

proptest! {
    #[test]
    fn every_code_survives_its_text(code: u32) {
        let quality = Quality::from_code(code);
        prop_assert_eq!(quality.to_string().parse(), Ok(quality));
    }
}
