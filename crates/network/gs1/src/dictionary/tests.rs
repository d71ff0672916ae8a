use super::*;

#[test]
fn every_word_of_the_dictionary_is_understood() {
    for line in TEXT.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let rule = line.split('#').next().unwrap();
        let mut components = 0;
        for word in rule.split_ascii_whitespace().skip(1) {
            let flags = word.bytes().all(|byte| b"*?".contains(&byte));
            let attribute = ["req=", "ex=", "dlpkey"].iter().any(|name| word.starts_with(name));
            if !flags && !attribute {
                assert!(component(word).is_some(), "{word} in {line}");
                components += 1;
            }
        }
        let first = rule.split([' ', '-']).next().unwrap();
        assert_eq!(Ai::find(first).unwrap().components().len(), components, "{line}");
    }
}

#[test]
fn the_table_is_whole() {
    assert_eq!(Ai::all().count(), 541);
    for code in ["00", "01", "10", "253", "3103", "3939", "7040", "8030", "8112", "99"] {
        assert_eq!(Ai::find(code).unwrap().digits(), code);
    }
    for code in ["", "0", "04", "3106", "1", "999", "8043x", "０１"] {
        assert_eq!(Ai::find(code), None, "{code}");
    }
    assert_eq!(Ai::find("3103").unwrap().title(), "NET WEIGHT (kg)");
    assert_eq!(Ai::find("7239").unwrap().title(), "CERT # 10");
}

#[test]
fn two_digits_tell_how_long_an_identifier_is() {
    for ai in Ai::all() {
        let text = format!("{}000000", ai.digits());
        assert_eq!(Ai::at_start(&text), Some(ai));
    }
    assert_eq!(Ai::at_start("5"), None);
    assert_eq!(Ai::at_start("0é"), None);
}

#[test]
fn predefined_lengths_are_those_of_the_general_specifications() {
    // Figure 7.8.5-2: the first two digits and the length of identifier and value together.
    let lengths = [
        ("00", 20),
        ("01", 16),
        ("02", 16),
        ("03", 16),
        ("11", 8),
        ("12", 8),
        ("13", 8),
        ("15", 8),
        ("16", 8),
        ("17", 8),
        ("20", 4),
        ("31", 10),
        ("32", 10),
        ("33", 10),
        ("34", 10),
        ("35", 10),
        ("36", 10),
        ("41", 16),
    ];
    for ai in Ai::all() {
        let known = lengths.iter().find(|(start, _)| ai.digits().starts_with(start));
        assert_eq!(known.is_some(), ai.has_predefined_length(), "{ai:?}");
        if let Some((_, length)) = known {
            assert_eq!(ai.lengths(), (length - ai.digits().len(), length - ai.digits().len()));
        }
    }
}

#[test]
fn keys_are_those_of_the_standard_in_the_order_that_they_are_taken() {
    let mut keys: Vec<&str> = Ai::all().filter(|ai| ai.is_key()).map(Ai::digits).collect();
    let mut ordered = KEY_ORDER.to_vec();
    keys.sort_unstable();
    ordered.sort_unstable();
    assert_eq!(keys, ordered);
    for key in Ai::all().filter(|ai| ai.is_key()) {
        for code in key.sequences().iter().flatten() {
            assert!(Ai::find(code).is_some(), "{code}");
        }
    }
}
